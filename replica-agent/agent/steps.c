/* SPDX-License-Identifier: Apache-2.0 */
#include "steps.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent.h"
#include "common/clock.h"
#include "common/flavor.h"
#include "common/gtid.h"
#include "common/log.h"
#include "common/servercheck.h"
#include "proc.h"
#include "replica-agent/core/preflight.h"

enum { SLICE_MS = 1000, SOURCE_TIMEOUT_MS = 2000, HELD_TIMEOUT_S = 31536000 };

static void close_db(Db **db)
{
    if (*db)
        db_close(*db);
}
#define AUTODB AUTO(close_db)

static bool failed(Step *s, StepResult result)
{
    s->result = result;
    return false;
}

/* Nothing the agent does may get a GTID of its own. */
static bool open_db(Step *s, int64_t statement_ms, Db **ret)
{
    Err ignored;
    if (!db_connect(&s->target, statement_ms, ret, &s->err))
        return failed(s, STEP_FAILED);
    if (!db_exec(*ret, &ignored, "SET SESSION sql_log_bin=0", ""))
        log_debug("%s", ignored.text);
    s->version = *db_version(*ret);
    return true;
}

void server_identify(Db *db, const ReplStatus *st, LeaseServer *ret)
{
    wire_free(lease_server_fields, ret);
    ret->pid = db_server_pid(db);
    ret->pid_start = proc_start_time((pid_t)ret->pid);
    if (!ret->pid_start)
        ret->pid = 0; /* another pid namespace, or gone by now */
    ret->started_at = clock_wall_ms() - st->uptime_s * 1000;
    ret->boot_id = xstrdup(clock_boot_id());
}

static bool look(Step *s, Db *db)
{
    if (!repl_read(db, &s->status, &s->err))
        return failed(s, STEP_FAILED);
    server_identify(db, &s->status, &s->server);
    return true;
}

static bool read_settings(Step *s, Db *db, LeaseSettings *ret)
{
    ReplSettings r = {0};
    if (!repl_settings_read(db, &r, &s->err))
        return failed(s, STEP_FAILED);
    wire_free(lease_settings_fields, ret);
    *ret = (LeaseSettings){r.sync_binlog, r.flush_log, r.workers, r.parallel_mode};
    return true;
}

static ReplSettings settings_view(const LeaseSettings *l)
{
    return (ReplSettings){l->sync_binlog, l->flush_log, l->workers, l->parallel_mode};
}

/* ---- survey, waiting for a position --------------------------------------------------------------- */

static bool check_server(Step *s, Db *db)
{
    ServerFacts facts = {0};
    if (!servercheck_read(db, &facts, &s->err))
        return failed(s, STEP_FAILED);
    servercheck_judge(&facts, "siding_agent", &s->findings);
    server_facts_done(&facts);
    return true;
}

static void survey(Step *s)
{
    AUTODB Db *db = NULL;
    Err why;
    if (!open_db(s, s->statement_ms, &db) || (s->thorough && !check_server(s, db)))
        return;
    if (look(s, db) && read_settings(s, db, &s->settings)) {
        preflight_threads(flavor_of(s->version.flavor), &s->status, &s->findings);
        if (s->thorough && !facts_read(db, &s->status, &s->facts, &s->err))
            return;
        if (s->thorough)
            preflight_judge(&s->facts, &s->findings);
        s->result = STEP_OK;
    } else if (s->err.kind == ERR_AUTH && !preflight_allows(&s->findings, &why)) {
        s->err = why; /* the same with the grant that mends it */
    }
}

static void await_applied(Step *s)
{
    AUTODB Db *db = NULL;
    int64_t until = clock_mono_ms() + s->timeout_ms;
    if (!open_db(s, s->statement_ms + SLICE_MS, &db))
        return;
    for (bool there = false; !there;) {
        if (!repl_wait_applied(db, s->gtid, SLICE_MS, &there, &s->err)) {
            s->result = STEP_FAILED;
            return;
        }
        if (!there && (s->cancel || clock_mono_ms() >= until)) {
            err_set(&s->err, ERR_TIMEOUT, 0,
                    "the run's own submission (%s) was not applied here within %lld s", s->gtid,
                    (long long)s->timeout_ms / 1000);
            s->result = STEP_FAILED;
            return;
        }
    }
    s->result = STEP_OK;
}

/* ---- stopping ------------------------------------------------------------------------------------- */

static void hold_connection(Step *s)
{
    Err ignored;
    if (s->held || !db_connect(&s->target, s->statement_ms, &s->held, &ignored))
        return;
    AUTOFREE char *sql = xasprintf("SET SESSION wait_timeout=%d", HELD_TIMEOUT_S);
    if (!db_exec(s->held, &ignored, sql, ""))
        log_debug("%s", ignored.text);
}

/* The statement was sent and not answered: end it, then see what became of it. */
static void after_unanswered_stop(Step *s, uint64_t connection)
{
    Err first = s->err, ignored;
    AUTODB Db *db = NULL;
    if (!db_kill(&s->target, connection, &ignored))
        log_debug("%s", ignored.text);
    bool seen = open_db(s, s->statement_ms, &db) && look(s, db);
    s->err = first;
    s->result = seen && !s->status.sql_running ? STEP_OK : STEP_UNKNOWN;
}

static bool is_unanswered(const Err *err)
{
    return err->kind == ERR_TIMEOUT || err->kind == ERR_LOST;
}

static void stop(Step *s)
{
    AUTODB Db *db = NULL;
    hold_connection(s);
    if (!open_db(s, s->timeout_ms, &db)) {
        s->result = STEP_UNKNOWN; /* an earlier STOP may be under way: look again later */
        return;
    }
    if (!repl_stop_sql(db, &s->err)) {
        s->result = STEP_FAILED;
        if (is_unanswered(&s->err))
            after_unanswered_stop(s, db_connection_id(db));
        return;
    }
    if (!look(s, db)) {
        s->result = STEP_UNKNOWN;
        return;
    }
    s->result = s->status.sql_running ? STEP_UNKNOWN : STEP_OK;
    if (s->result == STEP_UNKNOWN)
        err_set(&s->err, ERR_TIMEOUT, 0, "the applier still runs after STOP");
}

/* ---- aligning ------------------------------------------------------------------------------------- */

static bool at_target(Step *s)
{
    return gtid_compare_text(s->version.flavor, s->status.applied, s->gtid) == GTID_EQUAL;
}

static bool move_on(Step *s, Db *db)
{
    bool there = false;
    int64_t until = clock_mono_ms() + s->timeout_ms;
    if (!repl_start_sql_until(db, s->gtid, s->file, s->pos, &s->err))
        return failed(s, is_unanswered(&s->err) ? STEP_UNKNOWN : STEP_FAILED);
    while (!there && !s->cancel && clock_mono_ms() < until)
        if (!repl_wait_applied(db, s->gtid, SLICE_MS, &there, &s->err))
            return failed(s, STEP_UNKNOWN);
    /* At the last received event the thread does not stop by itself. */
    if (!repl_stop_sql(db, &s->err))
        return failed(s, STEP_UNKNOWN);
    return look(s, db);
}

static void align(Step *s)
{
    AUTODB Db *db = NULL;
    if (!open_db(s, s->timeout_ms, &db) || !look(s, db))
        return;
    if (s->status.sql_running) {
        err_set(&s->err, ERR_CONFLICT, 0, "the applier runs, although this replica should stand frozen");
        s->result = STEP_FAILED;
        return;
    }
    if (!at_target(s) && !move_on(s, db))
        return;
    s->result = at_target(s) && !s->status.sql_running ? STEP_OK : STEP_FAILED;
    if (s->result == STEP_FAILED)
        err_set(&s->err, ERR_TIMEOUT, 0, "asked to stand at %s, it stands at %s", s->gtid, s->status.applied);
}

/* ---- verifying ------------------------------------------------------------------------------------ */

static void moved(Step *s, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void moved(Step *s, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(s->err.text, sizeof s->err.text, fmt, ap);
    va_end(ap);
    s->err.kind = ERR_CORRUPT;
    s->result = STEP_MOVED;
}

static void compare(Step *s, bool held_lost)
{
    const Lease *l = &s->lease;
    DbFlavor f = s->version.flavor;
    ServerSame same = lease_server_compare(&l->server, &s->server);
    s->result = STEP_OK;
    if (same == SERVER_OTHER)
        moved(s, "the server restarted during the job: what it read is not one state");
    else if (held_lost && !s->server.pid)
        moved(s, "the connection kept since the pause was lost and the server's process cannot be seen from "
                 "here: it is not proven "
                 "that the job read one state");
    else if (l->source_host &&
             (!str_eq(s->status.source_host, l->source_host) || s->status.source_port != l->source_port))
        moved(s, "the replica was pointed at another source during the job, %s:%lld instead of %s:%lld",
              s->status.source_host ? s->status.source_host : "nowhere", (long long)s->status.source_port,
              l->source_host, (long long)l->source_port);
    else if (s->status.sql_running)
        moved(s, "the applier was started during the job: what it read is not one state");
    else if (gtid_compare_text(f, s->status.applied, l->gtid) != GTID_EQUAL)
        moved(s, "the replica moved during the job, from %.200s to %.200s: what it read is not one state",
              l->gtid, s->status.applied);
    else if (gtid_compare_text(f, s->status.binlog, l->binlog_gtid) != GTID_EQUAL)
        moved(s,
              "something wrote to the replica itself during the job: its own binlog moved from %.200s to "
              "%.200s",
              l->binlog_gtid, s->status.binlog);
}

static void verify(Step *s)
{
    AUTODB Db *db = NULL;
    Err ignored;
    bool held_lost = !s->held || !db_ping(s->held, &ignored);
    if (open_db(s, s->statement_ms, &db) && look(s, db))
        compare(s, held_lost);
}

/* ---- starting ------------------------------------------------------------------------------------- */

static bool connects(const struct addrinfo *a)
{
    int fd = socket(a->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    bool ok = connect(fd, a->ai_addr, a->ai_addrlen) == 0;
    if (!ok && errno == EINPROGRESS) {
        struct pollfd p = {fd, POLLOUT, 0};
        int error = 1;
        socklen_t n = sizeof error;
        ok = poll(&p, 1, SOURCE_TIMEOUT_MS) == 1 && getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &n) == 0 &&
             !error;
    }
    close(fd);
    return ok;
}

static bool source_answers(const ReplStatus *st)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list = NULL;
    char port[16];
    snprintf(port, sizeof port, "%lld", (long long)st->source_port);
    if (!st->source_host || getaddrinfo(st->source_host, port, &hints, &list) != 0)
        return false;
    bool ok = false;
    for (const struct addrinfo *a = list; a && !ok; a = a->ai_next)
        ok = connects(a);
    freeaddrinfo(list);
    return ok;
}

static void relax(Step *s, Db *db)
{
    Err err;
    ReplSettings want = settings_view(&s->boosted);
    if (s->boost && !repl_settings_apply(db, &want, true, &err))
        log_warn("catching up without boost: %s", err.text);
}

static bool start_as(Step *s, Db *db)
{
    if (s->way == START_SQL)
        return repl_start_sql(db, &s->err);
    return repl_start_both_purging(db, &s->err);
}

static void refuse_to_start(Step *s)
{
    s->result = STEP_WAITING;
    if (s->way == START_WAIT_SOURCE)
        err_set(&s->err, ERR_REFUSED, 0,
                "replication is stopped since the server restarted, and its source %s:%lld does not answer: "
                "starting now could throw "
                "away transactions that only this server's relay logs hold; waiting for the source",
                s->status.source_host, (long long)s->status.source_port);
    else
        err_set(&s->err, ERR_REFUSED, 0,
                "the receiver thread has stopped during the pause%s%s: starting the applier now would throw "
                "away the buffered "
                "transactions. Start nothing by hand; bring the receiver's reason away and see the runbook",
                s->status.io_error && *s->status.io_error ? ": " : "",
                s->status.io_error ? s->status.io_error : "");
}

static void start(Step *s)
{
    AUTODB Db *db = NULL;
    if (!open_db(s, s->timeout_ms, &db) || !look(s, db))
        return;
    const Flavor *f = flavor_of(s->version.flavor);
    StartInput in = {.sql_running = s->status.sql_running,
                     .io = s->status.io,
                     .purges = f->purges_on_start,
                     .fresh_server = s->fresh_server};
    bool both = !in.sql_running && in.io == REPL_IO_NO;
    in.source_answers = both && in.purges && in.fresh_server && source_answers(&s->status);
    s->way = start_decide(&in);
    if (s->way == START_WAIT_SOURCE || s->way == START_RESCUE) {
        refuse_to_start(s);
        return;
    }
    s->result = STEP_OK;
    if (s->way == START_NOT_NEEDED)
        return;
    relax(s, db);
    if (!start_as(s, db) || !look(s, db)) {
        s->result = is_unanswered(&s->err) ? STEP_UNKNOWN : STEP_FAILED;
    } else if (!s->status.sql_running) {
        err_set(&s->err, ERR_DB, (int)s->status.sql_errno, "the applier stopped again: %s",
                s->status.sql_error);
        s->result = STEP_FAILED;
    }
}

/* ---- restoring ------------------------------------------------------------------------------------ */

static bool restored(Step *s, Db *db)
{
    ReplSettings want = settings_view(&s->lease.original), now = {0};
    if (!repl_settings_read(db, &now, &s->err))
        return false;
    bool equal = repl_settings_equal(&want, &now);
    repl_settings_done(&now);
    if (!equal)
        err_set(&s->err, ERR_DB, 0, "the settings are not yet those of before the pause");
    return equal;
}

/* Workers need a stopped applier; it is stopped only while the receiver runs, and started again at once. */
static bool restore_stopped(Step *s, Db *db)
{
    ReplSettings want = settings_view(&s->lease.original);
    if (s->status.io == REPL_IO_NO)
        return err_set(&s->err, ERR_REFUSED, 0,
                       "the receiver is stopped: the applier is not stopped now, its parallel settings stay "
                       "raised until the "
                       "receiver runs");
    if (!repl_stop_sql(db, &s->err))
        return false;
    bool set = repl_settings_apply(db, &want, true, &s->err);
    return repl_start_sql(db, &s->err) && set;
}

static void restore(Step *s)
{
    AUTODB Db *db = NULL;
    ReplSettings want = settings_view(&s->lease.original);
    s->result = STEP_FAILED;
    if (!open_db(s, s->timeout_ms, &db) || !look(s, db) || !repl_settings_apply(db, &want, false, &s->err))
        return;
    if (s->lease.taken_over && !s->status.sql_running) {
        if (repl_settings_apply(db, &want, true, &s->err) && restored(s, db))
            s->result = STEP_OK;
        return;
    }
    bool ok = restored(s, db) || (restore_stopped(s, db) && restored(s, db));
    if (ok && look(s, db) && !s->status.sql_running)
        ok = repl_start_sql(db, &s->err); /* an earlier try stopped it and was cut off */
    s->result = ok ? STEP_OK : STEP_FAILED;
}

/* ---- role ----------------------------------------------------------------------------------------- */

static void set_role(Step *s)
{
    AUTODB Db *db = NULL;
    Err ignored;
    if (!open_db(s, s->statement_ms, &db))
        return;
    /* Semi-sync first: a writable primary without it would promise less than the old one. */
    if (!repl_set_semi_sync_source(db, s->open, &ignored))
        log_warn("semi-sync source %s: %s", s->open ? "on" : "off", ignored.text);
    s->result = repl_set_read_only(db, !s->open, &s->err) && look(s, db) ? STEP_OK : STEP_FAILED;
}

/* ---- pool ----------------------------------------------------------------------------------------- */

static void (*const work[])(Step *s) = {
    [STEP_SURVEY] = survey,      [STEP_AWAIT_APPLIED] = await_applied,
    [STEP_STOP] = stop,          [STEP_ALIGN] = align,
    [STEP_VERIFY] = verify,      [STEP_START] = start,
    [STEP_RESTORE] = restore,    [STEP_ROLE] = set_role,
    [STEP_RETUNE] = step_retune,
};

static void in_worker(void *arg)
{
    Step *s = arg;
    s->result = STEP_FAILED;
    work[s->kind](s);
}

static void in_loop(void *arg)
{
    Step *s = arg;
    s->done(s->agent, s);
    step_free(s);
}

Step *step_new(struct Agent *a, StepKind kind, void (*done)(struct Agent *, Step *))
{
    static uint64_t ids;
    Step *s = NEW(Step);
    s->kind = kind;
    s->id = ++ids;
    s->agent = a;
    s->done = done;
    DbTarget t = agent_config_target(&a->conf);
    db_target_copy(&s->target, &t);
    if (kind == STEP_SURVEY)
        facts_own(a, &s->facts);
    s->statement_ms = a->conf.statement_timeout_ms;
    s->timeout_ms = a->conf.stop_timeout_ms;
    return s;
}

bool step_submit(Step *s, Err *err)
{
    if (work_submit(s->agent->work, (WorkJob){in_worker, in_loop, s}, err))
        return true;
    step_free(s);
    return false;
}

void step_free(Step *s)
{
    if (!s)
        return;
    if (s->held)
        db_close(s->held);
    db_target_done(&s->target);
    wire_free(lease_fields, &s->lease);
    wire_free(lease_settings_fields, &s->boosted);
    wire_free(lease_settings_fields, &s->settings);
    wire_free(lease_server_fields, &s->server);
    repl_status_done(&s->status);
    servercheck_free(&s->findings);
    preflight_facts_done(&s->facts);
    free(s->gtid);
    free(s->file);
    free(s->run);
    free(s);
}
