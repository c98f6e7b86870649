/* SPDX-License-Identifier: Apache-2.0
 * The folder that is written. A file has a hidden temporary name without ".sql" until it is whole (a loader
 * would take any such file for its own); `metadata` comes last, so that a folder without it is no dump.
 * Thread-safe.
 */
#pragma once

#include <jansson.h>

#include "common/gz.h"

typedef struct Output Output;

typedef struct OutFile {
    GzWriter *gz;
    char *temp;
} OutFile;

/* Makes the folder if need be; a folder with anything in it is ERR_REFUSED. */
MUST_CHECK bool output_open(const char *dir, const char *codec, Output **ret, Err *err);
void output_free(Output *o);

MUST_CHECK bool output_begin(Output *o, OutFile *ret, Err *err);
/* `name` without the codec's suffix. The file is freed, also on failure. */
MUST_CHECK bool output_commit(Output *o, OutFile *f, const char *name, int64_t rows, Err *err);
void output_drop(OutFile *f);
/* A whole file. */
MUST_CHECK bool output_text(Output *o, const char *name, const Str *text, Err *err);

/* files.json (files, and the members of `more`), .siding-sealed, then metadata. Takes `more`. */
MUST_CHECK bool output_finish(Output *o, json_t *more, const Str *metadata, Err *err);
/* Totals so far. */
void output_totals(Output *o, size_t *ret_files, int64_t *ret_bytes, int64_t *ret_compressed);
