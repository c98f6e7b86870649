/* SPDX-License-Identifier: Apache-2.0
 * The result's files: rows as LOAD DATA reads them, in files "db.table.00000.tsv.gz", …, ascending, with
 * counts, checksums and the checksum of all rows.
 */
#pragma once

#include "common/base/str.h"
#include "common/db/rowsum.h"
#include "common/file/json.h"

/* "db.table.00000.tsv.gz". Owned. */
char *rows_file_name(const char *stem, size_t number, const char *codec);

typedef struct RowsOut RowsOut;

RowsOut *rows_new(const char *folder, const char *target, const char *codec, int64_t rows_per_file);
/* A LayoutSink. */
bool rows_put(void *rows, const RowSumField *columns, size_t n, Err *err);
/* Ends the last file; there is at least one. `ret_files` as in files.json. */
MUST_CHECK bool rows_finish(RowsOut *r, json_t **ret_files, RowSum *ret_sum, Err *err);
/* Frees; removes the files it made unless rows_finish succeeded. */
void rows_free(RowsOut *r);
