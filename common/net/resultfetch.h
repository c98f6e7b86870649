/* SPDX-License-Identifier: Apache-2.0
 * A sealed result from the agent that made it. Its manifest comes first and says what belongs to it; every
 * file is resumed where it stopped and compared with its SHA-256; the manifest is put in place last, so that
 * a folder with a manifest is whole here too. Shows progress in bytes.
 */
#pragma once

#include <jansson.h>

#include "common/base/err.h"
#include "tls.h"

typedef struct ResultSource {
    const char *url,
        *run; /* of the agent, or of the coordinator, which passes on what the agent gives; the run's key */
    const Tls *tls;   /* NULL: none */
    const char *node; /* of the coordinator: whose result. NULL: url is the agent's */
} ResultSource;

/* The path of a result's file at the agent that holds it. `run` is the key of the run; owned. */
char *resultfetch_path(const char *run, const char *name);
/* The same with what `from` is asked besides. Owned. */
char *resultfetch_path_at(const ResultSource *from, const char *name);
/* What belongs to the result; one of another run is an error. Owned. */
MUST_CHECK bool resultfetch_manifest(const ResultSource *from, json_t **ret, Err *err);
/* `manifest` as resultfetch_manifest gave it; NULL: it is asked for. */
MUST_CHECK bool resultfetch(const ResultSource *from, const json_t *manifest, const char *to, Err *err);
