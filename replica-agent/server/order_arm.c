/* SPDX-License-Identifier: Apache-2.0
 * A member acknowledges: what it receives from now on, and what it has received before.
 *
 * A source sends no event twice. What a replica has received without acknowledging it, because it was no
 * member yet or because its connection broke before the answer, is never acknowledged by its receiver: the
 * commits wait for ever, though every replica has them, and on MariaDB the second group of them keeps all
 * later ones out of the binary log. But a source takes whatever lies before the place where an acknowledging
 * replica asks it to begin for received (ReplSemiSyncMaster's dump_start). The receiver asks by GTID, which
 * names no place; a connection of the agent's own asks by file and position, as the receiver has them.
 */
#include "common/base/clock.h"
#include "common/base/log.h"
#include "order_impl.h"

enum { SETTLE_MS = 5000, PLACE_MS = 500, PAUSE_MS = 20, SAY_MS = 1500 };

static bool acknowledges(Db *db, bool *ret, Err *err)
{
    ReplSemiSync now;
    if (!repl_semi_sync_read(db, &now, err))
        return false;
    *ret = now.acknowledges;
    return true;
}

/* It is asked for at the start of the receiver. */
static OpResult let_acknowledge(Db *db, OrderOut *out)
{
    const Flavor *f = op_flavor(db);
    bool there = false;
    if (!db_exec(db, &out->err, f->semi_sync_replica_on, "") || !acknowledges(db, &there, &out->err))
        return op_failed_or_unknown(&out->err);
    if (!there &&
        (!db_exec(db, &out->err, f->stop_receiver, "") || !db_exec(db, &out->err, f->start_receiver, "")))
        return op_failed_or_unknown(&out->err);
    for (int64_t until = clock_mono_ms() + SETTLE_MS; !there; clock_sleep_ms(PAUSE_MS)) {
        if (!acknowledges(db, &there, &out->err))
            return OP_FAILED;
        if (!there && clock_mono_ms() >= until) {
            err_set(&out->err, ERR_TIMEOUT, 0,
                    "its receiver has not connected to the new primary with semi-sync");
            return OP_FAILED;
        }
    }
    return order_look(db, out) ? OP_DONE : OP_FAILED;
}

/* The receiver has just been started, as a rule, and has none yet: then the act fails, and comes again. Not
 * to say it would leave commits waiting that this server holds, with nobody told why. */
static bool await_place(Db *db, OrderOut *out)
{
    const ReplStatus *s = &out->seen.status;
    for (int64_t until = clock_mono_ms() + PLACE_MS;; clock_sleep_ms(PAUSE_MS)) {
        bool late = clock_mono_ms() >= until;
        if (s->io == REPL_IO_YES && s->read_file && *s->read_file)
            return true;
        if (late || s->io == REPL_IO_NO)
            return err_set(&out->err, ERR_TIMEOUT, 0,
                           "it acknowledges, and its receiver %s: what it has received before cannot be "
                           "acknowledged yet%s%s",
                           s->io == REPL_IO_NO           ? "has stopped"
                           : s->io == REPL_IO_CONNECTING ? "is connecting to the primary"
                                                         : "has read nothing of the primary",
                           s->io_error && *s->io_error ? ": " : "", s->io_error ? s->io_error : "");
        if (!order_look(db, out))
            return false;
    }
}

/* The source knows its replicas by their number. One that counts them takes the receiver's, so that one
 * replica never counts twice; one that does not would end the receiver's connection for the same number. */
static uint32_t number_of(const Flavor *f, const ReplStatus *s)
{
    enum { ANOTHER = 0x40000000 };
    uint32_t own = (uint32_t)s->server_id;
    return f->semi_sync_count ? own : own ^ ANOTHER;
}

static bool say(const OrderIn *in, const Flavor *f, const ReplStatus *s, Err *err)
{
    AUTODB Db *db = NULL;
    DbTarget source = {.defaults_file = in->account_file, .host = s->source_host, .port = s->source_port};
    if (!db_connect(&source, SAY_MS, &db, err))
        return false;
    for (const char *const *sql = f->semi_sync_asks; *sql; sql++)
        if (!db_exec(db, err, *sql, ""))
            return false;
    return db_ask_binlog(db, number_of(f, s), s->read_file, (uint64_t)s->read_pos, err);
}

/* What it receives from here on is acknowledged, also where its source does not take this. */
static OpResult say_received(const OrderIn *in, Db *db, OrderOut *out)
{
    Err err;
    const ReplStatus *s = &out->seen.status;
    if (!in->account_file) {
        log_info("what this server has received before it acknowledged is not acknowledged: no "
                 "server.replication_defaults_file in agent.conf");
        return OP_DONE;
    }
    if (!await_place(db, out))
        return OP_FAILED;
    if (say(in, op_flavor(db), s, &err))
        log_info("%s:%lld is told that %s is received up to %lld", s->source_host, (long long)s->source_port,
                 s->read_file, (long long)s->read_pos);
    else
        log_warn("%s:%lld cannot be told what this server has received: %s", s->source_host,
                 (long long)s->source_port, err.text);
    return OP_DONE;
}

OpResult order_set_armed(const OrderIn *in, Db *db, OrderOut *out)
{
    if (out->seen.status.io == REPL_IO_NO) { /* since the last reading, and it stays so */
        err_set(&out->err, ERR_CONFLICT, 0, "its receiver has been stopped");
        return OP_FAILED;
    }
    OpResult result = let_acknowledge(db, out);
    return result == OP_DONE ? say_received(in, db, out) : result;
}

/* A receiver that runs goes on acknowledging until it connects anew. With the applier stopped, MariaDB's
 * START would throw away what the relay files hold: the receiver is left to who starts both. */
OpResult order_set_silent(Db *db, OrderOut *out)
{
    const Flavor *f = op_flavor(db);
    bool still = false;
    if (!op_be_silent(db, &out->err) || !acknowledges(db, &still, &out->err))
        return op_failed_or_unknown(&out->err);
    if (still && (!db_exec(db, &out->err, f->stop_receiver, "") ||
                  (out->seen.status.sql_running && !db_exec(db, &out->err, f->start_receiver, ""))))
        return op_failed_or_unknown(&out->err);
    if (still)
        log_warn("this server is counted out, and acknowledged what it received: it does no more");
    return order_look(db, out) ? OP_DONE : OP_FAILED;
}
