/* SPDX-License-Identifier: Apache-2.0 */
#include "queue_after.h"

#include <inttypes.h>

#include "common/base/clock.h"
#include "common/file/json.h"
#include "queue_memory.h"
#include "task_queue.h"

enum { LOOK_MS = 5000 };

typedef struct AfterWait {
    int64_t task;
    StrList ids;  /* those that are not known to be done */
    char *said;   /* why it waits, as its slot says */
    bool checked; /* a look-up of the task is under way: it is put anew */
} AfterWait;

struct QueueAfter {
    AfterWait *v;
    size_t n;
    int64_t looked_ms;
};

static struct QueueAfter *after_of(Coord *c)
{
    if (!c->queue.memory->after)
        c->queue.memory->after = NEW(struct QueueAfter);
    return c->queue.memory->after;
}

/* NULL: it is done. */
static char *why_one(Coord *c, const char *text)
{
    long long id = 0;
    if (!str_to_i64(text, 1, INT64_MAX, &id))
        return xasprintf("\"%s\", which it comes after, is no task", text);
    const TaskEntry *e = state_find(c, id);
    SlotPlace place = SLOT_NOWHERE;
    bool live = slots_find(c->slots, id, &place) && place != SLOT_FAILED;
    if (!live && e && (e->t.state == TASK_DONE || e->t.state == TASK_ACKNOWLEDGED))
        return NULL;
    if (!live && e && task_state_is_final(e->t.state))
        return xasprintf("task %lld, which it comes after, ended as %s: retry or acknowledge that one", id,
                         WIRE_TEXT(task_state_names, &e->t, state));
    if (live || e)
        return xasprintf("it comes after task %lld, which is not ended", id);
    if (queue_is_absent(c, id))
        return xasprintf(
            "task %lld, which it comes after, is not in the queue: delete this one, or submit it anew", id);
    queue_look_up(c, id);
    return xasprintf("task %lld, which it comes after, is looked up", id);
}

static AfterWait *find(struct QueueAfter *a, int64_t task)
{
    for (size_t i = 0; i < a->n; i++)
        if (a->v[i].task == task)
            return &a->v[i];
    return NULL;
}

static AfterWait *add(struct QueueAfter *a, const Task *t)
{
    Err ignored;
    AfterWait w = {.task = t->id};
    if (!json_opt_strs(t->plan, "after", &w.ids, &ignored) || !w.ids.n) {
        strlist_done(&w.ids);
        return NULL;
    }
    if ((a->n & (a->n - 1)) == 0)
        a->v = xrealloc(a->v, (a->n ? a->n * 2 : 1) * sizeof *a->v);
    a->v[a->n] = w;
    return &a->v[a->n++];
}

static void drop(struct QueueAfter *a, AfterWait *w)
{
    strlist_done(&w->ids);
    free(w->said);
    *w = a->v[--a->n];
}

/* The first that is not done; those before it are taken out. */
static char *why_all(Coord *c, AfterWait *w)
{
    while (w->ids.n) {
        char *why = why_one(c, w->ids.v[0]);
        if (why)
            return why;
        StrList rest = STRLIST_INIT;
        for (size_t i = 1; i < w->ids.n; i++)
            strlist_add(&rest, w->ids.v[i]);
        strlist_done(&w->ids);
        w->ids = rest;
    }
    return NULL;
}

char *queue_after_why(Coord *c, const Task *t)
{
    if (!t->plan || t->state != TASK_WAITING || !json_object_get(t->plan, "after"))
        return NULL;
    struct QueueAfter *a = after_of(c);
    AfterWait *w = find(a, t->id);
    w = w ? w : add(a, t);
    if (!w)
        return NULL;
    w->checked = false;
    char *why = why_all(c, w);
    str_set(&w->said, why);
    if (!why || !t->id)
        drop(a, w);
    return why;
}

/* A task whose turn it may be, or that waits for something else by now, is read again, and so put anew. */
void queue_after_step(Coord *c)
{
    struct QueueAfter *a = c->queue.memory->after;
    if (!a || !a->n || !c->loaded ||
        (!c->queue.memory->after_ended && clock_mono_ms() < a->looked_ms + LOOK_MS))
        return;
    c->queue.memory->after_ended = false;
    a->looked_ms = clock_mono_ms();
    for (size_t i = 0; i < a->n; i++) {
        AfterWait *w = &a->v[i];
        if (!slots_find(c->slots, w->task, NULL)) {
            drop(a, w);
            i--;
            continue;
        }
        AUTOFREE char *why = why_all(c, w);
        if (str_eq(why, w->said) || w->checked)
            continue;
        w->checked = true;
        queue_look_up(c, w->task);
    }
    coord_wake_at(c, a->looked_ms + LOOK_MS);
}

void queue_after_free(Coord *c)
{
    struct QueueAfter *a = c->queue.memory ? c->queue.memory->after : NULL;
    while (a && a->n)
        drop(a, &a->v[0]);
    if (!a)
        return;
    free(a->v);
    free(a);
    c->queue.memory->after = NULL;
}
