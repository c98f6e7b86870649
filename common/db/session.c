/* SPDX-License-Identifier: Apache-2.0 */
#include "session.h"

#include <stdlib.h>
#include <string.h>

#define MOST64 "18446744073709551615"
#define LONGEST_TEXT "1073741824" /* more is cut by MariaDB, and an error where the global mode is strict */
#define YEAR_S "31536000"
#define SERVER "Server System Variables"
#define INNODB "InnoDB System Variables"
#define VERSIONED "System-Versioned Tables"

/* Order counts once: setting max_join_size changes sql_big_selects. */
static const SessionVariable variables[] = {
    {{"sql_mode", "sql_mode"},
     "'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION,ERROR_FOR_DIVISION_BY_ZERO'",
     SESSION_SET,
     "what a statement means; a bad value is an error",
     SERVER},
    {{"time_zone", "time_zone"}, "'+00:00'", SESSION_SET, "TIMESTAMP as text, and NOW()", SERVER},
    {{"autocommit", "autocommit"}, "1", SESSION_SET, "when a statement is kept", SERVER},
    /* ---- which rows ---- */
    {{"sql_select_limit", "sql_select_limit"}, MOST64, SESSION_SET, "rows of a SELECT", SERVER},
    {{"max_join_size", "max_join_size"}, MOST64, SESSION_SET, "rows that a join may look at", SERVER},
    {{"sql_big_selects", "sql_big_selects"}, "1", SESSION_SET, "rows that a join may look at", SERVER},
    {{"sql_safe_updates", "sql_safe_updates"}, "0", SESSION_SET, "which statements are let through", SERVER},
    {{"sql_auto_is_null", "sql_auto_is_null"}, "0", SESSION_SET, "what IS NULL finds", SERVER},
    {{"max_recursive_iterations", "cte_max_recursion_depth"},
     "1000000",
     SESSION_SET,
     "rows of a recursive query: MariaDB cuts it with a warning",
     SERVER},
    {{"standard_compliant_cte", NULL}, "1", SESSION_SET, "what a recursive query may hold", SERVER},
    {{"system_versioning_asof", NULL}, "DEFAULT", SESSION_SET, "which state of a table is read", VERSIONED},
    {{"tx_isolation", "transaction_isolation"},
     "'REPEATABLE-READ'",
     SESSION_SET,
     "which state a transaction reads",
     SERVER},
    {{"innodb_snapshot_isolation", NULL}, "0", SESSION_SET, "which row a locking read meets", INNODB},
    /* ---- what a value is ---- */
    {{"group_concat_max_len", "group_concat_max_len"},
     LONGEST_TEXT,
     SESSION_SET,
     "length of GROUP_CONCAT, cut with a warning: 1024 by default on MySQL",
     SERVER},
    {{"max_sort_length", "max_sort_length"}, "1024", SESSION_SET, "bytes that ORDER BY looks at", SERVER},
    {{"default_week_format", "default_week_format"}, "0", SESSION_SET, "WEEK()", SERVER},
    {{"div_precision_increment", "div_precision_increment"},
     "4",
     SESSION_SET,
     "digits of a division",
     SERVER},
    {{"lc_time_names", "lc_time_names"}, "'en_US'", SESSION_SET, "names of days and months", SERVER},
    {{"lc_messages", "lc_messages"}, "'en_US'", SESSION_SET, "language of warnings, which are read", SERVER},
    {{"default_regex_flags", NULL}, "''", SESSION_SET, "what REGEXP matches", SERVER},
    {{"old_mode", NULL}, "'UTF8_IS_UTF8MB3'", SESSION_SET, "what utf8 means, casts of TIME", SERVER},
    {{NULL, "default_collation_for_utf8mb4"},
     "'utf8mb4_0900_ai_ci'",
     SESSION_TRY,
     "which texts are equal after CONVERT(… USING utf8mb4)",
     SERVER},
    {{NULL, "block_encryption_mode"}, "'aes-128-ecb'", SESSION_SET, "AES_ENCRYPT(), AES_DECRYPT()", SERVER},
    {{NULL, "windowing_use_high_precision"}, "1", SESSION_SET, "sums of window functions", SERVER},
    {{"character_set_filesystem", "character_set_filesystem"},
     "'binary'",
     SESSION_TRY,
     "names of files in statements",
     SERVER},
    /* ---- what a definition is ---- */
    {{"sql_quote_show_create", "sql_quote_show_create"}, "1", SESSION_SET, "text of SHOW CREATE", SERVER},
    {{NULL, "show_create_table_verbosity"}, "0", SESSION_SET, "text of SHOW CREATE", SERVER},
    {{NULL, "show_gipk_in_create_table_and_information_schema"},
     "1",
     SESSION_SET,
     "text of SHOW CREATE, columns of information_schema",
     SERVER},
    {{NULL, "show_create_table_skip_secondary_engine"}, "0", SESSION_TRY, "text of SHOW CREATE", SERVER},
    {{NULL, "terminology_use_previous"},
     "'NONE'",
     SESSION_TRY,
     "text of SHOW CREATE EVENT, columns of SHOW REPLICA STATUS",
     SERVER},
    {{NULL, "sql_require_primary_key"},
     "0",
     SESSION_TRY,
     "whether a table without a primary key is made",
     SERVER},
    {{NULL, "restrict_fk_on_non_standard_key"},
     "0",
     SESSION_TRY,
     "whether a foreign key to a key that is not unique is made",
     SERVER},
    {{NULL, "sql_generate_invisible_primary_key"}, "0", SESSION_TRY, "columns of a new table", SERVER},
    {{"explicit_defaults_for_timestamp", "explicit_defaults_for_timestamp"},
     "1",
     SESSION_TRY,
     "TIMESTAMP columns of a new table",
     SERVER},
    {{"innodb_strict_mode", "innodb_strict_mode"}, "1", SESSION_TRY, "row format of a new table", INNODB},
    {{"enforce_storage_engine", NULL}, "NULL", SESSION_TRY, "engine of a new table", SERVER},
    {{"sql_if_exists", NULL}, "0", SESSION_SET, "whether DROP and ALTER tell what is not there", SERVER},
    {{"system_versioning_alter_history", NULL}, "'ERROR'", SESSION_SET, "history rows of ALTER", VERSIONED},
    {{"system_versioning_insert_history", NULL}, "0", SESSION_SET, "what INSERT writes", VERSIONED},
    /* ---- which rows are let in, and when ---- */
    {{"foreign_key_checks", "foreign_key_checks"}, "1", SESSION_SET, "rows that are let in", SERVER},
    {{"unique_checks", "unique_checks"}, "1", SESSION_SET, "rows that are let in", SERVER},
    {{"check_constraint_checks", NULL}, "1", SESSION_SET, "rows that are let in", SERVER},
    {{"tx_read_only", "transaction_read_only"}, "0", SESSION_SET, "whether a transaction may write", SERVER},
    {{"completion_type", "completion_type"}, "'NO_CHAIN'", SESSION_SET, "what follows a COMMIT", SERVER},
    {{"max_error_count", NULL},
     "1024",
     SESSION_SET,
     "warnings that are shown: those of lost data are errors here",
     SERVER},
    {{NULL, "max_error_count"},
     "64",
     SESSION_NEED,
     "warnings that are shown: those of lost data are errors here",
     SERVER},
    {{"sql_notes", "sql_notes"},
     "1",
     SESSION_SET,
     "warnings that are shown: digits cut off a DECIMAL",
     SERVER},
    {{"note_verbosity", NULL},
     "'basic'",
     SESSION_SET,
     "the same, which sql_notes alone does not show",
     SERVER},
    {{"max_allowed_packet", "max_allowed_packet"},
     "1048576",
     SESSION_NEED,
     "bytes of a statement, of a row and of a function's result, which is NULL past them",
     SERVER},
    /* ---- how long ---- */
    {{"max_statement_time", "max_execution_time"}, "0", SESSION_SET, "time of a statement", SERVER},
    {{"wait_timeout", "wait_timeout"}, YEAR_S, SESSION_SET, "life of an idle connection", SERVER},
    {{"idle_transaction_timeout", NULL}, "0", SESSION_SET, "life of an idle transaction", SERVER},
    {{"idle_readonly_transaction_timeout", NULL}, "0", SESSION_SET, "life of an idle transaction", SERVER},
    {{"idle_write_transaction_timeout", NULL}, "0", SESSION_SET, "life of an idle transaction", SERVER},
    {{"net_read_timeout", "net_read_timeout"}, YEAR_S, SESSION_SET, "life while we sleep", SERVER},
    {{"net_write_timeout", "net_write_timeout"}, YEAR_S, SESSION_SET, "life while we sleep", SERVER},
    {{"lock_wait_timeout", "lock_wait_timeout"}, "86400", SESSION_SET, "wait for a table", SERVER},
    {{"innodb_lock_wait_timeout", "innodb_lock_wait_timeout"}, "50", SESSION_SET, "wait for a row", INNODB},
    /* ---- how much at once ---- */
    {{"sql_buffer_result", "sql_buffer_result"},
     "0",
     SESSION_SET,
     "a result that is copied to disk before its first row",
     SERVER},
};

const SessionVariable *session_variables(size_t *ret_n)
{
    *ret_n = COUNT(variables);
    return variables;
}

void session_sql(DbFlavor flavor, Str *out)
{
    const char *between = "SET SESSION ";
    for (size_t i = 0; i < COUNT(variables); i++) {
        const SessionVariable *v = &variables[i];
        if (!v->name[flavor] || v->how != SESSION_SET)
            continue;
        str_addf(out, "%s%s=%s", between, v->name[flavor], v->value);
        between = ", ";
    }
}

/* ---- one by one ----------------------------------------------------------------------------------- */

enum { UNKNOWN_VARIABLE = 1193, NEEDS_PRIVILEGE = 1227, READ_ONLY_VARIABLE = 1621 };

static bool set_one(Db *db, const SessionVariable *v, Err *err)
{
    AUTOFREE char *sql = xasprintf("SET SESSION %s=%s", v->name[db_version(db)->flavor], v->value);
    return db_exec(db, err, sql, "");
}

/* The oldest patch levels of a series lack a variable or two. */
static bool set_known(Db *db, Err *err)
{
    for (size_t i = 0; i < COUNT(variables); i++) {
        const SessionVariable *v = &variables[i];
        if (v->name[db_version(db)->flavor] && v->how == SESSION_SET && !set_one(db, v, err) &&
            err->code != UNKNOWN_VARIABLE)
            return false;
    }
    return true;
}

static bool may_be_left(const Err *err)
{
    return err->code == NEEDS_PRIVILEGE || err->code == UNKNOWN_VARIABLE || err->code == READ_ONLY_VARIABLE;
}

/* "SELECT @@session.a, @@session.b": of [from, to) those that need a privilege. False: there are none. */
static bool others_sql(DbFlavor f, size_t from, size_t to, Str *out)
{
    const char *between = "SELECT ";
    for (size_t i = from; i < to; i++)
        if (variables[i].name[f] && variables[i].how != SESSION_SET) {
            str_addf(out, "%s@@session.%s AS %s", between, variables[i].name[f], variables[i].name[f]);
            between = ", ";
        }
    return out->len > 0;
}

static bool is_at(const SessionVariable *v, const char *now)
{
    if (v->how == SESSION_NEED)
        return strtoull(now, NULL, 10) >= strtoull(v->value, NULL, 10);
    bool quoted = *v->value == '\'';
    size_t n = strlen(v->value) - (quoted ? 2 : 0);
    return str_eq(v->value, "NULL") ? !*now : strlen(now) == n && strncmp(v->value + quoted, now, n) == 0;
}

static bool settle(Db *db, const SessionVariable *v, const char *now, bool demand, Err *err)
{
    if (is_at(v, now) || set_one(db, v, err))
        return true;
    if (!may_be_left(err))
        return false;
    const char *name = v->name[db_version(db)->flavor];
    return v->how == SESSION_TRY || !demand ||
           err_set(err, ERR_REFUSED, err->code,
                   "%s is %s, Siding needs at least %s (%s), and this session may not set it: SET GLOBAL "
                   "%s=%s, and put it into the server's option file",
                   name, now, v->value, v->why, name, v->value);
}

static bool settle_rows(Db *db, size_t from, size_t to, DbRows *rows, bool demand, Err *err)
{
    DbFlavor f = db_version(db)->flavor;
    bool more, ok = db_next(rows, &more, err);
    for (size_t i = from; ok && more && i < to; i++)
        if (variables[i].name[f] && variables[i].how != SESSION_SET)
            ok = settle(db, &variables[i], db_text(rows, variables[i].name[f]), demand, err);
    return ok;
}

static bool settle_range(Db *db, size_t from, size_t to, bool demand, Err *err)
{
    AUTO(str_done) Str sql = STR_INIT;
    DbRows *rows;
    if (!others_sql(db_version(db)->flavor, from, to, &sql))
        return true;
    if (!db_query(db, &rows, err, str_z(&sql), ""))
        return false;
    bool ok = settle_rows(db, from, to, rows, demand, err);
    db_rows_free(rows);
    return ok;
}

/* All in one question, or, where the server does not know one of them, each by itself. */
static bool settle_others(Db *db, bool demand, Err *err)
{
    if (settle_range(db, 0, COUNT(variables), demand, err))
        return true;
    if (err->code != UNKNOWN_VARIABLE)
        return false;
    for (size_t i = 0; i < COUNT(variables); i++)
        if (!settle_range(db, i, i + 1, demand, err) && err->code != UNKNOWN_VARIABLE)
            return false;
    return true;
}

bool session_pin(Db *db, bool demand, Err *err)
{
    AUTO(str_done) Str sql = STR_INIT;
    session_sql(db_version(db)->flavor, &sql);
    /* Whichever library it is: Oracle's begins with another collation. */
    if (!db_exec(db, err, "SET NAMES utf8mb4 COLLATE utf8mb4_general_ci", ""))
        return false;
    bool ok = db_exec(db, err, str_z(&sql), "") || (err->code == UNKNOWN_VARIABLE && set_known(db, err));
    return ok && settle_others(db, demand, err);
}
