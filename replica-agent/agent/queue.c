/* SPDX-License-Identifier: Apache-2.0 */
#include "queue.h"

#include "agent.h"

Input *queue_input(InputKind kind, const char *owner)
{
    Input *in = NEW(Input);
    in->kind = kind;
    in->owner = xstrdup(owner);
    return in;
}

void queue_wake(Agent *a)
{
    struct timeval now = {0, 0};
    if (a->queue.drain)
        evtimer_add(a->queue.drain, &now);
}

void queue_post(Agent *a, Input *in)
{
    Queue *q = &a->queue;
    if (q->n == q->cap) {
        q->cap = q->cap ? q->cap * 2 : 16;
        q->v = xrealloc(q->v, q->cap * sizeof(Input *));
    }
    q->v[q->n++] = in;
    queue_wake(a);
}
