/* SPDX-License-Identifier: Apache-2.0 */
#include "steps.h"

#include "steps_impl.h"

#include <string.h>

#include "agent.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/db/flavor.h"
#include "common/db/gtid.h"
#include "common/db/servercheck.h"
#include "replica-agent/core/preflight.h"
#include "replica-agent/helper/rescue.h"
#include "replica-agent/host/proc.h"

enum { SLICE_MS = 1000, HELD_TIMEOUT_S = 31536000 };

bool step_fails(Step *s, StepResult result)
{
    s->result = result;
    return false;
}

/* Nothing the agent does may get a GTID of its own. */
bool step_open(Step *s, int64_t statement_ms, Db **ret)
{
    Err ignored;
    if (!db_connect(&s->target, statement_ms, ret, &s->err))
        return step_fails(s, STEP_FAILED);
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

bool step_look(Step *s, Db *db)
{
    if (!repl_read(db, &s->status, &s->err))
        return step_fails(s, STEP_FAILED);
    server_identify(db, &s->status, &s->server);
    return true;
}

static bool read_settings(Step *s, Db *db, LeaseSettings *ret)
{
    ReplSettings r = {0};
    if (!repl_settings_read(db, &r, &s->err))
        return step_fails(s, STEP_FAILED);
    wire_free(lease_settings_fields, ret);
    *ret =
        (LeaseSettings){r.sync_binlog, r.flush_log, r.workers, r.parallel_mode, r.sync_relay, r.queue_bytes};
    return true;
}

ReplSettings settings_view(const LeaseSettings *l)
{
    return (ReplSettings){l->sync_binlog,   l->flush_log,  l->workers,
                          l->parallel_mode, l->sync_relay, l->queue_bytes};
}

/* ---- survey, waiting for a position --------------------------------------------------------------- */

static bool check_server(Step *s, Db *db)
{
    ServerFacts facts = {0};
    if (!servercheck_read(db, &facts, &s->err))
        return step_fails(s, STEP_FAILED);
    servercheck_judge(&facts, "siding_agent", &s->findings);
    server_facts_done(&facts);
    return true;
}

/* What a paused replica receives must be readable and linkable from here. */
static void check_buffer(Step *s, Db *db)
{
    Err why;
    bool replays = flavor_of(s->version.flavor)->purges_on_start;
    if (vault_place_read(db, s->vault_folder, &s->place, &why) && vault_check(&s->place, &why) &&
        (!replays || rescue_check_programs(&why)))
        return;
    preflight_add(
        &s->findings, "relay_files", "error",
        "give the agent read and write access to the relay files, on one file system with its vault_dir",
        "the relay files cannot be kept safe: %s", why.text);
}

/* A rescue must not find out at night that its account is missing. */
static void check_rescue_account(Step *s)
{
    AUTODB Db *db = NULL;
    ServerFacts facts = {0};
    Err why;
    if (!flavor_of(s->version.flavor)->purges_on_start)
        return;
    if (!s->has_rescuer)
        preflight_add(&s->findings, "rescue_account", "error",
                      "siding bootstrap, then server.rescue_defaults_file in agent.conf",
                      "no account is configured that could replay the buffer after a crash");
    else if (!db_connect(&s->rescuer, s->statement_ms, &db, &why) || !servercheck_read(db, &facts, &why))
        preflight_add(&s->findings, "rescue_account", "error",
                      "siding bootstrap, then copy its rescue.cnf here",
                      "the account that would replay the buffer after a crash cannot be used: %s", why.text);
    else
        servercheck_judge_grants(&facts, "siding_rescue", &s->findings);
    server_facts_done(&facts);
}

static void survey(Step *s)
{
    AUTODB Db *db = NULL;
    Err why;
    if (!step_open(s, s->statement_ms, &db) || (s->thorough && !check_server(s, db)))
        return;
    if (step_look(s, db) && read_settings(s, db, &s->settings)) {
        if (s->status.is_replica)
            check_buffer(s, db);
        if (s->status.is_replica && s->thorough)
            check_rescue_account(s);
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
    if (!step_open(s, s->statement_ms + SLICE_MS, &db))
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
    bool seen = step_open(s, s->statement_ms, &db) && step_look(s, db);
    s->err = first;
    s->result = seen && !s->status.sql_running ? STEP_OK : STEP_UNKNOWN;
}

bool step_is_unanswered(const Err *err)
{
    return err->kind == ERR_TIMEOUT || err->kind == ERR_LOST;
}

static bool stop_failed(Step *s)
{
    enum { RELAY_LOG_WRITE_FAILURE = 1595 }; /* on both flavours */
    if (step_is_unanswered(&s->err) && s->status.io_errno == RELAY_LOG_WRITE_FAILURE)
        return err_prefix(&s->err,
                          "the server could not write its relay log (error 1595, see its error log) and now "
                          "does not stop its receiver: restart it; what it received is kept");
    return err_prefix(&s->err, "stopping replication");
}

bool step_stop_both(Step *s, Db *db)
{
    return repl_stop_both(db, &s->err) || stop_failed(s);
}

/* Before the applier stops: the relay files are linked, and synced as the policy says. */
static bool secure_buffer(Step *s, Db *db)
{
    ReplSettings want = {.sync_relay = (char *)"1"};
    if (!vault_place_read(db, s->vault_folder, &s->place, &s->err) || !vault_keep(&s->place, &s->err))
        return step_fails(s, STEP_FAILED);
    if (s->sync_relay && !repl_settings_apply(db, &want, false, &s->err))
        return step_fails(s, STEP_FAILED);
    return true;
}

static void stop(Step *s)
{
    AUTODB Db *db = NULL;
    hold_connection(s);
    if (!step_open(s, s->timeout_ms, &db)) {
        s->result = STEP_UNKNOWN; /* an earlier STOP may be under way: look again later */
        return;
    }
    if (s->first && !secure_buffer(s, db))
        return;
    if (!repl_stop_sql(db, &s->err)) {
        s->result = STEP_FAILED;
        if (step_is_unanswered(&s->err))
            after_unanswered_stop(s, db_connection_id(db));
        return;
    }
    if (!step_look(s, db)) {
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
        return step_fails(s, step_is_unanswered(&s->err) ? STEP_UNKNOWN : STEP_FAILED);
    while (!there && !s->cancel && clock_mono_ms() < until)
        if (!repl_wait_applied(db, s->gtid, SLICE_MS, &there, &s->err))
            return step_fails(s, STEP_UNKNOWN);
    /* At the last received event the thread does not stop by itself. */
    if (!repl_stop_sql(db, &s->err))
        return step_fails(s, STEP_UNKNOWN);
    return step_look(s, db);
}

static void align(Step *s)
{
    AUTODB Db *db = NULL;
    if (!step_open(s, s->timeout_ms, &db) || !step_look(s, db))
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
    if (step_open(s, s->statement_ms, &db) && step_look(s, db))
        compare(s, held_lost);
}

/* ---- restoring ------------------------------------------------------------------------------------ */

static bool restored(Step *s, Db *db)
{
    ReplSettings want = settings_view(&s->lease.original), now = {0};
    if (!want.flush_log)
        return true; /* a rescue at boot: nothing was changed */
    if (!repl_settings_read(db, &now, &s->err))
        return false;
    bool equal = repl_settings_equal(&want, &now);
    repl_settings_done(&now);
    if (!equal)
        err_set(&s->err, ERR_DB, 0, "the settings are not yet those of before the pause");
    return equal;
}

static bool is_without_receiver(const Step *s)
{
    return s->status.io == REPL_IO_NO && flavor_of(s->version.flavor)->purges_on_start;
}

static bool must_start_anew(const Step *s, const ReplSettings *want)
{
    return is_without_receiver(s) || (want->workers && str_eq(want->workers, "0") && step_has_domains(s));
}

/* Is everything applied that the files hold, the vault's and the server's own? If not, `err` says up to
 * where. */
static bool files_are_applied(Step *s, Db *db, bool *ret)
{
    AUTO(binlog_scan_done) BinlogScan scan = {0};
    if (!vault_place_read(db, s->vault_folder, &s->place, &s->err) || !step_scan(s, &scan))
        return false;
    AUTOFREE char *held = gtid_max_text(s->version.flavor, s->status.applied, scan.last);
    const char *target = held ? held : s->status.applied;
    if (!repl_wait_applied(db, target, SLICE_MS, ret, &s->err))
        return false;
    if (!*ret && step_look(s, db))
        err_set(&s->err, ERR_TIMEOUT, 0, "the relay files hold transactions up to %.300s, applied is %.300s",
                target, s->status.applied);
    return true;
}

/* With the receiver stopped, a start may throw the relay files away: that is allowed only when they hold
 * nothing more. */
static bool may_stop_applier(Step *s, Db *db)
{
    bool applied = false;
    if (!is_without_receiver(s))
        return true;
    if (!files_are_applied(s, db, &applied))
        return false;
    return applied ||
           err_prefix(&s->err, "the receiver is stopped, so the applier is not stopped now and its "
                               "parallel settings stay raised");
}

/* Workers need a stopped applier; it is started again at once. Where somebody has stopped the receiver, both
 * are. */
static bool restore_stopped(Step *s, Db *db)
{
    ReplSettings want = settings_view(&s->lease.original);
    if (!may_stop_applier(s, db))
        return false;
    if (must_start_anew(s, &want)) {
        if (step_stop_both(s, db) && repl_settings_apply(db, &want, true, &s->err))
            s->result = STEP_STALLED;
        return false;
    }
    if (!repl_stop_sql(db, &s->err))
        return stop_failed(s);
    bool set = repl_settings_apply(db, &want, true, &s->err);
    return repl_start_sql(db, &s->err) && set;
}

static bool restore_settings(Step *s, Db *db)
{
    ReplSettings want = settings_view(&s->lease.original);
    if (!repl_settings_apply(db, &want, false, &s->err) ||
        !(restored(s, db) || (restore_stopped(s, db) && restored(s, db))))
        return false;
    if (!step_look(s, db) || s->status.sql_running)
        return s->status.sql_running;
    return repl_start_sql(db, &s->err); /* an earlier try stopped it and was cut off */
}

/* What was kept is given up only when all of it is applied and on the disk. */
static bool settle_buffer(Step *s, Db *db)
{
    bool there = false;
    if (!files_are_applied(s, db, &there))
        return step_fails(s, STEP_FAILED);
    if (!there)
        return step_fails(s, s->status.io == REPL_IO_YES ? STEP_FAILED : STEP_STALLED);
    return there && (!s->lease.boosted || vault_flush_server(&s->place, &s->err));
}

/* pause.c, applier_failed, says why that matters. */
bool step_applier_failed(const Step *s)
{
    return flavor_of(s->version.flavor)->purges_on_start && !s->status.sql_running &&
           s->status.sql_errno != 0;
}

static void restore(Step *s)
{
    AUTODB Db *db = NULL;
    s->result = STEP_FAILED;
    if (!step_open(s, s->timeout_ms, &db) || !step_look(s, db))
        return;
    if (s->lease.taken_over && !s->status.sql_running) {
        ReplSettings want = settings_view(&s->lease.original);
        if (repl_settings_apply(db, &want, true, &s->err) && restored(s, db))
            s->result = STEP_OK;
        return;
    }
    /* The receiver died while the applier was stopped for its settings, or that failed: only a start from the
     * files helps. */
    if ((!s->status.sql_running && s->status.io == REPL_IO_NO) || step_applier_failed(s))
        s->result = STEP_STALLED;
    else if (restore_settings(s, db) && settle_buffer(s, db))
        s->result = STEP_OK;
}

/* ---- role ----------------------------------------------------------------------------------------- */

static void set_role(Step *s)
{
    AUTODB Db *db = NULL;
    Err ignored;
    if (!step_open(s, s->statement_ms, &db))
        return;
    /* Semi-sync first: a writable primary without it would promise less than the old one. */
    if (!repl_set_semi_sync_source(db, s->open, &ignored))
        log_warn("semi-sync source %s: %s", s->open ? "on" : "off", ignored.text);
    s->result = repl_set_read_only(db, !s->open, &s->err) && step_look(s, db) ? STEP_OK : STEP_FAILED;
}

/* ---- pool ----------------------------------------------------------------------------------------- */

static void (*const work[])(Step *s) = {
    [STEP_SURVEY] = survey,      [STEP_AWAIT_APPLIED] = await_applied,
    [STEP_STOP] = stop,          [STEP_ALIGN] = align,
    [STEP_VERIFY] = verify,      [STEP_START] = step_start,
    [STEP_RESTORE] = restore,    [STEP_ROLE] = set_role,
    [STEP_RETUNE] = step_retune, [STEP_DURABLE] = step_durable,
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
    DbTarget t = agent_config_target(&a->conf), rescuer = agent_config_rescue_target(&a->conf);
    db_target_copy(&s->target, &t);
    db_target_copy(&s->rescuer, &rescuer);
    s->has_rescuer = a->conf.server.rescue_defaults_file != NULL;
    if (kind == STEP_SURVEY)
        facts_own(a, &s->facts);
    s->vault_folder = xstrdup(a->conf.server.vault_dir);
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
    db_target_done(&s->rescuer);
    wire_free(lease_fields, &s->lease);
    wire_free(lease_settings_fields, &s->boosted);
    wire_free(lease_settings_fields, &s->settings);
    wire_free(lease_server_fields, &s->server);
    repl_status_done(&s->status);
    servercheck_free(&s->findings);
    preflight_facts_done(&s->facts);
    wire_free(vault_place_fields, &s->place);
    free(s->vault_folder);
    free(s->errant);
    free(s->held_gtid);
    free(s->from);
    free(s->gtid);
    free(s->file);
    free(s->run);
    free(s);
}
