/* SPDX-License-Identifier: Apache-2.0
 * A small durable store: records of one key and one JSON value each, appended to a journal of two files
 * ("NAME.1", "NAME.2"). A file is a generation: it opens with all records that live, then a mark that they
 * are whole, then what changed. When one has grown, the next generation is begun in the other; the one before
 * stays as it was until then, so that a kill at any moment, a torn end and flipped bits in the newest records
 * cost at most what was never acknowledged. Space is reserved ahead: a full disk does not stop the next
 * records. Not for two processes at once.
 */
#pragma once

#include "json.h"

typedef struct Record {
    char *key;     /* not empty; owned */
    json_t *value; /* NULL removes the key */
} Record;

typedef struct RecordLog RecordLog;

enum { RECORDLOG_MAX_RECORD = 32 << 20 };

/* Opens or begins the journal in `dir`. What was not as it should be is a sentence in `ret_damage` (owned;
 * NULL: nothing): records that could not be read are left out, the others count. */
MUST_CHECK bool recordlog_open(const char *dir, const char *name, RecordLog **ret, char **ret_damage,
                               Err *err);
void recordlog_close(RecordLog *l);        /* takes NULL */
bool recordlog_is_new(const RecordLog *l); /* neither file was there */

/* The same without writing anything, also while another process has it open: for people. */
MUST_CHECK bool recordlog_read(const char *dir, const char *name, RecordLog **ret, char **ret_damage,
                               Err *err);

/* Calls `each` with what lives, in the order of the keys' last writing. */
void recordlog_each(const RecordLog *l, void (*each)(void *arg, const char *key, const json_t *value),
                    void *arg);
/* All or nothing: on disk when it returns true. Blocking; one caller at a time. */
MUST_CHECK bool recordlog_append(RecordLog *l, const Record *records, size_t n, Err *err);
void recordlog_free_records(Record *records, size_t n);
