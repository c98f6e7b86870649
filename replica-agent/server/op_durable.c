/* SPDX-License-Identifier: Apache-2.0 */
#include "op_durable.h"

#include "op_impl.h"

void durable_in_done(DurableIn *in)
{
    op_server_done(&in->at);
    free(in->sync_binlog);
    free(in->flush_log);
    free(in->vault_folder);
    *in = (DurableIn){0};
}

void durable_out_done(DurableOut *out)
{
    wire_free(vault_place_fields, &out->place);
    *out = (DurableOut){0};
}

bool op_durable(const DurableIn *in, const Cancel *cancel, DurableOut *out)
{
    AUTODB Db *db = NULL;
    ReplSettings want = {.sync_binlog = in->sync_binlog, .flush_log = in->flush_log};
    bool ok = op_open(&in->at, in->at.statement_ms, cancel, &db, &out->err) &&
              op_commit(db, cancel, &out->err) && repl_settings_apply(db, &want, false, &out->err) &&
              vault_place_read(db, in->vault_folder, &out->place, &out->err) &&
              vault_flush_server(&out->place, &out->err);
    out->result = ok ? OP_DONE : OP_FAILED;
    return ok;
}
