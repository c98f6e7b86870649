/* SPDX-License-Identifier: Apache-2.0
 * A run's programs, as they end: what they leave as a result, what is sealed and gathered, what is started
 * again.
 */
#include "run_state.h"

enum { MAX_TRIES = 5, MANIFEST_FILES_SHOWN = 50, STATUS_SNOOZE = 75 /* EX_TEMPFAIL */ };

static void take_manifest(AgentRunner *r, ProgramEnd *p)
{
    AgentRun *w = &r->j.run;
    json_t *files, *f;
    size_t i;
    if (!p->manifest)
        return;
    files = json_object_get(p->manifest, "files");
    w->result_bytes = w->result_compressed_bytes = 0;
    json_array_foreach(files, i, f)
    {
        w->result_bytes += json_int(f, "bytes");
        w->result_compressed_bytes += json_int(f, "compressed_bytes");
    }
    if (json_array_size(files) > MANIFEST_FILES_SHOWN)
        json_object_del(p->manifest, "files");
    json_decref(w->manifest);
    w->manifest = STEAL(p->manifest);
    json_decref(w->outcome_detail);
    w->outcome_detail = json_object();
    json_set_int(w->outcome_detail, "result_bytes", w->result_bytes);
    json_set_int(w->outcome_detail, "result_compressed_bytes", w->result_compressed_bytes);
    w->sealed = true;
    w->gathered = json_bool(w->manifest, "gathered");
    str_put(&w->result_dir, p->result_dir);
}

/* A transfer or a load whose supervisor was killed goes on where it was: both are made for it. */
static bool starts_again(Turn *t, AgentRunner *r, const ProgramEnd *p)
{
    bool goes_on = run_is_upload(r) || r->state == RUN_GATHERING;
    if (!p->lost || !p->can_restart || !goes_on || r->j.tries >= MAX_TRIES)
        return false;
    AUTOFREE char *name = xstrdup(r->j.program);
    r->j.tries++;
    fx_log(t, LOG_LEVEL_WARN, "run %.*s: the supervisor of %s was killed, starting it again",
           RUN_TEXT(run_id(r)), name);
    run_start_stage(t, r, name);
    return true;
}

static RunEvent gather_ended(Turn *t, AgentRunner *r, ProgramEnd *p)
{
    if (p->well) {
        take_manifest(r, p);
        if (r->j.run.gathered)
            return RUN_EV_JOB_OK;
    }
    str_put(&r->j.run.gather_error, p->well ? "the gathered result has no readable manifest" : p->err.text);
    fx_log(t, LOG_LEVEL_WARN, "run %.*s: %s", RUN_TEXT(run_id(r)), r->j.run.gather_error);
    return RUN_EV_JOB_ENDED;
}

static RunEvent seal_ended(Turn *t, AgentRunner *r, ProgramEnd *p)
{
    Err unreadable;
    if (p->well) {
        take_manifest(r, p);
        if (r->j.run.sealed) {
            run_set_outcome(t, r, OUTCOME_OK, ERR_NONE, NULL);
            return RUN_EV_SEALED;
        }
    }
    err_set(&unreadable, ERR_CORRUPT, 0, "the sealed result has no readable manifest");
    return run_fails(t, r, RUN_EV_SEAL_FAILED, p->well ? &unreadable : &p->err);
}

/* Later, where its file allows it: the coordinator says when and how often. */
static bool asks_for_later(Turn *t, AgentRunner *r, const ProgramEnd *p)
{
    const JobRules *j = rules_of_job(&t->s->known.rules, r->j.run.spec.job);
    if (p->exit_code != STATUS_SNOOZE || run_is_upload(r) || !j || !j->snooze_ms)
        return false;
    r->j.run.snooze_ms = j->snooze_ms;
    r->j.run.snooze_most = j->snooze_most;
    return true;
}

static RunEvent job_ended(Turn *t, AgentRunner *r, ProgramEnd *p)
{
    if (p->detail) {
        json_decref(r->j.run.outcome_detail);
        r->j.run.outcome_detail = STEAL(p->detail);
    }
    if (p->well)
        return run_stage_after(r, r->j.program) ? RUN_EV_NEXT : RUN_EV_JOB_OK;
    if (p->late) {
        r->j.run.renounced = true;
        run_set_outcome(t, r, OUTCOME_STOPPED, ERR_CANCELLED, p->err.text);
    }
    if (asks_for_later(t, r, p))
        run_set_outcome(t, r, OUTCOME_STOPPED, ERR_CANCELLED, "the job asked to be run later (status 75)");
    return run_fails(t, r, RUN_EV_JOB_ENDED, &p->err);
}

void run_program_ended(Turn *t, AgentRunner *r, ProgramEnd *p)
{
    if (!r->watched || !str_eq(r->j.program, p->name))
        return; /* of a stage that is over */
    r->watched = false;
    if (r->state == RUN_CUTTING)
        run_apply(t, r, run_cut_ended(t, r));
    else if (starts_again(t, r, p))
        ;
    else if (r->state == RUN_GATHERING)
        run_apply(t, r, gather_ended(t, r, p));
    else if (str_eq(r->j.program, "seal"))
        run_apply(t, r, seal_ended(t, r, p));
    else
        run_apply(t, r, job_ended(t, r, p));
}

void run_verified(Turn *t, const OpReport *op)
{
    AgentRunner *r = run_find(t->s, op->run);
    if (!r)
        return; /* forgotten meanwhile */
    r->op = 0;
    if (r->state != RUN_SEALING || op->end == END_BUSY)
        return; /* the tick asks again */
    if (op->end == END_OK) {
        r->j.verified = true;
        run_start_stage(t, r, "seal");
    } else {
        run_apply(t, r, run_fails(t, r, RUN_EV_SEAL_FAILED, &op->err));
    }
}

void run_take_split(Turn *t, AgentRunner *r, Input *in)
{
    AgentRun *w = &r->j.run;
    if (w->split == in->flag && w->lost.n == in->lost->n)
        return;
    w->split = in->flag;
    strlist_done(&w->lost);
    w->lost = *in->lost;
    *in->lost = (StrList){0};
    run_changed(t, r);
}

void run_take_progress(Turn *t, AgentRunner *r, Input *in)
{
    if (str_eq(r->j.program, "seal"))
        return;
    wire_free(progress_fields, &r->j.run.progress);
    r->j.run.progress = *in->progress;
    *in->progress = (WireProgress){0};
    fx_changed_slightly(t);
}
