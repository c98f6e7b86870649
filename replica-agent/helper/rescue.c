/* SPDX-License-Identifier: Apache-2.0 */
#include "rescue.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/db/flavor.h"
#include "common/wire/progress.h"
#include "replica-agent/core/buffer.h"
#include "replica-agent/core/ddl.h"
#include "replica-agent/host/tools.h"
#include "replica-agent/server/recovered.h"
#include "replica-agent/server/vault.h"
#include "rescue_create.h"
#include "rescue_events.h"
#include "rescue_pipe.h"

enum { STATEMENT_MS = 60000, REPORT_MS = 500, LOOK_MS = 100 };

typedef struct RescueArgs {
    char *config;
} RescueArgs;

static const Opt options[] = {
    {"config", 0, OPT_STR, offsetof(RescueArgs, config), .arg = "FILE", .doc = "agent.conf."},
    {0},
};

typedef struct Rescue {
    AgentConfig conf;
    VaultPlace place;
    StrList files;
    Db *db;
    const Flavor *flavor;
    ReplStatus status;
    char *from, *held;
    RescuePipe *pipe;
    int64_t total, reported_ms;
    StrList begun;            /* domains of which the first transaction is on its way: "0" */
    char *events, *recovered; /* paths */
} Rescue;

static void rescue_done(Rescue *r)
{
    if (r->db)
        db_close(r->db);
    repl_status_done(&r->status);
    wire_free(vault_place_fields, &r->place);
    strlist_done(&r->files);
    free(r->from);
    free(r->held);
    strlist_done(&r->begun);
    free(r->events);
    free(r->recovered);
    agent_config_free(&r->conf);
}

/* ---- where it stands ------------------------------------------------------------------------------- */

static bool look(Rescue *r, Err *err)
{
    if (!repl_read(r->db, &r->status, err))
        return false;
    free(r->from);
    r->from = buffer_position(r->flavor->flavor, r->status.applied, r->status.binlog);
    return r->from ? true : err_set(err, ERR_CORRUPT, 0, "the server's positions cannot be understood");
}

static bool reached(const Rescue *r)
{
    return buffer_reaches(r->flavor->flavor, r->from, r->held);
}

static void report(Rescue *r)
{
    Err ignored;
    int64_t now = clock_mono_ms();
    if (now - r->reported_ms < REPORT_MS || !look(r, &ignored))
        return;
    r->reported_ms = now;
    int64_t left = gtid_behind_text(r->flavor->flavor, r->from, r->held);
    progress_set(left > r->total ? 0 : r->total - left, r->total, r->from);
}

static bool judge(Rescue *r, Err *err)
{
    AUTOFREE char *errant = NULL;
    BufferInput in = {r->flavor->flavor, r->status.applied,   r->status.binlog,
                      r->held,           r->status.server_id, false};
    if (buffer_judge(&in, &errant) != BUFFER_ERRANT)
        return true;
    bool explained;
    AUTO(recovered_done) Recovered found = {0};
    if (!recovered_explain(r->db, &r->files, &r->status, &explained, &found, err))
        return false;
    if (explained)
        return recovered_adopt(r->db, r->recovered, &found, err) && look(r, err);
    return err_set(err, ERR_REFUSED, 0, "%s was written by this server itself: a person must decide", errant);
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
            "agent.conf names no server.rescue_defaults_file: the agent's own account may not replay "
            "kept transactions; siding bootstrap makes the account siding_rescue and its rescue.cnf");
    return vault_place_read(r->db, r->conf.server.vault_dir, &r->place, err) && look(r, err);
}

static bool threads_stand(const Rescue *r, Err *err)
{
    if (!r->status.sql_running && r->status.io == REPL_IO_NO)
        return true;
    return err_set(err, ERR_CONFLICT, 0, "replication runs: nothing is replayed beside it");
}

/* ---- by replaying the files ------------------------------------------------------------------------ */

/* Everything sent so far is applied. */
static bool drain(Rescue *r, Err *err)
{
    RescuePipe *p = r->pipe;
    r->pipe = NULL;
    if (!p)
        return true;
    rescue_pipe_end(p);
    while (!rescue_pipe_is_done(p)) {
        poll(NULL, 0, LOOK_MS);
        report(r);
    }
    return rescue_pipe_close(p, err);
}

static bool send(Rescue *r, const BinlogGroup *g, const BinlogQuery *q, const char *sql, Err *err)
{
    if (!r->pipe && !rescue_pipe_open(&r->conf, &r->files, true, &r->pipe, err))
        return false;
    return rescue_pipe_feed(r->pipe, g, q, sql, err);
}

/* The first of a domain may have been under way when the server was killed. */
static bool is_first(Rescue *r, const BinlogGroup *g)
{
    AUTOFREE char *domain = xasprintf("%u", g->domain);
    if (strlist_has(&r->begun, domain))
        return false;
    strlist_add(&r->begun, domain);
    return true;
}

static bool feed_one(Rescue *r, const BinlogGroup *g, Err *err)
{
    AUTO(binlog_query_done) BinlogQuery q = {0};
    bool first = is_first(r, g);
    if (!first && g->standalone)
        return send(r, g, NULL, NULL, err);
    if (!binlog_query_read(&r->files, g, &q, err))
        return false;
    if (rescue_create_is(g, &q))
        return drain(r, err) && rescue_create(&r->conf, r->db, &r->files, g, &q, err);
    AUTOFREE char *again = first ? ddl_again(q.sql) : NULL;
    return send(r, g, again ? &q : NULL, again, err);
}

static bool feed(void *arg, const BinlogGroup *g, Err *err)
{
    Rescue *r = arg;
    AUTOFREE char *gtid = binlog_group_gtid(g);
    if (buffer_reaches(r->flavor->flavor, r->from, gtid))
        return true;
    if (!feed_one(r, g, err))
        return false;
    report(r);
    return true;
}

static bool replay(Rescue *r, Err *err)
{
    Err fed, end;
    AUTO(binlog_scan_done) BinlogScan scan = {0};
    bool ok = binlog_walk(&r->files, feed, r, &scan, &fed);
    /* A client that has ended says why; that nobody took the rest is only what follows from it. */
    if (!drain(r, &end)) {
        *err = end;
        return false;
    }
    if (!ok)
        *err = fed;
    return ok;
}

static bool take_position_over(Rescue *r, Err *err)
{
    if (gtid_compare_text(r->flavor->flavor, r->status.applied, r->from) == GTID_EQUAL)
        return true;
    return db_exec(r->db, err, "SET GLOBAL gtid_slave_pos=?", "s", r->from);
}

/* What the relay files hold. Nothing purges them while both threads stand still: where no links can be made
 * they are read where they are. */
static bool read_files(Rescue *r, Err *err)
{
    Err why;
    AUTO(binlog_scan_done) BinlogScan scan = {0};
    if (!vault_keep(&r->place, &why))
        log_warn("%s", why.text);
    if (!vault_files(&r->place, &r->files, err) || !binlog_scan(&r->files, &scan, err))
        return false;
    r->held = xstrdup(scan.last);
    r->total = gtid_behind_text(r->flavor->flavor, r->from, r->held);
    return true;
}

static bool by_replay(Rescue *r, Err *err)
{
    if (!threads_stand(r, err) || !recovered_finish(r->db, r->recovered, r->status.applied, err) ||
        !look(r, err) || !read_files(r, err))
        return false;
    progress_start("transactions");
    if (!judge(r, err) || !rescue_create_clean(r->db, err) || !rescue_events_begin(r->db, r->events, err))
        return false;
    if (!reached(r) && !replay(r, err))
        return false;
    if (!look(r, err) || !threads_stand(r, err))
        return false;
    if (!reached(r))
        return err_set(err, ERR_CORRUPT, 0, "applied up to %.200s, the relay files hold %.200s", r->from,
                       r->held);
    /* The position last: until it is taken over, every start comes back here. */
    return rescue_events_end(r->db, r->events, err) && take_position_over(r, err);
}

/* ---- by the server's own applier ------------------------------------------------------------------- */

static bool by_applier(Rescue *r, Err *err)
{
    if (r->status.io != REPL_IO_NO)
        return err_set(err, ERR_CONFLICT, 0, "replication runs");
    r->held = xstrdup(r->status.received);
    r->total = gtid_behind_text(r->flavor->flavor, r->from, r->held);
    progress_start("transactions");
    if (!r->status.sql_running && !reached(r) && !repl_drain(r->db, err))
        return false;
    while (look(r, err)) {
        if (reached(r))
            return true;
        if (!r->status.sql_running)
            return err_set(err, ERR_DB, (int)r->status.sql_errno, "the applier stopped: %s",
                           r->status.sql_error);
        report(r);
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
    Rescue r = {0};
    bool ok = args.config ? agent_config_load(args.config, &r.conf, &err)
                          : err_set(&err, ERR_USAGE, 0, "--config is needed");
    if (ok) {
        r.events = xasprintf("%s/rescue/scheduler.json", r.conf.state_dir);
        r.recovered = xasprintf("%s/rescue/recovered.json", r.conf.state_dir);
        ok = begin(&r, &err) && (r.flavor->purges_on_start ? by_replay(&r, &err) : by_applier(&r, &err));
    }
    if (ok) {
        r.reported_ms = 0;
        report(&r);
        progress_end();
    }
    rescue_done(&r);
    opts_free(options, &args);
    return ok ? 0 : tool_failed("rescue", &err);
}
