/* SPDX-License-Identifier: Apache-2.0 */
#include "pause.h"

#include <string.h>

#include "agent.h"
#include "common/clock.h"
#include "common/flavor.h"
#include "common/log.h"
#include "replica-agent/core/preflight.h"
#include "store.h"

enum {
    RETRY_MS = 1000,
    RETRIES_SLOWER = 20,
    SCAN_AGAIN_MS = 4000,
    LOUD_EVERY_MS = 30000,
    TAKEN_OVER_MS = 5000
};

static void act(Agent *a, PauseAction action);

static void tell(Agent *a, PauseNews news, const Err *err)
{
    /* The owner may start or release something: it gets a name of its own. */
    AUTOFREE char *owner = xstrdup(a->pause.lease.owner);
    api_pause_news(a, owner, news, err);
    if (!str_eq(owner, LEASE_MANUAL) && !str_eq(owner, LEASE_RESCUE))
        run_pause_news(a, owner, news, err);
}

static void set_trouble(Agent *a, const char *text)
{
    Pause *p = &a->pause;
    int64_t now = clock_mono_ms();
    if (text && (!str_eq(text, p->trouble) || now - p->loud_ms > LOUD_EVERY_MS)) {
        log_error("%s", text);
        p->loud_ms = now;
    }
    if (str_eq(text, p->trouble))
        return;
    free(p->trouble);
    p->trouble = xstrdup(text);
    agent_changed(a);
}

static bool save(Agent *a, Err *err)
{
    Pause *p = &a->pause;
    free(p->lease.state);
    p->lease.state = xstrdup(pause_state_name(p->state));
    p->dirty = !store_write(a, "lease.json", lease_fields, &p->lease, err);
    if (p->dirty)
        log_error("the lease cannot be written: %s", err->text);
    return !p->dirty;
}

static bool drop(Agent *a)
{
    Pause *p = &a->pause;
    Err err;
    if (!store_remove(a, "lease.json", &err)) {
        log_error("%s", err.text);
        p->state = PAUSE_RESTORING;
        p->retry_ms = clock_mono_ms() + RETRY_MS;
        return false;
    }
    if (p->held)
        db_close(STEAL(p->held));
    replay_ended(a);
    a->vault.clear_due = true;
    set_trouble(a, NULL);
    if (str_eq(p->lease.owner, LEASE_MANUAL) && !p->lease.taken_over)
        tell_event(a, "info", "pause", NULL, "%s has caught up after its pause by hand", a->conf.node);
    guard_caught_up(a);
    if (!p->lease.replay.next_run)
        hooks_after(a, p->lease.gtid);
    tell(a, PAUSE_NEWS_RELEASED, NULL);
    wire_free(lease_fields, &p->lease);
    p->dirty = false;
    return true;
}

/* The one setter. False if the event has no place here, or nothing could be written before a STOP. */
static bool apply(Agent *a, PauseEvent ev)
{
    Pause *p = &a->pause;
    Err err;
    const PauseRow *row = pause_machine_find(p->state, ev);
    if (!row) {
        log_error("pause of %s: \"%s\" does not belong to state %s",
                  p->lease.owner ? p->lease.owner : "nobody", pause_event_name(ev),
                  pause_state_name(p->state));
        return false;
    }
    if (row->from != row->to)
        log_info("pause of %s: %s -> %s (%s)", p->lease.owner, pause_state_name(row->from),
                 pause_state_name(row->to), row->reason);
    PauseState before = p->state;
    p->state = row->to;
    p->since_ms = clock_mono_ms();
    agent_changed(a);
    if (row->to != PAUSE_NONE && !save(a, &err) && before == PAUSE_NONE) {
        p->state = PAUSE_NONE;
        return false;
    }
    /* Of a lease found at a start nobody waits to see how its STOP ends. */
    bool unattended = row->to == PAUSE_ABANDONED && row->action == PAUSE_ACT_NONE && !p->step;
    act(a, unattended ? pause_machine_again(row->to) : row->action);
    return true;
}

void pause_event(Agent *a, PauseEvent ev)
{
    apply(a, ev);
}

/* ---- steps ---------------------------------------------------------------------------------------- */

static void on_step(Agent *a, Step *s);

static void start_step(Agent *a, Step *s)
{
    Pause *p = &a->pause;
    Err err;
    wire_copy(lease_fields, &s->lease, &p->lease);
    s->held = STEAL(p->held);
    uint64_t id = s->id;
    if (step_submit(s, &err)) {
        p->step = id;
    } else {
        log_warn("%s", err.text);
        p->retry_ms = clock_mono_ms() + RETRY_MS;
    }
}

static void start_start(Agent *a)
{
    Pause *p = &a->pause;
    Err err;
    Step *s = step_new(a, STEP_START, on_step);
    s->fresh_server = p->lease.restarted;
    s->may_end_rescue = !rescue_is_under_way(a);
    bool crashed = lease_crashed_boosted(&p->lease, clock_boot_id());
    s->boost =
        a->conf.boost && a->server.ever && p->lease.original.flush_log && !crashed && !p->lease.stalled;
    if (s->boost) {
        boost_settings(flavor_of(a->server.version.flavor), &p->lease.original, a->conf.boost_workers,
                       replay_first_way(a), &s->boosted);
        p->lease.boosted = true;
        free(p->lease.boost_boot_id);
        p->lease.boost_boot_id = xstrdup(clock_boot_id());
        /* The originals are in the lease already; that they may not be in force must be there too. */
        s->boost = save(a, &err);
    }
    start_step(a, s);
}

bool pause_retune(Agent *a, const FlavorWay *way)
{
    Pause *p = &a->pause;
    Err err;
    Step *s = step_new(a, STEP_RETUNE, on_step);
    boost_settings(flavor_of(a->server.version.flavor), &p->lease.original, a->conf.boost_workers, way,
                   &s->boosted);
    p->lease.retuning = true;
    if (!save(a, &err)) {
        p->lease.retuning = false;
        step_free(s);
        return false;
    }
    start_step(a, s);
    return true;
}

static void after_retune(Agent *a, const Step *s)
{
    Pause *p = &a->pause;
    Err err;
    p->since_ms = clock_mono_ms();
    if (p->state != PAUSE_CATCHING_UP)
        return;
    bool runs = s->result == STEP_OK || s->result == STEP_WAITING;
    if (s->result != STEP_OK)
        log_warn("another way of applying: %s", s->err.text);
    replay_changed(a, s->result == STEP_OK);
    if (!runs) {
        apply(a, PAUSE_EV_START_FAILED);
        return;
    }
    p->lease.retuning = false;
    (void)!save(a, &err);
}

static void start_stop(Agent *a, bool first)
{
    Step *s = step_new(a, STEP_STOP, on_step);
    s->first = first;
    s->sync_relay = str_eq(a->conf.buffer_sync, "server");
    start_step(a, s);
}

static void start_align(Agent *a)
{
    Step *s = step_new(a, STEP_ALIGN, on_step);
    s->gtid = xstrdup(a->pause.align_gtid);
    s->file = xstrdup(a->pause.align_file);
    s->pos = a->pause.align_pos;
    start_step(a, s);
}

static void act(Agent *a, PauseAction action)
{
    Pause *p = &a->pause;
    p->retry_ms = 0;
    if (p->step) {
        p->due = action != PAUSE_ACT_NONE;
        return;
    }
    switch (action) {
    case PAUSE_ACT_NONE:
    case PAUSE_ACT_WATCH:
        break;
    case PAUSE_ACT_STOP:
    case PAUSE_ACT_AWAIT_STOP:
        start_stop(a, action == PAUSE_ACT_STOP);
        break;
    case PAUSE_ACT_ALIGN:
        start_align(a);
        break;
    case PAUSE_ACT_START:
        start_start(a);
        break;
    case PAUSE_ACT_RESCUE:
        rescue_begin(a);
        break;
    case PAUSE_ACT_RESTORE:
        start_step(a, step_new(a, STEP_RESTORE, on_step));
        break;
    case PAUSE_ACT_DROP:
        drop(a);
        break;
    }
}

void pause_again(Agent *a)
{
    act(a, pause_machine_again(a->pause.state));
}

/* The state stays, its action is tried again a little later. */
static void again_later(Agent *a, const char *why)
{
    set_trouble(a, why);
    a->pause.retry_ms = clock_mono_ms() + RETRY_MS;
}

static void take_position(Lease *l, const Step *s)
{
    free(l->gtid);
    free(l->binlog_gtid);
    free(l->source_host);
    free(l->source_file);
    l->gtid = xstrdup(s->status.applied);
    l->binlog_gtid = xstrdup(s->status.binlog);
    l->source_host = xstrdup(s->status.source_host);
    l->source_port = s->status.source_port;
    l->source_file = xstrdup(s->status.exec_file);
    l->source_pos = s->status.exec_pos;
    l->relay_bytes = s->status.relay_bytes;
    if (!l->frozen_at)
        l->frozen_at = clock_wall_ms();
}

static void frozen(Agent *a, const Step *s)
{
    Pause *p = &a->pause;
    if (lease_server_compare(&p->lease.server, &s->server) == SERVER_OTHER) {
        wire_free(lease_server_fields, &p->lease.server);
        wire_copy(lease_server_fields, &p->lease.server, &s->server);
        p->lease.restarted = true;
        pause_void(a, PAUSE_EV_RESTARTED, "the server restarted while it was being paused");
        return;
    }
    take_position(&p->lease, s);
    apply(a, PAUSE_EV_STOPPED);
    set_trouble(a, NULL);
    if (p->dirty) {
        Err err;
        err_set(&err, ERR_NO_SPACE, 0, "the GTID of the pause cannot be written down in %s",
                a->conf.state_dir);
        tell(a, PAUSE_NEWS_FAILED, &err);
        pause_release(a, p->lease.owner);
        return;
    }
    if (str_eq(p->lease.owner, LEASE_MANUAL))
        tell_event(a, "info", "pause", NULL, "%s is paused by hand by %s at %s: %s", a->conf.node,
                   p->lease.by, p->lease.gtid, p->lease.reason);
    else
        log_info("%s stands at %s", a->conf.node, p->lease.gtid);
    tell(a, PAUSE_NEWS_FROZEN, NULL);
}

static void after_stop(Agent *a, const Step *s)
{
    Pause *p = &a->pause;
    vault_learn(a, &s->place);
    bool wanted = p->state == PAUSE_PAUSING || p->state == PAUSE_ALIGNING;
    if (!wanted && p->state != PAUSE_ABANDONED)
        return;
    if (s->result == STEP_OK && wanted) {
        frozen(a, s);
        return;
    }
    if (wanted) {
        log_error("pause of %s: %s", p->lease.owner, s->err.text);
        tell(a, PAUSE_NEWS_FAILED, &s->err);
    }
    /* The owner may have released it when it was told. */
    if (s->result == STEP_UNKNOWN) {
        bool first = p->state != PAUSE_ABANDONED;
        if (first)
            apply(a, PAUSE_EV_STOP_UNKNOWN);
        else
            again_later(a, "a STOP of the applier has not been answered: it is awaited, then the applier is "
                           "started again");
        return;
    }
    apply(a, s->result == STEP_OK ? PAUSE_EV_STOPPED : PAUSE_EV_STOP_FAILED);
}

static void measure_buffer(Agent *a, const Step *s)
{
    Lease *l = &a->pause.lease;
    if (l->resumed_at || !l->gtid || !s->status.received || !*s->status.received)
        return;
    int64_t n = gtid_behind_text(s->version.flavor, l->gtid, s->status.received);
    double seconds = (double)(clock_wall_ms() - (l->frozen_at ? l->frozen_at : l->taken_at)) / 1000;
    l->replay.buffered_trx = n > 0 ? n : 0;
    l->replay.write_rate = seconds > 0 ? (double)l->replay.buffered_trx / seconds : 0;
}

/* ---- rescue --------------------------------------------------------------------------------------- */

static void note_rescue(Agent *a, const Step *s)
{
    LeaseRescue *r = &a->pause.lease.rescue;
    bool same = str_eq(r->target, s->held_gtid);
    free(r->target);
    r->target = xstrdup(s->held_gtid);
    if (!same || !r->from) {
        free(r->from);
        r->from = xstrdup(s->from);
        r->total = s->backlog;
        r->tries = 0;
    }
    r->done = r->done_before = r->total > s->backlog ? r->total - s->backlog : 0;
    r->started_at = clock_wall_ms();
    r->rate = 0;
    r->eta_s = -1;
    r->tries++;
    log_warn("%lld transactions in the relay files are not applied (%s, up to %s): they are applied before "
             "replication is started",
             (long long)s->backlog, s->from, s->held_gtid);
}

void pause_rescue(Agent *a, const Step *s)
{
    Pause *p = &a->pause;
    if (p->state != PAUSE_NONE || p->beginning)
        return;
    wire_free(lease_fields, &p->lease);
    p->lease = (Lease){.owner = xstrdup(LEASE_RESCUE),
                       .reason = xstrdup("the relay files hold transactions that nobody has applied"),
                       .gtid = xstrdup(s->status.applied),
                       .restarted = true,
                       .boot_id = xstrdup(clock_boot_id()),
                       .taken_mono_ms = clock_mono_ms(),
                       .taken_at = clock_wall_ms()};
    wire_copy(lease_server_fields, &p->lease.server, &s->server);
    note_rescue(a, s);
    apply(a, PAUSE_EV_RESCUE);
}

void pause_rescue_ended(Agent *a, bool ok, const char *why)
{
    Pause *p = &a->pause;
    if (p->state != PAUSE_RESCUING)
        return;
    if (ok) {
        log_info("all that was received is applied, up to %s", p->lease.rescue.target);
        p->lease.stalled = false;
        set_trouble(a, NULL);
        apply(a, PAUSE_EV_RESCUED);
        return;
    }
    if (a->server.up && a->server.status.io != REPL_IO_NO) {
        log_warn("%s", why);
        apply(a, PAUSE_EV_RESCUE_DISTURBED);
        return;
    }
    apply(a, PAUSE_EV_RESCUE_FAILED);
    again_later(a, why);
    p->retry_ms +=
        RETRY_MS * (p->lease.rescue.tries < RETRIES_SLOWER ? p->lease.rescue.tries++ : RETRIES_SLOWER);
}

static void after_start(Agent *a, const Step *s)
{
    Pause *p = &a->pause;
    vault_learn(a, &s->place);
    if (p->state != PAUSE_RESUMING)
        return;
    if (s->way == START_RESCUE && s->result == STEP_WAITING) {
        note_rescue(a, s);
        apply(a, PAUSE_EV_RESCUE);
        return;
    }
    if (s->result != STEP_OK) {
        apply(a, PAUSE_EV_START_FAILED);
        again_later(a, s->err.text);
        if (s->way != START_NOT_NEEDED && s->result == STEP_WAITING)
            p->retry_ms += SCAN_AGAIN_MS;
        p->due = false;
        return;
    }
    measure_buffer(a, s);
    set_trouble(a, NULL);
    if (s->way == START_REFETCH)
        free(STEAL(p->lease.boost_boot_id));
    p->lease.stalled = false;
    if (!p->lease.resumed_at)
        p->lease.resumed_at = clock_wall_ms();
    p->started_ms = clock_mono_ms();
    if (s->way != START_NOT_NEEDED)
        p->lease.retuning = false;
    replay_started(a, s->status.applied);
    apply(a, PAUSE_EV_STARTED);
    tell(a, PAUSE_NEWS_RESUMED, NULL);
}

static void after_restore(Agent *a, const Step *s)
{
    Pause *p = &a->pause;
    vault_learn(a, &s->place);
    if (p->state != PAUSE_RESTORING)
        return;
    if (s->result == STEP_STALLED) {
        p->lease.stalled = p->lease.restarted = true;
        apply(a, PAUSE_EV_STALLED);
        return;
    }
    if (s->result == STEP_OK) {
        p->lease.replay.settings_restored = true;
        apply(a, PAUSE_EV_RESTORED);
        return;
    }
    p->due = false;
    again_later(a, s->err.text);
}

static void on_step(Agent *a, Step *s)
{
    Pause *p = &a->pause;
    p->step = 0;
    p->held = STEAL(s->held);
    bool due = p->due;
    PauseState before = p->state;
    p->due = false;
    if (s->kind == STEP_START)
        after_start(a, s);
    else if (s->kind == STEP_RESTORE)
        after_restore(a, s);
    else if (s->kind == STEP_RETUNE)
        after_retune(a, s);
    else
        after_stop(a, s);
    /* The result came too late for its state: what the new state asks for has not been done. */
    if (due && p->state == before && p->state != PAUSE_NONE && !p->step && !p->retry_ms)
        pause_again(a);
}

/* ---- beginning ------------------------------------------------------------------------------------ */

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
    tell(a, PAUSE_NEWS_FAILED, err);
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
    ok = ok && (apply(a, PAUSE_EV_TAKE) ||
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
    return apply(a, PAUSE_EV_ALIGN);
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
    apply(a, PAUSE_EV_RELEASE);
    return true;
}

void pause_void(Agent *a, PauseEvent ev, const char *why)
{
    Err err;
    err_set(&err, ERR_CORRUPT, 0, "%s", why);
    tell_event(a, "error", "pause", NULL, "pause of %s: %s", a->pause.lease.owner, why);
    bool told =
        a->pause.state == PAUSE_FROZEN || a->pause.state == PAUSE_PAUSING || a->pause.state == PAUSE_ALIGNING;
    apply(a, ev);
    if (told)
        tell(a, PAUSE_NEWS_VOID, &err);
}

/* ---- time and readings ---------------------------------------------------------------------------- */

int64_t pause_left_ms(const Agent *a)
{
    return lease_left_ms(&a->pause.lease, clock_boot_id(), clock_mono_ms(), clock_wall_ms());
}

static void repointed(Agent *a)
{
    const ReplStatus *st = &a->server.status;
    const Lease *l = &a->pause.lease;
    AUTOFREE char *why = xasprintf(
        "the replica was pointed at another source during the pause, %s:%lld instead of %s:%lld: what "
        "it had received is lost, and with it the pause",
        st->source_host, (long long)st->source_port, l->source_host, (long long)l->source_port);
    pause_void(a, PAUSE_EV_MOVED, why);
}

static void check_frozen(Agent *a)
{
    const ReplStatus *st = &a->server.status;
    const Lease *l = &a->pause.lease;
    if (st->sql_running)
        pause_void(a, PAUSE_EV_MOVED,
                   "the applier was started by somebody else during the pause: the frozen state is lost");
    else if (l->gtid && gtid_compare_text(a->server.version.flavor, st->applied, l->gtid) != GTID_EQUAL)
        pause_void(a, PAUSE_EV_MOVED, "the replica moved on during the pause: the frozen state is lost");
    else if (l->source_host &&
             (!str_eq(st->source_host, l->source_host) || st->source_port != l->source_port))
        repointed(a);
}

/* Whoever stopped it has it from here on: an operator's STOP is not undone, and an applier that failed would
 * fail again. The relaxed settings do not stay. */
static void applier_stopped(Agent *a)
{
    Pause *p = &a->pause;
    const ReplStatus *st = &a->server.status;
    char **error = &p->lease.replay.error;
    free(*error);
    *error = st->sql_errno ? xasprintf("the applier stopped while catching up: %s", st->sql_error)
                           : xstrdup("somebody stopped the applier while it was catching up");
    set_trouble(a, *error);
    if (!p->stopped_ms)
        p->stopped_ms = clock_mono_ms();
    if (clock_mono_ms() - p->stopped_ms < TAKEN_OVER_MS)
        return;
    p->stopped_ms = 0;
    p->lease.taken_over = true;
    tell_event(a, "error", "pause", NULL,
               "%s; the replica is left to whoever stopped it, with its own settings", *error);
    apply(a, PAUSE_EV_TAKEN_OVER);
}

/* After an error of a parallel applier MariaDB may leave the relay position in the middle of the transaction
 * that failed: whoever starts the applier again then loses it without a word. The files are read by GTID
 * instead, again and again until what it failed by is mended. */
static void applier_failed(Agent *a)
{
    Pause *p = &a->pause;
    char **error = &p->lease.replay.error;
    free(*error);
    *error = xasprintf("the applier failed while catching up: %s", a->server.status.sql_error);
    set_trouble(a, *error);
    tell_event(a, "error", "pause", NULL,
               "%s; the rest is applied from the relay files, as soon as that is mended", *error);
    p->stopped_ms = 0;
    apply(a, PAUSE_EV_APPLIER_FAILED);
}

static void check_catching_up(Agent *a)
{
    Pause *p = &a->pause;
    const ReplStatus *st = &a->server.status;
    if (!st->sql_running && p->lease.retuning && !st->sql_errno) {
        apply(a, PAUSE_EV_START_FAILED); /* it was this agent that stopped it */
        return;
    }
    if (!st->sql_running && st->sql_errno && flavor_of(a->server.version.flavor)->purges_on_start) {
        applier_failed(a);
        return;
    }
    if (!st->sql_running) {
        applier_stopped(a);
        return;
    }
    p->stopped_ms = 0;
    free(STEAL(p->lease.replay.error));
    set_trouble(a, NULL);
    bool done = replay_probe(a);
    const Runner *next = done ? NULL : run_next(a);
    if (next) {
        free(p->lease.replay.next_run);
        p->lease.replay.next_run = xstrdup(next->j.run.spec.run);
        log_info("run %s begins before %s has caught up", p->lease.replay.next_run, a->conf.node);
    }
    if (done || next)
        apply(a, PAUSE_EV_CAUGHT_UP);
}

void pause_probe(Agent *a)
{
    Pause *p = &a->pause;
    /* A reading that began before the last change of state tells of the time before it. */
    if (p->step || a->server.begun_ms <= p->since_ms)
        return;
    if (p->state == PAUSE_FROZEN && !p->lease.restarted)
        check_frozen(a);
    else if (p->state == PAUSE_CATCHING_UP)
        check_catching_up(a);
}

void pause_tick(Agent *a)
{
    Pause *p = &a->pause;
    Err err;
    if (p->state == PAUSE_NONE)
        return;
    if (p->dirty)
        (void)!save(a, &err);
    if (p->retry_ms && clock_mono_ms() >= p->retry_ms && !p->step)
        pause_again(a);
}

void pause_load(Agent *a)
{
    Pause *p = &a->pause;
    Err err;
    if (!store_read(a, "lease.json", lease_fields, &p->lease, &err)) {
        if (err.kind == ERR_NOT_FOUND)
            return;
        log_error("the lease cannot be read, the replica will be released: %s", err.text);
        p->lease.owner = xstrdup(LEASE_MANUAL);
        p->lease.reason = xstrdup("a lease that could not be read");
        p->lease.taken_at = clock_wall_ms();
    }
    if (!pause_state_from_name(p->lease.state, &p->state))
        p->state = PAUSE_ABANDONED;
    p->since_ms = clock_mono_ms();
    log_info("found the pause of %s, %s", p->lease.owner, pause_state_name(p->state));
}

void pause_close(Agent *a)
{
    Pause *p = &a->pause;
    if (p->held)
        db_close(STEAL(p->held));
    wire_free(lease_fields, &p->lease);
    free(STEAL(p->trouble));
    free(STEAL(p->align_gtid));
    free(STEAL(p->align_file));
}
