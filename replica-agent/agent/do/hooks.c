/* SPDX-License-Identifier: Apache-2.0
 * Programs of agent.conf that are told before a replica leaves the readers and after it is back: run without
 * a shell, with a deadline, as the agent's user. When they are called is core/hook_step's.
 */

#include "hook_program.h"
#include "replica-agent/agent/agent.h"

typedef struct Call {
    Agent *a;
    bool before;
    HookProgram hook;
} Call;

/* ---- running one, in a worker ---------------------------------------------------------------------------
 */

static void in_worker(void *arg)
{
    Call *c = arg;
    hook_program_run(&c->hook);
}

static void call_free(Call *c)
{
    hook_program_done(&c->hook);
    free(c);
}

static Call *call_new(Agent *a, bool before)
{
    const HookRecord *j = &a->s.durable.hook;
    Call *c = NEW(Call);
    StrList *env = &c->hook.env;
    c->a = a;
    c->before = before;
    hook_program_init(&c->hook, a, before ? "before_pause" : "after_caught_up",
                      before ? a->conf.hooks.before_pause : a->conf.hooks.after_caught_up);
    if (str_eq(j->owner, LEASE_MANUAL))
        strlist_add(env, "SIDING_RUN_ID=");
    else
        strlist_addf(env, "SIDING_RUN_ID=%.*s", RUN_TEXT(j->owner));
    strlist_addf(env, "SIDING_REASON=%s", j->reason ? j->reason : "");
    strlist_addf(env, "SIDING_GTID=%s", j->gtid ? j->gtid : "");
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
        if (!c->hook.ok)
            in->err = c->hook.err;
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
