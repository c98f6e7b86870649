/* SPDX-License-Identifier: Apache-2.0
 * What a voter says: the answer to an order, or why it is refused, and what one that is under way waits for.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "common/db/flavor.h"
#include "vote_parts.h"

void vote_reply(Turn *t, uint64_t token, OrderKind kind, bool done, const char *why, const Err *refused)
{
    const VoteFlight *f = vote_flight(t);
    const OrderView v = vote_view(t);
    if (!token)
        return;
    OrderAnswer a = {
        .kind = kind,
        .done = done,
        .waits_for = (char *)why,
        .promised = vote_state(t)->promised,
        .accepted = vote_state(t)->accepted,
        .received = kind == ORDER_FENCE || kind == ORDER_CLOSE || kind == ORDER_DRAIN ? f->received : NULL,
        .ended = (f->killed && f->log_read) ||
                 (f->closed && flavor_of(t->s->known.server.version.flavor)->closes_for_all),
        .closed = f->closed || f->signalled,
        .closed_for_ms = kind == ORDER_CLOSE && f->closed ? t->now_ms - f->closed_ms : -1,
        .ahead = f->ahead,
        .drained = f->drained,
        .follows = v.follows,
        .armed = v.armed,
        .silence = f->silence,
        .writable = v.writable,
        .probed = v.probed};
    AUTOJSON json_t *j = wire_write(order_answer_fields, &a);
    if (refused)
        json_set_err(j, refused);
    fx_answer(t, token, NULL, NULL);
    Effect *e = &t->out->v[t->out->n - 1];
    e->text = json_dumps(j, JSON_COMPACT);
    e->number = refused ? 409 : 200;
}

void vote_end_request(Turn *t, bool done)
{
    VoteFlight *f = vote_flight(t);
    uint64_t token = f->token;
    f->token = 0;
    vote_reply(t, token, f->order.kind, done,
               done         ? NULL
               : f->trouble ? f->trouble
                            : "it has just begun",
               NULL);
}

void vote_trouble(Turn *t, const char *text)
{
    VoteFlight *f = vote_flight(t);
    if (str_eq(text, f->trouble))
        return;
    const char *kind = wire_enum_name(&order_kind_names, (int)f->order.kind);
    if (text)
        fx_log(t, LOG_LEVEL_INFO, "order to %s: %s", kind ? kind : "keep the receiver stopped", text);
    str_put(&f->trouble, text);
}

void vote_refuse(Turn *t, uint64_t token, const AgentOrder *o, const char *why)
{
    Err err;
    const WireBallot *p = &vote_state(t)->promised;
    if (!ballot_same(ballot_read(p), ballot_read(&o->ballot)))
        err_set(&err, ERR_CONFLICT, 0,
                "%s has promised term %" PRId64 " to %s: term %" PRId64 " counts no more here", vote_node(t),
                p->term, p->owner ? p->owner : "nobody", o->ballot.term);
    else
        err_set(&err, ERR_CONFLICT, 0, "%s", why);
    fx_log(t, LOG_LEVEL_WARN, "order to %s is refused: %s", wire_enum_name(&order_kind_names, (int)o->kind),
           err.text);
    vote_reply(t, token, o->kind, false, err.text, &err);
}

void vote_refuse_this(Turn *t)
{
    VoteFlight *f = vote_flight(t);
    uint64_t token = f->token;
    AUTOFREE char *why =
        f->ahead ? xasprintf("%s has transactions that the new primary lacks (%.300s): it does not follow it "
                             "before a person has looked at them",
                             vote_node(t), f->ahead)
        : f->order.kind == ORDER_CLOSE
            ? xasprintf("%s is not open to writes, or a failover has begun: there is nothing to close",
                        vote_node(t))
            : xasprintf("the decision that %s has accepted does not let it %s now", vote_node(t),
                        wire_enum_name(&order_kind_names, (int)f->order.kind));
    f->token = 0;
    vote_refuse(t, token, &f->order, why);
    f->order.kind = ORDER_NONE;
}
