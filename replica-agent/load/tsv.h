/* SPDX-License-Identifier: Apache-2.0
 * Rows of tab-separated result files: checking a file, and feeding many as one stream in portions that end
 * at a row's end. A row ends at a newline, always: newlines in values are escaped.
 */
#pragma once

#include <sys/types.h>

#include "common/db/rowsum.h"

/* A longer row no server takes in a packet that anybody configures; without an end a few kilobytes of gzip
 * could take all memory. */
#define TSV_MOST_ROW_BYTES (32 << 20)

/* Reads the whole file; adds its rows to `sum`. ERR_CORRUPT: damaged gzip, or a last row without its end. */
MUST_CHECK bool tsv_check(const char *path, RowSum *sum, int64_t *ret_rows, int64_t *ret_bytes, Err *err);

typedef struct TsvStream TsvStream;
/* `paths` are borrowed until tsv_close; `skip` rows are passed over. Files of several shards are merged if
 * they are sorted, by one column of text and `numbers` of numbers; 0: one follows the other. */
MUST_CHECK bool tsv_open(const StrList *paths, size_t numbers, int64_t skip, TsvStream **ret, Err *err);
void tsv_close(TsvStream *s);
/* The next portion: at most `rows` rows, ending behind the row that reaches `bytes`. */
void tsv_portion(TsvStream *s, int64_t rows, int64_t bytes);
/* A DbFeed: bytes of the portion, 0 at its end. */
ssize_t tsv_feed(void *stream, char *buffer, size_t n, Err *err);
int64_t tsv_rows_fed(const TsvStream *s); /* of this portion */
