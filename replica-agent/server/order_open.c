/* SPDX-License-Identifier: Apache-2.0
 * The new primary: opened, once nothing can be acknowledged without a replica, and tried.
 */
#include <inttypes.h>

#include "common/base/log.h"
#include "order_impl.h"
#include "order_sessions.h"

enum { PROBE_MS = 5000, PROBE_KEPT = 100 };

/* One that a person keeps is only looked at. */
static bool is_strict(Db *db, Err *err)
{
    ReplSemiSync now;
    if (!repl_semi_sync_read(db, &now, err))
        return false;
    return now.source_on ||
           err_set(
               err, ERR_REFUSED, 0,
               "semi-sync as a source is off, and semi_sync = \"leave\" in agent.conf keeps this agent from "
               "switching it on: %s",
               op_flavor(db)->semi_sync_source_on);
}

static bool forget_source(const OrderIn *in, Db *db, OrderOut *out)
{
    AUTODB Db *rescuer = NULL;
    Err *err = &out->err;
    return order_stop_both(in, db, out) && db_connect(&in->rescuer, in->at.statement_ms, &rescuer, err) &&
           db_exec(rescuer, err, op_flavor(db)->forget_source, "");
}

/* A table that a client has locked takes no writes of others, and says so to nobody. Without an account that
 * sees tables it is opened all the same. */
static bool unlock_tables(const OrderIn *in, Db *db, OrderOut *out)
{
    AUTODB Db *reader = NULL;
    Err ignored;
    bool locked = false;
    if (!in->reader.defaults_file || !op_open_as(&in->reader, in->at.statement_ms, NULL, &reader, &ignored) ||
        !sessions_lock_tables(db, reader, &locked, &ignored)) {
        log_warn("whether clients have locked tables is not known: %s",
                 in->reader.defaults_file ? ignored.text : "no job_defaults_file in agent.conf");
        return true;
    }
    return !locked || sessions_end_before_opening(db, "tables were locked on it", &out->told, &out->err);
}

OpResult order_set_open(const OrderIn *in, Db *db, OrderOut *out)
{
    bool alone = in->order.decision.acks == 0;
    if (alone && !in->leaves_semi_sync && !repl_set_semi_sync_source(db, false, &out->err))
        return op_failed_or_unknown(&out->err);
    if (!alone && !(in->leaves_semi_sync ? is_strict(db, &out->err)
                                         : op_wait_for_ever(db, in->order.decision.acks, &out->err)))
        return op_failed_or_unknown(&out->err);
    if (out->seen.status.is_replica && !forget_source(in, db, out))
        return op_failed_or_unknown(&out->err);
    if (!unlock_tables(in, db, out) || !repl_set_read_only(db, false, &out->err) || !order_look(db, out))
        return op_failed_or_unknown(&out->err);
    if (out->seen.status.is_replica || out->seen.status.read_only) {
        err_set(&out->err, ERR_DB, 0, "it is still %s",
                out->seen.status.is_replica ? "a replica" : "read-only");
        return OP_FAILED;
    }
    log_info("the server is opened to writes: it is the primary of term %" PRId64, in->order.ballot.term);
    return OP_DONE;
}

static void unblock_probe(const OrderIn *in, uint64_t id, OrderOut *out)
{
    AUTODB Db *db = NULL;
    Err err;
    bool blocked = false;
    if (!op_open_as(&in->at.target, in->at.statement_ms, NULL, &db, &err) ||
        !sessions_block(db, id, &blocked, &err) ||
        (blocked &&
         !sessions_end_before_opening(db, "a lock of others kept it from committing", &out->told, &err)))
        log_warn("%s", err.text);
}

/* One that was not acknowledged stays, and is not ended: with it others of its group would be taken for
 * acknowledged. As long as it is there, another would wait behind it. */
static bool none_waits(Db *db, Err *err)
{
    int64_t n = 0;
    return db_value_int(db, &n, err,
                        "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE ID <> CONNECTION_ID() AND "
                        "INFO LIKE 'INSERT INTO siding.probe%'",
                        "") &&
           (!n || err_set(err, ERR_TIMEOUT, 0, "a write is not acknowledged"));
}

/* As a client commits, in the binary log: it comes back only when the members have it. */
OpResult order_write_probe(const OrderIn *in, const Cancel *cancel, OrderOut *out)
{
    AUTODB Db *db = NULL;
    Err ignored;
    if (!op_open_as(&in->at.target, PROBE_MS, cancel, &db, &out->err) || !none_waits(db, &out->err))
        return OP_FAILED;
    if (!db_exec(db, &out->err, "INSERT INTO siding.probe (node, term) VALUES (?, ?)", "si", in->node,
                 in->order.ballot.term)) {
        if (op_is_unanswered(&out->err)) {
            err_prefix(&out->err, "a write is not acknowledged");
            unblock_probe(in, db_connection_id(db), out);
        }
        return op_failed_or_unknown(&out->err);
    }
    if (!db_exec(db, &ignored, "DELETE FROM siding.probe WHERE term < ?", "i",
                 in->order.ballot.term - PROBE_KEPT))
        log_debug("%s", ignored.text);
    return order_look(db, out) ? OP_DONE : OP_FAILED;
}
