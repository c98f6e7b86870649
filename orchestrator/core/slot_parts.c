/* SPDX-License-Identifier: Apache-2.0
 * The parts that slots are kept with: heaps, keys, demands.
 */
#include "slots_impl.h"

Slot *slot_at(const Slots *q, uint32_t i)
{
    return &q->slots[i];
}

/* ---- orders and heaps ------------------------------------------------------------------------------- */

bool slot_before(const Slot *a, const Slot *b)
{
    if (a->by_hand != b->by_hand)
        return a->by_hand;
    if (!a->upload && !b->upload) {
        if (a->priority != b->priority)
            return a->priority > b->priority;
        if (a->run_at != b->run_at)
            return a->run_at < b->run_at;
    }
    return a->upload == b->upload ? a->id < b->id : a->upload;
}

static bool goes_first(const Slots *q, SlotOrder order, uint32_t x, uint32_t y)
{
    const Slot *a = slot_at(q, x), *b = slot_at(q, y);
    if (order == ORDER_DUE && a->due_ms != b->due_ms)
        return a->due_ms < b->due_ms;
    return order == ORDER_QUEUE ? slot_before(a, b) : a->id < b->id;
}

static uint32_t *position(const Slots *q, SlotOrder order, uint32_t i)
{
    return order == ORDER_ID ? &slot_at(q, i)->member : &slot_at(q, i)->pos;
}

static void put_at(Slots *q, SlotHeap *h, SlotOrder order, size_t at, uint32_t i)
{
    h->v[at] = i;
    *position(q, order, i) = (uint32_t)at + 1;
}

static void rise(Slots *q, SlotHeap *h, SlotOrder order, size_t at)
{
    uint32_t i = h->v[at];
    while (at > 0 && goes_first(q, order, i, h->v[(at - 1) / 2])) {
        put_at(q, h, order, at, h->v[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    put_at(q, h, order, at, i);
}

static void sink(Slots *q, SlotHeap *h, SlotOrder order, size_t at)
{
    uint32_t i = h->v[at];
    for (size_t below; (below = at * 2 + 1) < h->n; at = below) {
        if (below + 1 < h->n && goes_first(q, order, h->v[below + 1], h->v[below]))
            below++;
        if (!goes_first(q, order, h->v[below], i))
            break;
        put_at(q, h, order, at, h->v[below]);
    }
    put_at(q, h, order, at, i);
}

void slot_heap_add(Slots *q, SlotHeap *h, SlotOrder order, uint32_t i)
{
    if (h->n == h->cap) {
        h->cap = h->cap ? h->cap * 2 : 4;
        h->v = xrealloc(h->v, h->cap * sizeof *h->v);
    }
    h->v[h->n] = i;
    rise(q, h, order, h->n++);
}

void slot_heap_remove(Slots *q, SlotHeap *h, SlotOrder order, uint32_t i)
{
    size_t at = *position(q, order, i) - 1;
    *position(q, order, i) = 0;
    uint32_t last = h->v[--h->n];
    if (last == i)
        return;
    put_at(q, h, order, at, last);
    rise(q, h, order, at);
    sink(q, h, order, *position(q, order, last) - 1);
}

/* ---- keys ------------------------------------------------------------------------------------------- */

typedef struct KeyWish {
    KeyKind kind;
    int64_t a, b;
} KeyWish;

static uint64_t hash_wish(const KeyWish *w)
{
    return numbered_mix(numbered_mix((uint64_t)w->a * 31 + (uint64_t)w->kind) ^ (uint64_t)w->b);
}

static uint64_t hash_key(const void *owner, uint32_t n)
{
    const SlotKey *k = &((const Slots *)owner)->keys[n];
    return hash_wish(&(KeyWish){k->kind, k->a, k->b});
}

static bool is_key(const void *owner, uint32_t n, const void *wanted)
{
    const SlotKey *k = &((const Slots *)owner)->keys[n];
    const KeyWish *w = wanted;
    return k->kind == w->kind && k->a == w->a && k->b == w->b;
}

/* A free number of an array that grows; `free` heads the list of those given back. */
static uint32_t new_number(void **v, size_t size, uint32_t *n, uint32_t *free, const uint32_t *next_free)
{
    if (*free) {
        uint32_t i = *free;
        *free = *next_free;
        return i;
    }
    uint32_t i = (*n)++;
    if ((i & (i - 1)) == 0)
        *v = xrealloc(*v, (size_t)i * 2 * size);
    return i;
}

uint32_t slot_find_key(const Slots *q, KeyKind kind, int64_t a, int64_t b)
{
    KeyWish w = {kind, a, b};
    return numbered_find(&q->by_key, q, hash_wish(&w), &w);
}

uint32_t slot_key(Slots *q, KeyKind kind, int64_t a, int64_t b)
{
    uint32_t n = slot_find_key(q, kind, a, b);
    if (n)
        return n;
    n = new_number((void **)&q->keys, sizeof *q->keys, &q->n_keys, &q->free_keys,
                   &q->keys[q->free_keys].count);
    q->keys[n] = (SlotKey){.kind = kind, .a = a, .b = b, .in_use = true};
    numbered_add(&q->by_key, q, n);
    return n;
}

void slot_key_tidy(Slots *q, uint32_t key)
{
    SlotKey *k = &q->keys[key];
    if (!key || !k->in_use || k->waiters.n || k->holder || k->count || k->note || k->open || k->flagged ||
        k->uses || (k->rate && !rate_is_idle(k->rate, q->now_ms)))
        return;
    rate_free(k->rate);
    if (k->kind == KEY_LIMIT)
        symbols_drop(q->texts, (uint32_t)k->a);
    numbered_remove(&q->by_key, q, key);
    free(k->waiters.v);
    *k = (SlotKey){.count = q->free_keys};
    q->free_keys = key;
}

uint32_t slot_name_key(Slots *q, const Slot *s)
{
    uint32_t key = s->limit ? slot_key(q, KEY_LIMIT, s->limit, 0) : slot_key(q, KEY_NAME, s->name, 0);
    if (!s->limit)
        q->keys[key].most = 1;
    return key;
}

uint32_t slot_find_name_key(const Slots *q, const Slot *s)
{
    return s->limit ? slot_find_key(q, KEY_LIMIT, s->limit, 0) : slot_find_key(q, KEY_NAME, s->name, 0);
}

bool slot_name_is_full(const Slots *q, const Slot *s)
{
    const SlotKey *k = &q->keys[slot_find_name_key(q, s)];
    return k->most && k->count >= k->most;
}

int64_t slot_pace_ms(const Slots *q, const Slot *s, int64_t mono_ms)
{
    const SlotKey *k = &q->keys[s->limit ? slot_find_name_key(q, s) : 0];
    return k->rate ? rate_wait_ms(k->rate, mono_ms) : 0;
}

/* ---- demands ---------------------------------------------------------------------------------------- */

static uint64_t hash_of_demand(const SlotDemand *d)
{
    uint64_t what = ((uint64_t)d->on << 2) | ((uint64_t)d->alone << 1) | d->upload;
    what ^= numbered_mix(((uint64_t)d->apart << 32) ^ d->awake);
    return numbered_mix(numbered_mix(((uint64_t)d->job << 32) ^ d->host) ^ ((uint64_t)d->replicas << 8) ^
                        what);
}

static uint64_t hash_demand(const void *owner, uint32_t n)
{
    return hash_of_demand(&((const Slots *)owner)->demands[n]);
}

static bool is_demand(const void *owner, uint32_t n, const void *wanted)
{
    const SlotDemand *d = &((const Slots *)owner)->demands[n], *w = wanted;
    return d->upload == w->upload && d->on == w->on && d->job == w->job && d->host == w->host &&
           d->replicas == w->replicas && d->apart == w->apart && d->awake == w->awake && d->alone == w->alone;
}

uint32_t slot_demand(Slots *q, const SlotDemand *wanted)
{
    uint32_t n = numbered_find(&q->by_demand, q, hash_of_demand(wanted), wanted);
    if (!n) {
        n = new_number((void **)&q->demands, sizeof *q->demands, &q->n_demands, &q->free_demands,
                       &q->demands[q->free_demands].uses);
        q->demands[n] = *wanted;
        q->demands[n].in_use = true;
        symbols_keep(q->texts, wanted->job);
        symbols_keep(q->texts, wanted->host);
        numbered_add(&q->by_demand, q, n);
    }
    q->demands[n].uses++;
    return n;
}

void slot_demand_drop(Slots *q, uint32_t demand)
{
    SlotDemand *d = &q->demands[demand];
    if (!demand || --d->uses)
        return;
    numbered_remove(&q->by_demand, q, demand);
    symbols_drop(q->texts, d->job);
    symbols_drop(q->texts, d->host);
    free(d->ready.v);
    free(d->why);
    *d = (SlotDemand){.uses = q->free_demands};
    q->free_demands = demand;
}

/* ---- ids -------------------------------------------------------------------------------------------- */

static uint64_t hash_slot(const void *owner, uint32_t n)
{
    return numbered_mix((uint64_t)slot_at(owner, n)->id);
}

static bool is_slot(const void *owner, uint32_t n, const void *wanted)
{
    return slot_at(owner, n)->id == *(const int64_t *)wanted;
}

uint32_t slot_index(const Slots *q, int64_t id)
{
    return numbered_find(&q->by_id, q, numbered_mix((uint64_t)id), &id);
}

uint32_t slot_new(Slots *q, int64_t id)
{
    uint32_t i = new_number((void **)&q->slots, sizeof *q->slots, &q->n_slots, &q->free_slots,
                            &q->slots[q->free_slots].pos);
    q->slots[i] = (Slot){.id = id, .in_use = true};
    q->count[SLOT_NOWHERE]++;
    numbered_add(&q->by_id, q, i);
    return i;
}

void slot_free(Slots *q, uint32_t i)
{
    Slot *s = slot_at(q, i);
    q->count[s->place]--;
    q->turns_failed -= s->turn_failed;
    numbered_remove(&q->by_id, q, i);
    slot_demand_drop(q, s->demand);
    symbols_drop(q->texts, s->name);
    symbols_drop(q->texts, s->window);
    zone_free(s->zone);
    symbols_drop(q->texts, s->limit);
    symbols_drop(q->texts, s->lane);
    symbols_drop(q->texts, s->broken);
    symbols_drop(q->texts, s->held);
    bool woken = s->woken; /* its number stands in the ring: it is given back there */
    *s = (Slot){.woken = woken};
    if (!woken)
        slot_give_back(q, i);
}

void slot_give_back(Slots *q, uint32_t i)
{
    *slot_at(q, i) = (Slot){.pos = q->free_slots};
    q->free_slots = i;
}

void slot_rename(Slots *q, uint32_t i, int64_t to)
{
    numbered_remove(&q->by_id, q, i);
    slot_at(q, i)->id = to;
    numbered_add(&q->by_id, q, i);
}

Slots *slots_new(void)
{
    Slots *q = NEW(Slots);
    q->slots = NEW(Slot);
    q->keys = NEW(SlotKey);
    q->demands = NEW(SlotDemand);
    q->n_slots = q->n_keys = q->n_demands = 1;
    q->by_id = (Numbered){.hash = hash_slot, .is = is_slot};
    q->by_key = (Numbered){.hash = hash_key, .is = is_key};
    q->by_demand = (Numbered){.hash = hash_demand, .is = is_demand};
    q->texts = symbols_new();
    return q;
}

void slots_free(Slots *q)
{
    if (!q)
        return;
    for (uint32_t i = 1; i < q->n_slots; i++)
        zone_free(q->slots[i].zone);
    for (uint32_t i = 1; i < q->n_keys; i++) {
        free(q->keys[i].waiters.v);
        rate_free(q->keys[i].rate);
    }
    for (uint32_t i = 1; i < q->n_demands; i++) {
        free(q->demands[i].ready.v);
        free(q->demands[i].why);
    }
    free(q->slots);
    free(q->keys);
    free(q->demands);
    free(q->timers.v);
    free(q->active.v);
    free(q->failed.v);
    free(q->manual);
    free(q->woken);
    numbered_done(&q->by_id);
    numbered_done(&q->by_key);
    numbered_done(&q->by_demand);
    symbols_free(q->texts);
    free(q);
}
