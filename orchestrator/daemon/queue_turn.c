/* SPDX-License-Identifier: Apache-2.0 */
#include "queue_turn.h"

#include <inttypes.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "coord_brakes.h"
#include "orchestrator/core/decide.h"
#include "queue_impl.h"

enum { SLICE = 2000, STARTS_AT_ONCE = 200, CLOCK_IS_SET_MS = 2000 };

/* ---- what is known ---------------------------------------------------------------------------------- */

static const char *taken_by(const Coord *c, const char *node)
{
    CoordRunState free_from = c->conf.catch_up_between ? CRUN_CAUGHT_UP : CRUN_RESUMING;
    for (size_t i = 0; i < c->n_entries; i++) {
        const TaskEntry *e = c->entries[i];
        if (!entry_is_active(e) || entry_state(e) >= free_from || e->t.on != ROLE_REPLICA)
            continue;
        if (strlist_has(&entry_run(e)->nodes, node))
            return entry_run(e)->id;
    }
    return queue_claim_on(c, node) ? "another task that starts now" : NULL;
}

static const StrList *jobs_taken(const Coord *c, const char *node)
{
    for (size_t i = 0; i < coordconf_agents(&c->conf); i++)
        if (str_eq(coordconf_agent(&c->conf, i)->name, node))
            return &coordconf_agent(&c->conf, i)->jobs;
    return NULL;
}

static DecideInput make_input(const Coord *c, ChooseNode *nodes)
{
    for (size_t i = 0; i < c->n_agents; i++)
        nodes[i] = (ChooseNode){.node = &c->agents[i]->node,
                                .taken_by = taken_by(c, c->agents[i]->name),
                                .cordon = coord_brakes_find(c, BRAKE_NODE, c->agents[i]->name),
                                .jobs = jobs_taken(c, c->agents[i]->name)};
    return (DecideInput){
        .nodes = nodes,
        .n_nodes = c->n_agents,
        .rules = {c->journal.primary, c->conf.min_serving, c->conf.max_lag_ms, c->conf.catch_up_between},
        .primary_slots = c->conf.primary_slots,
        .hold = c->fenced ? "another coordinator has taken over this cluster" : NULL,
        .now = queue_time(),
        .most = STARTS_AT_ONCE,
        .slots = c->conf.queue.slots};
}

/* Uploads that are not ended have an entry, and so do the runs whose results they load while these wait. */
static void tell_parents(Coord *c)
{
    int64_t task, no;
    for (size_t i = 0; i < c->n_entries; i++) {
        const Task *up = &c->entries[i]->t;
        if (up->kind != KIND_UPLOAD || up->state != TASK_WAITING || !wire_run_id(up->parent_run, &task, &no))
            continue;
        const TaskEntry *parent = state_find(c, task);
        if (!parent && !queue_is_absent(c, task)) {
            queue_look_up(c, task);
            continue;
        }
        CoordRunState state = CRUN_ERROR;
        bool scattered = false;
        const Run *runs = parent ? parent->t.runs.v : NULL;
        for (size_t k = 0; parent && k < parent->t.runs.n; k++)
            if (str_eq(runs[k].id, up->parent_run)) {
                /* It ended well but for this upload, which a person has told to be tried again. */
                bool unloaded = runs[k].state == CRUN_ERROR && runs[k].upload_task == up->id;
                state = unloaded ? CRUN_UPLOADING : runs[k].state;
                scattered = wire_run_holders(&runs[k]) > 1;
            }
        slots_parent(c->slots, task, no, state, scattered);
    }
}

/* Who sleeps because the queue has told it to is woken by it; who was put to sleep by a person is not. */
static SlotPhase phase_of(const TaskEntry *e)
{
    TaskAction asked = e->t.request;
    CoordRunState state = entry_state(e);
    if (asked == ACTION_STOP || asked == ACTION_KILL || asked == ACTION_REQUEUE)
        return SLOT_STOPS;
    if (asked == ACTION_WAKE || e->changing)
        return SLOT_BUSY;
    if (state == CRUN_SLEEPING)
        return SLOT_SLEEPS;
    if (state != CRUN_RUNNING)
        return SLOT_BUSY;
    return asked == ACTION_SLEEP ? SLOT_DOZES : SLOT_WORKS;
}

static void tell_phases(Coord *c)
{
    for (size_t i = 0; i < c->n_entries; i++) {
        const TaskEntry *e = c->entries[i];
        if (!entry_is_active(e) || e->t.kind == KIND_UPLOAD)
            continue;
        bool by_queue = str_eq(json_str(entry_run(e)->detail, "slept_by"), QUEUE_ITSELF);
        slots_phase(c->slots, e->t.id, phase_of(e), by_queue);
    }
}

/* The wall clock against the monotonic one: when it was set, what waits for hours follows it. */
static void watch_clock(Coord *c, const SlotTime *now)
{
    int64_t offset = now->wall_ms - now->mono_ms, by = offset - c->queue.memory->clock_offset_ms;
    if (by > -CLOCK_IS_SET_MS && by < CLOCK_IS_SET_MS)
        return;
    log_warn("this host's clock was set by %" PRId64 " s", by / 1000);
    c->queue.memory->clock_offset_ms = offset;
    slots_clock_set(c->slots, now, by);
}

/* ---- what is decided -------------------------------------------------------------------------------- */

static TaskAction action_of(DecisionKind kind)
{
    return kind == DECIDE_SLEEP ? ACTION_SLEEP : kind == DECIDE_WAKE ? ACTION_WAKE : ACTION_REQUEUE;
}

static void carry_out(Coord *c, QueueDecisions *d)
{
    for (size_t i = 0; i < d->n; i++) {
        const TaskEntry *e = state_find(c, d->v[i].id);
        if (d->v[i].kind == DECIDE_START)
            queue_claim(c, d->v[i].id, &d->v[i].nodes);
        else if (d->v[i].kind != DECIDE_STOP)
            queue_request(c, d->v[i].id, action_of(d->v[i].kind), QUEUE_ITSELF, NULL, NULL);
        else if (e && !e->changing && store_is_up(c))
            queue_request(c, d->v[i].id, ACTION_KILL, QUEUE_ITSELF, NULL, NULL);
    }
}

static void turn(Coord *c, QueueDecisions *ret)
{
    AUTOFREE ChooseNode *nodes = xcalloc(c->n_agents + 1, sizeof *nodes);
    DecideInput in = make_input(c, nodes);
    queue_tell_jobs(c);
    tell_parents(c);
    tell_phases(c);
    bool more = slots_advance(c->slots, &in.now, SLICE);
    decide(c->slots, &in, ret);
    int64_t next = slots_next_ms(c->slots);
    if (more || ret->more)
        coord_step_soon(c);
    else if (next)
        coord_wake_at(c, next);
}

void queue_plan(Coord *c)
{
    SlotTime now = queue_time();
    QueueDecisions d = {0};
    if (!c->loaded)
        return;
    watch_clock(c, &now);
    turn(c, &d);
    carry_out(c, &d);
    decisions_done(&d);
}

static void put_among(Coord *c, const Task *t, int64_t number)
{
    AUTOFREE char *broken = NULL;
    SlotTask s = queue_slot_task(c, t, &broken);
    SlotTime now = queue_time();
    s.id = number;
    slots_put(c->slots, &s, &now);
}

bool queue_turn_with(Coord *c, const Task *t, int64_t number, StrList *ret_nodes)
{
    QueueDecisions d = {0};
    size_t kept = 0;
    put_among(c, t, number);
    turn(c, &d);
    for (size_t i = 0; i < d.n; i++) {
        if (d.v[i].id != number) {
            d.v[kept++] = d.v[i];
            continue;
        }
        *ret_nodes = d.v[i].nodes;
    }
    d.n = kept;
    carry_out(c, &d);
    decisions_done(&d);
    if (!ret_nodes->n)
        slots_end(c->slots, number);
    return ret_nodes->n > 0;
}

void queue_try(Coord *c, const Task *t, StrList *ret_nodes, char **ret_why)
{
    QueueDecisions d = {0};
    int64_t number = c->queue.memory->next_number++;
    put_among(c, t, number);
    turn(c, &d);
    *ret_why = queue_why(c, number);
    for (size_t i = 0; i < d.n; i++)
        if (d.v[i].id == number) {
            strlist_add_all(ret_nodes, &d.v[i].nodes);
            strlist_done(&d.v[i].nodes);
            d.v[i--] = d.v[--d.n];
        }
    carry_out(c, &d);
    decisions_done(&d);
    slots_end(c->slots, number);
}
