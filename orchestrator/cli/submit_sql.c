/* SPDX-License-Identifier: Apache-2.0
 * The variables of the procedure: v is the value at hand as JSON, then as text, t its type, m the message.
 * Tables are read by SELECT … INTO alone: in an IF or a SET InnoDB locks what it reads, and gaps, until the
 * caller's transaction ends. Comparisons with a dot behind both sides are exact: the servers ignore spaces at
 * the end of a text.
 */
#include "submit_sql.h"

#include <inttypes.h>
#include <string.h>

#include "common/wire/bounds.h"

#define REFUSE "SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = m;"

/* C0, C1, line separators and the marks that turn the direction of writing. */
#define CONTROLS                                                                                             \
    "'[\\\\x{00}-\\\\x{1f}\\\\x{7f}-\\\\x{9f}\\\\x{61c}\\\\x{200e}\\\\x{200f}\\\\x{2028}-\\\\x{202e}"        \
    "\\\\x{2066}-\\\\x{2069}]'"

/* JSON's escapes that no text can hold: the zero byte, and half of a pair. Pairs of backslashes are no
 * escapes of what follows, and are taken out before. */
#define HAS_NO_TEXT(of)                                                                                      \
    "REPLACE(" of                                                                                            \
    ", '\\\\\\\\', '') REGEXP '\\\\\\\\u(0000|[dD][89abAB][0-9a-fA-F]{2}(?!\\\\\\\\u[dD][c-fC-F]))|"         \
    "(?<!\\\\\\\\u[dD][89abAB][0-9a-fA-F]{2})\\\\\\\\u[dD][c-fC-F]'"

/* clang-format off */
static const char head[] =
    "CREATE DEFINER=%DEFINER% PROCEDURE siding.submit("
    "IN p_job LONGTEXT, IN p_args LONGTEXT, IN p_options LONGTEXT, OUT p_id BIGINT)\n"
    "SQL SECURITY DEFINER MODIFIES SQL DATA\n"
    "COMMENT 'Enqueues a task; it exists only if the transaction commits'\n"
    "BEGIN\n"
    "  DECLARE v_args LONGTEXT DEFAULT COALESCE(p_args, '[]');\n"
    "  DECLARE v_options LONGTEXT DEFAULT COALESCE(p_options, '{}');\n"
    "  DECLARE v_host VARCHAR(255) DEFAULT SUBSTRING_INDEX(USER(), '@', -1);\n"
    "  DECLARE v_user VARCHAR(255) DEFAULT LEFT(USER(), CHAR_LENGTH(USER()) - CHAR_LENGTH(v_host) - 1);\n"
    "  DECLARE v, k, e, near LONGTEXT;\n"
    "  DECLARE t VARCHAR(24);\n"
    "  DECLARE m VARCHAR(128);\n"
    "  DECLARE v_time DATETIME(3) DEFAULT UTC_TIMESTAMP(3);\n"
    "  DECLARE g_place, g_least, g_most, g_waiting, found, i, bytes BIGINT DEFAULT 0;\n"
    "  DECLARE v_priority BIGINT DEFAULT 0;\n"
    "  DECLARE EXIT HANDLER FOR 1062 BEGIN\n"
    "    SET m = LEFT(CONCAT('siding.submit: a task of the unique name \"', JSON_VALUE(v_options, '$.unique'),"
    " '\" is not ended'), 128);\n"
    "    " REFUSE "\n"
    "  END;\n"
    /* Sizes first: nothing long is parsed. */
    "  SET m = CASE\n"
    "    WHEN @@session.sql_log_bin = 0 THEN"
    " 'siding.submit: sql_log_bin is off in this session: the task would not reach the replicas'\n"
    "    WHEN COALESCE(p_job, '') = '' THEN 'siding.submit: the job has no name'\n"
    "    WHEN LENGTH(p_job) > 1024 THEN 'siding.submit: the job''s name is too long'\n"
    "    WHEN LENGTH(v_args) > 400000 THEN 'siding.submit: args are too long'\n"
    "    WHEN LENGTH(v_options) > 400000 THEN 'siding.submit: options are too long'\n"
    "    WHEN NOT JSON_VALID(v_args) OR JSON_TYPE(v_args) <> 'ARRAY' THEN"
    " 'siding.submit: args must be a JSON array of strings'\n"
    "    WHEN NOT JSON_VALID(v_options) OR JSON_TYPE(v_options) <> 'OBJECT' THEN"
    " 'siding.submit: options must be a JSON object'\n"
    "    WHEN " HAS_NO_TEXT("v_args") " OR " HAS_NO_TEXT("v_options") " THEN"
    " 'siding.submit: args or options hold an escape that is no character' END;\n"
    "  IF m IS NOT NULL THEN " REFUSE " END IF;\n";

/* The first row of grants.submit that fits decides. */
static const char grants[] =
    "  SET g_place = NULL;\n"
    "  SELECT MIN(place) INTO g_place FROM siding.submitter"
    " WHERE (user = '%' OR CONCAT(user, '.') = CONCAT(v_user, '.')) AND v_host LIKE host;\n"
    "  IF g_place IS NULL THEN\n"
    "    SET m = LEFT(CONCAT('siding.submit: ', USER(), ' has no line in grants.submit of sidingd.conf'), 128);\n"
    "    " REFUSE "\n"
    "  END IF;\n"
    "  SELECT least_priority, most_priority, most_waiting INTO g_least, g_most, g_waiting FROM siding.submitter"
    " WHERE place = g_place;\n"
    "  SELECT COUNT(*) INTO found FROM siding.submitter_right WHERE place = g_place AND what = 'job'"
    " AND (name = '*' OR CONCAT(name, '.') = CONCAT(p_job, '.'));\n"
    "  IF found = 0 THEN\n"
    "    SET m = LEFT(CONCAT('siding.submit: ', v_user, ' may not submit the job \"', p_job, '\" (grants.submit)'), 128);\n"
    "    " REFUSE "\n"
    "  END IF;\n"
    "  IF v_priority NOT BETWEEN g_least AND g_most THEN\n"
    "    SET m = LEFT(CONCAT('siding.submit: ', v_user, ' may give priorities from ', g_least, ' to ', g_most,"
    " ', not ', v_priority, ' (grants.submit)'), 128);\n"
    "    " REFUSE "\n"
    "  END IF;\n"
    "  SELECT COUNT(*) INTO found FROM siding.submitter_right WHERE place = g_place AND what = 'database' AND name = '*';\n"
    "  IF found = 0 THEN\n"
    "    SET v = JSON_EXTRACT(v_options, '$.options.databases'), i = 0;\n"
    "    WHILE i < COALESCE(JSON_LENGTH(v), 0) DO\n"
    "      SET e = JSON_UNQUOTE(JSON_EXTRACT(v, CONCAT('$[', i, ']'))), i = i + 1;\n"
    "      SELECT COUNT(*) INTO found FROM siding.submitter_right WHERE place = g_place AND what = 'database'"
    " AND CONCAT(name, '.') = CONCAT(e, '.');\n"
    "      IF found = 0 THEN\n"
    "        SET m = LEFT(CONCAT('siding.submit: ', v_user, ' may not name the database \"', e, '\" (grants.submit)'), 128);\n"
    "        " REFUSE "\n"
    "      END IF;\n"
    "    END WHILE;\n"
    "    SET i = 0;\n"
    "    WHILE p_job = 'dump' AND i < JSON_LENGTH(v_args) DO\n"
    "      IF JSON_UNQUOTE(JSON_EXTRACT(v_args, CONCAT('$[', i, ']'))) REGEXP '^--(database|table|match)' THEN\n"
    "        SET m = LEFT(CONCAT('siding.submit: ', v_user, ' names databases by options alone (grants.submit)'), 128);\n"
    "        " REFUSE "\n"
    "      END IF;\n"
    "      SET i = i + 1;\n"
    "    END WHILE;\n"
    "  END IF;\n"
    "  SELECT COUNT(*) INTO found FROM siding.task WHERE user = v_user AND state = 'waiting';\n"
    "  IF found >= g_waiting THEN\n"
    "    SET m = LEFT(CONCAT('siding.submit: ', g_waiting, ' tasks of ', v_user, ' wait already, that is the most"
    " (grants.submit)'), 128);\n"
    "    " REFUSE "\n"
    "  END IF;\n";

#define OPTION(name) "JSON_VALUE(v_options, '$." name "')"

/* No COMMIT and no DDL in here: it belongs to the caller's transaction. JSON_VALUE gives SQL NULL for a JSON
 * null, and for true 1 on one server and 'true' on the other. */
static const char tail[] =
    /* Read, not tried: a duplicate that InnoDB finds locks the gap beside it until the caller's transaction ends. */
    "  SELECT COUNT(*) INTO found FROM siding.unique_name WHERE name = " OPTION("unique") ";\n"
    "  IF found > 0 THEN\n"
    "    SET m = LEFT(CONCAT('siding.submit: a task of the unique name \"', " OPTION("unique") ", '\" is not ended'), 128);\n"
    "    " REFUSE "\n"
    "  END IF;\n"
    "  SELECT kind, on_role INTO k, e FROM siding.job WHERE CONCAT(name, '.') = CONCAT(p_job, '.');\n"
    "  INSERT INTO siding.task (state, user, priority, run_at, sequence_id) VALUES ('waiting', v_user, v_priority,"
    " v_time, " OPTION("sequence_id") ");\n"
    "  SET p_id = LAST_INSERT_ID();\n"
    "  INSERT INTO siding.spec (task_id, kind, job, name, on_role, user, args, options, replicas, host,"
    " submitted_at, sleeptime_ms, fixed_time, time_window, unique_name, pause_limit_ms, max_attempts, plan, on_error, preempt, at_window_end) VALUES ("
    "p_id, COALESCE(" OPTION("kind") ", k), p_job, COALESCE(" OPTION("name") ", p_job), COALESCE(" OPTION("on")
    ", e), v_user, v_args,"
    " CASE WHEN JSON_TYPE(JSON_EXTRACT(v_options, '$.options')) = 'OBJECT'"
    " THEN JSON_EXTRACT(v_options, '$.options') ELSE '{}' END,"
    " COALESCE(" OPTION("replicas") ", 1), " OPTION("host") ", UTC_TIMESTAMP(3),"
    " COALESCE(" OPTION("sleeptime_ms") ", 0),"
    " COALESCE(" OPTION("fixed_time") " IN ('1', 'true'), 0), " OPTION("window") ", " OPTION("unique") ","
    " COALESCE(" OPTION("pause_limit_ms") ", 0), COALESCE(" OPTION("max_attempts") ", 1),"
    " CASE WHEN JSON_TYPE(JSON_EXTRACT(v_options, '$.plan')) = 'OBJECT'"
    " THEN JSON_EXTRACT(v_options, '$.plan') END, " OPTION("on_error") ", " OPTION("preempt") ", " OPTION("at_window_end") ");\n"
    "  IF " OPTION("unique") " IS NOT NULL THEN\n"
    "    INSERT INTO siding.unique_name (name, task_id, held_until) VALUES (" OPTION("unique") ", p_id,"
    " UTC_TIMESTAMP(3) + INTERVAL NULLIF(" OPTION("plan.unique_for_ms") ", 0) DIV 1000 SECOND);\n"
    "  END IF;\n"
    "  INSERT INTO siding.inbox (task_id) VALUES (p_id);\n"
    "END";

/* A job that an agent has told once is known, whether it can be reached now or not. */
static const char job_is_known[] =
    "  SELECT COUNT(*) INTO found FROM siding.job WHERE CONCAT(name, '.') = CONCAT(p_job, '.');\n"
    "  IF found = 0 THEN\n"
    "    SELECT GROUP_CONCAT(name ORDER BY name SEPARATOR ',') INTO k FROM siding.job;\n"
    "    CALL siding.nearest(p_job, COALESCE(k, ''), near);\n"
    "    SET m = LEFT(CONCAT('siding.submit: no agent has ever told of a job \"', p_job, '\"', COALESCE(CONCAT(', did you mean \"', near, '\"?'), '')), 128);\n"
    "    " REFUSE "\n"
    "  END IF;\n";

static const char host_exists[] =
    "  SET v = " OPTION("host") ";\n"
    "  SELECT COUNT(*) INTO found FROM siding.node WHERE CONCAT(name, '.') = CONCAT(v, '.');\n"
    "  IF v IS NOT NULL AND found = 0 THEN\n"
    "    SELECT GROUP_CONCAT(name ORDER BY name SEPARATOR ',') INTO k FROM siding.node;\n"
    "    CALL siding.nearest(v, k, near);\n"
    "    SET m = LEFT(CONCAT('siding.submit: there is no node \"', v, '\"', COALESCE(CONCAT(', did you mean \"', near, '\"?'), '')), 128);\n"
    "    " REFUSE "\n"
    "  END IF;\n";
/* clang-format on */

static void quote(Str *out, const char *text)
{
    str_addc(out, '\'');
    for (; *text; text++)
        str_addf(out, *text == '\'' ? "''" : "%c", *text);
    str_addc(out, '\'');
}

/* What is told where a value of the row is wrong: `is` is an SQL expression. */
static void refuse(Str *out, const Bound *row, const char *is, const char *indent)
{
    AUTOFREE char *may = bounds_text(row);
    AUTOFREE char *begin = xasprintf("siding.submit: option \"%s\" ", row->name);
    AUTOFREE char *end = xasprintf(", it must be %s", may);
    str_addf(out, "%sSET m = LEFT(CONCAT(", indent);
    quote(out, begin);
    str_addf(out, ", %s, ", is);
    quote(out, end);
    str_addf(out, "), 128);\n%s" REFUSE "\n", indent);
}

static void demand(Str *out, const Bound *row, const char *condition, const char *is)
{
    str_addf(out, "    IF NOT (%s) THEN\n", condition);
    refuse(out, row, is, "      ");
    str_adds(out, "    END IF;\n");
}

static void word_list(Str *out, const char *const *words)
{
    for (size_t i = 0; words[i]; i++)
        str_addf(out, "%s'%s.'", i ? ", " : "", words[i]);
}

#define LEFT_OF_VALUE "CONCAT('is \"', LEFT(v, 40), '\"')"

static void check_name(Str *out, const Bound *row)
{
    AUTOFREE char *length = xasprintf("CHAR_LENGTH(v) BETWEEN %" PRId64 " AND %" PRId64, row->min, row->max);
    demand(out, row, length, "CONCAT('has ', CHAR_LENGTH(v), ' characters')");
    demand(out, row, "v NOT REGEXP " CONTROLS, "'holds control characters'");
}

static void check_word(Str *out, const Bound *row)
{
    AUTO(str_done) Str condition = STR_INIT;
    str_adds(&condition, "CONCAT(v, '.') IN (");
    word_list(&condition, row->words);
    str_addc(&condition, ')');
    demand(out, row, condition.p, LEFT_OF_VALUE);
}

/* More digits are not cast: that would be an error of its own, or another number. */
static void check_int(Str *out, const Bound *row)
{
    demand(out, row, "v REGEXP '^-?[0-9]{1,18}$'", "CONCAT('is ', LEFT(v, 40))");
    AUTO(str_done) Str condition = STR_INIT;
    str_addf(&condition, "CAST(v AS SIGNED) BETWEEN %" PRId64 " AND %" PRId64, row->min, row->max);
    if (row->also)
        str_addf(&condition, " OR CAST(v AS SIGNED) = %" PRId64, row->also);
    demand(out, row, condition.p, "CONCAT('is ', v)");
}

static void check_time(Str *out, const Bound *row)
{
    demand(out, row,
           "v REGEXP '^20[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])[T "
           "]([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]([.][0-9]{1,6})?Z?\\\\z'",
           LEFT_OF_VALUE);
    /* The regular expression lets the 31st of any month pass. */
    demand(out, row, "RIGHT(LEFT(v, 10), 2) <= DAY(LAST_DAY(CONCAT(LEFT(v, 8), '01')))", LEFT_OF_VALUE);
    str_adds(out, "    SET v_time = CAST(REPLACE(REPLACE(v, 'T', ' '), 'Z', '') AS DATETIME(3));\n");
}

static void check_element(Str *out, const Bound *row)
{
    AUTO(str_done) Str condition = STR_INIT;
    if (row->type == BOUND_WORDS) {
        str_adds(&condition, "CONCAT(e, '.') IN (");
        word_list(&condition, row->words);
        str_addc(&condition, ')');
        demand(out, row, condition.p, "CONCAT('holds \"', LEFT(e, 40), '\"')");
    } else if (row->type == BOUND_NAMES) {
        str_addf(&condition, "CHAR_LENGTH(e) BETWEEN 1 AND %" PRId64, row->each);
        demand(out, row, condition.p, "CONCAT('holds a name of ', CHAR_LENGTH(e), ' characters')");
        demand(out, row, "e NOT REGEXP " CONTROLS, "'holds control characters'");
    } else {
        str_addf(&condition, "LENGTH(e) <= %" PRId64, row->each);
        demand(out, row, condition.p, "'holds a longer text'");
        str_adds(out, "    SET bytes = bytes + LENGTH(e);\n");
        str_clear(&condition);
        str_addf(&condition, "bytes <= %" PRId64, row->bytes);
        demand(out, row, condition.p, "'is longer'");
    }
}

static void check_elements(Str *out, const Bound *row)
{
    AUTOFREE char *length = xasprintf("JSON_LENGTH(v) BETWEEN %" PRId64 " AND %" PRId64, row->min, row->max);
    demand(out, row, length, "CONCAT('has ', JSON_LENGTH(v), ' elements')");
    str_adds(out, "    SET i = 0, bytes = 0;\n    WHILE i < JSON_LENGTH(v) DO\n"
                  "    SET e = JSON_EXTRACT(v, CONCAT('$[', i, ']'));\n");
    demand(out, row, "JSON_TYPE(e) = 'STRING'", "CONCAT('holds ', LOWER(JSON_TYPE(e)))");
    str_adds(out, "    SET e = JSON_UNQUOTE(e), i = i + 1;\n");
    check_element(out, row);
    str_adds(out, "    END WHILE;\n");
}

static const char *sql_type(const Bound *row)
{
    switch (row->type) {
    case BOUND_NAME:
    case BOUND_WORD:
    case BOUND_TIME:
        return "STRING";
    case BOUND_BOOL:
        return "BOOLEAN";
    case BOUND_OBJECT:
        return "OBJECT";
    default:
        return "ARRAY";
    }
}

static void check_known(Str *out, const char *parent)
{
    AUTO(str_done) Str known = STR_INIT;
    AUTO(str_done) Str dotted = STR_INIT;
    for (const Bound *r = task_bounds; r->name; r++) {
        const char *own = bounds_member(r, parent);
        if (!own || !(r->doors & DOOR_SQL) || str_eq(r->name, "job") || str_eq(r->name, "args"))
            continue;
        str_addf(&known, "%s%s", known.len ? "," : "", own);
        str_addf(&dotted, "%s'%s.'", dotted.len ? ", " : "", own);
    }
    str_addf(out,
             "    SET k = JSON_KEYS(v), i = 0;\n"
             "    WHILE i < COALESCE(JSON_LENGTH(k), 0) DO\n"
             "      SET e = JSON_UNQUOTE(JSON_EXTRACT(k, CONCAT('$[', i, ']'))), i = i + 1;\n"
             "      IF CONCAT(e, '.') NOT IN (%s) THEN\n"
             "        CALL siding.nearest(e, '%s', near);\n"
             "        SET m = LEFT(CONCAT('siding.submit: unknown option \"', LEFT(e, 40), '\"',"
             " COALESCE(CONCAT(', did you mean \"', near, '\"?'), '')), 128);\n"
             "        " REFUSE "\n"
             "      END IF;\n"
             "    END WHILE;\n",
             str_z(&dotted), str_z(&known));
}

static void check_value(Str *out, const Bound *row)
{
    /* One server calls large whole numbers unsigned. */
    AUTOFREE char *type = row->type == BOUND_INT ? xstrdup("t IN ('INTEGER', 'UNSIGNED INTEGER')")
                                                 : xasprintf("t = '%s'", sql_type(row));
    demand(out, row, type, "CONCAT('is ', LOWER(t))");
    if (row->type == BOUND_NAME || row->type == BOUND_WORD || row->type == BOUND_TIME)
        str_adds(out, "    SET v = JSON_UNQUOTE(v);\n");
    switch (row->type) {
    case BOUND_NAME:
        check_name(out, row);
        break;
    case BOUND_WORD:
        check_word(out, row);
        break;
    case BOUND_INT:
        check_int(out, row);
        break;
    case BOUND_TIME:
        check_time(out, row);
        break;
    case BOUND_TEXTS:
    case BOUND_NAMES:
    case BOUND_WORDS:
        check_elements(out, row);
        break;
    case BOUND_OBJECT:
        check_known(out, row->name);
        break;
    case BOUND_BOOL:
        break;
    }
    if (str_eq(row->name, "priority"))
        str_adds(out, "    SET v_priority = CAST(v AS SIGNED);\n");
}

static void check_row(Str *out, const Bound *row)
{
    if (str_eq(row->name, "job"))
        str_adds(out, "  SET v = JSON_QUOTE(p_job);\n");
    else if (str_eq(row->name, "args"))
        str_adds(out, "  SET v = v_args;\n");
    else
        str_addf(out, "  SET v = JSON_EXTRACT(v_options, '$.%s');\n", row->name);
    str_adds(out, "  SET t = JSON_TYPE(v);\n  IF t <> 'NULL' THEN\n"); /* neither where it is absent */
    check_value(out, row);
    str_adds(out, "  END IF;\n");
}

char *submit_sql(void)
{
    Str out = STR_INIT;
    str_adds(&out, head);
    str_adds(&out, "  SET v = v_options;\n");
    check_known(&out, "");
    for (const Bound *r = task_bounds; r->name; r++)
        if (r->doors & DOOR_SQL)
            check_row(&out, r);
    str_adds(&out, host_exists);
    str_adds(&out, grants);
    str_adds(&out, job_is_known);
    str_adds(&out, tail);
    return str_take(&out);
}
