/* SPDX-License-Identifier: Apache-2.0
 * The agent's hold on a rescue: one supervised program, started by an effect, whose end and
 * progress are inputs. The lease keeps what it has found and how far it is.
 */
#include <string.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/db/flavor.h"
#include "common/db/gtid.h"
#include "common/file/fs.h"
#include "program.h"
#include "replica-agent/agent/agent.h"
#include "replica-agent/helper/rescue.h"
#include "store.h"

enum { SAID_BYTES = 900 };

static char *folder(Agent *a)
{
    return store_path(a, "rescue");
}

static void fill_spec(Agent *a, ProgramSpec *ret)
{
    AUTOFREE char *bin = fs_program_dir();
    ret->program = xasprintf("%s/siding-agent", bin);
    ret->cwd = folder(a);
    ret->stop_grace_ms = 1000;
    strlist_add(&ret->args, "rescue");
    strlist_addf(&ret->args, "--config=%s", a->config_path);
    if (a->s.durable.vote.vote.accepted.version > 0)
        strlist_add(&ret->args, "--silent");
    strlist_add(&ret->env, "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
    strlist_add(&ret->env, "LANG=C.UTF-8");
}

static void take_progress(Agent *a)
{
    ProgramProgress p = {0};
    if (!program_read_progress(a->rescue, &p))
        return;
    Input *in = queue_input(IN_RESCUE_PROGRESS, NULL);
    in->number = p.done;
    in->total = p.total;
    wire_free(program_progress_fields, &p);
    queue_post(a, in);
}

static void ended(Agent *a, ErrKind kind, const char *why)
{
    Input *in = queue_input(IN_RESCUE_ENDED, NULL);
    if (kind != ERR_NONE)
        err_set(&in->err, kind, 0, "%s", why);
    queue_post(a, in);
}

/* What it said last; what it, and those before it, said earlier stands before that. */
static const char *last_words(const char *tail)
{
    static const char name[] = "siding-agent rescue: ";
    const char *last = tail;
    for (const char *p = tail; (p = strstr(p, name)); p++)
        last = p + strlen(name);
    return last;
}

static ErrKind how_it_ended(const ProgramExit *e)
{
    if (!e || !e->started || e->signal)
        return ERR_IO;
    switch (e->exit_code) {
    case 0:
        return ERR_NONE;
    case RESCUE_NEEDS_PERSON:
        return ERR_DB;
    case RESCUE_LOOK_AGAIN:
        return ERR_CONFLICT;
    default:
        return ERR_IO;
    }
}

static void on_end(void *arg, const ProgramExit *e)
{
    Agent *a = arg;
    take_progress(a);
    AUTOFREE char *dir = xstrdup(program_dir(a->rescue));
    AUTOFREE char *tail = program_log_tail(dir, "err", SAID_BYTES);
    const char *said = last_words(tail);
    program_free(STEAL(a->rescue));
    ErrKind kind = how_it_ended(e);
    AUTOFREE char *why = xasprintf("the kept transactions are not all applied, %s: %s",
                                   kind == ERR_DB ? "mend what it names, it is tried again within minutes"
                                                  : "it will be tried again",
                                   *said           ? said
                                   : e && e->error ? e->error
                                   : !e            ? "its supervisor died"
                                                   : "it was killed");
    ended(a, kind, why);
}

void rescue_begin(Agent *a)
{
    Err err;
    AUTOFREE char *dir = folder(a);
    if (a->rescue)
        return;
    ProgramSpec spec = {0};
    fill_spec(a, &spec);
    bool again = !program_has_run(dir) || program_reset(dir, &err);
    /* Another build or configuration may have been put in place since. */
    AUTOFREE char *old = xasprintf("%s/spec.json", dir), *running = xasprintf("%s/supervisor.json", dir);
    if (again && !fs_exists(running))
        again = fs_remove(old, &err);
    if (!again || !program_start(a->base, dir, &spec, on_end, a, &a->rescue, &err))
        ended(a, ERR_IO, err.text);
    wire_free(program_spec_fields, &spec);
}

void rescue_tick(Agent *a)
{
    if (a->rescue)
        take_progress(a);
}

void rescue_close(Agent *a)
{
    program_free(STEAL(a->rescue)); /* it goes on below its supervisor */
}
