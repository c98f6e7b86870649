/* SPDX-License-Identifier: Apache-2.0
 * Where a waiting slot belongs: the first check that holds it places it, and one that none holds is ready.
 */
#include "slots_impl.h"
#include "window.h"

typedef struct SlotLook {
    Slots *q;
    uint32_t i;
    const SlotTime *now;
} SlotLook;

static Slot *slot_of(const SlotLook *l)
{
    return slot_at(l->q, l->i);
}

static bool block_on(const SlotLook *l, KeyKind kind, int64_t a, int64_t b)
{
    slot_block(l->q, l->i, slot_key(l->q, kind, a, b));
    return true;
}

static bool is_broken(const SlotLook *l)
{
    const Slot *s = slot_of(l);
    return s->broken && block_on(l, KEY_BROKEN, s->broken, 0);
}

static bool is_for_hand(const SlotLook *l)
{
    const Slot *s = slot_of(l);
    return !s->upload && !s->by_hand && s->priority < SLOT_LEAST_PRIORITY && block_on(l, KEY_HAND, 0, 0);
}

/* One that may run from its submission on does not wait for a clock that may have been set back since. */
static bool is_early(const SlotLook *l)
{
    const Slot *s = slot_of(l);
    if (s->due_ms <= l->now->mono_ms || (!s->held && (s->upload || s->at_once || s->by_hand)))
        return false;
    slot_set_place(l->q, l->i, SLOT_TIMER);
    return true;
}

int64_t slot_window_ms(const Slots *q, const Slot *s, const SlotTime *now)
{
    WindowSet w;
    Err ignored;
    if (!s->window || s->by_hand || !window_parse(symbols_text(q->texts, s->window), &w, &ignored))
        return 0;
    return window_wait_ms(&w, s->zone, now->wall_ms);
}

static bool is_outside_window(const SlotLook *l)
{
    Slot *s = slot_of(l);
    int64_t wait = slot_window_ms(l->q, s, l->now);
    if (!wait)
        return false;
    s->due_ms = l->now->mono_ms + wait;
    slot_set_place(l->q, l->i, SLOT_TIMER);
    return true;
}

/* Where a task leaves it open, its job says where it runs. */
static bool has_no_job(const SlotLook *l)
{
    const SlotDemand *d = &l->q->demands[slot_of(l)->demand];
    if (d->upload)
        return false;
    uint32_t key = slot_find_key(l->q, KEY_JOB, d->job, 0);
    if (!key || !l->q->keys[key].open)
        return block_on(l, KEY_JOB, d->job, 0);
    if (d->on)
        return false;
    SlotDemand whole = {.on = l->q->keys[key].on,
                        .job = d->job,
                        .host = d->host,
                        .replicas = d->replicas,
                        .apart = d->apart,
                        .awake = d->awake,
                        .alone = d->alone};
    whole.on = whole.on ? whole.on : ROLE_REPLICA;
    uint32_t old = slot_of(l)->demand, found = slot_demand(l->q, &whole);
    slot_of(l)->demand = found;
    slot_demand_drop(l->q, old);
    return false;
}

/* An upload whose lane is held does not hold up those of other lanes. */
static bool lane_is_held(const SlotLook *l)
{
    const Slot *s = slot_of(l);
    bool held = slot_lane_is_held(l->q, s);
    if (held && s->upload)
        slot_leave_order(l->q, l->i);
    else
        slot_join_order(l->q, l->i);
    if (held)
        slot_block(l->q, l->i, slot_lane(l->q, s));
    return held;
}

static bool another_is_before(const SlotLook *l)
{
    const Slot *s = slot_of(l);
    KeyKind kind = s->upload ? KEY_UPLOADS : KEY_SEQUENCE;
    uint32_t key = s->member ? slot_find_key(l->q, kind, s->sequence_id, 0) : 0;
    return key && l->q->keys[key].waiters.v[0] != l->i && block_on(l, kind, s->sequence_id, 0);
}

static bool parent_is_not_ready(const SlotLook *l)
{
    const Slot *s = slot_of(l);
    uint32_t key = s->upload ? slot_find_key(l->q, KEY_PARENT, s->parent_task, s->parent_no) : 0;
    return s->upload && (!key || !l->q->keys[key].open) &&
           block_on(l, KEY_PARENT, s->parent_task, s->parent_no);
}

/* The first in order takes the turn of its name from one that waits with it. */
static bool has_no_turn(const SlotLook *l)
{
    const Slot *s = slot_of(l);
    if (s->upload)
        return false;
    int64_t whose = s->limit ? -(int64_t)s->limit : s->name;
    uint32_t key = slot_key(l->q, KEY_TURN, whose, s->demand), holder = l->q->keys[key].holder;
    if (holder && holder != l->i && !slot_before(s, slot_at(l->q, holder)))
        return block_on(l, KEY_TURN, whose, s->demand);
    l->q->keys[key].holder = l->i;
    if (holder != l->i)
        slot_wake(l->q, holder);
    return false;
}

static bool name_is_active(const SlotLook *l)
{
    const Slot *s = slot_of(l);
    if (s->upload || !slot_name_is_full(l->q, s))
        return false;
    slot_block(l->q, l->i, slot_find_name_key(l->q, s));
    return true;
}

static bool key_has_had_its_starts(const SlotLook *l)
{
    Slot *s = slot_of(l);
    int64_t wait = slot_pace_ms(l->q, s, l->now->mono_ms);
    if (!wait)
        return false;
    s->due_ms = l->now->mono_ms + wait;
    s->paced = true;
    slot_set_place(l->q, l->i, SLOT_TIMER);
    return true;
}

/* Those before `FIRST_WITH_TURN` leave a turn that the slot has had. */
static bool (*const checks[])(const SlotLook *l) = {is_broken,
                                                    is_for_hand,
                                                    is_early,
                                                    is_outside_window,
                                                    has_no_job,
                                                    lane_is_held,
                                                    another_is_before,
                                                    parent_is_not_ready,
                                                    has_no_turn,
                                                    name_is_active,
                                                    key_has_had_its_starts};
enum { FIRST_WITH_TURN = 8 };

void slot_look(Slots *q, uint32_t i, const SlotTime *now)
{
    SlotLook l = {q, i, now};
    uint32_t was = slot_at(q, i)->place == SLOT_BLOCKED ? slot_at(q, i)->key : 0;
    slot_leave(q, i);
    if (slot_at(q, i)->held && slot_at(q, i)->due_ms <= now->mono_ms) {
        symbols_drop(q->texts, slot_at(q, i)->held);
        slot_at(q, i)->held = 0;
    }
    if (slot_at(q, i)->paced)
        slot_at(q, i)->due_ms = now->mono_ms;
    slot_at(q, i)->paced = false;
    size_t k = 0;
    while (k < COUNT(checks) && !checks[k](&l))
        k++;
    if (k == COUNT(checks))
        slot_set_place(q, i, SLOT_READY);
    if (k < FIRST_WITH_TURN)
        slot_let_go(q, i);
    if (was)
        slot_pass_on(q, was);
}
