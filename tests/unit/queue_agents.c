/* SPDX-License-Identifier: Apache-2.0 */
#include "queue_world.h"

static bool runs_now(const Taken *t)
{
    return !t->over;
}

uint32_t queue_apart(const Row *r)
{
    return !r->upload && r->name < 2;
}

uint32_t queue_awake(const Row *r)
{
    return !r->upload && (r->name == 2 || r->name == 3) ? 2 : 0;
}

bool queue_is_alone(const Row *r)
{
    return !r->upload && r->name == 7;
}

static void check_start(QueueWorld *w, const Row *r, const Order *o)
{
    for (size_t i = 0; i < w->n_taken; i++) {
        const Taken *t = &w->taken[i];
        const Row *other = queue_row(w, t->id);
        if (t->id == o->id && t->no == o->no)
            fail_msg("run %d.%d was started twice", (int)o->id, o->no);
        if (t->over)
            continue;
        if (t->id == o->id)
            fail_msg("task %d runs twice", (int)o->id);
        if (!other)
            continue;
        if (other->upload && r->upload)
            fail_msg("uploads %d and %d run together", (int)other->id, (int)r->id);
        if (!other->upload && !r->upload && other->name == r->name)
            fail_msg("tasks %d and %d of one name run together", (int)other->id, (int)r->id);
        if (!other->upload && !r->upload &&
            ((queue_apart(r) & queue_apart(other)) || queue_is_alone(r) || queue_is_alone(other)))
            fail_msg("tasks %d and %d of one group run together", (int)other->id, (int)r->id);
        if (!other->upload && !r->upload && !t->asleep && (queue_awake(r) & queue_awake(other)))
            fail_msg("tasks %d and %d of one group are awake together", (int)other->id, (int)r->id);
        if (!other->upload && !r->upload && t->node == o->node && !t->asleep)
            fail_msg("tasks %d and %d run on one node", (int)other->id, (int)r->id);
    }
}

bool queue_holds_lane(const Row *r)
{
    return r->name % 2 != 0;
}

void queue_check_claim(QueueWorld *w, const Row *r)
{
    for (size_t i = 0; i < MOST; i++) {
        const Row *o = &w->rows[i];
        if (o->state == ROW_NONE || !o->committed || o->in_inbox || o->id >= r->id || o->upload != r->upload)
            continue;
        bool holds = queue_is_live(o) || o->state == ROW_ERROR;
        if (r->sequence && o->sequence == r->sequence && holds)
            fail_msg("task %d of sequence %d starts before %d", (int)r->id, (int)r->sequence, (int)o->id);
        if (r->upload && o->lane == r->lane && holds)
            fail_msg("upload %d into %c starts before %d", (int)r->id, r->lane, (int)o->id);
    }
    for (size_t i = 0; i < MOST && !r->upload && !r->by_hand; i++) {
        const Row *o = &w->rows[i];
        if (o->state == ROW_ERROR && !o->upload && !o->sequence && queue_holds_lane(o) && o->name == r->name)
            fail_msg("task %d starts in the lane that %d holds", (int)r->id, (int)o->id);
    }
}

void queue_forget_gone(QueueWorld *w)
{
    size_t kept = 0;
    for (size_t i = 0; i < w->n_taken; i++)
        if (queue_row(w, w->taken[i].id) || runs_now(&w->taken[i]))
            w->taken[kept++] = w->taken[i];
    w->n_taken = kept;
}

void queue_deliver(QueueWorld *w, bool again)
{
    if (!w->n_orders)
        return;
    size_t k = queue_draw(w, (uint32_t)w->n_orders);
    Order o = w->orders[k];
    if (!again)
        w->orders[k] = w->orders[--w->n_orders];
    Row *r = queue_row(w, o.id);
    for (size_t i = 0; i < w->n_taken; i++)
        if (w->taken[i].id == o.id && w->taken[i].no == o.no)
            return;
    if (w->now > o.last_start || !r || w->n_taken == COUNT(w->taken))
        return;
    check_start(w, r, &o);
    w->starts++;
    w->taken[w->n_taken++] = (Taken){.id = o.id, .no = o.no, .node = o.node, .last_start = o.last_start};
}

void queue_end_runs(QueueWorld *w, int node, bool all, bool well)
{
    for (size_t i = 0; i < w->n_taken; i++) {
        Taken *t = &w->taken[i];
        if (t->over || (node != NOT_HERE && t->node != node) || (!all && queue_draw(w, 3)))
            continue;
        if (t->asleep && well)
            continue;
        t->over = true;
        t->well = well;
    }
}

Taken *queue_taken(QueueWorld *w, int64_t id, int no)
{
    for (size_t i = 0; i < w->n_taken; i++)
        if (w->taken[i].id == id && w->taken[i].no == no)
            return &w->taken[i];
    return NULL;
}
