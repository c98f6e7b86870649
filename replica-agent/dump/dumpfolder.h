/* SPDX-License-Identifier: Apache-2.0
 * The folder that is written. A file has a hidden temporary name without ".sql" until it is whole (a loader
 * would take any such file for its own); `metadata` comes last, so that a folder without it is no dump.
 * Thread-safe.
 */
#pragma once

#include <jansson.h>

#include "common/file/gz.h"

typedef struct DumpFolder DumpFolder;

typedef struct OutFile {
    GzWriter *gz;
    char *temp;
} OutFile;

/* Makes the folder if need be; a folder with anything in it is ERR_REFUSED, but for an unfinished dump's. */
MUST_CHECK bool dumpfolder_open(const char *dir, const char *codec, DumpFolder **ret, Err *err);
void dumpfolder_free(DumpFolder *o);
/* Files of an unfinished dump that stay, as dumpfolder_commit returns them; what else is there is removed. */
MUST_CHECK bool dumpfolder_keep(DumpFolder *o, const json_t *files, Err *err);

MUST_CHECK bool dumpfolder_begin(DumpFolder *o, OutFile *ret, Err *err);
/* `name` without the codec's suffix. The file is freed, also on failure. *ret_file (NULL: not wanted) is new:
 * {name, rows, bytes, compressed_bytes, sha256}. It is on disk for certain only after dumpfolder_finish. */
MUST_CHECK bool dumpfolder_commit(DumpFolder *o, OutFile *f, const char *name, int64_t rows,
                                  json_t **ret_file, Err *err);
char *dumpfolder_path(const DumpFolder *o, const char *file); /* owned */
void dumpfolder_drop(OutFile *f);
/* A whole file. */
MUST_CHECK bool dumpfolder_text(DumpFolder *o, const char *name, const Str *text, Err *err);

/* files.json (files, and the members of `more`), .siding-sealed, then metadata (NULL: a part of a dump, which
 * another has). Takes `more`. */
MUST_CHECK bool dumpfolder_finish(DumpFolder *o, json_t *more, const Str *metadata, Err *err);
/* Bytes of the longest statement of all files, and the file's name; 0: none. Borrowed. */
int64_t dumpfolder_longest(const DumpFolder *o, const char **ret_file);
/* Totals so far. */
void dumpfolder_totals(DumpFolder *o, size_t *ret_files, int64_t *ret_bytes, int64_t *ret_compressed);
