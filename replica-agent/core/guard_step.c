/* SPDX-License-Identifier: Apache-2.0
 * The guard of a pause: how far it has gone is judged by core/guard; the run is asked to end, or the replica
 * released where nobody else does it. Also whether the coordinator renews it.
 */
#include "common/wire/limits.h"
#include "step_parts.h"

enum {
    OVERDUE_MS = 60000, /* beyond the grace: a job that cannot even be killed does not keep the replica */
    URGENT_MS = 3000,
    MEASURABLE_TRX = 200,
};

static int64_t first_of(int64_t x, int64_t y, int64_t z)
{
    return x > 0 ? x : y > 0 ? y : z;
}

static GuardLimits limits_of(const AgentState *s)
{
    Err ignored;
    static const JobRules none = {0};
    const AgentRules *c = &s->known.rules;
    const AgentRunner *r = run_of_pause(s);
    const JobRules *found = r ? rules_of_job(c, r->j.run.spec.job) : NULL, *j = found ? found : &none;
    PauseLimits asked = {0};
    if (r && !limits_read(r->j.run.spec.options, &asked, &ignored))
        asked = (PauseLimits){0};
    int64_t least = first_of(asked.free_bytes, j->min_free_bytes, 0);
    GuardLimits l = {.pause_ms = s->durable.lease.limit_ms,
                     .relay_bytes = first_of(asked.relay_bytes, j->relay_limit_bytes, c->relay_limit_bytes),
                     .catchup_ms = first_of(asked.catchup_ms, j->catchup_limit_ms, c->catchup_limit_ms),
                     .free_bytes = least > c->min_free_bytes ? least : c->min_free_bytes,
                     .warn_percent = c->limit_warn_percent};
    const char *policy = asked.at_limit ? asked.at_limit : j->at_limit ? j->at_limit : c->at_limit;
    (void)guard_policy_from_name(policy, &l.policy);
    wire_free(pause_limits_fields, &asked);
    return l;
}

int64_t guard_min_free(const AgentState *s)
{
    return limits_of(s).free_bytes;
}

static int64_t catchup_estimate(const AgentState *s)
{
    int64_t behind = lag_in_transactions(s);
    if (behind < 0 || s->durable.rates.apply_rate <= 0)
        return GUARD_UNKNOWN;
    return (int64_t)((double)behind * 1000 / s->durable.rates.apply_rate);
}

static GuardReading read_now(const Turn *t)
{
    const AgentState *s = t->s;
    const Known *k = &s->known;
    const Lease *l = &s->durable.lease;
    const AgentRunner *r = run_of_pause(s);
    bool frozen = s->durable.pause == PAUSE_FROZEN && l->relay_bytes > 0 && k->server.ever;
    bool writes = r && (r->state == RUN_RUNNING || r->state == RUN_SLEEPING || r->state == RUN_SEALING);
    int64_t grown = k->server.status.relay_bytes - l->relay_bytes;
    GuardReading out = {.coming = known_coming(k, (int64_t)GUARD_RESERVE_S * 1000, t->now_ms)};
    out.value[GUARD_PAUSE] = l->limit_ms - pause_left_ms(s, t->now_ms, t->wall_ms);
    out.value[GUARD_RELAY] = !frozen ? GUARD_UNKNOWN : grown > 0 ? grown : 0;
    out.value[GUARD_CATCHUP] = frozen ? catchup_estimate(s) : GUARD_UNKNOWN;
    out.value[GUARD_RELAY_DISK] = k->relay_free;
    out.value[GUARD_SPOOL_DISK] = writes ? k->spool_free : GUARD_UNKNOWN;
    out.value[GUARD_STATE_DISK] = writes ? k->state_free : GUARD_UNKNOWN;
    return out;
}

static const char *folder_of(const AgentState *s, GuardCause c)
{
    if (c == GUARD_SPOOL_DISK)
        return s->known.rules.spool_dir;
    if (c == GUARD_STATE_DISK)
        return s->known.rules.state_dir;
    return s->known.relay_dir ? s->known.relay_dir : "the relay log folder";
}

static void take_level(Turn *t, GuardCause c)
{
    GuardFlight *g = &t->s->flight.guard;
    GuardLevel level = g->verdict.level[c], before = g->level[c];
    free(STEAL(g->said[c]));
    if (level > GUARD_FINE)
        g->said[c] = guard_sentence(c, g->reading.value[c], g->verdict.limit[c], folder_of(t->s, c));
    g->level[c] = level;
    if (level <= before)
        return;
    g->hits[c] += level >= GUARD_LIMIT && before < GUARD_LIMIT;
    fx_event(t, level >= GUARD_LIMIT ? "error" : "warn", "guard",
             run_of_pause(t->s) ? t->s->durable.lease.owner : NULL, "%s%s",
             level == GUARD_WARN ? "near a limit: " : "", g->said[c]);
}

static void forget_levels(GuardFlight *g)
{
    for (GuardCause c = 0; c < GUARD_CAUSES; c++) {
        free(STEAL(g->said[c]));
        g->level[c] = GUARD_FINE;
    }
    g->verdict = (GuardVerdict){0};
    g->acted_ms = 0;
}

static ErrKind kind_of(GuardCause c)
{
    return c == GUARD_PAUSE || c == GUARD_CATCHUP ? ERR_TIMEOUT : ERR_NO_SPACE;
}

static void end_run(Turn *t, const AgentRunner *r)
{
    const GuardFlight *g = &t->s->flight.guard;
    const GuardVerdict *v = &g->verdict;
    bool disk_of_result = v->cause == GUARD_SPOOL_DISK || v->cause == GUARD_STATE_DISK;
    if (r->state == RUN_SEALING && !disk_of_result) {
        fx_post(t, IN_LIMIT_SEALING, run_id(r)); /* the frozen data are not needed any more */
        return;
    }
    Input *in = fx_post(t, IN_CUT, run_id(r));
    in->cut = NEW(RunCut);
    *in->cut = (RunCut){
        .outcome = OUTCOME_ERROR,
        .kind = kind_of(v->cause),
        .text = xasprintf("%s; %s", g->said[v->cause],
                          disk_of_result ? "the partial result was removed" : "the job was not done by then"),
        .hard = v->action == GUARD_DO_KILL};
}

static void act(Turn *t)
{
    GuardFlight *g = &t->s->flight.guard;
    const GuardVerdict *v = &g->verdict;
    const AgentRunner *r = run_of_pause(t->s);
    if (v->action == GUARD_DO_NOTHING) {
        g->acted_ms = 0;
        return;
    }
    if (!g->acted_ms)
        g->acted_ms = t->now_ms;
    int64_t patience =
        v->level[v->cause] == GUARD_URGENT ? URGENT_MS : t->s->known.rules.stop_grace_ms + OVERDUE_MS;
    if (!r || !run_is_under_way(r) || t->now_ms - g->acted_ms > patience) {
        fx_event(t, "error", "guard", NULL, "%s is resumed: %s", t->s->known.rules.node, g->said[v->cause]);
        fx_post(t, IN_RELEASE, NULL);
        return;
    }
    end_run(t, r);
}

static void watch_pause(Turn *t)
{
    GuardFlight *g = &t->s->flight.guard;
    PauseState s = t->s->durable.pause;
    if (s != PAUSE_PAUSING && s != PAUSE_FROZEN && s != PAUSE_ALIGNING) {
        forget_levels(g);
        return;
    }
    GuardLimits l = limits_of(t->s);
    g->reading = read_now(t);
    guard_decide(&l, &g->reading, &g->verdict);
    for (GuardCause c = 0; c < GUARD_CAUSES; c++)
        take_level(t, c);
    act(t);
}

static void watch_renewal(Turn *t)
{
    const Known *k = &t->s->known;
    bool leased = t->s->durable.pause != PAUSE_NONE && !str_eq(t->s->durable.lease.owner, LEASE_MANUAL);
    int64_t heard = k->coordinator_ms ? k->coordinator_ms : k->started_ms;
    t->s->flight.guard.renew_overdue = leased && t->now_ms - heard > k->rules.renew_ms;
}

void guard_caught_up(Turn *t, const Replay *r)
{
    if (r->applied_trx < MEASURABLE_TRX || r->rate <= 0)
        return;
    t->s->durable.rates.apply_rate = r->rate;
    t->s->changed.rates = true;
}

void guard_reading(Turn *t)
{
    Known *k = &t->s->known;
    const ReplStatus *st = &k->server.status;
    AUTOFREE char *source =
        st->is_replica ? xasprintf("%s:%lld", st->source_host, (long long)st->source_port) : xstrdup("");
    if (k->server.up && st->is_replica)
        inflow_add(&k->inflow, source, st->read_file, st->read_pos, t->now_ms);
    else if (k->server.up)
        inflow_add(&k->inflow, source, k->server.log_file, k->server.log_pos, t->now_ms);
    watch_pause(t);
}

void guard_tick(Turn *t)
{
    watch_renewal(t);
    if (t->s->flight.boot.seen)
        watch_pause(t);
}
