/* SPDX-License-Identifier: Apache-2.0 */
#include "store.h"

#include "common/base/clock.h"
#include "common/base/log.h"
#include "replica-agent/agent/agent.h"

enum { RETRY_MS = 1000 };

char *store_path(const Agent *a, const char *name)
{
    return xasprintf("%s/%s", a->conf.state_dir, name);
}

/* ---- writing ---------------------------------------------------------------------------------------------
 */

typedef struct Batch {
    Agent *a;
    RecordLog *log;
    Record *records;
    size_t n;
    uint64_t number;
    bool ok;
    Err err;
} Batch;

static Record *find(Store *s, const char *key)
{
    for (size_t i = 0; i < s->n; i++)
        if (str_eq(s->waiting[i].key, key))
            return &s->waiting[i];
    return NULL;
}

void store_put(Agent *a, char *key, json_t *value)
{
    Store *s = &a->store;
    Record *old = find(s, key);
    if (old) {
        json_decref(old->value);
        old->value = value;
        free(key);
        return;
    }
    s->waiting = xrealloc(s->waiting, (s->n + 1) * sizeof *s->waiting);
    s->waiting[s->n++] = (Record){key, value};
}

bool store_waits_for(const Agent *a, const char *key)
{
    return find((Store *)&a->store, key) || strlist_has(&a->store.under_way, key);
}

static void in_writer(void *arg)
{
    Batch *b = arg;
    b->ok = recordlog_append(b->log, b->records, b->n, &b->err);
}

/* What is newer by now stays. */
static void put_back(Agent *a, Batch *b)
{
    for (size_t i = 0; i < b->n; i++)
        if (!find(&a->store, b->records[i].key))
            store_put(a, STEAL(b->records[i].key), STEAL(b->records[i].value));
}

static void failed(Agent *a, Batch *b)
{
    Store *s = &a->store;
    if (!s->failing)
        log_error("%s", b->err.text);
    s->failing = true;
    s->retry_ms = clock_mono_ms() + RETRY_MS;
    s->tried = b->number;
    s->why = b->err;
    put_back(a, b);
    queue_wake(a);
}

static void written(Agent *a, const Batch *b)
{
    Store *s = &a->store;
    s->written = b->number;
    if (s->failing)
        queue_post(a, queue_input(IN_WRITTEN, NULL));
    s->failing = false;
    queue_wake(a);
}

bool store_failed(const Agent *a, uint64_t batch, Err *ret)
{
    const Store *s = &a->store;
    if (s->written >= batch || s->tried < batch)
        return false;
    *ret = s->why;
    return true;
}

static void in_loop(void *arg)
{
    Batch *b = arg;
    Agent *a = b->a;
    a->store.writing = false;
    strlist_done(&a->store.under_way);
    if (!a->stopping && b->ok)
        written(a, b);
    else if (!a->stopping)
        failed(a, b);
    recordlog_free_records(b->records, b->n);
    free(b);
    if (!a->stopping)
        store_flush(a, a->loop.held_since_ms != 0);
}

uint64_t store_batch(const Agent *a)
{
    return a->store.next;
}

bool store_has(const Agent *a, uint64_t batch)
{
    return a->store.written >= batch;
}

void store_flush(Agent *a, bool urgent)
{
    Err err;
    Store *s = &a->store;
    if (s->writing || (s->failing && !urgent && clock_mono_ms() < s->retry_ms))
        return;
    if (!s->n && !(a->loop.held_since_ms && a->loop.awaited >= s->next))
        return;
    Batch *b = NEW(Batch);
    *b = (Batch){.a = a, .log = s->log, .records = s->waiting, .n = s->n, .number = s->next};
    if (!work_submit(s->writer, (WorkJob){in_writer, in_loop, b}, &err)) {
        free(b);
        return;
    }
    for (size_t i = 0; i < s->n; i++)
        strlist_add(&s->under_way, s->waiting[i].key);
    s->waiting = NULL;
    s->n = 0;
    s->next++;
    s->writing = true;
}

void store_close(Agent *a)
{
    Err err;
    Store *s = &a->store;
    if (s->writer)
        work_free(STEAL(s->writer));
    if (s->log && s->n && !recordlog_append(s->log, s->waiting, s->n, &err))
        log_error("%s", err.text);
    recordlog_free_records(s->waiting, s->n);
    recordlog_close(s->log);
    *s = (Store){0};
}
