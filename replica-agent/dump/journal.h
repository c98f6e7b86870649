/* SPDX-License-Identifier: Apache-2.0
 * What an unfinished dump has finished: a hidden file of JSON lines in its folder, so that a dump that was
 * killed goes on with what is left. Its first line says of which position, with which options; a line for
 * each bound before its chunk is begun, a line for each chunk after its files are in place. A last line cut
 * short is ignored. Files are believed by their SHA-256 only. Thread-safe.
 */
#pragma once

#include <jansson.h>

#include "chunkplan.h"
#include "common/db/rowsum.h"

typedef struct Journal Journal;

/* Of the output folder; made if need be. ERR_REFUSED where another dump runs, or one of another position or
 * with other options is unfinished. `identity` is borrowed. */
MUST_CHECK bool journal_open(const char *dir, const json_t *identity, Journal **ret, Err *err);
void journal_close(Journal *j);
bool journal_exists(const char *dir);
bool journal_has_chunks(Journal *j); /* something that the next dump can keep */
/* The dump is complete. */
MUST_CHECK bool journal_remove(Journal *j, Err *err);

/* Files of finished chunks, as {name, rows, bytes, compressed_bytes, sha256}. Borrowed. */
const json_t *journal_files(const Journal *j);
/* False: not known. An empty bound: the table's end. */
bool journal_bound(Journal *j, const char *prefix, size_t number, Bound *ret);
bool journal_chunk(Journal *j, const char *prefix, size_t number, RowSum *ret);

MUST_CHECK bool journal_cut(Journal *j, const char *prefix, size_t number, const Bound *upto, Err *err);
/* Takes `files`. */
MUST_CHECK bool journal_add(Journal *j, const char *prefix, size_t number, const RowSum *sum, json_t *files,
                            Err *err);
