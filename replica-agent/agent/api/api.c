/* SPDX-License-Identifier: Apache-2.0
 * The agent's HTTP interface. Handlers check, call one function, and answer; long answers (a change of
 * state, a pause by hand) are kept requests with a deadline.
 */
#include <string.h>

#include "api_impl.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/prom.h"
#include "common/net/sdnotify.h"
#include "common/wire/bounds.h"
#include "replica-agent/agent/agent.h"
#include "replica-agent/agent/do/operation.h"
#include "replica-agent/core/preflight.h"
#include "replica-agent/core/serving.h"

enum { MAX_WAIT_MS = 120000 };

/* ---- waiting for a change -------------------------------------------------------------------------- */

typedef struct StateWaiter {
    HttpRequest *req;
    Agent *a;
    int64_t after, events_after, until_ms;
    struct StateWaiter *next;
} StateWaiter;

static void drop_waiter(Agent *a, StateWaiter *w)
{
    for (StateWaiter **p = &a->waiters; *p; p = &(*p)->next)
        if (*p == w) {
            *p = w->next;
            free(w);
            return;
        }
}

static void waiter_closed(HttpRequest *req, void *arg)
{
    (void)req;
    StateWaiter *w = arg;
    drop_waiter(w->a, w);
}

static void answer_waiters(Agent *a, bool due_only)
{
    int64_t now = clock_mono_ms();
    for (StateWaiter *w = a->waiters, *next; w; w = next) {
        next = w->next;
        if (due_only ? now < w->until_ms : a->seq <= w->after)
            continue;
        HttpRequest *req = w->req;
        int64_t events_after = w->events_after;
        http_on_close(req, NULL, NULL);
        drop_waiter(a, w);
        http_reply_json(req, 200, node_state_json(a, events_after));
    }
}

static void on_news(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    Agent *a = arg;
    a->seq += a->slight;
    a->slight = false;
    a->told_ms = clock_mono_ms();
    sdnotify_status("%s of cluster %s: %s", a->conf.node, a->conf.cluster_name,
                    a->s.durable.pause == PAUSE_NONE ? "no pause" : pause_state_name(a->s.durable.pause));
    answer_waiters(a, false);
}

/* A poll that waits must be answered, and the next one heard, before the coordinator counts as lost. */
static int64_t longest_wait(const Agent *a)
{
    int64_t renew = a->conf.renew_ms, barrier = a->conf.barrier_timeout_ms;
    return (renew < barrier ? renew : barrier) / 2;
}

/* Answered at once where there is something newer than `after`, else when there is, or `wait_ms` have passed.
 */
static void answer_state(HttpRequest *req, Agent *a, int64_t after, int64_t wait_ms, int64_t events_after)
{
    if (a->seq > after || wait_ms <= 0) {
        http_reply_json(req, 200, node_state_json(a, events_after));
        return;
    }
    if (wait_ms > longest_wait(a))
        wait_ms = longest_wait(a);
    StateWaiter *w = NEW(StateWaiter);
    *w = (StateWaiter){req, a, after, events_after, clock_mono_ms() + wait_ms, a->waiters};
    a->waiters = w;
    http_on_close(req, waiter_closed, w);
}

static void get_state(HttpRequest *req, void *context)
{
    Err err;
    int64_t after, wait, events_after;
    if (http_query_int(req, "after", -1, INT64_MAX, -1, &after, &err) &&
        http_query_int(req, "events_after", 0, INT64_MAX, 0, &events_after, &err) &&
        http_query_int(req, "wait_ms", 0, MAX_WAIT_MS, 0, &wait, &err))
        answer_state(req, context, after, wait, events_after);
    else
        http_reply_error(req, &err);
}

static bool read_poll(HttpRequest *req, AgentPoll *ret, Err *err)
{
    json_t *body;
    if (!http_body(req, &body, err) || !wire_read_asked(agent_poll_fields, body, ret, err))
        return false;
    if (ret->term < 1)
        return err_set(err, ERR_USAGE, 0, "field \"term\" is %lld, it must be at least 1",
                       (long long)ret->term);
    if (ret->after < 0 || ret->events_after < 0 || ret->events_stored < 0 || ret->lag_ms < 0 ||
        ret->wait_ms < 0 || ret->wait_ms > MAX_WAIT_MS)
        return err_set(err, ERR_USAGE, 0,
                       "after, events_after, events_stored and lag_ms must not be negative, wait_ms lies "
                       "between 0 and %d",
                       MAX_WAIT_MS);
    return true;
}

/* The coordinator was heard: the lease is renewed, and what it says is taken over. */
static void post_poll(HttpRequest *req, void *context)
{
    Agent *a = context;
    AgentPoll p = {0};
    Err err;
    if (read_poll(req, &p, &err) && api_hear_poll(req, a, &p, &err)) {
        tell_acknowledge(a, p.events_stored);
        AUTOFREE char *lag_ms = xasprintf("%lld", (long long)p.lag_ms);
        source_look_told(a, &p.servers);
        if (p.loading)
            run_told_lag(a, lag_ms);
        answer_state(req, a, p.after, p.wait_ms, p.events_after);
    } else {
        http_reply_error(req, &err);
    }
    wire_free(agent_poll_fields, &p);
}

/* ---- role ------------------------------------------------------------------------------------------ */

json_t *api_state_json(Agent *a, const char *run)
{
    (void)run;
    return node_state_json(a, INT64_MAX);
}

static void post_role(HttpRequest *req, void *context)
{
    Agent *a = context;
    Err err;
    json_t *body;
    const char *role;
    int64_t term;
    bool ok = http_body(req, &body, &err) && json_req_str(body, "role", &role, &err) &&
              json_req_int(body, "term", 1, INT64_MAX, &term, &err) && api_may_take_term(req, a, term, &err);
    if (ok && !str_eq(role, "primary") && !str_eq(role, "replica"))
        ok = err_set(&err, ERR_USAGE, 0, "role \"%s\" is neither primary nor replica", role);
    if (!ok) {
        http_reply_error(req, &err);
        return;
    }
    Input *in = queue_input(IN_ROLE, NULL);
    in->text = xstrdup(role);
    in->by = xstrdup(http_header(req, "X-Siding-Owner"));
    in->number = term;
    in->token = answer_expect(a, req, api_state_json, 200);
    queue_post(a, in);
}

/* By hand, for agents that have heard a term that no coordinator has. */
static void post_term(HttpRequest *req, void *context)
{
    Agent *a = context;
    Err err;
    json_t *body;
    const char *cluster;
    int64_t term;
    bool ok = http_body(req, &body, &err) && json_req_str(body, "cluster_name", &cluster, &err) &&
              json_req_int(body, "term", 1, INT64_MAX / 2, &term, &err);
    if (ok && !str_eq(cluster, a->conf.cluster_name))
        ok = err_set(&err, ERR_REFUSED, 0, "this agent belongs to cluster \"%s\", not \"%s\"",
                     a->conf.cluster_name, cluster);
    if (!ok) {
        http_reply_error(req, &err);
        return;
    }
    Input *in = queue_input(IN_TERM, NULL);
    in->number = term;
    in->token = answer_expect(a, req, api_state_json, 200);
    queue_post(a, in);
}

/* ---- preflight, health, metrics --------------------------------------------------------------------- */

typedef struct PreflightWaiter {
    HttpRequest *req;
    PreflightLease lease; /* when the look began */
} PreflightWaiter;

static void waiter_free(PreflightWaiter *w)
{
    preflight_lease_done(&w->lease);
    free(w);
}

static void preflight_closed(HttpRequest *req, void *arg)
{
    (void)req;
    ((PreflightWaiter *)arg)->req = NULL;
}

static json_t *findings_json(Agent *a, const WireList *findings)
{
    json_t *list = json_array();
    for (size_t i = 0; i < findings->n; i++) {
        json_t *o = wire_write(finding_fields, (const Finding *)findings->v + i);
        json_set_str(o, "node", a->conf.node);
        json_set_bool(o, "ok", str_eq(json_str(o, "level"), "ok"));
        json_array_append_new(list, o);
    }
    return list;
}

/* A run's pause ends with it; a person's is worth a look. */
static void add_pause(const Agent *a, const Err *what, WireList *findings)
{
    bool manual = str_eq(a->s.durable.lease.owner, LEASE_MANUAL);
    AUTOFREE char *mend = xasprintf("siding replica resume %s", a->conf.node);
    finding_add(findings, "paused", manual ? "warning" : "ok", manual ? mend : NULL, "%s", what->text);
}

/* What the threads and settings show is of the lease that was in force then, or is now. */
static void explain(const Agent *a, const PreflightLease *before, WireList *findings)
{
    PreflightLease now;
    preflight_lease_read(&a->s.durable.lease, a->s.durable.pause, &now);
    preflight_explain(before, findings);
    preflight_explain(&now, findings);
    preflight_lease_done(&now);
}

/* Semi-sync that is a person's: nobody else switches it on. On a replica that is no statement's to mend: what
 * it applies would wait for replicas of its own. */
static void add_semi_sync(const Agent *a, WireList *findings)
{
    const char *name = "semi_sync_source";
    const ServerView *v = &a->s.known.server;
    const Flavor *f = flavor_of(v->version.flavor);
    if (str_eq(a->conf.semi_sync, "leave") && v->up && !v->status.is_replica && !v->status.read_only &&
        !v->semi_sync.source_on)
        finding_add(findings, name, "warning", f->semi_sync_source_on,
                    "semi-sync as a source is off on this primary, so that its commits wait for no replica, "
                    "and semi_sync = \"leave\" in agent.conf keeps this agent from switching it on");
    else if (v->up && v->status.is_replica && api_left_without_semi_sync(a))
        finding_add(findings, name, "warning", "semi_sync = \"manage\" in agent.conf, and restart the agent",
                    "it cannot become the primary: semi-sync as a source is off (%s), and semi_sync = "
                    "\"leave\" in agent.conf keeps this agent from switching it on",
                    f->semi_sync_source_var);
}

static void add_local_findings(Agent *a, SurveyOut *out)
{
    Err err;
    WireList *findings = &out->findings;
    if (out->result != OP_DONE)
        finding_add(findings, "server", "error", "see server in agent.conf", "%s", out->err.text);
    if (!api_has_space(a, &err))
        finding_add(findings, "disk", "error", "make room, or lower min_free_bytes", "%s", err.text);
    if (pause_is_in_force(&a->s) && !pause_conflict(&a->s, &err))
        add_pause(a, &err, findings);
    add_semi_sync(a, findings);
    char text[600];
    const char *mend, *level = apart_finding(a, text, sizeof text, &mend);
    finding_add(findings, "separation", level, mend, "%s", text);
    for (size_t i = 0; i < a->jobs.warnings.n; i++)
        finding_add(findings, "jobs", "warning", "mend the file and send the agent SIGHUP", "%s",
                    a->jobs.warnings.v[i]);
}

static void on_findings(Agent *a, Operation *o)
{
    PreflightWaiter *w = o->arg;
    if (w->req) {
        http_on_close(w->req, NULL, NULL);
        explain(a, &w->lease, &o->out.survey.findings);
        add_local_findings(a, &o->out.survey);
        http_reply_json(w->req, 200, findings_json(a, &o->out.survey.findings));
    }
    waiter_free(w);
}

static void get_preflight(HttpRequest *req, void *context)
{
    Agent *a = context;
    Err err;
    Operation *o = operation_survey(a, http_query(req, "job"), on_findings); /* NULL: all jobs */
    PreflightWaiter *w = NEW(PreflightWaiter);
    w->req = req;
    preflight_lease_read(&a->s.durable.lease, a->s.durable.pause, &w->lease);
    o->arg = w;
    if (operation_submit(o, &err)) {
        http_on_close(req, preflight_closed, w);
        return;
    }
    operation_free(o);
    waiter_free(w);
    http_reply_error(req, &err);
}

static bool health_of(const Agent *a, const char *role, int64_t max_lag_s, const char **ret_why, Err *err)
{
    ServingFacts f = {.up = a->s.known.server.up,
                      .s = &a->s.known.server.status,
                      .pause = a->s.durable.pause,
                      .beginning = a->s.flight.pause.beginning,
                      .lag_ms = a->s.known.lag.lag_ms,
                      .role = wire_enum_name(&node_role_names, (int)a->s.durable.role.role),
                      .role_confirmed = a->s.flight.role.confirmed,
                      .cut_off = contact_is_lost(&a->s)};
    if (max_lag_s >= 0 && !str_eq(role, "replica"))
        return err_set(err, ERR_USAGE, 0, "max_lag_s is asked of replicas: give role=replica with it");
    if (str_eq(role, "replica"))
        *ret_why = serving_as_replica(&f, max_lag_s);
    else if (str_eq(role, "primary"))
        *ret_why = serving_as_primary(&f);
    else if (role)
        return err_set(err, ERR_USAGE, 0, "role \"%s\" is neither primary nor replica", role);
    return true;
}

/* Load balancers judge by the status, people read the rest. */
static void get_health(HttpRequest *req, void *context)
{
    Agent *a = context;
    Err err;
    int64_t max_lag_s;
    const char *why = NULL, *role = http_query(req, "role");
    if (!http_query_int(req, "max_lag_s", 0, 1000000, -1, &max_lag_s, &err) ||
        !health_of(a, role, max_lag_s, &why, &err)) {
        http_reply_error(req, &err);
        return;
    }
    json_t *o = json_object();
    json_set_bool(o, "ok", !why);
    json_set_str(o, "why", why);
    json_set_str(o, "node", a->conf.node);
    json_set_str(o, "role", wire_enum_name(&node_role_names, (int)a->s.durable.role.role));
    json_set_bool(o, "server_up", a->s.known.server.up);
    json_set_int(o, "lag_ms", a->s.known.lag.lag_ms);
    http_reply_json(req, why ? 503 : 200, o);
}

static void get_metrics(HttpRequest *req, void *context)
{
    AUTOFREE char *text = metrics_text(context);
    http_reply_text(req, 200, PROM_CONTENT_TYPE, text, strlen(text));
}

/* ---- table ----------------------------------------------------------------------------------------- */

/* clang-format off */
enum {
    STEERS = ROLE_COORDINATOR,
    READS = ROLE_COORDINATOR | ROLE_VIEWER,
    HELPS = ROLE_COORDINATOR | ROLE_OPERATOR, /* by hand too, where the coordinator is not there */
    FETCHES = ROLE_PEER | ROLE_COORDINATOR | ROLE_OPERATOR,
};

static const HttpRoute routes[] = {
    {"GET", "/v1/state", READS, get_state, .query = "after,wait_ms,events_after"},
    {"POST", "/v1/poll", STEERS, post_poll},
    {"POST", "/v1/role", STEERS, post_role, .does = "take the role {role}"},
    {"POST", "/v1/term", ROLE_COORDINATOR | ROLE_ADMIN, post_term, .does = "set the term to {term}"},
    {"POST", "/v1/order", STEERS, api_post_order, .does = "{kind} in a failover"},
    {"GET", "/v1/standing", ROLE_PEER | READS, api_get_standing, .query = "primary,term,owner"},
    {"POST", "/v1/fill", STEERS, api_post_fill, .does = "fill the server with the data of another"},
    {"GET", "/v1/runs", READS, api_get_runs},
    {"POST", "/v1/runs", STEERS, api_post_run, .does = "run {job} as {run}"},
    {"GET", "/v1/runs/{id}", READS, api_get_run},
    {"DELETE", "/v1/runs/{id}", STEERS, api_delete_run, .query = "term", .does = "forget run {id}"},
    {"POST", "/v1/runs/{id}/align", STEERS, api_post_align, .does = "align run {id}"},
    {"POST", "/v1/runs/{id}/go", STEERS, api_post_go, .does = "begin run {id}"},
    {"POST", "/v1/runs/{id}/request", HELPS, api_post_request, .does = "{action} run {id}"},
    {"POST", "/v1/runs/{id}/split", ROLE_PEER, api_post_split},
    {"POST", "/v1/runs/{id}/gather", STEERS, api_post_gather, .does = "gather run {id}"},
    {"GET", "/v1/runs/{id}/log", READS, api_get_log, .query = "stream,offset,tail"},
    {"GET", "/v1/logs/{task}", READS, api_get_task_logs, .query = "stream,most"},
    {"GET", "/v1/results", READS | ROLE_PEER, api_get_results, .query = "brief"},
    {"DELETE", "/v1/results/{id}", ROLE_COORDINATOR | ROLE_ADMIN, api_delete_result, .query = "term,part", .does = "delete the result of run {id}"},
    {"POST", "/v1/results/{id}/copy", STEERS, api_post_copy, .does = "copy the result of run {id} from {node}"},
    {"GET", "/v1/results/{id}/{file...}", FETCHES, api_get_result_file},
    {"POST", "/v1/pause", HELPS, api_post_pause, .does = "pause this replica"},
    {"POST", "/v1/resume", HELPS, api_post_resume, .does = "resume this replica"},
    {"POST", "/v1/open", HELPS, api_post_open, .does = "open the primary to writes"},
    {"POST", "/v1/purge-hold", STEERS, api_post_purge_hold, .does = "hold binary logs for {owner}"},
    {"DELETE", "/v1/purge-hold/{owner}", STEERS, api_delete_purge_hold, .query = "term", .does = "release the binary logs of {owner}"},
    {"GET", "/v1/preflight", READS, get_preflight, .query = "job"},
    {"GET", "/healthz", ROLE_HEALTH, get_health, .query = "role,max_lag_s"},
    {"GET", "/metrics", ROLE_HEALTH, get_metrics},
    {0},
};
/* clang-format on */

/* What the coordinator orders is in its own events. */
static void audit(void *context, const HttpAudit *x)
{
    AUTOFREE char *text = http_audit_text(x);
    if (x->roles & ROLE_COORDINATOR)
        log_debug("%s", text);
    else
        tell_event(context, http_audit_level(x), "audit", NULL, "%s", text);
}

bool api_configure(Agent *a, Err *err)
{
    RoleMap *fresh = NULL;
    if (!agent_config_roles(a->config_path, &a->conf, &fresh, err))
        return false;
    if (a->http)
        http_set_roles(a->http, fresh);
    roles_free(a->roles);
    a->roles = fresh;
    return true;
}

bool api_open(Agent *a, Err *err)
{
    if (!api_configure(a, err))
        return false;
    const HttpService service = {.listen = &a->conf.listen,
                                 .tls = &a->conf.tls,
                                 .routes = routes,
                                 .roles = a->roles,
                                 .context = a,
                                 .audit = audit};
    a->news = evtimer_new(a->base, on_news, a);
    return http_serve(a->base, &service, &a->http, err);
}

void api_tick(Agent *a)
{
    answer_waiters(a, true);
    answers_tick(a);
}

void api_close(Agent *a)
{
    http_server_free(a->http);
    a->http = NULL;
    roles_free(STEAL(a->roles));
    answers_close(a);
}
