/* SPDX-License-Identifier: Apache-2.0
 * The programs that runs execute: started below a supervisor or found again, watched, and what their ends
 * left read for the core.
 */
#include <signal.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/file/fs.h"
#include "program.h"
#include "replica-agent/agent/agent.h"

typedef struct RunProgram {
    Agent *a;
    char *run, *name;
    Program *program; /* NULL until it is started */
    struct RunProgram *next;
} RunProgram;

static RunProgram *find(const Agent *a, const char *run)
{
    RunProgram *p = a->programs;
    while (p && !str_eq(p->run, run))
        p = p->next;
    return p;
}

static void forget(RunProgram *w)
{
    for (RunProgram **p = &w->a->programs; *p; p = &(*p)->next)
        if (*p == w) {
            *p = w->next;
            break;
        }
    program_free(w->program);
    free(w->run);
    free(w->name);
    free(w);
}

/* ---- ends ------------------------------------------------------------------------------------------------
 */

static json_t *read_json(const char *dir, const char *name)
{
    Err err;
    json_t *j = NULL;
    AUTOFREE char *path = xasprintf("%s/%s", dir, name);
    if (!json_read_file(path, &j, &err) && err.kind != ERR_NOT_FOUND)
        log_error("%s", err.text);
    return j;
}

static bool ended_well(const ProgramExit *e)
{
    return e && e->started && !e->signal && !e->exit_code && !e->ended_by;
}

static void read_results(Agent *a, const AgentRunner *r, ProgramEnd *p)
{
    AUTOFREE char *dir = run_program_dir(a, r, p->name);
    if (str_eq(p->name, "load"))
        p->detail = read_json(dir, "outcome.json");
    if (!p->well || !(str_eq(p->name, "seal") || str_eq(p->name, "gather")))
        return;
    p->result_dir = run_results(a, run_id(r));
    p->manifest = read_json(p->result_dir, "manifest.json");
}

/* A supervisor that was killed leaves a folder that can be used again once nothing runs in it. */
static void prepare_restart(Agent *a, const AgentRunner *r, ProgramEnd *p)
{
    Err err;
    AUTOFREE char *dir = run_program_dir(a, r, p->name);
    p->lost = true;
    if (r->j.run.spec.kind != KIND_UPLOAD && !str_eq(p->name, "gather"))
        return;
    p->can_restart = program_reset(dir, &err);
    if (!p->can_restart)
        log_warn("run %.*s: %s", RUN_TEXT(run_id(r)), err.text);
}

static void take_progress(RunProgram *w)
{
    ProgramProgress p = {0};
    if (!w->program || !program_read_progress(w->program, &p))
        return;
    Input *in = queue_input(IN_PROGRESS, w->run);
    in->progress = NEW(WireProgress);
    *in->progress =
        (WireProgress){.done = p.done, .total = p.total, .unit = STEAL(p.unit), .note = STEAL(p.note)};
    wire_free(program_progress_fields, &p);
    queue_post(w->a, in);
}

static void on_end(void *arg, const ProgramExit *e)
{
    RunProgram *w = arg;
    Agent *a = w->a;
    const AgentRunner *r = run_find(&a->s, w->run);
    take_progress(w);
    if (r) {
        Input *in = queue_input(IN_PROGRAM, w->run);
        ProgramEnd *p = in->program = NEW(ProgramEnd);
        p->name = xstrdup(w->name);
        p->well = ended_well(e);
        p->exit_code = e && !e->ended_by ? e->exit_code : 0;
        p->late = e && e->late;
        if (p->well && str_eq(w->name, "job") && split_is_undone(a, r)) {
            p->well = false;
            err_set(
                &p->err, ERR_IO, 0,
                "the program ended with status 0 before it was told that all pieces of the work are done: "
                "some are not");
        } else if (!p->well) {
            run_program_failure(a, r, w->name, e, &p->err);
        }
        read_results(a, r, p);
        if (!e)
            prepare_restart(a, r, p);
        queue_post(a, in);
    }
    forget(w);
}

/* ---- starts ----------------------------------------------------------------------------------------------
 */

enum { TOO_LATE = 1 }; /* code of ERR_TIMEOUT */

/* Until the coordinator has seen that the run was taken, it may give it to another. Looked at once more where
 * the program begins: this process may stand still in between. */
static bool set_start_by(const Agent *a, const AgentRunner *r, const char *name, ProgramSpec *spec, Err *err)
{
    const RunSpec *order = &r->j.run.spec;
    if (r->j.seen || !order->start_by.boot_id || str_eq(name, "seal") || str_eq(name, "gather"))
        return true;
    if (run_is_late(&a->s.known, order, clock_mono_ms()))
        return err_set(err, ERR_TIMEOUT, TOO_LATE, "its order came too late: it is not begun");
    wire_copy(start_by_fields, &spec->start_by, &order->start_by);
    return true;
}

static void not_started(Agent *a, const char *run, const char *name, const Err *err)
{
    Input *in = queue_input(IN_PROGRAM, run);
    in->program = NEW(ProgramEnd);
    *in->program =
        (ProgramEnd){.name = xstrdup(name), .not_started = true, .late = err->code == TOO_LATE, .err = *err};
    queue_post(a, in);
}

static bool start(Agent *a, const AgentRunner *r, const char *name, Err *err)
{
    ProgramSpec spec = {0};
    AUTOFREE char *dir = run_program_dir(a, r, name), *whole = run_dir(a, run_id(r));
    if (!fs_mkdirs(whole, 0700, err) || !run_program_spec(a, r, name, &spec, err))
        return false;
    if (spec.program && !set_start_by(a, r, name, &spec, err)) {
        wire_free(program_spec_fields, &spec);
        return false;
    }
    RunProgram *w = NEW(RunProgram);
    *w = (RunProgram){.a = a, .run = xstrdup(run_id(r)), .name = xstrdup(name), .next = a->programs};
    a->programs = w;
    bool ok = program_start(a->base, dir, &spec, on_end, w, &w->program, err);
    wire_free(program_spec_fields, &spec);
    if (!ok)
        forget(w);
    return ok;
}

/* One that is only to be found again has run already, or runs: its folder says so. */
static bool was_begun(Agent *a, const AgentRunner *r, const char *name, Err *err)
{
    AUTOFREE char *dir = run_program_dir(a, r, name), *spec = xasprintf("%s/spec.json", dir);
    return fs_exists(spec) || err_set(err, ERR_NOT_FOUND, 0, "%s was not begun", name);
}

void programs_start(Agent *a, const char *run, const char *name, bool only_find)
{
    Err err;
    const AgentRunner *r = run_find(&a->s, run);
    RunProgram *old = find(a, run);
    if (!r || (old && str_eq(old->name, name)))
        return;
    if (old)
        forget(old); /* of a stage that is over */
    if ((only_find && !was_begun(a, r, name, &err)) || !start(a, r, name, &err))
        not_started(a, run, name, &err);
}

void programs_signal(Agent *a, const char *run, int signo)
{
    const RunProgram *w = find(a, run);
    if (w && w->program)
        program_signal(w->program, signo);
}

void programs_tick(Agent *a)
{
    for (RunProgram *w = a->programs; w; w = w->next)
        take_progress(w);
}

bool programs_are_under_way(const Agent *a, size_t *ret_n)
{
    *ret_n = 0;
    for (const RunProgram *w = a->programs; w; w = w->next)
        ++*ret_n;
    return *ret_n > 0;
}

void programs_close(Agent *a)
{
    while (a->programs)
        forget(a->programs);
}
