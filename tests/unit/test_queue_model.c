/* SPDX-License-Identifier: Apache-2.0
 * The queue's inside with a database, agents and a clock that are simulated, driven at random: submissions,
 * late commits, rows locked and deleted by others, orders that come late, come twice or get lost, hosts that
 * die, and a coordinator that is killed between any two of its writes. What must hold is checked at each
 * start and at the end, when everything has been left alone for a while.
 *
 *     SIDING_QUEUE_OPERATIONS=10000000 SIDING_QUEUE_SEED=1 build/tests/unit/test_queue_model
 */
#include "queue_world.h"

enum { ROUND = 20000 }; /* operations, then all is left to end */

/* ---- others ----------------------------------------------------------------------------------------- */

static void submit(QueueWorld *w)
{
    for (size_t i = 0; i < MOST; i++) {
        Row *r = &w->rows[i];
        if (r->state != ROW_NONE)
            continue;
        *r = (Row){.id = ++w->next_id, .state = ROW_WAITING, .in_inbox = true};
        r->upload = queue_draw(w, 5) == 0;
        r->name = (int)queue_draw(w, 8);
        r->priority = queue_draw(w, 20) ? (int)queue_draw(w, 4) : 101;
        r->preempt = queue_draw(w, 2) ? 0 : (int)queue_draw(w, 3);
        r->replica = queue_draw(w, 4) > 0;
        r->sequence = r->upload || queue_draw(w, 3) ? 0 : 1 + queue_draw(w, 3);
        r->lane = queue_draw(w, 2) ? 'x' : 'y';
        r->parent = r->upload ? 1000000000 + r->id : 0;
        r->parent_done = queue_draw(w, 2);
        r->submitted_at = w->now;
        r->run_at = w->now + (queue_draw(w, 2) ? 0 : (int64_t)queue_draw(w, 60000));
        /* A sequence's and a lane's order is that of commits that are known; late ones have none to keep. */
        r->committed = r->upload || r->sequence || queue_draw(w, 4) > 0;
        w->submitted++;
        return;
    }
}

static Row *any_row(QueueWorld *w)
{
    return &w->rows[queue_draw(w, MOST)];
}

/* A start has been decided that is not on record yet: who is tried again now comes after it. */
static bool is_deciding(const QueueWorld *w)
{
    for (size_t i = 0; i < w->n_active; i++)
        if (!w->active[i].claimed)
            return true;
    return false;
}

static void change_row(QueueWorld *w)
{
    Row *r = any_row(w);
    switch (queue_draw(w, 7)) {
    case 0:
        r->committed = true;
        break;
    case 5: /* by hand: written first, then known */
        if (r->state != ROW_WAITING || !r->committed || r->in_inbox || queue_active(w, r->id))
            break;
        r->by_hand = true;
        queue_see_row(w, r);
        break;
    case 6:
        w->manual = queue_draw(w, 3) == 0;
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
        r->state = queue_draw(w, 2) ? ROW_WAITING : ROW_DONE;
        r->attempts = 0;
        r->run_at = r->submitted_at = w->now;
        slots_end(w->q, r->id);
        queue_see_row(w, r);
        break;
    default: /* deleted by SQL behind the coordinator's back */
        if (r->state == ROW_WAITING && r->committed && queue_draw(w, 4) == 0 && !queue_active(w, r->id)) {
            w->removed++;
            bool told = !r->in_inbox;
            int64_t id = r->id;
            *r = (Row){0};
            if (told && queue_draw(w, 2))
                slots_end(w->q, id); /* the sweep has found it */
        }
    }
}

/* Ended tasks go, so that there is room. */
static void purge(QueueWorld *w)
{
    for (size_t i = 0; i < MOST; i++) {
        Row *r = &w->rows[i];
        if ((r->state == ROW_DONE || r->state == ROW_KILLED) && !queue_active(w, r->id)) {
            w->removed++;
            *r = (Row){0};
        }
    }
    queue_forget_gone(w);
}

static void operate(QueueWorld *w)
{
    switch (queue_draw(w, 16)) {
    case 0:
    case 1:
        submit(w);
        break;
    case 2:
        queue_look_into_inbox(w);
        break;
    case 3:
    case 4:
    case 5:
        queue_take_turn(w);
        break;
    case 6:
    case 7:
        queue_write_one(w);
        break;
    case 8:
    case 9:
        queue_deliver(w, queue_draw(w, 8) == 0);
        break;
    case 10:
        queue_end_runs(w, NOT_HERE, false, queue_draw(w, 5) > 0);
        break;
    case 11:
    case 12:
        queue_poll_agent(w, (int)queue_draw(w, NODES));
        break;
    case 13:
        change_row(w);
        break;
    case 14:
        w->now += queue_draw(w, 5) ? queue_draw(w, 1500) : queue_draw(w, 40000);
        break;
    default:
        if (queue_draw(w, 40) == 0)
            queue_start_coordinator(w); /* killed: what was not written is lost */
        else if (queue_draw(w, 20) == 0)
            queue_end_runs(w, (int)queue_draw(w, NODES), true, false); /* a host is lost */
        else if (queue_draw(w, 4) == 0 && w->n_orders)
            w->n_orders--; /* an order is lost */
        else
            purge(w);
    }
}

/* ---- at the end ------------------------------------------------------------------------------------- */

static void settle_row(QueueWorld *w, Row *r)
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
static void leave_alone(QueueWorld *w)
{
    for (int i = 0; i < MOST; i++)
        settle_row(w, &w->rows[i]);
    w->manual = false;
    queue_start_coordinator(w);
    for (int turns = 0; turns < 3000; turns++) {
        bool live = false;
        for (int i = 0; i < MOST; i++) {
            live = live || queue_is_live(&w->rows[i]);
            if (w->rows[i].state == ROW_ERROR) {
                w->rows[i].state = ROW_KILLED;
                slots_end(w->q, w->rows[i].id);
            }
        }
        if (!live)
            return;
        queue_take_turn(w);
        while (w->n_writes)
            queue_write_one(w);
        while (w->n_orders)
            queue_deliver(w, false);
        queue_end_runs(w, NOT_HERE, true, true);
        for (int n = 0; n < NODES; n++)
            queue_poll_agent(w, n);
        while (w->n_writes)
            queue_write_one(w);
        w->now += 5000;
        queue_forget_gone(w);
    }
    SlotTime now = queue_now(w);
    for (int i = 0; i < MOST; i++)
        if (queue_is_live(&w->rows[i])) {
            AUTOFREE char *why = slots_why(w->q, w->rows[i].id, &now);
            fail_msg("task %d never ended: %s", (int)w->rows[i].id, why ? why : "nobody knows why");
        }
}

static void check_nothing_is_lost(const QueueWorld *w)
{
    int64_t there = 0;
    for (int i = 0; i < MOST; i++)
        there += w->rows[i].state != ROW_NONE;
    assert_int_equal(there + w->removed, w->submitted);
}

static void make_nodes(QueueWorld *w)
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
        QueueWorld *w = NEW(QueueWorld);
        w->random = (uint64_t)seed * 0x9e3779b97f4a7c15u;
        w->now = 1000000000;
        make_nodes(w);
        queue_start_coordinator(w);
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
