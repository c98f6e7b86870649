/* SPDX-License-Identifier: Apache-2.0
 * What happens to slots. A woken slot stays where it is until it is looked at: whoever decides asks whether
 * it still may.
 */
#include "slots.h"

#include <string.h>

#include "slots_impl.h"

enum { CLOCK_SET_KEEPS_MS = 3600000 };

/* ---- wakes ------------------------------------------------------------------------------------------ */

void slot_wake(Slots *q, uint32_t i)
{
    if (!i || slot_at(q, i)->woken)
        return;
    slot_at(q, i)->woken = true;
    if (q->woken_n == q->woken_cap) {
        size_t cap = q->woken_cap ? q->woken_cap * 2 : 64;
        uint32_t *v = xcalloc(cap, sizeof *v);
        for (size_t k = 0; k < q->woken_n; k++)
            v[k] = q->woken[(q->woken_first + k) % q->woken_cap];
        free(q->woken);
        q->woken = v;
        q->woken_cap = cap;
        q->woken_first = 0;
    }
    q->woken[(q->woken_first + q->woken_n++) % q->woken_cap] = i;
}

static void wake_all(Slots *q, uint32_t key)
{
    const SlotHeap *h = &q->keys[key].waiters;
    for (size_t k = 0; k < h->n; k++)
        slot_wake(q, h->v[k]);
}

void slot_pass_on(Slots *q, uint32_t key)
{
    const SlotKey *k = &q->keys[key];
    if (k->in_use && k->kind == KEY_TURN && !k->holder && k->waiters.n)
        slot_wake(q, k->waiters.v[0]);
}

/* ---- places ----------------------------------------------------------------------------------------- */

static bool has_order(KeyKind kind)
{
    return kind == KEY_SEQUENCE || kind == KEY_UPLOADS;
}

static void set_count(Slots *q, Slot *s, SlotPlace place)
{
    q->count[s->place]--;
    q->count[place]++;
    s->place = (uint8_t)place;
}

void slot_set_place(Slots *q, uint32_t i, SlotPlace place)
{
    Slot *s = slot_at(q, i);
    set_count(q, s, place);
    if (place == SLOT_TIMER)
        slot_heap_add(q, &q->timers, ORDER_DUE, i);
    else if (place == SLOT_READY)
        slot_heap_add(q, &q->demands[s->demand].ready, ORDER_QUEUE, i);
    else if (place == SLOT_ACTIVE)
        slot_heap_add(q, &q->active, ORDER_QUEUE, i);
    else if (place == SLOT_FAILED)
        slot_heap_add(q, &q->failed, ORDER_DUE, i);
}

void slot_block(Slots *q, uint32_t i, uint32_t key)
{
    slot_set_place(q, i, SLOT_BLOCKED);
    slot_at(q, i)->key = key;
    if (!has_order(q->keys[key].kind))
        slot_heap_add(q, &q->keys[key].waiters, ORDER_QUEUE, i);
}

void slot_leave(Slots *q, uint32_t i)
{
    Slot *s = slot_at(q, i);
    if (s->place == SLOT_TIMER)
        slot_heap_remove(q, &q->timers, ORDER_DUE, i);
    else if (s->place == SLOT_READY)
        slot_heap_remove(q, &q->demands[s->demand].ready, ORDER_QUEUE, i);
    else if (s->place == SLOT_ACTIVE)
        slot_heap_remove(q, &q->active, ORDER_QUEUE, i);
    else if (s->place == SLOT_FAILED)
        slot_heap_remove(q, &q->failed, ORDER_DUE, i);
    else if (s->place == SLOT_BLOCKED && !has_order(q->keys[s->key].kind))
        slot_heap_remove(q, &q->keys[s->key].waiters, ORDER_QUEUE, i);
    uint32_t key = s->key;
    s->key = 0;
    set_count(q, s, SLOT_NOWHERE);
    slot_key_tidy(q, key);
}

/* ---- the order by ids ------------------------------------------------------------------------------- */

static uint32_t order_key(Slots *q, const Slot *s)
{
    if (s->upload)
        return slot_key(q, KEY_UPLOADS, 0, 0);
    return s->sequence_id ? slot_key(q, KEY_SEQUENCE, s->sequence_id, 0) : 0;
}

void slot_join_order(Slots *q, uint32_t i)
{
    uint32_t key = order_key(q, slot_at(q, i));
    if (!key || slot_at(q, i)->member)
        return;
    SlotHeap *h = &q->keys[key].waiters;
    uint32_t first = h->n ? h->v[0] : 0;
    slot_heap_add(q, h, ORDER_ID, i);
    if (q->keys[key].kind == KEY_SEQUENCE)
        slot_sequence_joined(q, key, i);
    uint8_t place = first ? slot_at(q, first)->place : SLOT_FAILED;
    if (h->v[0] == i && place < SLOT_ACTIVE)
        slot_wake(q, first);
}

void slot_leave_order(Slots *q, uint32_t i)
{
    if (!slot_at(q, i)->member)
        return;
    uint32_t key = order_key(q, slot_at(q, i));
    SlotHeap *h = &q->keys[key].waiters;
    bool had = h->v[0] == i;
    slot_heap_remove(q, h, ORDER_ID, i);
    if (q->keys[key].kind == KEY_SEQUENCE)
        slot_sequence_left(q, key, i);
    if (had && h->n)
        slot_wake(q, h->v[0]);
    slot_key_tidy(q, key);
}

/* ---- names ------------------------------------------------------------------------------------------ */

uint32_t slot_turn(const Slots *q, const Slot *s)
{
    return slot_find_key(q, KEY_TURN, s->limit ? -(int64_t)s->limit : s->name, s->demand);
}

void slot_let_go(Slots *q, uint32_t i)
{
    uint32_t key = slot_turn(q, slot_at(q, i));
    if (!key || q->keys[key].holder != i)
        return;
    q->keys[key].holder = 0;
    slot_pass_on(q, key);
    slot_key_tidy(q, key);
}

bool slot_on_primary(const Slots *q, const Slot *s)
{
    return !s->upload && q->demands[s->demand].on == ROLE_PRIMARY;
}

void slot_set_phase(Slots *q, uint32_t i, SlotPhase phase)
{
    Slot *s = slot_at(q, i);
    if (slot_on_primary(q, s))
        q->asleep_primary += (phase == SLOT_SLEEPS) - (s->phase == SLOT_SLEEPS);
    s->phase = (uint8_t)phase;
}

void slots_phase(Slots *q, int64_t id, SlotPhase phase, bool for_others)
{
    uint32_t i = slot_index(q, id);
    if (!i || slot_at(q, i)->place != SLOT_ACTIVE)
        return;
    slot_set_phase(q, i, phase);
    slot_at(q, i)->for_others = for_others;
}

void slot_activate(Slots *q, uint32_t i)
{
    slot_leave(q, i);
    slot_let_go(q, i);
    slot_set_place(q, i, SLOT_ACTIVE);
    const Slot *s = slot_at(q, i);
    uint32_t name = s->upload ? 0 : slot_name_key(q, s);
    if (s->upload)
        q->active_uploads++;
    else
        q->keys[name].count++;
    if (slot_on_primary(q, s))
        q->active_primary++;
}

/* What an active one had. */
static void deactivate(Slots *q, uint32_t i)
{
    const Slot *s = slot_at(q, i);
    slot_set_phase(q, i, SLOT_BUSY);
    if (s->upload) {
        q->active_uploads--;
        return;
    }
    if (slot_on_primary(q, s))
        q->active_primary--;
    uint32_t key = slot_find_name_key(q, s);
    q->keys[key].count--;
    if (!slot_name_is_full(q, s))
        wake_all(q, key);
    slot_key_tidy(q, key);
}

/* ---- in and out ------------------------------------------------------------------------------------- */

uint32_t slot_lane(const Slots *q, const Slot *s)
{
    return s->upload ? slot_find_key(q, KEY_LANE, s->lane, LANE_OF_UPLOADS)
                     : slot_find_key(q, KEY_LANE, s->name, LANE_OF_JOBS);
}

/* A person may pass by what holds a lane, but the order of uploads stays. */
bool slot_lane_is_held(const Slots *q, const Slot *s)
{
    const SlotKey *k = &q->keys[slot_lane(q, s)];
    return s->by_hand ? s->upload && k->count : k->count || k->flagged;
}

/* Those that waited have their place in the order again at once: others may be looked at before them. */
static void wake_lane(Slots *q, uint32_t key)
{
    wake_all(q, key);
    for (size_t k = 0; k < q->keys[key].waiters.n; k++)
        slot_join_order(q, q->keys[key].waiters.v[k]);
}

static void shut_lane(Slots *q, const Slot *s)
{
    uint32_t key = s->upload ? slot_key(q, KEY_LANE, s->lane, LANE_OF_UPLOADS)
                             : slot_key(q, KEY_LANE, s->name, LANE_OF_JOBS);
    q->keys[key].count++;
    if (s->upload)
        wake_all(q, slot_find_key(q, KEY_UPLOADS, 0, 0));
}

static void open_lane(Slots *q, const Slot *s)
{
    uint32_t key = slot_lane(q, s);
    if (--q->keys[key].count == 0 && !q->keys[key].flagged)
        wake_lane(q, key);
    slot_key_tidy(q, key);
}

static void set_lane(Slots *q, uint32_t key, const char *why)
{
    SlotKey *k = &q->keys[key];
    symbols_drop(q->texts, k->text);
    k->text = symbols_take(q->texts, why);
    k->flagged = why != NULL;
    if (!why && !k->count)
        wake_lane(q, key);
    slot_key_tidy(q, key);
}

void slots_hold_lane(Slots *q, const char *lane, const char *why)
{
    uint32_t text = symbols_take(q->texts, lane);
    for (int of = LANE_OF_UPLOADS; of <= LANE_OF_JOBS; of++) {
        uint32_t key = slot_find_key(q, KEY_LANE, text, of);
        if (!key && !why)
            continue;
        if (why && !(key && q->keys[key].flagged))
            symbols_keep(q->texts, text); /* while it is held */
        else if (!why && q->keys[key].flagged)
            symbols_drop(q->texts, text);
        set_lane(q, slot_key(q, KEY_LANE, text, of), why);
    }
    symbols_drop(q->texts, text);
    if (why)
        wake_all(q, slot_find_key(q, KEY_UPLOADS, 0, 0));
}

void slots_manual(Slots *q, const char *why)
{
    free(q->manual);
    q->manual = xstrdup(why);
}

static void forget_parent(Slots *q, const Slot *s)
{
    uint32_t key = slot_find_key(q, KEY_PARENT, s->parent_task, s->parent_no);
    if (!key)
        return;
    q->keys[key].open = q->keys[key].flagged = false;
    q->keys[key].note = 0;
    slot_key_tidy(q, key);
}

static void remove_slot(Slots *q, uint32_t i)
{
    Slot *s = slot_at(q, i);
    if (s->place == SLOT_ACTIVE)
        deactivate(q, i);
    if (s->place == SLOT_FAILED && s->holds == SLOT_HOLDS_LANE)
        open_lane(q, s);
    slot_leave(q, i);
    slot_let_go(q, i);
    slot_leave_order(q, i);
    if (slot_at(q, i)->upload)
        forget_parent(q, slot_at(q, i));
    uint32_t limit = slot_at(q, i)->limit ? slot_find_name_key(q, slot_at(q, i)) : 0;
    slot_free(q, i);
    q->keys[limit].uses -= limit != 0;
    slot_key_tidy(q, limit);
}

void slots_end(Slots *q, int64_t id)
{
    uint32_t i = slot_index(q, id);
    if (i)
        remove_slot(q, i);
}

static uint32_t set_limit(Slots *q, const char *text, const SlotLimit *limit)
{
    uint32_t symbol = symbols_take(q->texts, text);
    if (!slot_find_key(q, KEY_LIMIT, symbol, 0))
        symbols_keep(q->texts, symbol); /* while there is the key */
    uint32_t key = slot_key(q, KEY_LIMIT, symbol, 0);
    SlotKey *k = &q->keys[key];
    k->most = (uint32_t)limit->at_once;
    if (!limit->starts || !rate_is(k->rate, limit->starts, limit->per_ms)) {
        rate_free(k->rate);
        k->rate = limit->starts ? rate_new(limit->starts, limit->per_ms) : NULL;
    }
    return symbol;
}

void slots_started(Slots *q, const char *text, const SlotLimit *limit, int64_t mono_ms)
{
    uint32_t symbol = set_limit(q, text, limit);
    uint32_t key = slot_find_key(q, KEY_LIMIT, symbol, 0);
    if (q->keys[key].rate)
        rate_note(q->keys[key].rate, mono_ms);
    symbols_drop(q->texts, symbol);
    slot_key_tidy(q, key);
}

static uint32_t add_slot(Slots *q, const SlotTask *t, const SlotTime *now)
{
    slots_end(q, t->id);
    uint32_t i = slot_new(q, t->id);
    Slot *s = slot_at(q, i);
    bool upload = t->kind == KIND_UPLOAD;
    s->upload = upload;
    s->priority = s->own_priority = (int32_t)t->priority;
    s->run_at = t->run_at;
    s->at_once = t->run_at <= t->submitted_at;
    s->due_ms = now->mono_ms + (t->run_at - now->wall_ms);
    s->sequence_id = upload ? 0 : t->sequence_id;
    s->by_hand = t->by_hand;
    s->turn_failed = t->turn_failed;
    q->turns_failed += t->turn_failed;
    s->preempt = (uint8_t)t->preempt;
    s->window_end = (uint8_t)t->window_end;
    s->parent_task = t->parent_task;
    s->parent_no = (uint32_t)t->parent_no;
    s->round = q->round;
    s->name = symbols_take(q->texts, t->name);
    s->window = symbols_take(q->texts, t->window);
    s->zone = zone_keep(t->zone);
    if (t->key && !upload) {
        s->limit = set_limit(q, t->key, &t->limit);
        uint32_t key = slot_name_key(q, s);
        q->keys[key].uses++;
    }
    s->lane = symbols_take(q->texts, t->lane);
    s->broken = symbols_take(q->texts, t->broken);
    uint32_t job = upload ? 0 : symbols_take(q->texts, t->job), host = symbols_take(q->texts, t->host);
    NodeRole on = upload ? ROLE_PRIMARY : t->on;
    s->demand = slot_demand(q, &(SlotDemand){.upload = upload,
                                             .on = on,
                                             .job = job,
                                             .host = host,
                                             .replicas = t->replicas,
                                             .apart = upload ? 0 : t->apart,
                                             .awake = upload ? 0 : t->awake,
                                             .alone = !upload && t->alone});
    symbols_drop(q->texts, job);
    symbols_drop(q->texts, host);
    return i;
}

void slots_put(Slots *q, const SlotTask *t, const SlotTime *now)
{
    uint32_t i = add_slot(q, t, now);
    slot_join_order(q, i);
    slot_wake(q, i);
}

void slots_start(Slots *q, const SlotTask *t, const SlotTime *now)
{
    uint32_t i = slot_index(q, t->id);
    if (i && slot_at(q, i)->place == SLOT_ACTIVE)
        return;
    if (!i || slot_at(q, i)->place == SLOT_FAILED) {
        i = add_slot(q, t, now);
        slot_join_order(q, i);
    }
    slot_activate(q, i);
}

void slots_hold_back(Slots *q, int64_t id, int64_t ms, const char *why, const SlotTime *now)
{
    uint32_t i = slot_index(q, id);
    if (!i || slot_at(q, i)->place == SLOT_FAILED)
        return;
    if (slot_at(q, i)->place == SLOT_ACTIVE)
        deactivate(q, i);
    slot_leave(q, i);
    slot_let_go(q, i);
    symbols_drop(q->texts, slot_at(q, i)->held);
    slot_at(q, i)->held = symbols_take(q->texts, why);
    slot_at(q, i)->due_ms = now->mono_ms + ms;
    slot_set_place(q, i, SLOT_TIMER);
}

void slots_fail(Slots *q, const SlotTask *t, const SlotTime *now)
{
    uint32_t i = add_slot(q, t, now);
    Slot *s = slot_at(q, i);
    s->holds = t->holds;
    s->due_ms = t->failed_at;
    slot_set_place(q, i, SLOT_FAILED);
    if (t->holds == SLOT_HOLDS_SEQUENCE)
        slot_join_order(q, i);
    else if (t->holds == SLOT_HOLDS_LANE)
        shut_lane(q, s);
}

void slots_rename(Slots *q, int64_t from, int64_t to)
{
    slots_end(q, to);
    uint32_t i = slot_index(q, from);
    if (!i)
        return;
    bool member = slot_at(q, i)->member != 0;
    SlotPlace place = (SlotPlace)slot_at(q, i)->place;
    slot_leave_order(q, i);
    slot_leave(q, i);
    slot_rename(q, i, to);
    if (place >= SLOT_ACTIVE)
        slot_set_place(q, i, place);
    else
        slot_wake(q, i);
    if (member)
        slot_join_order(q, i);
}

bool slots_find(const Slots *q, int64_t id, SlotPlace *ret_place)
{
    uint32_t i = slot_index(q, id);
    if (i && ret_place)
        *ret_place = (SlotPlace)slot_at(q, i)->place;
    return i != 0;
}

size_t slots_count(const Slots *q, SlotPlace place)
{
    if (place != SLOT_PLACES)
        return q->count[place];
    size_t n = 0;
    for (int p = 0; p < SLOT_PLACES; p++)
        n += q->count[p];
    return n;
}

/* ---- gates ------------------------------------------------------------------------------------------ */

void slots_job(Slots *q, const char *job, bool known, NodeRole on)
{
    uint32_t text = symbols_find(q->texts, job);
    uint32_t key = text ? slot_find_key(q, KEY_JOB, text, 0) : 0;
    if (!key) {
        key = slot_key(q, KEY_JOB, symbols_take(q->texts, job), 0); /* that use stays */
        q->keys[key].flagged = true;
    }
    SlotKey *k = &q->keys[key];
    if (k->open == known && k->on == on)
        return;
    k->open = known;
    k->on = on;
    if (known)
        wake_all(q, key);
}

void slots_parent(Slots *q, int64_t task, int64_t no, CoordRunState state, bool scattered)
{
    uint32_t key = slot_key(q, KEY_PARENT, task, no);
    SlotKey *k = &q->keys[key];
    k->note = (int)state;
    k->flagged = scattered;
    k->open = !scattered && (state == CRUN_CAUGHT_UP || state == CRUN_UPLOADING);
    if (k->open)
        wake_all(q, key);
    slot_key_tidy(q, key);
}

/* ---- time ------------------------------------------------------------------------------------------- */

bool slots_advance(Slots *q, const SlotTime *now, size_t most)
{
    q->now_ms = now->mono_ms;
    for (size_t done = 0; done < most; done++) {
        uint32_t due = q->timers.n ? q->timers.v[0] : 0;
        if (due && slot_at(q, due)->due_ms <= now->mono_ms) {
            slot_look(q, due, now);
            continue;
        }
        if (!q->woken_n)
            return false;
        uint32_t i = q->woken[q->woken_first];
        q->woken_first = (q->woken_first + 1) % q->woken_cap;
        q->woken_n--;
        slot_at(q, i)->woken = false;
        if (!slot_at(q, i)->in_use)
            slot_give_back(q, i);
        else if (slot_at(q, i)->place < SLOT_ACTIVE)
            slot_look(q, i, now);
    }
    return true;
}

int64_t slots_next_ms(const Slots *q)
{
    return q->timers.n ? slot_at(q, q->timers.v[0])->due_ms : 0;
}

void slots_clock_set(Slots *q, const SlotTime *now, int64_t by_ms)
{
    SlotHeap old = q->timers;
    q->timers = (SlotHeap){0};
    for (size_t k = 0; k < old.n; k++) {
        Slot *s = slot_at(q, old.v[k]);
        if (s->due_ms - now->mono_ms > CLOCK_SET_KEEPS_MS && !s->paced)
            s->due_ms -= by_ms;
        slot_heap_add(q, &q->timers, ORDER_DUE, old.v[k]);
    }
    free(old.v);
}

/* ---- rounds ----------------------------------------------------------------------------------------- */

/* Keys whose last starts count no more go here. */
void slots_round(Slots *q)
{
    q->round++;
    for (uint32_t k = 1; k < q->n_keys; k++)
        if (q->keys[k].in_use && q->keys[k].rate)
            slot_key_tidy(q, k);
}

bool slots_seen(Slots *q, int64_t id)
{
    uint32_t i = slot_index(q, id);
    if (i)
        slot_at(q, i)->round = q->round;
    return i != 0;
}

int64_t *slots_unseen(const Slots *q, size_t *ret_n)
{
    int64_t *ids = NULL;
    size_t n = 0;
    for (uint32_t i = 1; i < q->n_slots; i++) {
        const Slot *s = slot_at(q, i);
        if (!s->in_use || s->round == q->round || s->place >= SLOT_ACTIVE)
            continue;
        if ((n & (n - 1)) == 0)
            ids = xrealloc(ids, (n ? n * 2 : 1) * sizeof *ids);
        ids[n++] = s->id;
    }
    *ret_n = n;
    return ids;
}
