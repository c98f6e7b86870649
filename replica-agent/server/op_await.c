/* SPDX-License-Identifier: Apache-2.0 */
#include "op_await.h"

#include "common/base/clock.h"
#include "op_impl.h"

void await_in_done(AwaitIn *in)
{
    op_server_done(&in->at);
    free(in->gtid);
    *in = (AwaitIn){0};
}

static bool ended(const AwaitIn *in, const Cancel *cancel, int64_t until, Err *err)
{
    if (cancel_asked(cancel))
        return err_set(err, ERR_CANCELLED, 0, "%s was not waited for any longer", in->gtid), true;
    if (clock_mono_ms() >= until)
        return err_set(err, ERR_TIMEOUT, 0,
                       "the run's own submission (%s) was not applied here within %lld s", in->gtid,
                       (long long)in->timeout_ms / 1000),
               true;
    return false;
}

bool op_await(const AwaitIn *in, const Cancel *cancel, AwaitOut *out)
{
    AUTODB Db *db = NULL;
    bool there = false;
    int64_t until = clock_mono_ms() + in->timeout_ms;
    out->result = OP_FAILED;
    if (!op_open(&in->at, in->at.statement_ms + OP_SLICE_MS, cancel, &db, &out->err))
        return false;
    while (!there)
        if (!repl_wait_applied(db, in->gtid, OP_SLICE_MS, &there, &out->err) ||
            (!there && ended(in, cancel, until, &out->err)))
            return false;
    out->result = OP_DONE;
    return true;
}
