/* SPDX-License-Identifier: Apache-2.0
 * Proves a chunk: its files, read again, against the table's rows as the server summed them up while it sent
 * them.
 */
#pragma once

#include "dumpfolder.h"
#include "dumpwork.h"

/* Around the statement that reads a chunk: the sum of the rows that the server has sent. */
MUST_CHECK bool chunkproof_begin(Db *db, Err *err);
MUST_CHECK bool chunkproof_sent(Db *db, RowSum *ret, Err *err);
/* The sum of a chunk that is not read otherwise. */
MUST_CHECK bool chunkproof_read(Db *db, const Chunk *c, const char *where, RowSum *ret, Err *err);
/* `files` as dumpfolder_commit gives them; `buffer` is scratch. ERR_CORRUPT where they hold other rows than
 * `want`. */
MUST_CHECK bool chunkproof_files(const DumpFolder *out, const Chunk *c, const json_t *files, char *buffer,
                                 size_t n_buffer, const RowSum *want, Err *err);
