/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster_check.h"

#include <inttypes.h>

#include "choose.h"
#include "common/base/clock.h"
#include "common/wire/finding.h"
#include "topology.h"
#include "traits.h"

static void set_node(WireList *findings, const char *node)
{
    ((Finding *)findings->v + findings->n - 1)->node = xstrdup(node);
}

static const Node *named(const ClusterView *v, const char *name)
{
    for (size_t i = 0; i < v->n; i++)
        if (str_eq(v->nodes[i]->name, name))
            return v->nodes[i];
    return NULL;
}

static bool is_seen(const Node *n)
{
    return !n->agent_error && n->agent.node;
}

/* ---- who follows whom ----------------------------------------------------------------------------- */

static void check_primary(const ClusterView *v, WireList *findings)
{
    if (!v->primary)
        finding_add(findings, "primary", "error", NULL, "%s",
                    v->topology_error ? v->topology_error : "no agent has been seen yet");
    else if (!named(v, v->primary))
        finding_add(
            findings, "primary", "error",
            "name it again in agents of sidingd.conf, then systemctl reload sidingd; if another server has "
            "taken its "
            "place: siding cluster primary NODE",
            "%s, the primary this cluster knows%s%s, is not among agents: nothing can be queued or loaded",
            v->primary, v->primary_address ? ", last seen at " : "",
            v->primary_address ? v->primary_address : "");
    else
        finding_add(findings, "primary", "ok", NULL, "%s", v->primary);
}

static void check_source(const ClusterView *v, const Node *n, WireList *findings)
{
    const ServerState *s = &n->agent.server;
    const Node *primary = named(v, v->primary);
    if (!is_seen(n) || !s->up || !primary || n == primary)
        return;
    const char *source = topology_source(v->nodes, v->n, n);
    if (!s->is_replica) {
        AUTOFREE char *mend =
            xasprintf("make it a replica of %s (%s:%" PRId64 ") again, or take it out of agents of "
                      "sidingd.conf",
                      primary->name, primary->agent.server.address, primary->agent.server.port);
        finding_add(findings, "source", "error", mend,
                    "is detached: neither the primary nor a replica; it gets no job, and its data grow old");
    } else if (!source) {
        finding_add(findings, "source", "error",
                    "if that is another name of the primary, write it as server.address into the primary's "
                    "agent.conf and "
                    "restart its agent; else point the replica at the primary",
                    "replicates from %s:%" PRId64 ", and no agent says that this is its server",
                    s->source_host ? s->source_host : "?", s->source_port);
    } else {
        finding_add(findings, "source", "ok", NULL, "replicates from %s", source);
    }
    set_node(findings, n->name);
}

static void check_errant(const ClusterView *v, const Node *n, WireList *findings)
{
    if (!is_seen(n) || !n->agent.server.is_replica || str_eq(n->name, v->primary))
        return;
    if (n->errant)
        finding_add(findings, "errant", "error",
                    "undo on the replica what they did, with SET SESSION sql_log_bin=0, and let the servers "
                    "forget them, or provision it anew (docs/runbook.md, errant transactions)",
                    "has transactions that the primary does not have: %.300s. They may stop its replication "
                    "later, and it must not be promoted",
                    n->errant);
    else
        finding_add(findings, "errant", "ok", NULL, "has no transactions that the primary does not have");
    set_node(findings, n->name);
}

static void check_traits(const ClusterView *v, const Node *n, WireList *findings)
{
    AUTO(strlist_done) StrList all = STRLIST_INIT;
    const Node *primary = v->primary ? named(v, v->primary) : NULL;
    if (!primary || primary == n || !is_seen(n) || !is_seen(primary))
        return;
    traits_differ(primary, n, &all, &all);
    for (size_t i = 0; i < all.n; i++) {
        finding_add(findings, "settings", "warning",
                    "set it alike in the option files and on the running servers of both", "%s", all.v[i]);
        set_node(findings, n->name);
    }
    if (!all.n) {
        finding_add(findings, "settings", "ok", NULL, "are those of the primary");
        set_node(findings, n->name);
    }
}

static void check_sources(const Node *n, WireList *findings)
{
    const SourceFault *f = n->agent.source_faults.v;
    for (size_t i = 0; is_seen(n) && i < n->agent.source_faults.n; i++) {
        finding_add(
            findings, "account", "error",
            "let the account of server.replication_defaults_file in its agent.conf in there, as on the "
            "primary",
            "could not replicate from %s, if that became the primary: %s", f[i].node, f[i].error);
        set_node(findings, n->name);
    }
}

/* ---- clocks --------------------------------------------------------------------------------------- */

static void check_clock(const Node *n, int64_t ahead_ms, WireList *findings)
{
    char off[CLOCK_TEXT];
    if (!is_seen(n) || ahead_ms == INT64_MIN)
        return;
    int64_t by = ahead_ms < 0 ? -ahead_ms : ahead_ms;
    clock_format_duration(by, off);
    if (by > CLUSTER_CLOCK_WARN_MS)
        finding_add(findings, "clock", "warning",
                    "let both hosts keep their clocks by NTP (systemd-timesyncd or chrony)",
                    "its clock is %s %s that of the coordinator: times of tasks, windows and certificates "
                    "are judged wrongly",
                    off, ahead_ms < 0 ? "behind" : "ahead of");
    else
        finding_add(findings, "clock", "ok", NULL, "goes with that of the coordinator");
    set_node(findings, n->name);
}

/* ---- jobs ----------------------------------------------------------------------------------------- */

/* Names of all jobs that come from files, each once. */
static void job_names(const ClusterView *v, StrList *ret)
{
    for (size_t i = 0; i < v->n; i++) {
        const JobInfo *j = v->nodes[i]->agent.jobs.v;
        for (size_t k = 0; is_seen(v->nodes[i]) && k < v->nodes[i]->agent.jobs.n; k++)
            if (j[k].digest && !strlist_has(ret, j[k].name))
                strlist_add(ret, j[k].name);
    }
}

static void judge_job(const char *name, const StrList *have, const StrList *lack, const StrList *like,
                      const StrList *unlike, WireList *findings)
{
    AUTOFREE char *with = strlist_join(have, ", ");
    AUTOFREE char *without = strlist_join(lack, ", ");
    AUTOFREE char *some = strlist_join(like, ", ");
    AUTOFREE char *others = strlist_join(unlike, ", ");
    const char *mend = "copy its file into jobs_dir, or tasklets_dir, of all hosts, then systemctl reload "
                       "siding-agent there";
    if (unlike->n)
        finding_add(findings, "jobs", "warning", mend,
                    "the job %s is not the same everywhere: that of %s differs from that of %s", name, others,
                    some);
    if (lack->n)
        finding_add(findings, "jobs", "warning", mend,
                    "the job %s is known on %s and not on %s: it cannot run or be loaded there, now or after "
                    "a change of roles",
                    name, with, without);
    if (!unlike->n && !lack->n)
        finding_add(findings, "jobs", "ok", NULL, "%s is the same on all hosts", name);
}

static void check_job(const ClusterView *v, const char *name, WireList *findings)
{
    AUTO(strlist_done)
    StrList have = STRLIST_INIT, lack = STRLIST_INIT, like = STRLIST_INIT, unlike = STRLIST_INIT;
    const char *first = NULL;
    for (size_t i = 0; i < v->n; i++) {
        const Node *n = v->nodes[i];
        const JobInfo *j = is_seen(n) ? choose_job(&n, 1, name) : NULL;
        if (!is_seen(n))
            continue;
        strlist_add(j ? &have : &lack, n->name);
        if (!j || !j->digest)
            continue;
        first = first ? first : j->digest;
        strlist_add(str_eq(first, j->digest) ? &like : &unlike, n->name);
    }
    judge_job(name, &have, &lack, &like, &unlike, findings);
}

void cluster_check(const ClusterView *v, WireList *findings)
{
    AUTO(strlist_done) StrList jobs = STRLIST_INIT;
    check_primary(v, findings);
    for (size_t i = 0; i < v->n; i++) {
        check_source(v, v->nodes[i], findings);
        check_errant(v, v->nodes[i], findings);
        check_traits(v, v->nodes[i], findings);
        check_sources(v->nodes[i], findings);
        check_clock(v->nodes[i], v->clock_ahead_ms[i], findings);
    }
    job_names(v, &jobs);
    for (size_t i = 0; i < jobs.n; i++)
        check_job(v, jobs.v[i], findings);
}
