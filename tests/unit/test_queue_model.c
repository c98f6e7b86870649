/* SPDX-License-Identifier: Apache-2.0
 * The queue's inside with a database, agents and a clock that are simulated, driven at random: submissions,
 * late commits, rows locked and deleted by others, orders that come late, come twice or get lost, hosts that
 * die, and a coordinator that is killed between any two of its writes. What must hold is checked at each
 * start and at the end, when everything has been left alone for a while.
 *
 *     SIDING_QUEUE_OPERATIONS=10000000 SIDING_QUEUE_SEED=1 build/tests/unit/test_queue_model
 */
#include "test.h"

#include "orchestrator/core/decide.h"

enum {
    NODES = 4, /* the primary and replicas */
    MOST = 96, /* tasks at a time */
    WRITES = 512,
    ORDERS = 64,
    ROUND = 20000, /* operations, then all is left to end */
    LAST_START_MS = 30000,
    NOT_HERE = -1
};

typedef enum RowState { ROW_NONE, ROW_WAITING, ROW_RUNNING, ROW_DONE, ROW_ERROR, ROW_KILLED } RowState;

/* A row of the database. */
typedef struct Row {
    int64_t id, run_at, submitted_at, sequence, parent;
    RowState state;
    int name, priority, preempt, attempts, replica, node, no;
    bool upload, committed, in_inbox, locked, parent_done, by_hand;
    char lane;
} Row;

/* A run at an agent, which never forgets it (that is the journal's affair). */
typedef struct Taken {
    int64_t id, last_start;
    int no, node;
    bool over, well, asleep, stopped;
} Taken;

typedef enum WriteKind { WRITE_CLAIM, WRITE_END } WriteKind;
typedef struct Write {
    WriteKind kind;
    int64_t id;
    int no, node;
    bool well, stopped;
} Write;

/* What the coordinator knows of a run under way. */
typedef struct Active {
    int64_t id, last_start;
    int no, node;
    bool ending, claimed, for_others, stops;
} Active;

typedef struct Order {
    int64_t id, last_start;
    int no, node;
} Order;

typedef struct World {
    uint64_t random;
    int64_t now, next_id, submitted, removed, starts, slept, requeued;
    Row rows[MOST];
    Taken taken[MOST * 8];
    size_t n_taken;
    Order orders[ORDERS];
    size_t n_orders;
    bool manual;
    /* the coordinator's */
    Slots *q;
    Write writes[WRITES];
    size_t n_writes;
    Active active[MOST];
    size_t n_active;
    Node nodes[NODES];
    JobInfo job;
} World;

static uint32_t draw(World *w, uint32_t below)
{
    w->random = w->random * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(w->random >> 33) % below;
}

static Row *row_of(World *w, int64_t id)
{
    for (size_t i = 0; i < MOST; i++)
        if (w->rows[i].state != ROW_NONE && w->rows[i].id == id)
            return &w->rows[i];
    return NULL;
}

static SlotTime now_of(const World *w)
{
    return (SlotTime){w->now, w->now};
}

static bool is_live(const Row *r)
{
    return r->state == ROW_WAITING || r->state == ROW_RUNNING;
}

/* ---- agents ----------------------------------------------------------------------------------------- */

static bool runs_now(const Taken *t)
{
    return !t->over;
}

/* Names a and b never together, c and d never awake together, h alone. */
static uint32_t apart_of(const Row *r)
{
    return !r->upload && r->name < 2;
}

static uint32_t awake_of(const Row *r)
{
    return !r->upload && (r->name == 2 || r->name == 3) ? 2 : 0;
}

static bool is_alone(const Row *r)
{
    return !r->upload && r->name == 7;
}

static void check_start(World *w, const Row *r, const Order *o)
{
    for (size_t i = 0; i < w->n_taken; i++) {
        const Taken *t = &w->taken[i];
        const Row *other = row_of(w, t->id);
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
            ((apart_of(r) & apart_of(other)) || is_alone(r) || is_alone(other)))
            fail_msg("tasks %d and %d of one group run together", (int)other->id, (int)r->id);
        if (!other->upload && !r->upload && !t->asleep && (awake_of(r) & awake_of(other)))
            fail_msg("tasks %d and %d of one group are awake together", (int)other->id, (int)r->id);
        if (!other->upload && !r->upload && t->node == o->node && !t->asleep)
            fail_msg("tasks %d and %d run on one node", (int)other->id, (int)r->id);
    }
}

static bool holds_lane(const Row *r)
{
    return r->name % 2 != 0;
}

/* As committed when the coordinator could know it: at the claim. */
static void check_claim(World *w, const Row *r)
{
    for (size_t i = 0; i < MOST; i++) {
        const Row *o = &w->rows[i];
        if (o->state == ROW_NONE || !o->committed || o->in_inbox || o->id >= r->id || o->upload != r->upload)
            continue;
        bool holds = is_live(o) || o->state == ROW_ERROR;
        if (r->sequence && o->sequence == r->sequence && holds)
            fail_msg("task %d of sequence %d starts before %d", (int)r->id, (int)r->sequence, (int)o->id);
        if (r->upload && o->lane == r->lane && holds)
            fail_msg("upload %d into %c starts before %d", (int)r->id, r->lane, (int)o->id);
    }
    for (size_t i = 0; i < MOST && !r->upload && !r->by_hand; i++) {
        const Row *o = &w->rows[i];
        if (o->state == ROW_ERROR && !o->upload && !o->sequence && holds_lane(o) && o->name == r->name)
            fail_msg("task %d starts in the lane that %d holds", (int)r->id, (int)o->id);
    }
}

static void forget_gone(World *w)
{
    size_t kept = 0;
    for (size_t i = 0; i < w->n_taken; i++)
        if (row_of(w, w->taken[i].id) || runs_now(&w->taken[i]))
            w->taken[kept++] = w->taken[i];
    w->n_taken = kept;
}

/* An order comes: one that is known already, or too late, is not started. */
static void deliver(World *w, bool again)
{
    if (!w->n_orders)
        return;
    size_t k = draw(w, (uint32_t)w->n_orders);
    Order o = w->orders[k];
    if (!again)
        w->orders[k] = w->orders[--w->n_orders];
    Row *r = row_of(w, o.id);
    for (size_t i = 0; i < w->n_taken; i++)
        if (w->taken[i].id == o.id && w->taken[i].no == o.no)
            return;
    if (w->now > o.last_start || !r || w->n_taken == COUNT(w->taken))
        return;
    check_start(w, r, &o);
    w->starts++;
    w->taken[w->n_taken++] = (Taken){.id = o.id, .no = o.no, .node = o.node, .last_start = o.last_start};
}

static void end_runs(World *w, int node, bool all, bool well)
{
    for (size_t i = 0; i < w->n_taken; i++) {
        Taken *t = &w->taken[i];
        if (t->over || (node != NOT_HERE && t->node != node) || (!all && draw(w, 3)))
            continue;
        if (t->asleep && well)
            continue;
        t->over = true;
        t->well = well;
    }
}

/* ---- the coordinator -------------------------------------------------------------------------------- */

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
                      .apart = apart_of(r),
                      .awake = awake_of(r),
                      .alone = is_alone(r),
                      .failed_at = r->run_at,
                      .holds = r->upload       ? SLOT_HOLDS_LANE
                               : r->sequence   ? SLOT_HOLDS_SEQUENCE
                               : holds_lane(r) ? SLOT_HOLDS_LANE
                                               : SLOT_HOLDS_NOTHING,
                      .kind = r->upload ? KIND_UPLOAD : KIND_COMMAND,
                      .on = r->upload || !r->replica ? ROLE_PRIMARY : ROLE_REPLICA,
                      .name = names[r->name],
                      .job = "job",
                      .lane = lanes[r->lane == 'y'],
                      .parent_task = r->upload ? r->parent : 0,
                      .parent_no = r->upload};
}

static void see_row(World *w, Row *r)
{
    SlotTask t = slot_of(r);
    SlotTime now = now_of(w);
    if (r->state == ROW_WAITING)
        slots_put(w->q, &t, &now);
    else if (r->state == ROW_RUNNING)
        slots_start(w->q, &t, &now);
    else if (r->state == ROW_ERROR)
        slots_fail(w->q, &t, &now);
    if (r->upload && r->state == ROW_WAITING)
        slots_parent(w->q, r->parent, 1, r->parent_done ? CRUN_UPLOADING : CRUN_RUNNING, false);
}

static Taken *taken_of(World *w, int64_t id, int no)
{
    for (size_t i = 0; i < w->n_taken; i++)
        if (w->taken[i].id == id && w->taken[i].no == no)
            return &w->taken[i];
    return NULL;
}

static void start_coordinator(World *w)
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
        see_row(w, r);
        if (r->state == ROW_RUNNING)
            w->active[w->n_active++] =
                (Active){.id = r->id,
                         .no = r->no,
                         .node = r->node,
                         .claimed = true,
                         .for_others = taken_of(w, r->id, r->no) && taken_of(w, r->id, r->no)->asleep,
                         .last_start = w->now + LAST_START_MS};
    }
}

static Active *active_of(World *w, int64_t id)
{
    for (size_t i = 0; i < w->n_active; i++)
        if (w->active[i].id == id)
            return &w->active[i];
    return NULL;
}

static void drop_active(World *w, int64_t id)
{
    Active *a = active_of(w, id);
    if (a)
        *a = w->active[--w->n_active];
}

static void give_write(World *w, Write x)
{
    if (w->n_writes < WRITES)
        w->writes[w->n_writes++] = x;
}

static void send_order(World *w, const Active *a)
{
    if (w->n_orders < ORDERS)
        w->orders[w->n_orders++] =
            (Order){.id = a->id, .no = a->no, .node = a->node, .last_start = a->last_start};
}

static int node_number(const World *w, const char *name)
{
    (void)w;
    return name[2] - '0';
}

/* What the coordinator knows of a run under way is what its agent tells it. */
static void tell_phases(World *w)
{
    for (size_t i = 0; i < w->n_active; i++) {
        const Active *a = &w->active[i];
        const Taken *t = taken_of(w, a->id, a->no);
        SlotPhase phase = !t || t->over || a->ending ? SLOT_BUSY
                          : a->stops                 ? SLOT_STOPS
                          : t->asleep                ? SLOT_SLEEPS
                                                     : SLOT_WORKS;
        slots_phase(w->q, a->id, phase, a->for_others);
    }
}

/* Asked of the agent, which does it at once. */
static void make_room(World *w, const QueueDecision *d)
{
    Active *a = active_of(w, d->id);
    Taken *t = a ? taken_of(w, a->id, a->no) : NULL;
    const Row *r = row_of(w, d->id);
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
        const Row *other = row_of(w, o->id);
        if (o != t && !o->over && !o->asleep && o->node == 0 && other && !other->upload)
            fail_msg("task %d is woken beside %d", (int)t->id, (int)o->id);
        if (o != t && !o->over && !o->asleep && r && other && (awake_of(r) & awake_of(other)))
            fail_msg("task %d is woken beside %d of its group", (int)t->id, (int)o->id);
    }
}

static void take_turn(World *w)
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
    SlotTime now = now_of(w);
    DecideInput in = {choose, NODES, {"db0", 0, 60000, true}, 1, NULL, now, 1 + draw(w, 4)};
    tell_phases(w);
    slots_advance(w->q, &now, 1 + draw(w, 30));
    decide(w->q, &in, &d);
    for (size_t i = 0; i < d.n; i++) {
        if (d.v[i].kind != DECIDE_START) {
            make_room(w, &d.v[i]);
            continue;
        }
        const Row *r = row_of(w, d.v[i].id);
        if (w->manual && r && !r->by_hand)
            fail_msg("task %d starts by itself in manual mode", (int)r->id);
        int node = node_number(w, d.v[i].nodes.v[0]);
        w->active[w->n_active++] = (Active){.id = d.v[i].id, .node = node};
        give_write(w, (Write){.kind = WRITE_CLAIM, .id = d.v[i].id, .node = node});
    }
    decisions_done(&d);
}

/* The claim is on record: the order goes out, with the last moment at which it may be begun. */
static void write_claim(World *w, const Write *x)
{
    Row *r = row_of(w, x->id);
    SlotTime now = now_of(w);
    if (!r) {
        slots_end(w->q, x->id);
        drop_active(w, x->id);
    } else if (r->locked || r->state != ROW_WAITING) {
        drop_active(w, x->id);
        if (r->locked)
            slots_hold_back(w->q, x->id, 1000, "locked", &now);
        else
            see_row(w, r);
    } else {
        Active *a = active_of(w, x->id);
        check_claim(w, r);
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

static void write_end(World *w, const Write *x)
{
    Row *r = row_of(w, x->id);
    drop_active(w, x->id);
    if (!r)
        return;
    bool again = x->stopped || (!x->well && r->attempts < 2 && !r->upload);
    r->attempts -= x->stopped;
    r->state = x->well ? ROW_DONE : again ? ROW_WAITING : ROW_ERROR;
    if (again)
        r->run_at = w->now + 2000;
    slots_end(w->q, r->id);
    see_row(w, r);
}

static void write_one(World *w)
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

/* What an agent reports. One that does not know a run may still get the order: until its last moment has
 * passed, nobody else does. */
static void poll_agent(World *w, int node)
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

static void look_into_inbox(World *w)
{
    for (size_t i = 0; i < MOST; i++) {
        Row *r = &w->rows[i];
        if (r->state == ROW_NONE || !r->committed || !r->in_inbox)
            continue;
        r->in_inbox = false;
        see_row(w, r);
    }
}

/* ---- others ----------------------------------------------------------------------------------------- */

static void submit(World *w)
{
    for (size_t i = 0; i < MOST; i++) {
        Row *r = &w->rows[i];
        if (r->state != ROW_NONE)
            continue;
        *r = (Row){.id = ++w->next_id, .state = ROW_WAITING, .in_inbox = true};
        r->upload = draw(w, 5) == 0;
        r->name = (int)draw(w, 8);
        r->priority = draw(w, 20) ? (int)draw(w, 4) : 101;
        r->preempt = draw(w, 2) ? 0 : (int)draw(w, 3);
        r->replica = draw(w, 4) > 0;
        r->sequence = r->upload || draw(w, 3) ? 0 : 1 + draw(w, 3);
        r->lane = draw(w, 2) ? 'x' : 'y';
        r->parent = r->upload ? 1000000000 + r->id : 0;
        r->parent_done = draw(w, 2);
        r->submitted_at = w->now;
        r->run_at = w->now + (draw(w, 2) ? 0 : (int64_t)draw(w, 60000));
        /* A sequence's and a lane's order is that of commits that are known; late ones have none to keep. */
        r->committed = r->upload || r->sequence || draw(w, 4) > 0;
        w->submitted++;
        return;
    }
}

static Row *any_row(World *w)
{
    return &w->rows[draw(w, MOST)];
}

/* A start has been decided that is not on record yet: who is tried again now comes after it. */
static bool is_deciding(const World *w)
{
    for (size_t i = 0; i < w->n_active; i++)
        if (!w->active[i].claimed)
            return true;
    return false;
}

static void change_row(World *w)
{
    Row *r = any_row(w);
    switch (draw(w, 7)) {
    case 0:
        r->committed = true;
        break;
    case 5: /* by hand: written first, then known */
        if (r->state != ROW_WAITING || !r->committed || r->in_inbox || active_of(w, r->id))
            break;
        r->by_hand = true;
        see_row(w, r);
        break;
    case 6:
        w->manual = draw(w, 3) == 0;
        slots_manual(w->q, w->manual ? "manual mode" : NULL);
        break;
    case 1:
        r->locked = r->state != ROW_NONE && !r->locked;
        break;
    case 2:
        if (r->upload && r->state == ROW_WAITING && r->committed) {
            r->parent_done = true;
            if (!r->in_inbox)
                slots_parent(w->q, r->parent, 1, CRUN_UPLOADING, false);
        }
        break;
    case 3: /* retried or acknowledged by a person: written first, then known */
        if (r->state != ROW_ERROR || is_deciding(w))
            break;
        r->state = draw(w, 2) ? ROW_WAITING : ROW_DONE;
        r->attempts = 0;
        r->run_at = r->submitted_at = w->now;
        slots_end(w->q, r->id);
        see_row(w, r);
        break;
    default: /* deleted by SQL behind the coordinator's back */
        if (r->state == ROW_WAITING && r->committed && draw(w, 4) == 0 && !active_of(w, r->id)) {
            w->removed++;
            bool told = !r->in_inbox;
            int64_t id = r->id;
            *r = (Row){0};
            if (told && draw(w, 2))
                slots_end(w->q, id); /* the sweep has found it */
        }
    }
}

/* Ended tasks go, so that there is room. */
static void purge(World *w)
{
    for (size_t i = 0; i < MOST; i++) {
        Row *r = &w->rows[i];
        if ((r->state == ROW_DONE || r->state == ROW_KILLED) && !active_of(w, r->id)) {
            w->removed++;
            *r = (Row){0};
        }
    }
    forget_gone(w);
}

static void operate(World *w)
{
    switch (draw(w, 16)) {
    case 0:
    case 1:
        submit(w);
        break;
    case 2:
        look_into_inbox(w);
        break;
    case 3:
    case 4:
    case 5:
        take_turn(w);
        break;
    case 6:
    case 7:
        write_one(w);
        break;
    case 8:
    case 9:
        deliver(w, draw(w, 8) == 0);
        break;
    case 10:
        end_runs(w, NOT_HERE, false, draw(w, 5) > 0);
        break;
    case 11:
    case 12:
        poll_agent(w, (int)draw(w, NODES));
        break;
    case 13:
        change_row(w);
        break;
    case 14:
        w->now += draw(w, 5) ? draw(w, 1500) : draw(w, 40000);
        break;
    default:
        if (draw(w, 40) == 0)
            start_coordinator(w); /* killed: what was not written is lost */
        else if (draw(w, 20) == 0)
            end_runs(w, (int)draw(w, NODES), true, false); /* a host is lost */
        else if (draw(w, 4) == 0 && w->n_orders)
            w->n_orders--; /* an order is lost */
        else
            purge(w);
    }
}

/* ---- at the end ------------------------------------------------------------------------------------- */

static void settle_row(World *w, Row *r)
{
    r->committed = true;
    r->locked = false;
    if (r->upload && r->state == ROW_WAITING)
        r->parent_done = true;
    if (r->state == ROW_ERROR)
        r->state = ROW_KILLED;
    (void)w;
}

/* Left alone, with failures acknowledged, everything ends. */
static void leave_alone(World *w)
{
    for (int i = 0; i < MOST; i++)
        settle_row(w, &w->rows[i]);
    w->manual = false;
    start_coordinator(w);
    for (int turns = 0; turns < 3000; turns++) {
        bool live = false;
        for (int i = 0; i < MOST; i++) {
            live = live || is_live(&w->rows[i]);
            if (w->rows[i].state == ROW_ERROR) {
                w->rows[i].state = ROW_KILLED;
                slots_end(w->q, w->rows[i].id);
            }
        }
        if (!live)
            return;
        take_turn(w);
        while (w->n_writes)
            write_one(w);
        while (w->n_orders)
            deliver(w, false);
        end_runs(w, NOT_HERE, true, true);
        for (int n = 0; n < NODES; n++)
            poll_agent(w, n);
        while (w->n_writes)
            write_one(w);
        w->now += 5000;
        forget_gone(w);
    }
    SlotTime now = now_of(w);
    for (int i = 0; i < MOST; i++)
        if (is_live(&w->rows[i])) {
            AUTOFREE char *why = slots_why(w->q, w->rows[i].id, &now);
            fail_msg("task %d never ended: %s", (int)w->rows[i].id, why ? why : "nobody knows why");
        }
}

static void check_nothing_is_lost(const World *w)
{
    int64_t there = 0;
    for (int i = 0; i < MOST; i++)
        there += w->rows[i].state != ROW_NONE;
    assert_int_equal(there + w->removed, w->submitted);
}

static void make_nodes(World *w)
{
    static const char *const node_names[NODES] = {"db0", "db1", "db2", "db3"};
    w->job = (JobInfo){.name = (char *)"job", .kind = KIND_COMMAND, .on = ROLE_REPLICA};
    for (int i = 0; i < NODES; i++) {
        w->nodes[i].name = (char *)node_names[i];
        w->nodes[i].agent = (NodeState){.node = (char *)node_names[i], .jobs = {&w->job, 1}};
        w->nodes[i].agent.server = (ServerState){.up = true,
                                                 .flavor = (char *)"mariadb",
                                                 .version = (char *)"10.11.1",
                                                 .is_replica = i > 0,
                                                 .sql_running = true,
                                                 .io = RECEIVER_YES,
                                                 .source_host = (char *)"h",
                                                 .source_port = 1,
                                                 .applied = (char *)"0-1-5"};
    }
}

static int64_t number_of(const char *variable, int64_t otherwise)
{
    const char *text = getenv(variable);
    return text ? atoll(text) : otherwise;
}

static void whatever_happens_each_task_runs_as_often_as_it_should(void **state)
{
    (void)state;
    int64_t left = number_of("SIDING_QUEUE_OPERATIONS", 200000), seed = number_of("SIDING_QUEUE_SEED", 1);
    int64_t starts = 0, submitted = 0, slept = 0, requeued = 0;
    for (; left > 0; left -= ROUND, seed++) {
        print_message("seed %lld\n", (long long)seed);
        World *w = NEW(World);
        w->random = (uint64_t)seed * 0x9e3779b97f4a7c15u;
        w->now = 1000000000;
        make_nodes(w);
        start_coordinator(w);
        for (int i = 0; i < ROUND; i++)
            operate(w);
        leave_alone(w);
        check_nothing_is_lost(w);
        starts += w->starts;
        slept += w->slept;
        requeued += w->requeued;
        submitted += w->submitted;
        slots_free(w->q);
        free(w);
    }
    print_message("%lld tasks, %lld starts, %lld slept for others, %lld were requeued\n",
                  (long long)submitted, (long long)starts, (long long)slept, (long long)requeued);
    assert_true(starts > 0 && slept > 0 && requeued > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whatever_happens_each_task_runs_as_often_as_it_should),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
