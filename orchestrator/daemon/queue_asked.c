/* SPDX-License-Identifier: Apache-2.0
 * What people ask of a run takes effect at once, and is answered once it counts: it is on record, behind a
 * check of the term, or an agent has taken it, which checks the term too. A coordinator that another has
 * replaced without its knowing answers no success; one whose database is away does not need it.
 */
#include <inttypes.h>

#include "common/base/clock.h"
#include "queue_impl.h"

enum { ASKED_MS = 8000 };

typedef struct QueueAsked {
    int64_t task, until_ms;
    TaskAction action;
    QueueDone done;
    void *arg;
    struct QueueAsked *next;
} QueueAsked;

void queue_asked_add(Coord *c, int64_t task, TaskAction action, QueueDone done, void *arg)
{
    if (!done)
        return;
    QueueAsked *a = NEW(QueueAsked);
    *a = (QueueAsked){task, clock_mono_ms() + ASKED_MS, action, done, arg, c->queue.memory->asked};
    c->queue.memory->asked = a;
    coord_wake_at(c, a->until_ms);
}

static bool is_taken(const TaskEntry *e, TaskAction action)
{
    for (size_t i = 0; i < e->run.n_parts; i++)
        if (e->run.parts[i].request_taken == action)
            return true;
    return false;
}

/* False: not yet, unless `err` says why it does not count. */
static bool counts(const Coord *c, const QueueAsked *a, Err *err)
{
    const TaskEntry *e = state_find(c, a->task);
    if (c->fenced)
        return err_set(err, ERR_STALE_TERM, 0,
                       "another coordinator has taken over this cluster: ask that one");
    if (!e || !entry_is_active(e) || e->t.request != a->action || e->saved_request == a->action ||
        is_taken(e, a->action))
        return true;
    if (clock_mono_ms() >= a->until_ms)
        err_set(err, ERR_TIMEOUT, 0,
                "task %" PRId64
                " was asked to %s, and neither the queue's database nor its agent has taken that "
                "yet; it is asked on",
                a->task, wire_enum_text(&task_action_names, (int)a->action, NULL));
    return false;
}

void queue_asked_step(Coord *c)
{
    for (QueueAsked **p = &c->queue.memory->asked; *p;) {
        QueueAsked *a = *p;
        Err err = {0};
        bool ok = counts(c, a, &err);
        if (!ok && !err.kind) {
            p = &a->next;
            continue;
        }
        *p = a->next;
        a->done(a->arg, c, ok, a->task, &err);
        free(a);
    }
}

void queue_asked_fail(Coord *c)
{
    Err err;
    err_set(&err, ERR_UNREACHABLE, 0, "the queue is being read anew: ask again");
    while (c->queue.memory->asked) {
        QueueAsked *a = c->queue.memory->asked;
        c->queue.memory->asked = a->next;
        a->done(a->arg, c, false, a->task, &err);
        free(a);
    }
}

void queue_asked_free(Coord *c)
{
    while (c->queue.memory->asked) {
        QueueAsked *a = c->queue.memory->asked;
        c->queue.memory->asked = a->next;
        free(a);
    }
}
