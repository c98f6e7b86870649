/* SPDX-License-Identifier: Apache-2.0
 * A replica is counted out: it acknowledges nothing any more, the others hold all that it ever acknowledged,
 * and a majority of the voters knows that it is no member. Asked again until it is so; nothing is remembered
 * but the position that the others must have reached, and the silence (orchestrator/core/failover) that it
 * was read in: whoever acknowledges again begins another, and is counted in anew before.
 */
#include <stdio.h>

#include "common/db/gtid.h"
#include "common/file/json.h"
#include "common/wire/bounds.h"
#include "events.h"
#include "failover_impl.h"
#include "handlers.h"
#include "provisions.h"

static bool is_member(Coord *c, const AgentLink *a)
{
    const Decision *base = &c->failover->f.base;
    int node = failover_number(c, a->name);
    return base->ballot.term && node != FAILOVER_NOBODY && (base->members & (NodeSet)1 << node);
}

/* What a client was told may be here and on the primary alone, as long as it may acknowledge. */
static bool is_silent(const AgentLink *a, bool is_off, Err *err)
{
    const ServerState *s = &a->node.agent.server;
    if (!a->fresh || !s->up)
        return is_off ||
               err_set(err, ERR_REFUSED, 0,
                       "%s does not answer, and may still acknowledge what the primary commits: see that its "
                       "host is off, then --its-host-is-off",
                       a->name);
    return !s->is_replica || s->io == RECEIVER_NO ||
           err_set(err, ERR_REFUSED, 0,
                   "%s still replicates: STOP REPLICA on it (nobody starts it again), then the "
                   "same command",
                   a->name);
}

static bool may_leave(Coord *c, const AgentLink *a, bool is_off, Err *err)
{
    const Decision *base = &c->failover->f.base;
    if (str_eq(a->name, c->journal.primary))
        return err_set(err, ERR_REFUSED, 0, "%s is the primary: siding cluster switchover moves it first",
                       a->name);
    if (failover_is_under_way(c))
        return err_set(err, ERR_CONFLICT, 0, "a failover is under way: wait for its end");
    if (!base->ballot.term)
        return true;
    if (is_member(c, a) && __builtin_popcount(base->members) <= base->acks)
        return err_set(
            err, ERR_REFUSED, 0,
            "each commit waits for %d of the replicas, and without %s fewer would be left: add another first",
            base->acks, a->name);
    return is_silent(a, is_off, err);
}

/* Stopped, and in a silence that no order to acknowledge which may be under way can end. */
static bool is_beyond_orders(Coord *c, const AgentLink *a)
{
    const FailoverEdge *e = c->failover;
    const NodeState *s = &a->node.agent;
    if (!a->fresh || !s->server.up)
        return true; /* off, as a person says: whatever comes back begins another */
    int64_t armed = e->f.silence[failover_number(c, a->name)];
    return failover_is_ours(e, ballot_read(&s->vote.accepted.ballot)) &&
           s->vote.accepted.version == e->f.base.version && s->silence && s->silence != armed;
}

/* By a reading of the primary that was begun after it was known that this one acknowledges nothing: the first
 * that comes may have been under way by then, and hosts have clocks of their own. */
static const char *position_after(Coord *c, const AgentLink *a)
{
    enum { READINGS = 2 };
    FailoverEdge *e = c->failover;
    const AgentLink *primary = state_primary_agent(c);
    int64_t silence = a->fresh && a->node.agent.server.up ? a->node.agent.silence : 0;
    if (!str_eq(e->leaving.node, a->name) || e->leaving.silence != silence) {
        str_set(&e->leaving.node, a->name);
        str_set(&e->leaving.position, NULL);
        e->leaving.silence = silence;
        e->leaving.read_at = e->leaving.readings = 0;
    }
    if (e->leaving.position || !primary || !primary->fresh || !primary->node.agent.server.up)
        return e->leaving.position;
    const ServerState *s = &primary->node.agent.server;
    if (e->leaving.read_at && s->read_at != e->leaving.read_at && ++e->leaving.readings == READINGS)
        str_set(&e->leaving.position, s->binlog);
    e->leaving.read_at = s->read_at;
    return e->leaving.position;
}

static bool has(Coord *c, const AgentLink *a, const char *position)
{
    DbFlavor flavor;
    const ServerState *s = &a->node.agent.server;
    if (!a->fresh || !s->up || !state_primary_flavor(c, &flavor))
        return false;
    AUTOFREE char *all = gtid_max_text(flavor, s->applied ? s->applied : "", s->received ? s->received : "");
    GtidOrder order = all ? gtid_compare_text(flavor, all, position) : GTID_DIVERGED;
    return order == GTID_EQUAL || order == GTID_AFTER;
}

const char *failover_who_lacks(Coord *c, const AgentLink *a, const char *position)
{
    const Decision *base = &c->failover->f.base;
    for (int i = 0; i < c->failover->n_peers; i++) {
        const AgentLink *other = failover_agent(c, i);
        if ((base->members & (NodeSet)1 << i) && other != a && (!other || !has(c, other, position)))
            return failover_name(c, i);
    }
    return NULL;
}

/* What it waits for, owned; NULL: it is counted out. */
static char *leave(Coord *c, const AgentLink *a)
{
    FailoverEdge *e = c->failover;
    if (!is_member(c, a))
        return NULL;
    if (!failover_is_ours(e, e->f.base.ballot)) {
        failover_confirm_last(c, "a replica is to be counted out");
        return xstrdup("the last decision is confirmed by the voters");
    }
    if (!is_beyond_orders(c, a))
        return xasprintf("%s is told of the last decision, and asked once more", a->name);
    const char *position = position_after(c, a);
    if (!position)
        return xstrdup("the primary is asked what it has committed");
    const char *lacks = failover_who_lacks(c, a, position);
    if (lacks)
        return xasprintf("%s has not received all that %s may have acknowledged (%.200s)", lacks, a->name,
                         position);
    FailoverEvent ev = {.kind = FAILOVER_EV_SHRINK, .node = failover_number(c, a->name), .ballot = e->f.mine};
    e->grows = true;
    failover_feed(c, &ev);
    failover_send(c);
    return xstrdup("it is put to the voters");
}

static void add_left(const Coord *c, const AgentLink *a, json_t *o)
{
    AUTO(strlist_done) StrList left = STRLIST_INIT;
    strlist_addf(&left,
                 "take %s out of agents in %s, and out of peers in the agents' files; then SIGHUP to each",
                 a->name, c->config_path);
    strlist_addf(&left, "stop the agent of %s and its server, and take it out of what clients connect to",
                 a->name);
    if (a->node.agent.server.address)
        strlist_addf(
            &left,
            "on the primary: DROP USER IF EXISTS 'siding_provision'@'%s', which read everything where "
            "it was invited",
            a->node.agent.server.address);
    json_set_strs(o, "left_to_do", &left);
}

void handle_remove(HttpRequest *req, void *context)
{
    Coord *c = context;
    json_t *body;
    Err err;
    const AgentLink *a = state_agent(c, http_param(req, "name"));
    if (!a) {
        handle_error(req, ERR_NOT_FOUND, "there is no node \"%s\"", http_param(req, "name"));
        return;
    }
    if (!http_body(req, &body, &err) || !bounds_check(remove_bounds, DOOR_API, body, &err) ||
        !may_leave(c, a, json_bool(body, "its_host_is_off"), &err)) {
        http_reply_error(req, &err);
        return;
    }
    AUTOFREE char *waits = leave(c, a);
    json_t *o = json_object();
    json_set_bool(o, "removed", !waits);
    json_set_str(o, "waits_for", waits);
    if (!waits) {
        add_left(c, a, o);
        str_set(&c->failover->leaving.node, NULL);
    }
    http_reply_json(req, 200, o);
}
