/* SPDX-License-Identifier: Apache-2.0 */
#include "op_start.h"

#include "clean_end.h"
#include "common/base/log.h"
#include "common/db/gtid.h"
#include "ddl_recovery.h"
#include "op_commits.h"
#include "relay_events.h"
#include "replica-agent/core/applier.h"
#include "replica-agent/core/buffer.h"
#include "rescue_channel.h"
#include "source_probe.h"

void start_in_done(StartIn *in)
{
    op_server_done(&in->at);
    db_target_done(&in->rescuer);
    free(in->vault_folder);
    free(in->source_position);
    free(in->account_file);
    wire_free(lease_settings_fields, &in->original);
    wire_free(lease_settings_fields, &in->boosted);
    *in = (StartIn){0};
}

void start_out_done(StartOut *out)
{
    server_seen_done(&out->seen);
    wire_free(vault_place_fields, &out->place);
    free(out->from);
    free(out->held_gtid);
    free(out->errant);
    free(out->alone);
    *out = (StartOut){0};
}

/* ---- before it is decided ------------------------------------------------------------------------- */

static bool clear_as_rescuer(const StartIn *in, Err *err)
{
    AUTODB Db *db = NULL;
    return db_connect(&in->rescuer, in->timeout_ms, &db, err) && rescue_channel_clear(db, err);
}

/* One that was killed has left its connection, whose applier may still be at work. */
static bool clear_private(const StartIn *in, Db *db, StartOut *out)
{
    AUTO(repl_status_done) ReplStatus left = {0};
    if (!op_flavor(db)->purges_on_start)
        return true;
    if (repl_read_private(db, &left, &out->err) &&
        (!left.is_replica || (clear_as_rescuer(in, &out->err) && op_look(db, &out->seen, &out->err))))
        return true;
    out->result = op_failed_or_unknown(&out->err);
    return false;
}

/* A rescue whose agent is gone may still be at work. Its session tells: nobody else has that account's
 * password, while a lock in the server could be held by anybody. */
static bool is_free_of_rescue(const StartIn *in, Db *db, StartOut *out)
{
    Err ignored;
    int64_t id = 0;
    if (op_flavor(db)->purges_on_start && !db_value_int(db, &id, &out->err, RESCUE_SESSION_SQL, "")) {
        out->result = OP_FAILED;
        return false;
    }
    if (!id)
        return clear_private(in, db, out);
    if (in->may_end_rescue && !db_kill(&in->at.target, (uint64_t)id, &ignored))
        log_debug("%s", ignored.text);
    err_set(&out->err, ERR_CONFLICT, 0, "connection %lld still applies kept transactions: its end is awaited",
            (long long)id);
    out->result = OP_WAITING;
    return false;
}

static bool stand_still(const StartIn *in, Db *db, StartOut *out)
{
    StandWhy why = applier_must_stand(op_flavor(db), &out->seen.status, in->stalled);
    if (why == STAND_NOT)
        return true;
    log_warn("%s: replication is stopped to apply what the relay files hold", stand_why_text(why));
    if (op_stop_both(db, &out->seen.status, &out->err) && op_look(db, &out->seen, &out->err))
        return true;
    out->result = op_failed_or_unknown(&out->err);
    return false;
}

/* ---- what the relay files hold -------------------------------------------------------------------- */

/* What crash recovery wrote is no person's decision. */
static BufferState judge_errant(Db *db, const StartOut *out)
{
    Err err;
    bool explained;
    AUTO(recovered_done) Recovered found = {0};
    AUTO(strlist_done) StrList files = STRLIST_INIT;
    if (!vault_files(&out->place, &files, &err) ||
        !recovered_explain(db, &files, &out->seen.status, &explained, &found, &err)) {
        log_warn("whether %s is of the crash recovery is not known: %s", out->errant, err.text);
        return BUFFER_ERRANT;
    }
    for (size_t i = 0; explained && i < found.found.n; i++)
        log_warn(
            "the server was killed inside a replicated statement, and its crash recovery logged it as its "
            "own: %s; its binary log is begun anew",
            found.found.v[i]);
    return explained ? BUFFER_BEYOND : BUFFER_ERRANT;
}

/* What nothing here can read is applied by fetching it again, up to where the files reach: they stay
 * meanwhile. The error says what it waits for. */
static bool may_fetch(const StartIn *in, const ReplStatus *s, const char *held, Err *err)
{
    if (in->shut)
        return err_set(err, ERR_REFUSED, 0,
                       "a failover keeps its receiver stopped, so that they are not fetched again");
    if (!in->account_file)
        return err_set(err, ERR_REFUSED, 0,
                       "name the account to receive as in server.replication_defaults_file of agent.conf, "
                       "then they are fetched again");
    return source_has(in->account_file, s, held, err) ||
           err_prefix(err, "they are fetched again as soon as its source has them. Now");
}

static BufferState judge_encrypted(const StartIn *in, const char *file, BufferState state, StartOut *out)
{
    Err why;
    if (state != BUFFER_BEYOND || may_fetch(in, &out->seen.status, out->held_gtid, &why))
        return state;
    err_set(&out->err, ERR_REFUSED, BINLOG_ENCRYPTED,
            "%s, and of the transactions up to %.200s some are not applied: %s", file, out->held_gtid,
            why.text);
    return BUFFER_UNKNOWN;
}

/* A planned reboot is no crash: the server's own marks tell. */
static bool has_ended_well(const StartIn *in, Db *db, const BufferInput *buffer)
{
    Err err;
    ReplPaths p = {0};
    AUTOFREE char *why = NULL;
    AUTO(strlist_done) StrList files = STRLIST_INIT;
    bool well = in->boosted_at && !buffer_position_lags(buffer) && repl_paths_read(db, &p, &err) &&
                vault_index_files(p.binlog_index, p.data_folder, &files, &err) &&
                clean_end_since(db, &files, in->boosted_at, &why);
    repl_paths_done(&p);
    if (well)
        log_info(
            "the machine was restarted while durability was relaxed, after the server had been shut down in "
            "order: all is on its disk");
    else if (why)
        log_info("whether the server was shut down in order is not known, so that it may not have been: %s",
                 why);
    return well;
}

/* What this server has of its own would be gone with its binary log and its relay files. */
static char *why_not_refetched(const StartIn *in, Db *db, const BufferInput *buffer)
{
    int64_t readers = 0;
    Err err;
    AUTOFREE char *errant = buffer_errant(buffer);
    AUTOFREE char *position = buffer_position(buffer->flavor, buffer->applied, buffer->binlog);
    if (errant)
        return xasprintf("%s was written by this server itself", errant);
    if (!buffer->held)
        return xstrdup("what its relay files hold cannot be read");
    if (!in->source_position)
        return xstrdup("the coordinator has not said yet what the primary has");
    if (!buffer_reaches(buffer->flavor, in->source_position, position) ||
        !buffer_reaches(buffer->flavor, in->source_position, buffer->held))
        return xasprintf("it holds transactions up to %.200s, and the primary has %.200s", buffer->held,
                         in->source_position);
    if (!db_value_int(db, &readers, &err, op_flavor(db)->log_readers_sql, "") || readers)
        return xstrdup("other servers replicate from it");
    return NULL;
}

/* Up to where the relay files reach; NULL: not known. *ret_encrypted: the file that only the server reads. */
static char *read_held(const StartIn *in, Db *db, StartOut *out, char **ret_encrypted)
{
    Err why;
    char *held = NULL;
    AUTO(binlog_scan_done) BinlogScan scan = {0};
    if (!vault_place_read(db, in->vault_folder, &out->place, &out->err))
        return NULL;
    if (op_scan(db, &out->place, &out->seen.status, &scan, &out->err))
        return xstrdup(scan.last);
    if (out->err.code != BINLOG_ENCRYPTED)
        return NULL;
    *ret_encrypted = xstrdup(out->err.text);
    if (!relay_events_last(db, &out->place, &held, &why)) {
        err_set(
            &out->err, ERR_REFUSED, BINLOG_ENCRYPTED,
            "%s, and the server does not say what it holds (%.300s); give it a readable file again, or the "
            "replica new data: siding replica reprovision",
            *ret_encrypted, why.text);
        return NULL;
    }
    out->err = (Err){0};
    return held;
}

static BufferState judge(const StartIn *in, Db *db, StartOut *out)
{
    const ReplStatus *s = &out->seen.status;
    AUTOFREE char *encrypted = NULL;
    BufferInput buffer = {.flavor = db_version(db)->flavor,
                          .applied = s->applied,
                          .binlog = s->binlog,
                          .server_id = s->server_id};
    out->ended_well = in->crashed && has_ended_well(in, db, &buffer);
    buffer.crashed = in->crashed && !out->ended_well;
    AUTOFREE char *held = read_held(in, db, out, &encrypted);
    buffer.held = held;
    if (buffer.crashed) {
        if (op_flavor(db)->refetch_sql)
            out->alone = why_not_refetched(in, db, &buffer);
        return BUFFER_CRASHED;
    }
    if (!held)
        return BUFFER_UNKNOWN;
    BufferState state = buffer_judge(&buffer, &out->errant);
    out->from = buffer_position(buffer.flavor, buffer.applied, buffer.binlog);
    out->held_gtid = xstrdup(held);
    out->backlog = out->from ? gtid_behind_text(buffer.flavor, out->from, held) : 0;
    if (state == BUFFER_UNKNOWN)
        err_set(&out->err, ERR_CORRUPT, 0, "the position \"%.200s\" cannot be understood", buffer.binlog);
    if (state == BUFFER_ERRANT)
        return judge_errant(db, out);
    return encrypted ? judge_encrypted(in, encrypted, state, out) : state;
}

static void decide(const StartIn *in, Db *db, StartOut *out)
{
    const ReplStatus *s = &out->seen.status;
    StartInput facts = {
        .sql_running = s->sql_running, .io = s->io, .fresh_server = in->fresh_server, .shut = in->shut};
    if (!facts.sql_running && facts.io == REPL_IO_NO) {
        facts.buffer = judge(in, db, out);
        out->is_spent = facts.buffer == BUFFER_APPLIED && op_flavor(db)->purges_on_start &&
                        relay_events_some_encrypted(&out->place);
        facts.can_refetch = op_flavor(db)->refetch_sql != NULL && !out->alone;
        facts.source_answers = facts.buffer == BUFFER_CRASHED && facts.can_refetch &&
                               source_answers(s->source_host, s->source_port);
    }
    out->way = start_decide(&facts);
}

/* ---- starting ------------------------------------------------------------------------------------- */

/* sync_relay_log was for the pause only; the boost is for what follows. */
static void prepare(const StartIn *in, Db *db, const StartOut *out)
{
    Err err;
    ReplSettings relay = {.sync_relay = in->original.sync_relay}, want = op_settings(&in->boosted);
    if (relay.sync_relay && !repl_settings_apply(db, &relay, false, &err))
        log_warn("sync_relay_log is put back later: %s", err.text);
    if (str_eq(in->original.workers, "0") && applier_has_domains(op_flavor(db), &out->seen.status))
        want.workers = want.parallel_mode = want.queue_bytes =
            NULL; /* their end would need a start of both threads, see op_restore */
    if (in->boost && !repl_settings_apply(db, &want, true, &err))
        log_warn("catching up without boost: %s", err.text);
}

/* RESET MASTER and RESET SLAVE are beyond the agent's own account. */
static bool exec_as_rescuer(const StartIn *in, const char *sql, Err *err)
{
    AUTODB Db *db = NULL;
    return db_connect(&in->rescuer, in->timeout_ms, &db, err) && db_exec(db, err, sql, "");
}

static bool start_both(const StartIn *in, Db *db, Err *err)
{
    Err first;
    if (repl_start_both_purging(db, &first))
        return true;
    if (!repl_relay_is_broken(db, &first)) {
        *err = first;
        return false;
    }
    log_warn(
        "%s: a kill has left the relay files and the server's notes of them apart; all that they held is "
        "applied, they are begun anew",
        first.text);
    return exec_as_rescuer(in, op_flavor(db)->relay_reset_sql, err) && repl_start_both_purging(db, err);
}

static bool start_by(const StartIn *in, Db *db, const StartOut *out, Err *err)
{
    if (out->way == START_SQL)
        return repl_start_sql(db, err);
    if (in->silent && !op_be_silent(db, err))
        return false;
    if (out->way == START_REFETCH) {
        log_error(
            "the machine crashed while durability was relaxed: this server's own binary log is given up "
            "and everything after %s is fetched again; it must be no donor and not be promoted before",
            out->seen.status.applied);
        if (!exec_as_rescuer(in, op_flavor(db)->refetch_sql, err))
            return false;
    }
    return start_both(in, db, err);
}

/* The server has removed them and begins its numbers anew: the next start could not tell what encrypted ones
 * are. */
static void forget_spent(const StartOut *out)
{
    Err err;
    if (out->is_spent && !vault_clear(&out->place, &err))
        log_warn("links to encrypted relay files, which are applied, cannot be removed: %s", err.text);
}

static OpResult start(const StartIn *in, Db *db, StartOut *out)
{
    const ReplStatus *s = &out->seen.status;
    prepare(in, db, out);
    if (!start_by(in, db, out, &out->err) || !op_look(db, &out->seen, &out->err))
        return op_failed_or_unknown(&out->err);
    if (s->sql_running) {
        forget_spent(out);
        return OP_DONE;
    }
    err_set(&out->err, ERR_DB, (int)s->sql_errno, "the applier stopped again: %s", s->sql_error);
    return OP_FAILED;
}

static OpResult refuse(Db *db, StartOut *out)
{
    const char *mend =
        out->err.code == BINLOG_ENCRYPTED ? "" : "; give the agent access to them, or see the runbook";
    AUTOFREE char *why =
        out->way == START_CRASHED ? xstrdup(out->alone) : xasprintf("%s%s", out->err.text, mend);
    start_explain(out->way, op_flavor(db), out->held_gtid, out->errant, why, &out->err);
    return OP_WAITING;
}

/* The files that are looked at here are those of the default connection. */
static bool is_default_channel(const Db *db, StartOut *out)
{
    const ReplStatus *s = &out->seen.status;
    if (!op_flavor(db)->purges_on_start || !s->channel || !*s->channel)
        return true;
    return err_set(
        &out->err, ERR_REFUSED, 0,
        "this server replicates by the named connection \"%.64s\", which Siding does not start: START "
        "SLAVE '%.64s', or make it the default one (siding check)",
        s->channel, s->channel);
}

bool op_start(const StartIn *in, const Cancel *cancel, StartOut *out)
{
    AUTODB Db *db = NULL;
    out->result = OP_FAILED;
    if (!op_open(&in->at, in->timeout_ms, cancel, &db, &out->err) || !op_look(db, &out->seen, &out->err) ||
        !is_default_channel(db, out) || !op_commit(db, cancel, &out->err) || !is_free_of_rescue(in, db, out))
        return false;
    if (!out->seen.status.sql_running) /* whoever starts it: this, or the rescue that it asks for */
        commits_free_applier(db, &out->seen.status, in->leaves_semi_sync);
    if (!stand_still(in, db, out))
        return false;
    decide(in, db, out);
    if (start_is_refused(out->way))
        out->result = refuse(db, out);
    else
        out->result = out->way == START_NOT_NEEDED ? OP_DONE : start(in, db, out);
    return out->result == OP_DONE;
}
