/* SPDX-License-Identifier: Apache-2.0
 * The decider knows nodes by number, everybody else by name. A number is given once and kept as long as this
 * process lives.
 */
#include <stdio.h>
#include <stdlib.h>

#include "failover_impl.h"

int failover_number(Coord *c, const char *name)
{
    FailoverEdge *e = c->failover;
    if (!name || !*name)
        return FAILOVER_NOBODY;
    for (int i = 0; i < e->n_peers; i++)
        if (str_eq(e->peers[i].name, name))
            return i;
    if (e->n_peers == FAILOVER_NODES)
        return FAILOVER_NOBODY;
    e->peers[e->n_peers] = (FailoverPeer){.name = xstrdup(name)};
    return e->n_peers++;
}

const char *failover_name(const Coord *c, int node)
{
    return node >= 0 && node < c->failover->n_peers ? c->failover->peers[node].name : NULL;
}

AgentLink *failover_agent(const Coord *c, int node)
{
    const char *name = failover_name(c, node);
    return name ? state_agent(c, name) : NULL;
}

static void list_names(const Coord *c, NodeSet set, StrList *ret)
{
    for (int i = 0; i < c->failover->n_peers; i++)
        if (set & (NodeSet)1 << i)
            strlist_add(ret, c->failover->peers[i].name);
}

char *failover_names(const Coord *c, NodeSet set)
{
    AUTO(strlist_done) StrList names = STRLIST_INIT;
    list_names(c, set, &names);
    return names.n ? strlist_join(&names, ", ") : xstrdup("nobody");
}

Decision failover_decision(Coord *c, const WireDecision *d)
{
    Decision ret = {.ballot = ballot_read(&d->ballot),
                    .version = d->version,
                    .primary = failover_number(c, d->primary),
                    .held_by = failover_number(c, d->held_by),
                    .open = d->open,
                    .acks = (int)d->acks};
    for (size_t i = 0; i < d->members.n; i++) {
        int node = failover_number(c, d->members.v[i]);
        if (node != FAILOVER_NOBODY)
            ret.members |= (NodeSet)1 << node;
    }
    return ret;
}

void failover_write_decision(const Coord *c, const Decision *d, WireDecision *ret)
{
    *ret = (WireDecision){.version = d->version,
                          .primary = xstrdup(failover_name(c, d->primary)),
                          .held_by = xstrdup(failover_name(c, d->held_by)),
                          .open = d->open,
                          .acks = d->acks,
                          .fence_ms = c->conf.failover.fence_after_ms};
    ballot_write(d->ballot, &ret->ballot);
    list_names(c, d->members, &ret->members);
}
