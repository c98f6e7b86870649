/* SPDX-License-Identifier: Apache-2.0 */
#include "hooks.h"

#include "agent.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/subprocess.h"
#include "store.h"

enum { RETRY_MS = 5000, MAX_TRIES = 3, ENV_MAX = 10 };

typedef struct Call {
    Agent *a;
    bool before;
    char *program, *log;
    char *env[ENV_MAX];
    int64_t timeout_ms;
    bool ok;
    Err err;
    void (*done)(Agent *a, bool ok, const Err *err);
} Call;

/* clang-format off */
#define ROW(f, type) {#f, type, offsetof(HookJournal, f), NULL, 0}
static const WireField journal_fields[] = {
    ROW(owner, WIRE_STR), ROW(reason, WIRE_STR), ROW(gtid, WIRE_STR), ROW(over, WIRE_BOOL), ROW(tries, WIRE_INT),
    {NULL, WIRE_STR, 0, NULL, 0},
};
/* clang-format on */

/* ---- running one, in a worker ---------------------------------------------------------------------------
 */

static void in_worker(void *arg)
{
    Call *c = arg;
    c->ok = subprocess_do(&(Subprocess){.program = c->program,
                                        .env = (const char *const *)c->env,
                                        .log = c->log,
                                        .timeout_ms = c->timeout_ms},
                          &c->err);
}

static void call_free(Call *c)
{
    for (size_t i = 0; i < ENV_MAX; i++)
        free(c->env[i]);
    free(c->program);
    free(c->log);
    free(c);
}

static Call *call_new(Agent *a, bool before)
{
    const HookJournal *j = &a->hooks.j;
    Call *c = NEW(Call);
    size_t n = 0;
    c->a = a;
    c->before = before;
    c->program = xstrdup(before ? a->conf.hooks.before_pause : a->conf.hooks.after_caught_up);
    c->log = store_path(a, before ? "before_pause.log" : "after_caught_up.log");
    c->timeout_ms = a->conf.hooks.timeout_ms;
    c->env[n++] = xstrdup("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
    c->env[n++] = xasprintf("SIDING_HOOK=%s", before ? "before_pause" : "after_caught_up");
    c->env[n++] = xasprintf("SIDING_NODE=%s", a->conf.node);
    c->env[n++] = xasprintf("SIDING_RUN_ID=%s", str_eq(j->owner, LEASE_MANUAL) ? "" : j->owner);
    c->env[n++] = xasprintf("SIDING_REASON=%s", j->reason ? j->reason : "");
    c->env[n++] = xasprintf("SIDING_GTID=%s", j->gtid ? j->gtid : "");
    c->env[n++] = xasprintf("SIDING_SERVER=%s:%lld", a->conf.server.address, (long long)a->conf.server.port);
    return c;
}

/* ---- in the loop -----------------------------------------------------------------------------------------
 */

static bool save(Agent *a, Err *err)
{
    return a->hooks.j.owner ? store_write(a, "hook.json", journal_fields, &a->hooks.j, err)
                            : store_remove(a, "hook.json", err);
}

static void forget(Agent *a)
{
    Err err;
    wire_free(journal_fields, &a->hooks.j);
    if (!save(a, &err))
        log_warn("%s", err.text);
}

static void told_before(Call *c)
{
    Agent *a = c->a;
    bool ignored = str_eq(a->conf.hooks.on_failure, "ignore");
    if (!c->ok) {
        a->hooks.failed++;
        err_prefix(&c->err, "hook before_pause");
        tell_event(a, ignored ? "warn" : "error", "hook", NULL, "%s%s", c->err.text,
                   ignored ? "; paused nevertheless" : "; the replica is not paused");
    }
    c->done(a, c->ok || ignored, &c->err);
}

static void told_after(Call *c)
{
    Agent *a = c->a;
    Err err;
    if (c->ok) {
        forget(a);
        return;
    }
    a->hooks.failed++;
    bool again = ++a->hooks.j.tries < MAX_TRIES;
    tell_event(a, "error", "hook", NULL, "hook after_caught_up: %s%s", c->err.text,
               again ? "; it is tried again"
                     : "; given up: tell the readers by hand that the replica is back");
    if (!again) {
        forget(a);
        return;
    }
    a->hooks.retry_ms = clock_mono_ms() + RETRY_MS;
    if (!save(a, &err))
        log_warn("%s", err.text);
}

static void in_loop(void *arg)
{
    Call *c = arg;
    c->a->hooks.in_flight = false;
    if (c->a->stopping)
        ; /* hook.json tells the next agent */
    else if (c->before)
        told_before(c);
    else
        told_after(c);
    call_free(c);
}

static bool submit(Call *c, Err *err)
{
    if (!work_submit(c->a->work, (WorkJob){in_worker, in_loop, c}, err)) {
        call_free(c);
        return false;
    }
    c->a->hooks.in_flight = true;
    return true;
}

static bool is_used(const Agent *a)
{
    return a->conf.hooks.before_pause || a->conf.hooks.after_caught_up;
}

static bool open_journal(Agent *a, const char *owner, const char *reason, Err *err)
{
    wire_free(journal_fields, &a->hooks.j);
    a->hooks.j.owner = xstrdup(owner);
    a->hooks.j.reason = xstrdup(reason);
    return save(a, err);
}

void hooks_before_pause(Agent *a, const char *owner, const char *reason,
                        void (*done)(Agent *a, bool ok, const Err *err))
{
    Err err;
    if (!is_used(a)) {
        done(a, true, NULL);
        return;
    }
    bool ok = !a->hooks.in_flight ||
              err_set(&err, ERR_CONFLICT, 0, "the hook after_caught_up of the last pause is still under way");
    ok = ok && open_journal(a, owner, reason, &err);
    if (ok && a->conf.hooks.before_pause) {
        Call *c = call_new(a, true);
        c->done = done;
        ok = submit(c, &err);
        if (ok)
            return;
    }
    done(a, ok, &err);
}

void hooks_after(Agent *a, const char *gtid)
{
    Err err;
    HookJournal *j = &a->hooks.j;
    if (!j->owner || j->over)
        return;
    if (!a->conf.hooks.after_caught_up) {
        forget(a);
        return;
    }
    j->over = true;
    free(j->gtid);
    j->gtid = xstrdup(gtid);
    a->hooks.retry_ms = 0;
    if (!save(a, &err))
        log_warn("%s", err.text);
}

void hooks_tick(Agent *a)
{
    Err err;
    Hooks *h = &a->hooks;
    if (!h->j.owner || h->in_flight || !a->met)
        return;
    /* An agent that was killed between the hook and the lease. */
    if (!h->j.over && a->pause.state == PAUSE_NONE && !a->pause.beginning)
        hooks_after(a, NULL);
    if (h->j.over && clock_mono_ms() >= h->retry_ms && a->conf.hooks.after_caught_up &&
        !submit(call_new(a, false), &err))
        log_warn("%s", err.text);
}

void hooks_load(Agent *a)
{
    Err err;
    if (!store_read(a, "hook.json", journal_fields, &a->hooks.j, &err) && err.kind != ERR_NOT_FOUND)
        log_error("%s", err.text);
}

void hooks_close(Agent *a)
{
    wire_free(journal_fields, &a->hooks.j);
}
