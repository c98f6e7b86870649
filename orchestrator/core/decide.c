/* SPDX-License-Identifier: Apache-2.0 */
#include "decide.h"

#include <inttypes.h>
#include <string.h>

#include "slots_impl.h"

typedef struct DecideTurn {
    Slots *q;
    const DecideInput *in;
    ChooseNode *nodes; /* what this turn has given away included */
    QueueDecisions *out;
    bool reserved;   /* some head waits for what is kept for it */
    int64_t alone;   /* a task that runs alone, and waits for the end of others; 0: none */
    size_t promised; /* slots of the primary that become free, and have a head that waits for them */
} DecideTurn;

static QueueDecision *add(DecideTurn *t, DecisionKind kind, int64_t id)
{
    QueueDecisions *d = t->out;
    if ((d->n & (d->n - 1)) == 0)
        d->v = xrealloc(d->v, (d->n ? d->n * 2 : 1) * sizeof *d->v);
    QueueDecision *v = &d->v[d->n++];
    *v = (QueueDecision){.kind = kind, .id = id};
    return v;
}

/* The first of the ready heads that this turn has not refused; 0: none. */
static uint32_t next_head(const DecideTurn *t)
{
    uint32_t best = 0;
    for (uint32_t k = 1; k < t->q->n_demands; k++) {
        const SlotDemand *d = &t->q->demands[k];
        if (!d->in_use || d->stuck || !d->ready.n)
            continue;
        uint32_t head = d->ready.v[0];
        if (t->q->manual && !slot_at(t->q, head)->by_hand)
            continue;
        if (!best || slot_before(slot_at(t->q, head), slot_at(t->q, best)))
            best = head;
    }
    return best;
}

static bool is_first_in_order(const DecideTurn *t, const Slot *s, uint32_t i)
{
    uint32_t key = slot_find_key(t->q, s->upload ? KEY_UPLOADS : KEY_SEQUENCE, s->sequence_id, 0);
    return !s->member || !key || t->q->keys[key].waiters.v[0] == i;
}

static bool has_its_name(const DecideTurn *t, const Slot *s, uint32_t i)
{
    uint32_t turn = slot_turn(t->q, s);
    return !slot_name_is_full(t->q, s) && !slot_pace_ms(t->q, s, t->in->now.mono_ms) && turn &&
           t->q->keys[turn].holder == i;
}

/* Since it was looked at last its window may have shut, or another may have come before it. */
static bool still_may(const DecideTurn *t, uint32_t i)
{
    const Slot *s = slot_at(t->q, i);
    return is_first_in_order(t, s, i) && (s->upload || has_its_name(t, s, i)) &&
           !slot_lane_is_held(t->q, s) && !slot_window_ms(t->q, s, &t->in->now);
}

static void stick(SlotDemand *d, char *why)
{
    free(d->why);
    d->why = why;
    d->stuck = true;
}

static int64_t awake_on_primary(const DecideTurn *t)
{
    return (int64_t)(t->q->active_primary - t->q->asleep_primary);
}

static char *primary_is_full(const DecideTurn *t, const SlotDemand *d)
{
    if (d->upload && t->q->active_uploads)
        return xstrdup("another upload is under way");
    if (d->upload || d->on != ROLE_PRIMARY || awake_on_primary(t) < t->in->primary_slots)
        return NULL;
    for (size_t k = 0; t->in->primary_slots == 1 && k < t->q->active.n; k++) {
        const Slot *s = slot_at(t->q, t->q->active.v[k]);
        if (slot_on_primary(t->q, s) && s->phase != SLOT_SLEEPS)
            return xasprintf("task %" PRId64 " is under way on the primary", s->id);
    }
    return xasprintf("%zu tasks are under way on the primary, as many as it may have (primary_slots)",
                     (size_t)awake_on_primary(t));
}

static bool find_nodes(const DecideTurn *t, const SlotDemand *d, const ChooseNode *nodes, StrList *ret,
                       Err *err)
{
    ChooseWish wish = {symbols_text(t->q->texts, d->job), symbols_text(t->q->texts, d->host), d->replicas};
    if (d->on == ROLE_PRIMARY)
        return choose_primary(nodes, t->in->n_nodes, &wish, &t->in->rules, ret, err);
    return choose_replicas(nodes, t->in->n_nodes, &wish, &t->in->rules, ret, err);
}

/* Those that are free now and that a wide task will need are kept for it: only where it is what runs that it
 * waits for. */
static void reserve(DecideTurn *t, const SlotDemand *d, int64_t id)
{
    if (t->reserved || d->on == ROLE_PRIMARY || d->replicas < 2)
        return;
    ChooseWish wish = {symbols_text(t->q->texts, d->job), symbols_text(t->q->texts, d->host), d->replicas};
    t->reserved = choose_keep(t->nodes, t->in->n_nodes, &wish, &t->in->rules, id);
}

static void start(DecideTurn *t, uint32_t i, StrList *nodes)
{
    const Slot *s = slot_at(t->q, i);
    bool replicas = t->q->demands[s->demand].on != ROLE_PRIMARY;
    for (size_t k = 0; replicas && k < t->in->n_nodes; k++)
        if (strlist_has(nodes, t->nodes[k].node->name))
            t->nodes[k].taken_by = "another task that starts now";
    add(t, DECIDE_START, s->id)->nodes = *nodes;
    *nodes = (StrList)STRLIST_INIT;
    Rate *rate = t->q->keys[s->limit ? slot_find_name_key(t->q, s) : 0].rate;
    if (rate)
        rate_note(rate, t->in->now.mono_ms);
    slot_activate(t->q, i);
}

/* ---- room for a higher priority --------------------------------------------------------------------- */

static const SlotDemand *demand_of(const DecideTurn *t, const Slot *s)
{
    return &t->q->demands[s->demand];
}

/* The first that is under way and beside which one with this demand may not start; 0: none. */
static uint32_t conflicting(const DecideTurn *t, const SlotDemand *d)
{
    for (size_t k = 0; k < t->q->active.n; k++) {
        uint32_t i = t->q->active.v[k];
        const Slot *s = slot_at(t->q, i);
        const SlotDemand *other = demand_of(t, s);
        bool both_awake = s->phase != SLOT_SLEEPS && (d->awake & other->awake);
        if (d->alone || other->alone || (d->apart & other->apart) || both_awake)
            return i;
    }
    return 0;
}

static bool may_be_awake(const DecideTurn *t, const Slot *sleeper)
{
    for (size_t k = 0; demand_of(t, sleeper)->awake && k < t->q->active.n; k++) {
        const Slot *s = slot_at(t->q, t->q->active.v[k]);
        if (s != sleeper && s->phase != SLOT_SLEEPS &&
            (demand_of(t, s)->awake & demand_of(t, sleeper)->awake))
            return false;
    }
    return true;
}

/* What sleeps for others is woken before those of its priority start. */
static uint32_t first_sleeper(const DecideTurn *t)
{
    uint32_t best = 0;
    for (size_t k = 0; t->q->asleep_primary && k < t->q->active.n; k++) {
        uint32_t i = t->q->active.v[k];
        const Slot *s = slot_at(t->q, i);
        bool waits = slot_on_primary(t->q, s) && s->phase == SLOT_SLEEPS && s->for_others &&
                     may_be_awake(t, s) && !(s->window_end && slot_window_ms(t->q, s, &t->in->now));
        if (waits && (!best || slot_before(s, slot_at(t->q, best))))
            best = i;
    }
    return best;
}

static void wake(DecideTurn *t, uint32_t i)
{
    add(t, DECIDE_WAKE, slot_at(t->q, i)->id);
    slot_set_phase(t->q, i, SLOT_BUSY);
}

/* Slots that are about to be free. */
static size_t leaving_primary(const DecideTurn *t)
{
    size_t n = 0;
    for (size_t k = 0; k < t->q->active.n; k++) {
        const Slot *s = slot_at(t->q, t->q->active.v[k]);
        n += slot_on_primary(t->q, s) && (s->phase == SLOT_DOZES || s->phase == SLOT_STOPS);
    }
    return n;
}

/* The last in order of those below it that may be asked. */
static uint32_t primary_victim(const DecideTurn *t, const Slot *head)
{
    uint32_t worst = 0;
    for (size_t k = 0; k < t->q->active.n; k++) {
        uint32_t i = t->q->active.v[k];
        const Slot *s = slot_at(t->q, i);
        bool may = slot_on_primary(t->q, s) && s->phase == SLOT_WORKS && s->preempt != PREEMPT_NEVER &&
                   s->priority < head->priority;
        if (may && (!worst || slot_before(slot_at(t->q, worst), s)))
            worst = i;
    }
    return worst;
}

/* Asks one to make room. `ret`: what the head waits for now. */
static char *preempt(DecideTurn *t, uint32_t victim)
{
    const Slot *s = slot_at(t->q, victim);
    bool requeue = s->preempt == PREEMPT_REQUEUE;
    add(t, requeue ? DECIDE_REQUEUE : DECIDE_SLEEP, s->id);
    slot_set_phase(t->q, victim, requeue ? SLOT_STOPS : SLOT_DOZES);
    return xasprintf(requeue ? "task %" PRId64 " (priority %d) is stopped for it, and waits again"
                             : "task %" PRId64 " (priority %d) is put to sleep for it",
                     s->id, (int)s->priority);
}

/* NULL: there is nobody to make room. */
static char *room_on_primary(DecideTurn *t, const Slot *head)
{
    if (leaving_primary(t) > t->promised) {
        t->promised++;
        return xstrdup("a task of a lower priority makes room for it on the primary");
    }
    uint32_t victim = primary_victim(t, head);
    if (!victim)
        return NULL;
    t->promised++;
    return preempt(t, victim);
}

/* One whose replica the head could have. */
static uint32_t replica_victim(const DecideTurn *t, const Slot *head, ChooseNode *node)
{
    int64_t task, no;
    if (!node->taken_by || !wire_run_id(node->taken_by, &task, &no))
        return 0;
    uint32_t i = slot_index(t->q, task);
    const Slot *s = slot_at(t->q, i);
    bool may = i && s->place == SLOT_ACTIVE && !s->upload && s->preempt == PREEMPT_REQUEUE &&
               s->priority < head->priority && (s->phase == SLOT_WORKS || s->phase == SLOT_STOPS);
    return may ? i : 0;
}

/* A replica that is about to be free for the head, or is made so. */
static char *room_on_replica(DecideTurn *t, const Slot *head, const SlotDemand *d)
{
    ChooseNode *best = NULL;
    uint32_t victim = 0;
    ChooseWish wish = {symbols_text(t->q->texts, d->job), symbols_text(t->q->texts, d->host), d->replicas};
    for (size_t k = 0; d->replicas == 1 && k < t->in->n_nodes; k++) {
        uint32_t i = replica_victim(t, head, &t->nodes[k]);
        if (!i || t->nodes[k].kept_for ||
            !choose_comes_back(t->nodes, t->in->n_nodes, k, &wish, &t->in->rules))
            continue;
        bool stops = slot_at(t->q, i)->phase == SLOT_STOPS;
        if (!victim || stops || slot_before(slot_at(t->q, victim), slot_at(t->q, i))) {
            victim = i;
            best = &t->nodes[k];
        }
        if (stops)
            break;
    }
    if (!victim)
        return NULL;
    best->kept_for = head->id;
    if (slot_at(t->q, victim)->phase == SLOT_STOPS)
        return xasprintf("task %" PRId64 " is being stopped for it", slot_at(t->q, victim)->id);
    return preempt(t, victim);
}

static bool one_is_stopping(const DecideTurn *t, uint32_t name_key)
{
    for (size_t k = 0; k < t->q->active.n; k++) {
        const Slot *s = slot_at(t->q, t->q->active.v[k]);
        if (!s->upload && s->phase == SLOT_STOPS && slot_find_name_key(t->q, s) == name_key)
            return true;
    }
    return false;
}

/* One above SLOT_STOPS_OTHERS does not wait for the end of what bears its name. */
static void stop_conflicts(DecideTurn *t)
{
    for (size_t k = 0; k < t->q->active.n && t->out->n < t->in->most; k++) {
        uint32_t i = t->q->active.v[k];
        const Slot *s = slot_at(t->q, i);
        uint32_t key = s->upload ? 0 : slot_find_name_key(t->q, s);
        const SlotHeap *h = &t->q->keys[key].waiters;
        const Slot *first = h->n ? slot_at(t->q, h->v[0]) : NULL;
        bool may = key && (s->phase == SLOT_WORKS || s->phase == SLOT_SLEEPS) && s->preempt != PREEMPT_NEVER;
        if (!may || !first || one_is_stopping(t, key) || first->priority <= SLOT_STOPS_OTHERS ||
            first->priority <= s->priority || (t->q->manual && !first->by_hand))
            continue;
        add(t, DECIDE_REQUEUE, s->id);
        slot_set_phase(t->q, i, SLOT_STOPS);
    }
}

/* ---- what may not run beside what ------------------------------------------------------------------- */

static bool may_be_stopped(const Slot *s, const Slot *head)
{
    return !s->upload && (s->phase == SLOT_WORKS || s->phase == SLOT_SLEEPS) && s->preempt != PREEMPT_NEVER &&
           head->priority > SLOT_STOPS_OTHERS && s->priority < head->priority;
}

static char *why_not_beside(const DecideTurn *t, const SlotDemand *d, const Slot *s)
{
    const SlotDemand *other = demand_of(t, s);
    const char *what = s->upload ? "upload" : "task", *name = symbols_text(t->q->texts, s->name);
    if (d->alone)
        return xasprintf("it runs alone, and %s %" PRId64 " (\"%s\") is under way", what, s->id, name);
    if (other->alone)
        return xasprintf("task %" PRId64 " (\"%s\"), which runs alone, is under way", s->id, name);
    if (d->apart & other->apart)
        return xasprintf("task %" PRId64 " (\"%s\") of the same group is under way", s->id, name);
    return xasprintf("task %" PRId64 " (\"%s\") of the same group is awake", s->id, name);
}

/* NULL: nothing is in its way. */
static char *conflict(DecideTurn *t, const Slot *head, const SlotDemand *d)
{
    uint32_t i = conflicting(t, d);
    const Slot *s = slot_at(t->q, i);
    if (!i && t->alone && !d->upload)
        return xasprintf("task %" PRId64 ", which runs alone, waits for the end of what runs", t->alone);
    if (!i)
        return NULL;
    if (d->alone)
        t->alone = head->id;
    const SlotDemand *other = demand_of(t, s);
    bool apart = d->alone || other->alone || (d->apart & other->apart);
    bool sleeps = !apart && slot_on_primary(t->q, s) && s->phase == SLOT_WORKS &&
                  s->preempt != PREEMPT_NEVER && s->priority < head->priority;
    if (sleeps)
        return preempt(t, i);
    char *why = why_not_beside(t, d, s);
    if (may_be_stopped(s, head)) {
        add(t, DECIDE_REQUEUE, s->id);
        slot_set_phase(t->q, i, SLOT_STOPS);
    }
    return why;
}

static char *all_slots_are_taken(const DecideTurn *t, const SlotDemand *d)
{
    int64_t n = (int64_t)(t->q->active.n - t->q->active_uploads - t->q->asleep_primary);
    if (d->upload || !t->in->slots || n < t->in->slots)
        return NULL;
    return xasprintf("%" PRId64 " tasks are under way, as many as may be (queue.slots)", n);
}

/* A window has shut over what runs in it: it goes on at the next opening, where it says so. */
static void end_windows(DecideTurn *t)
{
    for (size_t k = 0; k < t->q->active.n && t->out->n < t->in->most; k++) {
        uint32_t i = t->q->active.v[k];
        const Slot *s = slot_at(t->q, i);
        bool sleeps = s->window_end == WINDOW_END_SLEEP && slot_on_primary(t->q, s);
        if (s->phase != SLOT_WORKS || (!sleeps && s->window_end != WINDOW_END_STOP) ||
            !slot_window_ms(t->q, s, &t->in->now))
            continue;
        add(t, sleeps ? DECIDE_SLEEP : DECIDE_REQUEUE, s->id);
        slot_set_phase(t->q, i, sleeps ? SLOT_DOZES : SLOT_STOPS);
    }
}

/* ---- the heads -------------------------------------------------------------------------------------- */

static void cannot_start(DecideTurn *t, uint32_t i, char *full, const char *no_node)
{
    SlotDemand *d = &t->q->demands[slot_at(t->q, i)->demand];
    const Slot *s = slot_at(t->q, i);
    char *room = s->upload  ? NULL
                 : !full    ? room_on_replica(t, s, d)
                 : !no_node ? room_on_primary(t, s)
                            : NULL;
    if (!room)
        reserve(t, d, s->id);
    stick(d, room ? room : full ? xstrdup(full) : xstrdup(no_node));
}

static void consider(DecideTurn *t, uint32_t i)
{
    Err err = {0};
    AUTO(strlist_done) StrList nodes = STRLIST_INIT;
    uint32_t demand = slot_at(t->q, i)->demand;
    SlotDemand *d = &t->q->demands[demand];
    if (!still_may(t, i)) {
        slot_look(t->q, i, &t->in->now);
        return;
    }
    char *beside = conflict(t, slot_at(t->q, i), d);
    if (!beside)
        beside = all_slots_are_taken(t, d);
    if (beside) {
        stick(d, beside);
        return;
    }
    AUTOFREE char *full = primary_is_full(t, d);
    bool found = find_nodes(t, d, t->nodes, &nodes, &err);
    uint32_t sleeper = !full && slot_on_primary(t->q, slot_at(t->q, i)) ? first_sleeper(t) : 0;
    if (sleeper && slot_at(t->q, sleeper)->priority >= slot_at(t->q, i)->priority)
        wake(t, sleeper);
    else if (full || !found)
        cannot_start(t, i, full, found ? NULL : err.text);
    else
        start(t, i, &nodes);
}

/* Uploads that wait for a run which has ended without them. */
static void stop_uploads(DecideTurn *t)
{
    uint32_t key = slot_find_key(t->q, KEY_UPLOADS, 0, 0);
    for (size_t k = 0; key && k < t->q->keys[key].waiters.n; k++) {
        const Slot *s = slot_at(t->q, t->q->keys[key].waiters.v[k]);
        uint32_t parent = slot_find_key(t->q, KEY_PARENT, s->parent_task, s->parent_no);
        CoordRunState state = parent ? (CoordRunState)t->q->keys[parent].note : CRUN_WAITING;
        if (s->place < SLOT_ACTIVE && coord_run_is_final(state) && state != CRUN_DONE)
            add(t, DECIDE_STOP, s->id);
    }
}

void decide(Slots *q, const DecideInput *in, QueueDecisions *ret)
{
    AUTOFREE ChooseNode *nodes = xcalloc(in->n_nodes + 1, sizeof *nodes);
    if (in->n_nodes)
        memcpy(nodes, in->nodes, in->n_nodes * sizeof *nodes);
    DecideTurn t = {.q = q, .in = in, .nodes = nodes, .out = ret};
    for (uint32_t k = 1; k < q->n_demands; k++)
        q->demands[k].stuck = false;
    if (in->hold)
        return;
    stop_uploads(&t);
    stop_conflicts(&t);
    end_windows(&t);
    for (uint32_t head; ret->n < in->most && (head = next_head(&t));)
        consider(&t, head);
    while (ret->n < in->most && awake_on_primary(&t) < in->primary_slots && first_sleeper(&t))
        wake(&t, first_sleeper(&t));
    ret->more = ret->n >= in->most || (ret->n && q->woken_n);
}

void decisions_done(QueueDecisions *d)
{
    for (size_t i = 0; i < d->n; i++)
        strlist_done(&d->v[i].nodes);
    free(d->v);
    *d = (QueueDecisions){0};
}

int64_t decide_next_run_at(int64_t old_run_at, int64_t now_ms, int64_t sleeptime_ms, bool fixed_time)
{
    if (!fixed_time || old_run_at <= 0)
        return now_ms + sleeptime_ms;
    if (old_run_at > now_ms)
        return old_run_at;
    return old_run_at + ((now_ms - old_run_at) / sleeptime_ms + 1) * sleeptime_ms;
}
