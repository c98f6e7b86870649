/* SPDX-License-Identifier: Apache-2.0
 * What a reading of the server says about the pause: moved under us, taken over, failed, caught up.
 */
#include "pause_impl.h"

#include "agent.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/db/flavor.h"
#include "common/db/gtid.h"

enum { TAKEN_OVER_MS = 5000, FAILED_AGAIN_MS = 3000 };

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

static bool has_stood_for(Pause *p, int64_t ms)
{
    if (!p->stopped_ms)
        p->stopped_ms = clock_mono_ms();
    return clock_mono_ms() - p->stopped_ms >= ms;
}

/* Whoever stopped it has it from here on: an operator's STOP is not undone. The relaxed settings do not stay.
 */
static void applier_stopped(Agent *a)
{
    Pause *p = &a->pause;
    char **error = &p->lease.replay.error;
    free(*error);
    *error = xstrdup("somebody stopped the applier while it was catching up");
    pause_trouble(a, *error);
    if (!has_stood_for(p, TAKEN_OVER_MS))
        return;
    p->stopped_ms = 0;
    p->lease.taken_over = true;
    tell_event(a, "error", "pause", NULL,
               "%s; the replica is left to whoever stopped it, with its own settings", *error);
    pause_apply(a, PAUSE_EV_TAKEN_OVER);
}

static bool is_where_it_failed(const Agent *a)
{
    return a->pause.failed_at && str_eq(a->pause.failed_at, a->server.status.applied);
}

/* Told once: of a transaction that fails again a MySQL names now this worker, now that, or one that only
 * followed. */
static void tell_failure(Agent *a)
{
    Pause *p = &a->pause;
    const ReplStatus *st = &a->server.status;
    char **error = &p->lease.replay.error;
    if (*error && is_where_it_failed(a))
        return;
    free(p->failed_at);
    p->failed_at = xstrdup(st->applied);
    free(*error);
    *error = xasprintf("the applier failed while catching up: %s", st->sql_error);
    tell_event(a, "error", "pause", NULL,
               "%s; the rest is applied from the relay files, as soon as that is mended", *error);
}

/* It is tried again and again until what it failed by is mended. After an error of a parallel applier MariaDB
 * may leave the relay position in the middle of the transaction that failed: whoever starts the applier again
 * then loses it without a word, so that the files are read by GTID instead. */
static void applier_failed(Agent *a)
{
    Pause *p = &a->pause;
    tell_failure(a);
    pause_trouble(a, p->lease.replay.error);
    if (!flavor_of(a->server.version.flavor)->purges_on_start && !has_stood_for(p, FAILED_AGAIN_MS))
        return;
    p->stopped_ms = 0;
    pause_apply(a, PAUSE_EV_APPLIER_FAILED);
}

static void check_catching_up(Agent *a)
{
    Pause *p = &a->pause;
    const ReplStatus *st = &a->server.status;
    if (!st->sql_running && p->lease.retuning && !st->sql_errno) {
        pause_apply(a, PAUSE_EV_START_FAILED); /* it was this agent that stopped it */
        return;
    }
    if (!st->sql_running && st->sql_errno) {
        applier_failed(a);
        return;
    }
    if (!st->sql_running) {
        applier_stopped(a);
        return;
    }
    p->stopped_ms = 0;
    if (!is_where_it_failed(a)) {
        free(STEAL(p->lease.replay.error));
        pause_trouble(a, NULL);
    }
    bool done = replay_probe(a);
    const Runner *next = done ? NULL : run_next(a);
    if (next) {
        free(p->lease.replay.next_run);
        p->lease.replay.next_run = xstrdup(next->j.run.spec.run);
        log_info("run %s begins before %s has caught up", p->lease.replay.next_run, a->conf.node);
    }
    if (done || next)
        pause_apply(a, PAUSE_EV_CAUGHT_UP);
    else if (!p->step && p->lease.boosted && !p->lease.durable && replay_must_be_durable(a))
        pause_make_durable(a);
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
