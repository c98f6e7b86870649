/* SPDX-License-Identifier: Apache-2.0 */
#include "loop.h"

#include <string.h>

#include "agent.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "replica-agent/agent/do/operation.h"

enum { LATE_MS = 2000, MOST_STEPS = 10000 };

/* ---- carrying out ----------------------------------------------------------------------------------------
 */

static void do_event(Agent *a, const Effect *e)
{
    tell_of_failover(a, e->level, e->word, e->owner, e->text, e->number);
}

static void do_changed(Agent *a, const Effect *e)
{
    if (e->flag)
        agent_changed_slightly(a);
    else
        agent_changed(a);
}

static void carry_out(Agent *a, Effect *e)
{
    switch (e->kind) {
    case FX_LOG:
        log_line(e->level, "%s", e->text);
        break;
    case FX_EVENT:
        do_event(a, e);
        break;
    case FX_POST:
        queue_post(a, STEAL(e->post));
        break;
    case FX_SQL:
        sql_begin(a, &e->op);
        break;
    case FX_CANCEL:
        operation_cancel((uint64_t)e->number);
        break;
    case FX_DROP_HELD:
        sql_drop_held(a);
        break;
    case FX_PROGRAM:
        programs_start(a, e->owner, e->word, e->flag);
        break;
    case FX_SIGNAL:
        programs_signal(a, e->owner, (int)e->number);
        break;
    case FX_CLEAN:
        run_clean(a, e->owner);
        break;
    case FX_FORGET:
        run_forget(a, e->owner, e->token);
        break;
    case FX_RESCUE:
        rescue_begin(a);
        break;
    case FX_FILL:
        fill_begin(a, e->flag);
        break;
    case FX_HOOK:
        hook_call(a, e->flag);
        break;
    case FX_ROLE_HOOK:
        role_hook_call(a, e);
        break;
    case FX_END_ROLE_HOOK:
        role_hook_end(a);
        break;
    case FX_ASK:
        contact_ask(a, e);
        break;
    case FX_CLEAR_VAULT:
        vault_give_up(a);
        break;
    case FX_ANSWER:
        if (e->text)
            answer_text(a, e->token, (int)e->number, e->text);
        else
            answer_give(a, e->token, e->owner, &e->err);
        break;
    case FX_NEWS:
        answer_news(a, e->owner, (PauseNews)e->number, &e->err);
        break;
    case FX_CHANGED:
        do_changed(a, e);
        break;
    case FX_KINDS:
        break;
    }
}

/* What became of an effect whose record is not on disk: its own failure. */
static void refuse(Agent *a, Effect *e, const Err *err)
{
    Input *in = NULL;
    switch (e->kind) {
    case FX_SQL:
        in = queue_input(IN_OP, NULL);
        in->op = NEW(OpReport);
        *in->op = (OpReport){.kind = e->op.kind, .id = e->op.id, .end = END_NOT_WRITTEN, .err = *err};
        break;
    case FX_PROGRAM:
        in = queue_input(IN_PROGRAM, e->owner);
        in->program = NEW(ProgramEnd);
        *in->program = (ProgramEnd){.name = xstrdup(e->word), .not_started = true, .err = *err};
        break;
    case FX_FILL:
        in = queue_input(IN_FILL_ENDED, NULL);
        in->err = *err;
        break;
    case FX_HOOK:
        in = queue_input(IN_HOOK, NULL);
        in->flag = e->flag;
        in->flag2 = true;
        in->err = *err;
        break;
    case FX_ROLE_HOOK:
        in = queue_input(IN_ROLE_HOOK, NULL);
        in->flag2 = true;
        in->err = *err;
        break;
    case FX_ANSWER:
        answer_give(a, e->token, NULL, err);
        break;
    case FX_CHANGED:
        do_changed(a, e);
        break;
    default:
        break;
    }
    if (in)
        queue_post(a, in);
}

/* ---- draining --------------------------------------------------------------------------------------------
 */

static bool waits(const Effects *fx, const Effect *e)
{
    if (e->after_record)
        return true;
    /* A signal never overtakes the start of its program. */
    for (size_t i = 0; e->kind == FX_SIGNAL && i < fx->n; i++)
        if (fx->v[i].kind == FX_PROGRAM && str_eq(fx->v[i].owner, e->owner))
            return true;
    return false;
}

static void hold(Effects *held, Effect *e)
{
    held->v = xrealloc(held->v, (held->n + 1) * sizeof *held->v);
    held->cap = held->n + 1;
    held->v[held->n++] = *e;
    *e = (Effect){.kind = FX_KINDS};
}

static void step(Agent *a, Input *in, Effects *fx)
{
    size_t from = fx->n;
    in->now_ms = clock_mono_ms();
    in->wall_ms = clock_wall_ms();
    agent_step(&a->s, in, fx);
    for (size_t i = from; i < fx->n; i++)
        if (fx->v[i].kind == FX_POST)
            carry_out(a, &fx->v[i]);
    sql_release(in);
    input_free(in);
}

static void step_all(Agent *a, Effects *fx)
{
    Queue *q = &a->queue;
    size_t next = 0;
    for (; next < q->n && next < MOST_STEPS; next++)
        step(a, q->v[next], fx);
    q->n -= next;
    memmove(q->v, q->v + next, q->n * sizeof(Input *));
    if (q->n)
        log_error("the agent's queue does not come to an end after %d steps, at \"%s\"; the rest waits",
                  MOST_STEPS, input_name(q->v[0]->kind));
}

static bool needs_record(const Effects *fx)
{
    for (size_t i = 0; i < fx->n; i++)
        if (fx->v[i].after_record && fx->v[i].kind != FX_CHANGED)
            return true;
    return false;
}

static void hand_over_records(Agent *a)
{
    size_t n;
    Record *records = agent_records(&a->s, &n);
    for (size_t i = 0; i < n; i++)
        store_put(a, STEAL(records[i].key), STEAL(records[i].value));
    recordlog_free_records(records, n);
    tell_records(a);
}

static void await_record(Agent *a)
{
    struct timeval tv = {LATE_MS / 1000, LATE_MS % 1000 * 1000};
    a->loop.held_since_ms = clock_mono_ms();
    a->loop.awaited = store_batch(a);
    evtimer_add(a->loop.late, &tv);
}

static void drain(Agent *a)
{
    Loop *l = &a->loop;
    Effects fx = {0};
    step_all(a, &fx);
    bool wait = needs_record(&fx);
    for (size_t i = 0; i < fx.n; i++) {
        if (wait && waits(&fx, &fx.v[i]))
            hold(&l->held, &fx.v[i]);
        else if (fx.v[i].kind != FX_POST)
            carry_out(a, &fx.v[i]);
    }
    effects_done(&fx);
    hand_over_records(a);
    if (wait)
        await_record(a);
    store_flush(a, wait);
}

/* ---- the record ------------------------------------------------------------------------------------------
 */

static Effects take_held(Agent *a)
{
    Effects fx = a->loop.held;
    a->loop.held = (Effects){0};
    a->loop.held_since_ms = 0;
    evtimer_del(a->loop.late);
    return fx;
}

static void written(Agent *a)
{
    Effects fx = take_held(a);
    for (size_t i = 0; i < fx.n; i++)
        carry_out(a, &fx.v[i]);
    effects_done(&fx);
}

/* What was not written comes before what has been posted meanwhile. */
static void not_written(Agent *a, const Err *err)
{
    bool role = store_waits_for(a, "role"), vote = store_waits_for(a, "vote");
    Effects fx = take_held(a);
    Queue behind = a->queue;
    a->queue = (Queue){.drain = behind.drain};
    Input *in = queue_input(IN_NOT_WRITTEN, NULL);
    in->flag2 = role;
    in->number = vote;
    in->err = *err;
    queue_post(a, in);
    for (size_t i = 0; i < fx.n; i++)
        refuse(a, &fx.v[i], err);
    for (size_t i = 0; i < behind.n; i++)
        queue_post(a, behind.v[i]);
    free(behind.v);
    effects_done(&fx);
}

static void look_at_store(Agent *a)
{
    Err err;
    if (store_has(a, a->loop.awaited))
        written(a);
    else if (store_failed(a, a->loop.awaited, &err))
        not_written(a, &err);
}

static void on_drain(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    Agent *a = arg;
    if (a->stopping)
        return;
    if (a->loop.held_since_ms)
        look_at_store(a);
    if (!a->loop.held_since_ms && a->queue.n)
        drain(a);
    if (!a->loop.held_since_ms && a->queue.n)
        queue_wake(a);
}

static void on_late(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    Err err;
    Agent *a = arg;
    err_set(&err, ERR_TIMEOUT, 0, "%s was not written within %d s: its disk is full, or does not answer",
            a->conf.state_dir, LATE_MS / 1000);
    if (a->loop.held_since_ms)
        not_written(a, &err);
}

void loop_open(Agent *a)
{
    a->queue.drain = evtimer_new(a->base, on_drain, a);
    a->loop.late = evtimer_new(a->base, on_late, a);
}

void loop_close(Agent *a)
{
    Queue *q = &a->queue;
    for (size_t i = 0; i < q->n; i++) {
        sql_release(q->v[i]);
        input_free(q->v[i]);
    }
    free(q->v);
    if (q->drain)
        event_free(q->drain);
    if (a->loop.late)
        event_free(a->loop.late);
    effects_done(&a->loop.held);
    *q = (Queue){0};
    a->loop = (Loop){0};
}
