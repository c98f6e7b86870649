/* SPDX-License-Identifier: Apache-2.0
 * Loads a folder: step by step, the files of a step at the same time. A file's rows and the note of how many
 * of its statements are loaded are committed together, so that a restore that was killed goes on where it was
 * and loads no row twice.
 */
#pragma once

#include "folder.h"
#include "options.h"

typedef struct RestoreOutcome {
    size_t files, tables_proved, tables_counted, objects_proved, accounts_made;
    int64_t kept_bytes; /* compressed, loaded by an earlier run */
    bool resumed;
    StrList unmade;             /* views that are not there, with the reason */
    const char *become_replica; /* of the flavour */
} RestoreOutcome;

/* True with out->unmade not empty: all else is there. */
MUST_CHECK bool restore_run(const RestoreOptions *o, const Folder *f, RestoreOutcome *ret, Err *err);
void restore_outcome_done(RestoreOutcome *out);
