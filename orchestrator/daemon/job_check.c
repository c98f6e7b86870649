/* SPDX-License-Identifier: Apache-2.0 */
#include "job_check.h"

#include <stdio.h>

#include "common/base/log.h"
#include "common/file/json.h"
#include "orchestrator/core/choose.h"

enum { CALL_TIMEOUT_MS = 30000 };

static const JobInfo *job_of(const AgentLink *a, const char *job)
{
    const Node *node = a && !a->node.agent_error && a->node.agent.node ? &a->node : NULL;
    return node ? choose_job(&node, 1, job) : NULL;
}

AgentLink *job_check_of_upload(const Coord *c, const Task *t)
{
    AgentLink *a = state_primary_agent(c);
    const JobInfo *job = t->on == ROLE_REPLICA && t->kind != KIND_UPLOAD ? job_of(a, t->job) : NULL;
    return job && job->upload && *job->upload && !str_eq(job->upload, "none") ? a : NULL;
}

void job_check_ask(AgentLink *a, const char *job, const CallRef *ref)
{
    AUTOFREE char *path = xasprintf("/v1/preflight?job=%s", job);
    agents_call(a, "GET", path, NULL, CALL_TIMEOUT_MS, ref);
}

static bool is_obstacle(const json_t *finding)
{
    return str_eq(json_str(finding, "name"), "job") && str_eq(json_str(finding, "level"), "error");
}

bool job_check_obstacle(const char *node, const json_t *findings, Err *err)
{
    size_t i;
    json_t *f;
    json_array_foreach(findings, i, f)
    {
        if (!is_obstacle(f))
            continue;
        err_set(err, ERR_REFUSED, 0, "%s: %s; %s", node, json_str(f, "text"), json_str(f, "mend"));
        return true;
    }
    return false;
}

/* ---- a plan ----------------------------------------------------------------------------------------- */

typedef struct PlanCheck {
    HttpRequest *req;
    json_t *plan, *obstacles;
    size_t missing; /* answers */
} PlanCheck;

static void finish(PlanCheck *p)
{
    if (p->missing)
        return;
    http_reply_json(p->req, 200, p->plan);
    free(p);
}

static void add_obstacle(PlanCheck *p, const char *node, const json_t *finding)
{
    json_t *o = json_object();
    json_set_str(o, "node", node);
    json_set_str(o, "text", json_str(finding, "text"));
    json_set_str(o, "mend", json_str(finding, "mend"));
    json_array_append_new(p->obstacles, o);
}

/* An agent that does not answer is no obstacle: another may do the job. */
static void checked(CallRef *ref, bool ok, json_t *body, const Err *err)
{
    PlanCheck *p = ref->arg;
    size_t i;
    json_t *f;
    json_array_foreach(ok ? body : NULL, i, f)
    {
        if (is_obstacle(f))
            add_obstacle(p, ref->node, f);
    }
    if (!ok)
        log_warn("dry run: %s was not asked what stops the job: %s", ref->node, err->text);
    p->missing--;
    finish(p);
}

static bool is_asked(const Coord *c, const AgentLink *a, const Task *t, const json_t *nodes)
{
    const char *primary = c->journal.primary ? c->journal.primary : "";
    if (!job_of(a, t->job))
        return false;
    if (str_eq(a->name, primary))
        return t->on == ROLE_PRIMARY || job_check_of_upload(c, t) == a;
    size_t i;
    json_t *name;
    json_array_foreach(nodes, i, name)
    {
        if (str_eq(json_string_value(name), a->name))
            return true;
    }
    return t->on == ROLE_REPLICA && !json_array_size(nodes);
}

void job_check_plan(Coord *c, const Task *t, json_t *plan, HttpRequest *req)
{
    PlanCheck *p = NEW(PlanCheck);
    *p = (PlanCheck){.req = req, .plan = plan, .obstacles = json_array(), .missing = 1};
    json_object_set_new(plan, "obstacles", p->obstacles);
    for (size_t i = 0; i < c->n_agents; i++) {
        if (!is_asked(c, c->agents[i], t, json_object_get(plan, "nodes")))
            continue;
        CallRef ref = {.done = checked, .arg = p};
        snprintf(ref.node, sizeof ref.node, "%s", c->agents[i]->name);
        p->missing++;
        job_check_ask(c->agents[i], t->job, &ref);
    }
    p->missing--;
    finish(p);
}
