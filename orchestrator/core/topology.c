/* SPDX-License-Identifier: Apache-2.0 */
#include "topology.h"

#include "common/base/clock.h"

static bool replicates_from(const ServerState *replica, const ServerState *source)
{
    return replica->is_replica && replica->source_port == source->port;
}

static const Node *find_source(const Node *const *nodes, size_t n, const Node *replica)
{
    const Node *by_port = NULL;
    for (size_t i = 0; i < n; i++) {
        const ServerState *s = &nodes[i]->agent.server;
        if (nodes[i] == replica || !replicates_from(&replica->agent.server, s))
            continue;
        if (str_eq(s->address, replica->agent.server.source_host))
            return nodes[i];
        by_port = nodes[i];
    }
    /* A host has several names; one server that is no replica and listens on that port will do. */
    return by_port && !by_port->agent.server.is_replica ? by_port : NULL;
}

const char *topology_source(const Node *const *nodes, size_t n, const Node *node)
{
    const Node *source = node->agent.server.is_replica ? find_source(nodes, n, node) : NULL;
    return source ? source->name : NULL;
}

bool topology_primary(const Node *const *nodes, size_t n, const char **ret_name, Err *err)
{
    const Node *found = NULL;
    for (size_t i = 0; i < n; i++) {
        if (!nodes[i]->agent.node || !nodes[i]->agent.server.up)
            return err_set(err, ERR_UNREACHABLE, 0,
                           "%s has not been seen yet; who is primary is decided once every node has",
                           nodes[i]->name);
        if (nodes[i]->agent.server.is_replica)
            continue;
        if (found)
            return err_set(
                err, ERR_CONFLICT, 0,
                "%s and %s are both no replicas: which one is the primary? Make all but one replicate from "
                "it, or take the other out of \"agents\"",
                found->name, nodes[i]->name);
        found = nodes[i];
    }
    if (!found)
        return err_set(err, ERR_CONFLICT, 0, "every node is a replica: the primary is not among \"agents\"");
    for (size_t i = 0; i < n; i++) {
        const Node *r = nodes[i];
        if (r->agent.server.is_replica && find_source(nodes, n, r) == NULL)
            return err_set(err, ERR_CONFLICT, 0,
                           "%s replicates from %s:%lld, which is no node of this cluster", r->name,
                           r->agent.server.source_host ? r->agent.server.source_host : "?",
                           (long long)r->agent.server.source_port);
    }
    *ret_name = found->name;
    return true;
}

bool topology_is_sole_acknowledger(const Node *primary, const Node *node)
{
    const ServerState *p = &primary->agent.server, *s = &node->agent.server;
    return p->up && p->semi_sync_acks >= 0 && p->semi_sync_acks <= 1 && s->up && s->acknowledges &&
           s->io == RECEIVER_YES;
}

char *topology_mixed(const Node *primary, const Node *node)
{
    const ServerState *s = &node->agent.server, *p = primary ? &primary->agent.server : s;
    if (!p->flavor || !s->flavor || str_eq(p->flavor, s->flavor))
        return NULL;
    return xasprintf("runs %s %s and the primary %s %s %s: their GTIDs mean nothing to each other, a cluster "
                     "must be all MariaDB or all MySQL",
                     s->flavor, s->version ? s->version : "", primary->name, p->flavor,
                     p->version ? p->version : "");
}

static NodeHealth lease_health(const LeaseState *lease)
{
    switch (lease->phase) {
    case PHASE_PAUSING:
        return NODE_PAUSING;
    case PHASE_RESUMING:
    case PHASE_RESCUING:
    case PHASE_CATCHING_UP:
        return NODE_CATCHING_UP;
    default:
        return NODE_PAUSED;
    }
}

NodeHealth topology_node_health(const Node *node, const char *primary)
{
    const ServerState *s = &node->agent.server;
    if (node->agent_error)
        return NODE_UNREACHABLE;
    if (!node->agent.node)
        return NODE_NOT_SEEN;
    if (!s->up)
        return NODE_DOWN;
    if (node->agent.lease.owner)
        return lease_health(&node->agent.lease);
    if (str_eq(node->name, primary))
        return s->is_replica ? NODE_ERRORS : NODE_SERVING;
    if (!s->is_replica)
        return NODE_DETACHED;
    if ((s->io_error && *s->io_error) || (s->sql_error && *s->sql_error))
        return NODE_ERRORS;
    if (!s->sql_running || s->io == RECEIVER_NO)
        return NODE_STOPPED;
    return s->io == RECEIVER_YES ? NODE_SERVING : NODE_CONNECTING;
}

enum { LATE_MS = 15000 };

static bool stands(const LeaseState *l)
{
    return l->owner && l->phase != PHASE_RESUMING && l->phase != PHASE_RESCUING &&
           l->phase != PHASE_CATCHING_UP;
}

char *topology_pause_trouble(const Node *node, int64_t now_ms)
{
    char left[CLOCK_TEXT];
    const LeaseState *l = &node->agent.lease;
    if (!stands(l) || !l->expires_at)
        return NULL;
    int64_t over_ms = now_ms - l->expires_at;
    clock_format_duration(over_ms < 0 ? -over_ms : over_ms, left);
    if (over_ms > LATE_MS)
        return xasprintf("is paused %s beyond its limit%s: on its host, siding-agent --config … --release",
                         left, node->agent_error ? ", and its agent cannot be reached" : "");
    if (node->agent_error && over_ms < 0)
        return xasprintf(
            "is paused, and its agent, which ends that in %s, cannot be reached: start the agent, or "
            "on its host siding-agent --config … --release",
            left);
    return NULL;
}

void topology_warnings(const Node *node, const char *primary, int64_t now_ms, StrList *ret)
{
    const ServerState *s = &node->agent.server;
    AUTOFREE char *pause = topology_pause_trouble(node, now_ms);
    if (pause)
        strlist_addf(ret, "%s: %s", node->name, pause);
    if (node->agent_error)
        strlist_addf(ret, "%s: its agent cannot be reached: %s", node->name, node->agent_error);
    else if (node->agent.node && !s->up)
        strlist_addf(ret, "%s: its server is down: %s", node->name, s->error ? s->error : "no reason given");
    for (size_t i = 0; i < node->agent.warnings.n; i++)
        strlist_addf(ret, "%s: %s", node->name, node->agent.warnings.v[i]);
    if (node->errant)
        strlist_addf(ret, "%s: has transactions that the primary does not have (errant): %.200s", node->name,
                     node->errant);
    NodeHealth health = topology_node_health(node, primary);
    if (health == NODE_STOPPED)
        strlist_addf(ret, "%s: replication is stopped, and not by Siding: it is left alone", node->name);
    else if (health == NODE_ERRORS && (s->sql_error || s->io_error))
        strlist_addf(ret, "%s: replication error: %s", node->name,
                     s->sql_error && *s->sql_error ? s->sql_error
                     : s->io_error                 ? s->io_error
                                                   : "");
    else if (health == NODE_DETACHED)
        strlist_addf(ret, "%s: is neither the primary nor a replica", node->name);
}
