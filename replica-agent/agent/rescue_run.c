/* SPDX-License-Identifier: Apache-2.0
 * The agent's hold on a rescue: one supervised program, started by an effect, whose end and
 * progress are inputs. The lease keeps what it has found and how far it is.
 */
#include <string.h>

#include "agent.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/db/flavor.h"
#include "common/db/gtid.h"
#include "common/file/fs.h"
#include "program.h"
#include "store.h"

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

static void ended(Agent *a, bool ok, const char *why)
{
    Input *in = queue_input(IN_RESCUE_ENDED, NULL);
    if (!ok)
        err_set(&in->err, ERR_IO, 0, "%s", why);
    queue_post(a, in);
}

static void on_end(void *arg, const ProgramExit *e)
{
    Agent *a = arg;
    take_progress(a);
    AUTOFREE char *dir = xstrdup(program_dir(a->rescue));
    AUTOFREE char *said = program_log_tail(dir, "err", 400);
    program_free(STEAL(a->rescue));
    bool ok = e && e->started && e->exit_code == 0 && !e->signal;
    AUTOFREE char *why =
        xasprintf("applying the kept transactions has not ended well, it will be tried again: %s",
                  *said           ? said
                  : e && e->error ? e->error
                  : !e            ? "its supervisor died"
                                  : "it was killed");
    ended(a, ok, why);
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
        ended(a, false, err.text);
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
