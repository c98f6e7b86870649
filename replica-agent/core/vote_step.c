/* SPDX-License-Identifier: Apache-2.0
 * A voter in a failover: what the coordinator orders is voted on, written down, carried out act by act
 * (core/order_step), and answered. One order at a time; another takes its place. An act that is under way
 * ends first, and what it has found stays known for the ballot it was found in. After a restart of the agent
 * the order comes again, and it looks again.
 *
 * A replica that was away may have been counted out meanwhile, and its server would acknowledge from its
 * option file on. So each server process that is met, each receiver that is started or found stopped begins a
 * silence (orchestrator/core/failover says why); the starts themselves see to it that nothing is
 * acknowledged.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "step_parts.h"
#include "vote_parts.h"

static const char unwritten[] = "the vote cannot be written to the agent's journal";

enum { ANSWER_MS = 2500, RETRY_MS = 300 };

/* ---- the record ------------------------------------------------------------------------------------------
 */

static Voter voter_of(const VoteState *v)
{
    return (Voter){ballot_read(&v->promised), v->shut, ballot_read(&v->accepted.ballot), v->accepted.version};
}

bool vote_decides_open(const AgentState *s)
{
    const VoteState *v = &s->durable.vote.vote;
    const Voter voter = voter_of(v);
    if (!v->accepted.version)
        return !v->shut;
    return voter_obeys(&voter, voter.accepted) && v->accepted.open &&
           str_eq(v->accepted.primary, s->known.rules.node);
}

bool vote_lets_open(const AgentState *s)
{
    return !s->flight.vote.unwritten && !s->changed.vote && vote_decides_open(s);
}

/* From here on the decision says what this node is. */
static void take_role(Turn *t, const WireDecision *d)
{
    RoleRecord *r = &t->s->durable.role;
    NodeRole role = d->open && str_eq(d->primary, vote_node(t)) ? ROLE_PRIMARY : ROLE_REPLICA;
    t->s->flight.role.confirmed = true;
    if (r->role == role)
        return;
    if (role == ROLE_PRIMARY || r->role == ROLE_PRIMARY)
        role_hook_owe(t, role == ROLE_PRIMARY, d);
    r->role = role;
    r->opened = r->closed_by_hand = false;
    t->s->flight.role.settled = false;
    t->s->changed.role = true;
}

static void take_decision(Turn *t, const WireDecision *d)
{
    VoteRecord *r = &t->s->durable.vote;
    const WireDecision *was = &r->vote.accepted;
    bool other = was->version ? !str_eq(was->primary, d->primary) : r->vote.shut;
    r->stale = r->stale || other;
    fx_event(t, "info", "failover", NULL, "%s accepts %s as the primary in term %" PRId64 "%s", vote_node(t),
             d->primary, d->ballot.term, d->open ? "" : ", which is not open yet");
    take_role(t, d);
    vote_flight(t)->closed = false;
    wire_free(wire_decision_fields, &r->vote.accepted);
    wire_copy(wire_decision_fields, &r->vote.accepted, d);
}

/* A START was not sent, for the gate's sake. */
void vote_owes_start(Turn *t)
{
    t->s->durable.vote.owed = true;
    t->s->changed.vote = true;
}

/* By the wall clock, so that what an agent before this one has said does not come again. */
void vote_silenced(Turn *t)
{
    VoteFlight *f = vote_flight(t);
    f->silence = t->wall_ms > f->last_silence ? t->wall_ms : f->last_silence + 1;
    f->last_silence = f->silence;
    fx_changed(t);
}

/* A START has done what a fence has undone. */
void vote_started(Turn *t, const OpReport *op)
{
    VoteRecord *r = &t->s->durable.vote;
    vote_flight(t)->filled_ms = t->now_ms;
    if (!r->owed || !vote_lets_receive(t->s) || op->status->io == REPL_IO_NO)
        return;
    r->owed = false;
    t->s->changed.vote = true;
}

static bool same_voter(const Voter *a, const Voter *b)
{
    return ballot_same(a->promised, b->promised) && ballot_same(a->accepted, b->accepted) &&
           a->shut == b->shut && a->version == b->version;
}

/* False: what was promised forbids it. */
static bool vote(Turn *t, const AgentOrder *order, const Order *o)
{
    VoteState *now = vote_state(t);
    const Voter before = voter_of(now);
    Voter v = before;
    if (!order_vote(&v, o))
        return false;
    if (same_voter(&v, &before))
        return true;
    if (v.version != before.version || !ballot_same(v.accepted, before.accepted))
        take_decision(t, &order->decision);
    if (v.shut && !before.shut)
        fx_event(t, "warn", "failover", NULL,
                 "the primary is to be replaced (term %" PRId64 "): %s receives nothing more from it",
                 order->ballot.term, vote_node(t));
    t->s->durable.vote.owed = t->s->durable.vote.owed || v.shut;
    if (before.shut && !v.shut)
        vote_flight(t)->opened_in = t->s->drain;
    now->shut = v.shut;
    ballot_write(v.promised, &now->promised);
    t->s->changed.vote = true;
    fx_changed(t);
    return true;
}

/* ---- acts ------------------------------------------------------------------------------------------------
 */

/* Before it is lifted: a kill would leave nobody who knows it. */
static void note_delay(Turn *t)
{
    VoteRecord *r = &t->s->durable.vote;
    int64_t delay_s = t->s->known.server.status.delay_s;
    if (delay_s <= 0 || delay_s == r->delay_s)
        return;
    r->delay_s = delay_s;
    t->s->changed.vote = true;
}

static void begin(Turn *t, OrderAct act)
{
    VoteFlight *f = vote_flight(t);
    if (act == ORDER_APPLY_ALL)
        note_delay(t);
    OpOrder *o = fx_sql(t, OP_ORDER, true);
    o->act = act;
    wire_copy(agent_order_fields, &o->order, &f->order);
    o->receiver_alone = pause_is_in_force(t->s);
    o->delay_s = t->s->durable.vote.delay_s;
    f->op = o->id;
    f->act = act;
    f->ends = f->silence;
    f->in = ballot_read(&vote_state(t)->promised);
}

/* What may start a receiver comes back first, so that nothing of it takes effect behind a STOP. */
static bool is_disturbed(Turn *t, OrderAct act)
{
    const Flight *all = &t->s->flight;
    if (act == ORDER_KILL_SERVER || act == ORDER_READ_LOG)
        return false;
    if (fill_is_unfinished(t->s) && act != ORDER_STOP_RECEIVER)
        return true; /* it has no data yet to follow or serve with */
    const uint64_t ops[] = {all->pause.op, all->boot.op, all->role.op};
    for (size_t i = 0; i < COUNT(ops); i++)
        if (ops[i] && act == ORDER_STOP_RECEIVER)
            fx_add(t, FX_CANCEL)->number = (int64_t)ops[i];
    return ops[0] || ops[1] || ops[2];
}

/* Whoever is promoted, or gives what it has, applies everything, and has its own settings. */
static bool still_paused(Turn *t)
{
    const AgentState *s = t->s;
    if (s->durable.pause == PAUSE_NONE && !s->flight.pause.beginning && !s->flight.boot.start_due)
        return false;
    if (pause_is_in_force(s)) {
        Input *in = fx_post(t, IN_RESUME, NULL);
        in->by = xstrdup("the coordinator");
        in->text = xstrdup(vote_is_donor(&vote_flight(t)->order, vote_node(t))
                               ? "the new primary lacks what it has received"
                               : "it is to be the primary");
    }
    AUTOFREE char *why =
        xasprintf("what it has received is being applied (%s)",
                  s->durable.pause == PAUSE_NONE ? "starting" : pause_state_name(s->durable.pause));
    vote_trouble(t, why);
    return true;
}

static void act(Turn *t, OrderAct act)
{
    VoteFlight *f = vote_flight(t);
    f->retry_ms = t->now_ms + RETRY_MS;
    if (is_disturbed(t, act)) {
        vote_trouble(t, "an operation on the server that is under way ends first");
        return;
    }
    if ((act == ORDER_APPLY_ALL || act == ORDER_SET_OPEN) && still_paused(t))
        return;
    f->retry_ms = 0;
    begin(t, act);
}

static void go(Turn *t)
{
    VoteFlight *f = vote_flight(t);
    if (!f->order.kind || f->op || f->looks)
        return;
    const Voter v = voter_of(vote_state(t));
    const Order o = vote_pure(t, &f->order);
    const OrderView view = vote_view(t);
    OrderAct next = order_next(&v, &o, &view);
    if (o.kind == ORDER_OPEN && o.primary && o.open && !view.drained && next == ORDER_REFUSE &&
        o.version >= v.version && view.server_up)
        next = ORDER_APPLY_ALL; /* an agent before this one may have seen it drained */
    switch (next) {
    case ORDER_REFUSE:
        vote_refuse_this(t);
        break;
    case ORDER_RECORD:
        vote_trouble(t, unwritten);
        break;
    case ORDER_WAIT:
        vote_trouble(t, !view.server_up       ? "its server does not answer"
                        : o.kind != ORDER_ARM ? "it has not received all that the new primary has"
                        : !view.follows       ? "it does not follow the new primary yet"
                                              : "its receiver was started since: the voters are asked first "
                                                "whether it is a member still");
        break;
    case ORDER_ANSWER:
        vote_trouble(t, NULL);
        vote_end_request(t, true);
        f->order.kind = ORDER_NONE;
        break;
    default:
        act(t, next);
        break;
    }
}

/* ---- inputs ----------------------------------------------------------------------------------------------
 */

/* What was found counts in its ballot only. */
static void forget(VoteFlight *f)
{
    f->stopped = f->signalled = f->killed = f->log_read = f->closed = f->drained = f->armed = f->probed =
        false;
    f->opened_ms = f->opened_acks = 0;
    free(STEAL(f->received));
    free(STEAL(f->ahead));
    free(STEAL(f->filled_for));
}

/* With the data of a replica that may have more than the primary began with, all of it from that primary. It
 * is not to be found ahead by an order that was given for what it held before, and stopped for good. */
static bool is_started_since_filled(const Turn *t, const OrderServer *source)
{
    const VoteFlight *f = vote_flight(t);
    bool unseen = t->s->durable.vote.owed || t->s->known.server.begun_ms <= f->filled_ms;
    return unseen && f->filled_for && str_eq(f->filled_for, source->node);
}

void vote_order(Turn *t, Input *in)
{
    VoteFlight *f = vote_flight(t);
    const Order o = vote_pure(t, in->order);
    if (!vote(t, in->order, &o)) {
        vote_refuse(t, in->token, in->order, "an older version of the decision was accepted since");
        return;
    }
    if (!ballot_same(f->ballot, o.ballot))
        forget(f);
    f->ballot = o.ballot;
    if (o.kind == ORDER_PROMISE || o.kind == ORDER_ACCEPT) {
        vote_reply(t, in->token, o.kind, !f->unwritten, f->unwritten ? unwritten : NULL, NULL);
        return; /* what is being carried out goes on, or is refused by what was promised */
    }
    if (o.kind == ORDER_FOLLOW && is_started_since_filled(t, &in->order->source)) {
        vote_reply(t, in->token, o.kind, false, "it was given new data and is being started", NULL);
        return;
    }
    vote_end_request(t, false);
    if (f->order.kind != in->order->kind)
        vote_trouble(t, NULL);
    wire_free(agent_order_fields, &f->order);
    f->order = *in->order;
    *in->order = (AgentOrder){0};
    free(STEAL(f->ahead));
    /* Somebody may have started, or opened, it since; and what it has received without acknowledging it is
     * acknowledged by the act. */
    f->stopped = f->closed = f->armed = false;
    f->token = in->token;
    f->answer_ms = t->now_ms + ANSWER_MS;
    f->retry_ms = 0;
    go(t);
}

void vote_filled(Turn *t, const OrderServer *source)
{
    VoteFlight *f = vote_flight(t);
    t->s->durable.vote.delay_s = 0; /* of the replication that it had */
    t->s->changed.vote = true;
    const Ballot now = ballot_read(&vote_state(t)->promised);
    if (!ballot_same(f->ballot, now))
        forget(f);
    f->ballot = now;
    f->filled_ms = t->now_ms;
    str_put(&f->filled_for, source->node);
    if (f->order.kind != ORDER_FOLLOW || !str_eq(f->order.source.node, source->node))
        return;
    vote_end_request(t, false);
    f->order.kind = ORDER_NONE;
    free(STEAL(f->ahead));
    vote_trouble(t, NULL);
}

/* Until a fence is promised, what was closed for a switchover does not stay so without one who goes on. */
static void was_closed(Turn *t, const OpReport *op)
{
    VoteFlight *f = vote_flight(t);
    f->closed = true;
    f->looks = false;
    f->opened_ms = 0;
    t->s->durable.role.opened = t->s->durable.role.closed_by_hand = false;
    t->s->changed.role = true;
    if (f->order.kind == ORDER_CLOSE)
        f->closed_ms = t->now_ms - op->closed_for_ms;
    if (f->order.kind != ORDER_CLOSE || !f->order.for_ms)
        return;
    f->reopen_ms = t->now_ms + f->order.for_ms;
    f->closed_in = f->ballot;
}

static void found(Turn *t, const OpReport *op)
{
    VoteFlight *f = vote_flight(t);
    VoteRecord *r = &t->s->durable.vote;
    if (op->received)
        str_put(&f->received, op->received);
    f->looks = true; /* the next reading shows it */
    switch (f->act) {
    case ORDER_STOP_RECEIVER:
        f->stopped = true;
        f->looks = false;
        break;
    case ORDER_KILL_SERVER:
        f->killed = true;
        f->opened_ms = 0;
        f->looks = f->log_read = false;
        break;
    case ORDER_READ_LOG:
        f->log_read = true;
        f->looks = false;
        break;
    case ORDER_SET_CLOSED:
        was_closed(t, op);
        break;
    case ORDER_REOPEN:
        fx_event(t, "warn", "failover", NULL,
                 "%s was closed for a switchover and nobody went on with it: it is open to writes again",
                 vote_node(t));
        f->closed = false;
        role_note_opened(t);
        break;
    case ORDER_APPLY_ALL:
        vote_silenced(t); /* it may have fetched from a donor */
        f->drained = true;
        f->looks = false;
        break;
    case ORDER_REPOINT:
        vote_silenced(t);
        r->stale = r->owed = false;
        r->delay_s = 0;
        t->s->changed.vote = true;
        if (pause_is_in_force(t->s)) {
            str_put(&t->s->durable.lease.source_host, op->status->source_host);
            t->s->durable.lease.source_port = op->status->source_port;
            t->s->changed.lease = true;
        }
        break;
    case ORDER_SET_ARMED:
        f->armed = true;
        f->looks = false;
        if (f->silence == f->ends)
            f->silence = 0;
        f->muted = 0;
        break;
    case ORDER_SET_SILENT: /* what receives into a pause stays stopped until that is over */
        if (op->status->io == REPL_IO_NO && t->s->known.server.status.io != REPL_IO_NO)
            vote_owes_start(t);
        vote_silenced(t);
        f->muted = f->silence;
        f->looks = false;
        break;
    case ORDER_SET_OPEN: /* as the operation has seen it */
        t->s->known.server.status.is_replica = false;
        t->s->known.server.status.read_only = t->s->known.server.status.closed = false;
        t->s->flight.role.settled = true;
        f->looks = false;
        f->opened_ms = t->now_ms;
        f->opened_acks = f->order.decision.acks;
        role_note_opened(t);
        break;
    case ORDER_WRITE_PROBE:
        f->probed = true;
        f->looks = false;
        break;
    default:
        break;
    }
}

static void failed(Turn *t, const OpReport *op)
{
    VoteFlight *f = vote_flight(t);
    /* It is as open as it was, and whoever has asked decides anew. */
    if (f->act == ORDER_SET_CLOSED && f->order.kind == ORDER_CLOSE && op->end != END_BUSY) {
        uint64_t token = f->token;
        f->token = 0;
        vote_refuse(t, token, &f->order, op->err.text);
        f->order.kind = ORDER_NONE;
        return;
    }
    bool signalled = f->act == ORDER_KILL_SERVER && op->end == END_UNKNOWN && op->err.kind == ERR_TIMEOUT;
    if (f->act == ORDER_REOPEN)
        f->reopen_ms = t->now_ms + RETRY_MS;
    if (op->end == END_MOVED)
        str_put(&f->ahead, op->ahead ? op->ahead : "");
    if (op->end != END_BUSY)
        vote_trouble(t, op->err.text);
    /* It stands, and the relay files hold more: as at a boot. */
    if (op->end == END_WAITING && f->act == ORDER_APPLY_ALL && !op->status->sql_running)
        fx_post(t, IN_START, NULL)->flag = true;
    f->retry_ms = t->now_ms + RETRY_MS;
    if (signalled && !f->signalled) { /* who has asked need not wait for more */
        f->signalled = true;
        vote_end_request(t, false);
    }
    if (op->end == END_MOVED)
        go(t);
}

void vote_op(Turn *t, const OpReport *op)
{
    VoteFlight *f = vote_flight(t);
    if (op->id != f->op)
        return;
    f->op = 0;
    f->since_ms = t->now_ms;
    if (op->told)
        fx_event(t, "warn", "failover", NULL, "%s: %s", vote_node(t), op->told);
    if (op->end != END_OK) {
        failed(t, op);
        return;
    }
    /* Of an earlier ballot it says nothing about this one, in which all is looked at anew. */
    if (ballot_same(f->in, ballot_read(&vote_state(t)->promised)))
        found(t, op);
    fx_changed(t);
    go(t);
}

/* Somebody else has started it: it is stopped again. */
static void stop_again(Turn *t)
{
    VoteFlight *f = vote_flight(t);
    f->stopped = false;
    if (!f->told)
        fx_event(t, "error", "failover", NULL,
                 "the receiver of %s was started although a failover has stopped it: it is stopped again",
                 vote_node(t));
    f->told = true;
    if (is_disturbed(t, ORDER_STOP_RECEIVER))
        return;
    begin(t, ORDER_STOP_RECEIVER);
}

static bool is_left_out(const Turn *t)
{
    const WireDecision *d = &vote_state(t)->accepted;
    bool in = !d->version || !d->open || str_eq(d->primary, vote_node(t));
    for (size_t i = 0; i < d->members.n; i++)
        in = in || str_eq(d->members.v[i], vote_node(t));
    return !in;
}

/* The agent's own starts are silent; a person who starts the receiver of one that was counted out does not
 * know what the server was set to before. */
static bool mute(Turn *t, bool runs)
{
    VoteFlight *f = vote_flight(t);
    const ServerView *v = &t->s->known.server;
    if (!v->up || !v->status.is_replica || (runs && !v->semi_sync.acknowledges) || f->order.kind ||
        f->muted == f->last_silence || !is_left_out(t) || is_disturbed(t, ORDER_SET_SILENT))
        return false;
    begin(t, ORDER_SET_SILENT);
    return true;
}

void vote_reading(Turn *t)
{
    VoteFlight *f = vote_flight(t);
    const ServerView *v = &t->s->known.server;
    if (f->op || v->begun_ms <= f->since_ms)
        return;
    bool runs = v->status.is_replica && v->status.io != REPL_IO_NO;
    if (!runs && !f->stands)
        vote_silenced(t); /* nothing is under way that could start it and have it acknowledge */
    f->stands = !runs;
    f->looks = false;
    if (f->killed)
        f->killed = f->log_read =
            false; /* another process: it is killed again where that is asked for again */
    if (!runs)
        f->armed = f->told = false;
    if (vote_is_writable(t))
        f->closed = false;
    bool fetches = f->order.kind == ORDER_DRAIN && !vote_is_donor(&f->order, vote_node(t));
    if (runs && !vote_lets_receive(t->s) && !fetches && (f->stopped || !f->order.kind))
        stop_again(t);
    else if (!mute(t, runs))
        go(t);
}

/* The coordinator is gone, or has lost the way here. */
static void reopen(Turn *t)
{
    VoteFlight *f = vote_flight(t);
    const Voter v = voter_of(vote_state(t));
    const ServerView *server = &t->s->known.server;
    if (!f->reopen_ms || t->now_ms < f->reopen_ms || f->op || f->order.kind || !server->up ||
        server->status.is_replica)
        return;
    f->reopen_ms = 0;
    if (order_may_reopen(&v, f->closed_in) && !vote_is_writable(t))
        begin(t, ORDER_REOPEN);
}

void vote_tick(Turn *t)
{
    VoteFlight *f = vote_flight(t);
    reopen(t);
    if (f->opened_in && vote_is_on_disk(t->s))
        f->opened_in = 0;
    if (f->retry_ms && t->now_ms >= f->retry_ms) {
        f->retry_ms = 0;
        go(t);
    }
    if (f->token && t->now_ms >= f->answer_ms)
        vote_end_request(t, false);
}
