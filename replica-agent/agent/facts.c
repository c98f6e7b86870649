/* SPDX-License-Identifier: Apache-2.0 */
#include "facts.h"

#include <string.h>

#include "agent.h"
#include "common/base/clock.h"
#include "common/base/log.h"

enum { SAMPLE_MS = 60000, RECENT_MS = 86400000, SHOWN = 5 };

void facts_own(const Agent *a, PreflightFacts *ret)
{
    const Guard *g = &a->guard;
    *ret = (PreflightFacts){.xa_prepared = -1,
                            .semi_sync_acks = -1,
                            .log_expire_s = -1,
                            .allow_delayed = a->conf.allow_delayed,
                            .allow_downstream = a->conf.allow_downstream,
                            .relay_dir = xstrdup(g->relay_dir),
                            .relay_free = g->relay_free,
                            .free_bytes = guard_relay_need(a->conf.min_free_bytes, g->rate.bytes_per_s),
                            .pause_limit_ms = a->conf.pause_limit_ms,
                            .bytes_per_s = g->rate.bytes_per_s,
                            .rate_known = g->rate.known,
                            .apply_rate = g->apply_rate,
                            .wants_catchup_estimate = a->conf.catchup_limit_ms > 0,
                            .keyless_changed_count = -1};
    keyless_copy(&ret->tables, &a->sampler.tables);
}

static bool read_sample(Db *db, Keyless *k, int64_t wall_ms, Err *err)
{
    DbRows *r;
    bool more, ok;
    if (!db_query(db, &r, err, flavor_of(db_version(db)->flavor)->keyless_changes_sql, ""))
        return false;
    keyless_begin(k);
    while ((ok = db_next(r, &more, err)) && more) {
        AUTOFREE char *name = xstrdup(db_text(r, "name"));
        char *slash = strchr(name, '/');
        if (slash)
            *slash = '.';
        keyless_add(k, name, db_int(r, "row_count"), db_int(r, "changed"), wall_ms);
    }
    db_rows_free(r);
    if (ok)
        keyless_end(k);
    return ok;
}

static bool count_rows(Db *db, const char *sql, int64_t *ret, Err *err)
{
    DbRows *r;
    bool more, ok;
    int64_t n = 0;
    if (!db_query(db, &r, err, sql, ""))
        return false;
    while ((ok = db_next(r, &more, err)) && more)
        n++;
    db_rows_free(r);
    if (ok)
        *ret = n;
    return ok;
}

static bool read_primary(Db *db, const Flavor *flavor, PreflightFacts *f, Err *err)
{
    AUTOFREE char *sql = xasprintf("SELECT @@GLOBAL.%s", flavor->purge_expire_var);
    ReplSemiSync semi_sync;
    if (!repl_semi_sync_read(db, &semi_sync, err) || !db_value_int(db, &f->log_expire_s, err, sql, ""))
        return false;
    f->semi_sync_on = semi_sync.source_on;
    f->semi_sync_acks = semi_sync.acks;
    return true;
}

bool facts_read(Db *db, const ReplStatus *status, PreflightFacts *f, Err *err)
{
    const Flavor *flavor = flavor_of(db_version(db)->flavor);
    Err ignored;
    f->is_replica = status->is_replica;
    f->delay_s = status->delay_s;
    if (!count_rows(db, flavor->xa_prepared_sql, &f->xa_prepared, &ignored))
        log_debug("%s: %s", flavor->xa_prepared_sql, ignored.text);
    if (!status->is_replica)
        return read_primary(db, flavor, f, err);
    if (!read_sample(db, &f->tables, clock_wall_ms(), err) && err->kind != ERR_AUTH)
        return false;
    if (f->tables.sampled)
        f->keyless_changed_count =
            keyless_changed(&f->tables, clock_wall_ms() - RECENT_MS, SHOWN, &f->keyless_changed);
    return db_value_int(db, &f->log_readers, err, flavor->log_readers_sql, "") &&
           db_value(db, &f->sync_relay_log, err, "SELECT @@GLOBAL.sync_relay_log", "");
}

/* ---- tables without a key ---------------------------------------------------------------------------- */

typedef struct Sample {
    Agent *a;
    DbTarget target;
    int64_t timeout_ms;
    bool ok;
    Err err;
    Keyless tables; /* only names, rows and counters */
} Sample;

static void sample_in_worker(void *arg)
{
    Sample *s = arg;
    Db *db = NULL;
    s->ok = db_connect(&s->target, s->timeout_ms, &db, &s->err) && read_sample(db, &s->tables, 1, &s->err);
    if (db)
        db_close(db);
}

static void sample_in_loop(void *arg)
{
    Sample *s = arg;
    Keyless *k = &s->a->sampler.tables;
    s->a->sampler.in_flight = false;
    if (s->ok) {
        keyless_begin(k);
        for (size_t i = 0; i < s->tables.n; i++)
            keyless_add(k, s->tables.v[i].name, s->tables.v[i].rows, s->tables.v[i].counter, clock_wall_ms());
        keyless_end(k);
    } else {
        log_debug("tables without a key are not looked at: %s", s->err.text);
    }
    keyless_done(&s->tables);
    db_target_done(&s->target);
    free(s);
}

/* Not while it is paused: a sample reads InnoDB's dictionary, and nothing changes then. */
void sampler_tick(Agent *a)
{
    Err err;
    int64_t now = clock_mono_ms();
    if (a->sampler.in_flight || now < a->sampler.next_ms || !a->server.up || !a->server.status.is_replica ||
        a->pause.state != PAUSE_NONE)
        return;
    a->sampler.next_ms = now + SAMPLE_MS;
    Sample *s = NEW(Sample);
    s->a = a;
    s->timeout_ms = a->conf.statement_timeout_ms;
    DbTarget t = agent_config_target(&a->conf);
    db_target_copy(&s->target, &t);
    if (work_submit(a->work, (WorkJob){sample_in_worker, sample_in_loop, s}, &err)) {
        a->sampler.in_flight = true;
        return;
    }
    db_target_done(&s->target);
    free(s);
}

void sampler_close(Agent *a)
{
    keyless_done(&a->sampler.tables);
}
