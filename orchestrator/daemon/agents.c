/* SPDX-License-Identifier: Apache-2.0 */
#include "agents.h"

#include <inttypes.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/db/flavor.h"
#include "events.h"
#include "orchestrator/core/cluster_check.h"
#include "orchestrator/core/topology.h"
#include "retention.h"
#include "takeover.h"

enum {
    POLL_WAIT_MS = 1000,
    POLL_WAIT_REPLAY_MS = 500,
    POLL_TIMEOUT_MS = 5000,
    RETRY_LEAST_MS = 100,
    RETRY_MOST_MS = 2000,
    TELL_AFTER = 2
};

static void agent_free(AgentLink *a)
{
    wire_free(node_fields, &a->node);
    json_decref(a->results.list);
    strlist_done(&a->forgetting);
    strlist_done(&a->lost);
    errant_watch_done(&a->errant);
    free(a->name);
    free(a->source);
    free(a->url);
    free(a);
}

static void came_back(AgentLink *a)
{
    if (a->told)
        events_add(a->c, "info", "node", 0, NULL, a->name, "the agent of %s is back", a->name);
    if (!a->fresh)
        retention_soon(a->c); /* its results were not counted */
    a->told = false;
    a->failures = 0;
    a->fresh = true;
    retry_reset(&a->poll_retry);
    free(a->node.agent_error);
    a->node.agent_error = NULL;
}

static void cannot_reach(AgentLink *a, const Err *err)
{
    a->failures++;
    retry_failed(a->c, &a->poll_retry, RETRY_LEAST_MS, RETRY_MOST_MS);
    if (a->failures < TELL_AFTER && a->node.agent.node)
        return;
    a->fresh = false;
    free(a->node.agent_error);
    a->node.agent_error = xstrdup(err->text);
    a->error = *err;
    if (!a->told)
        events_add(a->c, "warn", "node", 0, NULL, a->name, "the agent of %s cannot be reached: %s", a->name,
                   err->text);
    a->told = true;
}

static bool is_ours(const AgentLink *a, const NodeState *s, Err *err)
{
    if (!str_eq(s->node, a->name))
        return err_set(err, ERR_CONFIG, 0, "at %s answers the agent of \"%s\", not of \"%s\"", a->url,
                       s->node ? s->node : "?", a->name);
    if (s->cluster_name && !str_eq(s->cluster_name, a->c->conf.cluster_name))
        return err_set(err, ERR_CONFIG, 0, "the agent of %s belongs to cluster \"%s\", not to \"%s\"",
                       a->name, s->cluster_name, a->c->conf.cluster_name);
    return true;
}

/* Told once each time. One answer alone may have lain unread, here or there. */
static void watch_clock(AgentLink *a)
{
    char off[CLOCK_TEXT];
    int64_t ahead = a->clock_ahead_ms, by = ahead < 0 ? -ahead : ahead;
    bool wrong = ahead != INT64_MIN && by > CLUSTER_CLOCK_WARN_MS;
    bool twice = wrong == a->clock_wrong;
    a->clock_wrong = wrong;
    if (!twice || wrong == a->clock_told || ahead == INT64_MIN)
        return;
    a->clock_told = wrong;
    clock_format_duration(by, off);
    if (wrong)
        events_add(a->c, "warn", "node", 0, NULL, a->name, "the clock of %s is %s %s the coordinator's",
                   a->name, off, ahead < 0 ? "behind" : "ahead of");
    else
        events_add(a->c, "info", "node", 0, NULL, a->name,
                   "the clock of %s goes with the coordinator's again", a->name);
}

static bool take_state(AgentLink *a, const json_t *body, Err *err)
{
    NodeState s = {0};
    if (!wire_read(node_state_fields, body, &s, err))
        return false;
    if (!is_ours(a, &s, err)) {
        wire_free(node_state_fields, &s);
        return false;
    }
    wire_free(node_state_fields, &a->node.agent);
    a->node.agent = s;
    a->seen_ms = clock_mono_ms();
    a->clock_ahead_ms = s.now ? s.now - clock_wall_ms() : INT64_MIN;
    watch_clock(a);
    return true;
}

bool agents_has_other_term(const AgentLink *a)
{
    const NodeState *s = &a->node.agent;
    const CoordJournal *j = &a->c->journal;
    return s->term > j->term || (s->term == j->term && s->term_owner && !str_eq(s->term_owner, j->owner));
}

bool agents_are_heard(Coord *c)
{
    if (clock_mono_ms() >= c->hear_until_ms)
        return true;
    for (size_t i = 0; i < c->n_agents; i++)
        if (!c->agents[i]->polls_seen && !c->agents[i]->failures) {
            coord_wake_at(c, c->hear_until_ms);
            return false;
        }
    return true;
}

static void poll_done(void *arg, bool ok, json_t *body, const Err *err)
{
    AgentLink *a = arg;
    Coord *c = a->c;
    a->poll = 0;
    if (a->dropped) {
        agent_free(a);
        return;
    }
    if (!ok && err->kind == ERR_CANCELLED)
        return;
    Err why = ok ? (Err){0} : *err;
    if (!ok && err->kind == ERR_STALE_TERM && !a->refused_term) {
        a->refused_term = true;
        coord_step_soon(c);
        return;
    }
    if (ok && take_state(a, body, &why)) {
        a->polls_seen = a->polls_sent;
        events_take(a);
        a->refused_term = agents_has_other_term(a);
        came_back(a);
    } else {
        cannot_reach(a, &why);
    }
    c->count.polls++;
    coord_step_soon(c);
}

/* The primary, when it is another than `a` and both have just been seen; or NULL. */
static const AgentLink *seen_primary(const AgentLink *a)
{
    const AgentLink *primary = state_primary_agent(a->c);
    return a->fresh && primary && primary != a && primary->fresh ? primary : NULL;
}

/* Where the primary stands, for a replica that catches up; NULL: not for this one. */
static const char *position_for(const AgentLink *a)
{
    const AgentLink *primary = seen_primary(a);
    LeasePhase phase = a->node.agent.lease.phase;
    bool replays = phase == PHASE_RESUMING || phase == PHASE_CATCHING_UP;
    return replays && primary && primary->node.agent.server.up ? primary->node.agent.server.binlog : NULL;
}

/* Of a replica with a lease, before it relaxes anything; none: it is nobody's business. */
static Acknowledger acknowledger(const AgentLink *a)
{
    const AgentLink *primary = seen_primary(a);
    if (!primary || !a->node.agent.lease.owner)
        return ACKNOWLEDGER_NONE;
    return topology_is_sole_acknowledger(&primary->node, &a->node) ? ACKNOWLEDGER_SOLE : ACKNOWLEDGER_OTHERS;
}

static bool loads(const AgentLink *a)
{
    const AgentRun *runs = a->node.agent.runs.v;
    for (size_t i = 0; i < a->node.agent.runs.n; i++)
        if (runs[i].spec.kind == KIND_UPLOAD && runs[i].state == ARUN_RUNNING)
            return true;
    return false;
}

static int64_t greatest_lag_ms(const AgentLink *primary)
{
    int64_t most = 0;
    for (size_t i = 0; i < primary->c->n_agents; i++) {
        const AgentLink *a = primary->c->agents[i];
        bool serves =
            a != primary && a->fresh && topology_node_health(&a->node, primary->name) == NODE_SERVING;
        most = serves && a->node.lag_ms > most ? a->node.lag_ms : most;
    }
    return most;
}

OrderServer agents_server(const AgentLink *a)
{
    const ServerState *s = &a->node.agent.server;
    return (OrderServer){xstrdup(a->name), xstrdup(s->address), s->port};
}

static void list_others(const AgentLink *a, WireList *ret)
{
    for (size_t i = 0; i < a->c->n_agents; i++) {
        const AgentLink *o = a->c->agents[i];
        const ServerState *s = &o->node.agent.server;
        if (o == a || !s->address || !s->port)
            continue;
        OrderServer *to = wire_list_add(ret, sizeof *to);
        *to = agents_server(o);
    }
}

static AgentPoll make_poll(const AgentLink *a)
{
    bool loading = state_primary_agent(a->c) == a && a->fresh && loads(a);
    AgentPoll p = {.term = a->c->journal.term,
                   .after = a->fresh ? a->node.agent.seq : 0,
                   .events_after = a->events.taken,
                   .events_stored = a->events.stored,
                   .role = failover_role(a->c, a->name),
                   .primary = xstrdup(position_for(a)),
                   .acknowledger = acknowledger(a),
                   .loading = loading,
                   .lag_ms = loading ? greatest_lag_ms(a) : 0};
    if (seen_primary(a))
        wire_copy(written_fields, &p.written, &seen_primary(a)->node.agent.server.written);
    list_others(a, &p.servers);
    /* After an outage the answer must not wait for the next change. */
    p.wait_ms = !a->fresh ? 0 : p.primary || loading ? POLL_WAIT_REPLAY_MS : POLL_WAIT_MS;
    return p;
}

/* An agent that has seen a later term refuses ours, and still is to be seen: it is only looked at. */
static void start_poll(AgentLink *a)
{
    AgentPoll p = make_poll(a);
    AUTOJSON json_t *body = a->refused_term ? NULL : wire_write(agent_poll_fields, &p);
    AUTOFREE char *look = xasprintf("/v1/state?after=%" PRId64 "&wait_ms=%" PRId64 "&events_after=%" PRId64,
                                    p.after, p.wait_ms, p.events_after);
    wire_free(agent_poll_fields, &p);
    a->polls_sent++;
    a->poll = httpc_start(a->c->http,
                          &(HttpCall){.base_url = a->url,
                                      .method = body ? "POST" : "GET",
                                      .path = body ? "/v1/poll" : look,
                                      .body = body,
                                      .timeout_ms = POLL_TIMEOUT_MS,
                                      .owner = a->c->journal.owner,
                                      .tls = &a->c->conf.tls},
                          poll_done, a);
}

static void add_agent(Coord *c, const AgentAddress *address)
{
    AgentLink *a = NEW(AgentLink);
    a->c = c;
    a->name = xstrdup(address->name);
    a->url = xstrdup(address->url);
    a->node.name = xstrdup(address->name);
    a->node.url = xstrdup(address->url);
    a->node.lag_trx = a->node.lag_ms = -1;
    a->clock_ahead_ms = INT64_MIN;
    c->agents = xrealloc(c->agents, (c->n_agents + 1) * sizeof *c->agents);
    c->agents[c->n_agents++] = a;
}

static void drop_agent(AgentLink *a)
{
    if (!a->poll) {
        agent_free(a);
        return;
    }
    a->dropped = true; /* freed by poll_done */
    httpc_cancel(a->c->http, a->poll);
}

static bool is_configured(const Coord *c, const AgentLink *a)
{
    for (size_t i = 0; i < coordconf_agents(&c->conf); i++) {
        const AgentAddress *x = coordconf_agent(&c->conf, i);
        if (str_eq(x->name, a->name) && str_eq(x->url, a->url))
            return true;
    }
    return false;
}

void agents_configure(Coord *c)
{
    size_t kept = 0, n = c->n_agents;
    for (size_t i = 0; i < n; i++) {
        if (is_configured(c, c->agents[i]))
            c->agents[kept++] = c->agents[i];
        else
            drop_agent(c->agents[i]);
    }
    c->n_agents = kept;
    for (size_t i = 0; i < coordconf_agents(&c->conf); i++)
        if (!state_agent(c, coordconf_agent(&c->conf, i)->name))
            add_agent(c, coordconf_agent(&c->conf, i));
    coord_step_soon(c);
}

void agents_free(Coord *c)
{
    for (size_t i = 0; i < c->n_agents; i++)
        drop_agent(c->agents[i]);
    free(c->agents);
    c->agents = NULL;
    c->n_agents = 0;
}

static void measure_lag(Coord *c)
{
    DbFlavor flavor;
    AgentLink *primary = state_primary_agent(c);
    if (!primary || !state_primary_flavor(c, &flavor))
        return;
    const ServerState *p = &primary->node.agent.server;
    lag_add(&c->samples, p->read_at ? p->read_at : clock_wall_ms(), p->binlog);
    for (size_t i = 0; i < c->n_agents; i++) {
        AgentLink *a = c->agents[i];
        NodeLag lag = {0, 0};
        if (a != primary)
            lag = a->node.agent.server.up
                      ? lag_of(&c->samples, flavor, a->node.agent.server.applied, clock_wall_ms())
                      : (NodeLag){-1, -1};
        a->node.lag_trx = lag.trx;
        a->node.lag_ms = lag.ms;
    }
}

static void name_states(Coord *c)
{
    for (size_t i = 0; i < c->n_agents; i++) {
        Node *node = &c->agents[i]->node;
        node->state = topology_node_health(node, c->journal.primary);
        node->role = state_role(c, node->name);
    }
}

void agents_step(Coord *c)
{
    for (size_t i = 0; i < c->n_agents; i++)
        if (!c->agents[i]->poll && retry_due(&c->agents[i]->poll_retry))
            start_poll(c->agents[i]);
    measure_lag(c);
    name_states(c);
}

static void call_done(void *arg, bool ok, json_t *body, const Err *err)
{
    CallRef *ref = arg;
    Coord *c = ref->c;
    ref->done(ref, ok, body, err);
    free(ref);
    coord_step_soon(c);
}

void agents_call(AgentLink *a, const char *method, const char *path, const json_t *body, int64_t timeout_ms,
                 const CallRef *ref)
{
    CallRef *copy = NEW(CallRef);
    *copy = *ref;
    copy->c = a->c;
    httpc_start(a->c->http,
                &(HttpCall){.base_url = a->url,
                            .method = method,
                            .path = path,
                            .body = body,
                            .timeout_ms = timeout_ms,
                            .owner = a->c->journal.owner,
                            .tls = &a->c->conf.tls},
                call_done, copy);
}
