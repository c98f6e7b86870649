/* SPDX-License-Identifier: Apache-2.0
 * The look at a server before a pause, a short and a thorough one, and the samples of tables without a key:
 * every statement in order on both flavours, what may not be read, and breaks at each of them.
 */
#include "opscript.h"

#include <unistd.h>

#include "common/db/servercheck.h"
#include "replica-agent/server/op_sample.h"
#include "replica-agent/server/op_survey.h"

/* The processes that a test can name are not servers: over TCP nothing is asked of one. */
static void over_tcp(void)
{
    script_begin(is_mariadb() ? DB_MARIADB : DB_MYSQL, 0);
}

static SurveyIn a_survey(const Relay *r, bool thorough)
{
    return (SurveyIn){.at = agent_server(),
                      .rescuer = rescuer_target(),
                      .has_rescuer = true,
                      .vault_folder = r ? (char *)r->dir : NULL,
                      .thorough = thorough};
}

static const char *level_of(const SurveyOut *out, const char *name)
{
    const Finding *f = out->findings.v;
    for (size_t i = 0; i < out->findings.n; i++)
        if (str_eq(f[i].name, name))
            return f[i].level;
    return NULL;
}

static void survey(const SurveyIn *in, SurveyOut *out, OpResult want, ErrKind kind)
{
    assert_int_equal(op_survey(in, NULL, out), want == OP_DONE);
    if (want == OP_DONE)
        out->err.kind = kind;
    EXPECT_RESULT(*out, want, kind);
    script_end(0);
}

static void survey_ends(const SurveyIn *in, OpResult want, ErrKind kind)
{
    SurveyOut out = {0};
    survey(in, &out, want, kind);
    survey_out_done(&out);
}

/* ---- a short one ----------------------------------------------------------------------------------- */

static void a_replica(void)
{
    Relay r;
    SurveyOut out = {0};
    relay_begin(&r, 3);
    over_tcp();
    expect_open(5000);
    expect_look(view_at(3));
    expect_settings(own_settings());
    expect_paths(&r);
    SurveyIn in = a_survey(&r, false);
    survey(&in, &out, OP_DONE, ERR_NONE);
    assert_string_equal(out.seen.status.applied, at_trx(3));
    assert_string_equal(out.settings.queue_bytes, "131072");
    assert_non_null(out.place.index);
    assert_int_equal(relay_links(&r), 0); /* tried, and taken back */
    assert_int_equal(out.findings.n, 0);
    survey_out_done(&out);
    relay_end(&r);
}
BOTH(a_replica)

static void a_primary(void)
{
    View v = {.primary = true, .applied = 3};
    SurveyOut out = {0};
    expect_open(5000);
    expect_look(v);
    expect_settings(own_settings());
    SurveyIn in = a_survey(NULL, false);
    survey(&in, &out, OP_DONE, ERR_NONE);
    assert_false(out.seen.status.is_replica);
    assert_int_equal(out.findings.n, 0);
    survey_out_done(&out);
}
BOTH(a_primary)

/* Findings, no failure: the caller says what speaks against a pause. */
static void what_speaks_against_a_pause(void)
{
    Relay r;
    relay_begin(&r, 3);
    AUTOFREE char *index = xasprintf("%s/relay.index", r.dir);
    assert_int_equal(unlink(index), 0);
    SurveyOut out = {0};
    Err err;
    expect_open(5000);
    expect_look(both_stopped_at(3));
    expect_settings(own_settings());
    expect_paths(&r);
    SurveyIn in = a_survey(&r, false);
    survey(&in, &out, OP_DONE, ERR_NONE);
    assert_string_equal(level_of(&out, "relay_files"), "error");
    assert_string_equal(level_of(&out, "applier_stopped"), "error");
    assert_string_equal(level_of(&out, "receiver_stopped"), "error");
    assert_false(preflight_allows(&out.findings, &err));
    survey_out_done(&out);
    /* Where they are cannot be asked. */
    expect_open(5000);
    expect_look(view_at(3));
    expect_settings(own_settings());
    EXPECT(PATHS, .fail = ERR_DB);
    survey(&in, &out, OP_DONE, ERR_NONE);
    assert_string_equal(level_of(&out, "relay_files"), "error");
    survey_out_done(&out);
    relay_end(&r);
}
BOTH(what_speaks_against_a_pause)

/* Access is not enough: the files are read. MySQL's are read by the server alone. */
static void relay_files_that_cannot_be_read(void)
{
    static const struct {
        int event; /* what the newest file begins with */
        const char *text, *mend;
    } rows[] = {{164, "is encrypted", "encrypt_binlog=OFF"}, {0, "is not a binary log", "wait until"}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        Relay r;
        AUTO(str_done) Str file = STR_INIT;
        SurveyOut out = {0};
        relay_begin(&r, 3);
        bf_start(&file);
        if (rows[i].event)
            bf_event(&file, rows[i].event, 1, "key", 3);
        else
            memset(file.p, 'x', 4);
        relay_add_file(&r, &file);
        over_tcp();
        expect_open(5000);
        expect_look(view_at(3));
        expect_settings(own_settings());
        expect_paths(&r);
        SurveyIn in = a_survey(&r, false);
        survey(&in, &out, OP_DONE, ERR_NONE);
        const Finding *f = servercheck_first_error(&out.findings);
        assert_int_equal(f != NULL, is_mariadb());
        if (f) {
            assert_string_equal(f->name, "relay_files");
            assert_non_null(strstr(f->text, rows[i].text));
            assert_non_null(strstr(f->mend, rows[i].mend));
        }
        survey_out_done(&out);
        relay_end(&r);
    }
}
BOTH(relay_files_that_cannot_be_read)

static void a_short_one_breaks(void)
{
    static const ErrKind kinds[] = {ERR_DB, ERR_TIMEOUT, ERR_LOST};
    SurveyIn in = a_survey(NULL, false);
    for (size_t i = 0; i < COUNT(kinds); i++) {
        expect_open(5000);
        expect_look_broken(view_at(3), (int)i, kinds[i]);
        survey_ends(&in, OP_FAILED, kinds[i]);
        expect_open(5000);
        expect_look(view_at(3));
        EXPECT(d->settings, .fail = kinds[i]);
        survey_ends(&in, OP_FAILED, kinds[i]);
    }
    EXPECT("CONNECT agent", .fail = ERR_AUTH);
    survey_ends(&in, OP_FAILED, ERR_AUTH);
    Cancel cancel = {false};
    SurveyOut out = {0};
    expect_open(5000);
    EXPECT(d->status, status_columns(), status_row(view_at(3)), .cancel = &cancel.asked);
    assert_false(op_survey(&in, &cancel, &out));
    EXPECT_RESULT(out, OP_FAILED, ERR_CANCELLED);
    script_end(0);
    survey_out_done(&out);
}
BOTH(a_short_one_breaks)

/* ---- a thorough one -------------------------------------------------------------------------------- */

#define VARIABLES "Variable_name|Value"
#define AGENT_GRANTS                                                                                         \
    "GRANT SUPER, RELOAD, PROCESS, REPLICATION SLAVE ADMIN, REPLICATION MASTER ADMIN, SLAVE MONITOR, "       \
    "BINLOG "                                                                                                \
    "MONITOR, BINLOG ADMIN, BINLOG REPLAY, READ_ONLY ADMIN, CONNECTION ADMIN, REPLICATION CLIENT, "          \
    "REPLICATION_SLAVE_ADMIN, SYSTEM_VARIABLES_ADMIN, CONNECTION_ADMIN, BINLOG_ADMIN, XA_RECOVER_ADMIN, "    \
    "REPLICATION SLAVE ON "                                                                                  \
    "*.* TO `siding_agent`@`localhost`"

static const char *const keyless[] = {"SELECT DISTINCT SUBSTRING_INDEX(t.NAME, '#', 1) FROM…",
                                      "SELECT SUBSTRING_INDEX(t.NAME, '#', 1) AS name…"};

/* Of one account: what the server is and what the account may. */
static void expect_server(View v, const char *grants)
{
    EXPECT("SHOW GLOBAL VARIABLES", VARIABLES, "log_bin|ON\nbinlog_format|MIXED\nsync_binlog|1");
    EXPECT("SHOW GLOBAL STATUS LIKE '%open_temp_tables'", VARIABLES, "Slave_open_temp_tables|0");
    EXPECT("SELECT CURRENT_USER()", "u", "siding_agent@localhost");
    EXPECT("SHOW GRANTS", "g", grants);
    expect_look(v);
    EXPECT(d->status, status_columns(), status_row(v));
    EXPECT(keyless[0], "t", "shop/nokey");
}

static void expect_rescuer(View v)
{
    EXPECT("CONNECT rescuer", .ms = 5000);
    expect_server(v, "GRANT RELOAD, SUPER, REPLICATION SLAVE ADMIN, REPLICATION MASTER ADMIN, SLAVE MONITOR, "
                     "BINLOG MONITOR, "
                     "BINLOG ADMIN, READ_ONLY ADMIN ON *.* TO `siding_rescue`@`localhost`");
}

static void expect_seen(View v, const Relay *r)
{
    expect_look(v);
    expect_settings(own_settings());
    if (v.primary)
        return;
    expect_paths(r);
    if (is_mariadb())
        expect_rescuer(v);
}

static void expect_rates(void)
{
    EXPECT("XA RECOVER", "formatID|data", "1|x");
    EXPECT(keyless[1], "name|row_count|changed", "shop/nokey|100|7");
    EXPECT("SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE COMMAND LIKE 'Binlog Dump%'", "n", "0");
    EXPECT("SELECT @@GLOBAL.sync_relay_log", "s", "10000");
}

static void a_replica_thoroughly(void)
{
    Relay r;
    SurveyOut out = {0};
    relay_begin(&r, 3);
    over_tcp();
    expect_open(5000);
    expect_server(view_at(3), AGENT_GRANTS);
    expect_seen(view_at(3), &r);
    expect_rates();
    SurveyIn in = a_survey(&r, true);
    keyless_begin(&in.known.tables);
    keyless_add(&in.known.tables, "shop.gone", 1, 1, 1);
    keyless_end(&in.known.tables);
    in.known.xa_prepared = -1;
    in.known.relay_dir = (char *)"/relay";
    in.known.pause_limit_ms = 600000;
    survey(&in, &out, OP_DONE, ERR_NONE);
    assert_string_equal(level_of(&out, "grants"), "ok");
    assert_string_equal(level_of(&out, "binary_log"), "ok");
    assert_string_equal(level_of(&out, "row_binlog"), "error");
    assert_string_equal(level_of(&out, "keyless_tables"), "warning");
    assert_string_equal(level_of(&out, "boot"), "warning");
    assert_null(level_of(&out, "rescue_account"));
    assert_int_equal(out.facts.xa_prepared, 1);
    assert_string_equal(out.facts.sync_relay_log, "10000");
    assert_string_equal(out.facts.relay_dir, "/relay");
    assert_true(out.facts.tables.sampled);
    assert_int_equal(out.facts.tables.n, 1);
    assert_string_equal(out.facts.tables.v[0].name, "shop.nokey");
    assert_string_equal(in.known.tables.v[0].name, "shop.gone"); /* what was given stays as it was */
    keyless_done(&in.known.tables);
    survey_out_done(&out);
    relay_end(&r);
}
BOTH(a_replica_thoroughly)

static void a_primary_thoroughly(void)
{
    View v = {.primary = true, .applied = 3};
    SurveyOut out = {0};
    over_tcp();
    expect_open(5000);
    expect_server(v, AGENT_GRANTS);
    expect_seen(v, NULL);
    EXPECT("XA RECOVER", "formatID|data", "");
    EXPECT("SHOW GLOBAL STATUS LIKE 'Rpl_semi_sync_%'", VARIABLES,
           is_mariadb() ? "Rpl_semi_sync_master_clients|0\nRpl_semi_sync_master_status|ON"
                        : "Rpl_semi_sync_source_clients|0\nRpl_semi_sync_source_status|ON");
    EXPECT("SELECT @@GLOBAL.binlog_expire_logs_seconds", "s", "86400");
    SurveyIn in = a_survey(NULL, true);
    survey(&in, &out, OP_DONE, ERR_NONE);
    assert_string_equal(level_of(&out, "semi_sync_acks"), "error");
    assert_string_equal(level_of(&out, "purge_horizon"), "ok");
    survey_out_done(&out);
}
BOTH(a_primary_thoroughly)

static bool lacks_a_grant(const SurveyOut *out, const char *text)
{
    const Finding *f = out->findings.v;
    for (size_t i = 0; i < out->findings.n; i++)
        if (str_eq(f[i].name, "grants") && str_eq(f[i].level, "error") && strstr(f[i].text, text))
            return true;
    return false;
}

/* The account that would be needed at night; MySQL's own applier needs none. */
static void the_rescuers_account(void)
{
    Relay r;
    relay_begin(&r, 3);
    for (int how = 0; how < 4; how++) {
        SurveyIn in = a_survey(&r, true);
        SurveyOut out = {0};
        over_tcp();
        in.has_rescuer = how > 0;
        expect_open(5000);
        expect_server(view_at(3), AGENT_GRANTS);
        expect_look(view_at(3));
        expect_settings(own_settings());
        expect_paths(&r);
        if (is_mariadb() && how > 0) {
            EXPECT("CONNECT rescuer", .fail = how == 1 ? ERR_AUTH : ERR_NONE);
            if (how == 2)
                EXPECT("SHOW GLOBAL VARIABLES", .fail = ERR_LOST);
            if (how == 3)
                expect_server(view_at(3), "GRANT SELECT ON *.* TO `siding_rescue`@`localhost`");
        }
        expect_rates();
        survey(&in, &out, OP_DONE, ERR_NONE);
        if (!is_mariadb())
            assert_null(level_of(&out, "rescue_account"));
        else if (how < 3)
            assert_string_equal(level_of(&out, "rescue_account"), "error");
        else
            assert_true(lacks_a_grant(&out, "siding_agent@localhost lacks")); /* as it calls itself here */
        survey_out_done(&out);
    }
    relay_end(&r);
}
BOTH(the_rescuers_account)

/* What the account may not see is left out: its missing grant is a finding. */
static void what_may_not_be_read(void)
{
    Relay r;
    SurveyOut out = {0};
    relay_begin(&r, 3);
    over_tcp();
    expect_open(5000);
    EXPECT("SHOW GLOBAL VARIABLES", VARIABLES, "log_bin|ON");
    EXPECT("SHOW GLOBAL STATUS LIKE '%open_temp_tables'", VARIABLES, "");
    EXPECT("SELECT CURRENT_USER()", "u", "siding_agent@localhost");
    EXPECT("SHOW GRANTS", "g", AGENT_GRANTS);
    expect_look(view_at(3));
    EXPECT(d->status, .fail = ERR_AUTH);
    EXPECT(keyless[0], .fail = ERR_AUTH);
    expect_seen(view_at(3), &r);
    EXPECT("XA RECOVER", .fail = ERR_AUTH);
    EXPECT(keyless[1], .fail = ERR_AUTH);
    EXPECT("SELECT COUNT(*)…", "n", "0");
    EXPECT("SELECT @@GLOBAL.sync_relay_log", "s", "10000");
    SurveyIn in = a_survey(&r, true);
    in.known.xa_prepared = in.known.keyless_changed_count = -1;
    survey(&in, &out, OP_DONE, ERR_NONE);
    assert_int_equal(out.facts.xa_prepared, -1);
    assert_int_equal(out.facts.keyless_changed_count, -1);
    survey_out_done(&out);
    /* Not even the replication: the grant that is missing is named, not the statement. */
    over_tcp();
    expect_open(5000);
    EXPECT("SHOW GLOBAL VARIABLES", VARIABLES, "log_bin|ON");
    EXPECT("SHOW GLOBAL STATUS LIKE '%open_temp_tables'", VARIABLES, "");
    EXPECT("SELECT CURRENT_USER()", "u", "siding_agent@localhost");
    EXPECT("SHOW GRANTS", "g", "GRANT USAGE ON *.* TO `siding_agent`@`localhost`");
    EXPECT(d->status, .fail = ERR_AUTH);
    EXPECT(d->status, .fail = ERR_AUTH);
    EXPECT(keyless[0], .fail = ERR_AUTH);
    EXPECT(d->status, .fail = ERR_AUTH);
    survey(&in, &out, OP_FAILED, ERR_REFUSED);
    assert_non_null(strstr(out.err.text, "GRANT "));
    survey_out_done(&out);
    relay_end(&r);
}
BOTH(what_may_not_be_read)

/* One that cannot be finished says nothing for a pause. */
static void a_thorough_one_breaks(void)
{
    static const ErrKind kinds[] = {ERR_DB, ERR_TIMEOUT, ERR_LOST};
    for (size_t i = 0; i < COUNT(kinds); i++) {
        View v = {.primary = true, .applied = 3};
        SurveyIn in = a_survey(NULL, true);
        over_tcp();
        expect_open(5000);
        EXPECT("SHOW GLOBAL VARIABLES", .fail = kinds[i]);
        survey_ends(&in, OP_FAILED, kinds[i]);
        expect_open(5000);
        expect_server(v, AGENT_GRANTS);
        expect_seen(v, NULL);
        EXPECT("XA RECOVER", "formatID|data", "");
        EXPECT("SHOW GLOBAL STATUS LIKE 'Rpl_semi_sync_%'", .fail = kinds[i]);
        survey_ends(&in, OP_FAILED, kinds[i]);
        expect_open(5000);
        expect_server(v, AGENT_GRANTS);
        expect_seen(v, NULL);
        EXPECT("XA RECOVER", "formatID|data", "");
        EXPECT("SHOW GLOBAL STATUS LIKE 'Rpl_semi_sync_%'", VARIABLES, "");
        EXPECT("SELECT @@GLOBAL.binlog_expire_logs_seconds", .fail = kinds[i]);
        survey_ends(&in, OP_FAILED, kinds[i]);
    }
    static const char *const last[] = {"SELECT SUBSTRING_INDEX…", "SELECT COUNT(*)…",
                                       "SELECT @@GLOBAL.sync_relay_log"};
    Relay r;
    relay_begin(&r, 3);
    for (size_t i = 0; i < COUNT(last); i++) {
        SurveyIn in = a_survey(&r, true);
        over_tcp();
        expect_open(5000);
        expect_server(view_at(3), AGENT_GRANTS);
        expect_seen(view_at(3), &r);
        EXPECT("XA RECOVER", "formatID|data", "");
        if (i > 0)
            EXPECT(keyless[1], "name|row_count|changed", "");
        if (i > 1)
            EXPECT("SELECT COUNT(*)…", "n", "0");
        EXPECT(last[i], .fail = ERR_LOST);
        survey_ends(&in, OP_FAILED, ERR_LOST);
    }
    relay_end(&r);
}
BOTH(a_thorough_one_breaks)

/* ---- samples --------------------------------------------------------------------------------------- */

static void sampled(void)
{
    SampleIn in = {agent_server(), 1};
    SampleOut out = {0};
    EXPECT("CONNECT agent", .ms = 5000); /* reads only: nothing of it could be logged */
    EXPECT(keyless[1], "name|row_count|changed", "shop/nokey|100|7\nshop/other|5|0");
    assert_true(op_sample(&in, NULL, &out));
    assert_int_equal(out.tables.n, 2);
    assert_string_equal(out.tables.v[0].name, "shop.nokey");
    assert_int_equal(out.tables.v[0].rows, 100);
    assert_int_equal(out.tables.v[0].counter, 7);
    script_end(0);
    sample_out_done(&out);
    static const ErrKind kinds[] = {ERR_AUTH, ERR_TIMEOUT, ERR_LOST};
    for (size_t i = 0; i < COUNT(kinds); i++) {
        EXPECT("CONNECT agent");
        EXPECT(keyless[1], .fail = kinds[i]);
        assert_false(op_sample(&in, NULL, &out));
        EXPECT_RESULT(out, OP_FAILED, kinds[i]);
        script_end(0);
        sample_out_done(&out);
    }
}
BOTH(sampled)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TESTS_OF(a_replica),
        TESTS_OF(a_primary),
        TESTS_OF(what_speaks_against_a_pause),
        TESTS_OF(relay_files_that_cannot_be_read),
        TESTS_OF(a_short_one_breaks),
        TESTS_OF(a_replica_thoroughly),
        TESTS_OF(a_primary_thoroughly),
        TESTS_OF(the_rescuers_account),
        TESTS_OF(what_may_not_be_read),
        TESTS_OF(a_thorough_one_breaks),
        TESTS_OF(sampled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
