/* SPDX-License-Identifier: Apache-2.0
 * The folder that is written. A file has a hidden temporary name without ".sql" until it is whole (a loader
 * would take any such file for its own); `metadata` comes last, so that a folder without it is no dump.
 * Thread-safe.
 */
#pragma once

#include <jansson.h>

#include "common/file/gz.h"

typedef struct Output Output;

typedef struct OutFile {
    GzWriter *gz;
    char *temp;
} OutFile;

/* Makes the folder if need be; a folder with anything in it is ERR_REFUSED, but for an unfinished dump's. */
MUST_CHECK bool output_open(const char *dir, const char *codec, Output **ret, Err *err);
void output_free(Output *o);
/* Files of an unfinished dump that stay, as output_commit returns them; what else is there is removed. */
MUST_CHECK bool output_keep(Output *o, const json_t *files, Err *err);

MUST_CHECK bool output_begin(Output *o, OutFile *ret, Err *err);
/* `name` without the codec's suffix. The file is freed, also on failure. *ret_file (NULL: not wanted) is new:
 * {name, rows, bytes, compressed_bytes, sha256}. It is on disk for certain only after output_finish. */
MUST_CHECK bool output_commit(Output *o, OutFile *f, const char *name, int64_t rows, json_t **ret_file,
                              Err *err);
char *output_path(const Output *o, const char *file); /* owned */
void output_drop(OutFile *f);
/* A whole file. */
MUST_CHECK bool output_text(Output *o, const char *name, const Str *text, Err *err);

/* files.json (files, and the members of `more`), .siding-sealed, then metadata (NULL: a part of a dump, which
 * another has). Takes `more`. */
MUST_CHECK bool output_finish(Output *o, json_t *more, const Str *metadata, Err *err);
/* Bytes of the longest statement of all files, and the file's name; 0: none. Borrowed. */
int64_t output_longest(const Output *o, const char **ret_file);
/* Totals so far. */
void output_totals(Output *o, size_t *ret_files, int64_t *ret_bytes, int64_t *ret_compressed);
