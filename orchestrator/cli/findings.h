/* SPDX-License-Identifier: Apache-2.0
 * Findings of checks, gathered from several places and told all at once, each with what mends it.
 */
#pragma once

#include "cmd.h"
#include "common/wire/wire.h"

typedef struct Findings {
    WireList list; /* Finding */
} Findings;
#define FINDINGS_INIT                                                                                        \
    {                                                                                                        \
        {                                                                                                    \
            NULL, 0                                                                                          \
        }                                                                                                    \
    }
void findings_done(Findings *f);

/* `level`: ok, warning, error. NULL texts are fine. */
void findings_add(Findings *f, const char *node, const char *name, const char *level, const char *text,
                  const char *mend);
/* An array of findings as sidingd or an agent answers; `node` stands in where an element names none; only
 * those of node `only` unless NULL. */
MUST_CHECK bool findings_add_json(Findings *f, const json_t *a, const char *node, const char *only, Err *err);
/* To stdout; what is well only with `all`, or as JSON. Fails, with an empty err->text, if one is an error. */
MUST_CHECK bool findings_print(const Findings *f, bool all, bool as_json, Err *err);

/* For commands that check: the common options, and --all. */
typedef struct CheckOptions {
    CliCommon common;
    bool all;
} CheckOptions;
extern const Opt check_options[];
