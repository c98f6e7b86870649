/* SPDX-License-Identifier: Apache-2.0 */
#include "op_stop.h"

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/retry.h"
#include "op_impl.h"

enum { HELD_TIMEOUT_S = 31536000, WHOLE_FIRST_MS = 10, WHOLE_MOST_MS = 500 };

void stop_in_done(StopIn *in)
{
    op_server_done(&in->at);
    free(in->vault_folder);
    *in = (StopIn){0};
}

void stop_out_done(StopOut *out)
{
    server_seen_done(&out->seen);
    wire_free(vault_place_fields, &out->place);
    if (out->held)
        db_close(out->held);
    *out = (StopOut){0};
}

static void hold_connection(const StopIn *in, StopOut *out)
{
    Err ignored;
    if (!in->hold || !db_connect(&in->at.target, in->at.statement_ms, &out->held, &ignored))
        return;
    AUTOFREE char *sql = xasprintf("SET SESSION wait_timeout=%d", HELD_TIMEOUT_S);
    if (!db_exec(out->held, &ignored, sql, ""))
        log_debug("%s", ignored.text);
}

/* Before the applier stops: the relay files are linked, and synced as the policy says. */
static bool secure_buffer(const StopIn *in, Db *db, StopOut *out)
{
    ReplSettings want = {.sync_relay = (char *)"1"};
    return vault_place_read(db, in->vault_folder, &out->place, &out->err) &&
           vault_keep(&out->place, &out->err) &&
           (!in->sync_relay || repl_settings_apply(db, &want, false, &out->err));
}

/* The statement was sent and not answered: end it, then see what became of it. */
static OpResult after_unanswered(const StopIn *in, uint64_t connection, StopOut *out)
{
    Err ignored;
    AUTODB Db *db = NULL;
    if (!db_kill(&in->at.target, connection, &ignored))
        log_debug("%s", ignored.text);
    bool seen =
        op_open(&in->at, in->at.statement_ms, NULL, &db, &ignored) && op_look(db, &out->seen, &ignored);
    return seen && !out->seen.status.sql_running ? OP_DONE : OP_UNKNOWN;
}

static OpResult stop(const StopIn *in, Db *db, StopOut *out)
{
    if (!repl_stop_sql(db, &out->err))
        return op_is_unanswered(&out->err) ? after_unanswered(in, db_connection_id(db), out) : OP_FAILED;
    if (!op_look(db, &out->seen, &out->err))
        return OP_UNKNOWN;
    if (!out->seen.status.sql_running)
        return OP_DONE;
    err_set(&out->err, ERR_TIMEOUT, 0, "the applier still runs after STOP");
    return OP_UNKNOWN;
}

/* It stands. False: for good, where something is half done, or not known to be whole; err says why. */
static bool moves_on(Db *db, const Cancel *cancel, int64_t until, bool *ret_whole, Err *err)
{
    AUTOFREE char *why = NULL;
    bool passes = false;
    if (!op_half_done(db, &why, &passes, err))
        return false;
    *ret_whole = !why;
    if (!why)
        return true;
    if (cancel_asked(cancel))
        return err_set(err, ERR_CANCELLED, 0, "it was not wanted any more");
    if (!passes || clock_mono_ms() >= until)
        return err_set(err, ERR_REFUSED, 0, "%s", why);
    return repl_start_sql(db, err) || err_prefix(err, "%s", why);
}

/* What is half done mostly ends within a few transactions. Each turn waits longer than the one before. */
static OpResult stop_whole(const StopIn *in, const Cancel *cancel, Db *db, StopOut *out)
{
    int64_t until = clock_mono_ms() + in->whole_ms, wait_ms = 0;
    OpResult result = stop(in, db, out);
    bool whole = in->whole_ms == 0;
    while (result == OP_DONE && !whole) {
        if (!moves_on(db, cancel, until, &whole, &out->err))
            return OP_FAILED;
        if (whole)
            break;
        wait_ms = retry_longer_ms(wait_ms, WHOLE_FIRST_MS, WHOLE_MOST_MS);
        clock_sleep_ms(wait_ms);
        result = stop(in, db, out);
    }
    return result;
}

bool op_stop(const StopIn *in, const Cancel *cancel, StopOut *out)
{
    AUTODB Db *db = NULL;
    hold_connection(in, out);
    if (!op_open(&in->at, in->timeout_ms, cancel, &db, &out->err))
        out->result = OP_UNKNOWN;
    else
        out->result = in->first && !secure_buffer(in, db, out) ? OP_FAILED : stop_whole(in, cancel, db, out);
    return out->result == OP_DONE;
}
