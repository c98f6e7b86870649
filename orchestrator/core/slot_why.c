/* SPDX-License-Identifier: Apache-2.0
 * Why a task waits, from its place; and what failures hold.
 */
#include <inttypes.h>

#include "common/base/clock.h"
#include "coord_run.h"
#include "slots_impl.h"

static const Slot *first_of(const Slots *q, const SlotKey *k)
{
    return k->waiters.n ? slot_at(q, k->waiters.v[0]) : NULL;
}

static char *why_timer(const Slots *q, const Slot *s, const SlotTime *now)
{
    char text[CLOCK_TEXT];
    if (s->held)
        return xstrdup(symbols_text(q->texts, s->held));
    if (s->paced) {
        clock_format_duration(s->due_ms > now->mono_ms ? s->due_ms - now->mono_ms : 0, text);
        return xasprintf("its concurrency key \"%s\" has had its starts (queue.keys), the next may be in %s",
                         symbols_text(q->texts, s->limit), text);
    }
    int64_t window =
        s->place == SLOT_ACTIVE || s->at_once || s->run_at <= now->wall_ms ? slot_window_ms(q, s, now) : 0;
    if (window) {
        clock_format_duration(window, text);
        return xasprintf("its window \"%s\" opens in %s", symbols_text(q->texts, s->window), text);
    }
    clock_format(s->run_at, text);
    return xasprintf("it is due at %s", text);
}

static char *why_sequence(const Slots *q, const Slot *s, const SlotKey *k)
{
    const Slot *first = first_of(q, k);
    if (first && first->place == SLOT_FAILED) {
        char since[CLOCK_TEXT];
        clock_format(first->due_ms, since);
        return xasprintf("task %" PRId64 ", earlier in sequence %" PRId64
                         ", failed at %s: retry, acknowledge or delete it",
                         first->id, s->sequence_id, since);
    }
    return xasprintf("task %" PRId64 ", earlier in sequence %" PRId64 ", is not ended", first ? first->id : 0,
                     s->sequence_id);
}

static char *why_uploads(const Slots *q, const SlotKey *k)
{
    const Slot *first = first_of(q, k);
    return xasprintf("uploads run in the order of their creation, and upload %" PRId64 " %s",
                     first ? first->id : 0,
                     first && first->place == SLOT_ACTIVE ? "is under way" : "is before it");
}

static const Slot *active_of(const Slots *q, const Slot *like)
{
    uint32_t key = slot_find_name_key(q, like);
    for (size_t i = 0; key && i < q->active.n; i++) {
        const Slot *s = slot_at(q, q->active.v[i]);
        if (!s->upload && slot_find_name_key(q, s) == key)
            return s;
    }
    return NULL;
}

static char *why_limit(const Slots *q, const Slot *s)
{
    const Slot *active = active_of(q, s);
    const SlotKey *k = &q->keys[slot_find_name_key(q, s)];
    const char *text = symbols_text(q->texts, s->limit);
    if (k->most == 1)
        return xasprintf("task %" PRId64 " of the same concurrency key \"%s\" is under way",
                         active ? active->id : 0, text);
    return xasprintf("%u tasks of its concurrency key \"%s\" are under way, as many as may be (queue.keys)",
                     k->count, text);
}

static char *why_name(const Slots *q, const Slot *s)
{
    const Slot *active = active_of(q, s);
    if (s->limit)
        return why_limit(q, s);
    return xasprintf("task %" PRId64 " of the same name \"%s\" is under way", active ? active->id : 0,
                     symbols_text(q->texts, s->name));
}

static char *why_turn(const Slots *q, const Slot *s, const SlotKey *k)
{
    size_t before = 1;
    if (slot_name_is_full(q, s))
        return why_name(q, s);
    for (size_t i = 0; i < k->waiters.n; i++)
        before += slot_before(slot_at(q, k->waiters.v[i]), s);
    return xasprintf("%zu tasks of the same %s \"%s\" are before it, the first is task %" PRId64, before,
                     s->limit ? "concurrency key" : "name",
                     symbols_text(q->texts, s->limit ? s->limit : s->name),
                     k->holder ? slot_at(q, k->holder)->id : 0);
}

static char *why_parent(const Slot *s, const SlotKey *k)
{
    if (k->flagged)
        return xasprintf("the results of run %" PRId64 ".%u on its replicas are brought together first",
                         s->parent_task, s->parent_no);
    return xasprintf("run %" PRId64 ".%u is %s: its replica first catches up", s->parent_task, s->parent_no,
                     k->note ? coord_run_state_name((CoordRunState)k->note) : "not known yet");
}

static const Slot *failure_of(const Slots *q, uint32_t lane)
{
    for (size_t k = 0; k < q->failed.n; k++) {
        const Slot *o = slot_at(q, q->failed.v[k]);
        if (o->holds == SLOT_HOLDS_LANE && slot_lane(q, o) == lane)
            return o;
    }
    return NULL;
}

static char *why_lane(const Slots *q, const Slot *s)
{
    const Slot *o = failure_of(q, s->key);
    char since[CLOCK_TEXT];
    if (!o)
        return xstrdup(symbols_text(q->texts, q->keys[s->key].text));
    clock_format(o->due_ms, since);
    AUTOFREE char *at = o->due_ms ? xasprintf(" at %s", since) : xstrdup("");
    if (s->upload)
        return xasprintf("upload %" PRId64 " into \"%s\" failed%s and holds what is to be loaded there after "
                         "it: retry, acknowledge or delete it",
                         o->id, symbols_text(q->texts, s->lane), at);
    return xasprintf("task %" PRId64 " of the same name \"%s\" failed%s and holds those after it: retry, "
                     "acknowledge or delete it",
                     o->id, symbols_text(q->texts, s->name), at);
}

static char *why_job(const Slots *q, const Slot *s)
{
    return xasprintf("no agent that is reached now knows a job \"%s\"",
                     symbols_text(q->texts, q->demands[s->demand].job));
}

static char *why_blocked(const Slots *q, const Slot *s)
{
    const SlotKey *k = &q->keys[s->key];
    switch (k->kind) {
    case KEY_SEQUENCE:
        return why_sequence(q, s, k);
    case KEY_UPLOADS:
        return why_uploads(q, k);
    case KEY_TURN:
        return why_turn(q, s, k);
    case KEY_NAME:
    case KEY_LIMIT:
        return why_name(q, s);
    case KEY_JOB:
        return why_job(q, s);
    case KEY_PARENT:
        return why_parent(s, k);
    case KEY_LANE:
        return why_lane(q, s);
    case KEY_HAND:
        return xasprintf("its priority %d is below %d: it starts only by hand (siding task run %" PRId64 ")",
                         (int)s->priority, SLOT_LEAST_PRIORITY, s->id);
    default:
        return xstrdup(symbols_text(q->texts, s->broken));
    }
}

static char *why_ready(const Slots *q, const Slot *s)
{
    const SlotDemand *d = &q->demands[s->demand];
    size_t before = 0;
    if (q->manual && !s->by_hand)
        return xasprintf("%s; siding task run %" PRId64 " starts it by hand", q->manual, s->id);
    for (size_t i = 0; i < d->ready.n; i++)
        before += slot_before(slot_at(q, d->ready.v[i]), s);
    if (!before)
        return xstrdup(d->why ? d->why : "it starts now");
    return xasprintf("%zu task%s before it, the first is task %" PRId64 "%s%s", before,
                     before == 1 ? " that needs the same is" : "s that need the same are",
                     slot_at(q, d->ready.v[0])->id, d->why ? ": " : "", d->why ? d->why : "");
}

char *slots_why(const Slots *q, int64_t id, const SlotTime *now)
{
    uint32_t i = slot_index(q, id);
    const Slot *s = slot_at(q, i);
    if (!i)
        return NULL;
    switch (s->place) {
    case SLOT_TIMER:
        return why_timer(q, s, now);
    case SLOT_BLOCKED:
        return why_blocked(q, s);
    case SLOT_READY:
        return why_ready(q, s);
    case SLOT_ACTIVE:
        if (s->phase == SLOT_SLEEPS && s->for_others && s->window_end && slot_window_ms(q, s, now))
            return why_timer(q, s, now);
        return s->phase == SLOT_SLEEPS && s->for_others
                   ? xstrdup(
                         "it sleeps for tasks of a higher priority and is woken once the primary has a slot "
                         "(primary_slots)")
                   : NULL;
    case SLOT_NOWHERE:
        return xstrdup("it is looked at");
    default:
        return NULL;
    }
}

/* ---- failures --------------------------------------------------------------------------------------- */

static size_t held_by(const Slots *q, const Slot *s)
{
    uint32_t key = s->holds == SLOT_HOLDS_LANE       ? slot_lane(q, s)
                   : s->holds == SLOT_HOLDS_SEQUENCE ? slot_find_key(q, KEY_SEQUENCE, s->sequence_id, 0)
                                                     : 0;
    size_t n = key ? q->keys[key].waiters.n : 0, failed = s->holds == SLOT_HOLDS_SEQUENCE ? 1 : 0;
    return n > failed ? n - failed : 0;
}

static int older_first(const void *a, const void *b)
{
    const SlotFailure *x = a, *y = b;
    if (x->since != y->since)
        return x->since < y->since ? -1 : 1;
    return (x->id > y->id) - (x->id < y->id);
}

/* The first of a heap's array are not all the least, but the least is among them. */
size_t slots_failures(const Slots *q, SlotFailure *ret, size_t most)
{
    size_t n = q->failed.n < most ? q->failed.n : most;
    for (size_t k = 0; k < n; k++) {
        const Slot *s = slot_at(q, q->failed.v[k]);
        ret[k] = (SlotFailure){s->id, s->due_ms, symbols_text(q->texts, s->name), held_by(q, s)};
    }
    if (n)
        qsort(ret, n, sizeof *ret, older_first);
    return n;
}

/* A walk through all of them: only where there is one, which is rare. */
size_t slots_turns_failed(const Slots *q, SlotFailure *ret, size_t most)
{
    size_t told = 0;
    for (uint32_t i = 1; told < most && told < q->turns_failed && i < q->n_slots; i++) {
        const Slot *s = slot_at(q, i);
        if (s->in_use && s->turn_failed)
            ret[told++] = (SlotFailure){.id = s->id, .name = symbols_text(q->texts, s->name)};
    }
    return q->turns_failed;
}
