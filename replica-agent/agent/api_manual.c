/* SPDX-License-Identifier: Apache-2.0
 * Pause and resume by hand: kept requests, answered once the replica is frozen, or applies again.
 */
#include <string.h>

#include "agent.h"
#include "api_impl.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/wire/limits.h"

enum { MANUAL_WAIT_MS = 90000, TROUBLE_WAIT_MS = 3000, MAX_REASON = 500 };

typedef struct ManualWaiter {
    HttpRequest *req;
    Agent *a;
    bool resume;
    int64_t since_ms;
    struct ManualWaiter *next;
} ManualWaiter;

static void drop_manual(Agent *a, ManualWaiter *w)
{
    for (ManualWaiter **p = &a->manual; *p; p = &(*p)->next)
        if (*p == w) {
            *p = w->next;
            free(w);
            return;
        }
}

static void manual_closed(HttpRequest *req, void *arg)
{
    (void)req;
    ManualWaiter *w = arg;
    drop_manual(w->a, w);
}

static void wait_manual(Agent *a, HttpRequest *req, bool resume)
{
    ManualWaiter *w = NEW(ManualWaiter);
    *w = (ManualWaiter){req, a, resume, clock_mono_ms(), a->manual};
    a->manual = w;
    http_on_close(req, manual_closed, w);
}

static void answer_manual(Agent *a, ManualWaiter *w, const Err *err)
{
    HttpRequest *req = w->req;
    http_on_close(req, NULL, NULL);
    drop_manual(a, w);
    if (err)
        http_reply_error(req, err);
    else
        http_reply_json(req, 200, node_lease_json(a));
}

void api_pause_news(Agent *a, const char *owner, PauseNews news, const Err *err)
{
    bool manual = str_eq(owner, LEASE_MANUAL);
    for (ManualWaiter *w = a->manual, *next; w; w = next) {
        next = w->next;
        if (w->resume && (news == PAUSE_NEWS_RESUMED || news == PAUSE_NEWS_RELEASED))
            answer_manual(a, w, NULL);
        else if (!w->resume && manual && news == PAUSE_NEWS_FROZEN)
            answer_manual(a, w, NULL);
        else if (!w->resume && manual && (news == PAUSE_NEWS_FAILED || news == PAUSE_NEWS_VOID))
            answer_manual(a, w, err);
    }
}

/* A resume that cannot get on says why instead of keeping its caller. */
void api_tick_manual(Agent *a)
{
    int64_t now = clock_mono_ms();
    for (ManualWaiter *w = a->manual, *next; w; w = next) {
        Err err;
        next = w->next;
        if (w->resume && a->pause.trouble && now - w->since_ms > TROUBLE_WAIT_MS)
            err_set(&err, ERR_REFUSED, 0, "%s", a->pause.trouble);
        else if (now - w->since_ms > MANUAL_WAIT_MS)
            err_set(&err, ERR_TIMEOUT, 0, "not done within %d s; see the state of %s", MANUAL_WAIT_MS / 1000,
                    a->conf.node);
        else
            continue;
        answer_manual(a, w, &err);
    }
}

void api_post_pause(HttpRequest *req, void *context)
{
    Agent *a = context;
    Err err;
    json_t *body;
    int64_t for_s;
    PauseWish w = {.owner = LEASE_MANUAL};
    bool ok =
        api_body_term(req, a, &body, &err) && json_req_int(body, "for_s", 1, 14 * 86400, &for_s, &err) &&
        json_opt_str(body, "reason", "", &w.reason, &err) && json_opt_str(body, "by", "", &w.by, &err) &&
        json_opt_bool(body, "hold", false, &w.hold, &err) &&
        limits_read_allow(body, &w.allow_downstream, &w.allow_delayed, &err);
    if (ok && (strlen(w.reason) > MAX_REASON || strlen(w.by) > MAX_REASON))
        ok = err_set(&err, ERR_USAGE, 0, "reason and by may have %d bytes each", MAX_REASON);
    if (ok) {
        w.limit_ms = for_s * 1000;
        w.term = a->role.seen_term;
        ok = pause_begin(a, &w, &err);
    }
    if (ok)
        wait_manual(a, req, false);
    else
        http_reply_error(req, &err);
}

bool api_end_pause(Agent *a, const char *by, const char *reason, Err *err)
{
    const char *owner = a->pause.lease.owner;
    if (a->pause.state == PAUSE_NONE)
        return err_set(err, ERR_CONFLICT, 0, "%s is not paused by Siding%s", a->conf.node,
                       a->server.up && a->server.status.is_replica && !a->server.status.sql_running
                           ? "; somebody else stopped its applier, and may start it again"
                           : "");
    tell_event(a, "info", "pause", NULL, "%s is resumed by hand by %s: %s", a->conf.node,
               *by ? by : "request", reason);
    Runner *r = run_find(a, owner);
    if (!r || !run_is_under_way(r) || r->state == RUN_RESUMING || r->state == RUN_SEALING) {
        pause_release(a, owner);
        return true;
    }
    AUTOFREE char *text = xasprintf("the replica was resumed by hand%s%s%s%s", *by ? " by " : "", by,
                                    *reason ? ": " : "", reason);
    RunEnd end = {.outcome = "stopped", .kind = ERR_CANCELLED, .text = text};
    run_cut(a, r, &end);
    return true;
}

void api_post_resume(HttpRequest *req, void *context)
{
    Agent *a = context;
    Err err;
    json_t *body;
    const char *by, *reason;
    bool ok = api_body_term(req, a, &body, &err) && json_opt_str(body, "by", "", &by, &err) &&
              json_opt_str(body, "reason", "", &reason, &err) && api_end_pause(a, by, reason, &err);
    if (!ok)
        http_reply_error(req, &err);
    else if (a->pause.state == PAUSE_CATCHING_UP || a->pause.state == PAUSE_RESTORING ||
             a->pause.state == PAUSE_NONE)
        http_reply_json(req, 200, node_lease_json(a));
    else
        wait_manual(a, req, true);
}
