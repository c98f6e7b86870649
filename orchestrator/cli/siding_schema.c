/* SPDX-License-Identifier: Apache-2.0
 * Times are UTC. Words of fixed sets are ascii, so that keys stay short. Names avoid words that one of the
 * servers reserves (rows, window).
 */
#include "siding_schema.h"

#include <string.h>

#include "common/base/str.h"
#include "common/file/sha256.h"
#include "submit_sql.h"

/* clang-format off */
#define WORD(n) "VARCHAR(" #n ") CHARACTER SET ascii COLLATE ascii_bin"
#define TABLE_END ") ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"
#define LIVE "'waiting', 'scheduled', 'running', 'sleeping', 'stopping'"

/* siding.task has no column that was asked for any more. */
#define IS_NARROW                                                                                            \
    "SELECT COUNT(*) = 0 FROM information_schema.columns WHERE table_schema = 'siding' AND table_name = 'task'" \
    " AND column_name = 'args'"

#define HAS_COLUMN(table, column)                                                                            \
    "SELECT COUNT(*) FROM information_schema.columns WHERE table_schema = 'siding' AND table_name = '" table \
    "' AND column_name = '" column "'"

const SchemaStep schema_steps[] = {
    {1, "CREATE TABLE IF NOT EXISTS siding.meta ("
        " name " WORD(64) " NOT NULL PRIMARY KEY,"
        " value VARCHAR(1024) NOT NULL"
        TABLE_END},
    {1, "CREATE TABLE IF NOT EXISTS siding.node ("
        " name VARCHAR(64) NOT NULL PRIMARY KEY,"
        " role " WORD(16) " NOT NULL,"
        " url VARCHAR(255) NOT NULL,"
        " term BIGINT NOT NULL,"
        " updated_at DATETIME(3) NOT NULL"
        TABLE_END},
    {1, "CREATE TABLE IF NOT EXISTS siding.task ("
        " id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,"
        " kind " WORD(16) " NULL,"
        " job VARCHAR(128) NOT NULL,"
        " name VARCHAR(128) NOT NULL,"
        " on_role " WORD(16) " NULL,"
        " user VARCHAR(128) NOT NULL,"
        " args LONGTEXT NOT NULL,"
        " options LONGTEXT NOT NULL,"
        " state " WORD(24) " NOT NULL,"
        " lane " WORD(32) " NOT NULL DEFAULT 'job',"
        " priority INT NOT NULL DEFAULT 0,"
        " priority_rank INT GENERATED ALWAYS AS (-priority) STORED,"
        " replicas INT NOT NULL DEFAULT 1,"
        " host VARCHAR(64) NULL,"
        " run_at DATETIME(3) NOT NULL,"
        " submitted_at DATETIME(3) NOT NULL,"
        " finished_at DATETIME(3) NULL,"
        " sleeptime_ms BIGINT NOT NULL DEFAULT 0,"
        " fixed_time TINYINT NOT NULL DEFAULT 0,"
        " time_window VARCHAR(64) NULL,"
        " sequence_id BIGINT NULL,"
        " unique_name VARCHAR(128) NULL,"
        " unique_live VARCHAR(128) GENERATED ALWAYS AS"
        "  (CASE WHEN state IN (" LIVE ") THEN unique_name END) STORED,"
        " pause_limit_ms BIGINT NOT NULL DEFAULT 0,"
        " attempts INT NOT NULL DEFAULT 0,"
        " max_attempts INT NOT NULL DEFAULT 1,"
        " on_error " WORD(16) " NULL,"
        " parent_task BIGINT NULL,"
        " parent_run " WORD(40) " NULL,"
        " request " WORD(8) " NOT NULL DEFAULT 'none',"
        " request_by VARCHAR(128) NULL,"
        " request_at DATETIME(3) NULL,"
        " request_until DATETIME(3) NULL,"
        " error_kind " WORD(24) " NULL,"
        " error TEXT NULL,"
        " acked_by VARCHAR(128) NULL,"
        " acked_at DATETIME(3) NULL,"
        " updated_at DATETIME(3) NOT NULL,"
        " UNIQUE KEY parent_run (parent_run),"
        " UNIQUE KEY unique_live (unique_live),"
        " KEY claim (state, lane, priority_rank, run_at, id),"
        " KEY by_name (name, state),"
        " KEY by_sequence (sequence_id)"
        TABLE_END},
    {1, "CREATE TABLE IF NOT EXISTS siding.run ("
        " task_id BIGINT NOT NULL,"
        " no INT NOT NULL,"
        " state " WORD(24) " NOT NULL,"
        " outcome " WORD(16) " NULL,"
        " term BIGINT NOT NULL,"
        " gtid TEXT NULL,"
        " nodes TEXT NOT NULL,"
        " started_at DATETIME(3) NOT NULL,"
        " frozen_at DATETIME(3) NULL,"
        " resumed_at DATETIME(3) NULL,"
        " caught_up_at DATETIME(3) NULL,"
        " finished_at DATETIME(3) NULL,"
        " progress_done BIGINT NOT NULL DEFAULT 0,"
        " progress_total BIGINT NOT NULL DEFAULT 0,"
        " progress_unit VARCHAR(24) NULL,"
        " result_dir TEXT NULL,"
        " manifest MEDIUMTEXT NULL,"
        " replay TEXT NULL,"
        " detail MEDIUMTEXT NULL,"
        " upload_task BIGINT NULL,"
        " error_kind " WORD(24) " NULL,"
        " error TEXT NULL,"
        " PRIMARY KEY (task_id, no)"
        TABLE_END},
    {1, "CREATE TABLE IF NOT EXISTS siding.event ("
        " id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,"
        " at DATETIME(3) NOT NULL,"
        " level " WORD(8) " NOT NULL DEFAULT 'info',"
        " what " WORD(32) " NOT NULL,"
        " task_id BIGINT NULL,"
        " run_no INT NULL,"
        " node VARCHAR(64) NULL,"
        " by_user VARCHAR(128) NULL,"
        " text TEXT NOT NULL,"
        " KEY by_task (task_id, id)"
        TABLE_END},
    {1, "CREATE TABLE IF NOT EXISTS siding.ledger ("
        " run_id " WORD(40) " NOT NULL,"
        " chunk VARCHAR(200) NOT NULL,"
        " row_count BIGINT NOT NULL,"
        " at DATETIME(3) NOT NULL,"
        " PRIMARY KEY (run_id, chunk)"
        TABLE_END},
    {2, "CREATE TABLE IF NOT EXISTS siding.submitter ("
        " place INT NOT NULL PRIMARY KEY,"
        " user VARCHAR(128) NOT NULL,"
        " host VARCHAR(255) NOT NULL,"
        " least_priority INT NOT NULL,"
        " most_priority INT NOT NULL,"
        " most_waiting INT NOT NULL"
        TABLE_END},
    {2, "CREATE TABLE IF NOT EXISTS siding.submitter_right ("
        " place INT NOT NULL,"
        " what " WORD(16) " NOT NULL,"
        " name VARCHAR(128) NOT NULL,"
        " PRIMARY KEY (place, what, name)"
        TABLE_END},
    {2, "ALTER TABLE siding.task ADD KEY by_user (user, state)",
        "SELECT COUNT(*) FROM information_schema.statistics WHERE table_schema = 'siding' AND table_name = 'task'"
        " AND index_name = 'by_user'"},
    /* What was asked for apart from what changes: see docs/schema.md. */
    {3, "CREATE TABLE IF NOT EXISTS siding.spec ("
        " task_id BIGINT NOT NULL PRIMARY KEY,"
        " kind " WORD(16) " NULL,"
        " job VARCHAR(128) NOT NULL,"
        " name VARCHAR(128) NOT NULL,"
        " on_role " WORD(16) " NULL,"
        " user VARCHAR(128) NOT NULL,"
        " args LONGTEXT NOT NULL,"
        " options LONGTEXT NOT NULL,"
        " replicas INT NOT NULL DEFAULT 1,"
        " host VARCHAR(64) NULL,"
        " submitted_at DATETIME(3) NOT NULL,"
        " sleeptime_ms BIGINT NOT NULL DEFAULT 0,"
        " fixed_time TINYINT NOT NULL DEFAULT 0,"
        " time_window VARCHAR(64) NULL,"
        " unique_name VARCHAR(128) NULL,"
        " pause_limit_ms BIGINT NOT NULL DEFAULT 0,"
        " max_attempts INT NOT NULL DEFAULT 1,"
        " lane VARCHAR(128) NULL,"
        " KEY by_name (name)"
        TABLE_END, NULL},
    {3, "INSERT IGNORE INTO siding.spec (task_id, kind, job, name, on_role, user, args, options, replicas, host,"
        " submitted_at, sleeptime_ms, fixed_time, time_window, unique_name, pause_limit_ms, max_attempts)"
        " SELECT id, kind, job, name, on_role, user, args, options, replicas, host, submitted_at,"
        " sleeptime_ms, fixed_time, time_window, unique_name, pause_limit_ms, max_attempts"
        " FROM siding.task", IS_NARROW},
    {3, "CREATE TABLE IF NOT EXISTS siding.unique_name ("
        " name VARCHAR(128) NOT NULL PRIMARY KEY,"
        " task_id BIGINT NOT NULL"
        TABLE_END, NULL},
    {3, "INSERT IGNORE INTO siding.unique_name (name, task_id) SELECT unique_name, id FROM siding.task"
        " WHERE unique_name IS NOT NULL AND state IN (" LIVE ")", IS_NARROW},
    {3, "ALTER TABLE siding.task DROP KEY unique_live, DROP KEY claim, DROP KEY by_name,"
        " DROP COLUMN unique_live, DROP COLUMN priority_rank, DROP COLUMN kind, DROP COLUMN job, DROP COLUMN name,"
        " DROP COLUMN on_role, DROP COLUMN args, DROP COLUMN options, DROP COLUMN lane, DROP COLUMN replicas,"
        " DROP COLUMN host, DROP COLUMN submitted_at, DROP COLUMN sleeptime_ms, DROP COLUMN fixed_time,"
        " DROP COLUMN time_window, DROP COLUMN unique_name, DROP COLUMN pause_limit_ms, DROP COLUMN max_attempts,"
        " DROP COLUMN on_error, DROP COLUMN request_until, DROP COLUMN error_kind, DROP COLUMN updated_at,"
        " MODIFY COLUMN request " WORD(8) " NULL,"
        " ADD KEY live (state, id), ADD KEY ended (finished_at), ADD KEY by_request (request),"
        " ADD KEY by_parent (parent_task)", IS_NARROW},
    {3, "UPDATE siding.task SET request = NULL WHERE request = 'none'", NULL},
    {3, "ALTER TABLE siding.run DROP COLUMN manifest, DROP COLUMN error_kind,"
        " ADD COLUMN sealed_at DATETIME(3) NULL, ADD KEY by_result (sealed_at)",
        "SELECT COUNT(*) FROM information_schema.columns WHERE table_schema = 'siding' AND table_name = 'run'"
        " AND column_name = 'sealed_at'"},
    {3, "UPDATE siding.run SET sealed_at = COALESCE(resumed_at, finished_at, started_at)"
        " WHERE result_dir IS NOT NULL AND sealed_at IS NULL", NULL},
    {3, "ALTER TABLE siding.event ADD KEY by_time (at)",
        "SELECT COUNT(*) FROM information_schema.statistics WHERE table_schema = 'siding' AND table_name = 'event'"
        " AND index_name = 'by_time'"},
    {3, "CREATE TABLE IF NOT EXISTS siding.inbox ("
        " id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,"
        " task_id BIGINT NOT NULL"
        TABLE_END, NULL},
    {3, "CREATE TABLE IF NOT EXISTS siding.enqueue ("
        " id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,"
        " job VARCHAR(128) NOT NULL,"
        " args LONGTEXT NULL,"
        " options LONGTEXT NULL,"
        " task_id BIGINT NULL,"
        " at DATETIME(3) NULL,"
        " KEY by_time (at)"
        TABLE_END, NULL},
    {3, "CREATE TABLE IF NOT EXISTS siding.job ("
        " name VARCHAR(128) NOT NULL PRIMARY KEY,"
        " kind " WORD(16) " NULL,"
        " on_role " WORD(16) " NULL,"
        " present TINYINT NOT NULL,"
        " seen_at DATETIME(3) NOT NULL"
        TABLE_END, NULL},
    {3, "INSERT IGNORE INTO siding.meta (name, value) VALUES ('writer', '- 0'), ('incarnation', UUID())", NULL},
    {4, "ALTER TABLE siding.spec ADD COLUMN plan LONGTEXT NULL", HAS_COLUMN("spec", "plan")},
    {4, "ALTER TABLE siding.task ADD COLUMN planned_at DATETIME(3) NULL", HAS_COLUMN("task", "planned_at")},
    {5, "CREATE TABLE IF NOT EXISTS siding.probe ("
        " id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,"
        " node VARCHAR(128) NOT NULL,"
        " term BIGINT NOT NULL,"
        " at DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3)"
        TABLE_END, NULL},
    {6, "ALTER TABLE siding.spec ADD COLUMN submit_key VARCHAR(128) NULL, ADD COLUMN schedule VARCHAR(128) NULL,"
        " ADD UNIQUE KEY submit_key (submit_key), ADD UNIQUE KEY schedule (schedule)", HAS_COLUMN("spec", "submit_key")},
    {6, "ALTER TABLE siding.task ADD COLUMN snoozes INT NOT NULL DEFAULT 0", HAS_COLUMN("task", "snoozes")},
    {6, "ALTER TABLE siding.unique_name ADD COLUMN held_until DATETIME(3) NULL", HAS_COLUMN("unique_name", "held_until")},
    {7, "CREATE TABLE IF NOT EXISTS siding.brake ("
        " kind " WORD(8) " NOT NULL,"
        " name VARCHAR(128) NOT NULL,"
        " since DATETIME(3) NOT NULL,"
        " until_at DATETIME(3) NULL,"
        " by_user VARCHAR(128) NOT NULL,"
        " reason VARCHAR(255) NOT NULL,"
        " task_id BIGINT NULL,"
        " PRIMARY KEY (kind, name)"
        TABLE_END, NULL},
    {7, "ALTER TABLE siding.spec ADD COLUMN on_error " WORD(8) " NULL",
        HAS_COLUMN("spec", "on_error")},
    {7, "ALTER TABLE siding.spec ADD COLUMN preempt " WORD(8) " NULL",
        HAS_COLUMN("spec", "preempt")},
    {7, "ALTER TABLE siding.spec ADD COLUMN at_window_end " WORD(8) " NULL", HAS_COLUMN("spec", "at_window_end")},
    /* '': claimed before there were incarnations. */
    {8, "ALTER TABLE siding.run ADD COLUMN incarnation " WORD(16) " NOT NULL DEFAULT ''",
        HAS_COLUMN("run", "incarnation")},
};
const size_t schema_steps_count = COUNT(schema_steps);

/* The nearest of some words with commas between them, by edit distance; NULL: none is near. `d` is one line of
 * the table of distances, three digits each. */
#define NEAREST                                                                                              \
    "CREATE DEFINER=%DEFINER% PROCEDURE siding.nearest("                                                     \
    "IN p_word LONGTEXT, IN p_known LONGTEXT, OUT p_near LONGTEXT)\n"                                        \
    "SQL SECURITY DEFINER NO SQL\n"                                                                          \
    "BEGIN\n"                                                                                                \
    "  DECLARE rest, c, d, d_next LONGTEXT;\n"                                                               \
    "  DECLARE i, j, best INT;\n"                                                                            \
    "  SET p_near = NULL, best = CHAR_LENGTH(p_word) DIV 3 + 2;\n"                                           \
    "  SET rest = IF(CHAR_LENGTH(p_word) > 64 OR p_known = '', '', CONCAT(p_known, ','));\n"                 \
    "  WHILE rest <> '' DO\n"                                                                                \
    "    SET c = SUBSTRING_INDEX(rest, ',', 1), rest = SUBSTRING(rest, CHAR_LENGTH(c) + 2), d = '', j = 0;\n"\
    "    WHILE j <= CHAR_LENGTH(c) DO\n"                                                                     \
    "      SET d = CONCAT(d, LPAD(j, 3, '0')), j = j + 1;\n"                                                 \
    "    END WHILE;\n"                                                                                       \
    "    SET i = 1;\n"                                                                                       \
    "    WHILE i <= CHAR_LENGTH(p_word) DO\n"                                                                \
    "      SET d_next = LPAD(i, 3, '0'), j = 1;\n"                                                           \
    "      WHILE j <= CHAR_LENGTH(c) DO\n"                                                                   \
    "        SET d_next = CONCAT(d_next, LPAD(LEAST(CAST(SUBSTRING(d, 3 * j + 1, 3) AS SIGNED) + 1,"         \
    " CAST(RIGHT(d_next, 3) AS SIGNED) + 1, CAST(SUBSTRING(d, 3 * j - 2, 3) AS SIGNED)"                      \
    " + (SUBSTRING(p_word, i, 1) <> SUBSTRING(c, j, 1))), 3, '0')), j = j + 1;\n"                            \
    "      END WHILE;\n"                                                                                     \
    "      SET d = d_next, i = i + 1;\n"                                                                     \
    "    END WHILE;\n"                                                                                       \
    "    IF CAST(RIGHT(d, 3) AS SIGNED) < best THEN\n"                                                       \
    "      SET best = CAST(RIGHT(d, 3) AS SIGNED), p_near = c;\n"                                            \
    "    END IF;\n"                                                                                          \
    "  END WHILE;\n"                                                                                         \
    "END"

#define WRITTEN "" /* by submit_sql */

static const char *const schema_routines[] = {
    "DROP PROCEDURE IF EXISTS siding.nearest",
    NEAREST,
    "DROP PROCEDURE IF EXISTS siding.submit",
    WRITTEN,
    "DROP TRIGGER IF EXISTS siding.enqueue_checked",
    "CREATE DEFINER=%DEFINER% TRIGGER siding.enqueue_checked BEFORE INSERT ON siding.enqueue FOR EACH ROW\n"
    "BEGIN\n"
    "  DECLARE v_id BIGINT;\n"
    "  CALL siding.submit(NEW.job, NEW.args, NEW.options, v_id);\n"
    "  SET NEW.task_id = v_id, NEW.at = UTC_TIMESTAMP(3);\n"
    "END",
    "CREATE OR REPLACE DEFINER=%DEFINER% VIEW siding.schTASK AS SELECT"
    " t.id AS id, s.name AS proc, COALESCE(s.host, '') AS host, s.user AS user, t.run_at AS runtime,"
    " CASE WHEN s.sleeptime_ms = 0 THEN '' ELSE CONCAT(s.sleeptime_ms DIV 1000, 's') END AS sleeptime,"
    " s.args AS arguments,"
    " CASE t.state WHEN 'stopping' THEN 'ABOUT TO STOP' WHEN 'done_with_errors' THEN 'DONE WITH ERRORS'"
    " WHEN 'acknowledged' THEN 'ACK ERROR' ELSE UPPER(t.state) END AS status,"
    " COALESCE((SELECT CONCAT(r.progress_done, '/', r.progress_total, ' ', COALESCE(r.progress_unit, ''))"
    " FROM siding.run r WHERE r.task_id = t.id ORDER BY r.no DESC LIMIT 1), '') AS progress,"
    " t.priority AS priority, t.sequence_id AS sequenceid FROM siding.task t JOIN siding.spec s ON s.task_id = t.id",
    "CREATE OR REPLACE DEFINER=%DEFINER% VIEW siding.hstTASK AS SELECT id, proc, host, user, runtime, sleeptime,"
    " arguments, status, progress, priority, sequenceid FROM siding.schTASK"
    " WHERE status IN ('DONE', 'DONE WITH ERRORS', 'ACK ERROR', 'KILLED', 'STOPPED')",
};
/* clang-format on */
const size_t schema_routines_count = COUNT(schema_routines);

char *schema_routine(size_t i)
{
    return *schema_routines[i] ? xstrdup(schema_routines[i]) : submit_sql();
}

int schema_version_latest(void)
{
    return schema_steps[COUNT(schema_steps) - 1].version;
}

char *schema_routines_hash(const char *definer)
{
    char hex[65];
    Sha256 *sha = sha256_new();
    for (size_t i = 0; i < COUNT(schema_routines); i++) {
        AUTOFREE char *text = schema_routine(i);
        sha256_add(sha, text, strlen(text) + 1);
    }
    sha256_add(sha, definer, strlen(definer));
    sha256_finish(sha, hex);
    return xstrdup(hex);
}
