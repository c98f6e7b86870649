/* SPDX-License-Identifier: Apache-2.0 */
#include "coord_brakes.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/file/json.h"
#include "common/wire/queue_unread.h"
#include "coord_store.h"
#include "events.h"
#include "queue_impl.h"

enum { FAILURES_SHOWN = 20 };

/* ---- what is known ---------------------------------------------------------------------------------- */

static WireList *brakes_of(const Coord *c)
{
    return &c->queue.memory->brakes;
}

const QueueBrake *coord_brakes_find(const Coord *c, BrakeKind kind, const char *name)
{
    return brakes_find(brakes_of(c), kind, name);
}

QueueErrors coord_brakes_errors(const Coord *c)
{
    SlotFailure oldest = {0};
    slots_failures(c->slots, &oldest, 1);
    return (QueueErrors){(int64_t)slots_count(c->slots, SLOT_FAILED), oldest.id, oldest.since};
}

static json_t *failures_json(const SlotFailure *found, size_t n)
{
    json_t *a = json_array();
    for (size_t i = 0; i < n; i++) {
        json_t *o = json_object();
        json_set_int(o, "task", found[i].id);
        json_set_str(o, "name", found[i].name);
        json_set_time(o, "since", found[i].since);
        json_set_int(o, "waiting", (int64_t)found[i].waiting);
        json_array_append_new(a, o);
    }
    return a;
}

json_t *coord_brakes_json(const Coord *c)
{
    json_t *o = json_object(), *all = json_array();
    const WireList *list = brakes_of(c);
    QueueErrors errors = coord_brakes_errors(c);
    SlotFailure found[FAILURES_SHOWN], turns[FAILURES_SHOWN];
    size_t n = slots_failures(c->slots, found, COUNT(found));
    size_t n_turns = slots_turns_failed(c->slots, turns, COUNT(turns));
    for (size_t i = 0; i < list->n; i++)
        json_array_append_new(all, wire_write(queue_brake_fields, (const QueueBrake *)list->v + i));
    json_set_str(o, "mode", coord_brakes_find(c, BRAKE_QUEUE, "") ? "manual" : "automatic");
    json_object_set_new(o, "brakes", all);
    json_set_int(o, "errors", errors.n);
    json_set_time(o, "errors_since", errors.since);
    json_object_set_new(o, "failures", failures_json(found, n));
    json_set_int(o, "turns_failed", (int64_t)n_turns);
    json_object_set_new(o, "failed_turns",
                        failures_json(turns, n_turns < COUNT(turns) ? n_turns : COUNT(turns)));
    return o;
}

/* ---- a brake in force ------------------------------------------------------------------------------- */

static void apply(Coord *c, BrakeKind kind, const char *name)
{
    const QueueBrake *b = coord_brakes_find(c, kind, name);
    AUTOFREE char *why = b ? brakes_text(b) : NULL;
    AUTOFREE char *lane = b ? xasprintf("%s: siding queue release \"%s\"", why, name) : NULL;
    bool quiet = c->queue.memory->quiet_until_ms != 0;
    if (kind == BRAKE_QUEUE)
        slots_manual(c->slots, b ? why : quiet ? "somebody stops the coordinator (siding stop)" : NULL);
    else if (kind == BRAKE_LANE)
        slots_hold_lane(c->slots, name, lane);
    coord_step_soon(c);
}

static void set(Coord *c, const QueueBrake *b)
{
    QueueBrake *there = brakes_find(brakes_of(c), b->kind, b->name);
    if (there)
        wire_free(queue_brake_fields, there);
    else
        there = wire_list_add(brakes_of(c), sizeof *there);
    memset(there, 0, sizeof *there);
    wire_copy(queue_brake_fields, there, b);
    apply(c, b->kind, b->name);
}

static void drop(Coord *c, BrakeKind kind, const char *name)
{
    WireList *list = brakes_of(c);
    QueueBrake *b = brakes_find(list, kind, name);
    if (!b)
        return;
    QueueBrake *last = (QueueBrake *)list->v + (list->n - 1);
    wire_free(queue_brake_fields, b);
    if (b != last)
        *b = *last;
    list->n--;
    apply(c, kind, name);
}

void coord_brakes_load(Coord *c, WireList *found)
{
    const QueueBrake *v = found->v;
    while (brakes_of(c)->n) {
        QueueBrake first = {0};
        wire_copy(queue_brake_fields, &first, brakes_of(c)->v);
        drop(c, first.kind, first.name);
        wire_free(queue_brake_fields, &first);
    }
    for (size_t i = 0; i < found->n; i++)
        set(c, &v[i]);
    brakes_free(found);
}

/* ---- on record -------------------------------------------------------------------------------------- */

typedef struct BrakeOp {
    StoreOp op;
    QueueBrake b; /* its kind and name where it ends */
    bool ends;
    char *by, *text; /* of the audit */
    BrakeDone done;
    void *arg;
} BrakeOp;

static bool brake_work(Db *db, StoreOp *op, Err *err)
{
    const BrakeOp *o = (const BrakeOp *)op;
    QdbEvent audit = {.at = clock_wall_ms(), .level = "info", .what = "audit", .by = o->by, .text = o->text};
    return (o->ends ? qdb_end_brake(db, o->b.kind, o->b.name, err) : qdb_put_brake(db, &o->b, err)) &&
           qdb_insert_event(db, &audit, err);
}

static void brake_done(Coord *c, StoreOp *op)
{
    BrakeOp *o = (BrakeOp *)op;
    QueueBrake *there = brakes_find(brakes_of(c), o->b.kind, o->b.name);
    if (there)
        there->ending = false;
    if (op->ok && o->ends)
        drop(c, o->b.kind, o->b.name);
    else if (op->ok)
        set(c, &o->b);
    else if (!o->done && !o->ends && there) {
        there->unsaved = true;
        retry_failed(c, &c->queue.memory->brakes_retry, QUEUE_RETRY_LEAST_MS, QUEUE_RETRY_MOST_MS);
    }
    if (op->ok)
        events_add(c, "info", "audit", 0, NULL, o->b.kind == BRAKE_NODE ? o->b.name : NULL, "%s", o->text);
    if (o->done)
        o->done(o->arg, c, op->ok, &op->err);
    wire_free(queue_brake_fields, &o->b);
    free(o->by);
    free(o->text);
    free(o);
}

static BrakeOp *brake_op(BrakeDone done, void *arg, const char *by)
{
    BrakeOp *o = NEW(BrakeOp);
    o->op =
        (StoreOp){.kind = STORE_WRITE, .what = "write a brake down", .work = brake_work, .done = brake_done};
    o->by = xstrdup(by);
    o->done = done;
    o->arg = arg;
    return o;
}

static bool is_ready(const Coord *c, Err *err)
{
    if (c->fenced)
        return err_set(err, ERR_STALE_TERM, 0,
                       "another coordinator has taken over this cluster: ask that one");
    return c->loaded || queue_unread(err, store_trouble(c));
}

/* Put on once more, as a drain does: what is not said anew stays. */
static void keep_what_stands(QueueBrake *b, const QueueBrake *there)
{
    b->since = there->since;
    if (!b->until)
        b->until = there->until;
    if (b->reason && *b->reason)
        return;
    str_set(&b->reason, there->reason);
    str_set(&b->by, there->by);
}

void coord_brakes_put(Coord *c, QueueBrake *b, BrakeDone done, void *arg)
{
    Err err = {0};
    const QueueBrake *there = coord_brakes_find(c, b->kind, b->name);
    if (!is_ready(c, &err)) {
        wire_free(queue_brake_fields, b);
        done(arg, c, false, &err);
        return;
    }
    if (there)
        keep_what_stands(b, there);
    BrakeOp *o = brake_op(done, arg, b->by);
    o->b = *b;
    memset(b, 0, sizeof *b);
    o->text = brakes_text(&o->b);
    store_start(c, &o->op);
}

static char *end_text(const QueueBrake *b, const char *by)
{
    if (b->kind == BRAKE_QUEUE)
        return xasprintf("the queue is in automatic mode again, by %s", by);
    return xasprintf("%s \"%s\" is free again, by %s", WIRE_TEXT(brake_kind_names, b, kind), b->name, by);
}

static void end(Coord *c, QueueBrake *b, const char *by, BrakeDone done, void *arg)
{
    BrakeOp *o = brake_op(done, arg, by);
    o->ends = true;
    o->text = end_text(b, by);
    wire_copy(queue_brake_fields, &o->b, b);
    b->ending = true;
    store_start(c, &o->op);
}

void coord_brakes_end(Coord *c, BrakeKind kind, const char *name, const char *by, BrakeDone done, void *arg)
{
    Err err = {0};
    QueueErrors errors = coord_brakes_errors(c);
    QueueBrake *b = brakes_find(brakes_of(c), kind, name);
    if (!is_ready(c, &err) || (b && !brakes_may_end(b, &errors, &err)))
        done(arg, c, false, &err);
    else if (!b && kind != BRAKE_QUEUE) {
        err_set(&err, ERR_NOT_FOUND, 0, "%s \"%s\" is not %s: siding queue show lists what is",
                wire_enum_name(&brake_kind_names, (int)kind), name, kind == BRAKE_NODE ? "cordoned" : "held");
        done(arg, c, false, &err);
    } else if (!b)
        done(arg, c, true, &err);
    else
        end(c, b, by, done, arg);
}

/* ---- by themselves ---------------------------------------------------------------------------------- */

/* Counts at once: its row is written by the next step, in one transaction with the failure's. */
void coord_brakes_failed(Coord *c, const Task *t)
{
    if (!brakes_stop_queue(t, c->conf.queue.on_error) || coord_brakes_find(c, BRAKE_QUEUE, ""))
        return;
    AUTOFREE char *reason = xasprintf("task %" PRId64 " failed", t->id);
    QueueBrake b = {.kind = BRAKE_QUEUE,
                    .name = (char *)"",
                    .since = clock_wall_ms(),
                    .by = (char *)"siding",
                    .reason = reason,
                    .task = t->id};
    set(c, &b);
    brakes_find(brakes_of(c), BRAKE_QUEUE, "")->unsaved = true;
    events_add(c, "error", "task", t->id, NULL, NULL,
               "the queue is in manual mode: task %" PRId64
               " failed; acknowledge, retry or delete it, then siding "
               "queue auto",
               t->id);
}

static void save(Coord *c, QueueBrake *b)
{
    BrakeOp *o = brake_op(NULL, NULL, b->by);
    wire_copy(queue_brake_fields, &o->b, b);
    o->text = brakes_text(b);
    b->unsaved = false;
    store_start(c, &o->op);
}

static void look(Coord *c, QueueBrake *b, const QueueErrors *errors)
{
    AUTOFREE char *text = brakes_text(b);
    switch (brakes_look(b, errors, clock_wall_ms())) {
    case BRAKE_ENDS_SOON:
        events_add(c, "info", "cluster", 0, NULL, NULL, "%s: that ends in a minute", text);
        break;
    case BRAKE_STAYS:
        events_add(c, "warn", "cluster", errors->first, NULL, NULL,
                   "%s: its time is over, and %" PRId64 " failures have not been seen to", text, errors->n);
        break;
    case BRAKE_IS_OVER:
        end(c, b, "siding", NULL, NULL);
        break;
    default:
        break;
    }
}

/* In memory alone: whoever asked asks again while he waits, and if he is gone, or this process, it is over.
 */
static void set_quiet(Coord *c, int64_t until_ms)
{
    c->queue.memory->quiet_until_ms = until_ms;
    apply(c, BRAKE_QUEUE, "");
}

bool coord_brakes_quiet(Coord *c, int64_t ms, Err *err)
{
    if (!is_ready(c, err))
        return false;
    set_quiet(c, ms ? clock_mono_ms() + ms : 0);
    return true;
}

static void look_whether_quiet(Coord *c)
{
    int64_t until = c->queue.memory->quiet_until_ms;
    if (until && until <= clock_mono_ms())
        set_quiet(c, 0);
    else if (until)
        coord_wake_at(c, until);
}

void coord_brakes_step(Coord *c)
{
    WireList *list = brakes_of(c);
    look_whether_quiet(c);
    if (!c->loaded || c->fenced || !list->n)
        return;
    QueueErrors errors = coord_brakes_errors(c);
    QueueBrake *v = list->v;
    for (size_t i = 0; i < list->n; i++) {
        if (v[i].unsaved && retry_due(&c->queue.memory->brakes_retry))
            save(c, &v[i]);
        look(c, &v[i], &errors);
    }
    int64_t now = clock_wall_ms(), next = brakes_next_ms(list, now);
    if (next)
        coord_wake_at(c, clock_mono_ms() + (next - now));
}
