/* SPDX-License-Identifier: Apache-2.0
 * The priorities of a sequence: each member has the greatest of all, so that an urgent one does not wait
 * behind another sequence's work for the sake of its own predecessors. One below SLOT_LEAST_PRIORITY waits
 * for a person: it neither raises nor is raised.
 */
#include "slots_impl.h"

static bool takes_part(const Slot *s)
{
    return s->own_priority >= SLOT_LEAST_PRIORITY;
}

/* The heap that it stands in by its priority; NULL: none. */
static SlotHeap *ordered_heap(Slots *q, const Slot *s)
{
    if (s->place == SLOT_READY)
        return &q->demands[s->demand].ready;
    if (s->place == SLOT_ACTIVE)
        return &q->active;
    bool by_id = s->place == SLOT_BLOCKED && q->keys[s->key].kind == KEY_SEQUENCE;
    return s->place == SLOT_BLOCKED && !by_id ? &q->keys[s->key].waiters : NULL;
}

static void set_priority(Slots *q, uint32_t i, int32_t priority)
{
    Slot *s = slot_at(q, i);
    if (s->priority == priority)
        return;
    SlotHeap *h = ordered_heap(q, s);
    if (h)
        slot_heap_remove(q, h, ORDER_QUEUE, i);
    s->priority = priority;
    if (h)
        slot_heap_add(q, h, ORDER_QUEUE, i);
    if (s->place < SLOT_ACTIVE)
        slot_wake(q, i);
}

static void set_all(Slots *q, const SlotKey *k)
{
    for (size_t n = 0; n < k->waiters.n; n++)
        if (takes_part(slot_at(q, k->waiters.v[n])))
            set_priority(q, k->waiters.v[n], k->top);
}

void slot_sequence_joined(Slots *q, uint32_t key, uint32_t i)
{
    SlotKey *k = &q->keys[key];
    const Slot *s = slot_at(q, i);
    if (!takes_part(s))
        return;
    if (!k->n_top || s->own_priority > k->top) {
        k->top = s->own_priority;
        k->n_top = 1;
        set_all(q, k);
        return;
    }
    k->n_top += s->own_priority == k->top;
    set_priority(q, i, k->top);
}

void slot_sequence_left(Slots *q, uint32_t key, uint32_t i)
{
    SlotKey *k = &q->keys[key];
    const Slot *left = slot_at(q, i);
    if (!takes_part(left) || left->own_priority != k->top || --k->n_top)
        return;
    for (size_t n = 0; n < k->waiters.n; n++) {
        const Slot *s = slot_at(q, k->waiters.v[n]);
        if (!takes_part(s))
            continue;
        if (!k->n_top || s->own_priority > k->top) {
            k->top = s->own_priority;
            k->n_top = 0;
        }
        k->n_top += s->own_priority == k->top;
    }
    set_all(q, k);
}
