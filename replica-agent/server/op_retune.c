/* SPDX-License-Identifier: Apache-2.0 */
#include "op_retune.h"

#include "common/base/log.h"
#include "op_impl.h"
#include "replica-agent/core/applier.h"

void retune_in_done(RetuneIn *in)
{
    op_server_done(&in->at);
    wire_free(lease_settings_fields, &in->boosted);
    *in = (RetuneIn){0};
}

void retune_out_done(RetuneOut *out)
{
    server_seen_done(&out->seen);
    *out = (RetuneOut){0};
}

static bool may_stop(const Cancel *cancel, Db *db, RetuneOut *out)
{
    const ReplStatus *s = &out->seen.status;
    if (!op_look(db, &out->seen, &out->err))
        return false;
    if (s->io != REPL_IO_YES)
        return err_set(&out->err, ERR_REFUSED, 0,
                       "the receiver is not connected: the applier is not stopped");
    if (applier_has_domains(op_flavor(db), s))
        return err_set(&out->err, ERR_REFUSED, 0,
                       "there is more than one replication domain: workers stay as they are");
    return op_commit(db, cancel, &out->err);
}

static OpResult change(const RetuneIn *in, Db *db, RetuneOut *out)
{
    Err err;
    const ReplStatus *s = &out->seen.status;
    ReplSettings want = op_settings(&in->boosted);
    if (!repl_stop_sql(db, &out->err)) {
        if (!db_kill(&in->at.target, db_connection_id(db), &err))
            log_debug("%s", err.text);
        return OP_UNKNOWN;
    }
    if (!repl_settings_apply(db, &want, true, &err))
        log_warn("%s", err.text);
    if (!repl_start_sql(db, &out->err) || !op_look(db, &out->seen, &out->err))
        return OP_FAILED;
    if (s->sql_running)
        return OP_DONE;
    err_set(&out->err, ERR_DB, (int)s->sql_errno, "the applier did not start again: %s", s->sql_error);
    return OP_FAILED;
}

bool op_retune(const RetuneIn *in, const Cancel *cancel, RetuneOut *out)
{
    AUTODB Db *db = NULL;
    out->result = OP_WAITING;
    if (op_open(&in->at, in->at.statement_ms, cancel, &db, &out->err) && may_stop(cancel, db, out))
        out->result = change(in, db, out);
    return out->result == OP_DONE;
}
