/* SPDX-License-Identifier: Apache-2.0
 * Proves a chunk: its files, read again from the disk, against the table, summed up in the server.
 */
#pragma once

#include "output.h"
#include "work.h"

MUST_CHECK bool verify_server_sum(Db *db, const Chunk *c, const char *where, RowSum *ret, Err *err);
/* `files` as output_commit gives them; `buffer` is scratch. ERR_CORRUPT where they differ. *ret: the sum. */
MUST_CHECK bool verify_chunk(Db *db, const Output *out, const Chunk *c, const char *where,
                             const json_t *files, char *buffer, size_t n_buffer, RowSum *ret, Err *err);
