/* SPDX-License-Identifier: Apache-2.0 */
#include "order_sessions.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/log.h"

enum { INFO_MOST = 120, MOMENT_MS = 300 };

static const char everybody[] =
    "SELECT p.ID, CONCAT(p.USER, '@', p.HOST), p.TIME,"
    " LEFT(COALESCE(p.INFO, p.COMMAND), 120)"
    " FROM information_schema.PROCESSLIST p WHERE " SESSIONS_OF_CLIENTS " AND p.TIME >= ? ORDER BY 3 DESC";

void sessions_done(Sessions *s)
{
    free(s->first);
    *s = (Sessions){0};
}

bool sessions_find(Db *db, const char *sql, int64_t from_s, Sessions *s, Err *err)
{
    DbRows *r;
    bool more, ok;
    if (!db_query(db, &r, err, sql, "i", from_s))
        return false;
    while ((ok = db_next(r, &more, err)) && more) {
        if (!s->first)
            s->first = xasprintf("session %s (%s), %s s: %.*s", db_field(r, 0, NULL), db_field(r, 1, NULL),
                                 db_field(r, 2, NULL), INFO_MOST, db_field(r, 3, NULL));
        if (s->n < SESSIONS_MOST)
            s->ids[s->n++] = strtoull(db_field(r, 0, NULL), NULL, 10);
    }
    db_rows_free(r);
    return ok;
}

bool sessions_find_all(Db *db, Sessions *s, Err *err)
{
    return sessions_find(db, everybody, 0, s, err);
}

/* MySQL: one of an account with SYSTEM_USER is ended only by another such. */
static bool cannot_end(const Sessions *s, size_t i, Err *err)
{
    if (err->code != OP_NOT_ITS_OWNER)
        return err_prefix(err, "session %" PRIu64 " cannot be ended", s->ids[i]);
    return err_set(err, ERR_REFUSED, err->code,
                   "session %" PRIu64
                   " is in the way, and the agent's account may not end it; the longest is "
                   "%s. To mend it: KILL %" PRIu64 " as an account with SYSTEM_USER",
                   s->ids[i], s->first, s->ids[i]);
}

bool sessions_end(Db *db, const Sessions *s, const char *why, Err *err)
{
    Err now;
    size_t ended = 0;
    bool ok = true;
    for (size_t i = 0; i < s->n; i++) {
        if (op_kill(db, s->ids[i], &now)) {
            ended++;
        } else {
            ok = cannot_end(s, i, &now);
            *err = now;
        }
    }
    if (ended)
        log_warn("%zu sessions %s are ended, the longest of all: %s", ended, why, s->first);
    return ok;
}

/* Metadata and global locks are states of its threads. Row locks are InnoDB's, and the appliers of one
 * replica wait for each other's all the time: they count where a client holds some. */
static const char blocked[] =
    "SELECT COUNT(*) FROM information_schema.PROCESSLIST a LEFT JOIN information_schema.INNODB_TRX t"
    " ON t.trx_mysql_thread_id = a.ID WHERE a.USER = 'system user'"
    " AND (a.STATE LIKE 'Waiting for%lock%' OR a.STATE = 'Waiting for table flush'"
    " OR (t.trx_state = 'LOCK WAIT' AND EXISTS (SELECT 1 FROM information_schema.PROCESSLIST p"
    " JOIN information_schema.INNODB_TRX c ON c.trx_mysql_thread_id = p.ID"
    " WHERE c.trx_rows_locked > 0 AND " SESSIONS_OF_CLIENTS ")))";

bool sessions_block_applier(Db *db, bool *ret, Err *err)
{
    int64_t n = 0;
    if (!db_value_int(db, &n, err, blocked, ""))
        return false;
    if (n) {
        clock_sleep_ms(MOMENT_MS);
        if (!db_value_int(db, &n, err, blocked, ""))
            return false;
    }
    *ret = n > 0;
    return true;
}

bool sessions_block(Db *db, uint64_t id, bool *ret, Err *err)
{
    int64_t n = 0;
    if (!db_value_int(db, &n, err,
                      "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE ID = ? AND STATE LIKE "
                      "'Waiting for%lock%'",
                      "i", (int64_t)id))
        return false;
    *ret = n > 0;
    return true;
}

/* ---- tables that are locked by name ------------------------------------------------------------------- */

static bool goes_on(char c)
{
    return isalnum((unsigned char)c) || c == '_' || c == '$' || (unsigned char)c >= 0x80;
}

/* As a word of its own: a table "w" is not named by SHOW. */
static bool names(const char *statement, const char *table)
{
    size_t n = strlen(table);
    for (const char *at = statement; (at = strcasestr(at, table)); at++)
        if ((at == statement || !goes_on(at[-1])) && !goes_on(at[n]))
            return true;
    return false;
}

/* Tables in use that no statement under way names. */
static bool unexplained(Db *db, Db *reader, StrList *ret, Err *err)
{
    AUTO(strlist_done) StrList tables = {0}, statements = {0};
    if (!db_column(reader,
                   "SHOW OPEN TABLES WHERE In_use > 0 AND `Database` NOT IN ('mysql', 'information_schema', "
                   "'performance_schema', 'sys', 'siding')",
                   1, &tables, err) ||
        !db_column(db,
                   "SELECT INFO FROM information_schema.PROCESSLIST WHERE INFO IS NOT NULL AND ID <> "
                   "CONNECTION_ID()",
                   0, &statements, err))
        return false;
    for (size_t i = 0; i < tables.n; i++) {
        bool named = false;
        for (size_t j = 0; j < statements.n && !named; j++)
            named = names(statements.v[j], tables.v[i]);
        if (!named)
            strlist_add(ret, tables.v[i]);
    }
    return true;
}

bool sessions_lock_tables(Db *db, Db *reader, bool *ret, Err *err)
{
    AUTO(strlist_done) StrList before = {0}, now = {0};
    *ret = false;
    if (!unexplained(db, reader, &before, err))
        return false;
    if (!before.n)
        return true;
    clock_sleep_ms(MOMENT_MS); /* a statement may have ended between the two looks */
    if (!unexplained(db, reader, &now, err))
        return false;
    for (size_t i = 0; i < now.n; i++)
        *ret = *ret || strlist_has(&before, now.v[i]);
    return true;
}

/* Those of one look, then those who have come since, or were too many for it. */
bool sessions_end_before_opening(Db *db, const char *sign, char **told, Err *err)
{
    enum { LOOKS_MOST = 32 };
    AUTOFREE char *first = NULL;
    size_t ended = 0;
    for (int i = 0; i < LOOKS_MOST; i++) {
        AUTO(sessions_done) Sessions s = {0};
        if (!sessions_find_all(db, &s, err) ||
            !sessions_end(db, &s, "that are in the way of a failover", err))
            return false;
        if (s.n && !first)
            first = STEAL(s.first);
        ended += s.n;
        if (s.n < SESSIONS_MOST)
            break;
    }
    if (!ended)
        return true;
    free(*told);
    *told =
        xasprintf("%s: the sessions of clients are ended (%zu), the longest of them %s", sign, ended, first);
    return true;
}
