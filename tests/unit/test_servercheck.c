/* SPDX-License-Identifier: Apache-2.0
 * What the facts of a server are judged to mean.
 */
#include "test.h"

#include "common/db/servercheck.h"

typedef struct Setting {
    const char *name, *value;
} Setting;

static const Setting good_mariadb[] = {
    {"log_bin", "ON"},
    {"gtid_strict_mode", "ON"},
    {"binlog_format", "ROW"},
    {"log_slave_updates", "ON"},
    {"relay_log_recovery", "OFF"},
    {"relay_log_space_limit", "0"},
    {"relay_log", "relay"},
    {"encrypt_binlog", "OFF"},
    {"slave_open_temp_tables", "0"},
    {"sync_binlog", "1"},
    {"innodb_flush_log_at_trx_commit", "1"},
    {"rpl_semi_sync_master_wait_point", "AFTER_SYNC"},
    {"rpl_semi_sync_master_timeout", "60000"},
    {"rpl_semi_sync_slave_enabled", "ON"},
    {"local_infile", "ON"},
    {"binlog_expire_logs_seconds", "0"},
    {"max_allowed_packet", "16777216"},
};

static const Setting good_mysql[] = {
    {"log_bin", "ON"},
    {"gtid_mode", "ON"},
    {"enforce_gtid_consistency", "ON"},
    {"log_replica_updates", "ON"},
    {"relay_log_recovery", "OFF"},
    {"relay_log_space_limit", "0"},
    {"replica_preserve_commit_order", "ON"},
    {"replica_open_temp_tables", "0"},
    {"sync_binlog", "1"},
    {"innodb_flush_log_at_trx_commit", "1"},
    {"rpl_semi_sync_source_wait_point", "AFTER_SYNC"},
    {"rpl_semi_sync_source_timeout", "60000"},
    {"rpl_semi_sync_replica_enabled", "ON"},
    {"local_infile", "ON"},
    {"binlog_expire_logs_seconds", "2592000"},
    {"max_allowed_packet", "67108864"},
    {"max_error_count", "1024"},
};

#define MARIADB_AGENT                                                                                        \
    "GRANT PROCESS, SUPER, BINLOG MONITOR, BINLOG ADMIN, BINLOG REPLAY, CONNECTION ADMIN, READ_ONLY ADMIN,"  \
    " REPLICATION SLAVE ADMIN, REPLICATION MASTER ADMIN, SLAVE MONITOR ON *.* TO `siding_agent`@`localhost`"

static ServerFacts good(DbFlavor flavor)
{
    ServerFacts f = {.boot_known = true, .skips_start = true, .read_only_in_options = true};
    f.version = flavor == DB_MARIADB ? (DbVersion){DB_MARIADB, 10, 11, 6, "10.11.6-MariaDB"}
                                     : (DbVersion){DB_MYSQL, 9, 7, 4, "9.7.4"};
    size_t n = flavor == DB_MARIADB ? COUNT(good_mariadb) : COUNT(good_mysql);
    for (size_t i = 0; i < n; i++) {
        const Setting *s = flavor == DB_MARIADB ? &good_mariadb[i] : &good_mysql[i];
        strlist_add(&f.names, s->name);
        strlist_add(&f.values, s->value);
    }
    f.repl = (ReplStatus){.is_replica = true,
                          .channels = 1,
                          .io = REPL_IO_YES,
                          .sql_running = true,
                          .uses_gtid = true,
                          .read_only = true};
    f.account = xstrdup("siding_agent@localhost");
    if (flavor == DB_MARIADB) {
        strlist_add(&f.grants, MARIADB_AGENT " IDENTIFIED BY PASSWORD '*00'");
    } else {
        strlist_add(&f.grants,
                    "GRANT RELOAD, PROCESS, REPLICATION CLIENT ON *.* TO `siding_agent`@`localhost`");
        strlist_add(
            &f.grants,
            "GRANT BINLOG_ADMIN,REPLICATION SLAVE,XA_RECOVER_ADMIN,CONNECTION_ADMIN,REPLICATION_SLAVE_ADMIN,"
            "SYSTEM_VARIABLES_ADMIN ON *.* TO `siding_agent`@`localhost`");
    }
    return f;
}

static void set(ServerFacts *f, const char *name, const char *value)
{
    for (size_t i = 0; i < f->names.n; i++)
        if (strcmp(f->names.v[i], name) == 0) {
            free(f->values.v[i]);
            f->values.v[i] = xstrdup(value);
            return;
        }
    fail_msg("no variable %s", name);
}

/* The only finding that is not ok; NULL if all are. */
static const Finding *complaint(const WireList *findings)
{
    const Finding *bad = NULL, *f = findings->v;
    for (size_t i = 0; i < findings->n; i++) {
        if (strcmp(f[i].level, "ok") == 0)
            continue;
        if (bad)
            fail_msg("two complaints: %s; %s", bad->text, f[i].text);
        bad = &f[i];
    }
    return bad;
}

/* A server that has all gets no line that would change it; one that lacks something, that line. */
static void an_option_file_says_what_is_lacking(void **state)
{
    (void)state;
    AUTO(str_done) Str well = STR_INIT, lacks = STR_INIT, unseen = STR_INIT, mysql = STR_INIT;
    ServerFacts f = good(DB_MARIADB), g = good(DB_MYSQL);
    servercheck_options(DB_MARIADB, &f, &well);
    assert_null(strstr(well.p, "log_bin="));
    assert_null(strstr(well.p, "max_allowed_packet"));
    assert_null(strstr(well.p, "relay_log="));
    assert_non_null(strstr(well.p, "\nskip_slave_start=ON\n"));
    set(&f, "relay_log", "");
    f.repl.relay_name = xstrdup("mysqld-relay-bin");
    set(&f, "log_bin", "OFF");
    set(&f, "max_allowed_packet", "1024");
    servercheck_options(DB_MARIADB, &f, &lacks);
    assert_non_null(strstr(lacks.p, "\nrelay_log=mysqld-relay-bin\n"));
    assert_non_null(strstr(lacks.p, "\nlog_bin=binlog\n"));
    assert_non_null(strstr(lacks.p, "\nmax_allowed_packet="));
    servercheck_options(DB_MARIADB, NULL, &unseen);
    assert_null(strstr(unseen.p, "max_allowed_packet"));
    assert_non_null(strstr(unseen.p, "\ngtid_strict_mode=ON\n"));
    servercheck_options(DB_MYSQL, &g, &mysql);
    assert_null(strstr(mysql.p, "plugin_load_add"));
    assert_non_null(strstr(mysql.p, "\nsuper_read_only=ON\n"));
    server_facts_done(&f);
    server_facts_done(&g);
}

static void good_servers_pass(void **state)
{
    (void)state;
    for (int flavor = DB_MARIADB; flavor <= DB_MYSQL; flavor++) {
        ServerFacts f = good((DbFlavor)flavor);
        WireList findings = {0};
        servercheck_judge(&f, "siding_agent", &findings);
        const Finding *bad = complaint(&findings);
        if (bad)
            fail_msg("%s", bad->text);
        assert_null(servercheck_first_error(&findings));
        assert_true(findings.n > 12);
        servercheck_free(&findings);
        server_facts_done(&f);
    }
}

static void wrong_variables_are_told(void **state)
{
    (void)state;
    static const struct {
        DbFlavor flavor;
        const char *variable, *value, *name, *level, *mend;
    } cases[] = {
        {DB_MARIADB, "log_bin", "OFF", "binary_log", "error",
         "log_bin in the server's option file, and neither skip_log_bin nor disable_log_bin, then restart "
         "the server"},
        {DB_MARIADB, "gtid_strict_mode", "OFF", "gtid", "error",
         "SET GLOBAL gtid_strict_mode='ON'; and gtid_strict_mode=ON in the server's option file"},
        {DB_MYSQL, "gtid_mode", "ON_PERMISSIVE", "gtid", "error",
         "SET GLOBAL gtid_mode='ON'; and gtid_mode=ON in the server's option file"},
        {DB_MARIADB, "binlog_format", "MIXED", "row_binlog", "error",
         "SET GLOBAL binlog_format='ROW'; and binlog_format=ROW in the server's option file"},
        {DB_MYSQL, "replica_preserve_commit_order", "OFF", "commit_order", "error",
         "STOP REPLICA SQL_THREAD; SET GLOBAL replica_preserve_commit_order='ON'; START REPLICA SQL_THREAD; "
         "and replica_preserve_commit_order=ON in the server's option file"},
        {DB_MYSQL, "relay_log_recovery", "ON", "relay_log_recovery", "error",
         "relay_log_recovery=OFF in the server's option file, then restart the server"},
        {DB_MARIADB, "encrypt_binlog", "ON", "encrypted_relay_log", "error",
         "encrypt_binlog=OFF in the server's option file, then restart the server"},
        {DB_MARIADB, "relay_log_space_limit", "1073741824", "relay_log_space_limit", "error",
         "relay_log_space_limit=0 in the server's option file, then restart the server"},
        {DB_MARIADB, "sync_binlog", "0", "sync_binlog", "warning",
         "SET GLOBAL sync_binlog=1; and sync_binlog=1 in the server's option file"},
        {DB_MARIADB, "rpl_semi_sync_master_timeout", "10000", "semi_sync_timeout", "warning",
         "SET GLOBAL rpl_semi_sync_master_timeout=30000; and rpl_semi_sync_master_timeout=30000 in the "
         "server's option file"},
        {DB_MYSQL, "gtid_mode", "OFF", "gtid", "error",
         "SET GLOBAL gtid_mode='OFF_PERMISSIVE'; SET GLOBAL gtid_mode='ON_PERMISSIVE'; SET GLOBAL "
         "gtid_mode='ON'; and gtid_mode=ON in the server's option file"},
        {DB_MYSQL, "gtid_mode", "ON_PERMISSIVE", "gtid", "error",
         "SET GLOBAL gtid_mode='ON'; and gtid_mode=ON in the server's option file"},
        {DB_MARIADB, "gtid_strict_mode", "OFF", "gtid", "error",
         "SET GLOBAL gtid_strict_mode='ON'; and gtid_strict_mode=ON in the server's option file"},
        {DB_MYSQL, "max_error_count", "0", "max_error_count", "error",
         "SET GLOBAL max_error_count=64; and max_error_count=64 in the server's option file"},
        {DB_MARIADB, "max_allowed_packet", "65536", "max_allowed_packet", "error",
         "SET GLOBAL max_allowed_packet=1048576; and max_allowed_packet=1048576 in the server's option file"},
        {DB_MARIADB, "binlog_expire_logs_seconds", "3600", "binlog_expiry", "warning",
         "SET GLOBAL binlog_expire_logs_seconds=86400; and binlog_expire_logs_seconds=86400 in the server's "
         "option file"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        ServerFacts f = good(cases[i].flavor);
        set(&f, cases[i].variable, cases[i].value);
        WireList findings = {0};
        servercheck_judge(&f, NULL, &findings);
        const Finding *bad = complaint(&findings);
        assert_non_null(bad);
        assert_string_equal(bad->name, cases[i].name);
        assert_string_equal(bad->level, cases[i].level);
        assert_string_equal(bad->mend, cases[i].mend);
        assert_non_null(strstr(bad->text, cases[i].variable));
        servercheck_free(&findings);
        server_facts_done(&f);
    }
}

typedef void (*Break)(ServerFacts *f);
static void old(ServerFacts *f)
{
    f->version.minor = 6;
}
static void newer(ServerFacts *f)
{
    f->version = (DbVersion){DB_MARIADB, 11, 8, 2, "11.8.2-MariaDB"};
}
static void starts_by_itself(ServerFacts *f)
{
    f->skips_start = false;
}
static void writable_at_boot(ServerFacts *f)
{
    f->read_only_in_options = false;
}
static void seen_over_tcp(ServerFacts *f)
{
    f->boot_known = false;
}
static void named_source(ServerFacts *f)
{
    f->repl.channel = xstrdup("east");
    f->repl.source_host = xstrdup("db7");
    f->repl.source_port = 3307;
}
static void two_sources(ServerFacts *f)
{
    f->repl.channels = 2;
}
static void by_file(ServerFacts *f)
{
    f->repl.uses_gtid = false;
}
static void writable(ServerFacts *f)
{
    f->repl.read_only = false;
}
static void filtered(ServerFacts *f)
{
    strlist_add(&f->filters, "Replicate_Ignore_Table=shop.log");
}
static void without_siding(ServerFacts *f)
{
    strlist_add(&f->filters, "Replicate_Do_DB=shop,crm");
}
static void with_siding(ServerFacts *f)
{
    strlist_add(&f->filters, "Replicate_Do_DB=shop,siding");
}
static void rewritten(ServerFacts *f)
{
    strlist_add(&f->filters, "Replicate_Rewrite_DB=shop->crm");
}
static void siding_rewritten(ServerFacts *f)
{
    strlist_add(&f->filters, "Replicate_Rewrite_DB=shop->crm,siding->other");
}
static void keyless(ServerFacts *f)
{
    f->keyless_count = 2;
    strlist_add(&f->keyless, "shop.log");
}
static void no_process(ServerFacts *f)
{
    strlist_done(&f->grants);
    strlist_add(&f->grants, "GRANT USAGE ON *.* TO `siding_agent`@`localhost`");
}

static void other_faults_are_told(void **state)
{
    (void)state;
    static const struct {
        Break how;
        const char *name, *level, *text;
    } cases[] = {
        {old, "version", "error", "Siding needs mariadb 10.11 or newer"},
        {newer, "version", "warning", "11.8.2-MariaDB is newer than 10.11"},
        {starts_by_itself, "skip_start", "error", "skip_slave_start is not set"},
        {writable_at_boot, "read_only_at_boot", "warning", "read_only is not in"},
        {seen_over_tcp, "boot", "warning", "cannot tell"},
        {named_source, "channels", "error", "the named connection \"east\""},
        {two_sources, "channels", "error", "follows 2 sources"},
        {by_file, "gtid_positioning", "error", "not by GTID"},
        {writable, "read_only", "error", "writable"},
        {filtered, "filters", "warning", "shop.log"},
        {without_siding, "filters", "error", "the queue does not reach it"},
        {with_siding, "filters", "warning", "it does not hold everything"},
        {rewritten, "filters", "warning", "it does not hold everything"},
        {siding_rewritten, "filters", "error", "the queue does not reach it"},
        {keyless, "keyless_tables", "warning", "2 tables have no primary or unique key (shop.log, …)"},
        {no_process, "grants", "error", "lacks SUPER, PROCESS, REPLICATION SLAVE ADMIN"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        ServerFacts f = good(DB_MARIADB);
        cases[i].how(&f);
        WireList findings = {0};
        servercheck_judge(&f, "siding_agent", &findings);
        const Finding *bad = complaint(&findings);
        assert_non_null(bad);
        assert_string_equal(bad->name, cases[i].name);
        assert_string_equal(bad->level, cases[i].level);
        if (!strstr(bad->text, cases[i].text))
            fail_msg("\"%s\" does not say \"%s\"", bad->text, cases[i].text);
        assert_non_null(bad->mend);
        servercheck_free(&findings);
        server_facts_done(&f);
    }
}

static void missing_privileges(void **state)
{
    (void)state;
    static const struct {
        const char *line, *wanted, *on, *missing;
    } cases[] = {
        {"GRANT SELECT, INSERT ON `a`.* TO `u`@`%`", "SELECT, INSERT", "a.*", NULL},
        {"GRANT SELECT, INSERT ON `a`.* TO `u`@`%`", "SELECT, DELETE", "a.*", "DELETE"},
        {"GRANT SELECT ON *.* TO `u`@`%`", "SELECT", "a.*", NULL},
        {"GRANT SELECT ON `a`.* TO `u`@`%`", "SELECT", "*.*", "SELECT"},
        {"GRANT ALL PRIVILEGES ON *.* TO `u`@`%` WITH GRANT OPTION", "SUPER, PROCESS", "*.*", NULL},
        {"GRANT SELECT ON `a\\_b`.* TO `u`@`%`", "SELECT", "a_b.*", NULL},
        {"GRANT `role` TO `u`@`%`", "SELECT", "*.*", "SELECT"},
        {"GRANT ON *.* TO `u`@`%`", "SELECT", "*.*", "SELECT"}, /* the words overlap */
        {"GRANT SHOW VIEW ON *.* TO `u`@`%`", "SHOW", "*.*", "SHOW"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO(strlist_done) StrList grants = STRLIST_INIT;
        strlist_add(&grants, cases[i].line);
        AUTOFREE char *missing = servercheck_missing(&grants, cases[i].wanted, cases[i].on);
        if (!str_eq(missing, cases[i].missing))
            fail_msg("%s: \"%s\"", cases[i].line, missing ? missing : "(none)");
    }
}

static void the_mend_is_a_statement(void **state)
{
    (void)state;
    ServerFacts f = good(DB_MYSQL);
    strlist_done(&f.grants);
    strlist_add(&f.grants, "GRANT RELOAD, PROCESS, REPLICATION CLIENT ON *.* TO `siding_agent`@`localhost`");
    WireList findings = {0};
    servercheck_judge(&f, "siding_agent", &findings);
    const Finding *bad = complaint(&findings);
    assert_non_null(bad);
    assert_string_equal(
        bad->mend, "GRANT REPLICATION_SLAVE_ADMIN, SYSTEM_VARIABLES_ADMIN, CONNECTION_ADMIN, "
                   "BINLOG_ADMIN, XA_RECOVER_ADMIN, REPLICATION SLAVE ON *.* TO 'siding_agent'@'localhost'");
    assert_ptr_equal(servercheck_first_error(&findings), bad);
    servercheck_free(&findings);
    server_facts_done(&f);
}

/* A rescue that cannot take its own connection away again is told of before it is needed. */
static void the_rescuer_may_reset(void **state)
{
    (void)state;
    static const char most[] =
        "SUPER, REPLICATION SLAVE ADMIN, REPLICATION MASTER ADMIN, SLAVE MONITOR, BINLOG "
        "MONITOR, BINLOG ADMIN, READ_ONLY ADMIN ON *.* TO `siding_rescue`@`localhost`";
    for (int may = 0; may <= 1; may++) {
        ServerFacts f = {.version = {DB_MARIADB, 10, 11, 6, "10.11.6-MariaDB"}};
        WireList findings = {0};
        strlist_addf(&f.grants, "GRANT %s%s", may ? "RELOAD, " : "", most);
        servercheck_judge_grants(&f, "siding_rescue", &findings);
        const Finding *error = servercheck_first_error(&findings);
        if (may)
            assert_null(error);
        else
            assert_non_null(strstr(error->text, "lacks RELOAD"));
        servercheck_free(&findings);
        server_facts_done(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_servers_pass),        cmocka_unit_test(an_option_file_says_what_is_lacking),
        cmocka_unit_test(wrong_variables_are_told), cmocka_unit_test(other_faults_are_told),
        cmocka_unit_test(missing_privileges),       cmocka_unit_test(the_mend_is_a_statement),
        cmocka_unit_test(the_rescuer_may_reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
