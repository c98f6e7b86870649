/* SPDX-License-Identifier: Apache-2.0
 * A sealed result from the agent that made it. The manifest comes first and says what belongs to it; every
 * file is resumed where it stopped and compared with its SHA-256; the manifest is put in place last, so that
 * a folder with a manifest is whole here too. Shows progress in bytes.
 */
#pragma once

#include "common/base/err.h"
#include "tls.h"

typedef struct ResultSource {
    const char *url, *run; /* of the agent; the run's key */
    const Tls *tls;        /* NULL: none */
} ResultSource;

/* The path of a result's file at the agent that holds it. `run` is the key of the run; owned. */
char *resultfetch_path(const char *run, const char *name);
MUST_CHECK bool resultfetch(const ResultSource *from, const char *to, Err *err);
