/* SPDX-License-Identifier: Apache-2.0 */
#include "purge.h"

#include <string.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/db/flavor.h"
#include "replica-agent/agent/agent.h"

enum { CHECK_MS = 5000, RETRY_MS = 1000 };

/* One look at the server, and with `set` one change. */
typedef struct Look {
    Agent *a;
    DbTarget target;
    int64_t timeout_ms;
    bool set, ok;
    PurgeValues want, now;
    Err err;
} Look;

/* Given to the store; what depends on it waits for the batch. */
uint64_t purge_save(Agent *a)
{
    PurgeState *p = &a->purge.state;
    bool used = p->holds.n || p->raised;
    store_put(a, xstrdup("purge"), used ? wire_write(purge_state_fields, p) : NULL);
    uint64_t batch = store_batch(a);
    store_flush(a, true);
    return batch;
}

/* ---- in a worker -------------------------------------------------------------------------------------- */

static bool read_variable(Db *db, const char *name, int64_t *ret, Err *err)
{
    DbRows *r;
    bool more = false;
    if (!db_query(db, &r, err, "SHOW GLOBAL VARIABLES LIKE ?", "s", name))
        return false;
    bool ok = db_next(r, &more, err);
    *ret = ok && more ? db_int(r, "Value") : 0; /* unknown to this version: no such limit */
    db_rows_free(r);
    return ok;
}

static bool read_values(Db *db, const Flavor *f, PurgeValues *ret, Err *err)
{
    ret->size = 0;
    return read_variable(db, f->purge_expire_var, &ret->expire_s, err) &&
           (!f->purge_size_var || read_variable(db, f->purge_size_var, &ret->size, err));
}

static bool change(Db *db, const char *name, int64_t now, int64_t want, Err *err)
{
    if (now == want)
        return true;
    AUTOFREE char *sql = xasprintf("SET GLOBAL %s=%lld", name, (long long)want);
    return db_exec(db, err, sql, "") ? true : err_prefix(err, "setting %s to %lld", name, (long long)want);
}

static bool look(Look *l, Db *db)
{
    const Flavor *f = flavor_of(db_version(db)->flavor);
    if (!read_values(db, f, &l->now, &l->err))
        return false;
    if (!l->set)
        return true;
    return change(db, f->purge_expire_var, l->now.expire_s, l->want.expire_s, &l->err) &&
           (!f->purge_size_var || change(db, f->purge_size_var, l->now.size, l->want.size, &l->err)) &&
           read_values(db, f, &l->now, &l->err);
}

static void in_worker(void *arg)
{
    Look *l = arg;
    Db *db = NULL;
    l->ok = db_connect(&l->target, l->timeout_ms, &db, &l->err) && look(l, db);
    if (db)
        db_close(db);
}

/* ---- in the loop -------------------------------------------------------------------------------------- */

static void begin(Agent *a, const PurgeValues *want);

static void set_trouble(Agent *a, const char *text)
{
    if (str_eq(a->purge.trouble, text))
        return;
    free(a->purge.trouble);
    a->purge.trouble = xstrdup(text);
}

static void follow(Agent *a, const Look *l)
{
    Purge *p = &a->purge;
    if (purge_settled(&p->state, &l->now)) {
        purge_save(a);
        return;
    }
    PurgeValues want = purge_decide(&p->state, &l->now);
    if (want.expire_s == l->now.expire_s && want.size == l->now.size) {
        p->next_ms = clock_mono_ms() + CHECK_MS;
        return;
    }
    p->want = want;
    p->now = l->now;
    p->batch = purge_save(a);
}

/* The server's own values are on disk: now they may be changed. */
static void change_recorded(Agent *a)
{
    Purge *p = &a->purge;
    PurgeValues want = p->want;
    p->batch = 0;
    tell_event(a, "info", "purge", NULL,
               p->state.holds.n
                   ? "binary logs of %s are kept for %lld s while a replica is paused (its own value: "
                     "%lld s)"
                   : "binary logs of %s are purged after %lld s again (raised meanwhile: %lld s)",
               a->conf.node, (long long)want.expire_s,
               (long long)(p->state.holds.n ? p->state.own.expire_s : p->now.expire_s));
    begin(a, &want);
}

static void in_loop(void *arg)
{
    Look *l = arg;
    Agent *a = l->a;
    a->purge.in_flight = false;
    if (!l->ok) {
        set_trouble(a, l->err.text);
        a->purge.next_ms = clock_mono_ms() + RETRY_MS;
    } else if (!a->stopping) {
        set_trouble(a, NULL);
        follow(a, l);
    }
    agent_changed(a);
    db_target_done(&l->target);
    free(l);
}

static void begin(Agent *a, const PurgeValues *want)
{
    Err err;
    Look *l = NEW(Look);
    DbTarget t = agent_config_target(&a->conf);
    l->a = a;
    l->timeout_ms = a->conf.statement_timeout_ms;
    l->set = want != NULL;
    if (want)
        l->want = *want;
    db_target_copy(&l->target, &t);
    if (work_submit(a->work, (WorkJob){in_worker, in_loop, l, .waits = true}, &err)) {
        a->purge.in_flight = true;
        return;
    }
    a->purge.next_ms = clock_mono_ms() + RETRY_MS;
    db_target_done(&l->target);
    free(l);
}

void purge_tick(Agent *a)
{
    Purge *p = &a->purge;
    int64_t now = clock_mono_ms();
    if (!p->state.holds.n && !p->state.raised)
        return;
    if (purge_drop_ended(&p->state, clock_boot_id(), now, clock_wall_ms())) {
        tell_event(a, "warn", "purge", NULL,
                   "a hold on the binary logs of %s has ended by itself: its coordinator "
                   "did not renew it",
                   a->conf.node);
        p->next_ms = 0;
        purge_save(a);
    }
    if (p->batch && store_has(a, p->batch))
        change_recorded(a);
    if (p->batch || p->in_flight || !a->s.known.server.up || now < p->next_ms)
        return;
    begin(a, NULL);
}

bool purge_restore(Agent *a, const json_t *value, Err *err)
{
    return wire_read(purge_state_fields, value, &a->purge.state, err);
}

void purge_close(Agent *a)
{
    wire_free(purge_state_fields, &a->purge.state);
    free(STEAL(a->purge.trouble));
}

/* ---- what others see and ask --------------------------------------------------------------------------- */

json_t *purge_json(const Agent *a)
{
    const PurgeState *p = &a->purge.state;
    const PurgeHold *h = p->holds.v;
    json_t *o = json_object(), *list = json_array();
    for (size_t i = 0; i < p->holds.n; i++) {
        json_t *one = json_object();
        json_set_str(one, "owner", h[i].owner);
        json_set_int(one, "keep_s", h[i].keep_s);
        json_set_int(one, "left_s",
                     purge_left_ms(&h[i], clock_boot_id(), clock_mono_ms(), clock_wall_ms()) / 1000);
        json_array_append_new(list, one);
    }
    json_object_set_new(o, "holds", list);
    json_set_bool(o, "raised", p->raised);
    json_set_int(o, "own_expire_s", p->own.expire_s);
    json_set_str(o, "error", a->purge.trouble);
    return o;
}
