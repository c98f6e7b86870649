/* SPDX-License-Identifier: Apache-2.0
 * The files of one chunk: rows in, text collected in one buffer, compressed, put in place. A chunk that was
 * not cut beforehand (no usable key) is divided here, between rows.
 */
#pragma once

#include "dumpfolder.h"
#include "dumpwork.h"
#include "reader.h"

typedef struct ChunkFile {
    DumpFolder *output;
    int64_t statement_bytes;
    ChunkSize most; /* of a file of an uncut chunk */
    char *buffer;
    size_t len;

    const TableWork *work;
    size_t number;
    OutFile file;
    bool open;
    int64_t statement, bytes, rows; /* of the statement, of the file */
    int64_t statement_at, longest;  /* where in the file it begins; bytes of the longest one */
    int64_t all_rows;
    json_t *files;
} ChunkFile;

enum { CHUNKFILE_BUFFER = 1 << 20 };

void chunkfile_init(ChunkFile *f, DumpFolder *output, int64_t statement_bytes, const ChunkSize *most);
void chunkfile_done(ChunkFile *f);

void chunkfile_begin(ChunkFile *f, const TableWork *work, size_t number);
/* *ret_rest: a statement has just ended, a good place to stop and look. */
MUST_CHECK bool chunkfile_row(ChunkFile *f, const Value *values, bool *ret_rest, Err *err);
MUST_CHECK bool chunkfile_big_row(ChunkFile *f, RowReader *r, bool *ret_rest, Err *err);
/* The last file is in place; *ret_files: array as dumpfolder_commit gives them, empty without rows. */
MUST_CHECK bool chunkfile_end(ChunkFile *f, json_t **ret_files, Err *err);
void chunkfile_drop(ChunkFile *f);
