/* SPDX-License-Identifier: Apache-2.0 */
#include "hook_program.h"

#include <inttypes.h>
#include <stdlib.h>

#include "common/base/clock.h"
#include "common/base/subprocess.h"
#include "replica-agent/agent/agent.h"

void hook_program_init(HookProgram *h, const Agent *a, const char *name, const char *program)
{
    AUTOFREE char *log = xasprintf("%s.log", name);
    h->program = xstrdup(program);
    h->log = store_path(a, log);
    h->timeout_ms = a->conf.hooks.timeout_ms;
    strlist_add(&h->env, "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
    strlist_addf(&h->env, "SIDING_HOOK=%s", name);
    strlist_addf(&h->env, "SIDING_NODE=%s", a->conf.node);
    strlist_addf(&h->env, "SIDING_SERVER=%s:%" PRId64, a->conf.server.address, a->conf.server.port);
}

void hook_program_run(HookProgram *h)
{
    int64_t begun = clock_mono_ms();
    const char **env = xcalloc(h->env.n + 1, sizeof *env);
    for (size_t i = 0; i < h->env.n; i++)
        env[i] = h->env.v[i];
    h->ok = subprocess_do(&(Subprocess){.program = h->program,
                                        .env = env,
                                        .log = h->log,
                                        .cancel = &h->cancel,
                                        .timeout_ms = h->timeout_ms},
                          &h->err);
    h->took_ms = clock_mono_ms() - begun;
    free(env);
}

void hook_program_done(HookProgram *h)
{
    strlist_done(&h->env);
    free(h->program);
    free(h->log);
}
