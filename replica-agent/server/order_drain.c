/* SPDX-License-Identifier: Apache-2.0
 * A drain: the winner applies all that it has received, and fetches from its donor what it lacks. The donor
 * applies what it has received, or there would be nothing to fetch, also where it is delayed on purpose or
 * stands.
 */
#include <stdlib.h>

#include "common/db/gtid.h"
#include "op_commits.h"
#include "order_impl.h"
#include "order_sessions.h"
#include "replica-agent/core/buffer.h"

static bool unblock_applier(Db *db, OrderOut *out)
{
    bool blocked = false;
    return sessions_block_applier(db, &blocked, &out->err) &&
           (!blocked ||
            sessions_end_before_opening(db, "a lock of others kept it from applying what it has received",
                                        &out->told, &out->err));
}

OpResult order_await_applied(const OrderIn *in, Db *db, const char *target, OrderOut *out)
{
    enum { SLICE_MS = 1500 };
    bool there = false;
    if (!repl_wait_applied(db, target, SLICE_MS, &there, &out->err) || !order_look(db, out))
        return OP_FAILED;
    if (there)
        return OP_DONE;
    if (in->act == ORDER_APPLY_ALL && !unblock_applier(db, out))
        return OP_FAILED;
    const ReplStatus *s = &out->seen.status;
    err_set(&out->err, ERR_TIMEOUT, 0, "%lld transactions that it has received are not applied yet%s%s",
            (long long)gtid_behind_text(db_version(db)->flavor, s->applied, target),
            s->sql_error && *s->sql_error ? ": " : "", s->sql_error ? s->sql_error : "");
    return OP_WAITING;
}

/* The delay comes back with the next order to follow. Where a rescue applies what the relay files hold, it is
 * only stopped for that: a rescue knows no delay. */
static bool lift_delay(const OrderIn *in, Db *db, OrderOut *out)
{
    const ReplStatus *s = &out->seen.status;
    if (s->delay_s != in->delay_s)
        return err_set(&out->err, ERR_CONFLICT, 0, "its delay of %lld s is to be written down first",
                       (long long)s->delay_s);
    return order_stop_both(in, db, out) && order_look(db, out) &&
           (!op_flavor(db)->lift_delay ||
            (repl_lift_delay(db, s, &out->err) && repl_drain(db, &out->err) && order_look(db, out)));
}

static OpResult apply_own(const OrderIn *in, Db *db, OrderOut *out)
{
    const ReplStatus *s = &out->seen.status;
    if (!order_read_received(in, db, out))
        return OP_FAILED;
    AUTOFREE char *target = xstrdup(out->received), *has = order_has(db, s);
    if (has && buffer_reaches(db_version(db)->flavor, has, target))
        return OP_DONE;
    commits_free_applier(db, s, in->leaves_semi_sync);
    if (s->delay_s > 0 && !lift_delay(in, db, out))
        return op_failed_or_unknown(&out->err);
    if (s->sql_running)
        return order_await_applied(in, db, target, out);
    err_set(&out->err, ERR_TIMEOUT, 0,
            "its applier stands, and what it has received up to %.200s is not applied", target);
    return OP_WAITING;
}

/* The union of what several members have: from the server of one of them, without acknowledging anything. */
static OpResult apply_donors(const OrderIn *in, Db *db, OrderOut *out)
{
    const OrderServer *donor = &in->order.source;
    const ReplStatus *s = &out->seen.status;
    AUTOFREE char *has = order_has(db, s);
    if (!in->order.gtid) {
        err_set(&out->err, ERR_USAGE, 0, "the order to drain names no position of its donor %s", donor->node);
        return OP_FAILED;
    }
    bool all = has && buffer_reaches(db_version(db)->flavor, has, in->order.gtid);
    if (!all && (s->io == REPL_IO_NO || !order_points_at(s, donor))) {
        AUTO(str_done) Str sql = STR_INIT;
        op_flavor(db)->follow(&sql, donor->host, donor->port);
        commits_free_applier(db, s, in->leaves_semi_sync);
        if (!order_stop_both(in, db, out) ||
            !db_exec(db, &out->err, op_flavor(db)->semi_sync_replica_off, "") ||
            !db_exec(db, &out->err, str_z(&sql), "") || !repl_start_both_purging(db, &out->err))
            return op_failed_or_unknown(&out->err);
    }
    OpResult result = all ? OP_DONE : order_await_applied(in, db, in->order.gtid, out);
    if (result == OP_WAITING)
        err_prefix(&out->err, "%s gives what it has applied itself", donor->node);
    if (result != OP_DONE)
        return result;
    return order_stop_both(in, db, out) && order_look(db, out) ? OP_DONE : OP_UNKNOWN;
}

OpResult order_apply_all(const OrderIn *in, Db *db, OrderOut *out)
{
    const OrderServer *donor = &in->order.source;
    bool from_donor = donor->node && donor->host && !str_eq(donor->node, in->node);
    OpResult result = OP_DONE;
    if (out->seen.status.is_replica && out->seen.status.io != REPL_IO_NO && !from_donor) {
        err_set(&out->err, ERR_CONFLICT, 0, "its receiver runs: somebody has started it");
        return OP_FAILED;
    }
    if (out->seen.status.is_replica && out->seen.status.io == REPL_IO_NO)
        result = apply_own(in, db, out);
    if (result == OP_DONE && from_donor)
        result = apply_donors(in, db, out);
    if (result != OP_DONE)
        return result;
    free(out->received);
    out->received = order_has(db, &out->seen.status);
    return out->received ? OP_DONE : OP_FAILED;
}
