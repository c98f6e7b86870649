/* SPDX-License-Identifier: Apache-2.0 */
#include "ballot.h"

#include <inttypes.h>
#include <stdlib.h>

bool ballot_same(Ballot a, Ballot b)
{
    return a.term == b.term && a.owner == b.owner;
}

Ballot ballot_read(const WireBallot *b)
{
    return (Ballot){b->term, b->owner ? strtoull(b->owner, NULL, 16) : 0};
}

void ballot_write(Ballot b, WireBallot *to)
{
    free(to->owner);
    *to = (WireBallot){b.term, xasprintf("%016" PRIx64, b.owner)};
}

static bool outranked(const Voter *v, Ballot b)
{
    return b.term < v->promised.term || (b.term == v->promised.term && b.owner != v->promised.owner);
}

bool voter_promise(Voter *v, Ballot b, bool stops)
{
    if (outranked(v, b))
        return false;
    /* A promise repeated after its decision was accepted must not shut the gate again. */
    bool decided = ballot_same(v->accepted, b);
    v->promised = b;
    if (stops && !decided)
        v->shut = true;
    return true;
}

bool voter_accept(Voter *v, Ballot b, int64_t version)
{
    if (outranked(v, b) || (ballot_same(v->accepted, b) && version < v->version))
        return false;
    v->promised = v->accepted = b;
    v->version = version;
    v->shut = false;
    return true;
}

bool voter_obeys(const Voter *v, Ballot b)
{
    return !v->shut && ballot_same(v->promised, b) && ballot_same(v->accepted, b);
}
