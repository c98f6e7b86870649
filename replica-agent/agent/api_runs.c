/* SPDX-License-Identifier: Apache-2.0
 * Runs over HTTP: accepted after a preflight, aligned, started, asked to end, forgotten.
 */
#include "agent.h"
#include "api_impl.h"
#include "common/base/log.h"
#include "common/wire/limits.h"
#include "replica-agent/core/preflight.h"

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

bool api_has_space(const Agent *a, Err *err)
{
    const int64_t min = a->conf.min_free_bytes;
    bool spool = a->spool_free >= 0 && a->spool_free < min, state = a->state_free >= 0 && a->state_free < min;
    if (!spool && !state)
        return true;
    return err_set(err, ERR_REFUSED, 0,
                   "%s has %lld bytes free, less than min_free_bytes (%lld); make room there",
                   spool ? a->conf.spool_dir : a->conf.state_dir,
                   (long long)(spool ? a->spool_free : a->state_free), (long long)min);
}

/* One run at a time touches replication, also while it still waits for its own submission. */
static bool not_paused(const Agent *a, const RunSpec *spec, Err *err)
{
    bool next = spec->during_catch_up && a->pause.state == PAUSE_CATCHING_UP && run_of_pause(a);
    for (size_t i = 0; i < a->n_runs; i++)
        if (a->runs[i]->side == RUN_ON_REPLICA && run_is_under_way(a->runs[i]) &&
            a->runs[i]->state != RUN_GATHERING &&
            (a->pause.state == PAUSE_NONE || (next && a->runs[i] != run_of_pause(a))))
            return err_set(err, ERR_CONFLICT, 0, "%s is taken by run %s already", a->conf.node,
                           a->runs[i]->j.run.spec.run);
    return next || (a->pause.state == PAUSE_NONE && !a->pause.beginning) ? true : pause_conflict(a, err);
}

static void accept_now(Agent *a, Accept *x)
{
    Err err;
    Runner *r = run_find(a, x->spec.run);
    bool ok = r || run_accept(a, &x->spec, &r, &err);
    if (x->req && ok)
        http_reply_json(x->req, 201, node_run_json(a, r));
    else if (x->req)
        http_reply_error(x->req, &err);
    accept_free(x);
}

static void accept_failed(Accept *x, const Err *err)
{
    if (x->req)
        http_reply_error(x->req, err);
    accept_free(x);
}

static void on_preflight(Agent *a, Step *s)
{
    Accept *x = s->arg;
    Err err = s->err;
    a->accepting = false;
    if (x->req)
        http_on_close(x->req, NULL, NULL);
    bool ok = s->result == STEP_OK;
    if (ok && !s->status.is_replica)
        ok = err_set(&err, ERR_REFUSED, 0, "%s is no replica: the run would have to pause it", a->conf.node);
    ok = ok && preflight_allows(&s->findings, &err) && not_paused(a, &x->spec, &err);
    if (ok)
        accept_now(a, x);
    else
        accept_failed(x, &err);
}

static void accept_on_replica(Agent *a, Accept *x)
{
    Err err;
    Step *s = NULL;
    bool downstream = false, delayed = false;
    bool ok =
        not_paused(a, &x->spec, &err) && limits_read_allow(x->spec.options, &downstream, &delayed, &err);
    if (ok && a->accepting)
        ok = err_set(&err, ERR_CONFLICT, 0, "%s is looking into another run just now; ask again",
                     a->conf.node);
    if (ok) {
        s = step_new(a, STEP_SURVEY, on_preflight);
        s->thorough = true;
        s->facts.allow_downstream = s->facts.allow_downstream || downstream;
        s->facts.allow_delayed = s->facts.allow_delayed || delayed;
        s->arg = x;
        ok = step_submit(s, &err);
    }
    if (!ok) {
        accept_failed(x, &err);
        return;
    }
    a->accepting = true;
    http_on_close(x->req, accept_closed, x);
}

static void accept_on_primary(Agent *a, Accept *x)
{
    Err err;
    if (!a->server.up || !a->server.status.is_replica) {
        accept_now(a, x);
        return;
    }
    err_set(&err, ERR_REFUSED, 0, "%s is a replica, this run belongs to the primary", a->conf.node);
    accept_failed(x, &err);
}

void api_post_run(HttpRequest *req, void *context)
{
    Agent *a = context;
    Err err;
    json_t *body;
    Accept *x = NEW(Accept);
    x->req = req;
    if (!http_body(req, &body, &err) || !wire_read(run_spec_fields, body, &x->spec, &err)) {
        if (err.kind == ERR_PROTOCOL)
            err.kind = ERR_USAGE;
        accept_failed(x, &err);
        return;
    }
    if (!role_heard_term(a, x->spec.term, &err)) {
        accept_failed(x, &err);
        return;
    }
    if (x->spec.run && run_find(a, x->spec.run)) {
        accept_now(a, x);
        return;
    }
    if (!run_check(a, &x->spec, &err) || !api_has_space(a, &err))
        accept_failed(x, &err);
    else if (run_on_replica(&x->spec, job_list_find(&a->jobs, x->spec.job)))
        accept_on_replica(a, x);
    else
        accept_on_primary(a, x);
}

Runner *api_run_of(HttpRequest *req, Agent *a)
{
    Err err;
    const char *id = http_param(req, "id");
    Runner *r = run_find(a, id);
    if (r)
        return r;
    err_set(&err, ERR_NOT_FOUND, 0, "%s knows no run %s", a->conf.node, id);
    http_reply_error(req, &err);
    return NULL;
}

static void reply_run(HttpRequest *req, Agent *a, bool ok, const Runner *r, const Err *err)
{
    if (ok)
        http_reply_json(req, 200, node_run_json(a, r));
    else
        http_reply_error(req, err);
}

void api_get_run(HttpRequest *req, void *context)
{
    const Runner *r = api_run_of(req, context);
    if (r)
        http_reply_json(req, 200, node_run_json(context, r));
}

void api_get_runs(HttpRequest *req, void *context)
{
    Agent *a = context;
    json_t *list = json_array();
    for (size_t i = 0; i < a->n_runs; i++)
        json_array_append_new(list, node_run_json(a, a->runs[i]));
    http_reply_json(req, 200, list);
}

bool api_body_term(HttpRequest *req, Agent *a, json_t **ret, Err *err)
{
    int64_t term;
    return http_body(req, ret, err) && json_opt_int(*ret, "term", 0, INT64_MAX, 0, &term, err) &&
           role_heard_term(a, term, err);
}

void api_post_align(HttpRequest *req, void *context)
{
    Agent *a = context;
    Err err;
    json_t *body;
    RunAlign to = {0};
    Runner *r = api_run_of(req, a);
    if (!r)
        return;
    bool ok = api_body_term(req, a, &body, &err) && wire_read(run_align_fields, body, &to, &err) &&
              run_align(a, r, &to, &err);
    reply_run(req, a, ok, r, &err);
    wire_free(run_align_fields, &to);
}

void api_post_go(HttpRequest *req, void *context)
{
    Agent *a = context;
    Err err;
    json_t *body;
    Runner *r = api_run_of(req, a);
    if (r)
        reply_run(req, a, api_body_term(req, a, &body, &err) && run_go(a, r, &err), r, &err);
}

void api_post_request(HttpRequest *req, void *context)
{
    Agent *a = context;
    Err err;
    json_t *body;
    const char *action, *by;
    Runner *r = api_run_of(req, a);
    if (!r)
        return;
    bool ok = api_body_term(req, a, &body, &err) && json_req_str(body, "action", &action, &err) &&
              json_opt_str(body, "by", "", &by, &err) && run_request(a, r, action, by, &err);
    reply_run(req, a, ok, r, &err);
}

void api_delete_run(HttpRequest *req, void *context)
{
    Agent *a = context;
    Err err;
    Runner *r = api_run_of(req, a);
    if (!r || !api_heard(req, a))
        return;
    if (run_forget(a, r, &err))
        http_reply_json(req, 200, json_object());
    else
        http_reply_error(req, &err);
}
