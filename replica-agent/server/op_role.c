/* SPDX-License-Identifier: Apache-2.0 */
#include "op_role.h"

#include <inttypes.h>
#include <stdlib.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "op_commits.h"

enum { TRY_MS = 1000 };

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

/* By a connection of its own: a commit that waits keeps the statement, which then is given up. */
static bool try_read_only(const RoleIn *in, Err *err)
{
    AUTODB Db *db = NULL;
    return op_open(&in->at, TRY_MS, NULL, &db, err) && repl_set_read_only(db, true, err);
}

/* Until it reads as closed and nobody waits any more. */
static bool close_to_writes(const RoleIn *in, Db *db, RoleOut *out)
{
    int64_t waiting, until = clock_mono_ms() + in->at.statement_ms;
    for (;;) {
        if (!commits_cut_waiting(db, &waiting, &out->err))
            return false;
        Err tried;
        if (!try_read_only(in, &tried) && !op_is_unanswered(&tried)) {
            out->err = tried;
            return false;
        }
        server_seen_done(&out->seen);
        out->seen = (ServerSeen){0};
        if (!op_look(db, &out->seen, &out->err) ||
            (out->seen.status.read_only && !commits_cut_waiting(db, &waiting, &out->err)))
            return false;
        if (out->seen.status.read_only && !waiting)
            return true;
        if (clock_mono_ms() >= until)
            return err_set(&out->err, ERR_TIMEOUT, 0,
                           "%" PRId64 " commits wait for a replica to acknowledge them, and were cut off; "
                           "others keep it open. Semi-sync stays on",
                           waiting);
    }
}

/* Semi-sync goes off last: a commit that waits when it does is acknowledged to its client, though no replica
 * has it. */
static void set_semi_sync(const RoleIn *in, Db *db, bool on)
{
    Err err;
    if (in->leaves_semi_sync)
        return;
    if (repl_set_semi_sync_source(db, on, &err))
        log_info("semi-sync as a source is switched %s (semi_sync = \"manage\" in agent.conf)",
                 on ? "on" : "off");
    else
        log_warn("semi-sync source %s: %s", on ? "on" : "off", err.text);
}

static bool close_server(const RoleIn *in, Db *db, RoleOut *out)
{
    if (!close_to_writes(in, db, out))
        return false;
    set_semi_sync(in, db, false);
    log_info("the server is closed: no client may write");
    return repl_set_read_only(db, true, &out->err);
}

static bool open_server(const RoleIn *in, Db *db, RoleOut *out)
{
    if (in->acks > 0 && !in->leaves_semi_sync && !op_wait_for_ever(db, in->acks, &out->err))
        return false;
    set_semi_sync(in, db, true);
    log_info("the server is opened to writes");
    return repl_set_read_only(db, false, &out->err);
}

bool op_role(const RoleIn *in, const Cancel *cancel, RoleOut *out)
{
    AUTODB Db *db = NULL;
    out->result = OP_FAILED;
    if (!op_open(&in->at, in->at.statement_ms, cancel, &db, &out->err) || !op_commit(db, cancel, &out->err) ||
        !(in->open ? open_server(in, db, out) : close_server(in, db, out)))
        return false;
    server_seen_done(&out->seen);
    out->seen = (ServerSeen){0};
    if (op_look(db, &out->seen, &out->err))
        out->result = OP_DONE;
    return out->result == OP_DONE;
}
