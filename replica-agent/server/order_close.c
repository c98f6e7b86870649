/* SPDX-License-Identifier: Apache-2.0
 * A primary that lives is closed, for a switchover: nothing more is written, every client that waits has its
 * answer, and its last position is known. What would keep it from being closed within a moment is looked for
 * before anything is done; what comes after that is undone.
 *
 * Invariants: semi-sync stays on, and no commit that waits is cut off; either it is closed in the end or as
 * open as it was. A fence is not undone here: whoever has ordered it decides.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "order_impl.h"
#include "order_sessions.h"

enum {
    LONG_S = 2,       /* an open transaction of that age, or a statement, is not cut off for a switchover */
    CLOSED_MS = 2000, /* to be closed within */
    TRY_MS = 1200,    /* one attempt at read_only; the server itself gives up after a second */
    LOOK_MS = 5,
    KILLED_MS = 1000, /* a session that was ended is gone, and what it did undone, within */
};

/* Those that write, the longest first. */
static const char transactions[] =
    "SELECT p.ID, CONCAT(p.USER, '@', p.HOST), TIMESTAMPDIFF(SECOND, t.trx_started, NOW()),"
    " LEFT(COALESCE(p.INFO, 'an open transaction'), 120) FROM information_schema.INNODB_TRX t"
    " JOIN information_schema.PROCESSLIST p ON p.ID = t.trx_mysql_thread_id WHERE " SESSIONS_OF_CLIENTS
    " AND (t.trx_rows_modified > 0 OR t.trx_rows_locked > 0)"
    " AND TIMESTAMPDIFF(SECOND, t.trx_started, NOW()) >= ? ORDER BY 3 DESC";
static const char statements[] =
    "SELECT p.ID, CONCAT(p.USER, '@', p.HOST), p.TIME, LEFT(p.INFO, 120)"
    " FROM information_schema.PROCESSLIST p WHERE " SESSIONS_OF_CLIENTS " AND p.TIME >= ?"
    " AND p.INFO REGEXP "
    "'^[[:space:](]*(ALTER|CREATE|DROP|RENAME|TRUNCATE|OPTIMIZE|REPAIR|ANALYZE|LOAD|INSERT|"
    "UPDATE|DELETE|REPLACE|FLUSH|LOCK|GRANT|REVOKE|CALL)' ORDER BY 3 DESC";
/* Sessions that wait for longer than a commit takes that is acknowledged. */
static const char waits[] = "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE STATE LIKE "
                            "'Waiting for semi-sync ACK%' AND TIME >= ?";

static bool find_long(Db *db, Sessions *h, Err *err)
{
    return sessions_find(db, transactions, LONG_S, h, err) && sessions_find(db, statements, LONG_S, h, err);
}

static const char in_the_way[] = "that were in the way of a switchover";

static bool count_waiting(Db *db, int64_t from_s, int64_t *ret, Err *err)
{
    return db_value_int(db, ret, err, waits, "i", from_s);
}

/* Nobody who waits is cut off: whoever has waited so long would keep it closed. */
static bool refuse_waiting(Db *db, Err *err)
{
    int64_t waiting;
    return count_waiting(db, LONG_S, &waiting, err) &&
           (!waiting ||
            err_set(err, ERR_REFUSED, 0, "%" PRId64 " commits wait for an acknowledgement", waiting));
}

/* Still open: nobody notices that it was looked at. */
static bool await_short(const OrderIn *in, Db *db, Err *err)
{
    int64_t until = clock_mono_ms() + in->order.kill_after_ms;
    bool ended = false;
    for (;; clock_sleep_ms(LOOK_MS * 10)) {
        AUTO(sessions_done) Sessions h = {0};
        if (!refuse_waiting(db, err) || !find_long(db, &h, err))
            return false;
        if (!h.n)
            return true;
        if (clock_mono_ms() < until)
            continue;
        if (!in->order.kill_after_ms || (ended && clock_mono_ms() >= until + KILLED_MS))
            return err_set(err, ERR_REFUSED, 0,
                           "%s: it would be cut off by a switchover. Wait for its end, or let --kill-after D "
                           "end it",
                           h.first);
        if (!ended && !sessions_end(db, &h, in_the_way, err))
            return false;
        ended = true;
    }
}

/* By a connection of its own, whose statement ends in the server by itself. */
static bool try_read_only(const OrderIn *in, Err *err)
{
    AUTODB Db *db = NULL;
    return op_open(&in->at, TRY_MS, NULL, &db, err) &&
           db_exec(db, err, "SET SESSION lock_wait_timeout=1", "") && repl_set_read_only(db, true, err);
}

/* It reads as closed, and nobody waits. */
static bool is_closed(Db *db, OrderOut *out, int64_t *ret_waiting, bool *ret)
{
    *ret = false;
    if (!order_look(db, out))
        return false;
    if (!out->seen.status.read_only)
        return true;
    if (!count_waiting(db, 0, ret_waiting, &out->err))
        return false;
    *ret = *ret_waiting == 0;
    return true;
}

static bool held(Db *db, int64_t waiting, const Err *tried, Err *err)
{
    AUTO(sessions_done) Sessions h = {0};
    Err ignored;
    if (waiting)
        return err_set(err, ERR_REFUSED, 0,
                       "it could not be closed within %d ms: %" PRId64 " commits wait for an acknowledgement",
                       CLOSED_MS, waiting);
    if (!sessions_find_all(db, &h, &ignored))
        log_debug("%s", ignored.text);
    return err_set(
        err, ERR_REFUSED, 0,
        "it could not be closed within %d ms (%s): a lock of another session is in the way, perhaps of "
        "%s. Let --kill-after D end it",
        CLOSED_MS, tried->text, h.first ? h.first : "one that cannot be seen");
}

static bool end_everybody(Db *db, Err *err)
{
    AUTO(sessions_done) Sessions h = {0};
    return sessions_find_all(db, &h, err) && sessions_end(db, &h, in_the_way, err);
}

/* A statement that has not come to its end says nothing, whatever the variable reads as meanwhile. */
static bool close_now(const OrderIn *in, Db *db, OrderOut *out)
{
    int64_t waiting = 0, until = clock_mono_ms() + CLOSED_MS;
    bool set = false, closed = false, ended = false;
    Err tried = {0};
    for (;; clock_sleep_ms(LOOK_MS)) {
        set = set || try_read_only(in, &tried);
        if (!set && !ended && in->order.kill_after_ms) {
            if (!end_everybody(db, &out->err))
                return false;
            ended = true;
        }
        if (!is_closed(db, out, &waiting, &closed))
            return false;
        if (set && closed)
            return true;
        set = set && out->seen.status.read_only;
        if (clock_mono_ms() >= until)
            return held(db, waiting, &tried, &out->err);
    }
}

static void open_again(const OrderIn *in)
{
    AUTODB Db *db = NULL;
    Err err;
    if (!op_open(&in->at, in->at.statement_ms, NULL, &db, &err) || !repl_set_read_only(db, false, &err))
        log_error("the server was to be opened again after a switchover that could not begin: %s", err.text);
}

/* A switchover that another coordinator has left had come so far that it follows the winner. */
static OpResult close_follower(const OrderIn *in, Db *db, OrderOut *out)
{
    if (!out->seen.status.read_only && !repl_set_read_only(db, true, &out->err))
        return op_failed_or_unknown(&out->err);
    return order_stop_receiver(in, db, out);
}

OpResult order_set_closed(const OrderIn *in, Db *db, OrderOut *out)
{
    bool was_open = !out->seen.status.read_only, may_undo = in->order.kind == ORDER_CLOSE;
    if (out->seen.status.is_replica && may_undo) {
        err_set(&out->err, ERR_CONFLICT, 0, "it replicates from another server: it is no primary");
        return OP_FAILED;
    }
    if (out->seen.status.is_replica)
        return close_follower(in, db, out);
    if (may_undo && was_open && !await_short(in, db, &out->err))
        return OP_FAILED;
    int64_t begun_ms = clock_mono_ms();
    if (!close_now(in, db, out)) {
        if (may_undo && was_open)
            open_again(in);
        return OP_FAILED;
    }
    free(out->received);
    out->received = order_has(db, &out->seen.status);
    out->closed_for_ms = clock_mono_ms() - begun_ms;
    log_info("the server is closed for a switchover; it has %.300s", out->received ? out->received : "?");
    return out->received ? OP_DONE : OP_FAILED;
}

OpResult order_reopen(const OrderIn *in, Db *db, OrderOut *out)
{
    (void)in;
    if (!repl_set_read_only(db, false, &out->err) || !order_look(db, out))
        return op_failed_or_unknown(&out->err);
    log_info("the server is opened to writes again");
    return OP_DONE;
}
