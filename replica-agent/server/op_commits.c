/* SPDX-License-Identifier: Apache-2.0 */
#include "op_commits.h"

#include <inttypes.h>
#include <stdlib.h>

#include "common/base/log.h"

/* An applier that waits has no client, and would stop by a KILL. */
static const char waiting_commits[] =
    "SELECT ID, USER = SUBSTRING_INDEX(CURRENT_USER(), '@', 1) FROM information_schema.PROCESSLIST WHERE "
    "STATE LIKE 'Waiting for semi-sync ACK%' AND "
    "COMMAND <> 'Killed' AND USER <> 'system user'";

/* But for those of this account, which asks for nothing that a client is told of. */
static const char busy_clients[] = "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE USER <> "
                                   "SUBSTRING_INDEX(CURRENT_USER(), '@', 1) "
                                   "AND COMMAND NOT IN ('Sleep', 'Daemon') AND COMMAND NOT LIKE 'Binlog "
                                   "Dump%' AND USER NOT IN ('system user', "
                                   "'event_scheduler')";

static bool cut(Db *db, uint64_t id, Err *err)
{
    if (op_kill(db, id, err))
        return true;
    if (err->code != OP_NOT_ITS_OWNER)
        return false;
    return err_set(err, ERR_REFUSED, OP_NOT_ITS_OWNER,
                   "a commit of session %" PRIu64
                   " waits for a replica to acknowledge it, and that session has "
                   "rights which keep this account from ending it: KILL %" PRIu64 ". Semi-sync stays on",
                   id, id);
}

/* Nobody else is at a statement: the commit that waits has no others in its group, which was complete before
 * it began to wait. */
static bool is_alone(Db *db, size_t waiting, bool ours, bool *ret, Err *err)
{
    int64_t busy = 0;
    if (!db_value_int(db, &busy, err, busy_clients, ""))
        return false;
    *ret = waiting == 1 && busy == (ours ? 0 : 1);
    return true;
}

bool commits_cut_waiting(Db *db, int64_t *ret_n, Err *err)
{
    DbRows *r;
    bool more = false, ours = false, ok;
    uint64_t ids[64];
    size_t n = 0;
    if (!db_query(db, &r, err, waiting_commits, ""))
        return false;
    while (n < sizeof ids / sizeof *ids && (ok = db_next(r, &more, err)) && more) {
        ids[n++] = strtoull(db_field(r, 0, NULL), NULL, 10);
        ours = str_eq(db_field(r, 1, NULL), "1");
    }
    ok = n == sizeof ids / sizeof *ids || !more;
    db_rows_free(r);
    bool safe = !op_flavor(db)->kill_acknowledges;
    if (ok && n && !safe)
        ok = is_alone(db, n, ours, &safe, err);
    for (size_t i = 0; ok && safe && i < n; i++)
        ok = cut(db, ids[i], err);
    *ret_n = (int64_t)n;
    return ok;
}

void commits_free_applier(Db *db, const ReplStatus *s, bool leaves)
{
    Err err;
    ReplSemiSync now;
    int64_t waiting = 0;
    if (leaves || !s->is_replica)
        return;
    if (!repl_semi_sync_read(db, &now, &err)) {
        log_warn("whether semi-sync as a source is on is not known: %s", err.text);
        return;
    }
    if (!now.source_on)
        return;
    if (commits_cut_waiting(db, &waiting, &err) && repl_set_semi_sync_source(db, false, &err))
        log_info(
            "semi-sync as a source is switched off before the applier is started (semi_sync = \"manage\" "
            "in agent.conf)");
    else
        log_warn("semi-sync as a source is on, what the applier commits may wait for ever: %s", err.text);
}
