/* SPDX-License-Identifier: Apache-2.0 */
#include "choose.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/db/flavor.h"
#include "common/db/gtid.h"
#include "queue_brakes.h"
#include "queue_groups.h"
#include "topology.h"

static const JobInfo *job_on(const Node *node, const char *job)
{
    const JobInfo *jobs = node->agent.jobs.v;
    for (size_t i = 0; i < node->agent.jobs.n; i++)
        if (str_eq(jobs[i].name, job))
            return &jobs[i];
    return NULL;
}

const JobInfo *choose_job(const Node *const *nodes, size_t n, const char *job)
{
    for (size_t i = 0; i < n; i++) {
        const JobInfo *j = job_on(nodes[i], job);
        if (j)
            return j;
    }
    return NULL;
}

static void collect_jobs(const Node *const *nodes, size_t n, StrList *ret)
{
    for (size_t i = 0; i < n; i++) {
        const JobInfo *jobs = nodes[i]->agent.jobs.v;
        for (size_t k = 0; k < nodes[i]->agent.jobs.n; k++)
            if (jobs[k].name && !strlist_has(ret, jobs[k].name))
                strlist_add(ret, jobs[k].name);
    }
}

bool choose_unknown_job(const Node *const *nodes, size_t n, const char *job, Err *err)
{
    AUTO(strlist_done) StrList known = STRLIST_INIT;
    collect_jobs(nodes, n, &known);
    if (!known.n)
        return err_set(
            err, ERR_REFUSED, 0,
            "no agent has reported its jobs yet, so \"%s\" is not known: see \"siding replica list\"", job);
    const char *near = str_nearest(job, (const char *const *)known.v);
    AUTO(str_done) Str names = STR_INIT;
    for (size_t i = 0; i < known.n; i++)
        str_addf(&names, "%s%s", i ? ", " : "", known.v[i]);
    return err_set(err, ERR_REFUSED, 0, "no agent knows a job \"%s\"%s%s%s; known: %s", job,
                   near ? " (did you mean \"" : "", near ? near : "", near ? "\"?)" : "", str_z(&names));
}

static bool catches_up_after_a_run(const Node *node)
{
    int64_t task, no;
    const LeaseState *l = &node->agent.lease;
    return !node->agent_error && node->agent.server.up && l->phase == PHASE_CATCHING_UP && l->owner &&
           wire_run_id(l->owner, &task, &no);
}

static char *cordoned(const QueueBrake *b)
{
    char since[CLOCK_TEXT];
    clock_format(b->since, since);
    return xasprintf("is cordoned since %s by %s%s%s%s: siding replica uncordon %s", since,
                     b->by && *b->by ? b->by : "somebody", b->reason && *b->reason ? " (" : "",
                     b->reason ? b->reason : "", b->reason && *b->reason ? ")" : "", b->name);
}

static bool takes(const ChooseNode *c, const char *job)
{
    return !c->jobs || !c->jobs->n || !job || queue_name_is_among(c->jobs, job);
}

/* NULL: eligible. The sentence goes on behind the node's name. */
static char *refusal(const ChooseNode *c, const Node *primary, const ChooseWish *wish,
                     const ChooseRules *rules)
{
    const Node *node = c->node;
    char *mixed = topology_mixed(primary, node);
    if (mixed)
        return mixed;
    NodeHealth health = topology_node_health(node, rules->primary);
    if (c->cordon)
        return cordoned(c->cordon);
    if (c->taken_by)
        return xasprintf("has run %.*s", RUN_TEXT(c->taken_by));
    if (c->kept_for)
        return xasprintf("is kept for task %" PRId64 ", which waits for more replicas", c->kept_for);
    bool next = !rules->catch_up_between && wish->replicas == 1 && catches_up_after_a_run(node);
    if (!next && node->agent.lease.owner)
        return node->agent.lease.reason
                   ? xasprintf("is %s (%s)", wire_enum_name(&node_health_names, (int)health),
                               node->agent.lease.reason)
                   : xasprintf("is %s (%.*s)", wire_enum_name(&node_health_names, (int)health),
                               RUN_TEXT(node->agent.lease.owner));
    if (!next && health != NODE_SERVING)
        return xasprintf("is %s", wire_enum_name(&node_health_names, (int)health));
    if (!takes(c, wish->job))
        return xasprintf("does not take job \"%s\" (agents.jobs)", wish->job);
    if (!job_on(node, wish->job))
        return xasprintf("has no job \"%s\"", wish->job);
    if (!next && node->lag_ms > rules->max_lag_ms) {
        char lag[CLOCK_TEXT], limit[CLOCK_TEXT];
        clock_format_duration(node->lag_ms, lag);
        clock_format_duration(rules->max_lag_ms, limit);
        return xasprintf("lags %s (limit %s)", lag, limit);
    }
    return NULL;
}

static const ChooseNode *primary_of(const ChooseNode *nodes, size_t n, const ChooseRules *rules)
{
    for (size_t i = 0; i < n; i++)
        if (str_eq(nodes[i].node->name, rules->primary))
            return &nodes[i];
    return NULL;
}

static const Node *find_primary(const ChooseNode *nodes, size_t n, const ChooseRules *rules)
{
    const ChooseNode *c = primary_of(nodes, n, rules);
    return c ? c->node : NULL;
}

static bool is_replica(const ChooseNode *c, const ChooseRules *rules)
{
    return !str_eq(c->node->name, rules->primary);
}

static bool is_serving(const ChooseNode *c, const ChooseRules *rules)
{
    return is_replica(c, rules) && !c->taken_by &&
           topology_node_health(c->node, rules->primary) == NODE_SERVING;
}

int64_t choose_serving(const ChooseNode *nodes, size_t n, const ChooseRules *rules)
{
    int64_t serving = 0;
    for (size_t i = 0; rules->primary && i < n; i++)
        serving += is_serving(&nodes[i], rules);
    return serving;
}

static int better(const Node *a, const Node *b)
{
    bool late = catches_up_after_a_run(a);
    if (late != catches_up_after_a_run(b))
        return late ? 1 : -1;
    if (a->lag_trx != b->lag_trx)
        return a->lag_trx < b->lag_trx ? -1 : 1;
    if (a->agent.spool_free_bytes != b->agent.spool_free_bytes)
        return a->agent.spool_free_bytes > b->agent.spool_free_bytes ? -1 : 1;
    return strcmp(a->name, b->name);
}

static void sort_best_first(const Node **v, size_t n)
{
    for (size_t i = 1; i < n; i++)
        for (size_t k = i; k > 0 && better(v[k], v[k - 1]) < 0; k--) {
            const Node *t = v[k];
            v[k] = v[k - 1];
            v[k - 1] = t;
        }
}

/* "10.11.19-MariaDB" → "10.11": snapshots of one run must come from one family. */
static size_t family_length(const char *version)
{
    const char *dot = version ? strchr(version, '.') : NULL;
    return dot ? (size_t)(dot - version) + 1 + strspn(dot + 1, "0123456789") : 0;
}

static bool same_family(const ServerState *a, const ServerState *b)
{
    size_t n = family_length(a->version);
    return str_eq(a->flavor, b->flavor) && n == family_length(b->version) &&
           (n == 0 || strncmp(a->version, b->version, n) == 0);
}

static bool same_source(const ServerState *a, const ServerState *b)
{
    return a->source_port == b->source_port && str_eq(a->source_host, b->source_host);
}

static bool one_domain(const ServerState *s)
{
    DbFlavor flavor;
    Gtid *g = NULL;
    Err err;
    if (!flavor_from_name(s->flavor, &flavor))
        return true;
    if (!gtid_parse(flavor, s->applied ? s->applied : "", &g, &err))
        return false;
    bool one = gtid_domains(g) <= 1;
    gtid_free(g);
    return one;
}

/* Keeps of `v` those that can be stopped at one GTID with the best of them. */
static size_t keep_alignable(const Node **v, size_t n, StrList *reasons)
{
    size_t kept = n ? 1 : 0;
    for (size_t i = 1; i < n; i++) {
        const ServerState *a = &v[0]->agent.server, *b = &v[i]->agent.server;
        if (!same_source(a, b))
            strlist_addf(reasons, "%s replicates from another server than %s", v[i]->name, v[0]->name);
        else if (!same_family(a, b))
            strlist_addf(reasons, "%s runs %s, %s runs %s", v[i]->name, b->version, v[0]->name, a->version);
        else if (!one_domain(a) || !one_domain(b))
            strlist_addf(reasons, "%s applies several GTID domains, which stop together only one by one",
                         v[i]->name);
        else
            v[kept++] = v[i];
    }
    return kept;
}

static bool too_few(const StrList *reasons, size_t found, int64_t wanted, Err *err)
{
    AUTO(str_done) Str s = STR_INIT;
    for (size_t i = 0; i < reasons->n; i++)
        str_addf(&s, "%s%s", i ? "; " : "", reasons->v[i]);
    if (wanted == 1)
        return err_set(err, ERR_CONFLICT, 0, "no replica is free: %s", s.len ? str_z(&s) : "there is none");
    return err_set(err, ERR_CONFLICT, 0, "%zu of %" PRId64 " replicas are free%s%s", found, wanted,
                   s.len ? ": " : "", str_z(&s));
}

/* All that are free, as far as enough others go on serving; at least one. */
static int64_t as_many(size_t found, size_t serving, int64_t min_serving)
{
    int64_t spare = (int64_t)serving - min_serving, n = (int64_t)found < spare ? (int64_t)found : spare;
    return n > 1 ? n : 1;
}

bool choose_replicas(const ChooseNode *nodes, size_t n, const ChooseWish *wish, const ChooseRules *rules,
                     StrList *ret, Err *err)
{
    AUTOFREE const Node **free_nodes = xcalloc(n + 1, sizeof *free_nodes);
    AUTO(strlist_done) StrList reasons = STRLIST_INIT;
    size_t found = 0, serving = 0;
    bool all = wish->replicas == REPLICAS_ALL;
    int64_t wanted = wish->replicas > 0 ? wish->replicas : 1;
    if (!rules->primary)
        return err_set(err, ERR_CONFLICT, 0, "it is not known yet which server is the primary");
    const Node *primary = find_primary(nodes, n, rules);
    for (size_t i = 0; i < n; i++) {
        serving += is_serving(&nodes[i], rules);
        if (wish->only_node && !str_eq(wish->only_node, nodes[i].node->name))
            continue;
        if (!is_replica(&nodes[i], rules)) {
            if (wish->only_node)
                strlist_addf(&reasons, "%s, to which it is bound, is the primary", nodes[i].node->name);
            continue;
        }
        AUTOFREE char *why = refusal(&nodes[i], primary, wish, rules);
        if (why)
            strlist_addf(&reasons, "%s %s", nodes[i].node->name, why);
        else
            free_nodes[found++] = nodes[i].node;
    }
    sort_best_first(free_nodes, found);
    /* One that catches up does not serve: taking it leaves the others as they are. */
    int64_t leaving = found && catches_up_after_a_run(free_nodes[0]) ? 0 : wanted;
    if (wanted > 1 || all)
        found = keep_alignable(free_nodes, found, &reasons);
    if (all)
        leaving = wanted = as_many(found, serving, rules->min_serving);
    if ((int64_t)found < wanted)
        return too_few(&reasons, found, wanted, err);
    if (leaving && (int64_t)serving - leaving < rules->min_serving)
        return err_set(err, ERR_CONFLICT, 0,
                       "%zu replicas serve and min_serving = %" PRId64 " of them must go on doing so",
                       serving, rules->min_serving);
    for (int64_t i = 0; i < wanted; i++)
        strlist_add(ret, free_nodes[i]->name);
    return true;
}

/* Busy with a run, which ends; a pause by hand may last. */
static bool comes_back(const ChooseNode *c, const Node *primary, const ChooseWish *wish,
                       const ChooseRules *rules)
{
    AUTOFREE char *mixed = topology_mixed(primary, c->node);
    NodeHealth health = topology_node_health(c->node, rules->primary);
    const char *owner = c->node->agent.lease.owner;
    int64_t task, no;
    bool by_run = c->taken_by || (owner && wire_run_id(owner, &task, &no));
    return !mixed && !c->cordon && by_run && health >= NODE_PAUSING && health != NODE_DETACHED &&
           health != NODE_STOPPED && health != NODE_CONNECTING && job_on(c->node, wish->job) &&
           takes(c, wish->job);
}

bool choose_comes_back(const ChooseNode *nodes, size_t n, size_t node, const ChooseWish *wish,
                       const ChooseRules *rules)
{
    const ChooseNode *c = &nodes[node];
    const Node *primary = find_primary(nodes, n, rules);
    return primary && is_replica(c, rules) && (!wish->only_node || str_eq(wish->only_node, c->node->name)) &&
           comes_back(c, primary, wish, rules);
}

bool choose_keep(ChooseNode *nodes, size_t n, const ChooseWish *wish, const ChooseRules *rules, int64_t task)
{
    const Node *primary = find_primary(nodes, n, rules);
    AUTOFREE bool *is_free = xcalloc(n + 1, sizeof *is_free);
    int64_t fitting = 0;
    for (size_t i = 0; primary && i < n; i++) {
        if (!is_replica(&nodes[i], rules) ||
            (wish->only_node && !str_eq(wish->only_node, nodes[i].node->name)))
            continue;
        ChooseNode alone = {.node = nodes[i].node, .cordon = nodes[i].cordon, .jobs = nodes[i].jobs};
        AUTOFREE char *why = refusal(&alone, primary, wish, rules);
        is_free[i] = !why && !nodes[i].taken_by && !nodes[i].kept_for;
        fitting += !why || comes_back(&nodes[i], primary, wish, rules);
    }
    if (fitting < wish->replicas || fitting - wish->replicas < rules->min_serving)
        return false;
    for (size_t i = 0; i < n; i++)
        if (is_free[i])
            nodes[i].kept_for = task;
    return true;
}

bool choose_primary(const ChooseNode *nodes, size_t n, const ChooseWish *wish, const ChooseRules *rules,
                    StrList *ret, Err *err)
{
    if (!rules->primary)
        return err_set(err, ERR_CONFLICT, 0, "it is not known yet which server is the primary");
    const ChooseNode *found = primary_of(nodes, n, rules);
    if (!found)
        return err_set(err, ERR_CONFLICT, 0, "the primary %s is not among the agents", rules->primary);
    const Node *node = found->node;
    AUTOFREE char *cordon = found->cordon ? cordoned(found->cordon) : NULL;
    if (cordon)
        return err_set(err, ERR_CONFLICT, 0, "the primary %s %s", node->name, cordon);
    if (wish->only_node && !str_eq(wish->only_node, node->name))
        return err_set(err, ERR_CONFLICT, 0, "it is bound to %s, and the primary is %s", wish->only_node,
                       node->name);
    NodeHealth health = topology_node_health(node, rules->primary);
    if (health != NODE_SERVING)
        return err_set(err, ERR_CONFLICT, 0, "the primary %s is %s", node->name,
                       wire_enum_name(&node_health_names, (int)health));
    if (wish->job && !job_on(node, wish->job))
        return err_set(err, ERR_CONFLICT, 0, "the primary %s has no job \"%s\"", node->name, wish->job);
    if (!takes(found, wish->job))
        return err_set(err, ERR_CONFLICT, 0, "the primary %s does not take job \"%s\" (agents.jobs)",
                       node->name, wish->job);
    strlist_add(ret, node->name);
    return true;
}
