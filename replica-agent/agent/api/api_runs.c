/* SPDX-License-Identifier: Apache-2.0
 * Runs over HTTP: accepted after a preflight, aligned, started, asked to end, forgotten. What a request means
 * is the core's; here it is read, and bounded.
 */
#include "api_impl.h"
#include "common/base/log.h"
#include "common/wire/bounds.h"
#include "common/wire/limits.h"
#include "replica-agent/agent/agent.h"
#include "replica-agent/agent/do/operation.h"
#include "replica-agent/core/preflight.h"

json_t *api_run_json(Agent *a, const char *run)
{
    const AgentRunner *r = run_find(&a->s, run);
    return r ? node_run_json(a, r) : json_object();
}

/* A key, or what people type for it: then the run of that number which was accepted last. */
const char *api_run_param(const HttpRequest *req, const Agent *a)
{
    const char *id = http_param(req, "id");
    const AgentRunner *last = NULL;
    for (size_t i = 0; i < a->s.n_runs; i++) {
        const AgentRunner *r = a->s.runs[i];
        if (str_eq(run_id(r), id))
            return id;
        if (runkey_is(run_id(r), id) && (!last || r->j.run.accepted_at >= last->j.run.accepted_at))
            last = r;
    }
    return last ? run_id(last) : id;
}

Input *api_request(HttpRequest *req, Agent *a, InputKind kind)
{
    Input *in = queue_input(kind, api_run_param(req, a));
    in->token = answer_expect(a, req, api_run_json, 200);
    return in;
}

/* ---- accepting -------------------------------------------------------------------------------------------
 */

typedef struct Accept {
    HttpRequest *req; /* NULL: the client has gone */
    RunSpec spec;
} Accept;

static void accept_closed(HttpRequest *req, void *arg)
{
    (void)req;
    ((Accept *)arg)->req = NULL;
}

static void accept_free(Accept *x)
{
    wire_free(run_spec_fields, &x->spec);
    free(x);
}

/* A client that has gone is not asked again: the coordinator repeats what it has not heard of. */
static void accept_now(Agent *a, Accept *x)
{
    Input *in = queue_input(IN_ACCEPT, x->spec.run);
    in->spec = NEW(RunSpec);
    *in->spec = x->spec;
    x->spec = (RunSpec){0};
    in->token = x->req ? answer_expect(a, x->req, api_run_json, 201) : 0;
    queue_post(a, in);
    accept_free(x);
}

static void accept_failed(Accept *x, const Err *err)
{
    if (x->req)
        http_reply_error(x->req, err);
    accept_free(x);
}

static void on_preflight(Agent *a, Operation *o)
{
    Accept *x = o->arg;
    const SurveyOut *out = &o->out.survey;
    Err err = out->err;
    a->accepting = false;
    if (x->req)
        http_on_close(x->req, NULL, NULL);
    bool ok = out->result == OP_DONE;
    if (ok && !out->seen.status.is_replica)
        ok = err_set(&err, ERR_REFUSED, 0, "%s is not a replica: the run would have to pause it",
                     a->conf.node);
    if (ok && preflight_allows(&out->findings, &err))
        accept_now(a, x);
    else
        accept_failed(x, &err);
}

static void accept_on_replica(Agent *a, Accept *x)
{
    Err err;
    Operation *o = NULL;
    bool downstream = false, delayed = false;
    bool ok = run_may_begin(&a->s, &x->spec, &err) &&
              limits_read_allow(x->spec.options, &downstream, &delayed, &err);
    if (ok && a->accepting)
        ok = err_set(&err, ERR_CONFLICT, 0, "%s is looking into another run just now; ask again",
                     a->conf.node);
    if (ok) {
        o = operation_survey(a, x->spec.job, on_preflight);
        PreflightFacts *known = &o->in.survey.known;
        known->allow_downstream = known->allow_downstream || downstream;
        known->allow_delayed = known->allow_delayed || delayed;
        o->arg = x;
        ok = operation_submit(o, &err);
    }
    if (!ok) {
        operation_free(o);
        accept_failed(x, &err);
        return;
    }
    a->accepting = true;
    http_on_close(x->req, accept_closed, x);
}

static void accept_on_primary(Agent *a, Accept *x)
{
    Err err;
    if (!a->s.known.server.up || !a->s.known.server.status.is_replica) {
        accept_now(a, x);
        return;
    }
    err_set(&err, ERR_REFUSED, 0, "%s is a replica, this run belongs to the primary", a->conf.node);
    accept_failed(x, &err);
}

static bool settle_sources(const Agent *a, RunSpec *s, Err *err)
{
    return ((!s->source.node && !s->source.url) || api_settle_source(a, &s->source, err)) &&
           ((!s->first.node && !s->first.url) || api_settle_source(a, &s->first, err));
}

static bool read_spec(HttpRequest *req, const Agent *a, RunSpec *ret, Err *err)
{
    json_t *body;
    return http_body(req, &body, err) && wire_read_asked(run_spec_fields, body, ret, err) &&
           settle_sources(a, ret, err);
}

void api_post_run(HttpRequest *req, void *context)
{
    Agent *a = context;
    Err err;
    Accept *x = NEW(Accept);
    x->req = req;
    if (!read_spec(req, a, &x->spec, &err) || !api_hear_term(req, a, x->spec.term, &err))
        accept_failed(x, &err);
    else if (x->spec.run && run_find(&a->s, x->spec.run))
        accept_now(a, x);
    else if (!run_check(a, &x->spec, &err) || !api_has_space(a, &err))
        accept_failed(x, &err);
    else if (run_is_for_replica(&x->spec, rules_of_job(&a->s.known.rules, x->spec.job)))
        accept_on_replica(a, x);
    else
        accept_on_primary(a, x);
}

/* ---- reading ---------------------------------------------------------------------------------------------
 */

AgentRunner *api_run_of(HttpRequest *req, Agent *a)
{
    Err err;
    const char *id = api_run_param(req, a);
    AgentRunner *r = run_find(&a->s, id);
    if (r)
        return r;
    err_set(&err, ERR_NOT_FOUND, 0, "%s knows no run %.*s", a->conf.node, RUN_TEXT(id));
    http_reply_error(req, &err);
    return NULL;
}

void api_get_run(HttpRequest *req, void *context)
{
    const AgentRunner *r = api_run_of(req, context);
    if (r)
        http_reply_json(req, 200, node_run_json(context, r));
}

void api_get_runs(HttpRequest *req, void *context)
{
    Agent *a = context;
    json_t *list = json_array();
    for (size_t i = 0; i < a->s.n_runs; i++)
        json_array_append_new(list, node_run_json(a, a->s.runs[i]));
    http_reply_json(req, 200, list);
}

/* ---- requests --------------------------------------------------------------------------------------------
 */

void api_post_align(HttpRequest *req, void *context)
{
    Agent *a = context;
    Err err;
    json_t *body;
    RunAlign to = {0};
    if (!api_run_of(req, a))
        return;
    if (!api_body_term(req, a, &body, &err) || !wire_read_asked(run_align_fields, body, &to, &err)) {
        http_reply_error(req, &err);
        return;
    }
    Input *in = api_request(req, a, IN_ALIGN);
    in->align = NEW(RunAlign);
    *in->align = to;
    queue_post(a, in);
}

void api_post_go(HttpRequest *req, void *context)
{
    Agent *a = context;
    Err err;
    json_t *body;
    if (!api_run_of(req, a))
        return;
    if (api_body_term(req, a, &body, &err))
        queue_post(a, api_request(req, a, IN_GO));
    else
        http_reply_error(req, &err);
}

void api_post_request(HttpRequest *req, void *context)
{
    Agent *a = context;
    Err err;
    json_t *body;
    const char *action, *by;
    if (!api_run_of(req, a))
        return;
    if (!api_body_term(req, a, &body, &err) || !bounds_check(request_bounds, DOOR_AGENT, body, &err) ||
        !json_req_str(body, "action", &action, &err) || !json_opt_str(body, "by", "", &by, &err)) {
        http_reply_error(req, &err);
        return;
    }
    Input *in = api_request(req, a, IN_REQUEST);
    in->text = xstrdup(action);
    in->by = api_by(req, by);
    queue_post(a, in);
}

static json_t *nothing(Agent *a, const char *run)
{
    (void)a;
    (void)run;
    return json_object();
}

void api_delete_run(HttpRequest *req, void *context)
{
    Agent *a = context;
    if (!api_run_of(req, a) || !api_heard(req, a))
        return;
    Input *in = queue_input(IN_FORGET, api_run_param(req, a));
    in->token = answer_expect(a, req, nothing, 200);
    queue_post(a, in);
}
