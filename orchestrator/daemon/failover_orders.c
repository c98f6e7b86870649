/* SPDX-License-Identifier: Apache-2.0
 * The decider's orders on their way to the agents, and the answers on their way back. One order a node is
 * under way at a time; what is wanted is asked again until its answer says that it is done.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "agents.h"
#include "common/base/clock.h"
#include "common/db/gtid.h"
#include "common/file/json.h"
#include "events.h"
#include "failover_impl.h"

/* An answer comes within a few seconds; an agent that has died meanwhile is asked again after that. */
enum {
    ORDER_MS = 10000,
    AGAIN_LEAST_MS = 50,
    AGAIN_MOST_MS = 1000,
    REFUSED_MOST_MS = 30000,  /* to one that cannot follow before a person has looked at it */
    FOLLOWS_WITHIN_MS = 3000, /* … whose acknowledgements the new primary opens with */
};

static const OrderKind kinds[] = {
    [FAILOVER_PROMISE] = ORDER_PROMISE, [FAILOVER_FENCE] = ORDER_FENCE, [FAILOVER_CLOSE] = ORDER_CLOSE,
    [FAILOVER_ACCEPT] = ORDER_ACCEPT,   [FAILOVER_DRAIN] = ORDER_DRAIN, [FAILOVER_FOLLOW] = ORDER_FOLLOW,
    [FAILOVER_ARM] = ORDER_ARM,         [FAILOVER_OPEN] = ORDER_OPEN,   [FAILOVER_PROBE] = ORDER_PROBE,
};

static bool covers(const void *arg, int a, int b)
{
    const Coord *c = arg;
    const FailoverPeer *p = c->failover->peers;
    DbFlavor flavor;
    if (!p[a].position || !p[b].position || !state_primary_flavor(c, &flavor))
        return a == b;
    GtidOrder o = gtid_compare_text(flavor, p[a].position, p[b].position);
    return o == GTID_EQUAL || o == GTID_AFTER;
}

/* ---- what goes out ---------------------------------------------------------------------------------- */

void failover_want(Coord *c, int node, const FailoverOrder *o)
{
    FailoverPeer *p = &c->failover->peers[node];
    bool same = p->wanted && p->order.kind == o->kind && ballot_same(p->order.ballot, o->ballot) &&
                p->order.decision.version == o->decision.version && p->order.clean == o->clean;
    p->wanted = true;
    p->order = *o;
    if (!same)
        retry_reset(&p->retry);
}

static void set_source(const Coord *c, int node, OrderServer *ret)
{
    const AgentLink *a = failover_agent(c, node);
    if (a)
        *ret = agents_server(a);
}

/* The old primary is ended, or kept closed; what that has written is applied first by those that may win. */
static void fence_body(Coord *c, int node, bool clean, AgentOrder *ret)
{
    const FailoverEdge *e = c->failover;
    int old = e->f.base.held_by;
    ret->kill = !clean && node == old;
    ret->clean = clean && node == old;
    if (!clean || node == old || old == FAILOVER_NOBODY)
        return;
    FailoverRules rules;
    failover_rules(c, &rules);
    if (!(rules.never & (NodeSet)1 << node))
        ret->gtid = xstrdup(e->peers[old].position);
}

static json_t *order_body(Coord *c, int node, const FailoverOrder *o)
{
    const FailoverEdge *e = c->failover;
    AgentOrder w = {.kind = kinds[o->kind]};
    if (o->kind == FAILOVER_FENCE)
        fence_body(c, node, o->clean, &w);
    if (o->kind == FAILOVER_CLOSE) {
        w.for_ms = FAILOVER_OPENS_AFTER_MS;
        w.kill_after_ms = e->kill_after_ms;
    }
    ballot_write(o->ballot, &w.ballot);
    if (o->kind >= FAILOVER_ACCEPT)
        failover_write_decision(c, &o->decision, &w.decision);
    if (o->kind == FAILOVER_ARM)
        w.silence = e->f.silence[node];
    if (o->kind == FAILOVER_DRAIN && o->donor != FAILOVER_NOBODY) {
        set_source(c, o->donor, &w.source);
        w.gtid = xstrdup(e->peers[o->donor].position);
    }
    if (o->kind == FAILOVER_FOLLOW) {
        set_source(c, o->decision.primary, &w.source);
        w.gtid = xstrdup(e->drained);
        w.kill_after_ms = o->decision.open ? 0 : FOLLOWS_WITHIN_MS;
    }
    json_t *body = wire_write(agent_order_fields, &w);
    wire_free(agent_order_fields, &w);
    return body;
}

/* ---- what comes back -------------------------------------------------------------------------------- */

static void event_of(Coord *c, FailoverPeer *p, int node, const OrderAnswer *a, FailoverEvent *ret)
{
    static const FailoverEventKind events[] = {
        [FAILOVER_PROMISE] = FAILOVER_EV_PROMISED, [FAILOVER_FENCE] = FAILOVER_EV_PROMISED,
        [FAILOVER_CLOSE] = FAILOVER_EV_CLOSED,     [FAILOVER_ACCEPT] = FAILOVER_EV_ACCEPTED,
        [FAILOVER_DRAIN] = FAILOVER_EV_DRAINED,    [FAILOVER_FOLLOW] = FAILOVER_EV_FOLLOWS,
        [FAILOVER_ARM] = FAILOVER_EV_ARMED,        [FAILOVER_OPEN] = FAILOVER_EV_OPENED,
        [FAILOVER_PROBE] = FAILOVER_EV_PROBED,
    };
    *ret = (FailoverEvent){.kind = events[p->asked],
                           .node = node,
                           .ballot = p->asked_ballot,
                           .stopped = p->asked == FAILOVER_FENCE,
                           .reading = {.received = node, .ended = a->ended, .closed = a->closed},
                           .silence = a->silence,
                           .accepted = failover_decision(c, &a->accepted),
                           .version = p->asked_version};
    if (p->asked == FAILOVER_FENCE)
        str_set(&p->position, a->received ? a->received : "");
    if (p->asked == FAILOVER_CLOSE && a->closed_for_ms >= 0)
        c->failover->unwritten_ms = clock_mono_ms() - a->closed_for_ms;
    if (p->asked == FAILOVER_DRAIN && node == c->failover->f.chosen.primary)
        str_set(&c->failover->drained, a->received);
}

/* What counts although it is not done. While members are armed: this one was silenced since that was decided,
 * its server was restarted perhaps. A server that was killed and does not end. */
static void not_done(Coord *c, int node, const OrderAnswer *a)
{
    const Failover *f = &c->failover->f;
    const FailoverPeer *p = &c->failover->peers[node];
    FailoverEvent ev = {.node = node, .ballot = p->asked_ballot, .silence = a->silence};
    if (p->asked == FAILOVER_ARM && a->follows && f->phase != FAILOVER_IDLE)
        ev.kind = FAILOVER_EV_GROW;
    else if (p->asked == FAILOVER_FENCE && !p->order.clean && a->closed)
        ev.kind = FAILOVER_EV_HELD;
    if (ev.kind)
        failover_feed(c, &ev);
}

static void taken(Coord *c, int node, const json_t *body)
{
    FailoverEdge *e = c->failover;
    FailoverPeer *p = &e->peers[node];
    OrderAnswer a = {0};
    FailoverEvent ev;
    Err err;
    if (!wire_read(order_answer_fields, body, &a, &err)) {
        str_set(&p->waits, err.text);
        return;
    }
    str_set(&p->waits, a.done ? NULL : a.waits_for);
    if (a.done) {
        event_of(c, p, node, &a, &ev);
        if (p->order.kind == p->asked && p->order.decision.version == p->asked_version)
            p->wanted = false;
        if (p->asked == FAILOVER_OPEN) {
            e->opens = false;
            e->raising.strict = e->f.phase == FAILOVER_IDLE && p->order.decision.acks > e->f.base.acks;
        }
        if (p->asked == FAILOVER_FOLLOW)
            str_set(&p->told, NULL);
        failover_feed(c, &ev);
    } else {
        not_done(c, node, &a);
    }
    wire_free(order_answer_fields, &a);
}

/* The primary could not be closed within a moment, and is as open as it was. */
static void not_closed(Coord *c, FailoverPeer *p, const Err *err)
{
    FailoverEvent ev = {.kind = FAILOVER_EV_GIVE_UP};
    if (c->failover->f.phase != FAILOVER_CLOSING)
        return;
    p->wanted = false;
    str_set(&c->failover->refused, err->text);
    failover_record(c, "%s is not closed: %s", p->name, err->text);
    failover_feed(c, &ev);
}

/* Outside of a failover nobody else would tell it. */
static void refused(Coord *c, FailoverPeer *p, const Err *err)
{
    if (p->asked == FAILOVER_CLOSE && (err->kind == ERR_CONFLICT || err->kind == ERR_REFUSED)) {
        not_closed(c, p, err);
        return;
    }
    bool news = p->asked == FAILOVER_FOLLOW && c->failover->f.phase == FAILOVER_IDLE &&
                err->kind == ERR_CONFLICT && !str_eq(p->told, err->text);
    str_set(&p->waits, err->text);
    if (!news)
        return;
    str_set(&p->told, err->text);
    events_add(c, "error", "failover", 0, NULL, p->name,
               "%s cannot follow the new primary and stays closed: %s", p->name, err->text);
}

static void answered(CallRef *ref, bool ok, json_t *body, const Err *err)
{
    Coord *c = ref->c;
    int node = failover_number(c, ref->node);
    if (node == FAILOVER_NOBODY || c->failover->peers[node].serial != ref->task)
        return;
    FailoverPeer *p = &c->failover->peers[node];
    p->busy = false;
    if (!ok && err->kind == ERR_CANCELLED)
        return;
    if (ok)
        taken(c, node, body);
    else
        refused(c, p, err);
    bool waits_for_person = !ok && p->asked == FAILOVER_FOLLOW && err->kind == ERR_CONFLICT &&
                            c->failover->f.phase == FAILOVER_IDLE;
    if (p->wanted)
        retry_failed(c, &p->retry, AGAIN_LEAST_MS, waits_for_person ? REFUSED_MOST_MS : AGAIN_MOST_MS);
    failover_send(c);
}

static void send_order(Coord *c, int node)
{
    FailoverPeer *p = &c->failover->peers[node];
    AgentLink *a = failover_agent(c, node);
    if (!a)
        return;
    AUTOJSON json_t *body = order_body(c, node, &p->order);
    CallRef ref = {.done = answered, .task = p->serial = ++c->failover->serial};
    snprintf(ref.node, sizeof ref.node, "%s", a->name);
    p->busy = true;
    p->asked = p->order.kind;
    p->asked_ballot = p->order.ballot;
    p->asked_version = p->order.decision.version;
    agents_call(a, "POST", "/v1/order", body, ORDER_MS, &ref);
}

void failover_send(Coord *c)
{
    FailoverEdge *e = c->failover;
    for (int i = 0; i < e->n_peers; i++)
        if (e->peers[i].wanted && !e->peers[i].busy && retry_due(&e->peers[i].retry))
            send_order(c, i);
}

/* ---- the decider ------------------------------------------------------------------------------------ */

static void take_orders(Coord *c, const FailoverOrders *orders, NodeSet *kept)
{
    for (int i = 0; i < orders->n; i++) {
        const FailoverOrder *o = &orders->v[i];
        if (o->kind == FAILOVER_TELL) {
            AUTOFREE char *missing = failover_what_is_missing(c);
            failover_record(c, "waits: %s", missing);
            events_add(c, "error", "failover", 0, NULL, NULL, "the failover waits: %s", missing);
            continue;
        }
        for (int k = 0; k < c->failover->n_peers; k++)
            if (o->to & (NodeSet)1 << k) {
                *kept |= (NodeSet)1 << k;
                failover_want(c, k, o);
            }
    }
}

/* An answer may be in the loop's hands while the next phase begins: what is no longer asked for is not sent
 * again. */
void failover_feed(Coord *c, FailoverEvent *ev)
{
    FailoverEdge *e = c->failover;
    FailoverRules rules;
    FailoverOrders orders;
    FailoverPhase before = e->f.phase;
    NodeSet kept = 0;
    failover_rules(c, &rules);
    ev->now_ms = clock_mono_ms();
    failover_step(&e->f, &rules, ev, covers, c, &orders);
    take_orders(c, &orders, &kept);
    bool tidies = before == FAILOVER_IDLE && e->f.phase == FAILOVER_IDLE;
    for (int i = 0; i < e->n_peers; i++)
        if (!(kept & (NodeSet)1 << i) && !tidies)
            e->peers[i].wanted = false;
    if (orders.wake_ms)
        coord_wake_at(c, orders.wake_ms);
    if (e->f.phase != before)
        failover_phase_changed(c, before);
}
