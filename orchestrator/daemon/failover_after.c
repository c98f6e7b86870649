/* SPDX-License-Identifier: Apache-2.0
 * After a failover, and after a start: what is not finished is finished, whoever began it; a node that was
 * away is counted in again.
 */
#include <inttypes.h>

#include "agents.h"
#include "common/base/clock.h"
#include "common/file/json.h"
#include "failover_impl.h"
#include "orchestrator/core/topology.h"
#include "provisions.h"

enum {
    UNFINISHED_MS = 3000, /* votes of a failover that another coordinator may still be at */
    TIDY_EVERY_MS = 1000,
    STILL_MS =
        1500, /* commits wait, and nothing is written: it is not the next acknowledgement that is late */
    ARM_AGAIN_MS = 5000,
};

static void watch_votes(Coord *c)
{
    FailoverEdge *e = c->failover;
    int64_t now = clock_mono_ms();
    bool calm = e->f.phase == FAILOVER_IDLE || e->f.phase == FAILOVER_DEPOSED;
    if (!calm || c->fenced || !failover_hears_majority(c) || !failover_is_unfinished(c)) {
        e->unfinished_ms = 0;
        return;
    }
    if (!e->unfinished_ms)
        e->unfinished_ms = now;
    if (now - e->unfinished_ms < UNFINISHED_MS)
        return;
    e->unfinished_ms = 0;
    failover_confirm_last(c, "votes are not of one decision");
}

static bool is_decided(const Coord *c)
{
    bool decided = c->failover->f.base.ballot.term > 0;
    for (size_t i = 0; i < c->n_agents; i++)
        decided = decided || c->agents[i]->node.agent.vote.accepted.version > 0;
    return decided;
}

/* Whoever looks after the members needs a ballot of its own: what stands is put to the voters in one, also
 * after each start. The first decision waits until all agents answer and commits are seen to wait for an
 * acknowledgement: from then on only members give one. */
static void take_charge(Coord *c)
{
    const FailoverEdge *e = c->failover;
    if (e->f.phase != FAILOVER_IDLE || failover_is_ours(e, e->f.base.ballot) || e->unfinished_ms ||
        c->fenced || !e->looked_back || e->detect.kind != DETECT_WELL || !failover_hears_majority(c))
        return;
    if (is_decided(c))
        failover_confirm_last(c, "this coordinator has begun");
    else if (c->conf.failover.automatic && failover_was_strict(c) && failover_heard(c) == c->n_agents)
        failover_confirm_last(c, "nothing was decided yet");
}

/* Somebody has promised a later ballot than ours, or ours of another. */
void failover_watch_rivals(Coord *c)
{
    FailoverEdge *e = c->failover;
    for (size_t i = 0; failover_is_under_way(c) && i < c->n_agents; i++) {
        Ballot b = ballot_read(&c->agents[i]->node.agent.vote.promised);
        if (!c->agents[i]->fresh || b.term < e->f.mine.term || failover_is_ours(e, b))
            continue;
        FailoverEvent ev = {.kind = FAILOVER_EV_REFUSED, .ballot = b};
        failover_feed(c, &ev);
    }
}

/* The members may have what is waited for, and their receivers will never say so. A server that hangs over
 * it may not answer either. */
static bool commits_stand(const Coord *c)
{
    const FailoverEdge *e = c->failover;
    const AgentLink *primary = state_primary_agent(c);
    const ServerState *s = primary ? &primary->node.agent.server : NULL;
    return s && primary->fresh && s->semi_sync_waits > 0 && (s->hangs || e->watched.still_ms >= STILL_MS);
}

static bool is_to_say_again(Coord *c)
{
    FailoverEdge *e = c->failover;
    if (!commits_stand(c) || clock_mono_ms() < e->armed_ms + ARM_AGAIN_MS)
        return false;
    e->armed_ms = clock_mono_ms();
    return true;
}

/* One that was away gets the decision, follows, is counted in, acknowledges: one step a look. False: nothing
 * is to be ordered. */
static bool wish(Coord *c, const AgentLink *a, int node, bool say_again, FailoverOrder *o)
{
    FailoverEdge *e = c->failover;
    const NodeState *s = &a->node.agent;
    bool accepted = failover_is_ours(e, ballot_read(&s->vote.accepted.ballot)) &&
                    s->vote.accepted.version == e->f.base.version;
    *o = (FailoverOrder){
        .kind = FAILOVER_ACCEPT, .ballot = e->f.mine, .decision = e->f.base, .donor = FAILOVER_NOBODY};
    if (!accepted)
        return true;
    o->kind = FAILOVER_OPEN;
    if (node == e->f.base.primary)
        return e->opens || failover_raise(c, o);
    if (!s->server.up || state_is_being_made(c, a))
        return false;
    o->kind = FAILOVER_FOLLOW;
    if (!failover_follows_primary(c, a))
        return true;
    o->kind = FAILOVER_ARM;
    if (s->server.io != RECEIVER_YES)
        return false;
    bool member = e->f.base.members & (NodeSet)1 << node;
    if (member && s->server.acknowledges && !say_again)
        return false;
    if (str_eq(e->leaving.node, a->name)) /* what it acknowledges from here on is not among what was noted */
        str_set(&e->leaving.node, NULL);
    if (member && (!s->silence || s->silence == e->f.silence[node]))
        return true;
    FailoverEvent ev = {.kind = FAILOVER_EV_GROW, .node = node, .ballot = e->f.mine, .silence = s->silence};
    e->grows = true;
    failover_feed(c, &ev);
    return false;
}

static void tidy_node(Coord *c, const AgentLink *a, bool say_again)
{
    FailoverEdge *e = c->failover;
    FailoverOrder o;
    int node = failover_number(c, a->name);
    if (node == FAILOVER_NOBODY || !a->fresh || e->peers[node].busy)
        return;
    if (wish(c, a, node, say_again, &o))
        failover_want(c, node, &o);
    else if (e->f.phase == FAILOVER_IDLE) /* else it is asked for something by now */
        e->peers[node].wanted = false;
}

static void tidy(Coord *c)
{
    FailoverEdge *e = c->failover;
    int64_t now = clock_mono_ms();
    if (now < e->tidied_ms + TIDY_EVERY_MS)
        return;
    e->tidied_ms = now;
    bool say_again = is_to_say_again(c);
    for (size_t i = 0;
         e->f.phase == FAILOVER_IDLE && failover_is_ours(e, e->f.base.ballot) && i < c->n_agents; i++)
        tidy_node(c, c->agents[i], say_again);
}

/* The node that was asked for, where it can still be. */
static const char *asked_for(const Coord *c, const json_t *left)
{
    const AgentLink *a = state_agent(c, json_str(left, "only"));
    return a && a->fresh && a->node.agent.server.up ? a->name : NULL;
}

static void resume_unfinished(Coord *c)
{
    const Decision *base = &c->failover->f.base;
    if (c->failover->f.phase != FAILOVER_IDLE || !failover_is_ours(c->failover, base->ballot) || base->open)
        return;
    AUTOJSON json_t *left = failover_record_left(c);
    FailoverWish w = {.kind = "resumed",
                      .by = "sidingd",
                      .only = asked_for(c, left),
                      .clean = json_bool(left, "clean"),
                      .cause = "a primary was decided and has not been opened: this is finished"};
    failover_begin_own(c, &w);
}

/* A failover that the process before this one has begun, as its record says, and that the votes know nothing
 * of any more: it has ended well, or is begun again where the primary is still dead. */
static void look_back(Coord *c)
{
    FailoverEdge *e = c->failover;
    const char *primary = failover_name(c, e->f.base.primary);
    bool calm = e->f.phase == FAILOVER_IDLE && !e->unfinished_ms && failover_hears_majority(c);
    if (e->looked_back || !calm || e->watched.login == DETECT_NOT_TRIED)
        return;
    e->looked_back = true;
    AUTOJSON json_t *left = failover_record_left(c);
    if (!left)
        return;
    if (!str_eq(primary, json_str(left, "from"))) {
        failover_record_close(c, json_int(left, "id"), "promoted", primary);
        return;
    }
    if (e->watched.login == DETECT_ANSWERS) {
        failover_record_close(c, json_int(left, "id"), "interrupted", NULL);
        return;
    }
    AUTOFREE char *cause = xasprintf("failover %" PRId64 " was interrupted", json_int(left, "id"));
    FailoverWish w = {.kind = "resumed", .by = "sidingd", .cause = cause, .only = asked_for(c, left)};
    failover_begin_own(c, &w);
}

void failover_look_after(Coord *c)
{
    watch_votes(c);
    resume_unfinished(c);
    look_back(c);
    take_charge(c);
    tidy(c);
}
