/* SPDX-License-Identifier: Apache-2.0 */
#include "op_verify.h"

#include "op_impl.h"

void verify_in_done(VerifyIn *in)
{
    op_server_done(&in->at);
    free(in->gtid);
    free(in->binlog_gtid);
    free(in->source_host);
    wire_free(lease_server_fields, &in->server);
    *in = (VerifyIn){0};
}

void verify_out_done(VerifyOut *out)
{
    server_seen_done(&out->seen);
    *out = (VerifyOut){0};
}

static OpResult judge(const VerifyIn *in, bool held_lost, VerifyOut *out)
{
    FrozenPoint was = {in->gtid, in->binlog_gtid, in->source_host, in->source_port, &in->server};
    FrozenReading now = {out->seen.version.flavor, &out->seen.status, &out->seen.server, held_lost};
    out->change = frozen_compare(&was, &now, FROZEN_FOR_PROOF);
    if (out->change == FROZEN_STILL)
        return OP_DONE;
    AUTOFREE char *text = frozen_text(out->change, &was, &now, FROZEN_FOR_PROOF);
    err_set(&out->err, ERR_CORRUPT, 0, "%s", text);
    return OP_MOVED;
}

bool op_verify(const VerifyIn *in, const Cancel *cancel, VerifyOut *out)
{
    AUTODB Db *db = NULL;
    Err ignored;
    out->result = OP_FAILED;
    bool held_lost = !in->held || !db_ping(in->held, &ignored);
    if (op_open(&in->at, in->at.statement_ms, cancel, &db, &out->err) && op_look(db, &out->seen, &out->err))
        out->result = judge(in, held_lost, out);
    return out->result == OP_DONE;
}
