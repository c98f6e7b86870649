/* SPDX-License-Identifier: Apache-2.0
 * What a voter goes by: an order without its names, and what is known here of what it asks for.
 */
#include "buffer.h"
#include "common/db/gtid.h"
#include "vote_parts.h"

bool vote_is_donor(const AgentOrder *o, const char *name)
{
    return o->kind == ORDER_DRAIN && !str_eq(o->decision.primary, name) && str_eq(o->source.node, name);
}

Order vote_pure(const Turn *t, const AgentOrder *order)
{
    const WireDecision *d = &order->decision;
    bool decides = order->kind >= ORDER_ACCEPT;
    bool member = false;
    for (size_t i = 0; decides && i < d->members.n; i++)
        member = member || str_eq(d->members.v[i], vote_node(t));
    return (Order){.kind = order->kind,
                   .ballot = ballot_read(&order->ballot),
                   .clean = order->clean,
                   .version = decides ? d->version : 0,
                   .open = decides && d->open,
                   .primary = decides && str_eq(d->primary, vote_node(t)),
                   .donor = vote_is_donor(order, vote_node(t)),
                   .member = member};
}

/* What the act that opened it has seen counts more than a reading that began before that. */
bool vote_is_writable(const Turn *t)
{
    const ServerView *v = &t->s->known.server;
    const int64_t opened_ms = vote_flight(t)->opened_ms;
    bool older = opened_ms && v->begun_ms <= opened_ms;
    return v->up && (older || (!v->status.is_replica && !v->status.read_only));
}

static bool was_primary(const Turn *t)
{
    const VoteFlight *f = vote_flight(t);
    const WireDecision *d = &vote_state(t)->accepted;
    return f->killed || f->order.kill || (d->version && str_eq(d->held_by, vote_node(t))) ||
           vote_is_writable(t);
}

static bool follows(const Turn *t)
{
    const ServerView *v = &t->s->known.server;
    const OrderServer *to = &vote_flight(t)->order.source;
    if (!v->up || !v->status.is_replica || v->status.io == REPL_IO_NO || !vote_lets_receive(t->s))
        return false;
    return !to->host || (str_eq(to->host, v->status.source_host) && to->port == v->status.source_port);
}

static bool has_received(const Turn *t, const char *gtid)
{
    const ServerView *v = &t->s->known.server;
    if (!gtid || !*gtid)
        return true;
    const char *received = v->status.received ? v->status.received : "";
    AUTOFREE char *all = gtid_max_text(v->version.flavor, v->status.applied, received);
    return all && buffer_reaches(v->version.flavor, all, gtid);
}

OrderView vote_view(const Turn *t)
{
    const VoteFlight *f = vote_flight(t);
    const ServerView *v = &t->s->known.server;
    OrderView view = {.recorded = !f->unwritten, .server_up = v->up, .receiver_runs = !f->stopped};
    view.was_primary = f->order.kind == ORDER_FENCE && !f->order.clean && was_primary(t);
    if (view.was_primary)
        view.server_up = !f->killed;
    view.log_read = f->log_read;
    view.closed = f->closed;
    view.writable = vote_is_writable(t);
    view.drained = f->drained || view.writable;
    view.follows = follows(t);
    view.ahead = f->ahead != NULL;
    view.has_all = has_received(t, f->order.gtid);
    view.armed = f->armed && view.follows;
    view.silent_anew = !f->last_silence || (f->silence && f->silence != f->order.silence);
    view.strict = f->opened_acks >= f->order.decision.acks;
    view.probed = f->probed && view.writable;
    return view;
}
