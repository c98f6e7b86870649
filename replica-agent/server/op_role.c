/* SPDX-License-Identifier: Apache-2.0 */
#include "op_role.h"

#include <inttypes.h>
#include <stdlib.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "op_commits.h"
#include "order_impl.h"
#include "order_sessions.h"

enum { TRY_MS = 1000, KILL_AFTER_MS = 2000 };

void role_in_done(RoleIn *in)
{
    op_server_done(&in->at);
    wire_free(lease_server_fields, &in->server);
    free(in->data_folder);
    *in = (RoleIn){0};
}

void role_out_done(RoleOut *out)
{
    server_seen_done(&out->seen);
    *out = (RoleOut){0};
}

/* By a connection of its own: a commit that waits keeps the statement, which then is given up, and ends in
 * the server by itself. */
static bool try_read_only(const RoleIn *in, const Db *known, Err *err)
{
    AUTODB Db *db = NULL;
    /* MySQL reads as closed, and is, while the statement waits for commits that semi-sync going off ends. */
    bool gives_up = in->cut_off || op_flavor(known)->kill_acknowledges;
    return op_open(&in->at, TRY_MS, NULL, &db, err) &&
           (!gives_up || db_exec(db, err, "SET SESSION lock_wait_timeout=1", "")) &&
           repl_set_read_only(db, true, err);
}

/* Those who wait lose their connection without an answer, and the server is closed when it comes back. A
 * SHUTDOWN would answer them. */
static bool kill_server(const RoleIn *in, int64_t waiting, RoleOut *out)
{
    OrderOut killed = {0};
    OrderIn order = {.server = in->server, .place = {.data_folder = in->data_folder}};
    bool gone = order_kill_server(&order, &killed) == OP_DONE;
    if (gone)
        err_set(&out->err, ERR_TIMEOUT, 0,
                "%" PRId64 " commits waited for a replica to acknowledge them, and nothing less closes the "
                "server without telling their clients that they are safe: its process was killed",
                waiting);
    else
        err_set(&out->err, killed.err.kind, killed.err.code,
                "%" PRId64
                " commits wait for a replica to acknowledge them, and the server is to be killed: %s",
                waiting, killed.err.text);
    order_out_done(&killed);
    return false;
}

/* Until it reads as closed and nobody waits any more. */
static bool close_to_writes(const RoleIn *in, Db *db, RoleOut *out)
{
    int64_t waiting, begun = clock_mono_ms(), until = begun + in->at.statement_ms;
    bool kills = op_flavor(db)->kill_acknowledges && in->data_folder;
    for (;;) {
        if (!commits_cut_waiting(db, &waiting, &out->err))
            return false;
        Err tried;
        if (!try_read_only(in, db, &tried) && !op_is_unanswered(&tried)) {
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
        if (kills && waiting && clock_mono_ms() - begun >= KILL_AFTER_MS)
            return kill_server(in, waiting, out);
        if (clock_mono_ms() >= until)
            return err_set(
                &out->err, ERR_TIMEOUT, 0,
                "%" PRId64 " commits wait for a replica to acknowledge them%s: it cannot be closed "
                "before they are acknowledged, or its process is killed (kill -9). Semi-sync stays "
                "on",
                waiting,
                op_flavor(db)->kill_acknowledges
                    ? ", and ending one would tell the clients of others that they are safe"
                    : ", and were cut off; others keep it open");
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

static void end_clients(Db *db)
{
    Err err;
    AUTO(sessions_done) Sessions clients = {0};
    if (!sessions_find_all(db, &clients, &err) ||
        !sessions_end(db, &clients, "of a primary that its members do not answer", &err))
        log_warn("%s", err.text);
}

/* Where another may be the primary by now: nobody is told of a commit that no replica has, and whoever comes
 * back by a load balancer goes elsewhere. A session may be ended beside a commit that waits where that tells
 * nobody (Flavor.kill_acknowledges), else once no client can write. */
static bool cut_off(const RoleIn *in, Db *db, RoleOut *out)
{
    Err tried;
    int64_t waiting;
    bool ends_first = !op_flavor(db)->kill_acknowledges;
    if (!commits_cut_waiting(db, &waiting, &tried)) /* a session that may not be ended keeps nothing up */
        log_warn("%s", tried.text);
    if (ends_first)
        end_clients(db);
    if (!try_read_only(in, db, &tried))
        return err_set(&out->err, tried.kind, tried.code,
                       "it stays writable as long as commits wait for an acknowledgement: %s", tried.text);
    if (!ends_first)
        end_clients(db);
    log_info("the server is closed: no client may write; semi-sync stays on");
    return true;
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
        !(in->open      ? open_server(in, db, out)
          : in->cut_off ? cut_off(in, db, out)
                        : close_server(in, db, out)))
        return false;
    server_seen_done(&out->seen);
    out->seen = (ServerSeen){0};
    if (op_look(db, &out->seen, &out->err))
        out->result = OP_DONE;
    return out->result == OP_DONE;
}
