/* SPDX-License-Identifier: Apache-2.0
 * Decisions of the coordinator: its run machine, what several agents report together, the common GTID, lag,
 * who is primary.
 */
#include "test.h"

#include "orchestrator/core/align.h"
#include "orchestrator/core/coord_run.h"
#include "orchestrator/core/lag.h"
#include "orchestrator/core/run_view.h"
#include "orchestrator/core/topology.h"

/* ---- run machine -------------------------------------------------------------------------------------- */

static void runs_walk_as_the_table_says(void **state)
{
    (void)state;
    static const struct {
        CoordRunState from;
        CoordRunEvent event;
        CoordRunState to; /* none: no place there */
    } rows[] = {
        {CRUN_WAITING, CRUN_EV_CLAIM, CRUN_CLAIMED},
        {CRUN_CLAIMED, CRUN_EV_PAUSING, CRUN_PAUSING},
        {CRUN_PAUSING, CRUN_EV_RUNNING, CRUN_RUNNING},
        {CRUN_CLAIMED, CRUN_EV_RESUMING, CRUN_RESUMING},
        {CRUN_RUNNING, CRUN_EV_SLEEPING, CRUN_SLEEPING},
        {CRUN_SLEEPING, CRUN_EV_RUNNING, CRUN_RUNNING},
        {CRUN_RUNNING, CRUN_EV_SEALING, CRUN_SEALING},
        {CRUN_SEALING, CRUN_EV_RESUMING, CRUN_RESUMING},
        {CRUN_RESUMING, CRUN_EV_CAUGHT_UP, CRUN_CAUGHT_UP},
        {CRUN_CAUGHT_UP, CRUN_EV_UPLOAD, CRUN_UPLOADING},
        {CRUN_CAUGHT_UP, CRUN_EV_OK, CRUN_DONE},
        {CRUN_UPLOADING, CRUN_EV_OK, CRUN_DONE},
        {CRUN_UPLOADING, CRUN_EV_FAILED, CRUN_ERROR},
        {CRUN_CLAIMED, CRUN_EV_REFUSED, CRUN_ERROR},
        {CRUN_SEALING, CRUN_EV_LOST, CRUN_ERROR},
        {CRUN_ERROR, CRUN_EV_UPLOAD, CRUN_UPLOADING},
        {CRUN_CLAIMED, CRUN_EV_CLAIM, CRUN_NONE},
        {CRUN_DONE, CRUN_EV_UPLOAD, CRUN_NONE},
        {CRUN_DONE, CRUN_EV_FAILED, CRUN_NONE},
        {CRUN_CAUGHT_UP, CRUN_EV_RUNNING, CRUN_NONE},
        {CRUN_RESUMING, CRUN_EV_SEALING, CRUN_NONE},
        {CRUN_UPLOADING, CRUN_EV_LOST, CRUN_NONE},
        {CRUN_CAUGHT_UP, CRUN_EV_LOST, CRUN_NONE},
        {CRUN_RUNNING, CRUN_EV_REFUSED, CRUN_NONE},
        {CRUN_WAITING, CRUN_EV_RUNNING, CRUN_NONE},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        const CoordRunRow *row = coord_run_find(rows[i].from, rows[i].event);
        if (!rows[i].to)
            assert_null(row);
        else if (!row)
            fail_msg("%s in %s has no row", coord_run_event_name(rows[i].event),
                     coord_run_state_name(rows[i].from));
        else
            assert_int_equal(row->next, rows[i].to);
    }
}

static void every_row_is_whole(void **state)
{
    (void)state;
    bool reached[CRUN_UNKNOWN] = {[CRUN_WAITING] = true};
    for (int s = CRUN_WAITING; s < CRUN_UNKNOWN; s++)
        for (int e = 0; e < CRUN_EVENTS; e++) {
            const CoordRunRow *row = coord_run_find((CoordRunState)s, (CoordRunEvent)e);
            if (!row)
                continue;
            assert_non_null(row->reason);
            assert_true(row->next != (CoordRunState)s);
            reached[row->next] = true;
            if (coord_run_is_final((CoordRunState)s))
                assert_int_equal(row->next, CRUN_UPLOADING);
        }
    for (int s = CRUN_WAITING; s < CRUN_UNKNOWN; s++)
        assert_true(reached[s]);
}

/* ---- view ---------------------------------------------------------------------------------------------- */

static AgentRun part(const char *text)
{
    AgentRun r = {.spec = {.on = ROLE_REPLICA}};
    char w[3][24] = {0};
    if (sscanf(text, "%23s %23s %23s", w[0], w[1], w[2]) < 1)
        fail();
    r.state = wire_enum_find(&agent_run_state_names, w[0]);
    for (int i = 1; i < 3; i++) {
        if (strcmp(w[i], "sealed") == 0)
            r.sealed = true;
        else if (strcmp(w[i], "primary") == 0)
            r.spec.on = ROLE_PRIMARY;
        else if (w[i][0])
            r.outcome = wire_enum_find(&run_outcome_names, w[i]);
    }
    return r;
}

static void parts_are_seen_together(void **state)
{
    (void)state;
    static const struct {
        const char *a, *b; /* NULL: not reported; "" for b: one part */
        bool complete, over;
        CoordRunEvent event, end;
        size_t failed;
    } rows[] = {
        {"accepted", "", true, false, CRUN_EV_PAUSING, CRUN_EV_OK, 1},
        {"accepted primary", "", true, false, CRUN_EVENTS, CRUN_EV_OK, 1},
        {"running primary", "", true, false, CRUN_EV_RUNNING, CRUN_EV_OK, 1},
        {"running", "sleeping", true, false, CRUN_EV_RUNNING, CRUN_EV_OK, 2},
        {"sleeping", "sealing", true, false, CRUN_EV_SLEEPING, CRUN_EV_OK, 2},
        {"caught_up ok", "resuming ok", true, false, CRUN_EV_RESUMING, CRUN_EV_OK, 2},
        {"caught_up ok", "caught_up ok", true, true, CRUN_EV_CAUGHT_UP, CRUN_EV_OK, 2},
        {"caught_up ok", NULL, false, false, CRUN_EV_CAUGHT_UP, CRUN_EV_OK, 2},
        {"caught_up killed", "caught_up error", true, true, CRUN_EV_CAUGHT_UP, CRUN_EV_FAILED, 1},
        {"caught_up error", "caught_up killed", true, true, CRUN_EV_CAUGHT_UP, CRUN_EV_FAILED, 0},
        {"caught_up ok", "caught_up killed", true, true, CRUN_EV_CAUGHT_UP, CRUN_EV_KILLED, 1},
        {"ended stopped", "", true, true, CRUN_EV_CAUGHT_UP, CRUN_EV_STOPPED, 0},
        {"resuming nonsense", "", true, false, CRUN_EV_RESUMING, CRUN_EV_FAILED, 0},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        AgentRun a = part(rows[i].a), b = {0};
        size_t n = rows[i].b && !*rows[i].b ? 1 : 2;
        if (n == 2 && rows[i].b)
            b = part(rows[i].b);
        const AgentRun *parts[] = {&a, rows[i].b ? &b : NULL};
        RunView v = run_view(parts, n);
        if (v.complete != rows[i].complete || v.over != rows[i].over || v.event != rows[i].event ||
            v.end != rows[i].end || v.failed != rows[i].failed)
            fail_msg("row %zu: complete %d over %d event %d end %d failed %zu", i, v.complete, v.over,
                     v.event, v.end, v.failed);
    }
}

static void a_result_is_sealed_only_by_all(void **state)
{
    (void)state;
    AgentRun a = part("resuming ok sealed"), b = part("sealing");
    const AgentRun *both[] = {&a, &b};
    assert_true(run_view(both, 1).sealed);
    assert_false(run_view(both, 2).sealed);
    assert_false(run_view(NULL, 0).complete);
    AgentRun frozen = part("frozen"), pausing = part("pausing");
    frozen.gtid = (char *)"0-1-5";
    const AgentRun *barrier[] = {&frozen, &frozen, &pausing};
    assert_true(run_view(barrier, 2).all_stopped);
    assert_false(run_view(barrier, 3).all_stopped);
    assert_false(run_view(barrier, 2).all_aligned);
    frozen.aligned = true;
    assert_true(run_view(barrier, 2).all_aligned);
    assert_false(run_view(barrier, 2).left);
}

static void a_lost_part_counts_no_more(void **state)
{
    (void)state;
    AgentRun first = part("running"), failed = part("resuming error"), third = part("running");
    const AgentRun *parts[] = {&first, &failed, &third};
    assert_false(run_goes_on_without(parts, 1));
    first.split = true;
    assert_true(run_goes_on_without(parts, 1));
    assert_false(run_goes_on_without(parts, 0));
    assert_int_equal(run_view(parts, 3).failed, 1);
    strlist_add(&first.lost, "1");
    assert_true(run_part_is_lost(parts, 1));
    assert_false(run_part_is_lost(parts, 2));
    RunView v = run_view(parts, 3);
    assert_int_equal(v.failed, 3);
    assert_int_equal(v.end, CRUN_EV_OK);
    parts[1] = NULL; /* nor where its agent is gone */
    assert_true(run_view(parts, 3).complete);
    first.state = third.state = ARUN_CAUGHT_UP;
    first.outcome = third.outcome = OUTCOME_OK;
    assert_true(run_view(parts, 3).over);
    assert_false(run_goes_on_without(parts, 2)); /* all was done: nobody does it again */
    strlist_done(&first.lost);
}

static void a_part_is_missed_by_those_who_have_ended(void **state)
{
    (void)state;
    AgentRun first = part("caught_up ok"), other = part("sealing"), sealed = part("resuming ok sealed");
    const AgentRun *parts[] = {&first, &other, &sealed};
    assert_true(run_part_is_missed(parts, 1, 60000));
    assert_false(run_part_is_missed(parts, 1, 59999));
    assert_false(run_part_is_missed(parts, 2, 60000)); /* its files can still be fetched, or not */
    assert_false(run_part_is_missed(parts, 0, 60000));
    first = part("running");
    assert_false(run_part_is_missed(parts, 1, 60000));
}

/* A coordinator that told one part to begin, and not yet the other, goes on with the other. */
static void a_part_left_behind_is_seen(void **state)
{
    (void)state;
    AgentRun behind = part("frozen"), gone = part("running");
    const AgentRun *parts[] = {&behind, &gone};
    behind.gtid = gone.gtid = (char *)"0-1-5";
    assert_false(run_view(parts, 2).left);
    behind.aligned = gone.aligned = true;
    assert_true(run_view(parts, 2).left);
    assert_false(run_view(parts, 2).all_stopped);
    gone.outcome = OUTCOME_ERROR;
    assert_false(run_view(parts, 2).left);
}

/* ---- common GTID -----------------------------------------------------------------------------------------
 */

static void the_most_advanced_is_the_target(void **state)
{
    (void)state;
    static const struct {
        DbFlavor flavor;
        const char *gtid[3];
        int target; /* -1: refused */
    } rows[] = {
        {DB_MARIADB, {"0-1-5", "0-1-9", "0-1-7"}, 1},
        {DB_MARIADB, {"0-1-5", "0-1-5", "0-1-5"}, 0},
        {DB_MARIADB, {"0-1-5,1-1-9", "0-1-6,1-1-9", "0-1-6,1-1-9"}, 1},
        {DB_MARIADB, {"0-1-5,1-1-9", "0-1-6,1-1-8", "0-1-6,1-1-8"}, -1},
        {DB_MARIADB, {"0-1-5", "1-1-6", "0-1-5"}, -1},
        {DB_MARIADB, {"0-1-5", "", "0-1-5"}, -1},
        {DB_MYSQL,
         {"3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5", "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-9",
          "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-3"},
         1},
        {DB_MYSQL,
         {"3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5", "3e11fa47-71ca-11e1-9e33-c80aa9429562:2-9",
          "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-3"},
         -1},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        AlignPart parts[3];
        for (int k = 0; k < 3; k++)
            parts[k] = (AlignPart){"db", rows[i].gtid[k], "binlog.000001", 100 + k};
        RunAlign target = {0};
        Err err = {0};
        bool ok = align_target(rows[i].flavor, parts, 3, &target, &err);
        if (ok != (rows[i].target >= 0))
            fail_msg("row %zu: %s", i, ok ? "not refused" : err.text);
        if (ok) {
            assert_string_equal(target.gtid, rows[i].gtid[rows[i].target]);
            assert_int_equal(target.source_pos, 100 + rows[i].target);
        }
        wire_free(run_align_fields, &target);
    }
    AlignPart equal[] = {{"a", "0-1-5", "f", 1}, {"b", "0-1-5", "f", 1}},
              behind[] = {{"a", "0-1-5", "f", 1}, {"b", "0-1-4", "f", 1}};
    assert_true(align_is_equal(DB_MARIADB, equal, 2));
    assert_false(align_is_equal(DB_MARIADB, behind, 2));
}

/* ---- lag -------------------------------------------------------------------------------------------------
 */

static void lag_is_the_age_of_what_is_missing(void **state)
{
    (void)state;
    LagSamples s = {0};
    assert_int_equal(lag_of(&s, DB_MARIADB, "0-1-1", 1000).ms, -1);
    lag_add(&s, 1000, "0-1-10");
    lag_add(&s, 2000, "0-1-20");
    lag_add(&s, 2500, "0-1-20");
    lag_add(&s, 3000, "0-1-30");
    static const struct {
        const char *applied;
        int64_t trx, ms;
    } rows[] = {{"0-1-30", 0, 0},     {"0-1-31", 0, 0},     {"0-1-29", 1, 1000},
                {"0-1-20", 10, 1000}, {"0-1-19", 11, 2000}, {"0-1-5", 25, 3000}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        NodeLag lag = lag_of(&s, DB_MARIADB, rows[i].applied, 4000);
        assert_int_equal(lag.trx, rows[i].trx);
        assert_int_equal(lag.ms, rows[i].ms);
    }
    assert_int_equal(lag_of(&s, DB_MARIADB, NULL, 4000).ms, -1);
    lag_samples_done(&s);
}

static void a_full_ring_still_knows_old_lags(void **state)
{
    (void)state;
    LagSamples s = {0};
    enum { MANY = 100000 };
    for (int i = 1; i <= MANY; i++) {
        AUTOFREE char *gtid = xasprintf("0-1-%d", i);
        lag_add(&s, i * 1000, gtid);
    }
    assert_true(s.n <= LAG_SAMPLES);
    NodeLag half = lag_of(&s, DB_MARIADB, "0-1-50000", (int64_t)MANY * 1000);
    assert_int_equal(half.trx, MANY - 50000);
    assert_in_range(half.ms, 1, (int64_t)(MANY - 50000) * 1000);
    NodeLag near = lag_of(&s, DB_MARIADB, "0-1-99990", (int64_t)MANY * 1000);
    assert_in_range(near.ms, 9000, 10000);
    lag_samples_done(&s);
}

/* ---- topology
 * ---------------------------------------------------------------------------------------------- */

/* "db0 primary", "db1 replica 3300", "db2 unseen", "db2 down". Servers listen on 3300 + n. */
static Node node(const char *text, int n)
{
    static char names[8][16];
    char role[16] = "", source[16] = "";
    Node x = {.name = names[n]};
    if (sscanf(text, "%15s %15s %15s", names[n], role, source) < 2)
        fail();
    if (strcmp(role, "unseen") == 0)
        return x;
    x.agent.node = names[n];
    x.agent.server = (ServerState){.up = strcmp(role, "down") != 0,
                                   .address = (char *)"127.0.0.1",
                                   .port = 3300 + n,
                                   .is_replica = strcmp(role, "replica") == 0,
                                   .sql_running = true,
                                   .io = RECEIVER_YES,
                                   .source_host = (char *)"127.0.0.1",
                                   .source_port = source[0] ? atoi(source) : 0};
    return x;
}

static void the_primary_is_found_once(void **state)
{
    (void)state;
    static const struct {
        const char *nodes[3];
        const char *primary;
        ErrKind kind;
    } rows[] = {
        {{"db0 primary", "db1 replica 3300", "db2 replica 3300"}, "db0", ERR_NONE},
        {{"db0 replica 3301", "db1 primary", "db2 replica 3300"}, "db1", ERR_NONE},
        {{"db0 primary", "db1 replica 3300", "db2 unseen"}, NULL, ERR_UNREACHABLE},
        {{"db0 down", "db1 replica 3300", "db2 replica 3300"}, NULL, ERR_UNREACHABLE},
        {{"db0 primary", "db1 primary", "db2 replica 3300"}, NULL, ERR_CONFLICT},
        {{"db0 replica 3399", "db1 replica 3399", "db2 replica 3399"}, NULL, ERR_CONFLICT},
        {{"db0 primary", "db1 replica 3300", "db2 replica 3399"}, NULL, ERR_CONFLICT},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        Node n[3];
        const Node *all[3];
        for (int k = 0; k < 3; k++) {
            n[k] = node(rows[i].nodes[k], k);
            all[k] = &n[k];
        }
        const char *name = NULL;
        Err err = {0};
        bool ok = topology_primary(all, 3, &name, &err);
        if (ok != (rows[i].primary != NULL) || err.kind != rows[i].kind)
            fail_msg("row %zu: %s %s", i, name ? name : "-", err.text);
        if (ok)
            assert_string_equal(name, rows[i].primary);
    }
}

static void a_replica_has_a_source(void **state)
{
    (void)state;
    static const struct {
        const char *db1, *source;
    } rows[] = {{"db1 replica 3300", "db0"},
                {"db1 replica 3302", "db2"},
                {"db1 replica 3399", NULL},
                {"db1 primary", NULL}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        Node n[3] = {node("db0 primary", 0), node(rows[i].db1, 1), node("db2 replica 3300", 2)};
        const Node *all[3] = {&n[0], &n[1], &n[2]};
        const char *source = topology_source(all, 3, &n[1]);
        if (!str_eq(source, rows[i].source))
            fail_msg("row %zu: %s", i, source ? source : "none");
    }
}

static void nodes_have_one_word(void **state)
{
    (void)state;
    Node n = node("db1 replica 3300", 1);
    assert_int_equal(topology_node_health(&n, "db0"), NODE_SERVING);
    n.agent.server.io = RECEIVER_CONNECTING;
    assert_int_equal(topology_node_health(&n, "db0"), NODE_CONNECTING);
    n.agent.server.sql_running = false;
    assert_int_equal(topology_node_health(&n, "db0"), NODE_STOPPED);
    AUTO(strlist_done) StrList warnings = STRLIST_INIT;
    topology_warnings(&n, "db0", 0, &warnings);
    assert_string_equal(warnings.v[0], "db1: replication is stopped, and not by Siding: it is left alone");
    n.agent.lease.owner = (char *)"1.1";
    static const struct {
        LeasePhase phase;
        NodeHealth health;
    } phases[] = {{PHASE_PAUSING, NODE_PAUSING},
                  {PHASE_FROZEN, NODE_PAUSED},
                  {PHASE_RESUMING, NODE_CATCHING_UP},
                  {PHASE_RESCUING, NODE_CATCHING_UP},
                  {PHASE_CATCHING_UP, NODE_CATCHING_UP},
                  {PHASE_UNKNOWN, NODE_PAUSED}}; /* of a newer agent: not to be counted as serving */
    for (size_t i = 0; i < COUNT(phases); i++) {
        n.agent.lease.phase = phases[i].phase;
        assert_int_equal(topology_node_health(&n, "db0"), phases[i].health);
    }
    n.agent.server.up = false;
    assert_int_equal(topology_node_health(&n, "db0"), NODE_DOWN);
    n.agent_error = (char *)"refused";
    assert_int_equal(topology_node_health(&n, "db0"), NODE_UNREACHABLE);
    Node alone = node("db2 primary", 2);
    assert_int_equal(topology_node_health(&alone, "db2"), NODE_SERVING);
    assert_int_equal(topology_node_health(&alone, "db0"), NODE_DETACHED);
}

static void a_pause_that_nobody_ends_is_told(void **state)
{
    (void)state;
    static const struct {
        const char *agent_error;
        LeasePhase phase;
        int64_t now_ms;
        const char *said; /* NULL: nothing */
    } rows[] = {
        {NULL, PHASE_FROZEN, 100000, NULL},
        {NULL, PHASE_FROZEN, 210000, NULL},
        {NULL, PHASE_FROZEN, 260000, "beyond its limit: on its host"},
        {"refused", PHASE_FROZEN, 260000, "and its agent cannot be reached"},
        {"refused", PHASE_PAUSING, 100000, "which ends that in"},
        {"refused", PHASE_CATCHING_UP, 260000, NULL},
        {NULL, PHASE_CATCHING_UP, 260000, NULL},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        Node n = node("db1 replica 3300", 1);
        n.agent_error = (char *)rows[i].agent_error;
        n.agent.lease = (LeaseState){.owner = (char *)"1.1", .phase = rows[i].phase, .expires_at = 200000};
        AUTOFREE char *said = topology_pause_trouble(&n, rows[i].now_ms);
        if (!rows[i].said ? said != NULL : !said || !strstr(said, rows[i].said))
            fail_msg("row %zu: %s", i, said ? said : "nothing");
    }
}

static void one_acknowledger_is_told_from_several(void **state)
{
    (void)state;
    static const struct {
        int64_t acks; /* as the primary says */
        bool primary_up, acknowledges;
        ReceiverState io;
        bool sole;
    } rows[] = {
        {1, true, true, RECEIVER_YES, true},
        {0, true, true, RECEIVER_YES, true}, /* read a moment apart */
        {2, true, true, RECEIVER_YES, false},
        {-1, true, true, RECEIVER_YES, false}, /* the primary waits for nobody */
        {1, true, false, RECEIVER_YES, false}, /* it is another one */
        {1, true, true, RECEIVER_CONNECTING, false},
        {1, false, true, RECEIVER_YES, false},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        Node primary = node("db0 primary", 1), n = node("db1 replica 3300", 2);
        primary.agent.server.up = rows[i].primary_up;
        primary.agent.server.semi_sync_acks = rows[i].acks;
        n.agent.server.acknowledges = rows[i].acknowledges;
        n.agent.server.io = rows[i].io;
        if (topology_is_sole_acknowledger(&primary, &n) != rows[i].sole)
            fail_msg("row %zu", i);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(runs_walk_as_the_table_says),
        cmocka_unit_test(every_row_is_whole),
        cmocka_unit_test(parts_are_seen_together),
        cmocka_unit_test(a_result_is_sealed_only_by_all),
        cmocka_unit_test(a_lost_part_counts_no_more),
        cmocka_unit_test(a_part_is_missed_by_those_who_have_ended),
        cmocka_unit_test(a_part_left_behind_is_seen),
        cmocka_unit_test(the_most_advanced_is_the_target),
        cmocka_unit_test(lag_is_the_age_of_what_is_missing),
        cmocka_unit_test(a_full_ring_still_knows_old_lags),
        cmocka_unit_test(the_primary_is_found_once),
        cmocka_unit_test(a_replica_has_a_source),
        cmocka_unit_test(nodes_have_one_word),
        cmocka_unit_test(a_pause_that_nobody_ends_is_told),
        cmocka_unit_test(one_acknowledger_is_told_from_several),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
