/* SPDX-License-Identifier: Apache-2.0 */
#include "candidate.h"

#include <inttypes.h>
#include <stdio.h>

#include "common/base/clock.h"
#include "topology.h"
#include "traits.h"

/* Replicas of a newer version may not be able to replicate from it. 0: not known. */
static int64_t version_number(const char *text)
{
    int major = 0, minor = 0;
    if (!text || sscanf(text, "%d.%d", &major, &minor) != 2)
        return 0;
    return (int64_t)major * 1000 + minor;
}

static bool lacks_log(const ServerState *s)
{
    return s->up && s->is_replica && (!s->binlog || (!*s->binlog && s->applied && *s->applied));
}

static bool is_filtered(const ServerState *s)
{
    return s->filters && *s->filters;
}

bool candidate_log_is_partial(const Node *node)
{
    return lacks_log(&node->agent.server) || is_filtered(&node->agent.server);
}

static void by_server(const Node *node, StrList *never)
{
    const ServerState *s = &node->agent.server;
    if (!s->up)
        strlist_addf(never, "its server is down%s%s", s->error ? ": " : "", s->error ? s->error : "");
    else if (!s->is_replica)
        strlist_add(never, "it is not a replica");
    else if (!s->uses_gtid)
        strlist_add(never, "it replicates without GTID positions");
    if (lacks_log(s))
        strlist_add(never, "its binary log lacks what it has applied: log_bin and log_slave_updates "
                           "(MySQL: log_replica_updates) must be on");
    if (is_filtered(s))
        strlist_addf(never, "it leaves out what its filters say: %s", s->filters);
    if (s->delay_s > 0) {
        char delay[CLOCK_TEXT];
        clock_format_duration(s->delay_s * 1000, delay);
        strlist_addf(never, "it is delayed by %s on purpose", delay);
    }
    if (s->disk_folder && s->disk != DISK_STALLED)
        strlist_addf(never, "the disk of %.200s is %s", s->disk_folder,
                     wire_enum_name(&disk_fault_names, (int)s->disk));
    if (s->sql_error && *s->sql_error)
        strlist_addf(never, "its applier has failed: %s", s->sql_error);
}

static void by_source(const Node *const *nodes, size_t n, const Node *primary, const Node *node,
                      StrList *never, StrList *avoid)
{
    const ServerState *s = &node->agent.server;
    if (!s->up || !s->is_replica || !primary || !primary->agent.node)
        return;
    const char *source = topology_source(nodes, n, node);
    if (!str_eq(source, primary->name))
        strlist_addf(never, "it replicates from %s, not from the primary",
                     source ? source : "an unknown server");
    AUTOFREE char *mixed = topology_mixed(primary, node);
    if (mixed)
        strlist_add(never, mixed);
    traits_differ(primary, node, never, avoid);
}

/* Whether a server is there that would follow `node`, beside the primary that it replaces. */
static bool could_be_followed(const Node *const *nodes, size_t n, const Node *primary, const Node *node)
{
    for (size_t i = 0; i < n; i++)
        if (nodes[i] != primary && nodes[i] != node && !nodes[i]->agent_error && nodes[i]->agent.server.up)
            return true;
    return false;
}

/* It would be refused when it is to be opened, after all others were stopped for it. */
static void by_semi_sync(const Node *const *nodes, size_t n, const Node *primary, const Node *node,
                         const CandidateRules *rules, StrList *never, StrList *avoid)
{
    if (!node->agent.server.left_without_semi_sync)
        return;
    bool alone = rules->alone && !could_be_followed(nodes, n, primary, node);
    strlist_add(alone ? avoid : never,
                "semi-sync as a source is off on it, and semi_sync = \"leave\" in its agent.conf keeps its "
                "agent from switching it on");
}

/* Who could not follow it. */
static void by_followers(const Node *const *nodes, size_t n, const Node *node, StrList *avoid)
{
    for (size_t i = 0; i < n; i++) {
        const SourceFault *f = nodes[i]->agent.source_faults.v;
        for (size_t k = 0; k < nodes[i]->agent.source_faults.n; k++)
            if (str_eq(f[k].node, node->name))
                strlist_addf(avoid, "%s could not replicate from it: %s", nodes[i]->name, f[k].error);
    }
}

static void by_others(const Node *const *nodes, size_t n, const Node *node, StrList *avoid)
{
    int64_t version = version_number(node->agent.server.version);
    for (size_t i = 0; i < n; i++) {
        int64_t other = version_number(nodes[i]->agent.server.version);
        if (nodes[i] != node && version && other && version > other) {
            strlist_addf(avoid, "it is newer (%s) than %s (%s), which may not be able to follow it",
                         node->agent.server.version, nodes[i]->name, nodes[i]->agent.server.version);
            return;
        }
    }
}

void candidate_reasons(const Node *const *nodes, size_t n, const Node *primary, const Node *node,
                       const CandidateRules *rules, StrList *never, StrList *avoid)
{
    char lag[CLOCK_TEXT];
    if (node == primary) {
        strlist_add(never, "it is the primary");
        return;
    }
    if (rules->only && !str_eq(rules->only, node->name))
        strlist_addf(never, "%s was asked for", rules->only);
    if (strlist_has(rules->never, node->name))
        strlist_add(never, "failover.never of sidingd.conf names it");
    if (node->agent_error || !node->agent.node) {
        strlist_addf(never, "its agent does not answer%s%s", node->agent_error ? ": " : "",
                     node->agent_error ? node->agent_error : "");
        return;
    }
    by_server(node, never);
    by_source(nodes, n, primary, node, never, avoid);
    by_semi_sync(nodes, n, primary, node, rules, never, avoid);
    by_others(nodes, n, node, avoid);
    by_followers(nodes, n, node, avoid);
    if (strlist_has(rules->avoid, node->name))
        strlist_add(avoid, "failover.avoid of sidingd.conf names it");
    if (node->agent.lease.owner)
        strlist_addf(avoid, "it is paused (%.*s): what it has received is applied first",
                     RUN_TEXT(node->agent.lease.owner));
    if (node->agent.server.disk == DISK_STALLED)
        strlist_addf(avoid, "a write to the disk of %.200s does not come back",
                     node->agent.server.disk_folder ? node->agent.server.disk_folder : "its server");
    if (node->lag_ms > rules->max_lag_ms) {
        clock_format_duration(node->lag_ms, lag);
        strlist_addf(avoid, "it is %s behind", lag);
    }
}
