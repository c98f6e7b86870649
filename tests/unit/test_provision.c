/* SPDX-License-Identifier: Apache-2.0
 * One more replica, from the coordinator's side: which act follows from what the agents say.
 */
#include "orchestrator/core/provision.h"

#include <string.h>

#include "test.h"

typedef struct World {
    Node node, donor, primary;
    ProvisionRecord r;
    ProvisionView v;
} World;

static void put(char **to, const char *text)
{
    str_set(to, text);
}

static void make_node(Node *n, const char *name, bool replica)
{
    put(&n->name, name);
    put(&n->agent.node, name);
    put(&n->agent.server.flavor, "mariadb");
    put(&n->agent.server.version, "10.11.19-MariaDB-log");
    put(&n->agent.server.applied, replica ? "0-1-7" : "");
    put(&n->agent.server.binlog, "0-1-7");
    n->agent.server.up = true;
    n->agent.server.is_replica = n->agent.server.sql_running = replica;
    n->agent.server.io = replica ? RECEIVER_YES : RECEIVER_NO;
}

static int begin(void **state)
{
    World *w = NEW(World);
    make_node(&w->node, "db3", false);
    make_node(&w->donor, "db1", true);
    make_node(&w->primary, "db0", false);
    put(&w->node.agent.server.binlog, "");
    w->r = (ProvisionRecord){.id = xstrdup("db3-1"),
                             .node = xstrdup("db3"),
                             .donor = xstrdup("db1"),
                             .phase = PROVISION_PAUSING,
                             .started_at = 1};
    w->v = (ProvisionView){
        .node = &w->node, .donor = &w->donor, .donor_heard = true, .max_lag_ms = 10000, .now_ms = 100};
    *state = w;
    return 0;
}

static int end(void **state)
{
    World *w = *state;
    wire_free(node_fields, &w->node);
    wire_free(node_fields, &w->donor);
    wire_free(node_fields, &w->primary);
    wire_free(provision_record_fields, &w->r);
    free(w);
    return 0;
}

/* The record goes to disk between any two calls, and another coordinator may read it. */
static ProvisionAct step(World *w)
{
    Err err;
    AUTOJSON json_t *j = wire_write(provision_record_fields, &w->r);
    wire_free(provision_record_fields, &w->r);
    assert_ok(wire_read(provision_record_fields, j, &w->r, &err), err);
    return provision_step(&w->r, &w->v);
}

static void pause_donor(World *w, const char *gtid)
{
    LeaseState *l = &w->donor.agent.lease;
    AUTOFREE char *reason = provision_reason(&w->r);
    put(&l->owner, "manual");
    put(&l->reason, reason);
    put(&l->gtid, gtid);
    l->phase = gtid ? PHASE_FROZEN : PHASE_PAUSING;
}

static void let_go(World *w)
{
    wire_free(lease_state_fields, &w->donor.agent.lease);
}

static void fills(World *w, FillPhase phase)
{
    AUTOFREE char *order = provision_order(&w->r);
    put(&w->node.agent.fill.order.id, order);
    w->node.agent.fill.phase = phase;
}

static void reach_filling(World *w)
{
    assert_int_equal(step(w), PROVISION_PAUSE);
    pause_donor(w, "0-1-9");
    assert_int_equal(step(w), PROVISION_WAIT);
    assert_int_equal(w->r.phase, PROVISION_FILLING);
    assert_string_equal(w->r.gtid, "0-1-9");
    assert_int_equal(step(w), PROVISION_FILL);
}

static void it_goes_its_way(void **state)
{
    World *w = *state;
    reach_filling(w);
    fills(w, FILL_CHECKING);
    assert_int_equal(step(w), PROVISION_WAIT);
    fills(w, FILL_DUMPING);
    assert_int_equal(step(w), PROVISION_WAIT); /* the donor stands as long as it is read */
    fills(w, FILL_RESTORING);
    assert_int_equal(step(w), PROVISION_RESUME);
    let_go(w);
    assert_int_equal(step(w), PROVISION_WAIT);
    fills(w, FILL_FILLED);
    assert_int_equal(step(w), PROVISION_WAIT);
    assert_int_equal(w->r.phase, PROVISION_FOLLOWING);
    ServerState *s = &w->node.agent.server;
    s->is_replica = s->sql_running = w->v.follows = true;
    s->io = RECEIVER_YES;
    w->node.lag_ms = -1;
    step(w);
    assert_int_equal(w->r.phase, PROVISION_FOLLOWING); /* how far it is behind is not known */
    w->node.lag_ms = 20000;
    step(w);
    assert_int_equal(w->r.phase, PROVISION_FOLLOWING);
    w->node.lag_ms = 10000;
    w->v.node_silent_ms = 1;
    step(w);
    assert_int_equal(w->r.phase, PROVISION_FOLLOWING); /* what was seen last is no news */
    w->v.node_silent_ms = 0;
    step(w);
    assert_int_equal(w->r.phase, PROVISION_DONE);
    assert_int_equal(w->r.ended_at, 100);
    assert_null(w->r.error);
    assert_int_equal(step(w), PROVISION_WAIT);
}

static void one_that_is_not_behind_at_all_counts(void **state)
{
    World *w = *state;
    reach_filling(w);
    let_go(w);
    fills(w, FILL_FILLED);
    step(w);
    ServerState *s = &w->node.agent.server;
    s->is_replica = s->sql_running = w->v.follows = true;
    s->io = RECEIVER_YES;
    w->node.lag_ms = 0;
    step(w);
    assert_int_equal(w->r.phase, PROVISION_DONE);
}

static void a_pause_without_its_position_is_none_yet(void **state)
{
    World *w = *state;
    pause_donor(w, "");
    w->donor.agent.lease.phase = PHASE_FROZEN;
    step(w);
    assert_int_equal(w->r.phase, PROVISION_PAUSING);
    put(&w->donor.agent.lease.gtid, NULL);
    step(w);
    assert_int_equal(w->r.phase, PROVISION_PAUSING);
    pause_donor(w, "0-1-9");
    w->donor.agent.lease.phase = PHASE_PAUSING;
    step(w);
    assert_int_equal(w->r.phase, PROVISION_PAUSING);
}

static void a_donor_that_is_being_paused_or_is_another_s_is_waited_for(void **state)
{
    World *w = *state;
    w->v.donor_heard = false;
    assert_int_equal(step(w), PROVISION_WAIT);
    w->v.donor_heard = true;
    pause_donor(w, NULL);
    assert_int_equal(step(w), PROVISION_WAIT);
    put(&w->donor.agent.lease.reason, "mine");
    w->donor.agent.lease.phase = PHASE_FROZEN;
    put(&w->donor.agent.lease.gtid, "0-1-8");
    assert_int_equal(step(w), PROVISION_WAIT);
    assert_int_equal(w->r.phase, PROVISION_PAUSING);
    let_go(w);
    assert_int_equal(step(w), PROVISION_PAUSE);
}

static void a_pause_that_ended_before_the_order_is_taken_again(void **state)
{
    World *w = *state;
    for (int i = 1; i <= 3; i++) {
        reach_filling(w);
        assert_int_equal(w->r.tries, i);
        let_go(w);
        assert_int_equal(step(w), PROVISION_WAIT);
        assert_int_equal(w->r.phase, i < 3 ? PROVISION_PAUSING : PROVISION_FAILED);
    }
    assert_non_null(w->r.error);
}

static void another_position_is_another_order(void **state)
{
    World *w = *state;
    reach_filling(w);
    AUTOFREE char *first = provision_order(&w->r);
    pause_donor(w, "0-1-12");
    step(w);
    step(w);
    assert_string_equal(w->r.gtid, "0-1-12");
    AUTOFREE char *second = provision_order(&w->r);
    assert_string_not_equal(first, second);
    put(&w->node.agent.fill.order.id, first); /* what the node says of the first is not ours */
    w->node.agent.fill.phase = FILL_FILLED;
    assert_int_equal(step(w), PROVISION_FILL);
}

static void a_donor_that_cannot_be_paused_is_not_waited_for_for_ever(void **state)
{
    World *w = *state;
    w->v.now_ms = 600001;
    assert_int_equal(step(w), PROVISION_PAUSE);
    w->v.now_ms++;
    assert_int_equal(step(w), PROVISION_WAIT);
    assert_int_equal(w->r.phase, PROVISION_FAILED);
}

static void an_applier_that_fails_ends_it(void **state)
{
    World *w = *state;
    reach_filling(w);
    let_go(w);
    fills(w, FILL_FILLED);
    step(w);
    ServerState *s = &w->node.agent.server;
    s->is_replica = w->v.follows = true;
    s->io = RECEIVER_YES;
    step(w);
    assert_int_equal(w->r.phase, PROVISION_FOLLOWING); /* it is not started yet */
    put(&s->sql_error, "Duplicate entry");
    step(w);
    assert_int_equal(w->r.phase, PROVISION_FAILED);
    assert_string_equal(w->r.error, "Duplicate entry");
}

static void what_fails_lets_the_donor_go(void **state)
{
    World *w = *state;
    reach_filling(w);
    fills(w, FILL_FAILED);
    put(&w->node.agent.fill.error, "no room");
    step(w);
    assert_int_equal(w->r.phase, PROVISION_FAILED);
    assert_string_equal(w->r.error, "no room");
    w->v.donor_heard = false;
    assert_int_equal(step(w), PROVISION_WAIT);
    w->v.donor_heard = true;
    assert_int_equal(step(w), PROVISION_RESUME);
    w->donor.agent.lease.phase = PHASE_CATCHING_UP;
    assert_int_equal(step(w), PROVISION_WAIT);
    provision_refused(&w->r, "late", 500);
    assert_string_equal(w->r.error, "no room");
}

static void a_silent_node_does_not_hold_the_donor_for_ever(void **state)
{
    World *w = *state;
    reach_filling(w);
    fills(w, FILL_DUMPING);
    w->v.node_silent_ms = 120000;
    assert_int_equal(step(w), PROVISION_WAIT);
    assert_int_equal(w->r.phase, PROVISION_FILLING);
    w->v.node_silent_ms = 121000;
    step(w);
    assert_int_equal(w->r.phase, PROVISION_FAILED);
    assert_int_equal(step(w), PROVISION_RESUME);
}

static void a_silent_node_that_has_read_all_is_waited_for(void **state)
{
    World *w = *state;
    reach_filling(w);
    fills(w, FILL_RESTORING);
    let_go(w);
    w->v.node_silent_ms = 1000000;
    step(w);
    assert_int_equal(w->r.phase, PROVISION_FILLING);
}

/* To the end of the sentence. */
static void expect_waits_for(World *w, const char *text)
{
    AUTOFREE char *said = provision_waits_for(&w->r, &w->v);
    if (!text)
        assert_null(said);
    else if (!said || strlen(said) < strlen(text) || !str_eq(said + strlen(said) - strlen(text), text))
        fail_msg("\"%s\", not \"%s\"", said ? said : "", text);
}

/* Its own entry of the tries, and no other. */
static void its_end_is_noted_among_the_tries(void **state)
{
    World *w = *state;
    ProvisionTry *other = wire_list_add(&w->r.history, sizeof *other);
    other->id = xstrdup("db2-1");
    provision_refused(&w->r, "late", 500);
    other = w->r.history.v;
    assert_int_equal(other->ended_at, 0);
    ProvisionTry *own = wire_list_add(&w->r.history, sizeof *own);
    own->id = xstrdup("db3-1");
    w->r.phase = PROVISION_PAUSING;
    provision_refused(&w->r, "too late", 600);
    other = w->r.history.v;
    assert_int_equal(other[0].ended_at, 0);
    assert_int_equal(other[1].ended_at, 600);
    assert_string_equal(other[1].error, "too late");
}

static void whoever_is_not_configured_any_more_ends_it(void **state)
{
    World *w = *state;
    reach_filling(w);
    w->v.node = NULL;
    expect_waits_for(w, NULL);
    w->v.donor = NULL;
    expect_waits_for(w, NULL);
    w->v.donor = &w->donor;
    step(w);
    assert_int_equal(w->r.phase, PROVISION_FAILED);
    assert_non_null(strstr(w->r.error, "db3"));
    assert_int_equal(step(w), PROVISION_RESUME);
    w->v.donor = NULL;
    assert_int_equal(step(w), PROVISION_WAIT);
}

static void refused(World *w, const Node *donor, bool replaces, const char *why)
{
    Err err;
    assert_false(provision_may_begin(&w->node, donor, &w->primary, replaces, &err));
    if (!strstr(err.text, why))
        fail_msg("no \"%s\" in: %s", why, err.text);
}

static void what_cannot_be_is_refused_before(void **state)
{
    World *w = *state;
    Err err;
    assert_ok(provision_may_begin(&w->node, &w->donor, &w->primary, false, &err), err);
    refused(w, NULL, false, "no replica serves");
    refused(w, &w->node, false, "the node itself");
    refused(w, &w->primary, false, "the primary");
    w->donor.agent.server.sql_running = false;
    refused(w, &w->donor, false, "db1 cannot be the donor: it is stopped");
    w->donor.agent.server.sql_running = true;
    put(&w->donor.agent_error, "refused");
    refused(w, &w->donor, false, "the agent of db1 does not answer: refused");
    put(&w->donor.agent_error, NULL);
    w->donor.agent.server.up = false;
    refused(w, &w->donor, false, "the server of db1 does not answer: not seen yet");
    put(&w->donor.agent.server.error, "gone away");
    refused(w, &w->donor, false, "the server of db1 does not answer: gone away");
    w->donor.agent.server.up = true;
    w->node.agent.server.is_replica = true;
    refused(w, &w->donor, false, "reprovision");
    assert_ok(provision_may_begin(&w->node, &w->donor, &w->primary, true, &err), err);
    put(&w->node.agent.server.version, "10.6.2-MariaDB");
    refused(w, &w->donor, true, "must not be older");
    put(&w->node.agent.server.flavor, "mysql");
    refused(w, &w->donor, true, "must be all MariaDB or all MySQL");
    put(&w->node.agent_error, "connection refused");
    refused(w, &w->donor, true, "the agent of db3 does not answer: connection refused");
    assert_false(provision_may_begin(&w->primary, &w->donor, &w->primary, true, &err));
    assert_non_null(strstr(err.text, "is the primary"));
    assert_false(provision_may_begin(&w->primary, &w->donor, NULL, true, &err));
}

static void blank_is_what_holds_nothing_whole(void **state)
{
    World *w = *state;
    NodeState *n = &w->node.agent;
    assert_true(provision_is_blank(n));
    assert_false(provision_is_blank(&w->donor.agent) || provision_is_blank(&w->primary.agent));
    fills(w, FILL_RESTORING);
    put(&n->server.binlog, "0-1-1");
    assert_true(provision_is_blank(n));
    n->fill.phase = FILL_FILLED;
    assert_false(provision_is_blank(n));
    n->fill.phase = FILL_FAILED;
    assert_false(provision_is_blank(n)); /* nothing was touched */
    n->fill.touched = true;
    assert_true(provision_is_blank(n));
    n->fill.phase = FILL_NONE;
    put(&n->server.binlog, "");
    put(&n->server.applied, NULL);
    assert_true(provision_is_blank(n));
    put(&n->server.binlog, NULL);
    assert_true(provision_is_blank(n));
    put(&n->server.applied, "0-1-1");
    assert_false(provision_is_blank(n));
    put(&n->server.applied, "");
    n->server.up = false;
    assert_false(provision_is_blank(n)); /* not known */
}

#define T(f) cmocka_unit_test_setup_teardown(f, begin, end)

static void a_phase_that_stands_says_what_for(void **state)
{
    World *w = *state;
    ServerState *s = &w->node.agent.server;
    expect_waits_for(w, "waits until db1 stands");
    put(&w->donor.agent.lease.owner, "12.1");
    expect_waits_for(w, "until db1 is let go, which is paused for run 12.1");
    let_go(w);
    w->v.donor_heard = false;
    expect_waits_for(w, "the agent of db1, which does not answer");
    w->v.donor_heard = true;
    reach_filling(w);
    expect_waits_for(w, "waits for its agent to begin");
    w->v.node_silent_ms = 31000;
    expect_waits_for(w, "its agent has not answered for 31.0 s");
    w->v.node_silent_ms = 0;
    fills(w, FILL_DUMPING);
    expect_waits_for(w, NULL); /* its progress says it */
    let_go(w);
    fills(w, FILL_FILLED);
    step(w);
    expect_waits_for(w, "until it replicates from the primary");
    s->is_replica = s->sql_running = w->v.follows = true;
    s->io = RECEIVER_CONNECTING;
    put(&s->io_error, "cannot connect");
    expect_waits_for(w, "waits for its receiver: cannot connect");
    put(&s->io_error, "");
    expect_waits_for(w, "waits for its receiver");
    s->io = RECEIVER_YES;
    w->node.lag_ms = -1;
    expect_waits_for(w, "replication begins");
    w->node.lag_ms = 0;
    expect_waits_for(w, "catching up, 0 ms behind");
    w->node.lag_ms = 61000;
    expect_waits_for(w, "catching up, 61.0 s behind");
    s->up = false;
    expect_waits_for(w, "waits for its server: not seen yet");
    put(&s->error, "connection refused");
    expect_waits_for(w, "waits for its server: connection refused");
    s->up = true;
    w->node.lag_ms = 0;
    step(w);
    expect_waits_for(w, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(it_goes_its_way),
        T(one_that_is_not_behind_at_all_counts),
        T(a_pause_without_its_position_is_none_yet),
        T(a_donor_that_is_being_paused_or_is_another_s_is_waited_for),
        T(a_pause_that_ended_before_the_order_is_taken_again),
        T(another_position_is_another_order),
        T(a_donor_that_cannot_be_paused_is_not_waited_for_for_ever),
        T(an_applier_that_fails_ends_it),
        T(what_fails_lets_the_donor_go),
        T(a_silent_node_does_not_hold_the_donor_for_ever),
        T(a_silent_node_that_has_read_all_is_waited_for),
        T(its_end_is_noted_among_the_tries),
        T(whoever_is_not_configured_any_more_ends_it),
        T(what_cannot_be_is_refused_before),
        T(blank_is_what_holds_nothing_whole),
        T(a_phase_that_stands_says_what_for),
    };
    return cmocka_run_group_tests_name("provision", tests, NULL, NULL);
}
