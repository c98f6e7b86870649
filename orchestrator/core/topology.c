/* SPDX-License-Identifier: Apache-2.0 */
#include "topology.h"

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
           str_eq(s->io, "yes");
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

static const char *lease_word(const LeaseState *lease)
{
    if (str_eq(lease->phase, "pausing"))
        return "pausing";
    if (str_eq(lease->phase, "resuming") || str_eq(lease->phase, "rescuing") ||
        str_eq(lease->phase, "catching_up"))
        return "catching_up";
    return "paused";
}

const char *topology_node_state(const Node *node, const char *primary)
{
    const ServerState *s = &node->agent.server;
    if (node->agent_error)
        return "unreachable";
    if (!node->agent.node)
        return "unknown";
    if (!s->up)
        return "down";
    if (node->agent.lease.owner)
        return lease_word(&node->agent.lease);
    if (str_eq(node->name, primary))
        return s->is_replica ? "errors" : "serving";
    if (!s->is_replica)
        return "detached";
    if ((s->io_error && *s->io_error) || (s->sql_error && *s->sql_error))
        return "errors";
    if (!s->sql_running || str_eq(s->io, "no"))
        return "stopped";
    return str_eq(s->io, "yes") ? "serving" : "connecting";
}

void topology_warnings(const Node *node, const char *primary, StrList *ret)
{
    const ServerState *s = &node->agent.server;
    if (node->agent_error)
        strlist_addf(ret, "%s: its agent cannot be reached: %s", node->name, node->agent_error);
    else if (node->agent.node && !s->up)
        strlist_addf(ret, "%s: its server is down: %s", node->name, s->error ? s->error : "no reason told");
    for (size_t i = 0; i < node->agent.warnings.n; i++)
        strlist_addf(ret, "%s: %s", node->name, node->agent.warnings.v[i]);
    const char *word = topology_node_state(node, primary);
    if (str_eq(word, "stopped"))
        strlist_addf(ret, "%s: replication is stopped, and not by Siding: it is left alone", node->name);
    else if (str_eq(word, "errors") && (s->sql_error || s->io_error))
        strlist_addf(ret, "%s: replication error: %s", node->name,
                     s->sql_error && *s->sql_error ? s->sql_error
                     : s->io_error                 ? s->io_error
                                                   : "");
    else if (str_eq(word, "detached"))
        strlist_addf(ret, "%s: is neither the primary nor a replica", node->name);
}
