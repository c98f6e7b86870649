/* SPDX-License-Identifier: Apache-2.0 */
#include "rescue.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/wire/progress.h"
#include "replica-agent/core/buffer.h"
#include "replica-agent/host/tools.h"
#include "replica-agent/server/rescue_channel.h"
#include "rescue_impl.h"

enum { STATEMENT_MS = 60000, REPORT_MS = 500, LOOK_MS = 100, TURN_WAIT_MS = 20000 };
#define WINDOW_BYTES "64M"

typedef struct RescueArgs {
    char *config;
    int64_t window_bytes;
    bool silent;
} RescueArgs;

static const Opt options[] = {
    {"config", 0, OPT_STR, offsetof(RescueArgs, config), .arg = "FILE", .doc = "agent.conf."},
    {"window", 0, OPT_SIZE, offsetof(RescueArgs, window_bytes), .arg = "BYTES", .fallback = WINDOW_BYTES,
     .doc = "Most that the server may hold a second time on its disk."},
    {"silent", 0, OPT_FLAG, offsetof(RescueArgs, silent),
     .doc = "What is fetched from the source is not acknowledged: a failover counts who does."},
    {0},
};

static void rescue_done(Rescue *r)
{
    if (r->db)
        db_close(r->db);
    repl_status_done(&r->status);
    wire_free(vault_place_fields, &r->place);
    strlist_done(&r->files);
    free(r->from);
    free(r->held);
    free(r->recovered);
    free(r->tried_at);
    agent_config_free(&r->conf);
}

/* ---- where it stands ------------------------------------------------------------------------------- */

bool rescue_look(Rescue *r, Err *err)
{
    if (!repl_read(r->db, &r->status, err))
        return false;
    free(r->from);
    r->from = buffer_position(r->flavor->flavor, r->status.applied, r->status.binlog);
    return r->from ? true : err_set(err, ERR_CORRUPT, 0, "the server's positions cannot be understood");
}

bool rescue_has_reached(const Rescue *r)
{
    return buffer_reaches(r->flavor->flavor, r->from, r->held);
}

void rescue_report(Rescue *r)
{
    Err ignored;
    int64_t now = clock_mono_ms();
    if (now - r->reported_ms < REPORT_MS || !rescue_look(r, &ignored))
        return;
    r->reported_ms = now;
    int64_t left = gtid_behind_text(r->flavor->flavor, r->from, r->held);
    progress_set(left > r->total ? 0 : r->total - left, r->total, r->from);
}

/* One at a time: the oldest session of the account goes on. The agent's own are short. */
static bool wait_for_turn(Rescue *r, Err *err)
{
    int64_t oldest, end = clock_mono_ms() + TURN_WAIT_MS;
    do {
        if (!db_value_int(r->db, &oldest, err, RESCUE_SESSION_SQL, ""))
            return false;
        if (!oldest || (uint64_t)oldest > db_connection_id(r->db))
            return true;
        poll(NULL, 0, LOOK_MS);
    } while (clock_mono_ms() < end);
    return err_set(err, ERR_CONFLICT, 0, "another rescue is under way");
}

static bool begin(Rescue *r, Err *err)
{
    DbTarget t = agent_config_rescue_target(&r->conf);
    if (!db_connect(&t, STATEMENT_MS, &r->db, err) || !db_exec(r->db, err, "SET SESSION sql_log_bin=0", ""))
        return false;
    r->flavor = flavor_of(db_version(r->db)->flavor);
    if (r->flavor->purges_on_start && !r->conf.server.rescue_defaults_file)
        return err_set(
            err, ERR_REFUSED, 0,
            "agent.conf names no server.rescue_defaults_file: the agent's own account may not have "
            "kept transactions applied; siding bootstrap makes the account siding_rescue and its rescue.cnf");
    if (r->flavor->purges_on_start && !wait_for_turn(r, err))
        return false;
    return vault_place_read(r->db, r->conf.server.vault_dir, &r->place, err) && rescue_look(r, err);
}

/* ---- by the server's own applier ------------------------------------------------------------------- */

static bool by_applier(Rescue *r, Err *err)
{
    if (r->status.io != REPL_IO_NO)
        return err_set(err, ERR_CONFLICT, 0, "replication runs");
    r->held = xstrdup(r->status.received);
    r->total = gtid_behind_text(r->flavor->flavor, r->from, r->held);
    progress_start("transactions");
    if (!r->status.sql_running && !rescue_has_reached(r) && !repl_drain(r->db, err))
        return false;
    while (rescue_look(r, err)) {
        if (rescue_has_reached(r))
            return true;
        if (!r->status.sql_running)
            return err_set(err, ERR_DB, (int)r->status.sql_errno, "the applier stopped: %s",
                           r->status.sql_error);
        rescue_report(r);
        poll(NULL, 0, LOOK_MS);
    }
    return false;
}

int rescue_main(int argc, char **argv)
{
    Err err;
    RescueArgs args = {0};
    OptSpecial special;
    AUTO(strlist_done) StrList words = STRLIST_INIT;
    if (!opts_parse(options, argc, argv, false, &args, &words, NULL, &special, &err))
        return tool_failed("rescue", &err);
    if (special != OPT_RUN)
        return tool_help(options, "siding-agent rescue --config FILE",
                         "Applies what the relay files of a stopped replica hold.", special);
    Rescue r = {.window_bytes = args.window_bytes, .silent = args.silent};
    bool ok = args.config ? agent_config_load(args.config, &r.conf, &err)
                          : err_set(&err, ERR_USAGE, 0, "--config is needed");
    if (ok) {
        r.recovered = xasprintf("%s/rescue/recovered.json", r.conf.state_dir);
        ok = begin(&r, &err) && (r.flavor->purges_on_start ? rescue_replay(&r, &err) : by_applier(&r, &err));
    }
    if (ok) {
        r.reported_ms = 0;
        rescue_report(&r);
        progress_end();
    }
    int failed = r.needs_person ? RESCUE_NEEDS_PERSON : r.look_again ? RESCUE_LOOK_AGAIN : 0;
    rescue_done(&r);
    opts_free(options, &args);
    if (ok)
        return 0;
    int status = tool_failed("rescue", &err);
    return failed ? failed : status;
}
