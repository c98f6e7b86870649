/* SPDX-License-Identifier: Apache-2.0
 * session.c on a real pair: a session is ours, whatever the server's globals say, or is refused.
 */
#include "pair.h"

#include "common/db/flavor.h"
#include "common/db/session.h"

/* A global that would make something else of a session. */
static const struct {
    const char *name, *value;
} hostile[] = {
    {"sql_mode", "'ANSI_QUOTES,NO_BACKSLASH_ESCAPES'"},
    {"time_zone", "'+05:00'"},
    {"autocommit", "0"},
    {"sql_select_limit", "3"},
    {"max_join_size", "1000"},
    {"sql_big_selects", "0"},
    {"sql_safe_updates", "1"},
    {"sql_auto_is_null", "1"},
    {"max_recursive_iterations", "5"},
    {"cte_max_recursion_depth", "5"},
    {"standard_compliant_cte", "0"},
    {"system_versioning_asof", "'2020-01-01 00:00:00'"},
    {"tx_isolation", "'READ-UNCOMMITTED'"},
    {"transaction_isolation", "'READ-UNCOMMITTED'"},
    {"innodb_snapshot_isolation", "1"},
    {"group_concat_max_len", "8"},
    {"max_sort_length", "64"},
    {"default_week_format", "6"},
    {"div_precision_increment", "0"},
    {"lc_time_names", "'de_DE'"},
    {"lc_messages", "'de_DE'"},
    {"default_regex_flags", "'DOTALL'"},
    {"max_error_count", "0"},
    {"old_mode", "''"},
    {"block_encryption_mode", "'aes-256-cbc'"},
    {"windowing_use_high_precision", "0"},
    {"sql_quote_show_create", "0"},
    {"show_create_table_verbosity", "1"},
    {"show_gipk_in_create_table_and_information_schema", "0"},
    {"sql_if_exists", "1"},
    {"system_versioning_alter_history", "'KEEP'"},
    {"system_versioning_insert_history", "1"},
    {"foreign_key_checks", "0"},
    {"unique_checks", "0"},
    {"check_constraint_checks", "0"},
    {"tx_read_only", "1"},
    {"transaction_read_only", "1"},
    {"completion_type", "'RELEASE'"},
    {"sql_notes", "0"},
    {"max_statement_time", "7"},
    {"max_execution_time", "7"},
    {"wait_timeout", "7"},
    {"idle_transaction_timeout", "7"},
    {"idle_readonly_transaction_timeout", "7"},
    {"idle_write_transaction_timeout", "7"},
    {"net_read_timeout", "7"},
    {"net_write_timeout", "7"},
    {"lock_wait_timeout", "7"},
    {"innodb_lock_wait_timeout", "7"},
    {"sql_buffer_result", "1"},
    {"note_verbosity", "''"},
    {"terminology_use_previous", "'BEFORE_8_0_26'"},
    {"default_collation_for_utf8mb4", "'utf8mb4_general_ci'"},
    {"sql_require_primary_key", "1"},
    {"restrict_fk_on_non_standard_key", "1"},
    {"show_create_table_skip_secondary_engine", "1"},
};

static const char *hostile_value(const char *name)
{
    for (size_t i = 0; i < COUNT(hostile); i++)
        if (str_eq(hostile[i].name, name))
            return hostile[i].value;
    fail_msg("%s has no hostile value in this test", name);
    return NULL;
}

static Db *connect_plain(Err *err)
{
    DbTarget t = {.socket = getenv("DB0_SOCKET"), .user = (char *)"plain", .password = (char *)"a p"};
    Db *db = NULL;
    return db_connect(&t, 0, &db, err) ? db : NULL;
}

static char *value_at(Db *db, const char *scope, const char *name)
{
    Err err;
    char *value = NULL;
    AUTOFREE char *sql = xasprintf("SELECT COALESCE(@@%s.%s, 'NULL')", scope, name);
    assert_ok(db_value(db, &value, &err, sql, ""), err);
    return value;
}

static void set_global(const char *name, const char *value, bool quoted)
{
    bool word = !*value || value[strspn(value, "0123456789.")];
    const char *quote = quoted && word && !str_eq(value, "DEFAULT") ? "'" : "";
    AUTOFREE char *sql = xasprintf("SET GLOBAL %s=%s%s%s", name, quote, value, quote);
    run(primary, sql);
}

static void read_all(Db *db, const char *scope, const StrList *names, StrList *ret)
{
    for (size_t i = 0; i < names->n; i++) {
        AUTOFREE char *value = value_at(db, scope, names->v[i]);
        strlist_add(ret, value);
    }
}

/* Whatever the server's globals and its init_connect say. */
static void a_session_is_ours(void **state)
{
    (void)state;
    Err err;
    size_t n;
    const SessionVariable *v = session_variables(&n);
    StrList names = STRLIST_INIT, globals = STRLIST_INIT, ours = STRLIST_INIT, bad = STRLIST_INIT,
            now = STRLIST_INIT;
    run(primary, "CREATE USER plain@localhost IDENTIFIED BY 'a p'");
    Db *db = connect_plain(&err);
    assert_non_null(db);
    for (size_t i = 0; i < n; i++)
        if (v[i].how == SESSION_SET && v[i].name[flavor()])
            strlist_add(&names, v[i].name[flavor()]);
    read_all(primary, "global", &names, &globals);
    read_all(db, "session", &names, &ours);
    AUTO(str_done) Str again = STR_INIT;
    session_sql(flavor(), &again);
    run(db, str_z(&again)); /* in strict mode a value out of range is an error */
    db_close(db);
    assert_true(names.n > 30);
    for (size_t i = 0; i < names.n; i++)
        set_global(names.v[i], hostile_value(names.v[i]), false);
    run(primary, "SET GLOBAL init_connect='SET sql_select_limit=1, group_concat_max_len=4, autocommit=0'");
    db = connect_plain(&err);
    read_all(primary, "global", &names, &bad);
    if (db)
        read_all(db, "session", &names, &now);
    for (size_t i = 0; i < names.n; i++)
        set_global(names.v[i], globals.v[i], true);
    run(primary, "SET GLOBAL init_connect=''");
    if (!db)
        fail_msg("%s", err.text);
    db_close(db);
    for (size_t i = 0; i < names.n; i++)
        if (str_eq(bad.v[i], ours.v[i]))
            fail_msg("%s: the hostile value is the wanted one", names.v[i]);
        else if (!str_eq(now.v[i], ours.v[i]))
            fail_msg("%s is %s in the session, not %s", names.v[i], now.v[i], ours.v[i]);
    StrList *const lists[] = {&names, &globals, &ours, &bad, &now};
    for (size_t i = 0; i < COUNT(lists); i++)
        strlist_done(lists[i]);
}

/* What a plain account may not set is read back, and refused with the setting that mends it. */
static void a_session_that_cannot_be_ours_is_refused(void **state)
{
    (void)state;
    Err err;
    AUTOFREE char *errors = value_at(primary, "global", "max_error_count"),
                  *packet = value_at(primary, "global", "max_allowed_packet");
    run(primary, "SET GLOBAL max_error_count=0");
    Db *db = connect_plain(&err);
    if (db) {
        AUTOFREE char *now = value_at(db, "session", "max_error_count");
        assert_string_equal(now, "1024");
    } else {
        assert_int_equal(err.kind, ERR_REFUSED);
        assert_non_null(strstr(err.text, "SET GLOBAL max_error_count=64"));
    }
    db_close(db);
    db = connect_to(0, 20000); /* may set it */
    assert_true(count(db, "SELECT @@session.max_error_count") >= 64);
    set_global("max_error_count", errors, true);
    run(db, "SET GLOBAL max_allowed_packet=65536");
    db_close(db);
    db = connect_plain(&err);
    set_global("max_allowed_packet", packet, true);
    assert_null(db);
    assert_int_equal(err.kind, ERR_REFUSED);
    assert_non_null(strstr(err.text, "SET GLOBAL max_allowed_packet=1048576"));
    run(primary, "DROP USER plain@localhost");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_session_is_ours),
        cmocka_unit_test(a_session_that_cannot_be_ours_is_refused),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
