/* SPDX-License-Identifier: Apache-2.0
 * The receiver in a failover: stopped for good, pointed at the new primary.
 */
#include <stdlib.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/db/clientfile.h"
#include "common/db/gtid.h"
#include "op_commits.h"
#include "order_impl.h"
#include "order_sessions.h"
#include "replica-agent/core/applier_error.h"
#include "replica-agent/core/buffer.h"

enum { SETTLE_MS = 5000, PAUSE_MS = 20 };

/* A statement that an earlier operation has sent and nobody waits for any more would start the receiver
 * behind the STOP: it waits in the server for the same lock. */
static const char starts[] =
    "SELECT ID FROM information_schema.PROCESSLIST WHERE ID <> CONNECTION_ID() AND "
    "(INFO LIKE 'START SLAVE%' OR INFO LIKE 'START REPLICA%' OR INFO LIKE 'CHANGE MASTER%' "
    "OR INFO LIKE 'CHANGE REPLICATION SOURCE%')";

static bool end_starts(Db *db, bool *ret_none, Err *err)
{
    DbRows *r;
    bool more, ok;
    uint64_t ids[16];
    size_t n = 0;
    if (!db_query(db, &r, err, starts, ""))
        return false;
    while ((ok = db_next(r, &more, err)) && more)
        if (n < COUNT(ids))
            ids[n++] = strtoull(db_field(r, 0, NULL), NULL, 10);
    db_rows_free(r);
    for (size_t i = 0; ok && i < n; i++)
        ok = op_kill(db, ids[i], err);
    *ret_none = n == 0;
    return ok;
}

static bool await_no_start(Db *db, Err *err)
{
    bool none = false;
    int64_t until = clock_mono_ms() + SETTLE_MS;
    while (end_starts(db, &none, err)) {
        if (none)
            return true;
        if (clock_mono_ms() >= until)
            return err_set(err, ERR_TIMEOUT, 0,
                           "a START of replication is under way in another session and does not end");
        clock_sleep_ms(PAUSE_MS);
    }
    return false;
}

bool order_read_received(const OrderIn *in, Db *db, OrderOut *out)
{
    const ReplStatus *s = &out->seen.status;
    AUTOFREE char *has = order_has(db, s), *last = NULL;
    if (!vault_place_read(db, in->vault_folder, &out->place, &out->err) ||
        !op_held(db, &out->place, s, &last, &out->err))
        return false;
    out->received = has ? gtid_max_text(db_version(db)->flavor, has, last) : NULL;
    return out->received ||
           err_set(&out->err, ERR_CORRUPT, 0, "the position \"%.200s\" cannot be understood", s->binlog);
}

OpResult order_stop_receiver(const OrderIn *in, Db *db, OrderOut *out)
{
    if (!out->seen.status.is_replica) {
        out->received = order_has(db, &out->seen.status);
        return out->received ? OP_DONE : OP_FAILED;
    }
    if (!await_no_start(db, &out->err))
        return OP_FAILED;
    if (in->order.gtid && order_await_applied(in, db, in->order.gtid, out) != OP_DONE)
        return OP_WAITING;
    if (!db_exec(db, &out->err, op_flavor(db)->stop_receiver, ""))
        return op_failed_or_unknown(&out->err);
    if (!order_look(db, out))
        return OP_UNKNOWN;
    if (out->seen.status.io != REPL_IO_NO) {
        err_set(&out->err, ERR_TIMEOUT, 0, "the receiver still runs after STOP");
        return OP_UNKNOWN;
    }
    return order_read_received(in, db, out) ? OP_DONE : OP_FAILED;
}

bool order_points_at(const ReplStatus *s, const OrderServer *to)
{
    return s->is_replica && str_eq(s->source_host, to->host) && s->source_port == to->port;
}

/* A global lock of others keeps a STOP from its end; the STOP that waits ends with the lock. */
bool order_stop_both(const OrderIn *in, Db *db, OrderOut *out)
{
    AUTODB Db *other = NULL;
    Err ignored;
    if (op_stop_both(db, &out->seen.status, &out->err))
        return true;
    bool ends = in->act != ORDER_REPOINT || in->order.kill_after_ms > 0;
    if (ends && op_is_unanswered(&out->err) &&
        (!op_open_as(&in->at.target, in->at.statement_ms, NULL, &other, &ignored) ||
         !sessions_end_before_opening(other, "STOP was not answered, perhaps for a lock of others",
                                      &out->told, &ignored)))
        log_warn("%s", ignored.text);
    return false;
}

/* ---- the new primary's replicas ---------------------------------------------------------------------------
 */

/* Each position beyond what the new primary has. */
static char *beyond(Db *db, const char *has, const char *winner)
{
    Err ignored;
    char *text = NULL;
    if (buffer_reaches(db_version(db)->flavor, winner, has))
        return NULL;
    if (!op_flavor(db)->binlog_is_by_domain &&
        db_value(db, &text, &ignored, "SELECT GTID_SUBTRACT(?, ?)", "ss", has, winner) && text)
        return text;
    return xstrdup(has);
}

static bool start(const OrderIn *in, Db *db, Err *err)
{
    return in->receiver_alone ? db_exec(db, err, op_flavor(db)->start_receiver, "")
                              : repl_start_both_purging(db, err);
}

/* What was a primary all its life has none. */
static bool give_account(const OrderIn *in, Db *db, Err *err)
{
    ClientFile account = {0};
    AUTO(str_done) Str sql = STR_INIT;
    if (!in->account_file)
        return err_set(err, ERR_CONFIG, 0,
                       "it was never a replica and has no account to receive as: name one in "
                       "server.replication_defaults_file of agent.conf");
    bool ok = clientfile_read(in->account_file, &account, err) &&
              ((account.user && account.password) ||
               err_set(err, ERR_CONFIG, 0, "%s names no user and password", in->account_file));
    if (ok)
        op_flavor(db)->follow_as(&sql, account.user, account.password);
    clientfile_done(&account);
    return ok && db_exec(db, err, str_z(&sql), "");
}

/* Nothing waits there, and nothing may from here on: its applier would. */
static bool stop_being_source(const OrderIn *in, Db *db, const ReplStatus *s, Err *err)
{
    commits_free_applier(db, s, in->leaves_semi_sync);
    return s->is_replica || in->leaves_semi_sync || repl_set_semi_sync_source(db, false, err);
}

/* It was pointed there before, and the new primary has found that it is not of its history: with MariaDB a
 * transaction of an earlier primary may have a smaller number than what the new one has, and still be none of
 * its own. */
static char *refused_by(const ReplStatus *s, const OrderServer *to)
{
    if (!order_points_at(s, to) || s->io != REPL_IO_NO || !receiver_is_refused(s->io_errno))
        return NULL;
    return xasprintf("the new primary says: %.200s", s->io_error ? s->io_error : "it has no such history");
}

/* What it was told to do for a drain as well. */
static bool is_settled(const OrderIn *in, const ReplStatus *s)
{
    return order_points_at(s, &in->order.source) && s->uses_gtid &&
           (!in->delay_s || s->delay_s == in->delay_s);
}

OpResult order_repoint(const OrderIn *in, Db *db, OrderOut *out)
{
    const OrderServer *to = &in->order.source;
    AUTO(str_done) Str sql = STR_INIT;
    AUTOFREE char *refused = refused_by(&out->seen.status, to);
    if (!await_no_start(db, &out->err) || !order_stop_both(in, db, out) || !order_look(db, out))
        return op_failed_or_unknown(&out->err);
    AUTOFREE char *has = order_has(db, &out->seen.status);
    out->ahead = has ? beyond(db, has, in->order.gtid ? in->order.gtid : "") : xstrdup("?");
    if (!out->ahead && refused)
        out->ahead = xasprintf("up to %.200s; %s", has, refused);
    if (out->ahead) {
        err_set(&out->err, ERR_CONFLICT, 0, "it has transactions that the new primary lacks: %.300s",
                out->ahead);
        return OP_MOVED;
    }
    op_flavor(db)->follow(&sql, to->host, to->port);
    if (in->delay_s)
        str_addf(&sql, op_flavor(db)->delayed, (long long)in->delay_s);
    if (!out->seen.status.is_replica)
        str_adds(&sql, op_flavor(db)->demoted);
    if (!stop_being_source(in, db, &out->seen.status, &out->err) ||
        !db_exec(db, &out->err, op_flavor(db)->semi_sync_replica_off, "") ||
        (!is_settled(in, &out->seen.status) && !db_exec(db, &out->err, str_z(&sql), "")) ||
        (!out->seen.status.has_account && !give_account(in, db, &out->err)) || !start(in, db, &out->err) ||
        !order_look(db, out))
        return op_failed_or_unknown(&out->err);
    log_info("this server follows %s:%lld now", to->host, (long long)to->port);
    return OP_DONE;
}
