/* SPDX-License-Identifier: Apache-2.0
 * What a person has to know who decides on a failover: what is waited for, what would be lost, the command
 * that goes on; and whether the primary, of which he says that its host is off, still answers.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "common/base/clock.h"
#include "failover_impl.h"

/* What the old primary had when it was heard last. */
static LossNode old_primary(const Coord *c, const AgentLink *a)
{
    const ServerState *s = &a->node.agent.server;
    const LagSamples *seen = &c->samples;
    LossNode x = {.position = s->binlog && *s->binlog ? s->binlog : NULL, .read_at = s->read_at};
    if (x.position || !lag_newest(seen))
        return x;
    x.position = lag_newest(seen);
    x.read_at = seen->v[(seen->first + seen->n - 1) % LAG_SAMPLES].at_ms;
    return x;
}

/* In one that waits for promises they are asked that have promised; else whoever answers would. */
static bool is_asked(const Coord *c, const AgentLink *a, int node)
{
    const Failover *f = &c->failover->f;
    if (f->phase == FAILOVER_FENCING)
        return f->fenced & (NodeSet)1 << node;
    return a->fresh && (a->node.agent.server.up || node == f->base.held_by);
}

static LossNode loss_node(const Coord *c, const AgentLink *a, int node)
{
    const Failover *f = &c->failover->f;
    const ServerState *s = &a->node.agent.server;
    bool old = node == f->base.held_by;
    LossNode x = old ? old_primary(c, a) : (LossNode){.position = s->received, .read_at = s->read_at};
    x.name = a->name;
    x.old = old;
    x.member = f->base.members & (NodeSet)1 << node;
    x.asked = is_asked(c, a, node);
    x.ended = old && (f->phase != FAILOVER_FENCING || f->nodes[node].ended);
    if (f->phase == FAILOVER_FENCING && x.asked && !old && c->failover->peers[node].position)
        x.position = c->failover->peers[node].position;
    return x;
}

void failover_loss(Coord *c, Loss *ret)
{
    LossNode nodes[FAILOVER_NODES];
    LossFacts facts = {.nodes = nodes, .acks = c->failover->f.base.acks, .strict = failover_was_strict(c)};
    (void)state_primary_flavor(c, &facts.flavor); /* else nobody has told a position either */
    for (size_t i = 0; i < c->n_agents && facts.n < FAILOVER_NODES; i++) {
        int node = failover_number(c, c->agents[i]->name);
        if (node != FAILOVER_NOBODY)
            nodes[facts.n++] = loss_node(c, c->agents[i], node);
    }
    loss_look(&facts, ret);
}

static void fence_is_missing(Coord *c, Str *out)
{
    const Failover *f = &c->failover->f;
    FailoverRules rules;
    failover_rules(c, &rules);
    AUTOFREE char *have = failover_names(c, f->fenced);
    AUTOFREE char *lack = failover_names(c, rules.voters & ~f->fenced);
    AUTOFREE char *members = failover_names(c, f->base.members);
    AUTO(loss_done) Loss loss;
    failover_loss(c, &loss);
    AUTOFREE char *lost = strlist_join(&loss.lines, "; ");
    str_addf(out, "needs decision: promised have %s; not %s. ", have, lack);
    if (loss.majority && loss.complete) {
        str_adds(out, "None of those can become the primary: siding cluster failover --dry-run says why");
        return;
    }
    str_adds(out, "A new primary needs a majority");
    if (failover_was_strict(c))
        str_addf(out, ", and %d of the members (%s)", __builtin_popcount(f->base.members) - f->base.acks + 1,
                 members);
    str_addf(out, ", or the old primary's binary log: bring one of them back. Without them: %s. %s goes on",
             lost, loss.command);
}

char *failover_what_is_missing(Coord *c)
{
    FailoverEdge *e = c->failover;
    Str out = STR_INIT;
    if (e->f.phase == FAILOVER_FENCING)
        fence_is_missing(c, &out);
    for (int i = 0; i < e->n_peers; i++)
        if (e->peers[i].wanted && e->peers[i].waits)
            str_addf(&out, "%s%s: %s", out.len ? "; " : "", e->peers[i].name, e->peers[i].waits);
    if (!out.len)
        str_adds(&out, "answers of the agents");
    return str_take(&out);
}

/* Nobody says of such a host that it is off. */
bool failover_primary_is_silent(Coord *c, Err *err)
{
    const AgentLink *primary = state_primary_agent(c);
    DetectLogin login = c->failover->watched.login;
    const char *said = "has seen that its host is off, and is wrong";
    if (login == DETECT_NOT_TRIED)
        return err_set(err, ERR_UNREACHABLE, 0,
                       "the primary %s has not been looked at yet: try again in a second",
                       c->journal.primary);
    if (login != DETECT_REFUSED && login != DETECT_SILENT)
        return err_set(err, ERR_REFUSED, 0, "the primary's server %s answers: who %s", c->journal.primary,
                       said);
    if (primary && primary->fresh)
        return err_set(
            err, ERR_REFUSED, 0,
            "the agent of %s answers: who %s; siding cluster failover ends its server and reads its "
            "binary log",
            primary->name, said);
    for (size_t i = 0; i < c->n_agents; i++) {
        const AgentLink *a = c->agents[i];
        if (a != primary && a->fresh && a->node.agent.server.up && a->node.agent.server.io == RECEIVER_YES &&
            failover_follows_primary(c, a))
            return err_set(err, ERR_REFUSED, 0, "%s still receives from the primary %s: who %s", a->name,
                           c->journal.primary, said);
    }
    return true;
}
