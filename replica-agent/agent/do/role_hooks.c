/* SPDX-License-Identifier: Apache-2.0
 * Programs of agent.conf that are told that this node has become, or is no longer, the primary: run without a
 * shell, with a deadline, as the agent's user. When they are called is core/role_hook_step's. One at a time.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "hook_program.h"
#include "replica-agent/agent/agent.h"

typedef struct RoleCall {
    Agent *a;
    HookProgram hook;
} RoleCall;

static void in_worker(void *arg)
{
    RoleCall *c = arg;
    hook_program_run(&c->hook);
}

static void call_free(RoleCall *c)
{
    hook_program_done(&c->hook);
    free(c);
}

static const char *program_of(const Agent *a, const Effect *e)
{
    return e->flag ? a->conf.hooks.after_promotion : a->conf.hooks.after_demotion;
}

static RoleCall *call_new(Agent *a, const Effect *e)
{
    RoleCall *c = NEW(RoleCall);
    StrList *env = &c->hook.env;
    c->a = a;
    hook_program_init(&c->hook, a, e->flag ? "after_promotion" : "after_demotion", program_of(a, e));
    strlist_addf(env, "SIDING_PRIMARY=%s", e->owner);
    strlist_addf(env, "SIDING_TERM=%" PRId64, e->number);
    strlist_addf(env, "SIDING_ATTEMPT=%" PRIu64, e->token);
    strlist_addf(env, "SIDING_SOCKET=%s", a->conf.server.socket ? a->conf.server.socket : "");
    return c;
}

static void post(Agent *a, const Err *err, int64_t took_ms, bool called)
{
    Input *in = queue_input(IN_ROLE_HOOK, NULL);
    in->number = took_ms;
    in->flag2 = !called;
    if (err)
        in->err = *err;
    queue_post(a, in);
}

static void in_loop(void *arg)
{
    RoleCall *c = arg;
    c->a->role_call = NULL;
    if (!c->a->stopping) /* else the record says to the next agent what is owed */
        post(c->a, c->hook.ok ? NULL : &c->hook.err, c->hook.took_ms, true);
    call_free(c);
}

void role_hook_call(Agent *a, const Effect *e)
{
    Err err;
    RoleCall *c;
    if (!program_of(a, e)) {
        post(a, NULL, 0, true); /* it is not configured any more */
        return;
    }
    c = call_new(a, e);
    if (work_submit(a->work, (WorkJob){in_worker, in_loop, c, .waits = true}, &err)) {
        a->role_call = c;
        return;
    }
    call_free(c);
    post(a, &err, 0, false);
}

void role_hook_end(Agent *a)
{
    if (a->role_call)
        atomic_store(&a->role_call->hook.cancel, true);
}
