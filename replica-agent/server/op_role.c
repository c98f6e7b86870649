/* SPDX-License-Identifier: Apache-2.0 */
#include "op_role.h"

#include "common/base/log.h"
#include "op_impl.h"

void role_in_done(RoleIn *in)
{
    op_server_done(&in->at);
    *in = (RoleIn){0};
}

void role_out_done(RoleOut *out)
{
    server_seen_done(&out->seen);
    *out = (RoleOut){0};
}

bool op_role(const RoleIn *in, const Cancel *cancel, RoleOut *out)
{
    AUTODB Db *db = NULL;
    Err ignored;
    out->result = OP_FAILED;
    if (!op_open(&in->at, in->at.statement_ms, cancel, &db, &out->err) || !op_commit(db, cancel, &out->err))
        return false;
    if (!repl_set_semi_sync_source(db, in->open, &ignored))
        log_warn("semi-sync source %s: %s", in->open ? "on" : "off", ignored.text);
    if (repl_set_read_only(db, !in->open, &out->err) && op_look(db, &out->seen, &out->err))
        out->result = OP_DONE;
    return out->result == OP_DONE;
}
