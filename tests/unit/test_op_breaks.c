/* SPDX-License-Identifier: Apache-2.0
 * Every operation, from every state of the replication threads, broken at each of its statements in each way:
 * refused, connection lost or answer late, with the statement done or not, and cancelled. Against a server
 * that is simulated here: what it holds only in its relay files must never be thrown away, what an operation
 * says must be so, and a start and a restore without a break always lead back.
 */
#include "opscript.h"

#include "common/base/log.h"
#include "replica-agent/server/op_align.h"
#include "replica-agent/server/op_durable.h"
#include "replica-agent/server/op_restore.h"
#include "replica-agent/server/op_retune.h"
#include "replica-agent/server/op_role.h"
#include "replica-agent/server/op_sample.h"
#include "replica-agent/server/op_start.h"
#include "replica-agent/server/op_stop.h"
#include "replica-agent/server/op_survey.h"
#include "replica-agent/server/op_verify.h"

enum { HELD = 7, MOST_STATEMENTS = 60 };

/* ---- a simulated server ---------------------------------------------------------------------------- */

typedef struct Sim {
    Relay relay; /* files with HELD transactions */
    ReplIo io;
    bool sql;
    int applied, until; /* until: where the applier stops to apply; 0: nowhere */
    char settings[6][16];
    bool read_only, semi_sync;
    int purged; /* STARTs and RESETs that threw away what was not applied */
} Sim;

static void set_setting(Sim *s, int i, const char *value, size_t n)
{
    snprintf(s->settings[i], sizeof s->settings[i], "%.*s", (int)n, value);
}

static LeaseSettings settings_of(Sim *s)
{
    return (LeaseSettings){s->settings[0], s->settings[1], s->settings[2],
                           s->settings[3], s->settings[4], s->settings[5]};
}

static void take_settings(Sim *s, LeaseSettings from)
{
    const char *const values[] = {from.sync_binlog,   from.flush_log,  from.workers,
                                  from.parallel_mode, from.sync_relay, from.queue_bytes};
    for (int i = 0; i < 6; i++)
        set_setting(s, i, values[i], strlen(values[i]));
}

static void assign(Sim *s, const char *sql)
{
    const char *const names[] = {"sync_binlog",    "innodb_flush_log_at_trx_commit",
                                 d->workers,       "slave_parallel_mode",
                                 "sync_relay_log", d->queue_bytes};
    const char *name = sql + strlen("SET GLOBAL "), *equals = strchr(name, '=');
    for (int i = 0; i < 6; i++)
        if (strlen(names[i]) == (size_t)(equals - name) &&
            strncmp(names[i], name, (size_t)(equals - name)) == 0) {
            const char *value = equals + 1 + (equals[1] == '\'');
            set_setting(s, i, value, strcspn(value, "'"));
            return;
        }
    fail_msg("the simulated server does not know %s", sql);
}

/* One transaction. The thread stops by itself at the first event beyond the place it was told. */
static void goes_on(Sim *s)
{
    if (s->sql && s->until && s->applied >= s->until) {
        s->sql = false;
        s->until = 0;
    }
    if (s->sql && s->applied < HELD)
        s->applied++;
}

static View view_of(const Sim *s)
{
    View v = view_at(s->applied);
    v.io = s->io;
    v.sql = s->sql;
    v.received = HELD;
    return v;
}

/* Both threads stood: MariaDB deletes its relay files. */
static void begins(Sim *s, bool receiver)
{
    if (is_mariadb() && !s->sql && s->io == REPL_IO_NO && s->applied < HELD)
        s->purged++;
    s->sql = true;
    if (receiver)
        s->io = REPL_IO_YES;
}

static bool controls(Sim *s, const char *sql)
{
    if (str_starts(sql, "SET GLOBAL ") && (str_eq(sql, d->read_only_on) || str_eq(sql, d->read_only_off)))
        s->read_only = str_eq(sql, d->read_only_on);
    else if (str_eq(sql, d->semi_sync_on) || str_eq(sql, d->semi_sync_off))
        s->semi_sync = str_eq(sql, d->semi_sync_on);
    else if (str_starts(sql, "SET GLOBAL "))
        assign(s, sql);
    else if (str_eq(sql, d->stop_sql) || str_eq(sql, d->stop_both)) {
        s->io = str_eq(sql, d->stop_both) ? REPL_IO_NO : s->io;
        s->sql = false;
        s->until = 0;
    } else if (str_eq(sql, d->start_sql) || str_eq(sql, d->start_both))
        begins(s, str_eq(sql, d->start_both));
    else if (str_starts(sql, d->start_sql)) {
        begins(s, false);
        s->until = 5;
    } else
        return false;
    return true;
}

/* The last number of the position that is waited for. */
static int target_of(const char *sql)
{
    const char *end = strchr(strchr(sql, '\'') + 1, '\'');
    while (end[-1] >= '0' && end[-1] <= '9')
        end--;
    return atoi(end);
}

static bool reads(Sim *s, const char *sql, Script *ret)
{
    static const struct {
        const char *sql, *columns, *rows;
    } fixed[] = {
        {"SHOW GLOBAL STATUS LIKE 'Uptime'", "Variable_name|Value", "Uptime|5000"},
        {"SHOW GLOBAL STATUS LIKE '%open", "Variable_name|Value", ""},
        {"SHOW GLOBAL STATUS LIKE 'Slave_open", "Variable_name|Value", "Slave_open_temp_tables|0"},
        {"SHOW GLOBAL STATUS LIKE 'Replica_open", "Variable_name|Value", "Replica_open_temp_tables|0"},
        {"SHOW GLOBAL STATUS LIKE 'Rpl_semi_sync", "Variable_name|Value", ""},
        {"SHOW GLOBAL VARIABLES", "Variable_name|Value", "log_bin|ON"},
        {"SELECT CURRENT_USER()", "u", "siding_agent@localhost"},
        {"SHOW GRANTS", "g", "GRANT ALL PRIVILEGES ON *.* TO `x`@`y`"},
        {"SELECT DISTINCT SUBSTRING_INDEX", "t", ""},
        {"SELECT SUBSTRING_INDEX", "name|row_count|changed", "a/b|1|1"},
        {"XA RECOVER", "data", ""},
        {"SELECT COUNT(*)", "n", "0"},
        {"SELECT @@GLOBAL.sync_relay_log", "v", "1"},
        {"SELECT COALESCE(MIN(id), 0) FROM information_schema.processlist", "l", "0"},
    };
    if (str_eq(sql, d->status))
        goes_on(s);
    if (str_eq(sql, d->status))
        *ret = (Script){.sql = sql, .columns = status_columns(), .rows = status_row(view_of(s))};
    else if (str_starts(sql, "SELECT @@global.gtid_"))
        *ret = (Script){.sql = sql, .columns = POSITION_COLUMNS, .rows = position_row(view_of(s))};
    else if (str_eq(sql, d->settings))
        *ret = (Script){.sql = sql, .columns = SETTINGS_COLUMNS, .rows = settings_row(settings_of(s))};
    else if (str_starts(sql, "SELECT @@global.datadir"))
        *ret = (Script){.sql = sql, .columns = PATHS_COLUMNS, .rows = paths_row(&s->relay)};
    else if (str_starts(sql, "SELECT MASTER_GTID_WAIT") || str_starts(sql, "SELECT WAIT_FOR_")) {
        goes_on(s);
        *ret = (Script){.sql = sql, .columns = "w", .rows = s->applied >= target_of(sql) ? "0" : "-1"};
    } else {
        for (size_t i = 0; i < COUNT(fixed); i++)
            if (str_starts(sql, fixed[i].sql)) {
                *ret = (Script){.sql = sql, .columns = fixed[i].columns, .rows = fixed[i].rows};
                return true;
            }
        return false;
    }
    return true;
}

static void answer(void *arg, const char *user, const char *sql, Script *ret)
{
    static const char *const unseen[] = {"CONNECT ", "SET SESSION ", "KILL ", "DO 1"};
    (void)user;
    for (size_t i = 0; i < COUNT(unseen); i++)
        if (str_starts(sql, unseen[i]))
            return;
    if (!controls(arg, sql) && !reads(arg, sql, ret))
        fail_msg("the simulated server does not know %s\n%s", sql, script_log());
    if (script_sent() > MOST_STATEMENTS)
        fail_msg("no end:\n%s", script_log());
}

/* ---- the operations -------------------------------------------------------------------------------- */

typedef struct Ended {
    OpResult result;
    Err err;
    StartWay way;
} Ended;

typedef Ended (*Operation)(Sim *s, const Cancel *cancel);

static Ended survey(Sim *s, const Cancel *cancel)
{
    SurveyIn in = {.at = agent_server(),
                   .rescuer = rescuer_target(),
                   .has_rescuer = true,
                   .thorough = true,
                   .vault_folder = s->relay.dir};
    SurveyOut out = {0};
    op_survey(&in, cancel, &out);
    Ended e = {out.result, out.err, 0};
    survey_out_done(&out);
    return e;
}

static Ended sample(Sim *s, const Cancel *cancel)
{
    (void)s;
    SampleIn in = {agent_server(), 1};
    SampleOut out = {0};
    op_sample(&in, cancel, &out);
    Ended e = {out.result, out.err, 0};
    sample_out_done(&out);
    return e;
}

static Ended verify(Sim *s, const Cancel *cancel)
{
    (void)s;
    VerifyIn in = {.at = agent_server(), .gtid = (char *)at_trx(3), .binlog_gtid = (char *)at_trx(3)};
    VerifyOut out = {0};
    op_verify(&in, cancel, &out);
    Ended e = {out.result, out.err, 0};
    verify_out_done(&out);
    return e;
}

static Ended stop(Sim *s, const Cancel *cancel)
{
    StopIn in = {.at = agent_server(),
                 .timeout_ms = 30000,
                 .first = true,
                 .whole_ms = 1000,
                 .sync_relay = true,
                 .hold = true,
                 .vault_folder = s->relay.dir};
    StopOut out = {0};
    op_stop(&in, cancel, &out);
    Ended e = {out.result, out.err, 0};
    stop_out_done(&out);
    return e;
}

static Ended align(Sim *s, const Cancel *cancel)
{
    (void)s;
    AlignIn in = {.at = agent_server(),
                  .timeout_ms = 30000,
                  .gtid = (char *)at_trx(5),
                  .source_file = (char *)"binlog.000007",
                  .source_pos = 4711};
    AlignOut out = {0};
    op_align(&in, cancel, &out);
    Ended e = {out.result, out.err, 0};
    align_out_done(&out);
    return e;
}

static Ended start(Sim *s, const Cancel *cancel)
{
    StartIn in = {.at = agent_server(),
                  .rescuer = rescuer_target(),
                  .timeout_ms = 30000,
                  .vault_folder = s->relay.dir,
                  .original = own_settings(),
                  .boost = true,
                  .boosted = boosted_settings()};
    StartOut out = {0};
    op_start(&in, cancel, &out);
    Ended e = {out.result, out.err, out.way};
    start_out_done(&out);
    return e;
}

static Ended retune(Sim *s, const Cancel *cancel)
{
    (void)s;
    RetuneIn in = {agent_server(), boosted_settings()};
    RetuneOut out = {0};
    op_retune(&in, cancel, &out);
    Ended e = {out.result, out.err, 0};
    retune_out_done(&out);
    return e;
}

static Ended durable(Sim *s, const Cancel *cancel)
{
    DurableIn in = {.at = agent_server(),
                    .sync_binlog = (char *)"1",
                    .flush_log = (char *)"1",
                    .vault_folder = s->relay.dir};
    DurableOut out = {0};
    op_durable(&in, cancel, &out);
    Ended e = {out.result, out.err, 0};
    durable_out_done(&out);
    return e;
}

static Ended restore(Sim *s, const Cancel *cancel)
{
    RestoreIn in = {.at = agent_server(),
                    .vault_folder = s->relay.dir,
                    .original = own_settings(),
                    .boosted = true,
                    .all_ours = true};
    RestoreOut out = {0};
    op_restore(&in, cancel, &out);
    Ended e = {out.result, out.err, 0};
    restore_out_done(&out);
    return e;
}

static Ended role(Sim *s, const Cancel *cancel)
{
    (void)s;
    RoleIn in = {agent_server(), true};
    RoleOut out = {0};
    op_role(&in, cancel, &out);
    Ended e = {out.result, out.err, 0};
    role_out_done(&out);
    return e;
}

/* ---- what must hold -------------------------------------------------------------------------------- */

static bool same_settings(Sim *s, LeaseSettings want)
{
    return str_eq(settings_row(settings_of(s)), settings_row(want));
}

static bool unchanged(Sim *before, Sim *after)
{
    return before->io == after->io && before->sql == after->sql && before->read_only == after->read_only &&
           before->semi_sync == after->semi_sync && same_settings(after, settings_of(before));
}

typedef bool (*Holds)(Sim *before, Sim *after, const Ended *e);

static bool nothing_changed(Sim *before, Sim *after, const Ended *e)
{
    (void)e;
    return unchanged(before, after);
}

static bool holds_verified(Sim *before, Sim *after, const Ended *e)
{
    return unchanged(before, after) && (e->result != OP_DONE || (before->applied == 3 && !before->sql));
}

/* Refused: nothing was stopped, or it stands and nobody knows whether something is half done. */
static bool holds_stopped(Sim *before, Sim *after, const Ended *e)
{
    if (e->result == OP_DONE)
        return !after->sql;
    return e->result == OP_UNKNOWN || (e->result == OP_FAILED && (!after->sql || before->sql));
}

static bool holds_aligned(Sim *before, Sim *after, const Ended *e)
{
    if (e->result == OP_DONE)
        return !after->sql && after->applied == 5;
    return e->result == OP_UNKNOWN || !after->sql || before->sql;
}

static bool holds_started(Sim *before, Sim *after, const Ended *e)
{
    if (e->err.kind == ERR_CANCELLED && e->result != OP_DONE)
        return unchanged(before, after);
    return e->result != OP_DONE || after->sql;
}

static bool holds_retuned(Sim *before, Sim *after, const Ended *e)
{
    if (e->result == OP_WAITING)
        return unchanged(before, after);
    return e->result != OP_DONE || after->sql;
}

static bool holds_durable(Sim *before, Sim *after, const Ended *e)
{
    if (e->err.kind == ERR_CANCELLED && e->result != OP_DONE)
        return unchanged(before, after);
    return before->sql == after->sql && before->io == after->io &&
           (e->result != OP_DONE || (str_eq(after->settings[0], "1") && str_eq(after->settings[1], "1")));
}

static bool holds_restored(Sim *before, Sim *after, const Ended *e)
{
    if (e->err.kind == ERR_CANCELLED && e->result != OP_DONE)
        return unchanged(before, after);
    return e->result != OP_DONE ||
           (after->sql && after->applied == HELD && same_settings(after, own_settings()));
}

static bool holds_role(Sim *before, Sim *after, const Ended *e)
{
    if (e->err.kind == ERR_CANCELLED && e->result != OP_DONE)
        return unchanged(before, after);
    return e->result != OP_DONE || !after->read_only;
}

/* ---- all breaks ------------------------------------------------------------------------------------ */

typedef struct Case {
    const char *name;
    Operation run;
    Holds holds;
    bool boosted; /* begins with raised settings */
} Case;

static const Case cases[] = {
    {"survey", survey, nothing_changed, false}, {"sample", sample, nothing_changed, false},
    {"verify", verify, holds_verified, false},  {"stop", stop, holds_stopped, false},
    {"align", align, holds_aligned, false},     {"start", start, holds_started, false},
    {"retune", retune, holds_retuned, false},   {"durable", durable, holds_durable, true},
    {"restore", restore, holds_restored, true}, {"role", role, holds_role, false},
};

typedef struct Break {
    ErrKind kind;
    bool reached;
} Break;
static const Break breaks[] = {{ERR_DB, false},        {ERR_AUTH, false},    {ERR_LOST, false},
                               {ERR_LOST, true},       {ERR_TIMEOUT, false}, {ERR_TIMEOUT, true},
                               {ERR_CANCELLED, false}, {ERR_CANCELLED, true}};

static Relay relay; /* one for all: only links are added */
static int rounds;
static StrList proven; /* states from which the way back was walked */

static Sim begin(const Case *c, ReplIo io, bool sql, int applied)
{
    script_begin(is_mariadb() ? DB_MARIADB : DB_MYSQL, 0);
    Sim s = {.relay = relay, .io = io, .sql = sql, .applied = applied, .read_only = true};
    take_settings(&s, c->boosted ? boosted_settings() : own_settings());
    return s;
}

static bool is_proven(Sim *s)
{
    AUTOFREE char *state =
        xasprintf("%d %d %d %d %s", (int)s->io, s->sql, s->applied, s->until, settings_row(settings_of(s)));
    if (strlist_has(&proven, state))
        return true;
    strlist_add(&proven, state);
    return false;
}

/* Without a break: a start, the rescue that it may ask for, and a restore. */
static void leads_back(Sim *s)
{
    if (is_proven(s))
        return;
    for (int i = 0; i < 8; i++) {
        script_begin(is_mariadb() ? DB_MARIADB : DB_MYSQL, 0);
        script_serve(answer, s);
        Ended e = start(s, NULL);
        if (e.result == OP_WAITING && e.way == START_RESCUE)
            s->applied = HELD; /* by the rescue, which core/ and another operation see to */
        if (e.result == OP_DONE && restore(s, NULL).result == OP_DONE)
            break;
    }
    if (s->purged || !s->sql || s->applied != HELD || !same_settings(s, own_settings()))
        fail_msg("no way back: purged %d, applier %d, applied %d, settings %s\n%s", s->purged, s->sql,
                 s->applied, settings_row(settings_of(s)), script_log());
}

static void one(const Case *c, ReplIo io, bool sql, int applied, int at, const Break *b)
{
    Sim s = begin(c, io, sql, applied), before = s;
    Cancel cancel = {false};
    script_serve(answer, &s);
    if (b && b->kind == ERR_CANCELLED)
        script_break_by_cancel(at, &cancel.asked, b->reached);
    else if (b)
        script_break(at, b->kind, b->reached);
    Ended e = c->run(&s, &cancel);
    rounds++;
    bool says = e.result == OP_DONE || e.result == OP_STALLED || (e.err.kind && e.err.text[0]);
    if (s.purged || !says || !c->holds(&before, &s, &e))
        fail_msg("%s from io %d, sql %d, applied %d, broken at %d by %s (%s): result %d, %s: %s\npurged %d, "
                 "sql %d, applied %d, settings %s\n%s",
                 c->name, (int)io, sql, applied, at, b ? err_kind_name(b->kind) : "nothing",
                 b && b->reached ? "reached" : "not reached", (int)e.result, err_kind_name(e.err.kind),
                 e.err.text, s.purged, s.sql, s.applied, settings_row(settings_of(&s)), script_log());
    script_end(0);
    leads_back(&s);
}

static int statements(const Case *c, ReplIo io, bool sql, int applied)
{
    Sim s = begin(c, io, sql, applied);
    script_serve(answer, &s);
    c->run(&s, NULL);
    return script_sent();
}

static void broken_everywhere(const Case *c)
{
    static const int positions[] = {3, HELD};
    for (int io = REPL_IO_NO; io <= REPL_IO_YES; io++)
        for (int sql = 0; sql < 2; sql++)
            for (size_t p = 0; p < COUNT(positions); p++) {
                one(c, (ReplIo)io, sql, positions[p], 0, NULL);
                int n = statements(c, (ReplIo)io, sql, positions[p]);
                for (int at = 1; at <= n; at++)
                    for (size_t b = 0; b < COUNT(breaks); b++)
                        one(c, (ReplIo)io, sql, positions[p], at, &breaks[b]);
            }
}

static void all_of_them(void)
{
    log_setup("test", LOG_FORMAT_TEXT, LOG_LEVEL_ERROR);
    relay_begin(&relay, HELD);
    rounds = 0;
    for (size_t i = 0; i < COUNT(cases); i++)
        broken_everywhere(&cases[i]);
    print_message("# %d breaks, %zu states they end in\n", rounds, proven.n);
    strlist_done(&proven);
    assert_true(rounds > 5000); /* the loops are there */
    relay_end(&relay);
}
BOTH(all_of_them)

/* ---- what they own ----------------------------------------------------------------------------------- */

static OpServer owned_server(void)
{
    DbTarget t = rescuer_target();
    OpServer s = {.statement_ms = 1};
    db_target_copy(&s.target, &t);
    return s;
}

static LeaseSettings owned_settings(void)
{
    LeaseSettings s = {0}, from = own_settings();
    wire_copy(lease_settings_fields, &s, &from);
    return s;
}

#define EXPECT_ZEROED(v)                                                                                     \
    do {                                                                                                     \
        static const __typeof__(v) zero;                                                                     \
        assert_memory_equal(&(v), &zero, sizeof zero);                                                       \
    } while (0)

/* Nothing is left of what an operation was given, as AddressSanitizer's build sees. */
static void ins_own_their_members(void)
{
    AlignIn align_in = {.at = owned_server(), .gtid = xstrdup("x"), .source_file = xstrdup("x")};
    align_in_done(&align_in);
    EXPECT_ZEROED(align_in);
    StopIn stop_in = {.at = owned_server(), .vault_folder = xstrdup("x")};
    stop_in_done(&stop_in);
    EXPECT_ZEROED(stop_in);
    VerifyIn verify_in = {.at = owned_server(),
                          .gtid = xstrdup("x"),
                          .binlog_gtid = xstrdup("x"),
                          .source_host = xstrdup("x"),
                          .server = {.boot_id = xstrdup("x")}};
    verify_in_done(&verify_in);
    EXPECT_ZEROED(verify_in);
    StartIn start_in = {.at = owned_server(),
                        .rescuer = owned_server().target,
                        .vault_folder = xstrdup("x"),
                        .original = owned_settings(),
                        .boosted = owned_settings()};
    start_in_done(&start_in);
    EXPECT_ZEROED(start_in);
    RetuneIn retune_in = {.at = owned_server(), .boosted = owned_settings()};
    retune_in_done(&retune_in);
    EXPECT_ZEROED(retune_in);
    DurableIn durable_in = {.at = owned_server(),
                            .sync_binlog = xstrdup("x"),
                            .flush_log = xstrdup("x"),
                            .vault_folder = xstrdup("x")};
    durable_in_done(&durable_in);
    EXPECT_ZEROED(durable_in);
    RestoreIn restore_in = {.at = owned_server(), .vault_folder = xstrdup("x"), .original = owned_settings()};
    restore_in_done(&restore_in);
    EXPECT_ZEROED(restore_in);
    SurveyIn survey_in = {.at = owned_server(),
                          .rescuer = owned_server().target,
                          .vault_folder = xstrdup("x"),
                          .known = {.relay_dir = xstrdup("x"), .sync_relay_log = xstrdup("x")}};
    strlist_add(&survey_in.known.keyless_changed, "x");
    keyless_add(&survey_in.known.tables, "x", 1, 1, 1);
    PreflightFacts copy = {0};
    preflight_facts_copy(&copy, &survey_in.known);
    survey_in_done(&survey_in);
    EXPECT_ZEROED(survey_in);
    assert_string_equal(copy.relay_dir, "x");
    assert_string_equal(copy.sync_relay_log, "x");
    assert_string_equal(copy.keyless_changed.v[0], "x");
    assert_string_equal(copy.tables.v[0].name, "x");
    preflight_facts_done(&copy);
    SampleIn sample_in = {.at = owned_server()};
    sample_in_done(&sample_in);
    EXPECT_ZEROED(sample_in);
    RoleIn role_in = {.at = owned_server()};
    role_in_done(&role_in);
    EXPECT_ZEROED(role_in);
}
BOTH(ins_own_their_members)

static void a_cancel(void **state)
{
    (void)state;
    Cancel c = {false};
    assert_false(cancel_asked(NULL));
    assert_false(cancel_asked(&c));
    cancel_ask(&c);
    cancel_ask(&c);
    assert_true(cancel_asked(&c));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cancel),
        TESTS_OF(ins_own_their_members),
        TESTS_OF(all_of_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
