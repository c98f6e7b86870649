/* SPDX-License-Identifier: Apache-2.0
 * The only START of replication. With both threads stopped it comes after a scan of the relay files: what
 * they hold beyond the applied position is never thrown away.
 */
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/db/flavor.h"
#include "common/db/gtid.h"
#include "replica-agent/core/buffer.h"
#include "replica-agent/helper/rescue.h"
#include "replica-agent/server/recovered.h"
#include "steps_impl.h"

enum { SOURCE_TIMEOUT_MS = 2000 };

/* ---- the source ----------------------------------------------------------------------------------- */

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

/* ---- the buffer ----------------------------------------------------------------------------------- */

bool step_scan(Step *s, BinlogScan *ret)
{
    Err why;
    AUTO(strlist_done) StrList files = STRLIST_INIT;
    if (!flavor_of(s->version.flavor)->purges_on_start) {
        ret->last = xstrdup(s->status.received); /* scanned by the server when it started */
        return true;
    }
    if (!vault_keep(&s->place, &why))
        log_warn("%s", why.text); /* they may be readable all the same */
    return vault_files(&s->place, &files, &s->err) && binlog_scan(&files, ret, &s->err);
}

/* What crash recovery wrote is no person's decision. */
static BufferState judge_errant(Step *s, Db *db)
{
    Err err;
    bool explained;
    AUTO(recovered_done) Recovered found = {0};
    AUTO(strlist_done) StrList files = STRLIST_INIT;
    if (!vault_files(&s->place, &files, &err) ||
        !recovered_explain(db, &files, &s->status, &explained, &found, &err)) {
        log_warn("whether %s is of the crash recovery is not known: %s", s->errant, err.text);
        return BUFFER_ERRANT;
    }
    for (size_t i = 0; explained && i < found.found.n; i++)
        log_warn(
            "the server was killed inside a replicated statement, and its crash recovery logged it as its "
            "own: %s; its binary log is begun anew",
            found.found.v[i]);
    return explained ? BUFFER_BEYOND : BUFFER_ERRANT;
}

static BufferState judge(Step *s, Db *db)
{
    AUTO(binlog_scan_done) BinlogScan scan = {0};
    BufferInput in = {.flavor = s->version.flavor,
                      .applied = s->status.applied,
                      .binlog = s->status.binlog,
                      .server_id = s->status.server_id,
                      .crashed = lease_crashed_boosted(&s->lease, clock_boot_id())};
    if (in.crashed)
        return BUFFER_CRASHED;
    if (!vault_place_read(db, s->vault_folder, &s->place, &s->err) || !step_scan(s, &scan))
        return BUFFER_UNKNOWN;
    in.held = scan.last;
    BufferState state = buffer_judge(&in, &s->errant);
    s->from = buffer_position(in.flavor, in.applied, in.binlog);
    s->held_gtid = xstrdup(scan.last);
    s->backlog = s->from ? gtid_behind_text(in.flavor, s->from, scan.last) : 0;
    if (state == BUFFER_UNKNOWN)
        err_set(&s->err, ERR_CORRUPT, 0, "the position \"%.200s\" cannot be understood", in.binlog);
    return state == BUFFER_ERRANT ? judge_errant(s, db) : state;
}

/* ---- starting ------------------------------------------------------------------------------------- */

bool step_has_domains(const Step *s)
{
    Err ignored;
    Gtid *all = NULL;
    AUTOFREE char *text = gtid_max_text(s->version.flavor, s->status.applied, s->status.received);
    bool many = flavor_of(s->version.flavor)->purges_on_start && text &&
                gtid_parse(s->version.flavor, text, &all, &ignored) && gtid_domains(all) > 1;
    gtid_free(all);
    return many;
}

/* sync_relay_log was for the pause only; the boost is for what follows. */
static void prepare(Step *s, Db *db)
{
    Err err;
    ReplSettings relay = {.sync_relay = s->lease.original.sync_relay}, want = settings_view(&s->boosted);
    if (relay.sync_relay && !repl_settings_apply(db, &relay, false, &err))
        log_warn("sync_relay_log is put back later: %s", err.text);
    if (str_eq(s->lease.original.workers, "0") && step_has_domains(s))
        want.workers = want.parallel_mode = want.queue_bytes =
            NULL; /* their end would need a start of both threads, see STEP_RESTORE */
    if (s->boost && !repl_settings_apply(db, &want, true, &err))
        log_warn("catching up without boost: %s", err.text);
}

/* RESET MASTER and RESET SLAVE are beyond the agent's own account. */
static bool exec_as_rescuer(Step *s, const char *sql)
{
    AUTODB Db *db = NULL;
    return db_connect(&s->rescuer, s->timeout_ms, &db, &s->err) && db_exec(db, &s->err, sql, "");
}

static bool start_as(Step *s, Db *db)
{
    if (s->way == START_SQL)
        return repl_start_sql(db, &s->err);
    if (s->way == START_REFETCH) {
        log_error(
            "the machine crashed while durability was relaxed: this server's own binary log is given up "
            "and everything after %s is fetched again; it must be no donor and not be promoted before",
            s->status.applied);
        if (!exec_as_rescuer(s, flavor_of(s->version.flavor)->refetch_sql))
            return false;
    }
    if (repl_start_both_purging(db, &s->err))
        return true;
    if (!repl_relay_is_broken(db, &s->err))
        return false;
    log_warn(
        "%s: a kill has left the relay files and the server's notes of them apart; all that they held is "
        "applied, they are begun anew",
        s->err.text);
    return exec_as_rescuer(s, flavor_of(s->version.flavor)->relay_reset_sql) &&
           repl_start_both_purging(db, &s->err);
}

static void explain(Step *s)
{
    AUTOFREE char *why = xstrdup(s->err.text);
    s->result = STEP_WAITING;
    switch (s->way) {
    case START_UNREADABLE:
        err_set(
            &s->err, ERR_REFUSED, 0,
            "replication is stopped, and a START could throw away transactions that only this server's relay "
            "files hold, but they cannot be read: %.400s; give the agent access to them, or see the runbook",
            why);
        break;
    case START_ERRANT:
        err_set(&s->err, ERR_REFUSED, 0,
                "the relay files hold transactions up to %.200s, but %.60s was written by this server "
                "itself: they "
                "are kept and not applied, a person must decide (runbook, errant transactions)",
                s->held_gtid, s->errant);
        break;
    case START_CRASHED:
        err_set(
            &s->err, ERR_REFUSED, 0,
            "the machine crashed while durability was relaxed: positions and data of this server may differ. "
            "Never promote it and never copy from it; %s",
            flavor_of(s->version.flavor)->refetch_sql
                ? "it fetches again from its applied position as soon as its source answers"
                : "provision it anew");
        break;
    default:
        err_set(&s->err, ERR_REFUSED, 0,
                "transactions up to %.200s are in the relay files and not applied yet", s->held_gtid);
        break;
    }
}

/* A rescue whose agent is gone may still have a client at work. */
static bool free_of_rescue(Step *s, Db *db)
{
    int64_t id = 0;
    if (!rescue_holder(db, &id, &s->err))
        return step_fails(s, STEP_FAILED);
    if (!id)
        return true;
    Err ignored;
    if (s->may_end_rescue && !db_kill(&s->target, (uint64_t)id, &ignored))
        log_debug("%s", ignored.text);
    err_set(&s->err, ERR_CONFLICT, 0, "connection %lld still applies kept transactions: its end is awaited",
            (long long)id);
    return step_fails(s, STEP_WAITING);
}

/* An applier that starts would apply again what a rescue has applied and was not let write down. */
static bool position_lags(const Step *s)
{
    BufferInput in = {.flavor = s->version.flavor,
                      .applied = s->status.applied,
                      .binlog = s->status.binlog,
                      .server_id = s->status.server_id};
    return !s->status.sql_running && buffer_position_lags(&in);
}

/* A rescue is the only way where kept transactions are missing and the source does not send them, where the
 * replica's own position lags, and where it cannot be trusted. */
static bool stand_still(Step *s, Db *db)
{
    bool both = !s->status.sql_running && s->status.io == REPL_IO_NO, lags = position_lags(s),
         failed = step_applier_failed(s);
    bool stalled = s->lease.stalled && s->status.io != REPL_IO_YES;
    if (both || !(lags || stalled || failed))
        return true;
    log_warn("%s: replication is stopped to apply what the relay files hold",
             failed ? "the applier has failed and its position in the relay files cannot be trusted"
             : lags ? "the server's replication position is behind what it has applied"
                    : "kept transactions are not applied and the source does not answer");
    if (step_stop_both(s, db) && step_look(s, db))
        return true;
    return step_fails(s, step_is_unanswered(&s->err) ? STEP_UNKNOWN : STEP_FAILED);
}

static void decide(Step *s, Db *db)
{
    StartInput in = {
        .sql_running = s->status.sql_running, .io = s->status.io, .fresh_server = s->fresh_server};
    if (!in.sql_running && in.io == REPL_IO_NO) {
        in.buffer = judge(s, db);
        in.can_refetch = flavor_of(s->version.flavor)->refetch_sql != NULL;
        in.source_answers = in.buffer == BUFFER_CRASHED && source_answers(&s->status);
    }
    s->way = start_decide(&in);
}

static bool refuses(StartWay way)
{
    return way == START_RESCUE || way == START_UNREADABLE || way == START_ERRANT || way == START_CRASHED;
}

void step_start(Step *s)
{
    AUTODB Db *db = NULL;
    if (!step_open(s, s->timeout_ms, &db) || !step_look(s, db) || !free_of_rescue(s, db) ||
        !stand_still(s, db))
        return;
    decide(s, db);
    if (refuses(s->way)) {
        explain(s);
        return;
    }
    s->result = STEP_OK;
    if (s->way == START_NOT_NEEDED)
        return;
    prepare(s, db);
    if (!start_as(s, db) || !step_look(s, db)) {
        s->result = step_is_unanswered(&s->err) ? STEP_UNKNOWN : STEP_FAILED;
    } else if (!s->status.sql_running) {
        err_set(&s->err, ERR_DB, (int)s->status.sql_errno, "the applier stopped again: %s",
                s->status.sql_error);
        s->result = STEP_FAILED;
    }
}
