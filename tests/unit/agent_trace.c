/* SPDX-License-Identifier: Apache-2.0 */
#include "agent_trace.h"

#include <string.h>

#include "agent_trace_impl.h"
#include "common/base/clock.h"

enum { MOST_POSTS = 1000 };

/* ---- the disk --------------------------------------------------------------------------------------------
 */

Record *trace_disk_record(TraceDisk *d, const char *key)
{
    for (size_t i = 0; i < d->n; i++)
        if (str_eq(d->v[i].key, key))
            return &d->v[i];
    return NULL;
}

void trace_disk_keep(TraceDisk *d, const Record *r, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (!trace_disk_record(d, r[i].key)) {
            d->v = xrealloc(d->v, (d->n + 1) * sizeof *d->v);
            d->v[d->n++] = (Record){xstrdup(r[i].key), NULL};
        }
        json_decref(trace_disk_record(d, r[i].key)->value);
        trace_disk_record(d, r[i].key)->value = json_incref(r[i].value);
    }
}

const json_t *trace_on_disk(const Trace *t, const char *key)
{
    const Record *r = trace_disk_record((TraceDisk *)&t->disk, key);
    return r ? r->value : NULL;
}

static bool waits_for(Trace *t, const char *key)
{
    return trace_disk_record(&t->waiting, key) != NULL;
}

void trace_disk_free(TraceDisk *d)
{
    recordlog_free_records(d->v, d->n);
    *d = (TraceDisk){0};
}

/* What could not be written before is now. */
static void show_waiting(Trace *t)
{
    trace_show_records(t, t->waiting.v, t->waiting.n);
    trace_disk_keep(&t->disk, t->waiting.v, t->waiting.n);
    trace_disk_free(&t->waiting);
    t->waits = false;
}

Input *trace_new_input(InputKind kind, const char *owner)
{
    Input *in = NEW(Input);
    in->kind = kind;
    in->owner = xstrdup(owner);
    return in;
}

/* ---- draining as the loop does ---------------------------------------------------------------------------
 */

typedef struct Drain {
    Input *queue[MOST_POSTS];
    size_t n;
    Effects fx;
} Drain;

static void step_all(Trace *t, Drain *d)
{
    for (size_t next = 0; next < d->n; next++) {
        size_t from = d->fx.n;
        d->queue[next]->now_ms = t->now_ms;
        d->queue[next]->wall_ms = t->wall_ms;
        agent_step(&t->s, d->queue[next], &d->fx);
        for (size_t i = from; i < d->fx.n && d->n < MOST_POSTS; i++)
            if (d->fx.v[i].kind == FX_POST)
                d->queue[d->n++] = STEAL(d->fx.v[i].post);
        input_free(d->queue[next]);
    }
    if (d->n == MOST_POSTS)
        str_adds(&t->out, "  the queue does not come to an end\n");
    d->n = 0;
}

static Input *failure_of(const Effect *e)
{
    Input *in = NEW(Input);
    err_set(&in->err, ERR_NO_SPACE, 0, "the disk is full");
    if (e->kind == FX_SQL) {
        in->kind = IN_OP;
        in->op = NEW(OpReport);
        *in->op = (OpReport){.kind = e->op.kind, .id = e->op.id, .end = END_NOT_WRITTEN, .err = in->err};
    } else if (e->kind == FX_PROGRAM) {
        in->kind = IN_PROGRAM;
        in->owner = xstrdup(e->owner);
        in->program = NEW(ProgramEnd);
        *in->program = (ProgramEnd){.name = xstrdup(e->word), .not_started = true, .err = in->err};
    } else if (e->kind == FX_HOOK) {
        in->kind = IN_HOOK;
        in->flag = e->flag;
        in->flag2 = true;
    } else {
        input_free(in);
        return NULL;
    }
    return in;
}

static bool needs_record(const Effects *fx)
{
    for (size_t i = 0; i < fx->n; i++)
        if (fx->v[i].after_record && fx->v[i].kind != FX_CHANGED)
            return true;
    return false;
}

static void carry_out_held(Trace *t, Effects *fx, bool written, Drain *next)
{
    for (size_t i = 0; i < fx->n; i++) {
        Effect *e = &fx->v[i];
        if (!e->after_record)
            continue;
        if (written || e->kind == FX_ANSWER) {
            if (!written)
                err_set(&e->err, ERR_NO_SPACE, 0, "the disk is full");
            trace_show(t, e);
            continue;
        }
        Input *in = failure_of(e);
        if (in)
            next->queue[next->n++] = in;
    }
}

static void drain(Trace *t, Drain *d);

static void not_written(Trace *t, Effects *fx)
{
    Drain next = {0};
    Input *in = NEW(Input);
    in->kind = IN_NOT_WRITTEN;
    in->flag2 = waits_for(t, "role");
    in->number = waits_for(t, "vote");
    err_set(&in->err, ERR_NO_SPACE, 0, "the disk is full");
    next.queue[next.n++] = in;
    carry_out_held(t, fx, false, &next);
    effects_done(fx);
    drain(t, &next);
}

static void drain(Trace *t, Drain *d)
{
    size_t n;
    step_all(t, d);
    bool wait = needs_record(&d->fx);
    for (size_t i = 0; i < d->fx.n; i++)
        if (!wait || !d->fx.v[i].after_record)
            trace_show(t, &d->fx.v[i]);
    Record *r = agent_records(&t->s, &n);
    bool again = !t->disk_fails && t->waits;
    if (again)
        show_waiting(t);
    trace_show_records(t, r, n);
    if (again)
        d->queue[d->n++] = trace_new_input(IN_WRITTEN, NULL);
    trace_disk_keep(t->disk_fails ? &t->waiting : &t->disk, r, n);
    t->waits = t->waits || (t->disk_fails && n);
    recordlog_free_records(r, n);
    if (wait && t->disk_fails) {
        not_written(t, &d->fx);
        return;
    }
    if (wait)
        carry_out_held(t, &d->fx, true, d);
    effects_done(&d->fx);
    if (d->n)
        drain(t, d);
}

/* "X and Y": both are there when the drain begins. */
bool trace_happens(Trace *t, Input *in)
{
    if (t->more_comes) {
        t->first = in;
        return true;
    }
    Drain d = {.queue = {in}, .n = 1};
    if (t->first)
        d = (Drain){.queue = {STEAL(t->first), in}, .n = 2};
    drain(t, &d);
    return true;
}

void trace_input(Trace *t, Input *in)
{
    trace_happens(t, in);
}

/* ---- begin, kill, end ------------------------------------------------------------------------------------
 */

static void boot(Trace *t)
{
    Err err;
    TraceDisk *d = &t->disk;
    t->s.known.rules = t->rules;
    t->s.known.boot_id = t->boot_id ? t->boot_id : "boot";
    t->s.known.spool_free = t->s.known.state_free = t->s.known.relay_free = -1;
    lag_done(&t->s.known.lag);
    for (size_t i = 0; i < d->n; i++)
        if (d->v[i].value && !agent_restore(&t->s, d->v[i].key, d->v[i].value, t->wall_ms, &err))
            str_addf(&t->out, "  left out: %s\n", err.text);
    if (t->cut)
        agent_records_lost(&t->s);
    Input *in = trace_new_input(IN_BOOT, NULL);
    in->flag = t->nothing_kept;
    trace_happens(t, in);
}

void trace_begin(Trace *t)
{
    *t = (Trace){.now_ms = 1000000, .wall_ms = (int64_t)WALL_BEGIN_S * 1000, .server_pid = 100};
    t->rules = (AgentRules){.node = "db1",
                            .state_dir = "/state",
                            .spool_dir = "/spool",
                            .at_limit = "stop",
                            .pause_limit_ms = 28800000,
                            .applied_timeout_ms = 600000,
                            .barrier_timeout_ms = 60000,
                            .renew_ms = 60000,
                            .stop_grace_ms = 30000,
                            .min_free_bytes = 1 << 20,
                            .limit_warn_percent = 80,
                            .boost = true,
                            .boost_workers = 4,
                            .boost_trials_above_ms = 10000};
    boot(t);
    str_clear(&t->out);
}

static void forget_orders(Trace *t)
{
    for (size_t i = 0; i < OP_KINDS; i++) {
        free(STEAL(t->op_run[i]));
        t->op[i] = 0;
    }
}

void trace_restart(Trace *t)
{
    t->s.known.rules.jobs = NULL;
    t->s.known.rules.peers = NULL;
    agent_state_done(&t->s);
    forget_orders(t);
    trace_disk_free(&t->waiting);
    t->waits = false;
    boot(t);
}

void trace_end(Trace *t)
{
    trace_disk_free(&t->disk);
    trace_disk_free(&t->waiting);
    t->s.known.rules.jobs = NULL;
    t->s.known.rules.peers = NULL;
    agent_state_done(&t->s);
    forget_orders(t);
    trace_forget_seen(t);
    free(STEAL(t->job_words));
    free(STEAL(t->job_on));
    str_done(&t->out);
}
