/* SPDX-License-Identifier: Apache-2.0
 * What the API asks of runs: checked against state and configuration before anything is touched.
 */
#include <string.h>

#include "agent.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/file/fs.h"
#include "common/wire/limits.h"
#include "replica-agent/core/joblist.h"
#include "replica-agent/host/logs.h"
#include "run_impl.h"

bool run_on_replica(const RunSpec *spec, const JobConfig *job)
{
    if (spec->kind == KIND_UPLOAD)
        return false;
    int on = spec->on ? (int)spec->on : job ? wire_enum_find(&node_role_names, job->f.on) : ROLE_REPLICA;
    return on != ROLE_PRIMARY;
}

static bool check_upload(const RunSpec *spec, Err *err)
{
    int64_t task, no;
    if (!spec->source.url || !wire_run_id(spec->source.run, &task, &no) || !no)
        return err_set(err, ERR_USAGE, 0, "an upload needs a source with run and url");
    return true;
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
    return limits_check(spec->options, err) &&
           joblist_check_args(j->f.name, &spec->args, &j->f.allow_args, err);
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

bool run_accept(Agent *a, const RunSpec *spec, Runner **ret, Err *err)
{
    const JobConfig *job = job_list_find(&a->jobs, spec->job);
    AUTOFREE char *dir = run_dir(a, spec->run);
    if (!fs_mkdirs(dir, 0700, err))
        return false;
    Runner *r = run_add(a);
    wire_copy(run_spec_fields, &r->j.run.spec, spec);
    if (!r->j.run.spec.kind)
        r->j.run.spec.kind = job ? wire_enum_find(&task_kind_names, job->f.kind) : KIND_UPLOAD;
    r->side = run_on_replica(spec, job) ? RUN_ON_REPLICA : RUN_ON_PRIMARY;
    r->j.run.spec.on = r->side == RUN_ON_REPLICA ? ROLE_REPLICA : ROLE_PRIMARY;
    r->state = RUN_ACCEPTED;
    r->j.run.accepted_at = clock_wall_ms();
    run_stamp(r, RUN_ACCEPTED);
    if (!run_save(a, r, err)) {
        run_discard(a, r);
        return false;
    }
    log_info("run %s: accepted, %s %s on the %s", run_id(r), WIRE_TEXT(task_kind_names, &r->j.run.spec, kind),
             r->j.run.spec.job, WIRE_TEXT(node_role_names, &r->j.run.spec, on));
    agent_changed(a);
    run_act(a, r, RUN_ACT_AWAIT_APPLIED);
    *ret = r;
    return true;
}

static bool wrong_state(const Runner *r, const char *what, Err *err)
{
    return err_set(err, ERR_CONFLICT, 0, "run %s is %s: it cannot %s", run_id(r), run_state_wire(r->state),
                   what);
}

bool run_align(Agent *a, Runner *r, const RunAlign *to, Err *err)
{
    if (r->state != RUN_FROZEN || !r->j.run.spec.barrier)
        return wrong_state(r, "be aligned", err);
    if (!to->gtid || !*to->gtid || !to->source_file)
        return err_set(err, ERR_USAGE, 0, "an alignment needs gtid, source_file and source_pos");
    r->j.aligning = true;
    if (!pause_align(a, run_id(r), to->gtid, to->source_file, to->source_pos, err)) {
        r->j.aligning = false;
        return false;
    }
    run_event(a, r, RUN_EV_ALIGN);
    return true;
}

bool run_go(Agent *a, Runner *r, Err *err)
{
    if (r->state > RUN_FROZEN && run_is_under_way(r))
        return true; /* asked twice */
    if (r->state != RUN_FROZEN || r->j.aligning)
        return wrong_state(r, "go", err);
    run_event(a, r, RUN_EV_GO);
    return true;
}

bool run_request(Agent *a, Runner *r, const char *action, const char *by, Err *err)
{
    bool stop = str_eq(action, "stop"), kill_it = str_eq(action, "kill");
    if (!run_is_under_way(r))
        return wrong_state(r, action, err);
    if (stop || kill_it) {
        AUTOFREE char *text = xasprintf("%s by %s", stop ? "stopped" : "killed", by && *by ? by : "request");
        RunEnd end = {
            .outcome = stop ? "stopped" : "killed", .kind = ERR_CANCELLED, .text = text, .hard = kill_it};
        run_cut(a, r, &end);
        return true;
    }
    if (!str_eq(action, "sleep") && !str_eq(action, "wake"))
        return err_set(err, ERR_USAGE, 0, "action \"%s\" is not one of stop, kill, sleep, wake", action);
    RunEvent ev = str_eq(action, "sleep") ? RUN_EV_SLEEP : RUN_EV_WAKE;
    if (!run_machine_find(r->side, r->state, ev))
        return wrong_state(r, action, err);
    run_event(a, r, ev);
    return true;
}

/* People ask for what the run itself did, not for its sealing. */
char *run_log_dir(const Agent *a, const Runner *r)
{
    return run_program_dir(a, r, r->j.program && !str_eq(r->j.program, "seal") ? r->j.program : "job");
}

bool run_forget(Agent *a, Runner *r, Err *err)
{
    if (run_is_under_way(r))
        return wrong_state(r, "be forgotten", err);
    AUTOFREE char *dir = run_dir(a, run_id(r)), *program = run_log_dir(a, r);
    if (!logs_keep(a->conf.state_dir, run_id(r), program, err) || !fs_remove_tree(dir, err))
        return false;
    run_discard(a, r);
    agent_changed(a);
    return true;
}
