/* SPDX-License-Identifier: Apache-2.0
 * Keeps the vault up to date while a pause is in force: every 100 ms, from a thread of its own, whether the
 * server answers or not.
 */
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/db/binlog.h"
#include "replica-agent/agent/agent.h"
#include "replica-agent/core/buffer.h"

enum {
    EVERY_MS = 100,
    CLEAR_EVERY_MS = 500,
    CLEAR_LATE_MS = 30000,
    MISSING_LATE_MS = 1000,
    LOUD_EVERY_MS = 30000
};

typedef struct Round {
    Agent *a;
    VaultPlace place;
    bool sync, clear, ok;
    DbFlavor flavor;
    char *applied, *received; /* clear: where the server is */
    char *held;               /* and what it must have applied */
    VaultFigures figures;
    Err err;
} Round;

static void round_free(Round *r)
{
    wire_free(vault_place_fields, &r->place);
    free(r->applied);
    free(r->received);
    free(r->held);
    free(r);
}

/* What the relay files hold now, the pause being over. Later transactions are the server's own affair. Of
 * files that are encrypted only the server knows it: no more than it has received until now. */
static bool read_held(Round *r, Err *err)
{
    AUTO(strlist_done) StrList files = STRLIST_INIT;
    AUTO(binlog_scan_done) BinlogScan scan = {0};
    if (!vault_files(&r->place, &files, err))
        return false;
    if (binlog_scan(&files, &scan, err)) {
        r->held = xstrdup(scan.last ? scan.last : "");
        return true;
    }
    if (err->code != BINLOG_ENCRYPTED)
        return false;
    if (!r->received || !*r->received)
        return err_set(err, ERR_CONFLICT, 0,
                       "links in %s are kept: what the server has received is not known yet",
                       r->place.folder);
    r->held = xstrdup(r->received);
    return true;
}

/* What was kept must be applied first, whoever ended the pause. */
static bool clear(Round *r, Err *err)
{
    if (!r->held && !read_held(r, err))
        return false;
    if (!buffer_reaches(r->flavor, r->applied, r->held))
        return err_set(err, ERR_CONFLICT, 0,
                       "links in %s are kept: they hold transactions up to %.200s, applied is %.200s",
                       r->place.folder, r->held, r->applied);
    return vault_clear(&r->place, err);
}

static void in_worker(void *arg)
{
    Round *r = arg;
    if (r->clear) {
        r->ok = clear(r, &r->err);
        return;
    }
    r->ok = vault_keep(&r->place, &r->err) && (!r->sync || vault_sync_newest(&r->place, &r->err)) &&
            vault_measure(&r->place, &r->figures, &r->err);
}

static void set_trouble(Agent *a, const char *text)
{
    AgentVault *v = &a->vault;
    int64_t now = clock_mono_ms();
    if (text && (!str_eq(text, v->trouble) || now - v->loud_ms > LOUD_EVERY_MS)) {
        log_error("relay files are not kept safe: %s", text);
        v->loud_ms = now;
    }
    if (str_eq(text, v->trouble))
        return;
    free(v->trouble);
    v->trouble = xstrdup(text);
    agent_changed(a);
}

/* MySQL puts a new relay index in place of the old one at each purge: for a moment there is none. */
static bool is_being_replaced(AgentVault *v, const Round *r)
{
    int64_t now = clock_mono_ms();
    if (r->ok || r->err.kind != ERR_NOT_FOUND)
        v->missing_since_ms = 0;
    else if (!v->missing_since_ms)
        v->missing_since_ms = now;
    return v->missing_since_ms && now - v->missing_since_ms < MISSING_LATE_MS;
}

static void kept(Agent *a, const Round *r)
{
    if (is_being_replaced(&a->vault, r))
        return;
    if (r->ok)
        a->vault.figures = r->figures;
    set_trouble(a, r->ok ? NULL : r->err.text);
}

/* That transactions just received are not applied yet is the normal state of a moment, not trouble. */
static void cleared(Agent *a, Round *r)
{
    AgentVault *v = &a->vault;
    if (!v->held)
        v->held = STEAL(r->held);
    int64_t late = CLEAR_LATE_MS + a->s.known.server.status.delay_s * 1000;
    bool waits = !r->ok && r->err.kind == ERR_CONFLICT && clock_mono_ms() - v->clear_since_ms < late;
    if (r->ok)
        v->figures = r->figures;
    set_trouble(a, r->ok || waits ? NULL : r->err.text);
    v->clear_due = v->clear_due && !r->ok;
}

/* A pause is in force: what is held at its end is not known yet. */
static void forget_held(AgentVault *v)
{
    free(STEAL(v->held));
    v->clear_since_ms = 0;
}

static void in_loop(void *arg)
{
    Round *r = arg;
    Agent *a = r->a;
    bool old = a->vault.is_outdated;
    a->vault.in_flight = a->vault.is_outdated = false;
    bool paused = a->s.durable.pause != PAUSE_NONE;
    if (!a->stopping && r->clear && !paused && !old)
        cleared(a, r);
    else if (!a->stopping && !r->clear && paused)
        kept(a, r);
    round_free(r);
}

static Round *next_round(Agent *a)
{
    Round *r = NEW(Round);
    r->a = a;
    r->clear = a->s.durable.pause == PAUSE_NONE;
    r->sync = pause_is_in_force(&a->s) && str_eq(a->conf.buffer_sync, "agent");
    r->flavor = a->s.known.server.version.flavor;
    r->applied = xstrdup(a->s.known.server.status.applied);
    if (r->clear) {
        r->received = xstrdup(a->s.known.server.status.received);
        r->held = xstrdup(a->vault.held);
    }
    wire_copy(vault_place_fields, &r->place, &a->vault.place);
    return r;
}

void vault_tick(Agent *a)
{
    Err err;
    AgentVault *v = &a->vault;
    int64_t now = clock_mono_ms();
    if (a->s.durable.pause != PAUSE_NONE)
        forget_held(v);
    bool idle = a->s.durable.pause == PAUSE_NONE &&
                !(v->clear_due && a->s.known.server.up && a->s.known.server.status.sql_running);
    if (idle || v->in_flight || !v->place.index || now < v->next_ms)
        return;
    Round *r = next_round(a);
    if (r->clear && !v->clear_since_ms)
        v->clear_since_ms = now;
    v->next_ms = now + (r->clear ? CLEAR_EVERY_MS : EVERY_MS);
    v->in_flight = work_submit(v->pool, (WorkJob){in_worker, in_loop, r}, &err);
    if (!v->in_flight)
        round_free(r);
}

void vault_give_up(Agent *a)
{
    AgentVault *v = &a->vault;
    forget_held(v);
    v->clear_due = true;
    v->is_outdated = v->in_flight; /* what is under way has looked before */
}

void vault_learn(Agent *a, const VaultPlace *p)
{
    AgentVault *v = &a->vault;
    if (!p->index ||
        (str_eq(p->index, v->place.index) && str_eq(p->folder, v->place.folder) &&
         str_eq(p->data_folder, v->place.data_folder) && str_eq(p->binlog_index, v->place.binlog_index)))
        return;
    wire_free(vault_place_fields, &v->place);
    wire_copy(vault_place_fields, &v->place, p);
    store_put(a, xstrdup("relay"), wire_write(vault_place_fields, &v->place));
    store_flush(a, false);
}

bool vault_restore(Agent *a, const json_t *value, Err *err)
{
    return wire_read(vault_place_fields, value, &a->vault.place, err);
}

void vault_open(Agent *a)
{
    a->vault.pool = work_new(a->base, "vault", 1, 2);
    a->vault.clear_due = true; /* without a lease, what an agent before left is given up */
}

void vault_close(Agent *a)
{
    if (a->vault.pool)
        work_free(STEAL(a->vault.pool));
    wire_free(vault_place_fields, &a->vault.place);
    free(STEAL(a->vault.trouble));
    forget_held(&a->vault);
}
