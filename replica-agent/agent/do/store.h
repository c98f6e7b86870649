/* SPDX-License-Identifier: Apache-2.0
 * The agent's journal (common/file/recordlog) at work: what has changed is collected and written by a thread
 * of its own, one sync a batch. A batch that fails is written again with the next.
 */
#pragma once

#include "common/db/work.h"
#include "common/file/recordlog.h"

struct Agent;

typedef struct Store {
    RecordLog *log;
    WorkPool *writer;
    Record *waiting; /* of batch `next` */
    size_t n;
    uint64_t next, written; /* batches; all up to `written` are on disk */
    uint64_t tried;         /* the last that failed, by `why` */
    Err why;
    StrList under_way; /* keys that are being written */
    bool writing, failing;
    int64_t retry_ms;
} Store;

/* Reads the journal, or the files of an older version once, and gives each part what is its own. */
MUST_CHECK bool store_open(struct Agent *a, Err *err);
void store_close(struct Agent *a);                         /* writes what waits */
void store_put(struct Agent *a, char *key, json_t *value); /* takes both; `value` NULL removes the key */
uint64_t store_batch(const struct Agent *a);               /* the one that what was put last belongs to */
bool store_has(const struct Agent *a, uint64_t batch);     /* it is on disk */
bool store_failed(const struct Agent *a, uint64_t batch, Err *ret); /* it was tried since, and is not */
bool store_waits_for(const struct Agent *a, const char *key);
void store_flush(struct Agent *a, bool urgent);            /* writes what waits, unless it has just failed */
char *store_path(const struct Agent *a, const char *name); /* below state_dir. Owned */
