/* SPDX-License-Identifier: Apache-2.0
 * What a task is: from what was submitted, checked against what is known of its job.
 */
#include <inttypes.h>

#include "common/base/clock.h"
#include "common/file/json.h"
#include "common/wire/bounds.h"
#include "orchestrator/core/choose.h"
#include "orchestrator/core/recur.h"
#include "orchestrator/core/tasklets.h"
#include "orchestrator/core/turn_mail.h"
#include "orchestrator/core/window.h"
#include "post_process.h"
#include "queue_impl.h"
#include "zones.h"

/* ---- what a task is --------------------------------------------------------------------------------- */

static const JobInfo *find_job(const Coord *c, const char *name)
{
    AUTOFREE const Node **nodes = state_nodes(c);
    return choose_job(nodes, c->n_agents, name);
}

static bool no_such_job(const Coord *c, const char *name, Err *err)
{
    AUTOFREE const Node **nodes = state_nodes(c);
    return tasklets_not_broken(nodes, c->n_agents, name, err) &&
           choose_unknown_job(nodes, c->n_agents, name, err);
}

static bool check_plan(const Coord *c, const Task *t, Err *err)
{
    TaskPlan p = {0};
    const Zone *z = NULL;
    bool ok = recur_read(t->plan, &p, err) &&
              (!t->sleeptime_ms || !p.cron ||
               err_set(err, ERR_USAGE, 0, "a task has a cron line or a sleep time, not both")) &&
              (t->window || p.cron || !p.zone ||
               err_set(err, ERR_USAGE, 0, "zone of a plan goes with its cron or a window")) &&
              ((!p.cron && !t->window) || zones_find(c, p.zone, &z, err)) && recur_check(&p, z, err) &&
              turn_mail_check(&p, t->user, err);
    if (!ok && err->kind == ERR_PROTOCOL)
        err->kind = ERR_USAGE;
    wire_free(task_plan_fields, &p);
    return ok;
}

/* What one row of bounds.h cannot say: how fields go together, and what this cluster has. */
static bool check_together(const Coord *c, const Task *t, Err *err)
{
    WindowSet ignored;
    int64_t replicas = c->n_agents ? (int64_t)c->n_agents - 1 : 0;
    if (t->on == ROLE_REPLICA && t->replicas > replicas)
        return err_set(err, ERR_REFUSED, 0, "%" PRId64 " replicas are asked for, the cluster has %" PRId64,
                       t->replicas, replicas);
    if (t->host && t->replicas != 1)
        return err_set(err, ERR_USAGE, 0, "a task bound to a host runs on that one: leave \"replicas\" out");
    if (t->fixed_time && !t->sleeptime_ms)
        return err_set(err, ERR_USAGE, 0, "fixed_time needs a sleeptime");
    if (json_int(t->plan, "unique_for_ms") && !t->unique)
        return err_set(err, ERR_USAGE, 0, "unique_for_ms of a plan goes with a unique name");
    if (t->at_window_end && !t->window)
        return err_set(err, ERR_USAGE, 0, "at_window_end needs a window");
    if (t->at_window_end == WINDOW_END_SLEEP && t->on == ROLE_REPLICA)
        return err_set(
            err, ERR_USAGE, 0,
            "a job that sleeps keeps its replica frozen: at_window_end is \"finish\" or \"stop\" there");
    return (!t->window || window_parse(t->window, &ignored, err)) && check_plan(c, t, err);
}

static bool check_host(const Coord *c, const Task *t, Err *err)
{
    AUTO(strlist_done) StrList names = STRLIST_INIT;
    if (!t->host || state_agent(c, t->host))
        return true;
    for (size_t i = 0; i < c->n_agents; i++)
        strlist_add(&names, c->agents[i]->name);
    const char *near = names.n ? str_nearest(t->host, (const char *const *)names.v) : NULL;
    return err_set(err, ERR_REFUSED, 0, "there is no node \"%s\" for field \"host\"%s%s%s", t->host,
                   near ? ", did you mean \"" : "", near ? near : "", near ? "\"?" : "");
}

static bool names_databases(const Task *t)
{
    static const char *const options[] = {"--database=", "--table=", "--match="};
    for (size_t i = 0; i < t->args.n; i++)
        for (size_t k = 0; k < COUNT(options); k++)
            if (str_starts(t->args.v[i], options[k]))
                return true;
    return json_is_array(json_object_get(t->options, "databases"));
}

/* Of databases, which the job of this kind takes or does not take. */
static bool check_databases(const Task *t, Err *err)
{
    if (t->kind == KIND_DUMP && !names_databases(t))
        return err_set(
            err, ERR_USAGE, 0,
            "a dump needs its databases: options {\"databases\": [\"a\", \"b\"]}, or [\"*\"] for all");
    if (t->kind == KIND_COMMAND && json_object_get(t->options, "databases"))
        return err_set(err, ERR_USAGE, 0, "job \"%s\" is a command, which takes no \"databases\"", t->job);
    return true;
}

json_t *queue_task_body(const Task *t)
{
    AUTOJSON json_t *all = wire_write(task_fields, t);
    json_t *body = json_object();
    for (const Bound *b = task_bounds; b->name; b++)
        if (b->type != BOUND_OBJECT && json_object_get(all, b->name))
            json_object_set(body, b->name, json_object_get(all, b->name));
    if (t->options && json_object_size(t->options))
        json_object_set(body, "options", t->options);
    if (t->plan && json_object_size(t->plan))
        json_object_set(body, "plan", t->plan);
    if (!t->sequence_id)
        json_object_del(body, "sequence_id");
    return body;
}

/* A task of a body has been through its bounds; a row that SQL has made has not. */
static bool check_bounds(const Task *t, Err *err)
{
    if (t->malformed)
        return err_set(err, ERR_USAGE, 0,
                       "its row holds args or options that are no JSON, or too long: delete the task");
    AUTOJSON json_t *body = queue_task_body(t);
    return bounds_check(task_bounds, DOOR_API, body, err);
}

static bool check_shape(const Task *t, Err *err)
{
    bool several = t->replicas > 1 || t->replicas == REPLICAS_ALL;
    if (t->on != ROLE_REPLICA && t->on != ROLE_PRIMARY)
        return err_set(err, ERR_USAGE, 0, "\"on\" must be \"replica\" or \"primary\", not \"%s\"",
                       WIRE_TEXT(node_role_names, t, on));
    if (several && t->on == ROLE_PRIMARY)
        return err_set(err, ERR_USAGE, 0, "a job on the primary runs once: leave \"replicas\" out");
    return true;
}

/* Rows inserted by SQL may leave kind and place open. */
bool queue_fill_in(const Coord *c, Task *t, Err *err)
{
    const JobInfo *job = find_job(c, t->job);
    if (t->kind == KIND_UPLOAD && !t->parent_run)
        return err_set(err, ERR_REFUSED, 0, "uploads are made by the runs whose results they load");
    if (t->kind == KIND_UPLOAD)
        return true;
    if (!job)
        return no_such_job(c, t->job, err);
    if (t->kind && t->kind != job->kind)
        return err_set(err, ERR_USAGE, 0, "job \"%s\" is of kind \"%s\", not \"%s\"", t->job,
                       WIRE_TEXT(task_kind_names, job, kind), WIRE_TEXT(task_kind_names, t, kind));
    if (!t->kind)
        t->kind = job->kind;
    if (!t->on)
        t->on = job->on ? job->on : ROLE_REPLICA;
    return check_bounds(t, err) && tasklets_check_job(job, &t->args, err) && check_shape(t, err) &&
           check_databases(t, err) && check_host(c, t, err) && check_together(c, t, err);
}

static bool from_spec(Coord *c, const TaskSpec *s, Task *t, Err *err)
{
    if (!s->job || !*s->job)
        return err_set(err, ERR_USAGE, 0, "field \"job\" is missing: the name of the job to run");
    if (s->unique_existing && !s->unique)
        return err_set(err, ERR_USAGE, 0, "unique_existing goes with a unique name");
    int64_t now = clock_wall_ms();
    *t = (Task){.job = xstrdup(s->job),
                .kind = s->kind,
                .on = s->on,
                .name = xstrdup(s->name && *s->name ? s->name : s->job),
                .user = xstrdup(s->user && *s->user ? s->user : "unknown"),
                .state = TASK_WAITING,
                .priority = s->priority,
                .replicas = s->replicas ? s->replicas : 1,
                .submitted_at = now,
                .run_at = s->run_at ? s->run_at : now,
                .sleeptime_ms = s->sleeptime_ms,
                .fixed_time = s->fixed_time,
                .sequence_id = s->sequence_id,
                .on_error = s->on_error,
                .preempt = s->preempt,
                .at_window_end = s->at_window_end,
                .window = xstrdup(s->window),
                .unique = xstrdup(s->unique),
                .key = xstrdup(s->key),
                .host = xstrdup(s->host),
                .max_attempts = s->max_attempts ? s->max_attempts : 1,
                .pause_limit_ms = s->pause_limit_ms,
                .plan = json_object_size(s->plan) ? json_deep_copy(s->plan) : NULL,
                .options = s->options ? json_deep_copy(s->options) : NULL};
    for (size_t i = 0; i < s->args.n; i++)
        strlist_add(&t->args, s->args.v[i]);
    if (!queue_fill_in(c, t, err) || !post_process_check(c, t, err))
        return false;
    if (recur_has_cron(t))
        (void)!recur_first(t, zones_of_task(c, t), t->run_at);
    return true;
}

bool queue_make_task(Coord *c, const TaskSpec *spec, Task *ret, Err *err)
{
    Task t = {0};
    if (!from_spec(c, spec, &t, err)) {
        wire_free(task_fields, &t);
        return false;
    }
    *ret = t;
    return true;
}
