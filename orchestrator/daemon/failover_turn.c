/* SPDX-License-Identifier: Apache-2.0
 * One turn of the loop: what the sides see of the primary, whether a failover begins by itself, what is told.
 */
#include <inttypes.h>

#include "agents.h"
#include "common/base/clock.h"
#include "common/file/json.h"
#include "events.h"
#include "failover_impl.h"
#include "orchestrator/core/topology.h"

enum {
    GAP_MS = 3000, /* between two looks: this process stood still */
    TELL_AFTER_MS = 1500,
};

void failover_obstacles(Coord *c, StrList *ret)
{
    FailoverEdge *e = c->failover;
    int64_t now = clock_mono_ms();
    char text[CLOCK_TEXT];
    FailoverRules rules;
    if (!c->conf.failover.automatic)
        strlist_add(ret, "failover.automatic is off in sidingd.conf");
    if (c->fenced)
        strlist_add(ret, "another coordinator has taken over this cluster");
    if (failover_maintenance_until(c) > clock_wall_ms()) {
        clock_format(failover_maintenance_until(c), text);
        strlist_addf(ret, "maintenance until %s", text);
    }
    if (now < e->again_ms) {
        clock_format_duration(e->again_ms - now, text);
        strlist_addf(ret, "the last failover was a moment ago: again in %s (failover.again_after)", text);
    }
    if (!failover_was_strict(c))
        strlist_add(ret, "commits of the primary did not wait for acknowledgements when it was seen last: "
                         "what it has confirmed to its clients may exist nowhere else");
    failover_rules(c, &rules);
    if (!(rules.servers & ~rules.never))
        strlist_add(ret, "no replica can become the primary");
}

/* ---- detection -------------------------------------------------------------------------------------- */

static DetectReplica replica_reading(Coord *c, const AgentLink *a)
{
    const ServerState *s = &a->node.agent.server;
    int64_t code = s->io_errno;
    bool server_said =
        code == CON_COUNT || code == HOST_BLOCKED || code == NOT_PRIVILEGED || code == ACCESS_DENIED;
    AUTOFREE const Node **nodes = state_nodes(c);
    const char *source = topology_source(nodes, c->n_agents, &a->node);
    bool ours = !source || str_eq(source, c->journal.primary);
    return (DetectReplica){.name = a->name,
                           .heard = state_heard_lately(a),
                           .votes = s->up && s->is_replica && ours && s->io != RECEIVER_NO,
                           .receives = s->io == RECEIVER_YES,
                           .alive = s->io == RECEIVER_CONNECTING && server_said};
}

/* What passes in a moment, or says nothing, is no news. */
static void tell_kind(Coord *c, const char *primary, const DetectReading *r)
{
    FailoverEdge *e = c->failover;
    DetectKind kind = e->detect.kind;
    bool passes = clock_mono_ms() - e->detect.since_ms < TELL_AFTER_MS && kind != DETECT_DISK_FULL;
    if (kind == DETECT_UNCLEAR || kind == e->told_kind || passes)
        return;
    bool first = e->told_kind == DETECT_NONE && kind == DETECT_WELL;
    e->told_kind = kind;
    if (first)
        return;
    AUTOFREE char *evidence = detect_evidence(r);
    if (kind == DETECT_ALONE) {
        AUTO(loss_done) Loss loss;
        failover_loss(c, &loss);
        events_add(
            c, "warn", "failover", 0, NULL, primary,
            "the primary %s: %s (%s). Mend the network here; only if the host of %s is off, and no other "
            "coordinator runs: %s",
            primary, wire_enum_name(&detect_kind_names, (int)kind), evidence, primary, loss.command);
        return;
    }
    events_add(c, detect_is_fatal(kind) || kind == DETECT_DISK_FULL ? "error" : "info", "failover", 0, NULL,
               primary, "the primary %s: %s (%s)", primary, wire_enum_name(&detect_kind_names, (int)kind),
               evidence);
}

static void begin_by_itself(Coord *c, const char *primary, const DetectReading *r)
{
    FailoverEdge *e = c->failover;
    AUTO(strlist_done) StrList obstacles = STRLIST_INIT;
    if (failover_is_unfinished(c))
        return; /* the agents have decided on another primary, maybe: that comes first */
    failover_obstacles(c, &obstacles);
    AUTOFREE char *evidence = detect_evidence(r);
    AUTOFREE char *cause =
        xasprintf("%s: %s", wire_enum_name(&detect_kind_names, (int)e->detect.kind), evidence);
    FailoverWish w = {.kind = "automatic", .by = "sidingd", .cause = cause, .since_ms = e->detect.failed_ms};
    if (!obstacles.n) {
        failover_begin_own(c, &w);
        return;
    }
    AUTOFREE char *why = strlist_join(&obstacles, "; ");
    if (str_eq(why, e->told))
        return;
    AUTO(loss_done) Loss loss;
    failover_loss(c, &loss);
    events_add(
        c, "error", "failover", 0, NULL, primary,
        "needs decision: %s; no failover begins by itself: %s. %s replaces it; siding cluster failover "
        "--dry-run shows what could be done",
        cause, why, loss.command);
    str_set(&e->told, why);
}

/* Since any side had a word of the primary's server. What a replica told of another primary is no word. */
static int64_t quiet_ms(Coord *c, const AgentLink *primary, const DetectReading *r)
{
    FailoverEdge *e = c->failover;
    const ServerState *s = &primary->node.agent.server;
    int64_t last = e->watched.spoke_ms;
    if (primary->fresh && s->up && !s->hangs && primary->seen_ms > last)
        last = primary->seen_ms;
    for (size_t i = 0; i < r->n; i++)
        if (r->replicas[i].heard && r->replicas[i].votes && r->replicas[i].receives)
            e->received_ms = r->now_ms;
    if (e->received_ms > last)
        last = e->received_ms;
    return last && last < r->now_ms ? r->now_ms - last : 0;
}

static void detect(Coord *c)
{
    FailoverEdge *e = c->failover;
    const AgentLink *primary = state_primary_agent(c);
    if (!primary)
        return;
    const ServerState *s = &primary->node.agent.server;
    AUTOFREE DetectReplica *replicas = xcalloc(c->n_agents + 1, sizeof *replicas);
    DetectReading r = {.now_ms = clock_mono_ms(),
                       .login = e->watched.login,
                       .stuck_ms = e->watched.stuck_ms,
                       .still_ms = e->watched.still_ms,
                       .agent_heard = state_heard_lately(primary),
                       .up = s->up,
                       .hangs = s->hangs,
                       .cut_off = s->cut_off,
                       .waiting = s->semi_sync_waits,
                       .disk = s->disk,
                       .disk_folder = s->disk_folder,
                       .disk_ms = s->disk_ms,
                       .voters = (int)c->n_agents,
                       .heard = (int)failover_heard(c),
                       .replicas = replicas};
    for (size_t i = 0; i < c->n_agents; i++)
        if (c->agents[i] != primary)
            replicas[r.n++] = replica_reading(c, c->agents[i]);
    r.quiet_ms = quiet_ms(c, primary, &r);
    bool serves = primary->fresh && s->up && !s->is_replica && !s->read_only;
    if (serves && (s->semi_sync_acks >= 0) != failover_was_strict(c))
        failover_note(c, "strict", json_boolean(s->semi_sync_acks >= 0));
    DetectRules rules = {c->conf.failover.after_ms, GAP_MS};
    bool due = detect_step(&e->detect, &rules, &r);
    tell_kind(c, primary->name, &r);
    if (due)
        begin_by_itself(c, primary->name, &r);
    else
        str_set(&e->told, NULL);
}

/* ---- all of it --------------------------------------------------------------------------------------- */

void failover_step_all(Coord *c)
{
    FailoverEdge *e = c->failover;
    failover_know(c);
    primary_watch_step(e->watch);
    if (!e->known)
        return;
    failover_watch_rivals(c);
    if (failover_is_under_way(c)) {
        FailoverEvent ev = {.kind = FAILOVER_EV_TICK};
        failover_feed(c, &ev);
    } else {
        failover_look_after(c);
        detect(c);
    }
    failover_record_save(c);
    failover_send(c);
}

/* A decision that was forced, before a majority of the voters has it. */
static void warn_of_the_few(Coord *c, StrList *ret)
{
    const FailoverEdge *e = c->failover;
    AUTO(strlist_done) StrList ignorant = STRLIST_INIT;
    if (e->f.phase != FAILOVER_IDLE || !failover_is_ours(e, e->f.base.ballot))
        return;
    for (size_t i = 0; i < c->n_agents; i++)
        if (!failover_is_ours(e, ballot_read(&c->agents[i]->node.agent.vote.accepted.ballot)))
            strlist_add(&ignorant, c->agents[i]->name);
    if (2 * ignorant.n < c->n_agents)
        return;
    AUTOFREE char *names = strlist_join(&ignorant, ", ");
    strlist_addf(
        ret,
        "no majority of the agents knows that %s is the primary (%s do not): when they come back, this "
        "coordinator must run, with its state_dir, and no other",
        failover_name(c, e->f.base.primary), names);
}

char *failover_unrest(Coord *c)
{
    const FailoverEdge *e = c->failover;
    if (!e->known || failover_is_under_way(c) || failover_is_unfinished(c))
        return xstrdup("a failover is under way, or not decided");
    if (failover_maintenance_until(c) > clock_wall_ms())
        return xstrdup("maintenance is on");
    if (e->detect.kind != DETECT_WELL)
        return xasprintf("the primary is not seen well: %s",
                         e->detect.kind ? wire_enum_name(&detect_kind_names, (int)e->detect.kind)
                                        : "not looked at yet");
    return NULL;
}

void failover_warnings(Coord *c, StrList *ret)
{
    FailoverEdge *e = c->failover;
    char until[CLOCK_TEXT];
    if (e->record) {
        AUTOFREE char *missing = e->f.told ? failover_what_is_missing(c) : NULL;
        strlist_addf(ret, "failover %" PRId64 " is under way%s%s", failover_record_id(c), missing ? ": " : "",
                     missing ? missing : "");
    } else if (detect_is_fatal(e->detect.kind)) {
        strlist_addf(ret, "the primary %s: %s%s%s", c->journal.primary,
                     wire_enum_name(&detect_kind_names, (int)e->detect.kind),
                     e->told ? "; no failover begins by itself: " : "", e->told ? e->told : "");
    }
    warn_of_the_few(c, ret);
    if (failover_maintenance_until(c) > clock_wall_ms()) {
        clock_format(failover_maintenance_until(c), until);
        strlist_addf(ret, "maintenance until %s: no failover begins by itself", until);
    }
}
