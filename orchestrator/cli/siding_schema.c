/* SPDX-License-Identifier: Apache-2.0
 * Times are UTC. Words of fixed sets are ascii, so that keys stay short. Names avoid words that one of the
 * servers reserves (rows, window).
 */
#include "siding_schema.h"

#include <string.h>

#include "common/base/str.h"
#include "common/file/sha256.h"

/* clang-format off */
#define WORD(n) "VARCHAR(" #n ") CHARACTER SET ascii COLLATE ascii_bin"
#define TABLE_END ") ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"
#define LIVE "'waiting', 'scheduled', 'running', 'sleeping', 'stopping'"

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
};
const size_t schema_steps_count = COUNT(schema_steps);

#define REFUSE "SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = v_text;\n"
#define OPTION(name) "JSON_VALUE(v_options, '$." name "')"

/* No COMMIT and no DDL in here: it belongs to the caller's transaction. JSON_VALUE gives SQL NULL for a JSON
 * null, and for true 1 on one server and 'true' on the other. */
#define SUBMIT                                                                                               \
    "CREATE DEFINER=%DEFINER% PROCEDURE siding.submit("                                                      \
    "IN p_job VARCHAR(128), IN p_args LONGTEXT, IN p_options LONGTEXT, OUT p_id BIGINT)\n"                   \
    "SQL SECURITY DEFINER MODIFIES SQL DATA\n"                                                               \
    "COMMENT 'Enqueues a task; it exists only if the transaction commits'\n"                                 \
    "BEGIN\n"                                                                                                \
    "  DECLARE v_args LONGTEXT DEFAULT COALESCE(p_args, '[]');\n"                                            \
    "  DECLARE v_options LONGTEXT DEFAULT COALESCE(p_options, '{}');\n"                                      \
    "  DECLARE v_keys LONGTEXT;\n"                                                                           \
    "  DECLARE v_key VARCHAR(200);\n"                                                                        \
    "  DECLARE v_type, v_wanted VARCHAR(24);\n"                                                              \
    "  DECLARE v_text VARCHAR(128);\n"                                                                       \
    "  DECLARE v_time VARCHAR(64);\n"                                                                        \
    "  DECLARE i INT DEFAULT 0;\n"                                                                           \
    "  DECLARE EXIT HANDLER FOR 1062 BEGIN\n"                                                                \
    "    SET v_text = LEFT(CONCAT('siding.submit: a task of the unique name \"', " OPTION("unique")          \
         ", '\" is not ended'), 128);\n"                                                                     \
    "    " REFUSE                                                                                            \
    "  END;\n"                                                                                               \
    "  SET v_text = CASE\n"                                                                                  \
    "    WHEN COALESCE(p_job, '') = '' THEN 'siding.submit: the job has no name'\n"                          \
    "    WHEN NOT JSON_VALID(v_args) OR JSON_TYPE(v_args) <> 'ARRAY' THEN"                                   \
    " 'siding.submit: args must be a JSON array of strings'\n"                                               \
    "    WHEN NOT JSON_VALID(v_options) OR JSON_TYPE(v_options) <> 'OBJECT' THEN"                            \
    " 'siding.submit: options must be a JSON object' END;\n"                                                 \
    "  IF v_text IS NOT NULL THEN " REFUSE "  END IF;\n"                                                     \
    "  WHILE i < JSON_LENGTH(v_args) DO\n"                                                                   \
    "    IF JSON_TYPE(JSON_EXTRACT(v_args, CONCAT('$[', i, ']'))) <> 'STRING' THEN\n"                        \
    "      SET v_text = CONCAT('siding.submit: args must be a JSON array of strings, element ', i,"          \
    " ' is none');\n"                                                                                        \
    "      " REFUSE                                                                                          \
    "    END IF;\n"                                                                                          \
    "    SET i = i + 1;\n"                                                                                   \
    "  END WHILE;\n"                                                                                         \
    "  SET i = 0, v_keys = JSON_KEYS(v_options);\n"                                                          \
    "  WHILE i < JSON_LENGTH(v_keys) DO\n"                                                                   \
    "    SET v_key = JSON_UNQUOTE(JSON_EXTRACT(v_keys, CONCAT('$[', i, ']')));\n"                            \
    "    SET v_wanted = CASE\n"                                                                              \
    "      WHEN v_key IN ('kind', 'on', 'name', 'user', 'host', 'run_at', 'window', 'unique', 'on_error')"   \
    " THEN 'STRING'\n"                                                                                       \
    "      WHEN v_key IN ('priority', 'replicas', 'sleeptime_ms', 'sequence_id', 'pause_limit_ms',"          \
    " 'max_attempts') THEN 'INTEGER'\n"                                                                      \
    "      WHEN v_key = 'fixed_time' THEN 'BOOLEAN'\n"                                                       \
    "      WHEN v_key = 'options' THEN 'OBJECT' END;\n"                                                      \
    "    IF v_wanted IS NULL THEN\n"                                                                         \
    "      SET v_text = LEFT(CONCAT('siding.submit: unknown option \"', v_key, '\"'), 128);\n"               \
    "      " REFUSE                                                                                          \
    "    END IF;\n"                                                                                          \
    "    SET v_type = JSON_TYPE(JSON_EXTRACT(v_options, CONCAT('$.', v_key)));\n"                            \
    "    IF v_type NOT IN (v_wanted, 'NULL') THEN\n"                                                         \
    "      SET v_text = CONCAT('siding.submit: option \"', v_key, '\" must be of type ', LOWER(v_wanted),"   \
    " ', not ', LOWER(v_type));\n"                                                                           \
    "      " REFUSE                                                                                          \
    "    END IF;\n"                                                                                          \
    "    SET i = i + 1;\n"                                                                                   \
    "  END WHILE;\n"                                                                                         \
    "  SET v_time = " OPTION("run_at") ";\n"                                                                 \
    "  SET v_text = CASE\n"                                                                                  \
    "    WHEN " OPTION("kind") " NOT IN ('dump', 'index', 'command') THEN"                                   \
    " 'siding.submit: option \"kind\" is dump, index or command'\n"                                          \
    "    WHEN " OPTION("on") " NOT IN ('replica', 'primary') THEN"                                           \
    " 'siding.submit: option \"on\" is replica or primary'\n"                                                \
    "    WHEN " OPTION("replicas") " < 1 THEN 'siding.submit: option \"replicas\" is at least 1'\n"          \
    "    WHEN v_time NOT REGEXP"                                                                             \
    " '^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]{1,6})?Z?$' THEN"                   \
    " 'siding.submit: option \"run_at\" is a time in UTC such as 2026-05-01T22:30:00Z' END;\n"               \
    "  IF v_text IS NOT NULL THEN " REFUSE "  END IF;\n"                                                     \
    "  INSERT INTO siding.task (kind, job, name, on_role, user, args, options, state, priority, replicas,"   \
    " host, run_at, submitted_at, sleeptime_ms, fixed_time, time_window, sequence_id, unique_name,"          \
    " pause_limit_ms, max_attempts, on_error, updated_at) VALUES ("                                          \
    OPTION("kind") ", p_job, COALESCE(" OPTION("name") ", p_job), " OPTION("on") ","                         \
    " COALESCE(" OPTION("user") ", SUBSTRING_INDEX(USER(), '@', 1)), v_args,"                                \
    " CASE WHEN JSON_TYPE(JSON_EXTRACT(v_options, '$.options')) = 'OBJECT'"                                  \
    " THEN JSON_EXTRACT(v_options, '$.options') ELSE '{}' END, 'waiting',"                                   \
    " COALESCE(" OPTION("priority") ", 0), COALESCE(" OPTION("replicas") ", 1), " OPTION("host") ","         \
    " COALESCE(REPLACE(REPLACE(v_time, 'T', ' '), 'Z', ''), UTC_TIMESTAMP(3)), UTC_TIMESTAMP(3),"            \
    " COALESCE(" OPTION("sleeptime_ms") ", 0),"                                                              \
    " COALESCE(" OPTION("fixed_time") " IN ('1', 'true'), 0), " OPTION("window") ","                         \
    " " OPTION("sequence_id") ", " OPTION("unique") ", COALESCE(" OPTION("pause_limit_ms") ", 0),"           \
    " COALESCE(" OPTION("max_attempts") ", 1), " OPTION("on_error") ", UTC_TIMESTAMP(3));\n"                 \
    "  SET p_id = LAST_INSERT_ID();\n"                                                                       \
    "END"

const char *const schema_routines[] = {
    "DROP PROCEDURE IF EXISTS siding.submit",
    SUBMIT,
    "CREATE OR REPLACE DEFINER=%DEFINER% VIEW siding.schTASK AS SELECT"
    " t.id AS id, t.name AS proc, COALESCE(t.host, '') AS host, t.user AS user, t.run_at AS runtime,"
    " CASE WHEN t.sleeptime_ms = 0 THEN '' ELSE CONCAT(t.sleeptime_ms DIV 1000, 's') END AS sleeptime,"
    " t.args AS arguments,"
    " CASE t.state WHEN 'stopping' THEN 'ABOUT TO STOP' WHEN 'done_with_errors' THEN 'DONE WITH ERRORS'"
    " WHEN 'acknowledged' THEN 'ACK ERROR' ELSE UPPER(t.state) END AS status,"
    " COALESCE((SELECT CONCAT(r.progress_done, '/', r.progress_total, ' ', COALESCE(r.progress_unit, ''))"
    " FROM siding.run r WHERE r.task_id = t.id ORDER BY r.no DESC LIMIT 1), '') AS progress,"
    " t.priority AS priority, t.sequence_id AS sequenceid FROM siding.task t",
};
/* clang-format on */
const size_t schema_routines_count = COUNT(schema_routines);

int schema_version_latest(void)
{
    return schema_steps[COUNT(schema_steps) - 1].version;
}

char *schema_routines_hash(const char *definer)
{
    char hex[65];
    Sha256 *sha = sha256_new();
    for (size_t i = 0; i < COUNT(schema_routines); i++)
        sha256_add(sha, schema_routines[i], strlen(schema_routines[i]) + 1);
    sha256_add(sha, definer, strlen(definer));
    sha256_finish(sha, hex);
    return xstrdup(hex);
}
