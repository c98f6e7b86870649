/* SPDX-License-Identifier: Apache-2.0
 * What a step can bring about: a change of state with all that follows for the task, a call, a line for
 * people.
 */
#include <inttypes.h>

#include "coord_run_impl.h"
#include "start_plan.h"

enum {
    RETRY_LEAST_MS = 200,
    ATTEMPT_LEAST_MS = 30000, /* before a failed run's next attempt; doubles with each */
    ATTEMPT_DOUBLINGS = 7,
};

/* ---- effects ---------------------------------------------------------------------------------------- */

CoordRunEffect *look_effect(RunLook *l, CoordRunEffectKind kind)
{
    CoordRunEffects *e = l->out;
    e->v = xrealloc(e->v, (e->n + 1) * sizeof *e->v);
    e->v[e->n] = (CoordRunEffect){.kind = kind};
    return &e->v[e->n++];
}

void coord_run_effects_done(CoordRunEffects *e)
{
    for (size_t i = 0; i < e->n; i++) {
        free(e->v[i].node);
        free(e->v[i].text);
        free(e->v[i].parts);
        wire_free(run_align_fields, &e->v[i].align);
    }
    free(e->v);
    *e = (CoordRunEffects){0};
}

/* Once, however much of the row has changed. */
void look_write(RunLook *l)
{
    for (size_t i = 0; i < l->out->n; i++)
        if (l->out->v[i].kind == CRUN_FX_WRITE)
            return;
    look_effect(l, CRUN_FX_WRITE);
}

void look_say(RunLook *l, const char *level, const char *node, char *text)
{
    CoordRunEffect *e = look_effect(l, CRUN_FX_EVENT);
    e->level = level;
    e->node = xstrdup(node);
    e->text = text;
}

void look_log(RunLook *l, const char *level, char *text)
{
    CoordRunEffect *e = look_effect(l, CRUN_FX_LOG);
    e->level = level;
    e->text = text;
}

/* ---- a change of state ------------------------------------------------------------------------------ */

static const char *level_of(CoordRunState s)
{
    return s == CRUN_ERROR ? "error" : s == CRUN_KILLED || s == CRUN_STOPPED ? "warn" : "info";
}

static TaskState task_under_way(const Task *t, CoordRunState s)
{
    if (t->request == ACTION_STOP || t->request == ACTION_KILL)
        return TASK_STOPPING;
    return s == CRUN_SLEEPING ? TASK_SLEEPING : TASK_RUNNING;
}

static TaskState task_ended(CoordRunState s)
{
    return s == CRUN_DONE      ? TASK_DONE
           : s == CRUN_KILLED  ? TASK_KILLED
           : s == CRUN_STOPPED ? TASK_STOPPED
                               : TASK_ERROR;
}

static int64_t attempt_wait_ms(const Task *t)
{
    int64_t doublings = t->attempts - 1;
    return ATTEMPT_LEAST_MS << (doublings < ATTEMPT_DOUBLINGS ? doublings : ATTEMPT_DOUBLINGS);
}

/* What the end of its run means for the task: its end, the next attempt, or the next turn of a recurrence. */
static void end_task(RunLook *l)
{
    Task *t = l->t;
    Run *r = l->r;
    int64_t now = l->in->wall_ms;
    r->finished_at = now;
    str_set(&t->error, r->error);
    t->request = ACTION_NONE;
    str_set(&t->request_by, NULL);
    if (r->state == CRUN_DONE && t->sleeptime_ms > 0) {
        t->run_at = plan_next_run_at(t->run_at, now, t->sleeptime_ms, t->fixed_time);
        t->attempts = 0;
        t->state = TASK_WAITING;
    } else if (r->state == CRUN_ERROR && t->attempts < t->max_attempts) {
        t->run_at = now + attempt_wait_ms(t);
        t->state = TASK_WAITING;
    } else {
        t->state = task_ended(r->state);
        t->finished_at = now;
    }
    look_effect(l, CRUN_FX_ENDED)->number = r->state == CRUN_DONE;
}

static void revive(RunLook *l)
{
    l->r->finished_at = l->t->finished_at = 0;
    str_set(&l->r->error, NULL);
    str_set(&l->t->error, NULL);
}

void look_no_place(RunLook *l, CoordRunEvent event)
{
    CoordRun *run = l->run;
    if (run->odd_state != l->r->state || run->odd_event != event)
        look_log(l, "error",
                 xasprintf("event \"%s\" has no place in state %s", coord_run_event_name(event),
                           coord_run_state_name(l->r->state)));
    run->odd_state = l->r->state;
    run->odd_event = event;
}

void look_change(RunLook *l, const CoordRunRow *row)
{
    l->r->state = row->next;
    if (coord_run_is_final(row->next))
        end_task(l);
    else
        l->t->state = task_under_way(l->t, row->next);
}

/* Every change but the claim, which is on record already. `detail` replaces the row's reason; NULL: none. */
void look_enter(RunLook *l, CoordRunEvent event, const char *detail)
{
    const CoordRunRow *row = coord_run_find(l->r->state, event);
    if (!row) {
        look_no_place(l, event);
        return;
    }
    bool was_final = coord_run_is_final(l->r->state);
    look_change(l, row);
    if (was_final)
        revive(l);
    look_write(l);
    look_say(l, level_of(row->next), l->r->nodes.n ? l->r->nodes.v[0] : NULL,
             xasprintf("%s: %s", coord_run_state_name(row->next), detail ? detail : row->reason));
}

/* ---- calls to agents -------------------------------------------------------------------------------- */

CoordPart *look_part(const RunLook *l, size_t i)
{
    return &l->run->parts[i];
}

bool look_may_call(const RunLook *l, size_t i)
{
    const CoordPart *p = look_part(l, i);
    return l->known->parts[i].configured && !p->busy && retry_is_due(&p->retry, l->in->now_ms);
}

CoordRunEffect *look_call(RunLook *l, CoordRunEffectKind kind, size_t i)
{
    CoordRunEffect *e = look_effect(l, kind);
    e->part = i;
    look_part(l, i)->busy = true;
    return e;
}

void look_ask(RunLook *l, size_t i, TaskAction action, const char *by)
{
    if (look_part(l, i)->request_sent == action || !look_may_call(l, i))
        return;
    CoordRunEffect *e = look_call(l, CRUN_FX_ASK, i);
    e->action = action;
    e->text = xstrdup(by);
}

void look_retry(RunLook *l, CoordPart *p)
{
    retry_later(&p->retry, l->in->now_ms, RETRY_LEAST_MS, RETRY_MOST_MS);
    look_effect(l, CRUN_FX_WAKE)->number = p->retry.next_ms;
}

bool look_works(const RunLook *l, size_t i)
{
    return l->seen[i] && !run_part_is_over(l->seen[i]);
}
