/* SPDX-License-Identifier: Apache-2.0
 * Programs of agent.conf that are told before a replica leaves the readers and after it is back: run without
 * a shell, with a deadline, as the agent's user. When they are called is core/hook_step's.
 */

#include "common/base/subprocess.h"
#include "replica-agent/agent/agent.h"

enum { ENV_MAX = 10 };

typedef struct Call {
    Agent *a;
    bool before;
    char *program, *log;
    char *env[ENV_MAX];
    int64_t timeout_ms;
    bool ok;
    Err err;
} Call;

/* ---- running one, in a worker ---------------------------------------------------------------------------
 */

static void in_worker(void *arg)
{
    Call *c = arg;
    c->ok = subprocess_do(&(Subprocess){.program = c->program,
                                        .env = (const char *const *)c->env,
                                        .log = c->log,
                                        .timeout_ms = c->timeout_ms},
                          &c->err);
}

static void call_free(Call *c)
{
    for (size_t i = 0; i < ENV_MAX; i++)
        free(c->env[i]);
    free(c->program);
    free(c->log);
    free(c);
}

static Call *call_new(Agent *a, bool before)
{
    const HookRecord *j = &a->s.durable.hook;
    Call *c = NEW(Call);
    size_t n = 0;
    c->a = a;
    c->before = before;
    c->program = xstrdup(before ? a->conf.hooks.before_pause : a->conf.hooks.after_caught_up);
    c->log = store_path(a, before ? "before_pause.log" : "after_caught_up.log");
    c->timeout_ms = a->conf.hooks.timeout_ms;
    c->env[n++] = xstrdup("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
    c->env[n++] = xasprintf("SIDING_HOOK=%s", before ? "before_pause" : "after_caught_up");
    c->env[n++] = xasprintf("SIDING_NODE=%s", a->conf.node);
    c->env[n++] = str_eq(j->owner, LEASE_MANUAL) ? xstrdup("SIDING_RUN_ID=")
                                                 : xasprintf("SIDING_RUN_ID=%.*s", RUN_TEXT(j->owner));
    c->env[n++] = xasprintf("SIDING_REASON=%s", j->reason ? j->reason : "");
    c->env[n++] = xasprintf("SIDING_GTID=%s", j->gtid ? j->gtid : "");
    c->env[n++] = xasprintf("SIDING_SERVER=%s:%lld", a->conf.server.address, (long long)a->conf.server.port);
    return c;
}

/* ---- in the loop -----------------------------------------------------------------------------------------
 */

static void in_loop(void *arg)
{
    Call *c = arg;
    if (!c->a->stopping) { /* else the record says to the next agent what is owed */
        Input *in = queue_input(IN_HOOK, NULL);
        in->flag = c->before;
        if (!c->ok)
            in->err = c->err;
        queue_post(c->a, in);
    }
    call_free(c);
}

void hook_call(Agent *a, bool before)
{
    Err err;
    Call *c = call_new(a, before);
    if (work_submit(a->work, (WorkJob){in_worker, in_loop, c, .waits = true}, &err))
        return;
    call_free(c);
    Input *in = queue_input(IN_HOOK, NULL);
    in->flag = before;
    in->flag2 = true;
    in->err = err;
    queue_post(a, in);
}
