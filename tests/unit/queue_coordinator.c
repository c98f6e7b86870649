/* SPDX-License-Identifier: Apache-2.0 */
#include "queue_world.h"

static const char *const names[] = {"a", "b", "c", "d", "e", "f", "g", "h"};

static SlotTask slot_of(const Row *r)
{
    static char lanes[2][2] = {"x", "y"};
    return (SlotTask){.id = r->id,
                      .priority = r->priority,
                      .replicas = 1,
                      .run_at = r->run_at,
                      .submitted_at = r->submitted_at,
                      .sequence_id = r->sequence,
                      .by_hand = r->by_hand,
                      .preempt = (Preempt)r->preempt,
                      .apart = queue_apart(r),
                      .awake = queue_awake(r),
                      .alone = queue_is_alone(r),
                      .failed_at = r->run_at,
                      .holds = r->upload             ? SLOT_HOLDS_LANE
                               : r->sequence         ? SLOT_HOLDS_SEQUENCE
                               : queue_holds_lane(r) ? SLOT_HOLDS_LANE
                                                     : SLOT_HOLDS_NOTHING,
                      .kind = r->upload ? KIND_UPLOAD : KIND_COMMAND,
                      .on = r->upload || !r->replica ? ROLE_PRIMARY : ROLE_REPLICA,
                      .name = names[r->name],
                      .job = "job",
                      .lane = lanes[r->lane == 'y'],
                      .parent_task = r->upload ? r->parent : 0,
                      .parent_no = r->upload};
}

void queue_see_row(QueueWorld *w, Row *r)
{
    SlotTask t = slot_of(r);
    SlotTime now = queue_now(w);
    if (r->state == ROW_WAITING)
        slots_put(w->q, &t, &now);
    else if (r->state == ROW_RUNNING)
        slots_start(w->q, &t, &now);
    else if (r->state == ROW_ERROR)
        slots_fail(w->q, &t, &now);
    if (r->upload && r->state == ROW_WAITING)
        slots_parent(w->q, r->parent, 1, r->parent_done ? CRUN_UPLOADING : CRUN_RUNNING, false);
}

void queue_start_coordinator(QueueWorld *w)
{
    slots_free(w->q);
    w->q = slots_new();
    w->n_writes = w->n_active = 0;
    slots_job(w->q, "job", true, ROLE_REPLICA);
    slots_manual(w->q, w->manual ? "manual mode" : NULL);
    for (size_t i = 0; i < MOST; i++) {
        Row *r = &w->rows[i];
        if (r->state == ROW_NONE || !r->committed)
            continue;
        r->in_inbox = false;
        queue_see_row(w, r);
        if (r->state == ROW_RUNNING)
            w->active[w->n_active++] =
                (Active){.id = r->id,
                         .no = r->no,
                         .node = r->node,
                         .claimed = true,
                         .for_others = queue_taken(w, r->id, r->no) && queue_taken(w, r->id, r->no)->asleep,
                         .last_start = w->now + LAST_START_MS};
    }
}

Active *queue_active(QueueWorld *w, int64_t id)
{
    for (size_t i = 0; i < w->n_active; i++)
        if (w->active[i].id == id)
            return &w->active[i];
    return NULL;
}

static void drop_active(QueueWorld *w, int64_t id)
{
    Active *a = queue_active(w, id);
    if (a)
        *a = w->active[--w->n_active];
}

static void give_write(QueueWorld *w, Write x)
{
    if (w->n_writes < WRITES)
        w->writes[w->n_writes++] = x;
}

static void send_order(QueueWorld *w, const Active *a)
{
    if (w->n_orders < ORDERS)
        w->orders[w->n_orders++] =
            (Order){.id = a->id, .no = a->no, .node = a->node, .last_start = a->last_start};
}

static int node_number(const QueueWorld *w, const char *name)
{
    (void)w;
    return name[2] - '0';
}

/* What the coordinator knows of a run under way is what its agent tells it. */
static void tell_phases(QueueWorld *w)
{
    for (size_t i = 0; i < w->n_active; i++) {
        const Active *a = &w->active[i];
        const Taken *t = queue_taken(w, a->id, a->no);
        SlotPhase phase = !t || t->over || a->ending ? SLOT_BUSY
                          : a->stops                 ? SLOT_STOPS
                          : t->asleep                ? SLOT_SLEEPS
                                                     : SLOT_WORKS;
        slots_phase(w->q, a->id, phase, a->for_others);
    }
}

/* Asked of the agent, which does it at once. */
static void make_room(QueueWorld *w, const QueueDecision *d)
{
    Active *a = queue_active(w, d->id);
    Taken *t = a ? queue_taken(w, a->id, a->no) : NULL;
    const Row *r = queue_row(w, d->id);
    if (!t || t->over || (r && r->upload))
        fail_msg("task %d is asked for what it cannot do", (int)d->id);
    if (d->kind == DECIDE_REQUEUE) {
        a->stops = t->over = t->stopped = true;
        w->requeued++;
        return;
    }
    if (t->node != 0)
        fail_msg("task %d sleeps on a replica", (int)d->id);
    t->asleep = d->kind == DECIDE_SLEEP;
    a->for_others = t->asleep;
    w->slept += t->asleep;
    for (size_t i = 0; i < w->n_taken && !t->asleep; i++) {
        const Taken *o = &w->taken[i];
        const Row *other = queue_row(w, o->id);
        if (o != t && !o->over && !o->asleep && o->node == 0 && other && !other->upload)
            fail_msg("task %d is woken beside %d", (int)t->id, (int)o->id);
        if (o != t && !o->over && !o->asleep && r && other && (queue_awake(r) & queue_awake(other)))
            fail_msg("task %d is woken beside %d of its group", (int)t->id, (int)o->id);
    }
}

void queue_take_turn(QueueWorld *w)
{
    ChooseNode choose[NODES];
    QueueDecisions d = {0};
    char runs[NODES][32];
    for (int i = 0; i < NODES; i++) {
        choose[i] = (ChooseNode){&w->nodes[i], NULL, 0};
        for (size_t k = 0; k < w->n_active; k++)
            if (w->active[k].node == i && i > 0) {
                snprintf(runs[i], sizeof runs[i], "%lld.1", (long long)w->active[k].id);
                choose[i].taken_by = runs[i];
            }
    }
    SlotTime now = queue_now(w);
    DecideInput in = {choose, NODES, {"db0", 0, 60000, true}, 1, NULL, now, 1 + queue_draw(w, 4)};
    tell_phases(w);
    slots_advance(w->q, &now, 1 + queue_draw(w, 30));
    decide(w->q, &in, &d);
    for (size_t i = 0; i < d.n; i++) {
        if (d.v[i].kind != DECIDE_START) {
            make_room(w, &d.v[i]);
            continue;
        }
        const Row *r = queue_row(w, d.v[i].id);
        if (w->manual && r && !r->by_hand)
            fail_msg("task %d starts by itself in manual mode", (int)r->id);
        int node = node_number(w, d.v[i].nodes.v[0]);
        w->active[w->n_active++] = (Active){.id = d.v[i].id, .node = node};
        give_write(w, (Write){.kind = WRITE_CLAIM, .id = d.v[i].id, .node = node});
    }
    decisions_done(&d);
}

/* The claim is on record: the order goes out, with the last moment at which it may be begun. */
static void write_claim(QueueWorld *w, const Write *x)
{
    Row *r = queue_row(w, x->id);
    SlotTime now = queue_now(w);
    if (!r) {
        slots_end(w->q, x->id);
        drop_active(w, x->id);
    } else if (r->locked || r->state != ROW_WAITING) {
        drop_active(w, x->id);
        if (r->locked)
            slots_hold_back(w->q, x->id, 1000, "locked", &now);
        else
            queue_see_row(w, r);
    } else {
        Active *a = queue_active(w, x->id);
        queue_check_claim(w, r);
        r->state = ROW_RUNNING;
        r->attempts++;
        r->node = x->node;
        a->no = ++r->no;
        r->by_hand = false;
        a->claimed = true;
        a->last_start = w->now + LAST_START_MS;
        send_order(w, a);
    }
}

static void write_end(QueueWorld *w, const Write *x)
{
    Row *r = queue_row(w, x->id);
    drop_active(w, x->id);
    if (!r)
        return;
    bool again = x->stopped || (!x->well && r->attempts < 2 && !r->upload);
    r->attempts -= x->stopped;
    r->state = x->well ? ROW_DONE : again ? ROW_WAITING : ROW_ERROR;
    if (again)
        r->run_at = w->now + 2000;
    slots_end(w->q, r->id);
    queue_see_row(w, r);
}

void queue_write_one(QueueWorld *w)
{
    if (!w->n_writes)
        return;
    Write x = w->writes[0];
    memmove(w->writes, w->writes + 1, --w->n_writes * sizeof *w->writes);
    if (x.kind == WRITE_CLAIM)
        write_claim(w, &x);
    else
        write_end(w, &x);
}

void queue_poll_agent(QueueWorld *w, int node)
{
    for (size_t i = 0; i < w->n_active; i++) {
        Active *a = &w->active[i];
        const Taken *found = NULL;
        for (size_t k = 0; k < w->n_taken; k++)
            if (w->taken[k].id == a->id && w->taken[k].no == a->no)
                found = &w->taken[k];
        if (a->node != node || a->ending || !a->claimed || (found && !found->over))
            continue;
        if (!found && w->now <= a->last_start) {
            send_order(w, a);
            continue;
        }
        a->ending = true;
        give_write(w, (Write){.kind = WRITE_END,
                              .id = a->id,
                              .well = found && found->well,
                              .stopped = found && found->stopped});
    }
}

void queue_look_into_inbox(QueueWorld *w)
{
    for (size_t i = 0; i < MOST; i++) {
        Row *r = &w->rows[i];
        if (r->state == ROW_NONE || !r->committed || !r->in_inbox)
            continue;
        r->in_inbox = false;
        queue_see_row(w, r);
    }
}
