/* SPDX-License-Identifier: Apache-2.0
 * Who may become the primary, and what is said against it: one fault at a time.
 */
#include "orchestrator/core/candidate.h"

#include "test.h"

enum { NODES = 3 };
static Node nodes[NODES];

static void build(void)
{
    static const char *const names[] = {"db0", "db1", "db2"};
    for (int i = 0; i < NODES; i++) {
        wire_free(node_fields, &nodes[i]);
        nodes[i].name = xstrdup(names[i]);
        nodes[i].agent.node = xstrdup(names[i]);
        nodes[i].agent.server = (ServerState){.up = true,
                                              .flavor = xstrdup("mariadb"),
                                              .version = xstrdup("10.11.19-MariaDB"),
                                              .address = xstrdup("127.0.0.1"),
                                              .port = 3306 + i,
                                              .uses_gtid = true,
                                              .is_replica = i > 0,
                                              .source_host = i ? xstrdup("127.0.0.1") : NULL,
                                              .source_port = i ? 3306 : 0,
                                              .applied = xstrdup("0-1-9"),
                                              .binlog = xstrdup("0-1-9")};
    }
}

static bool alone; /* failover.alone */

static void expect(const char *only, const char *never, const char *avoid)
{
    AUTO(strlist_done) StrList no = STRLIST_INIT, better = STRLIST_INIT, named = STRLIST_INIT;
    AUTO(strlist_done) StrList shunned = STRLIST_INIT;
    strlist_add(&named, "db9");
    CandidateRules rules = {&named, &shunned, only, 60000, alone};
    const Node *all[] = {&nodes[0], &nodes[1], &nodes[2]};
    candidate_reasons(all, NODES, &nodes[0], &nodes[1], &rules, &no, &better);
    AUTOFREE char *said = strlist_join(&no, "; ");
    AUTOFREE char *against = strlist_join(&better, "; ");
    assert_string_equal(said ? said : "", never);
    assert_string_equal(against ? against : "", avoid);
    build();
}

static void trait(int node, const char *text)
{
    free(nodes[node].agent.server.traits);
    nodes[node].agent.server.traits = xstrdup(text);
}

/* Of what is known of both; a word is compared as a whole. */
static void settings_that_differ(void **state)
{
    (void)state;
    build();
    trait(1, "sql_mode=ANSI");
    expect(NULL, "", "");
    trait(0, "gtid_domain_id=0 lower_case_table_names=0 sql_mode= time_zone=SYSTEM");
    trait(1, "gtid_domain_id=0 lower_case_table_names=0 sql_mode= time_zone=SYSTEM max_allowed_packet=1");
    expect(NULL, "", "");
    trait(0, "sql_mode=A");
    trait(1, "an_other=B sql_mode2=B sql_mode=A");
    expect(NULL, "", "");
    trait(0, "gtid_domain_id=0 sql_mode=A,B");
    trait(1, "gtid_domain_id=9 sql_mode=A,B");
    expect(NULL,
           "its gtid_domain_id is \"9\", that of db0 \"0\": it would write in another domain than all others "
           "have",
           "");
    trait(0, "gtid_domain_id=0 sql_mode=A,B");
    trait(1, "gtid_domain_id=0 sql_mode=A");
    expect(
        NULL, "",
        "its sql_mode is \"A\", that of db0 \"A,B\": statements of applications would do otherwise, or fail");
}

/* Semi-sync that only a person switches on is no obstacle where nobody could acknowledge: no other server
 * answers, and failover.alone says that this is enough. */
static void semi_sync_that_nobody_switches_on(void **state)
{
    (void)state;
    static const char said[] =
        "semi-sync as a source is off on it, and semi_sync = \"leave\" in its agent.conf "
        "keeps its agent from switching it on";
    build();
    for (int row = 0; row < 8; row++) {
        bool there = row & 1, up = row & 2;
        alone = row & 4;
        nodes[1].agent.server.left_without_semi_sync = true;
        if (!there)
            nodes[2].agent_error = xstrdup("connection refused");
        nodes[2].agent.server.up = up;
        bool forgiven = alone && !(there && up);
        expect(NULL, forgiven ? "" : said, forgiven ? said : "");
    }
    alone = false;
    nodes[2].agent.server.left_without_semi_sync = true; /* another's */
    expect(NULL, "", "");
}

/* What a binary log leaves out cannot be read from it: by filters, or as nothing is written to it. */
static void logs_that_lack_something(void **state)
{
    (void)state;
    ServerState *s = &nodes[1].agent.server;
    build();
    assert_false(candidate_log_is_partial(&nodes[1]));
    s->filters = xstrdup("Replicate_Do_DB=x");
    assert_true(candidate_log_is_partial(&nodes[1]));
    build();
    str_set(&s->binlog, "");
    assert_true(candidate_log_is_partial(&nodes[1]));
    str_set(&s->applied, ""); /* it has applied nothing yet */
    assert_false(candidate_log_is_partial(&nodes[1]));
}

static void whom_others_could_not_follow(void **state)
{
    (void)state;
    build();
    SourceFault *f = wire_list_add(&nodes[2].agent.source_faults, sizeof *f);
    *f = (SourceFault){xstrdup("db1"), xstrdup("Access denied")};
    f = wire_list_add(&nodes[2].agent.source_faults, sizeof *f);
    *f = (SourceFault){xstrdup("db0"), xstrdup("no route to host")};
    expect(NULL, "", "db2 could not replicate from it: Access denied");
}

static void one_fault_at_a_time(void **state)
{
    (void)state;
    ServerState *s = &nodes[1].agent.server;
    build();
    expect(NULL, "", "");
    expect("db1", "", "");
    expect("db2", "db2 was asked for", "");
    nodes[1].agent_error = xstrdup("connection refused");
    expect(NULL, "its agent does not answer: connection refused", "");
    s->up = false;
    s->error = xstrdup("it was killed");
    expect(NULL, "its server is down: it was killed", "");
    s->is_replica = false;
    expect(NULL, "it is not a replica", "");
    s->uses_gtid = false;
    expect(NULL, "it replicates without GTID positions", "");
    str_set(&s->binlog, "");
    expect(NULL,
           "its binary log lacks what it has applied: log_bin and log_slave_updates (MySQL: "
           "log_replica_updates) must be on",
           "");
    s->filters = xstrdup("Replicate_Do_DB=x");
    expect(NULL, "it leaves out what its filters say: Replicate_Do_DB=x", "");
    s->delay_s = 3600;
    expect(NULL, "it is delayed by 60 min 00 s on purpose", "");
    s->disk = DISK_READ_ONLY;
    s->disk_folder = xstrdup("/data");
    expect(NULL, "the disk of /data is read-only", "");
    s->disk = DISK_STALLED;
    s->disk_folder = xstrdup("/data");
    expect(NULL, "", "a write to the disk of /data does not come back");
    s->sql_error = xstrdup("Duplicate entry");
    expect(NULL, "its applier has failed: Duplicate entry", "");
    s->source_port = 3308;
    expect(NULL, "it replicates from db2, not from the primary", "");
    s->source_port = 3999;
    expect(NULL, "it replicates from an unknown server, not from the primary", "");
    nodes[1].agent.lease.owner = xstrdup("12.1");
    expect(NULL, "", "it is paused (12.1): what it has received is applied first");
    s->source_port = 3999; /* the primary was never heard: nobody can tell where it is */
    free(STEAL(nodes[0].agent.node));
    expect(NULL, "", "");
    nodes[1].lag_ms = 60000;
    expect(NULL, "", "");
    nodes[1].lag_ms = 61000;
    expect(NULL, "", "it is 61.0 s behind");
    str_set(&s->version, "11.4.2-MariaDB");
    expect(NULL, "",
           "it is newer (11.4.2-MariaDB) than db0 (10.11.19-MariaDB), which may not be able to follow it");
}

static void names_of_the_configuration(void **state)
{
    (void)state;
    build();
    AUTO(strlist_done) StrList no = STRLIST_INIT, better = STRLIST_INIT, named = STRLIST_INIT;
    strlist_add(&named, "db1");
    CandidateRules rules = {&named, &named, NULL, 60000};
    const Node *all[] = {&nodes[0], &nodes[1], &nodes[2]};
    candidate_reasons(all, NODES, &nodes[0], &nodes[1], &rules, &no, &better);
    candidate_reasons(all, NODES, &nodes[0], &nodes[0], &rules, &no, &better);
    assert_int_equal(no.n, 2);
    assert_string_equal(no.v[0], "failover.never of sidingd.conf names it");
    assert_string_equal(no.v[1], "it is the primary");
    assert_int_equal(better.n, 1);
    for (int i = 0; i < NODES; i++)
        wire_free(node_fields, &nodes[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_fault_at_a_time),          cmocka_unit_test(settings_that_differ),
        cmocka_unit_test(whom_others_could_not_follow), cmocka_unit_test(logs_that_lack_something),
        cmocka_unit_test(names_of_the_configuration),   cmocka_unit_test(semi_sync_that_nobody_switches_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
