/* SPDX-License-Identifier: Apache-2.0 */
#include "op_restore.h"

#include "common/db/gtid.h"
#include "op_impl.h"
#include "replica-agent/core/applier.h"

void restore_in_done(RestoreIn *in)
{
    op_server_done(&in->at);
    free(in->vault_folder);
    wire_free(lease_settings_fields, &in->original);
    wire_free(lease_settings_fields, &in->ours);
    *in = (RestoreIn){0};
}

void restore_out_done(RestoreOut *out)
{
    server_seen_done(&out->seen);
    wire_free(vault_place_fields, &out->place);
    free(out->left);
    *out = (RestoreOut){0};
}

/* ---- what the files hold -------------------------------------------------------------------------- */

/* Is everything applied that the files hold, the vault's and the server's own? If not, `err` says up to
 * where. */
static bool files_are_applied(const RestoreIn *in, Db *db, RestoreOut *out, bool *ret)
{
    const ReplStatus *s = &out->seen.status;
    AUTOFREE char *last = NULL;
    if (!vault_place_read(db, in->vault_folder, &out->place, &out->err) ||
        !op_held(db, &out->place, s, &last, &out->err))
        return false;
    AUTOFREE char *held = gtid_max_text(db_version(db)->flavor, s->applied, last);
    const char *target = held ? held : s->applied;
    if (!repl_wait_applied(db, target, OP_SLICE_MS, ret, &out->err))
        return false;
    if (!*ret && op_look(db, &out->seen, &out->err))
        err_set(&out->err, ERR_TIMEOUT, 0,
                "the relay files hold transactions up to %.300s, applied is %.300s", target, s->applied);
    return true;
}

/* ---- settings ------------------------------------------------------------------------------------- */

static bool put_back(const RestoreIn *in, Db *db, bool sql_stopped, Err *err)
{
    ReplSettings own = op_settings(&in->original), ours = op_settings(&in->ours);
    return repl_settings_return(db, &own, in->all_ours ? NULL : &ours, sql_stopped, err);
}

static bool are_restored(const RestoreIn *in, Db *db, RestoreOut *out)
{
    ReplSettings own = op_settings(&in->original), ours = op_settings(&in->ours), now = {0};
    AUTO(str_done) Str left = STR_INIT;
    if (!own.flush_log)
        return true; /* a rescue at boot, or a server that has restarted: nothing was changed */
    if (!repl_settings_read(db, &now, &out->err))
        return false;
    bool back = repl_settings_are_back(db, &own, in->all_ours ? NULL : &ours, &now, &left);
    repl_settings_done(&now);
    free(STEAL(out->left));
    if (left.len)
        out->left = xstrdup(left.p);
    return back || err_set(&out->err, ERR_DB, 0, "the settings are not yet those of before the pause");
}

/* With the receiver stopped, a start may throw the relay files away: that is allowed only when they hold
 * nothing more. */
static bool may_stop_applier(const RestoreIn *in, Db *db, RestoreOut *out)
{
    bool applied = false;
    if (!applier_is_without_receiver(op_flavor(db), &out->seen.status))
        return true;
    if (!files_are_applied(in, db, out, &applied))
        return false;
    return applied ||
           err_prefix(&out->err, "the receiver is stopped, so the applier is not stopped now and its "
                                 "parallel settings stay raised");
}

/* Workers need a stopped applier; it is started again at once. Where somebody has stopped the receiver, both
 * are, and the start is another operation's. */
static bool restore_stopped(const RestoreIn *in, Db *db, RestoreOut *out)
{
    const ReplStatus *s = &out->seen.status;
    ReplSettings want = op_settings(&in->original);
    if (!may_stop_applier(in, db, out))
        return false;
    if (applier_must_start_anew(op_flavor(db), s, want.workers)) {
        if (op_stop_both(db, s, &out->err) && put_back(in, db, true, &out->err))
            out->result = OP_STALLED;
        return false;
    }
    if (!repl_stop_sql(db, &out->err))
        return op_stop_failed(s, &out->err);
    bool set = put_back(in, db, true, &out->err);
    return repl_start_sql(db, &out->err) && set;
}

static bool restore_settings(const RestoreIn *in, Db *db, RestoreOut *out)
{
    if (!put_back(in, db, false, &out->err) ||
        !(are_restored(in, db, out) || (restore_stopped(in, db, out) && are_restored(in, db, out))))
        return false;
    if (!op_look(db, &out->seen, &out->err) || out->seen.status.sql_running)
        return out->seen.status.sql_running;
    return repl_start_sql(db, &out->err); /* an earlier try stopped it and was cut off */
}

/* ---- the end -------------------------------------------------------------------------------------- */

/* What was kept is given up only when all of it is applied and on the disk. */
static bool settle_buffer(const RestoreIn *in, Db *db, RestoreOut *out)
{
    bool there = false;
    if (!files_are_applied(in, db, out, &there))
        return false;
    if (!there && out->seen.status.delay_s > 0 && out->seen.status.io != REPL_IO_NO)
        there = true; /* what is not due yet is in the server's own files, as ever on such a replica */
    if (!there && out->seen.status.io != REPL_IO_YES)
        out->result = OP_STALLED;
    return there && (!in->boosted || vault_flush_server(&out->place, &out->err));
}

static bool put_aside(const RestoreIn *in, Db *db, RestoreOut *out)
{
    return put_back(in, db, true, &out->err) && are_restored(in, db, out);
}

bool op_restore(const RestoreIn *in, const Cancel *cancel, RestoreOut *out)
{
    AUTODB Db *db = NULL;
    out->result = OP_FAILED;
    if (!op_open(&in->at, in->at.statement_ms, cancel, &db, &out->err) ||
        !op_look(db, &out->seen, &out->err) || !op_commit(db, cancel, &out->err))
        return false;
    bool done = false;
    switch (restore_decide(op_flavor(db), &out->seen.status, in->taken_over)) {
    case RESTORE_ASIDE:
        done = put_aside(in, db, out);
        break;
    case RESTORE_STALLED:
        out->result = OP_STALLED;
        break;
    case RESTORE_SETTINGS:
        done = restore_settings(in, db, out) && settle_buffer(in, db, out);
        break;
    }
    if (done)
        out->result = OP_DONE;
    return done;
}
