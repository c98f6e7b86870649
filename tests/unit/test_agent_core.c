/* SPDX-License-Identifier: Apache-2.0
 * The agent's other decisions: lease clock, what a boot does, how replication may be started,
 * preflight, arguments of jobs.
 */
#include "test.h"

#include "replica-agent/core/boot.h"
#include "replica-agent/core/joblist.h"
#include "replica-agent/core/preflight.h"

/* ---- lease ---------------------------------------------------------------------------------------- */

static void lease_clock(void **state)
{
    (void)state;
    enum { HOUR = 3600000 };
    static const struct {
        const char *boot;
        int64_t mono, wall, left;
    } cases[] = {
        {"a", 1000, 5000, 600000},           /* just taken */
        {"a", 301000, 5000, 300000},         /* half of it */
        {"a", 301000, 5000 + HOUR, 300000},  /* the wall clock was set forward: nothing changes */
        {"a", 301000, 5000 - HOUR, 300000},  /* or back */
        {"b", 77, 5000 + 400000, 200000},    /* rebooted: the wall clock is what is left */
        {"b", 77, 5000 + 700000, -100000},   /* rebooted and over */
        {"", 301000, 5000 + 100000, 500000}, /* boot ids unknown */
    };
    Lease l = {.limit_ms = 600000, .taken_mono_ms = 1000, .taken_at = 5000, .boot_id = (char *)"a"};
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_int_equal(lease_left_ms(&l, cases[i].boot, cases[i].mono, cases[i].wall), cases[i].left);
}

static void server_identity(void **state)
{
    (void)state;
    char *a = (char *)"a", *b = (char *)"b";
    static const int64_t t = 1000000;
    const struct {
        LeaseServer x, y;
        ServerSame same;
    } cases[] = {
        {{10, 500, t, a}, {10, 500, t, a}, SERVER_SAME},
        {{10, 500, t, a}, {10, 501, t, a}, SERVER_OTHER}, /* the pid was used again */
        {{10, 500, t, a}, {11, 500, t, a}, SERVER_OTHER},
        {{10, 500, t, a}, {10, 500, t, b}, SERVER_OTHER}, /* another boot */
        {{0, 0, t, a}, {0, 0, t + 1000, a}, SERVER_SAME}, /* uptime's grain */
        {{0, 0, t, a}, {0, 0, t + 9000, a}, SERVER_OTHER},
        {{0, 0, 0, a}, {0, 0, t, a}, SERVER_UNKNOWN},
        {{10, 500, t, a}, {0, 0, t, a}, SERVER_SAME},
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_int_equal(lease_server_compare(&cases[i].x, &cases[i].y), cases[i].same);
}

static void a_lease_reads_back(void **state)
{
    (void)state;
    Err err;
    Lease l = {.owner = (char *)"12.1",
               .state = (char *)"frozen",
               .gtid = (char *)"0-1-7",
               .boosted = true,
               .limit_ms = 5};
    l.original.workers = (char *)"4";
    l.replay.buffered_trx = 9;
    AUTOJSON json_t *j = wire_write(lease_fields, &l);
    Lease back = {0};
    assert_ok(wire_read(lease_fields, j, &back, &err), err);
    assert_string_equal(back.owner, "12.1");
    assert_string_equal(back.original.workers, "4");
    assert_true(back.boosted);
    assert_int_equal(back.replay.buffered_trx, 9);
    wire_free(lease_fields, &back);
}

/* ---- boot ----------------------------------------------------------------------------------------- */

static void boot(void **state)
{
    (void)state;
    static const struct {
        PauseState lease;
        BootServer server;
        BootThreads threads;
        BootOwner owner;
        bool hold;
        BootAction action;
    } cases[] = {
        /* no pause */
        {PAUSE_NONE, BOOT_OTHER, BOOT_BOTH_STOPPED, BOOT_OWNER_GONE, false, BOOT_START},
        {PAUSE_NONE, BOOT_SAME, BOOT_BOTH_STOPPED, BOOT_OWNER_GONE, false, BOOT_LEAVE_ALONE},
        {PAUSE_NONE, BOOT_SAME, BOOT_SQL_STOPPED, BOOT_OWNER_GONE, false, BOOT_LEAVE_ALONE},
        {PAUSE_NONE, BOOT_OTHER, BOOT_SQL_STOPPED, BOOT_OWNER_GONE, false, BOOT_LEAVE_ALONE},
        {PAUSE_NONE, BOOT_OTHER, BOOT_SQL_RUNNING, BOOT_OWNER_GONE, false, BOOT_NOTHING},
        {PAUSE_NONE, BOOT_SAME, BOOT_SQL_RUNNING, BOOT_OWNER_GONE, false, BOOT_NOTHING},
        /* frozen, the same server */
        {PAUSE_FROZEN, BOOT_SAME, BOOT_SQL_STOPPED, BOOT_OWNER_ALIVE, false, BOOT_CONTINUE},
        {PAUSE_FROZEN, BOOT_SAME, BOOT_BOTH_STOPPED, BOOT_OWNER_ALIVE, false, BOOT_CONTINUE},
        {PAUSE_FROZEN, BOOT_SAME, BOOT_SQL_RUNNING, BOOT_OWNER_ALIVE, false, BOOT_MOVED},
        {PAUSE_FROZEN, BOOT_SAME, BOOT_SQL_STOPPED, BOOT_OWNER_GONE, false, BOOT_RELEASE},
        {PAUSE_FROZEN, BOOT_SAME, BOOT_SQL_STOPPED, BOOT_OWNER_ENDING, false, BOOT_RELEASE},
        /* the server restarted */
        {PAUSE_FROZEN, BOOT_OTHER, BOOT_BOTH_STOPPED, BOOT_OWNER_ALIVE, false, BOOT_RESTARTED},
        {PAUSE_FROZEN, BOOT_OTHER, BOOT_BOTH_STOPPED, BOOT_OWNER_ALIVE, true, BOOT_RESTARTED_HELD},
        {PAUSE_FROZEN, BOOT_OTHER, BOOT_SQL_RUNNING, BOOT_OWNER_ALIVE, true, BOOT_RESTARTED},
        {PAUSE_FROZEN, BOOT_OTHER, BOOT_BOTH_STOPPED, BOOT_OWNER_GONE, true, BOOT_RESTARTED},
        {PAUSE_PAUSING, BOOT_OTHER, BOOT_BOTH_STOPPED, BOOT_OWNER_ALIVE, false, BOOT_RESTARTED},
        {PAUSE_CATCHING_UP, BOOT_OTHER, BOOT_BOTH_STOPPED, BOOT_OWNER_ENDING, false, BOOT_RESTARTED},
        {PAUSE_RESTORING, BOOT_OTHER, BOOT_BOTH_STOPPED, BOOT_OWNER_ENDING, false, BOOT_RESTARTED},
        {PAUSE_RESCUING, BOOT_OTHER, BOOT_BOTH_STOPPED, BOOT_OWNER_GONE, false, BOOT_RESTARTED},
        {PAUSE_RESCUING, BOOT_SAME, BOOT_BOTH_STOPPED, BOOT_OWNER_GONE, false, BOOT_CONTINUE},
        /* the agent restarted on the way */
        {PAUSE_PAUSING, BOOT_SAME, BOOT_SQL_RUNNING, BOOT_OWNER_ALIVE, false, BOOT_CONTINUE},
        {PAUSE_PAUSING, BOOT_SAME, BOOT_SQL_STOPPED, BOOT_OWNER_GONE, false, BOOT_RELEASE},
        {PAUSE_ALIGNING, BOOT_SAME, BOOT_SQL_RUNNING, BOOT_OWNER_ALIVE, false, BOOT_GIVE_UP},
        {PAUSE_ABANDONED, BOOT_SAME, BOOT_SQL_RUNNING, BOOT_OWNER_GONE, false, BOOT_CONTINUE},
        {PAUSE_RESUMING, BOOT_SAME, BOOT_SQL_STOPPED, BOOT_OWNER_ENDING, false, BOOT_CONTINUE},
        {PAUSE_CATCHING_UP, BOOT_SAME, BOOT_SQL_RUNNING, BOOT_OWNER_ENDING, false, BOOT_CONTINUE},
        {PAUSE_RESTORING, BOOT_SAME, BOOT_SQL_STOPPED, BOOT_OWNER_ENDING, false, BOOT_CONTINUE},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        const BootRow *r =
            boot_decide(cases[i].lease, cases[i].server, cases[i].threads, cases[i].owner, cases[i].hold);
        if (r->action != cases[i].action)
            fail_msg("case %zu: action %d (%s)", i, (int)r->action, r->reason);
    }
}

/* A pause that exists is never answered with a START that knows nothing of it. */
static void boot_never_starts_over_a_lease(void **state)
{
    (void)state;
    for (int lease = PAUSE_PAUSING; lease < PAUSE_STATES; lease++)
        for (int n = 0; n < 2 * 3 * 3 * 2; n++) {
            const BootRow *r = boot_decide((PauseState)lease, (BootServer)(n % 2), (BootThreads)(n / 2 % 3),
                                           (BootOwner)(n / 6 % 3), n / 18);
            assert_int_not_equal(r->action, BOOT_START);
            assert_int_not_equal(r->action, BOOT_LEAVE_ALONE);
        }
}

static void start_ways(void **state)
{
    (void)state;
    static const struct {
        StartInput in;
        StartWay way;
    } cases[] = {
        {{.sql_running = true, .io = REPL_IO_YES}, START_NOT_NEEDED},
        {{.sql_running = true, .io = REPL_IO_NO},
         START_NOT_NEEDED}, /* somebody's, or an error of the receiver */
        {{.sql_running = true, .io = REPL_IO_NO, .fresh_server = true}, START_BOTH},
        {{.io = REPL_IO_YES}, START_SQL},
        {{.io = REPL_IO_CONNECTING}, START_SQL},
        {{.io = REPL_IO_CONNECTING, .buffer = BUFFER_BEYOND}, START_SQL},
        {{.io = REPL_IO_NO, .buffer = BUFFER_APPLIED}, START_BOTH},
        {{.io = REPL_IO_NO, .buffer = BUFFER_BEYOND}, START_RESCUE},
        {{.io = REPL_IO_NO, .buffer = BUFFER_BEYOND, .fresh_server = true}, START_RESCUE},
        {{.io = REPL_IO_NO, .buffer = BUFFER_BEYOND, .source_answers = true, .can_refetch = true},
         START_RESCUE},
        {{.io = REPL_IO_NO, .buffer = BUFFER_UNKNOWN, .source_answers = true}, START_UNREADABLE},
        {{.io = REPL_IO_NO, .buffer = BUFFER_UNKNOWN, .fresh_server = true}, START_UNREADABLE},
        {{.io = REPL_IO_NO, .buffer = BUFFER_ERRANT, .source_answers = true}, START_ERRANT},
        {{.io = REPL_IO_NO, .buffer = BUFFER_CRASHED}, START_CRASHED},
        {{.io = REPL_IO_NO, .buffer = BUFFER_CRASHED, .source_answers = true}, START_CRASHED},
        {{.io = REPL_IO_NO, .buffer = BUFFER_CRASHED, .can_refetch = true}, START_CRASHED},
        {{.io = REPL_IO_NO, .buffer = BUFFER_CRASHED, .source_answers = true, .can_refetch = true},
         START_REFETCH},
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_int_equal(start_decide(&cases[i].in), cases[i].way);
}

/* Both threads are started together only where nothing received can be lost by it. */
static void a_start_of_both_needs_proof(void **state)
{
    (void)state;
    for (int n = 0; n < 5 * 2 * 2 * 2; n++) {
        StartInput in = {.io = REPL_IO_NO,
                         .buffer = (BufferState)(n % 5),
                         .fresh_server = n / 5 % 2,
                         .source_answers = n / 10 % 2,
                         .can_refetch = n / 20};
        assert_int_equal(start_decide(&in) == START_BOTH, in.buffer == BUFFER_APPLIED);
    }
}

/* ---- the buffer ----------------------------------------------------------------------------------- */

static void buffer(void **state)
{
    (void)state;
    static const struct {
        BufferInput in;
        BufferState want;
        const char *errant;
    } cases[] = {
        {{DB_MARIADB, "0-1-5", "0-1-5", "0-1-5", 2, false}, BUFFER_APPLIED, NULL},
        {{DB_MARIADB, "0-1-5", "0-1-5", "", 2, false}, BUFFER_APPLIED, NULL}, /* empty files */
        {{DB_MARIADB, "0-1-5", "0-1-5", "0-1-9", 2, false}, BUFFER_BEYOND, NULL},
        {{DB_MARIADB, "0-1-5", "0-1-9", "0-1-9", 2, false},
         BUFFER_BEYOND,
         NULL}, /* a rescue was cut off at its end */
        {{DB_MARIADB, "0-1-5", "0-1-6", "", 2, false},
         BUFFER_BEYOND,
         NULL}, /* or the applier between DDL and position */
        {{DB_MARIADB, "0-1-9", "0-1-6", "0-1-9", 2, false}, BUFFER_APPLIED, NULL}, /* its own log was reset */
        {{DB_MARIADB, "0-1-5", "0-1-7", "0-1-9", 2, false}, BUFFER_BEYOND, NULL},
        {{DB_MARIADB, "0-1-5,7-1-2", "0-1-5,7-1-2", "0-1-4,7-1-3", 2, false}, BUFFER_BEYOND, NULL},
        {{DB_MARIADB, "0-1-5", "0-1-5", "0-1-5,7-1-1", 2, false}, BUFFER_BEYOND, NULL}, /* a new domain */
        {{DB_MARIADB, "0-1-5", "0-1-5", NULL, 2, false}, BUFFER_UNKNOWN, NULL},
        {{DB_MARIADB, "0-1-5", "what", "0-1-9", 2, false}, BUFFER_UNKNOWN, NULL},
        {{DB_MARIADB, "0-1-5", "0-2-6", "0-1-9", 2, false}, BUFFER_ERRANT, "0-2-6"},
        {{DB_MARIADB, "0-1-7", "0-2-6", "0-1-9", 2, false}, BUFFER_BEYOND, NULL}, /* a primary of old */
        {{DB_MARIADB, "0-1-5", "0-1-5,8-2-3", "0-1-9", 2, false},
         BUFFER_BEYOND,
         NULL}, /* a domain of its own */
        {{DB_MARIADB, "0-1-5", "0-1-5,8-2-3", "0-1-9,8-1-4", 2, false}, BUFFER_ERRANT, "8-2-3"},
        {{DB_MARIADB, "0-1-5", "0-2-6", "0-1-5", 2, false}, BUFFER_APPLIED, NULL},
        {{DB_MARIADB, "0-1-5", "0-1-5", "0-1-5", 2, true}, BUFFER_CRASHED, NULL},
        {{DB_MYSQL, "aaaaaaaa-0000-0000-0000-000000000001:1-5", "aaaaaaaa-0000-0000-0000-000000000001:1-5",
          "aaaaaaaa-0000-0000-0000-000000000001:1-6", 2, false},
         BUFFER_BEYOND,
         NULL},
        {{DB_MYSQL, "aaaaaaaa-0000-0000-0000-000000000001:1-5", "aaaaaaaa-0000-0000-0000-000000000001:1-5",
          "aaaaaaaa-0000-0000-0000-000000000001:3-5", 2, false},
         BUFFER_APPLIED,
         NULL},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTOFREE char *errant = NULL;
        BufferState got = buffer_judge(&cases[i].in, &errant);
        if (got != cases[i].want)
            fail_msg("case %zu: %d", i, (int)got);
        assert_true(str_eq(errant, cases[i].errant));
    }
}

static void crashed_while_boosted(void **state)
{
    (void)state;
    char *a = (char *)"a";
    static const char *const none = NULL;
    const struct {
        Lease l;
        const char *boot;
        bool crashed;
    } cases[] = {
        {{.boosted = true, .boost_boot_id = a}, "a", false},
        {{.boosted = true, .boost_boot_id = a}, "b", true},
        {{.boosted = false, .boost_boot_id = a}, "b", false},
        {{.boosted = true}, "b", false},
        {{.boosted = true, .boost_boot_id = a}, none, false},
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_int_equal(lease_crashed_boosted(&cases[i].l, cases[i].boot), cases[i].crashed);
}

static void what_was_relaxed_counts_until_it_is_durable(void **state)
{
    (void)state;
    Lease l = {0};
    lease_boost(&l, false, "one", 1000);
    assert_false(l.durable);
    assert_true(lease_crashed_boosted(&l, "two"));
    lease_boost(&l, true, "one", 1000); /* started again: what was committed before is not on the disk */
    assert_false(l.durable);
    assert_true(lease_crashed_boosted(&l, "two"));
    lease_durable(&l);
    assert_true(l.durable);
    assert_false(lease_crashed_boosted(&l, "two"));
    lease_boost(&l, false, "two", 1000); /* once more: nothing is relaxed any more in this lease */
    assert_true(l.durable);
    assert_false(lease_crashed_boosted(&l, "three"));
    wire_free(lease_fields, &l);

    lease_boost(&l, true, "one", 1000);
    assert_true(l.boosted && l.durable);
    assert_false(lease_crashed_boosted(&l, "two"));
    wire_free(lease_fields, &l);
}

/* ---- preflight ----------------------------------------------------------------------------------- */

static void preflight(void **state)
{
    (void)state;
    static const struct {
        ReplStatus s;
        const char *error; /* part of the refusal; NULL: allowed */
    } cases[] = {
        {{.is_replica = true, .io = REPL_IO_YES, .sql_running = true}, NULL},
        {{.is_replica = true, .io = REPL_IO_CONNECTING, .sql_running = true, .source_host = (char *)"p"},
         NULL},
        {{.is_replica = true, .io = REPL_IO_YES}, "the applier is stopped and Siding did not stop it"},
        {{.is_replica = true, .io = REPL_IO_NO, .sql_running = true}, "the receiver is stopped"},
        {{.is_replica = false}, NULL},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        Err err;
        WireList findings = {0};
        preflight_threads(flavor_of(DB_MARIADB), &cases[i].s, "db1", &findings);
        bool allowed = preflight_allows(&findings, &err);
        assert_int_equal(allowed, !cases[i].error);
        if (!allowed)
            assert_non_null(strstr(err.text, cases[i].error));
        for (size_t k = 0; k < findings.n; k++)
            wire_free(finding_fields, (Finding *)findings.v + k);
        free(findings.v);
    }
}

/* ---- jobs ----------------------------------------------------------------------------------------- */

static void arguments(void **state)
{
    (void)state;
    static const struct {
        const char *arg;
        bool allowed;
    } cases[] = {
        {"abc", true},       {"--limit=10", true}, {"", false},    {"abc; rm -rf /", false}, {"xabc1", false},
        {"--limit=", false}, {"abc\n", false},     {"a|b", false}, {"--limit=10x", false},
    };
    AUTO(strlist_done) StrList allow = STRLIST_INIT;
    strlist_add(&allow, "^[a-z]+$");
    strlist_add(&allow, "--limit=[0-9]+");
    for (size_t i = 0; i < COUNT(cases); i++) {
        Err err;
        AUTO(strlist_done) StrList args = STRLIST_INIT;
        strlist_add(&args, cases[i].arg);
        assert_int_equal(joblist_check_args("counts", &args, &allow, &err), cases[i].allowed);
        if (!cases[i].allowed) {
            assert_int_equal(err.kind, ERR_REFUSED);
            assert_non_null(strstr(err.text, "job \"counts\" may not be given the argument"));
        }
    }
}

static void no_pattern_no_argument(void **state)
{
    (void)state;
    Err err;
    StrList none = STRLIST_INIT;
    AUTO(strlist_done) StrList args = STRLIST_INIT;
    assert_ok(joblist_check_args("j", &none, &none, &err), err);
    strlist_add(&args, "a");
    assert_false(joblist_check_args("j", &args, &none, &err));
    assert_false(joblist_check_pattern("([a-z", &err));
    assert_true(joblist_check_pattern("^(a|b)$", &err));
}

static void option_files(void **state)
{
    (void)state;
    ClientCnf c = {0};
    client_cnf_parse("[mysqld]\nuser=mysql\n[client]\n# password=no\nuser = "
                     "siding_job\npassword=\"s#c\"\n[dump]\nuser=x\n",
                     &c);
    assert_string_equal(c.user, "siding_job");
    assert_string_equal(c.password, "s#c");
    assert_null(c.socket);
    c.socket = xstrdup("/run/s");
    AUTO(str_done) Str out = STR_INIT;
    client_cnf_write(&out, &c);
    assert_string_equal(str_z(&out), "[client]\nuser=\"siding_job\"\npassword=\"s#c\"\nsocket=\"/run/s\"\n");
    client_cnf_done(&c);
}

/* A password goes from the administrator's file into the job's, and comes to the client library as it was
 * meant. */
static void passwords_survive_option_files(void **state)
{
    (void)state;
    static const struct {
        const char *line, *password;
    } cases[] = {
        {"password=simple", "simple"},    {"password = \"two words\" # a comment", "two words"},
        {"password='s#c'", "s#c"},        {"password=s#c", "s"},
        {"password=\"a\\\\b\"", "a\\b"},  {"password=\"a\\\"b\"", "a\"b"},
        {"password=a\\nb\\sc", "a\nb c"}, {"password=a\\qb", "a\\qb"},
        {"password='it''s'", "it''s"},    {"password=", ""},
        {"password=a=b", "a=b"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        ClientCnf first = {0}, second = {0};
        AUTO(str_done) Str out = STR_INIT;
        AUTOFREE char *text = xasprintf("[client]\n%s\n", cases[i].line);
        client_cnf_parse(text, &first);
        assert_string_equal(first.password, cases[i].password);
        client_cnf_write(&out, &first);
        client_cnf_parse(str_z(&out), &second);
        assert_string_equal(second.password ? second.password : "", cases[i].password);
        client_cnf_done(&first);
        client_cnf_done(&second);
    }
}

static void names_in_braces_are_replaced(void **state)
{
    (void)state;
    static const struct {
        const char *arg, *expanded;
    } cases[] = {
        {"--dir={SIDING_RESULT_DIR}/x", "--dir=/r/1.1/x"},
        {"{SIDING_GTID}{SIDING_GTID}", "0-1-7,1-1-20-1-7,1-1-2"},
        {"{SIDING_GT}", "{SIDING_GT}"},
        {"{}", "{}"},
        {"{", "{"},
        {"}{a{SIDING_EMPTY}}", "}{a}"},
        {"SELECT '{\"a\": 1}'", "SELECT '{\"a\": 1}'"},
        {"", ""},
    };
    StrList env = STRLIST_INIT;
    strlist_add(&env, "SIDING_RESULT_DIR=/r/1.1");
    strlist_add(&env, "SIDING_GTID=0-1-7,1-1-2");
    strlist_add(&env, "SIDING_EMPTY=");
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTOFREE char *got = joblist_expand(cases[i].arg, &env);
        assert_string_equal(got, cases[i].expanded);
    }
    strlist_done(&env);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lease_clock),
        cmocka_unit_test(server_identity),
        cmocka_unit_test(a_lease_reads_back),
        cmocka_unit_test(boot),
        cmocka_unit_test(boot_never_starts_over_a_lease),
        cmocka_unit_test(start_ways),
        cmocka_unit_test(a_start_of_both_needs_proof),
        cmocka_unit_test(buffer),
        cmocka_unit_test(crashed_while_boosted),
        cmocka_unit_test(what_was_relaxed_counts_until_it_is_durable),
        cmocka_unit_test(preflight),
        cmocka_unit_test(arguments),
        cmocka_unit_test(no_pattern_no_argument),
        cmocka_unit_test(option_files),
        cmocka_unit_test(passwords_survive_option_files),
        cmocka_unit_test(names_in_braces_are_replaced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
