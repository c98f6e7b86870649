/* SPDX-License-Identifier: Apache-2.0 */
#include "op_align.h"

#include "common/base/clock.h"
#include "common/db/gtid.h"
#include "op_impl.h"

void align_in_done(AlignIn *in)
{
    op_server_done(&in->at);
    free(in->gtid);
    free(in->source_file);
    *in = (AlignIn){0};
}

void align_out_done(AlignOut *out)
{
    server_seen_done(&out->seen);
    *out = (AlignOut){0};
}

static bool is_there(const AlignIn *in, const Db *db, const AlignOut *out)
{
    return gtid_compare_text(db_version(db)->flavor, out->seen.status.applied, in->gtid) == GTID_EQUAL;
}

/* The applier runs: it is stopped again whatever comes. At the last received event it does not stop by
 * itself. */
static OpResult move_on(const AlignIn *in, const Cancel *cancel, Db *db, AlignOut *out)
{
    bool there = false;
    int64_t until = clock_mono_ms() + in->timeout_ms;
    if (!repl_start_sql_until(db, in->gtid, in->source_file, in->source_pos, &out->err))
        return op_failed_or_unknown(&out->err);
    while (!there && !cancel_asked(cancel) && clock_mono_ms() < until)
        if (!repl_wait_applied(db, in->gtid, OP_SLICE_MS, &there, &out->err))
            return OP_UNKNOWN;
    if (!repl_stop_sql(db, &out->err))
        return OP_UNKNOWN;
    return op_look(db, &out->seen, &out->err) ? OP_DONE : OP_FAILED;
}

/* The others stand at the same position, but a filter, for one, is this server's own. */
static bool is_whole(Db *db, Err *err)
{
    AUTOFREE char *why = NULL;
    bool passes;
    return op_half_done(db, &why, &passes, err) && (!why || err_set(err, ERR_REFUSED, 0, "%s", why));
}

static OpResult align(const AlignIn *in, const Cancel *cancel, Db *db, AlignOut *out)
{
    const ReplStatus *s = &out->seen.status;
    if (!op_look(db, &out->seen, &out->err) || !op_commit(db, cancel, &out->err))
        return OP_FAILED;
    if (s->sql_running) {
        err_set(&out->err, ERR_CONFLICT, 0, "the applier runs, although this replica should stand frozen");
        return OP_FAILED;
    }
    OpResult moved = is_there(in, db, out) ? OP_DONE : move_on(in, cancel, db, out);
    if (moved != OP_DONE)
        return moved;
    if (is_there(in, db, out) && !s->sql_running)
        return is_whole(db, &out->err) ? OP_DONE : OP_FAILED;
    err_set(&out->err, cancel_asked(cancel) ? ERR_CANCELLED : ERR_TIMEOUT, 0,
            "asked to stand at %s, it stands at %s", in->gtid, s->applied);
    return OP_FAILED;
}

bool op_align(const AlignIn *in, const Cancel *cancel, AlignOut *out)
{
    AUTODB Db *db = NULL;
    out->result = OP_FAILED;
    if (op_open(&in->at, in->timeout_ms, cancel, &db, &out->err))
        out->result = align(in, cancel, db, out);
    return out->result == OP_DONE;
}
