/* SPDX-License-Identifier: Apache-2.0 */
#include "state.h"

#include "buffer.h"
#include "common/base/clock.h"

const WireField role_record_fields[] = WIRE_FIELDS(RoleRecord, ROLE_RECORD_LIST);
const WireField hook_record_fields[] = WIRE_FIELDS(HookRecord, HOOK_RECORD_LIST);
const WireField rates_record_fields[] = WIRE_FIELDS(RatesRecord, RATES_RECORD_LIST);
const WireField run_journal_fields[] = WIRE_FIELDS(RunJournal, RUN_JOURNAL_LIST);

static void flight_done(Flight *f)
{
    free(f->pause.align_gtid);
    free(f->pause.align_file);
    free(f->pause.trouble);
    free(f->pause.failed_at);
    catchup_done(&f->replay.catchup);
    free(f->boot.trouble);
    for (GuardCause c = 0; c < GUARD_CAUSES; c++)
        free(f->guard.said[c]);
    *f = (Flight){0};
}

void agent_state_done(AgentState *s)
{
    Known *k = &s->known;
    Durable *d = &s->durable;
    repl_status_done(&k->server.status);
    wire_free(lease_server_fields, &k->server.id);
    lag_done(&k->lag);
    guard_rate_done(&k->rate);
    free(k->relay_dir);
    free(k->primary);
    free(k->rules.jobs);
    wire_free(lease_fields, &d->lease);
    wire_free(role_record_fields, &d->role);
    wire_free(lease_server_fields, &d->dealt_with);
    wire_free(hook_record_fields, &d->hook);
    wire_free(boost_memory_fields, &d->ways);
    for (size_t i = 0; i < s->n_runs; i++) {
        wire_free(run_journal_fields, &s->runs[i]->j);
        free(s->runs[i]);
    }
    free(s->runs);
    flight_done(&s->flight);
    strlist_done(&s->changed.gone);
    *s = (AgentState){0};
}

/* ---- runs ------------------------------------------------------------------------------------------------
 */

const char *run_id(const AgentRunner *r)
{
    return r->j.run.spec.run;
}

AgentRunner *run_find(const AgentState *s, const char *id)
{
    for (size_t i = 0; i < s->n_runs; i++)
        if (id && str_eq(run_id(s->runs[i]), id))
            return s->runs[i];
    return NULL;
}

bool run_is_under_way(const AgentRunner *r)
{
    return !run_state_is_final(r->state);
}

AgentRunner *run_of_pause(const AgentState *s)
{
    return run_find(s, s->durable.lease.owner);
}

const AgentRunner *run_next(const AgentState *s)
{
    for (size_t i = 0; i < s->n_runs; i++) {
        const RunSpec *spec = &s->runs[i]->j.run.spec;
        if (s->runs[i]->state == RUN_ACCEPTED && spec->during_catch_up &&
            !str_eq(spec->run, s->durable.lease.owner) &&
            buffer_reaches(s->known.server.version.flavor, s->known.server.status.applied, spec->after_gtid))
            return s->runs[i];
    }
    return NULL;
}

const JobRules *rules_of_job(const AgentRules *r, const char *name)
{
    for (size_t i = 0; i < r->n_jobs; i++)
        if (str_eq(r->jobs[i].name, name))
            return &r->jobs[i];
    return NULL;
}

bool run_is_for_replica(const RunSpec *spec, const JobRules *job)
{
    if (spec->kind == KIND_UPLOAD)
        return false;
    int on = spec->on ? (int)spec->on : job ? wire_enum_find(&node_role_names, job->on) : ROLE_REPLICA;
    return on != ROLE_PRIMARY;
}

/* One run at a time touches replication, also while it still waits for its own submission. */
bool run_may_begin(const AgentState *s, const RunSpec *spec, Err *err)
{
    const AgentRunner *owner = run_of_pause(s);
    bool next = spec->during_catch_up && s->durable.pause == PAUSE_CATCHING_UP && owner;
    for (size_t i = 0; i < s->n_runs; i++) {
        const AgentRunner *r = s->runs[i];
        bool takes = r->side == RUN_ON_REPLICA && run_is_under_way(r) && r->state != RUN_GATHERING;
        if (takes && (s->durable.pause == PAUSE_NONE || (next && r != owner)))
            return err_set(err, ERR_CONFLICT, 0, "%s is taken by run %s already", s->known.rules.node,
                           run_id(r));
    }
    return next || (s->durable.pause == PAUSE_NONE && !s->flight.pause.beginning) ? true
                                                                                  : pause_conflict(s, err);
}

/* ---- the pause -------------------------------------------------------------------------------------------
 */

bool pause_is_in_force(const AgentState *s)
{
    return s->durable.pause != PAUSE_NONE && s->durable.pause < PAUSE_RESUMING;
}

bool pause_is_held_by(const AgentState *s, const char *owner)
{
    return (s->durable.pause != PAUSE_NONE || s->flight.pause.beginning) && owner &&
           str_eq(s->durable.lease.owner, owner);
}

int64_t pause_left_ms(const AgentState *s, int64_t now_ms, int64_t wall_ms)
{
    return lease_left_ms(&s->durable.lease, s->known.boot_id, now_ms, wall_ms);
}

bool pause_conflict(const AgentState *s, Err *err)
{
    const Lease *l = &s->durable.lease;
    const char *node = s->known.rules.node;
    char since[CLOCK_TEXT];
    clock_format(l->taken_at, since);
    bool manual = str_eq(l->owner, LEASE_MANUAL);
    if (str_eq(l->owner, LEASE_RESCUE))
        return err_set(err, ERR_CONFLICT, 0,
                       "%s applies transactions that its relay files kept over a restart; wait for its end",
                       node);
    return err_set(err, ERR_CONFLICT, 0,
                   "%s is paused already, %s%s%s%s since %s%s%s; wait for its end, or end it first", node,
                   manual ? "by hand" : "by run ", manual ? "" : l->owner, manual && l->by ? " by " : "",
                   manual && l->by ? l->by : "", since, l->reason ? ": " : "", l->reason ? l->reason : "");
}

int64_t lag_in_transactions(const AgentState *s)
{
    const ServerView *v = &s->known.server;
    if (!v->up || !v->status.is_replica || !v->status.received || !*v->status.received)
        return -1;
    return gtid_behind_text(v->version.flavor, v->status.applied, v->status.received);
}

bool must_be_durable(const AgentState *s)
{
    return s->known.sole && !s->known.rules.boost_last_acknowledger;
}

bool wants_close_readings(const AgentState *s)
{
    const ReplayFlight *r = &s->flight.replay;
    for (size_t i = 0; i < s->n_runs; i++)
        if (s->runs[i]->state == RUN_ACCEPTED && s->runs[i]->side == RUN_ON_REPLICA)
            return true;
    return s->durable.pause == PAUSE_CATCHING_UP && r->boost.n > 1 && r->boost.state == BOOST_TRYING;
}

/* ---- disks -----------------------------------------------------------------------------------------------
 */

const char *short_of_space(const AgentState *s, int64_t *ret_free)
{
    const Known *k = &s->known;
    const int64_t min = k->rules.min_free_bytes;
    bool spool = k->spool_free >= 0 && k->spool_free < min;
    bool state = k->state_free >= 0 && k->state_free < min;
    *ret_free = spool ? k->spool_free : k->state_free;
    return spool ? k->rules.spool_dir : state ? k->rules.state_dir : NULL;
}
