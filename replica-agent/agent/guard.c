/* SPDX-License-Identifier: Apache-2.0 */
#include "guard.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "agent.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/db/gtid.h"
#include "common/file/fs.h"
#include "common/wire/limits.h"
#include "run_impl.h"
#include "store.h"
#include "tell.h"

enum {
    OVERDUE_MS = 60000, /* beyond the grace: a job that cannot even be killed does not keep the replica */
    URGENT_MS = 3000,
    BALLAST_CHECK_MS = 5000,
    MEASURABLE_TRX = 200,
};

/* ---- limits and readings ---------------------------------------------------------------------------- */

static const Runner *owner_run(const Agent *a)
{
    return a->pause.lease.owner ? run_find(a, a->pause.lease.owner) : NULL;
}

static int64_t first_of(int64_t x, int64_t y, int64_t z)
{
    return x > 0 ? x : y > 0 ? y : z;
}

static GuardLimits limits_of(const Agent *a)
{
    Err ignored;
    const AgentConfig *c = &a->conf;
    const Runner *r = owner_run(a);
    const JobConfig *j = r ? job_list_find(&a->jobs, r->j.run.spec.job) : NULL;
    const JobFile none = {0}, *f = j ? &j->f : &none;
    PauseLimits asked = {0};
    if (r && !limits_read(r->j.run.spec.options, &asked, &ignored))
        log_debug("%s", ignored.text);
    int64_t least = first_of(asked.free_bytes, f->min_free_bytes, 0);
    GuardLimits l = {.pause_ms = a->pause.lease.limit_ms,
                     .relay_bytes = first_of(asked.relay_bytes, f->relay_limit_bytes, c->relay_limit_bytes),
                     .catchup_ms = first_of(asked.catchup_ms, f->catchup_limit_ms, c->catchup_limit_ms),
                     .free_bytes = least > c->min_free_bytes ? least : c->min_free_bytes,
                     .warn_percent = c->limit_warn_percent};
    const char *policy = asked.at_limit ? asked.at_limit : f->at_limit ? f->at_limit : c->at_limit;
    (void)guard_policy_from_name(policy, &l.policy);
    wire_free(pause_limits_fields, &asked);
    return l;
}

int64_t guard_min_free(const Agent *a)
{
    return limits_of(a).free_bytes;
}

static int64_t catchup_estimate(const Agent *a)
{
    int64_t behind = node_lag_trx(a);
    if (behind < 0 || a->guard.apply_rate <= 0)
        return GUARD_UNKNOWN;
    return (int64_t)((double)behind * 1000 / a->guard.apply_rate);
}

static GuardReading read_now(const Agent *a)
{
    const Lease *l = &a->pause.lease;
    const Runner *r = owner_run(a);
    bool frozen = a->pause.state == PAUSE_FROZEN && l->relay_bytes > 0 && a->server.ever;
    bool writes = r && (r->state == RUN_RUNNING || r->state == RUN_SLEEPING || r->state == RUN_SEALING);
    int64_t grown = frozen ? a->server.status.relay_bytes - l->relay_bytes : GUARD_UNKNOWN;
    GuardReading out = {.bytes_per_s = a->guard.rate.bytes_per_s};
    out.value[GUARD_PAUSE] = l->limit_ms - pause_left_ms(a);
    out.value[GUARD_RELAY] = frozen && grown < 0 ? 0 : grown;
    out.value[GUARD_CATCHUP] = frozen ? catchup_estimate(a) : GUARD_UNKNOWN;
    out.value[GUARD_RELAY_DISK] = a->guard.relay_free;
    out.value[GUARD_SPOOL_DISK] = writes ? a->spool_free : GUARD_UNKNOWN;
    out.value[GUARD_STATE_DISK] = writes ? a->state_free : GUARD_UNKNOWN;
    return out;
}

/* ---- telling ---------------------------------------------------------------------------------------- */

static const char *folder_of(const Agent *a, GuardCause c)
{
    if (c == GUARD_SPOOL_DISK)
        return a->conf.spool_dir;
    if (c == GUARD_STATE_DISK)
        return a->conf.state_dir;
    return a->guard.relay_dir ? a->guard.relay_dir : "the relay log folder";
}

static void take_level(Agent *a, GuardCause c)
{
    Guard *g = &a->guard;
    GuardLevel level = g->verdict.level[c], before = g->level[c];
    free(STEAL(g->said[c]));
    if (level > GUARD_FINE)
        g->said[c] = guard_sentence(c, g->reading.value[c], g->verdict.limit[c], folder_of(a, c));
    g->level[c] = level;
    if (level <= before)
        return;
    g->hits[c] += level >= GUARD_LIMIT && before < GUARD_LIMIT;
    const char *owner = a->pause.lease.owner;
    tell_event(a, level >= GUARD_LIMIT ? "error" : "warn", "guard", owner_run(a) ? owner : NULL, "%s%s",
               level == GUARD_WARN ? "near a limit: " : "", g->said[c]);
}

void guard_warnings(const Agent *a, StrList *ret)
{
    for (GuardCause c = 0; c < GUARD_CAUSES; c++)
        if (a->guard.said[c])
            strlist_add(ret, a->guard.said[c]);
    if (a->guard.renew_overdue)
        strlist_add(ret, "the coordinator is not heard while a pause is in force: the job goes on, and the "
                         "replica resumes without it");
    if (a->guard.ballast_trouble)
        strlist_addf(ret,
                     "no ballast can be kept beside the relay logs in %s; let the agent run as the server's "
                     "user, or set ballast_bytes = 0",
                     a->guard.relay_dir ? a->guard.relay_dir : "?");
}

static void forget_levels(Guard *g)
{
    for (GuardCause c = 0; c < GUARD_CAUSES; c++) {
        free(STEAL(g->said[c]));
        g->level[c] = GUARD_FINE;
    }
    g->verdict = (GuardVerdict){0};
    g->acted_ms = 0;
}

/* ---- acting ----------------------------------------------------------------------------------------- */

static ErrKind kind_of(GuardCause c)
{
    return c == GUARD_PAUSE || c == GUARD_CATCHUP ? ERR_TIMEOUT : ERR_NO_SPACE;
}

static void end_run(Agent *a, Runner *r, const GuardVerdict *v)
{
    bool frozen_data_needed = r->state != RUN_SEALING;
    bool disk_of_result = v->cause == GUARD_SPOOL_DISK || v->cause == GUARD_STATE_DISK;
    if (!frozen_data_needed && !disk_of_result) {
        if (run_machine_find(r->side, r->state, RUN_EV_LIMIT_SEALING) && !r->j.resumed_early)
            run_event(a, r, RUN_EV_LIMIT_SEALING);
        return;
    }
    AUTOFREE char *text =
        xasprintf("%s; %s", a->guard.said[v->cause],
                  disk_of_result ? "the partial result was removed" : "the job was not done by then");
    RunEnd end = {
        .outcome = "error", .kind = kind_of(v->cause), .text = text, .hard = v->action == GUARD_DO_KILL};
    run_cut(a, r, &end);
}

static void act(Agent *a, const GuardVerdict *v)
{
    Guard *g = &a->guard;
    int64_t now = clock_mono_ms();
    Runner *r = a->pause.lease.owner ? run_find(a, a->pause.lease.owner) : NULL;
    if (v->action == GUARD_DO_NOTHING) {
        g->acted_ms = 0;
        return;
    }
    if (!g->acted_ms)
        g->acted_ms = now;
    int64_t patience = v->level[v->cause] == GUARD_URGENT ? URGENT_MS : a->conf.stop_grace_ms + OVERDUE_MS;
    if (!r || !run_is_under_way(r) || now - g->acted_ms > patience) {
        tell_event(a, "error", "guard", NULL, "%s is resumed: %s", a->conf.node, g->said[v->cause]);
        pause_event(a, PAUSE_EV_RELEASE);
        return;
    }
    end_run(a, r, v);
}

static void watch_pause(Agent *a)
{
    Guard *g = &a->guard;
    PauseState s = a->pause.state;
    if (s != PAUSE_PAUSING && s != PAUSE_FROZEN && s != PAUSE_ALIGNING) {
        forget_levels(g);
        return;
    }
    GuardLimits l = limits_of(a);
    g->reading = read_now(a);
    guard_decide(&l, &g->reading, &g->verdict);
    for (GuardCause c = 0; c < GUARD_CAUSES; c++)
        take_level(a, c);
    GuardVerdict v = g->verdict;
    act(a, &v);
}

/* ---- renewal by the coordinator ---------------------------------------------------------------------- */

static void watch_renewal(Agent *a)
{
    Guard *g = &a->guard;
    bool leased = a->pause.state != PAUSE_NONE && !str_eq(a->pause.lease.owner, LEASE_MANUAL);
    int64_t heard = a->coordinator_ms ? a->coordinator_ms : a->started_ms;
    g->renew_overdue = leased && clock_mono_ms() - heard > a->conf.renew_ms;
}

/* ---- ballast ----------------------------------------------------------------------------------------- */

static char *ballast_path(const Agent *a)
{
    return xasprintf("%s/siding.ballast", a->guard.relay_dir);
}

static void remove_ballast(Agent *a)
{
    Guard *g = &a->guard;
    AUTOFREE char *path = ballast_path(a);
    int64_t size = fs_size(path);
    if (size <= 0)
        return;
    if (unlink(path) < 0) {
        log_error("cannot remove %s: %s", path, strerror(errno));
        return;
    }
    g->ballast = 0;
    g->ballast_removed++;
    tell_event(
        a, "error", "guard", NULL,
        "the disk of the relay logs is full (%s): the ballast of %lld bytes has been removed to keep the "
        "server answering; make room there",
        g->relay_dir, (long long)size);
}

static void make_ballast(Agent *a)
{
    Guard *g = &a->guard;
    AUTOFREE char *path = ballast_path(a);
    int64_t size = a->conf.ballast_bytes;
    g->ballast = fs_size(path) > 0 ? fs_size(path) : 0;
    if (g->ballast == size || !guard_ballast_again(g->relay_free, size, guard_min_free(a)))
        return;
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    int rc = fd < 0 ? errno : posix_fallocate(fd, 0, size);
    if (!rc && ftruncate(fd, size) < 0)
        rc = errno;
    if (fd >= 0)
        close(fd);
    if (rc && !g->ballast_trouble)
        log_warn("cannot keep %lld bytes of ballast at %s: %s", (long long)size, path, strerror(rc));
    g->ballast_trouble = rc != 0;
    if (!rc)
        g->ballast = size;
}

static void watch_ballast(Agent *a)
{
    Guard *g = &a->guard;
    if (!g->relay_dir || g->relay_free < 0)
        return;
    int64_t now = clock_mono_ms();
    if (guard_ballast_due(g->relay_free, g->rate.bytes_per_s, g->hangs,
                          guard_relay_need(a->conf.min_free_bytes, g->rate.bytes_per_s))) {
        remove_ballast(a);
        g->checked_ms = now;
    } else if (a->conf.ballast_bytes && a->server.up && a->server.status.is_replica &&
               now - g->checked_ms > BALLAST_CHECK_MS) {
        g->checked_ms = now;
        make_ballast(a);
    }
}

/* ---- over time --------------------------------------------------------------------------------------- */

/* clang-format off */
static const WireField rate_fields[] = {
    {"apply_rate", WIRE_NUM, offsetof(Guard, apply_rate), NULL, 0}, {NULL, WIRE_STR, 0, NULL, 0},
};
/* clang-format on */

void guard_load(Agent *a)
{
    Err err;
    a->guard.relay_free = GUARD_UNKNOWN;
    if (!store_read(a, "rates.json", rate_fields, &a->guard, &err) && err.kind != ERR_NOT_FOUND)
        log_warn("%s", err.text);
}

void guard_caught_up(Agent *a)
{
    Err err;
    const Replay *r = &a->pause.lease.replay;
    if (r->applied_trx < MEASURABLE_TRX || r->rate <= 0)
        return;
    a->guard.apply_rate = r->rate;
    if (!store_write(a, "rates.json", rate_fields, &a->guard, &err))
        log_warn("%s", err.text);
}

void guard_probed(Agent *a)
{
    Guard *g = &a->guard;
    if (a->server.up && a->server.status.is_replica)
        guard_rate_add(&g->rate, a->server.status.read_file, a->server.status.read_pos, clock_mono_ms());
    watch_ballast(a);
    watch_pause(a);
}

void guard_tick(Agent *a)
{
    watch_renewal(a);
    if (a->met)
        watch_pause(a);
}

void guard_close(Agent *a)
{
    forget_levels(&a->guard);
    guard_rate_done(&a->guard.rate);
    free(STEAL(a->guard.relay_dir));
}
