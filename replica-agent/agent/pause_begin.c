/* SPDX-License-Identifier: Apache-2.0 */
#include "pause_impl.h"

#include "agent.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "replica-agent/core/preflight.h"

bool pause_conflict(const Agent *a, Err *err)
{
    const Pause *p = &a->pause;
    char since[CLOCK_TEXT];
    clock_format(p->lease.taken_at, since);
    bool manual = str_eq(p->lease.owner, LEASE_MANUAL);
    if (str_eq(p->lease.owner, LEASE_RESCUE))
        return err_set(err, ERR_CONFLICT, 0,
                       "%s applies transactions that its relay files kept over a restart; wait for its end",
                       a->conf.node);
    return err_set(err, ERR_CONFLICT, 0,
                   "%s is paused already, %s%s%s%s since %s%s%s; wait for its end, or end it first",
                   a->conf.node, manual ? "by hand" : "by run ", manual ? "" : p->lease.owner,
                   manual && p->lease.by ? " by " : "", manual && p->lease.by ? p->lease.by : "", since,
                   p->lease.reason ? ": " : "", p->lease.reason ? p->lease.reason : "");
}

static void fill_lease(Agent *a, const Step *s)
{
    vault_learn(a, &s->place);
    Lease *l = &a->pause.lease;
    wire_copy(lease_server_fields, &l->server, &s->server);
    wire_copy(lease_settings_fields, &l->original, &s->settings);
    l->boot_id = xstrdup(clock_boot_id());
    l->taken_mono_ms = clock_mono_ms();
    l->taken_at = clock_wall_ms();
}

static void cannot_begin(Agent *a, const Err *err)
{
    log_warn("pause for %s: %s", a->pause.lease.owner, err->text);
    pause_tell(a, PAUSE_NEWS_FAILED, err);
    if (a->pause.state == PAUSE_NONE)
        wire_free(lease_fields, &a->pause.lease);
}

/* True: somebody released it before it began. */
static bool is_unwanted(Agent *a)
{
    Pause *p = &a->pause;
    if (!p->unwanted)
        return false;
    p->unwanted = p->beginning = false;
    wire_free(lease_fields, &p->lease);
    return true;
}

static void take(Agent *a, bool ok, const Err *why)
{
    Pause *p = &a->pause;
    Err err = ok ? (Err){0} : *why;
    if (is_unwanted(a))
        return;
    p->beginning = false;
    p->lease.taken_mono_ms = clock_mono_ms();
    p->lease.taken_at = clock_wall_ms();
    ok = ok && (pause_apply(a, PAUSE_EV_TAKE) ||
                err_set(&err, ERR_NO_SPACE, 0, "the lease cannot be written in %s: nothing was stopped",
                        a->conf.state_dir));
    if (!ok)
        cannot_begin(a, &err);
}

static void on_survey(Agent *a, Step *s)
{
    Err err = s->err;
    Pause *p = &a->pause;
    if (is_unwanted(a))
        return;
    bool ok = s->result == STEP_OK;
    if (ok && !s->status.is_replica)
        ok = err_set(&err, ERR_REFUSED, 0, "%s is no replica: it cannot be paused", a->conf.node);
    ok = ok && preflight_allows(&s->findings, &err);
    if (ok) {
        fill_lease(a, s);
        hooks_before_pause(a, p->lease.owner, p->lease.reason, take);
        return;
    }
    p->beginning = false;
    cannot_begin(a, &err);
}

bool pause_begin(Agent *a, const PauseWish *wish, Err *err)
{
    Pause *p = &a->pause;
    if (p->state != PAUSE_NONE || p->beginning)
        return pause_conflict(a, err);
    Step *s = step_new(a, STEP_SURVEY, on_survey);
    s->thorough = str_eq(wish->owner, LEASE_MANUAL); /* a run was looked at when it was accepted */
    s->facts.allow_downstream = s->facts.allow_downstream || wish->allow_downstream;
    s->facts.allow_delayed = s->facts.allow_delayed || wish->allow_delayed;
    if (!step_submit(s, err))
        return false;
    p->beginning = true;
    p->lease =
        (Lease){.owner = xstrdup(wish->owner),
                .reason = xstrdup(wish->reason),
                .by = xstrdup(wish->by),
                .term = wish->term,
                .limit_ms = wish->limit_ms < a->conf.pause_limit_ms ? wish->limit_ms : a->conf.pause_limit_ms,
                .hold = wish->hold,
                .taken_at = clock_wall_ms()};
    return true;
}

bool pause_align(Agent *a, const char *owner, const char *gtid, const char *file, int64_t pos, Err *err)
{
    Pause *p = &a->pause;
    if (p->state != PAUSE_FROZEN || !str_eq(p->lease.owner, owner))
        return err_set(err, ERR_CONFLICT, 0, "%s does not stand frozen for run %s", a->conf.node, owner);
    free(p->align_gtid);
    free(p->align_file);
    p->align_gtid = xstrdup(gtid);
    p->align_file = xstrdup(file);
    p->align_pos = pos;
    return pause_apply(a, PAUSE_EV_ALIGN);
}

bool pause_is_held_by(const Agent *a, const char *owner)
{
    return (a->pause.state != PAUSE_NONE || a->pause.beginning) && str_eq(a->pause.lease.owner, owner);
}

bool pause_release(Agent *a, const char *owner)
{
    Pause *p = &a->pause;
    if (!pause_is_held_by(a, owner))
        return false;
    if (p->beginning) {
        p->unwanted = true; /* nothing is stopped yet, and will not be */
        return false;
    }
    pause_apply(a, PAUSE_EV_RELEASE);
    return true;
}

void pause_void(Agent *a, PauseEvent ev, const char *why)
{
    Err err;
    err_set(&err, ERR_CORRUPT, 0, "%s", why);
    tell_event(a, "error", "pause", NULL, "pause of %s: %s", a->pause.lease.owner, why);
    bool told =
        a->pause.state == PAUSE_FROZEN || a->pause.state == PAUSE_PAUSING || a->pause.state == PAUSE_ALIGNING;
    pause_apply(a, ev);
    if (told)
        pause_tell(a, PAUSE_NEWS_VOID, &err);
}
