/* SPDX-License-Identifier: Apache-2.0
 * What the vote_*.c files share: vote_step.c (what is done, and when), vote_view.c (what is so),
 * vote_answer.c (what is said). Nobody else includes this.
 */
#pragma once

#include "effect.h"

static inline VoteFlight *vote_flight(const Turn *t)
{
    return &t->s->flight.vote;
}

static inline VoteState *vote_state(const Turn *t)
{
    return &t->s->durable.vote.vote;
}

static inline const char *vote_node(const Turn *t)
{
    return t->s->known.rules.node;
}

/* vote_view.c */
/* One that is ordered to drain without being the winner. */
bool vote_is_donor(const AgentOrder *o, const char *name);
Order vote_pure(const Turn *t, const AgentOrder *order);
bool vote_is_writable(const Turn *t);
OrderView vote_view(const Turn *t);

/* vote_answer.c */
/* token 0: nobody waits. `refused`: why, NULL: it is not. */
void vote_reply(Turn *t, uint64_t token, OrderKind kind, bool done, const char *why, const Err *refused);
/* Whoever waits for the order under way is answered. */
void vote_end_request(Turn *t, bool done);
/* Why the order under way is not done yet; NULL: nothing is in its way. Told once. */
void vote_trouble(Turn *t, const char *text);
void vote_refuse(Turn *t, uint64_t token, const AgentOrder *o, const char *why);
/* The order under way, by what is so here. */
void vote_refuse_this(Turn *t);
