/* SPDX-License-Identifier: Apache-2.0
 * From a row of the queue to its place in memory.
 */
#include <inttypes.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/file/json.h"
#include "coord_brakes.h"
#include "deadlines.h"
#include "events.h"
#include "orchestrator/core/choose.h"
#include "orchestrator/core/queue_brakes.h"
#include "orchestrator/core/queue_groups.h"
#include "orchestrator/core/recur.h"
#include "queue_after.h"
#include "queue_impl.h"
#include "zones.h"

SlotTime queue_time(void)
{
    return (SlotTime){clock_wall_ms(), clock_mono_ms()};
}

SlotLimit queue_limit_of(const Coord *c, const char *key)
{
    QueueKey k = queue_key_of(&c->conf.queue.keys, key);
    return (SlotLimit){k.at_once, k.starts, k.per_ms};
}

static bool job_is_known(const Coord *c, const char *job)
{
    for (size_t i = 0; i < c->n_agents; i++) {
        const Node *one[] = {&c->agents[i]->node};
        if (choose_job(one, 1, job))
            return true;
    }
    return false;
}

/* A row that nobody can run says so; it is checked in a copy, so that the row stays what was asked for. */
static char *what_is_wrong(Coord *c, const Task *t)
{
    Err err;
    Task copy = {0}, without_runs = *t;
    if (t->state != TASK_WAITING || t->kind == KIND_UPLOAD || !job_is_known(c, t->job))
        return NULL;
    without_runs.runs = (WireList){NULL, 0};
    wire_copy(task_fields, &copy, &without_runs);
    char *text = queue_fill_in(c, &copy, &err) ? NULL : xstrdup(err.text);
    wire_free(task_fields, &copy);
    return text;
}

/* What keeps it from being run, beside what it may wait for by itself. */
static char *what_holds(Coord *c, const Task *t)
{
    char *why = what_is_wrong(c, t);
    if (!why && t->state == TASK_WAITING && json_bool(t->plan, "disabled"))
        why = xasprintf("its schedule is disabled: siding schedule enable %s",
                        recur_schedule(t) ? recur_schedule(t) : "");
    return why ? why : queue_after_why(c, t);
}

SlotTask queue_slot_task(Coord *c, const Task *t, char **ret_broken)
{
    SlotTask s = {.id = t->id,
                  .priority = t->priority,
                  .replicas = t->replicas,
                  .run_at = t->run_at,
                  .submitted_at = t->submitted_at,
                  .sequence_id = t->sequence_id,
                  .failed_at = t->finished_at,
                  .holds = brakes_held_by(t, c->conf.queue.on_error),
                  .turn_failed = task_turn_failed(t),
                  .by_hand = t->request == ACTION_RUN,
                  .preempt = t->preempt,
                  .window_end = t->at_window_end,
                  .apart = queue_groups_of(&c->conf.queue.groups, t->name, false),
                  .awake = queue_groups_of(&c->conf.queue.groups, t->name, true),
                  .alone = queue_name_is_among(&c->conf.queue.alone, t->name),
                  .kind = t->kind,
                  .on = t->on,
                  .name = t->name,
                  .job = t->job,
                  .host = t->host,
                  .window = t->window,
                  .key = recur_concurrency_key(t),
                  .lane = t->lane ? t->lane : t->job};
    *ret_broken = what_holds(c, t);
    s.broken = *ret_broken;
    Err ignored;
    if (t->window)
        (void)!zones_find(c, recur_zone(t), &s.zone, &ignored);
    if (s.key)
        s.limit = queue_limit_of(c, s.key);
    if (t->kind == KIND_UPLOAD &&
        (!t->parent_run || !wire_run_id(t->parent_run, &s.parent_task, &s.parent_no)))
        s.broken = "uploads are made by the runs whose results they load";
    return s;
}

static bool has_failed(const Task *t)
{
    return t->state == TASK_ERROR || t->state == TASK_DONE_WITH_ERRORS;
}

static void set_slot(Coord *c, const Task *t, bool active)
{
    AUTOFREE char *broken = NULL;
    SlotTask s = queue_slot_task(c, t, &broken);
    SlotTime now = queue_time();
    deadlines_watch(c, t);
    if (active)
        slots_start(c->slots, &s, &now);
    else if (!task_state_is_final(t->state))
        slots_put(c->slots, &s, &now);
    else if (has_failed(t))
        slots_fail(c->slots, &s, &now);
    else
        slots_end(c->slots, t->id);
}

void queue_settle(Coord *c, const TaskEntry *e)
{
    set_slot(c, &e->t, false);
    if (has_failed(&e->t))
        coord_brakes_failed(c, &e->t);
    if (task_state_is_final(e->t.state))
        c->queue.memory->ended[e->t.state]++;
    c->queue.memory->after_ended = true;
    coord_step_soon(c);
}

void queue_revived(Coord *c, TaskState before)
{
    int64_t *ended = c->queue.memory->ended;
    ended[before] -= ended[before] > 0;
}

void queue_follow(Coord *c, const TaskEntry *e)
{
    SlotPlace place = SLOT_NOWHERE;
    if (entry_is_active(e) && !(slots_find(c->slots, e->t.id, &place) && place == SLOT_ACTIVE))
        set_slot(c, &e->t, true);
}

static bool has_run_under_way(const Task *t)
{
    return t->runs.n && !coord_run_is_final(((const Run *)t->runs.v)[t->runs.n - 1].state);
}

/* A state that says it runs, and no run that does: somebody has changed the row by hand. */
static void mend_state(Task *t)
{
    if (task_state_is_final(t->state) || t->state == TASK_WAITING || has_run_under_way(t))
        return;
    t->state = t->runs.n ? TASK_ERROR : TASK_WAITING;
    if (t->runs.n)
        str_set(&t->error, "its row says that it runs, and its last run has ended: retry or acknowledge it");
}

/* One that SQL has made: its first turn follows from its submission. */
static void set_first_turn(const Coord *c, Task *t)
{
    if (t->state == TASK_WAITING && recur_has_cron(t) && !t->planned_at)
        (void)!recur_first(t, zones_of_task(c, t), t->run_at);
}

static bool is_left_out(const Coord *c, const Task *t)
{
    return !c->loaded && t->state == TASK_WAITING && recur_is_left_out(t, c->alive_until, clock_wall_ms());
}

static void leave_out(Coord *c, TaskEntry *e)
{
    char missed[CLOCK_TEXT];
    clock_format(e->t.planned_at, missed);
    if (!recur_next(&e->t, zones_of_task(c, &e->t), clock_wall_ms()))
        return;
    events_add(c, "warn", "task", e->t.id, NULL, NULL,
               "its turn of %s passed while no coordinator was there, and is left out", missed);
    entry_touch(e);
    set_slot(c, &e->t, false);
}

static void take(Coord *c, Task *t, bool anew, int64_t read_ms)
{
    TaskEntry *e = state_find(c, t->id);
    SlotPlace place = SLOT_NOWHERE;
    bool known = slots_find(c->slots, t->id, &place), active = has_run_under_way(t);
    if (t->id > c->queue.memory->greatest)
        c->queue.memory->greatest = t->id;
    bool keep = known && !anew && (place == SLOT_ACTIVE) == active && !task_state_is_final(t->state);
    if ((e && state_is_newer_than(e, read_ms)) || keep || queue_is_claimed(c, t->id)) {
        wire_free(task_fields, t);
        return;
    }
    set_first_turn(c, t);
    set_slot(c, t, active);
    bool upload = t->kind == KIND_UPLOAD && !task_state_is_final(t->state), left_out = is_left_out(c, t);
    if (active || upload || task_state_is_final(t->state) || left_out)
        e = state_adopt(c, t);
    else if (e)
        state_remove(c, e);
    if (left_out)
        leave_out(c, e);
    if (e && task_state_is_final(e->t.state))
        c->queue.memory->after_ended = true;
    wire_free(task_fields, t);
    coord_step_soon(c);
}

void queue_take(Coord *c, Task *t, bool anew)
{
    take(c, t, anew, INT64_MAX);
}

void queue_take_all(Coord *c, WireList *tasks, bool anew, int64_t read_ms)
{
    Task *t = tasks->v;
    for (size_t i = 0; i < tasks->n; i++) {
        mend_state(&t[i]);
        take(c, &t[i], anew, read_ms);
    }
    free(tasks->v);
    *tasks = (WireList){NULL, 0};
}
