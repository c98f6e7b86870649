/* SPDX-License-Identifier: Apache-2.0 */
#include "state.h"

#include "buffer.h"
#include "common/base/clock.h"
#include "input.h"

const WireField bound_record_fields[] = WIRE_FIELDS(BoundRecord, BOUND_RECORD_LIST);
const WireField role_record_fields[] = WIRE_FIELDS(RoleRecord, ROLE_RECORD_LIST);
const WireField hook_record_fields[] = WIRE_FIELDS(HookRecord, HOOK_RECORD_LIST);
const WireField role_hook_record_fields[] = WIRE_FIELDS(RoleHookRecord, ROLE_HOOK_RECORD_LIST);
const WireField rates_record_fields[] = WIRE_FIELDS(RatesRecord, RATES_RECORD_LIST);
const WireField vote_record_fields[] = WIRE_FIELDS(VoteRecord, VOTE_RECORD_LIST);
const WireField run_journal_fields[] = WIRE_FIELDS(RunJournal, RUN_JOURNAL_LIST);

static void flight_done(Flight *f)
{
    free(f->pause.align_gtid);
    free(f->pause.align_file);
    free(f->pause.trouble);
    free(f->pause.failed_at);
    input_free(f->pause.waiting);
    free(f->start.by);
    free(f->start.reason);
    catchup_done(&f->replay.catchup);
    free(f->boot.trouble);
    wire_free(agent_order_fields, &f->vote.order);
    free(f->vote.trouble);
    free(f->vote.received);
    free(f->vote.ahead);
    free(f->vote.filled_for);
    for (GuardCause c = 0; c < GUARD_CAUSES; c++)
        free(f->guard.said[c]);
    *f = (Flight){0};
}

bool contact_is_lost(const AgentState *s)
{
    return s->flight.contact.lost;
}

int64_t contact_count(const AgentState *s, int64_t now_ms)
{
    const ContactFlight *f = &s->flight.contact;
    int64_t n = 0, fence_ms = s->durable.vote.vote.accepted.fence_ms;
    for (size_t i = 0; i < f->n; i++)
        n += f->peers[i].stood_ms && now_ms < f->peers[i].stood_ms + fence_ms;
    return f->n ? n : -1;
}

void contact_done(ContactFlight *f)
{
    for (size_t i = 0; i < f->n; i++)
        free(f->peers[i].node);
    *f = (ContactFlight){0};
}

void agent_state_done(AgentState *s)
{
    Known *k = &s->known;
    Durable *d = &s->durable;
    repl_status_done(&k->server.status);
    wire_free(lease_server_fields, &k->server.id);
    wire_free(lease_settings_fields, &k->server.settings);
    strlist_done(&s->flight.done);
    lag_done(&k->lag);
    inflow_done(&k->inflow);
    wire_free(written_fields, &k->source.written);
    free(k->server.log_file);
    free(k->relay_dir);
    free(k->primary);
    free(k->rules.jobs);
    free(k->rules.peers);
    contact_done(&s->flight.contact);
    wire_free(lease_fields, &d->lease);
    wire_free(bound_record_fields, &d->bound);
    wire_free(role_record_fields, &d->role);
    wire_free(vote_record_fields, &d->vote);
    wire_free(fill_state_fields, &d->fill);
    wire_free(lease_server_fields, &d->dealt_with);
    wire_free(hook_record_fields, &d->hook);
    wire_free(role_hook_record_fields, &d->role_hook);
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

bool rules_have_peer(const AgentRules *r, const char *name)
{
    for (size_t i = 0; i < r->n_peers; i++)
        if (str_eq(r->peers[i], name))
            return true;
    return false;
}

bool run_is_for_replica(const RunSpec *spec, const JobRules *job)
{
    if (spec->kind == KIND_UPLOAD)
        return false;
    int on = spec->on ? (int)spec->on : job ? wire_enum_find(&node_role_names, job->on) : ROLE_REPLICA;
    return on != ROLE_PRIMARY;
}

/* One run at a time touches replication, also while it still waits for its own submission. */
bool server_is_ours(const AgentState *s, Err *err)
{
    const ServerView *v = &s->known.server;
    if (v->foreign)
        return err_set(err, ERR_CONFLICT, 0, "%s", v->error.text);
    return v->ever ||
           err_set(err, ERR_CONFLICT, 0, "the server has not been seen since the agent of %s started",
                   s->known.rules.node);
}

bool run_is_late(const Known *k, const RunSpec *spec, int64_t now_ms)
{
    return start_by_has_passed(&spec->start_by, k->boot_id, now_ms);
}

bool run_may_begin(const AgentState *s, const RunSpec *spec, Err *err)
{
    const AgentRunner *owner = run_of_pause(s);
    if (!server_is_ours(s, err))
        return false;
    bool next = spec->during_catch_up && s->durable.pause == PAUSE_CATCHING_UP && owner;
    for (size_t i = 0; i < s->n_runs; i++) {
        const AgentRunner *r = s->runs[i];
        bool takes = r->side == RUN_ON_REPLICA && run_is_under_way(r) && r->state != RUN_GATHERING;
        if (takes && (s->durable.pause == PAUSE_NONE || (next && r != owner)))
            return err_set(err, ERR_CONFLICT, 0, "%s is taken by run %.*s already", s->known.rules.node,
                           RUN_TEXT(run_id(r)));
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
                   "%s is paused already, %s%.*s%s%s since %s%s%s; wait for its end, or end it first", node,
                   manual ? "by hand" : "by run ", RUN_TEXT(manual ? "" : l->owner),
                   manual && l->by ? " by " : "", manual && l->by ? l->by : "", since, l->reason ? ": " : "",
                   l->reason ? l->reason : "");
}

int64_t known_coming(const Known *k, int64_t ms, int64_t now_ms)
{
    return inflow_expected(&k->inflow, &k->source, ms, now_ms);
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
    return s->flight.ending || (s->known.sole && !s->known.rules.boost_last_acknowledger);
}

bool wants_close_readings(const AgentState *s)
{
    const ReplayFlight *r = &s->flight.replay;
    if (s->flight.vote.order.kind)
        return true;
    for (size_t i = 0; i < s->n_runs; i++)
        if (s->runs[i]->state == RUN_ACCEPTED && s->runs[i]->side == RUN_ON_REPLICA)
            return true;
    return s->durable.pause == PAUSE_CATCHING_UP && r->boost.n > 1 && r->boost.state == BOOST_TRYING;
}

/* ---- disks -----------------------------------------------------------------------------------------------
 */

bool disk_is_short(const AgentState *s, OwnDisk d)
{
    const int64_t left = d == DISK_SPOOL ? s->known.spool_free : s->known.state_free;
    const int64_t min = s->known.rules.min_free_bytes;
    return left >= 0 && left < (min ? min : 1);
}

char *disk_short_text(const AgentState *s, OwnDisk d)
{
    const AgentRules *r = &s->known.rules;
    if (!disk_is_short(s, d))
        return NULL;
    return xasprintf("%s has %lld bytes free, less than min_free_bytes (%lld)",
                     d == DISK_SPOOL ? r->spool_dir : r->state_dir,
                     (long long)(d == DISK_SPOOL ? s->known.spool_free : s->known.state_free),
                     (long long)r->min_free_bytes);
}

char *short_of_space(const AgentState *s)
{
    char *text = disk_short_text(s, DISK_SPOOL);
    return text ? text : disk_short_text(s, DISK_STATE);
}

/* ---- the gate of a failover ------------------------------------------------------------------------- */

bool fill_is_under_way(const AgentState *s)
{
    FillPhase p = s->durable.fill.phase;
    return p != FILL_NONE && p != FILL_FILLED && p != FILL_FAILED;
}

bool fill_is_unfinished(const AgentState *s)
{
    return fill_is_under_way(s) || (s->durable.fill.touched && s->durable.fill.phase != FILL_FILLED);
}

/* What opens the gate is on disk first: behind a kill the record would say again that it is shut. */
bool vote_is_on_disk(const AgentState *s)
{
    const VoteFlight *f = &s->flight.vote;
    return !f->opened_in || (!f->unwritten && f->opened_in != s->drain);
}

/* A primary follows nobody; and nobody follows one that was replaced. */
bool vote_lets_receive(const AgentState *s)
{
    const VoteRecord *r = &s->durable.vote;
    return vote_is_on_disk(s) && !r->vote.shut && !r->stale &&
           !(r->vote.accepted.version && str_eq(r->vote.accepted.primary, s->known.rules.node));
}
