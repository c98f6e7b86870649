/* SPDX-License-Identifier: Apache-2.0
 * The agent's hold on the filling of its server: one supervised program, whose stage, progress and end are
 * inputs.
 */
#include <stdio.h>
#include <string.h>

#include "common/file/fs.h"
#include "common/file/json.h"
#include "program.h"
#include "replica-agent/agent/agent.h"
#include "replica-agent/helper/fill.h"
#include "store.h"

enum { SAID_BYTES = 2000 };

static char *folder(Agent *a)
{
    return store_path(a, "fill");
}

static void fill_spec(Agent *a, ProgramSpec *ret)
{
    AUTOFREE char *bin = fs_program_dir(), *dir = folder(a);
    ret->program = xasprintf("%s/siding-agent", bin);
    ret->cwd = xstrdup(dir);
    ret->stop_grace_ms = 1000;
    strlist_add(&ret->args, "fill");
    strlist_addf(&ret->args, "--config=%s", a->config_path);
    strlist_addf(&ret->args, "--folder=%s", dir);
    if (a->s.durable.vote.vote.accepted.version) /* who acknowledges is decided, and recorded before */
        strlist_add(&ret->args, "--silent");
    strlist_add(&ret->env, "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
    strlist_add(&ret->env, "LANG=C.UTF-8");
}

static void tell_progress(Agent *a)
{
    ProgramProgress p = {0};
    const char *dir = program_dir(a->fill);
    FillPhase phase = fill_stage_read(dir, a->s.durable.fill.order.id);
    bool news = program_read_progress(a->fill, &p);
    if (phase && (news || phase != a->s.durable.fill.phase)) {
        Input *in = queue_input(IN_FILL_PROGRESS, NULL);
        in->text = xstrdup(wire_enum_name(&fill_phase_names, (int)phase));
        in->number = p.done;
        in->total = p.total;
        in->by = xstrdup(p.note);
        queue_post(a, in);
    }
    wire_free(program_progress_fields, &p);
}

static void ended(Agent *a, ErrKind kind, const char *why)
{
    Input *in = queue_input(IN_FILL_ENDED, NULL);
    if (kind != ERR_NONE)
        err_set(&in->err, kind, 0, "%s", why);
    queue_post(a, in);
}

/* The sentence that it, or the program that it ran, has ended with; notes stand before. */
static const char *last_words(const char *tail)
{
    static const char *const names[] = {"siding-agent fill: ", "siding-dump: ", "siding-restore: "};
    const char *last = NULL;
    for (size_t i = 0; i < COUNT(names); i++)
        for (const char *p = tail; (p = strstr(p, names[i])); p++)
            if (!str_starts(p + strlen(names[i]), "note: ") && (!last || p > last))
                last = p;
    return last ? last : tail;
}

static void on_end(void *arg, const ProgramExit *e)
{
    Agent *a = arg;
    tell_progress(a);
    AUTOFREE char *dir = xstrdup(program_dir(a->fill)), *tail = program_log_tail(dir, "err", SAID_BYTES);
    const char *said = last_words(tail);
    bool exited = e && e->started && !e->signal;
    program_free(STEAL(a->fill));
    if (exited && e->exit_code == 0) {
        ended(a, ERR_NONE, NULL);
        return;
    }
    ended(a, exited && e->exit_code == FILL_REFUSED_STATUS ? ERR_REFUSED : ERR_IO,
          exited && *said ? said
          : e && e->error ? e->error
          : !e            ? "its supervisor died"
                          : "it was killed");
}

static bool write_order(Agent *a, const char *dir, Err *err)
{
    AUTOFREE char *path = xasprintf("%s/%s", dir, FILL_ORDER);
    AUTOJSON json_t *order = wire_write(fill_order_fields, &a->s.durable.fill.order);
    AUTOFREE char *text = json_text(order);
    return fs_mkdirs(dir, 0700, err) && fs_replace(path, text, strlen(text), 0600, err);
}

/* Another build or configuration may have been put in place since the last time. */
static bool renew(const char *dir, Err *err)
{
    AUTOFREE char *old = xasprintf("%s/spec.json", dir), *running = xasprintf("%s/supervisor.json", dir);
    if (program_has_run(dir) && !program_reset(dir, err))
        return false;
    return fs_exists(running) || fs_remove(old, err);
}

/* `fresh`: of another order than what the log tells. */
static bool forget_log(const char *dir, bool fresh, Err *err)
{
    AUTOFREE char *log = xasprintf("%s/err", dir);
    return !fresh || fs_remove(log, err);
}

void fill_begin(Agent *a, bool fresh)
{
    Err err;
    AUTOFREE char *dir = folder(a);
    ProgramSpec spec = {0};
    if (a->fill)
        return;
    fill_spec(a, &spec);
    if (!write_order(a, dir, &err) || !renew(dir, &err) || !forget_log(dir, fresh, &err) ||
        !program_start(a->base, dir, &spec, on_end, a, &a->fill, &err))
        ended(a, ERR_IO, err.text);
    wire_free(program_spec_fields, &spec);
}

void fill_look(Agent *a)
{
    if (a->fill)
        tell_progress(a);
}

void fill_close(Agent *a)
{
    program_free(STEAL(a->fill)); /* it goes on below its supervisor */
}
