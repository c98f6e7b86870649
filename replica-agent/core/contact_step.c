/* SPDX-License-Identifier: Apache-2.0
 * A primary that cannot know whether it has been replaced closes itself (docs/failover.md has the argument).
 * Its agent asks those of its members whether they still stand by it: that nobody has had them promise to
 * follow another. What one answers counts for `fence_ms` from when it was asked. Where as many as a commit
 * waits for count no more, a commit of our own that they acknowledge says the same: their agents may be down.
 * Without either the server is closed and its sessions are ended; it opens again once they stand by it.
 *
 * Losing the coordinator closes nothing. What was never heard since this agent started, or is not told where
 * to ask, closes nothing either: a mistake in a configuration must not.
 */
#include "step_parts.h"

enum {
    ASK_LEAST_MS = 200,
    ASK_MOST_MS = 1000,
    GAP_MS = 1000,  /* between two ticks: this agent, or its host, stood still */
    GRACE_MS = 500, /* then it asks first */
};

static ContactFlight *flight(const Turn *t)
{
    return &t->s->flight.contact;
}

static const WireDecision *decision(const AgentState *s)
{
    return &s->durable.vote.vote.accepted;
}

/* A later one, or another owner's of that term. */
static bool replaces(Ballot a, Ballot b)
{
    return a.term >= b.term && !ballot_same(a, b);
}

bool contact_stands(const VoteState *v, const char *primary, Ballot asked)
{
    Ballot promised = ballot_read(&v->promised), accepted = ballot_read(&v->accepted.ballot);
    /* A promise that stops no receiver is a coordinator's that takes over: it changes nothing by itself. */
    return !(v->shut && replaces(promised, asked)) &&
           (!replaces(accepted, asked) || str_eq(v->accepted.primary, primary));
}

/* Its members may acknowledge its commits, and it was told for how long their word counts. A promise that
 * stops nobody changes nothing of that: whoever asked for it may be gone. */
static bool is_held_by_members(const AgentState *s)
{
    const WireDecision *d = decision(s);
    return s->durable.role.role == ROLE_PRIMARY && d->acks > 0 && d->fence_ms > 0 && d->open &&
           str_eq(d->primary, s->known.rules.node) && !s->durable.vote.vote.shut;
}

static ContactPeer *peer(ContactFlight *f, const char *node)
{
    for (size_t i = 0; i < f->n; i++)
        if (str_eq(f->peers[i].node, node))
            return &f->peers[i];
    return NULL;
}

static bool are_chosen(const ContactFlight *f, const WireDecision *d)
{
    bool same = f->n == (d->members.n < CONTACT_PEERS ? d->members.n : CONTACT_PEERS);
    for (size_t i = 0; same && i < f->n; i++)
        same = str_eq(f->peers[i].node, d->members.v[i]);
    return same;
}

/* Those of the decision in force; what is known of one that stays is kept. */
static void choose_peers(Turn *t)
{
    const WireDecision *d = decision(t->s);
    if (are_chosen(flight(t), d))
        return;
    ContactFlight *f = flight(t), old = *f;
    f->n = 0;
    for (size_t i = 0; i < d->members.n && f->n < CONTACT_PEERS; i++) {
        ContactPeer *known = peer(&old, d->members.v[i]);
        f->peers[f->n] = known ? *known : (ContactPeer){0};
        f->peers[f->n++].node = xstrdup(d->members.v[i]);
    }
    for (size_t i = 0; i < old.n; i++)
        free(old.peers[i].node);
}

static int64_t ask_every(int64_t fence_ms)
{
    int64_t every = fence_ms / 5;
    return every < ASK_LEAST_MS ? ASK_LEAST_MS : every > ASK_MOST_MS ? ASK_MOST_MS : every;
}

static void ask(Turn *t, ContactPeer *p)
{
    const WireDecision *d = decision(t->s);
    if (p->asked_ms || t->now_ms < p->next_ms || !rules_have_peer(&t->s->known.rules, p->node))
        return;
    Effect *e = fx_add(t, FX_ASK);
    p->asked_ms = t->now_ms;
    e->owner = xstrdup(p->node);
    e->number = d->fence_ms / 2;
}

/* Since when, at the latest, as many as a commit waits for have not been asked to follow another. */
static int64_t held_since(const Turn *t)
{
    const ContactFlight *f = flight(t);
    int64_t acks = decision(t->s)->acks, best = f->acknowledged_ms;
    for (size_t i = 0; i < f->n; i++) {
        int64_t as_late = 0;
        for (size_t j = 0; j < f->n; j++)
            as_late += f->peers[j].stood_ms >= f->peers[i].stood_ms;
        if (as_late >= acks && f->peers[i].stood_ms > best)
            best = f->peers[i].stood_ms;
    }
    return best;
}

/* Their receivers may acknowledge though their agents do not answer. One at a time, since one that is not
 * acknowledged stays. */
static void try_a_commit(Turn *t)
{
    ContactFlight *f = flight(t);
    const ServerView *v = &t->s->known.server;
    bool tells = v->up && v->semi_sync.source_on && !v->status.closed; /* without semi-sync it says nothing */
    if (!tells || f->probe || f->lost || t->now_ms < f->retry_ms)
        return;
    OpOrder *o = fx_sql(t, OP_ORDER, false);
    o->act = ORDER_WRITE_PROBE;
    wire_copy(wire_ballot_fields, &o->order.ballot, &decision(t->s)->ballot);
    f->probe = o->id;
    f->probed_ms = t->now_ms;
}

static void lose(Turn *t)
{
    const WireDecision *d = decision(t->s);
    AUTOFREE char *names = strlist_join(&d->members, ", ");
    flight(t)->lost = true;
    fx_changed(t);
    fx_event(
        t, "error", "failover", NULL,
        "%s, the primary, has heard from fewer than %lld of its members (%s) for %.1f s, and another may "
        "be the primary by now: it is closed to writes and its sessions are ended. It opens again when "
        "they stand by it; look at the network between them",
        t->s->known.rules.node, (long long)d->acks, names, (double)d->fence_ms / 1000);
}

static void find(Turn *t)
{
    flight(t)->lost = false;
    t->s->flight.role.retry_ms = 0;
    fx_changed(t);
    fx_event(t, "info", "failover", NULL, "%s, the primary, hears from its members again: it opens",
             t->s->known.rules.node);
}

static void judge(Turn *t)
{
    ContactFlight *f = flight(t);
    int64_t fence_ms = decision(t->s)->fence_ms, until = held_since(t) + fence_ms;
    bool held = held_since(t) && t->now_ms < until;
    f->had = f->had || held;
    if (held && f->lost)
        find(t);
    if (f->had && t->now_ms >= until - fence_ms / 2)
        try_a_commit(t);
    if (f->had && !held && !f->lost && t->now_ms >= f->grace_ms)
        lose(t);
}

void contact_tick(Turn *t)
{
    ContactFlight *f = flight(t);
    if (!is_held_by_members(t->s)) {
        contact_done(f);
        return;
    }
    if (f->ticked_ms && t->now_ms - f->ticked_ms > GAP_MS)
        f->grace_ms = t->now_ms + GRACE_MS;
    f->ticked_ms = t->now_ms;
    choose_peers(t);
    for (size_t i = 0; i < f->n; i++)
        ask(t, &f->peers[i]);
    judge(t);
}

void contact_answered(Turn *t, const Input *in)
{
    ContactPeer *p = peer(flight(t), in->owner);
    if (!p || !p->asked_ms)
        return;
    if (in->flag && p->asked_ms > p->stood_ms)
        p->stood_ms = p->asked_ms;
    p->next_ms = p->asked_ms + ask_every(decision(t->s)->fence_ms);
    p->asked_ms = 0;
    if (is_held_by_members(t->s))
        judge(t);
}

bool contact_op(Turn *t, const OpReport *op)
{
    enum { RETRY_MS = 500 };
    ContactFlight *f = flight(t);
    if (op->kind != OP_ORDER || !f->probe || op->id != f->probe)
        return false;
    f->probe = 0;
    f->retry_ms = t->now_ms + RETRY_MS;
    if (op->end == END_OK && f->probed_ms > f->acknowledged_ms)
        f->acknowledged_ms = f->probed_ms;
    if (is_held_by_members(t->s))
        judge(t);
    return true;
}
