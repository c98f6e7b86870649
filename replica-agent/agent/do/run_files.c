/* SPDX-License-Identifier: Apache-2.0
 * The folders of runs, and what the configuration says of a run before it is accepted.
 */
#include <string.h>

#include "common/base/log.h"
#include "common/file/fs.h"
#include "common/wire/bounds.h"
#include "common/wire/tasklet.h"
#include "replica-agent/agent/agent.h"
#include "replica-agent/agent/do/spool.h"
#include "replica-agent/core/joblist.h"
#include "replica-agent/host/logs.h"

char *run_dir(const Agent *a, const char *id)
{
    return xasprintf("%s/runs/%s", a->conf.state_dir, id);
}

char *run_results(const Agent *a, const char *id)
{
    return xasprintf("%s/%s", a->conf.spool_dir, id);
}

/* People ask for what the run itself did, not for its sealing. */
char *run_log_dir(const Agent *a, const AgentRunner *r)
{
    return run_program_dir(a, r, r->j.program && !str_eq(r->j.program, "seal") ? r->j.program : "job");
}

void run_clean(Agent *a, const char *id)
{
    Err err;
    const AgentRunner *r = run_find(&a->s, id);
    AUTOFREE char *dir = run_dir(a, id), *cnf = xasprintf("%s/client.cnf", dir), *out = run_results(a, id);
    AUTOFREE char *incoming = xasprintf("%s/.incoming-%s", a->conf.spool_dir, id),
                  *gathering = xasprintf("%s/.gather-%s", a->conf.spool_dir, id);
    if (!fs_remove(cnf, &err) || !fs_remove_tree(incoming, &err) || !fs_remove_tree(gathering, &err))
        log_warn("run %s: %s", id, err.text);
    if (r && !r->j.run.sealed && !fs_remove_tree(out, &err))
        spool_set_aside(a, id);
}

void run_forget(Agent *a, const char *id, uint64_t token)
{
    Input *in = queue_input(IN_FORGOTTEN, id);
    const AgentRunner *r = run_find(&a->s, id);
    AUTOFREE char *dir = run_dir(a, id), *program = r ? run_log_dir(a, r) : NULL;
    in->token = token;
    bool ok = !r || (logs_keep(a->conf.state_dir, id, program, a->conf.log_limit_bytes, &in->err) &&
                     fs_remove_tree(dir, &in->err));
    if (ok)
        in->err = (Err){0};
    queue_post(a, in);
}

static bool check_upload(const RunSpec *spec, Err *err)
{
    int64_t task, no;
    if (!spec->source.url || !wire_run_id(spec->source.run, &task, &no) || !no)
        return err_set(err, ERR_USAGE, 0, "an upload needs a source with run and url");
    return true;
}

/* The coordinator has checked it before: another program that holds its certificate has not. */
static bool check_bounds(const RunSpec *spec, Err *err)
{
    AUTOJSON json_t *body = json_object();
    json_set_str(body, "job", spec->job);
    json_set_strs(body, "args", &spec->args);
    json_set_int(body, "pause_limit_ms", spec->pause_limit_ms);
    if (spec->options)
        json_object_set(body, "options", spec->options);
    return bounds_check(task_bounds, DOOR_API, body, err);
}

static bool check_args(const JobConfig *j, const StrList *args, Err *err)
{
    return j->tasklet ? tasklet_check(j->f.name, j->tasklet, args, err)
                      : joblist_check_args(j->f.name, args, &j->f.allow_args, err);
}

static bool check_job(Agent *a, const RunSpec *spec, Err *err)
{
    const JobConfig *j = job_list_find(&a->jobs, spec->job);
    if (spec->kind == KIND_UPLOAD)
        return check_upload(spec, err);
    if (!j)
        return err_set(err, ERR_REFUSED, 0,
                       "the job \"%s\" is not in the configuration of %s; put a file into %s", spec->job,
                       a->conf.node, a->conf.jobs_dir ? a->conf.jobs_dir : "its jobs_dir");
    if (spec->kind && (int)spec->kind != wire_enum_find(&task_kind_names, j->f.kind))
        return err_set(err, ERR_REFUSED, 0, "the job \"%s\" is of kind %s here, not %s", spec->job, j->f.kind,
                       WIRE_TEXT(task_kind_names, spec, kind));
    return apart_check(a, j, err) && check_bounds(spec, err) && check_args(j, &spec->args, err);
}

bool run_check(Agent *a, const RunSpec *spec, Err *err)
{
    int64_t task, no;
    if (!wire_check_names(run_spec_fields, spec, err))
        return false;
    if (!wire_run_id(spec->run, &task, &no) || !no)
        return err_set(err, ERR_USAGE, 0, "field \"run\" must be a run's id such as \"12.1\"");
    if (spec->cluster_name && !str_eq(spec->cluster_name, a->conf.cluster_name))
        return err_set(err, ERR_REFUSED, 0, "this agent belongs to cluster \"%s\", not \"%s\"",
                       a->conf.cluster_name, spec->cluster_name);
    if (!spec->job)
        return err_set(err, ERR_USAGE, 0, "field \"job\" is missing");
    return check_job(a, spec, err);
}
