/* SPDX-License-Identifier: Apache-2.0
 * What a step can bring about: a change of state with all that follows for the task, a call, a line for
 * people.
 */
#include <inttypes.h>

#include "coord_run_impl.h"
#include "recur.h"
#include "turn_mail.h"

enum { RETRY_LEAST_MS = 200, LOST_MOST = 3 };

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
    if (t->request == ACTION_STOP || t->request == ACTION_KILL || t->request == ACTION_REQUEUE)
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

/* However its run ended: a failure does not end a recurrence, nor does a run that a person has ended, who
 * needs not be told. Where no time can be worked out it waits at its old one, and its slot says why. */
static void next_turn(RunLook *l)
{
    Task *t = l->t;
    if (!recur_next(t, l->known->zone, l->in->wall_ms))
        look_log(l, "error", xstrdup("its next time cannot be worked out"));
    else if (l->r->state != CRUN_DONE)
        look_say(l, "info", NULL, xasprintf("task %" PRId64 " goes on with its next turn", t->id));
    if (l->r->state != CRUN_ERROR)
        str_set(&t->error, NULL);
    t->attempts = t->snoozes = 0;
    t->state = TASK_WAITING;
}

/* The job's own wish; not what a person has asked for. */
static const AgentRun *snoozing_part(const RunLook *l)
{
    for (size_t i = 0; l->seen && l->r->state == CRUN_STOPPED && i < l->run->n_parts; i++)
        if (l->seen[i] && l->seen[i]->snooze_ms > 0 && l->seen[i]->outcome == OUTCOME_STOPPED)
            return l->seen[i];
    return NULL;
}

/* Its turn stays what it was: deadlines and fixed times count from there. */
static void wait_until(Task *t, int64_t at)
{
    if (!t->planned_at)
        t->planned_at = t->run_at;
    t->run_at = at;
    t->state = TASK_WAITING;
}

static bool snooze(Task *t, const AgentRun *a, int64_t now)
{
    if (!a || t->snoozes >= a->snooze_most)
        return false;
    t->snoozes++;
    t->attempts--;
    wait_until(t, now + a->snooze_ms);
    return true;
}

/* Its agent stood still until the order was too late: nothing was begun, and the attempt does not count. */
static bool is_renounced(const RunLook *l)
{
    for (size_t i = 0; l->seen && l->r->state == CRUN_STOPPED && i < l->run->n_parts; i++)
        if (l->seen[i] && l->seen[i]->renounced)
            return l->t->request == ACTION_NONE;
    return false;
}

/* Nobody has seen its end: the agent knows nothing of it any more, or the process above it is gone, as after
 * a crash of the host. */
static bool is_lost(const RunLook *l)
{
    bool lost = l->event == CRUN_EV_LOST;
    for (size_t i = 0; l->seen && l->r->state == CRUN_ERROR && i < l->run->n_parts; i++)
        lost = lost || (l->seen[i] && str_eq(l->seen[i]->error_kind, err_kind_name(ERR_LOST)));
    return lost;
}

/* Of the attempts that count: a person's retry begins anew. */
static int64_t times_lost(const Task *t)
{
    const Run *runs = t->runs.v;
    int64_t n = 0;
    size_t first = (size_t)t->attempts < t->runs.n ? t->runs.n - (size_t)t->attempts : 0;
    for (size_t i = first; i < t->runs.n; i++)
        n += json_bool(runs[i].detail, "crashed");
    return n;
}

/* One that ends its agent or host each time is not tried for ever: others run beside it. */
static bool is_poison(RunLook *l)
{
    if (!is_lost(l))
        return false;
    json_set_bool(coord_run_detail(l->r), "crashed", true);
    return times_lost(l->t) >= LOST_MOST;
}

static void blame(RunLook *l)
{
    AUTOFREE char *text = xasprintf("%s; it was lost %d times in a row, and is not tried again by itself",
                                    l->r->error ? l->r->error : "the run was lost", LOST_MOST);
    str_set(&l->r->error, text);
    look_say(l, "error", NULL,
             xasprintf("task %" PRId64 " is not tried again by itself: its runs were lost %d times in a row",
                       l->t->id, LOST_MOST));
}

static bool try_lost_again(const RunLook *l, OrphanPolicy policy)
{
    bool again = is_lost(l) && policy == ORPHAN_RETRY;
    if (again)
        wait_until(l->t, l->in->wall_ms);
    return again;
}

static void end(RunLook *l, bool failed)
{
    l->t->state = failed ? TASK_ERROR : task_ended(l->r->state);
    l->t->finished_at = l->in->wall_ms;
}

/* Stopped for another: the attempt does not count. */
static void wait_again(Task *t)
{
    t->attempts -= t->attempts > 0;
    t->state = TASK_WAITING;
}

/* Its turn is over: no attempt of it comes any more. */
static void end_turn(RunLook *l, bool failed, bool held)
{
    bool well = l->r->state == CRUN_DONE;
    if (recur_is(l->t) && !held)
        next_turn(l);
    else
        end(l, failed);
    if (turn_mail_is_wanted(l->t, well))
        look_effect(l, CRUN_FX_MAIL_LOG)->number = well;
    if (well && recur_post_process(l->t))
        look_effect(l, CRUN_FX_POST_PROCESS);
}

/* What the end of its run means for the task: its end, the next attempt, or the next turn of a recurrence. */
static void end_task(RunLook *l)
{
    Task *t = l->t;
    int64_t now = l->in->wall_ms;
    const AgentRun *snoozer = snoozing_part(l);
    OrphanPolicy orphan = recur_orphan(t);
    bool failed = l->r->state == CRUN_ERROR || snoozer;
    bool requeued = (t->request == ACTION_REQUEUE && l->r->state == CRUN_STOPPED) || is_renounced(l);
    bool held = is_lost(l) && orphan == ORPHAN_HOLD, poison = is_poison(l);
    l->r->finished_at = now;
    if (poison)
        blame(l);
    str_set(&t->error, requeued ? NULL : l->r->error);
    t->request = ACTION_NONE;
    str_set(&t->request_by, NULL);
    if (requeued)
        wait_again(t);
    else if (snooze(t, snoozer, now) || (!poison && try_lost_again(l, orphan)))
        ;
    else if (!held && !poison && failed && t->attempts < t->max_attempts)
        wait_until(t, now + recur_backoff_ms(t));
    else
        end_turn(l, failed, held);
    look_effect(l, CRUN_FX_ENDED)->number = l->r->state == CRUN_DONE;
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
    l->event = row->event;
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
