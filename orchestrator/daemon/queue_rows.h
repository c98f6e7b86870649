/* SPDX-License-Identifier: Apache-2.0
 * Rows of the queue's tables and wire objects, both ways. Inside of queue_db.c and queue_db_write.c.
 */
#pragma once

#include "common/base/clock.h"
#include "queue_db.h"

#define LIVE_STATES "'waiting','scheduled','running','sleeping','stopping'"

/* The key of a row of siding.run: common/wire/runkey.h. */
#define QDB_RUN_KEY "CONCAT(task_id, '.', no, IF(incarnation = '', '', '-'), incarnation)"

/* A DATETIME(3) of UTC. */
void rows_format_time(int64_t ms, char ret[CLOCK_TEXT]);
const char *rows_time_or_null(int64_t ms, char buffer[CLOCK_TEXT]); /* 0: NULL */
const char *rows_text_or_null(const WireEnum *e, int value, const char *text);
json_t *rows_parse_json(const char *text, size_t n); /* owned; NULL: it is none */
/* Columns and wire fields have the same names. False: a column holds what its field cannot. */
bool rows_read(const DbRows *r, const WireField *fields, void *s);
/* Of the column `id`; the rows are freed. */
MUST_CHECK bool rows_read_ids(DbRows *rows, QdbIds *ret, Err *err);
MUST_CHECK bool rows_delete(Db *db, const char *table, const char *key, const QdbIds *ids, Err *err);
