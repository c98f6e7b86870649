/* SPDX-License-Identifier: Apache-2.0 */
#include "pause_impl.h"

#include "agent.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/db/flavor.h"
#include "store.h"

enum { SCAN_AGAIN_MS = 4000, LOUD_EVERY_MS = 30000, DURABLE_AGAIN_MS = 5000 };

static void act(Agent *a, PauseAction action);

void pause_tell(Agent *a, PauseNews news, const Err *err)
{
    /* The owner may start or release something: it gets a name of its own. */
    AUTOFREE char *owner = xstrdup(a->pause.lease.owner);
    api_pause_news(a, owner, news, err);
    if (!str_eq(owner, LEASE_MANUAL) && !str_eq(owner, LEASE_RESCUE))
        run_pause_news(a, owner, news, err);
}

void pause_trouble(Agent *a, const char *text)
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

bool pause_save(Agent *a, Err *err)
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
        p->retry_ms = clock_mono_ms() + PAUSE_RETRY_MS;
        return false;
    }
    if (p->held)
        db_close(STEAL(p->held));
    replay_ended(a);
    a->vault.clear_due = true;
    pause_trouble(a, NULL);
    free(STEAL(p->failed_at));
    if (str_eq(p->lease.owner, LEASE_MANUAL) && !p->lease.taken_over)
        tell_event(a, "info", "pause", NULL, "%s has caught up after its pause by hand", a->conf.node);
    guard_caught_up(a);
    if (!p->lease.replay.next_run)
        hooks_after(a, p->lease.gtid);
    pause_tell(a, PAUSE_NEWS_RELEASED, NULL);
    wire_free(lease_fields, &p->lease);
    p->dirty = false;
    return true;
}

/* The one setter. False if the event has no place here, or nothing could be written before a STOP. */
bool pause_apply(Agent *a, PauseEvent ev)
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
    if (row->to != PAUSE_NONE && !pause_save(a, &err) && before == PAUSE_NONE) {
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
    pause_apply(a, ev);
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
        p->retry_ms = clock_mono_ms() + PAUSE_RETRY_MS;
    }
}

static void boost(const Agent *a, const FlavorWay *way, LeaseSettings *ret)
{
    const Lease *l = &a->pause.lease;
    BoostWish wish = {a->conf.boost_workers, a->conf.boost_queue_bytes, l->durable};
    boost_settings(flavor_of(a->server.version.flavor), &l->original, &wish, way, ret);
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
        lease_boost(&p->lease, replay_must_be_durable(a), clock_boot_id());
        boost(a, replay_first_way(a), &s->boosted);
        /* The originals are in the lease already; that they may not be in force must be there too. */
        s->boost = pause_save(a, &err);
    }
    start_step(a, s);
}

bool pause_retune(Agent *a, const FlavorWay *way)
{
    Pause *p = &a->pause;
    Err err;
    Step *s = step_new(a, STEP_RETUNE, on_step);
    boost(a, way, &s->boosted);
    p->lease.retuning = true;
    if (!pause_save(a, &err)) {
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
        pause_apply(a, PAUSE_EV_START_FAILED);
        return;
    }
    p->lease.retuning = false;
    (void)!pause_save(a, &err);
}

void pause_make_durable(Agent *a)
{
    Replaying *r = &a->replaying;
    if (clock_mono_ms() < r->durable_ms)
        return;
    r->durable_ms = clock_mono_ms() + DURABLE_AGAIN_MS;
    start_step(a, step_new(a, STEP_DURABLE, on_step));
}

static void after_durable(Agent *a, const Step *s)
{
    Lease *l = &a->pause.lease;
    Err err;
    vault_learn(a, &s->place);
    if (s->result != STEP_OK) {
        log_warn("durability cannot be put back yet, although no other replica acknowledges: %s",
                 s->err.text);
        return;
    }
    if (a->pause.state != PAUSE_CATCHING_UP)
        return; /* a START may have relaxed it again */
    tell_event(a, "info", "pause", NULL,
               "no other replica acknowledges: %s has its own durability again while it catches up",
               a->conf.node);
    lease_durable(l);
    (void)!pause_save(a, &err);
    replay_durable(a);
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
void pause_again_later(Agent *a, const char *why)
{
    pause_trouble(a, why);
    a->pause.retry_ms = clock_mono_ms() + PAUSE_RETRY_MS;
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
    pause_apply(a, PAUSE_EV_STOPPED);
    pause_trouble(a, NULL);
    if (p->dirty) {
        Err err;
        err_set(&err, ERR_NO_SPACE, 0, "the GTID of the pause cannot be written down in %s",
                a->conf.state_dir);
        pause_tell(a, PAUSE_NEWS_FAILED, &err);
        pause_release(a, p->lease.owner);
        return;
    }
    if (str_eq(p->lease.owner, LEASE_MANUAL))
        tell_event(a, "info", "pause", NULL, "%s is paused by hand by %s at %s: %s", a->conf.node,
                   p->lease.by, p->lease.gtid, p->lease.reason);
    else
        log_info("%s stands at %s", a->conf.node, p->lease.gtid);
    pause_tell(a, PAUSE_NEWS_FROZEN, NULL);
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
        pause_tell(a, PAUSE_NEWS_FAILED, &s->err);
    }
    /* The owner may have released it when it was told. */
    if (s->result == STEP_UNKNOWN) {
        bool first = p->state != PAUSE_ABANDONED;
        if (first)
            pause_apply(a, PAUSE_EV_STOP_UNKNOWN);
        else
            pause_again_later(
                a, "a STOP of the applier has not been answered: it is awaited, then the applier is "
                   "started again");
        return;
    }
    pause_apply(a, s->result == STEP_OK ? PAUSE_EV_STOPPED : PAUSE_EV_STOP_FAILED);
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

static void after_start(Agent *a, const Step *s)
{
    Pause *p = &a->pause;
    vault_learn(a, &s->place);
    if (p->state != PAUSE_RESUMING)
        return;
    if (s->way == START_RESCUE && s->result == STEP_WAITING) {
        pause_note_rescue(a, s);
        pause_apply(a, PAUSE_EV_RESCUE);
        return;
    }
    if (s->result != STEP_OK) {
        pause_apply(a, PAUSE_EV_START_FAILED);
        pause_again_later(a, s->err.text);
        if (s->way != START_NOT_NEEDED && s->result == STEP_WAITING)
            p->retry_ms += SCAN_AGAIN_MS;
        p->due = false;
        return;
    }
    measure_buffer(a, s);
    if (!p->failed_at) /* else it may fail again */
        pause_trouble(a, NULL);
    if (s->way == START_REFETCH)
        free(STEAL(p->lease.boost_boot_id));
    p->lease.stalled = false;
    if (!p->lease.resumed_at)
        p->lease.resumed_at = clock_wall_ms();
    p->started_ms = clock_mono_ms();
    if (s->way != START_NOT_NEEDED)
        p->lease.retuning = false;
    replay_started(a, s->status.applied);
    pause_apply(a, PAUSE_EV_STARTED);
    pause_tell(a, PAUSE_NEWS_RESUMED, NULL);
}

static void after_restore(Agent *a, const Step *s)
{
    Pause *p = &a->pause;
    vault_learn(a, &s->place);
    if (p->state != PAUSE_RESTORING)
        return;
    if (s->result == STEP_STALLED) {
        p->lease.stalled = p->lease.restarted = true;
        pause_apply(a, PAUSE_EV_STALLED);
        return;
    }
    if (s->result == STEP_OK) {
        p->lease.replay.settings_restored = true;
        pause_apply(a, PAUSE_EV_RESTORED);
        return;
    }
    p->due = false;
    pause_again_later(a, s->err.text);
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
    else if (s->kind == STEP_DURABLE)
        after_durable(a, s);
    else
        after_stop(a, s);
    /* The result came too late for its state: what the new state asks for has not been done. */
    if (due && p->state == before && p->state != PAUSE_NONE && !p->step && !p->retry_ms)
        pause_again(a);
}

/* ---- time ------------------------------------------------------------------------------------------ */

void pause_tick(Agent *a)
{
    Pause *p = &a->pause;
    Err err;
    if (p->state == PAUSE_NONE)
        return;
    if (p->dirty)
        (void)!pause_save(a, &err);
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
    free(STEAL(p->failed_at));
    free(STEAL(p->align_gtid));
    free(STEAL(p->align_file));
}
