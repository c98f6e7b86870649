/* SPDX-License-Identifier: Apache-2.0
 * What a voter promises and accepts, so that at most one server is the primary of a term. Every agent is a
 * voter. A ballot is a term and the coordinator that owns it; a voter keeps the greatest that it has
 * promised, and the last decision that it has accepted. Both are on disk before they are answered. Pure.
 *
 * Invariants: `promised` never goes back; an equal term of another owner is refused; `accepted` goes forward
 * by ballot, then version, and is never above `promised`. While `shut`, no receiver of this voter's server
 * may be started: a promise that asked for it can only be followed by a decision of that ballot or a later
 * one.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "wire_order.h"

typedef struct Ballot {
    int64_t term;   /* 0: none */
    uint64_t owner; /* drawn at random when a coordinator's journal begins */
} Ballot;

typedef struct Voter {
    Ballot promised;
    bool shut;
    Ballot accepted;
    int64_t version; /* of the decision accepted; 0: none */
} Voter;

bool ballot_same(Ballot a, Ballot b);
/* As they travel. `to` is emptied first. */
Ballot ballot_read(const WireBallot *b);
void ballot_write(Ballot b, WireBallot *to);

/* Each changes `v` and returns true, or leaves it alone: `b` is below what was promised, or its term is
 * another owner's. A repeated one is taken again. `stops`: the receiver is to stop. */
bool voter_promise(Voter *v, Ballot b, bool stops);
bool voter_accept(Voter *v, Ballot b, int64_t version);

/* An order that is given in `b` may be carried out: the last decision accepted is of `b`, and nothing later
 * was promised. The one gate of every receiver's START and of every opening. */
bool voter_obeys(const Voter *v, Ballot b);
