/* SPDX-License-Identifier: Apache-2.0
 * A MariaDB server takes its own kept relay files by a private connection, whose receiver fetches them from a
 * source in this process and whose applier applies them: filters, limits, workers and errors are the
 * server's own. The default connection stands still meanwhile and is not touched. Encrypted files, which only
 * the server reads, stay until their transactions were fetched the same way from the replica's own source.
 */
#include <poll.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/db/binlog.h"
#include "common/wire/progress.h"
#include "replica-agent/core/applier_error.h"
#include "replica-agent/core/buffer.h"
#include "replica-agent/core/follows.h"
#include "replica-agent/server/ddl_recovery.h"
#include "replica-agent/server/relay_events.h"
#include "replica-agent/server/rescue_channel.h"
#include "replica-agent/server/source_probe.h"
#include "rescue_impl.h"

enum { LOOK_MS = 100, STANDS_STILL_MS = 1000, SOURCE_GONE_MS = 10000, TRIES = 5 };

static bool threads_stand(const Rescue *r, Err *err)
{
    if (!r->status.sql_running && r->status.io == REPL_IO_NO)
        return true;
    return err_set(err, ERR_CONFLICT, 0, "replication runs: nothing is applied beside it");
}

/* ---- what the files hold --------------------------------------------------------------------------- */

static bool follow_group(void *arg, const BinlogGroup *g, Err *err)
{
    return follows_take(arg, &(GtidEntry){g->domain, g->server_id, g->seq}, err);
}

static bool follow_loose(void *arg, const BinlogLoose *l, Err *err)
{
    (void)err;
    if (l->kind == BINLOG_GAP)
        follows_gap(arg);
    return true;
}

static bool scan(Rescue *r, Err *err)
{
    AUTO(follows_done) Follows f = {0};
    AUTO(binlog_scan_done) BinlogScan s = {0};
    if (!follows_begin(&f, r->from, err) ||
        !binlog_walk_all(&r->files, follow_group, follow_loose, &f, &s, err))
        return false;
    if (s.incident)
        log_warn("the relay files end with an incident of the source: it says that its log lacks events");
    free(r->held);
    r->held = xstrdup(s.last);
    r->total = gtid_behind_text(r->flavor->flavor, r->from, r->held);
    return true;
}

/* What only the server can read is fetched again from its source, up to where the files reach. */
static bool scan_as_server(Rescue *r, Err *err)
{
    r->fetches = true;
    if (!r->conf.server.replication_defaults_file)
        return err_set(err, ERR_CONFIG, 0, "agent.conf names no server.replication_defaults_file");
    if (!relay_events_last(r->db, &r->place, &r->held, err))
        return false;
    r->total = gtid_behind_text(r->flavor->flavor, r->from, r->held);
    return true;
}

/* Nothing purges them while both threads stand still: where no links can be made they are read where they
 * are. */
static bool read_files(Rescue *r, Err *err)
{
    Err why;
    if (!vault_keep(&r->place, &why))
        log_warn("%s", why.text);
    if (!relay_events_files(r->db, &r->place, &r->files, err))
        return false;
    return scan(r, err) || (err->code == BINLOG_ENCRYPTED && scan_as_server(r, err));
}

/* A transaction of the server's own in between: of its crash recovery, or a person's. */
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
        return recovered_adopt(r->db, r->recovered, &found, err) && rescue_look(r, err);
    return err_set(err, ERR_REFUSED, 0, "%s was written by this server itself: a person must decide", errant);
}

/* What stands in the server's binary log is applied, whether it was let write that down or not. */
static bool take_position_over(Rescue *r, Err *err)
{
    if (gtid_compare_text(r->flavor->flavor, r->status.applied, r->from) == GTID_EQUAL)
        return true;
    return db_exec(r->db, err, "SET GLOBAL gtid_slave_pos=?", "s", r->from);
}

/* ---- the private connection ------------------------------------------------------------------------ */

static bool follow_source(Rescue *r, Err *err)
{
    const char *account = r->conf.server.replication_defaults_file;
    if (!source_has(account, &r->status, r->held, err)) {
        r->look_again = true;
        return false;
    }
    log_info("transactions up to %s are in encrypted relay files: they are fetched from %s:%lld", r->held,
             r->status.source_host, (long long)r->status.source_port);
    return (!r->silent || db_exec(r->db, err, r->flavor->semi_sync_replica_off, "")) &&
           relay_forward_open(r->status.source_host, r->status.source_port, &r->forward, err) &&
           rescue_channel_follow(r->db, relay_forward_port(r->forward), account, err);
}

static bool connect_channel(Rescue *r, Err *err)
{
    if (r->fetches)
        return follow_source(r, err);
    AUTOFREE char *version = xasprintf("5.5.5-%s", db_version(r->db)->text);
    RelaySourceSpec spec = {&r->files, r->from, version, (uint32_t)r->status.server_id, r->window_bytes};
    if (!relay_source_open(&spec, &r->source, err))
        return false;
    RescueSource source = {relay_source_port(r->source), relay_source_user(),
                           relay_source_password(r->source)};
    return rescue_channel_make(r->db, &source, err);
}

static bool start(Rescue *r, Err *err)
{
    if (r->source)
        relay_source_begin(r->source);
    r->stopped_ms = 0;
    return rescue_channel_start(r->db, r->held, err);
}

/* A receiver or applier that was killed, or that could not go on from where it was: a START begins again at
 * the server's position. Each must bring it further. */
static bool start_again(Rescue *r, const ReplStatus *c, Err *err)
{
    if (!str_eq(r->tried_at, r->from)) {
        free(r->tried_at);
        r->tried_at = xstrdup(r->from);
        r->tries = 0;
    }
    int64_t code = c->sql_errno ? c->sql_errno : c->io_errno;
    const char *why = c->sql_errno ? c->sql_error : code ? c->io_error : "it was stopped";
    if (++r->tries > TRIES)
        return err_set(err, ERR_DB, (int)code, "applied up to %.200s, the relay files hold %.200s: %.400s",
                       r->from, r->held, why);
    log_warn("the private connection of the rescue is started again: %s", why);
    return rescue_channel_stop(r->db, err) && start(r, err);
}

static bool has_stood_for(Rescue *r, int64_t ms)
{
    if (!r->stopped_ms)
        r->stopped_ms = clock_mono_ms();
    return clock_mono_ms() - r->stopped_ms >= ms;
}

static bool is_received(const Rescue *r, const ReplStatus *c)
{
    return r->source ? relay_source_is_sent(r->source)
                     : buffer_reaches(r->flavor->flavor, c->received, r->held);
}

/* Of what is fetched again. A source that is gone ends it, since a failover may want the replica. */
static bool source_sends(Rescue *r, const ReplStatus *c, Err *err)
{
    if (c->io == REPL_IO_NO && receiver_is_refused(c->io_errno))
        r->needs_person = true;
    else if (c->io == REPL_IO_CONNECTING && has_stood_for(r, SOURCE_GONE_MS))
        r->look_again = true;
    else
        return true;
    const char *advice = receiver_advice(c->io_errno);
    return err_set(
        err, ERR_DB, (int)c->io_errno,
        "the source does not send the transactions up to %.200s, which are in encrypted relay files: "
        "%.400s%s%s",
        r->held, c->io_error, advice ? ": " : "", advice ? advice : "");
}

static bool goes_on(Rescue *r, const ReplStatus *c, Err *err)
{
    if (!c->is_replica)
        return err_set(err, ERR_CONFLICT, 0, "somebody removed the connection " REPL_PRIVATE_CHANNEL);
    if (!c->sql_running && c->sql_errno && applier_failure_needs_person(applier_failure(c->sql_errno))) {
        r->needs_person = true;
        return err_set(err, ERR_DB, (int)c->sql_errno,
                       "the applier stopped at the transaction after %.200s with error %lld: %.600s",
                       r->status.applied, (long long)c->sql_errno, c->sql_error);
    }
    bool received = is_received(r, c);
    if (r->fetches && !received && !source_sends(r, c, err))
        return false;
    if (c->sql_running && (received || c->io != REPL_IO_NO)) {
        if (received || c->io == REPL_IO_YES)
            r->stopped_ms = 0;
        return true;
    }
    return !has_stood_for(r, STANDS_STILL_MS) || start_again(r, c, err);
}

static bool watch(Rescue *r, Err *err)
{
    for (;; poll(NULL, 0, LOOK_MS)) {
        AUTO(repl_status_done) ReplStatus c = {0};
        if (!repl_read_private(r->db, &c, err) || !rescue_look(r, err) || !threads_stand(r, err))
            return false;
        if (buffer_reaches(r->flavor->flavor, r->status.applied, r->held))
            return true;
        if (r->source) {
            relay_source_applied(r->source, r->status.applied);
            if (relay_source_failed(r->source, err))
                return false;
        }
        if (!goes_on(r, &c, err))
            return false;
        rescue_report(r);
    }
}

static bool by_channel(Rescue *r, Err *err)
{
    Err why;
    bool ok = connect_channel(r, err) && start(r, err) && watch(r, err);
    /* Also after a failure: its threads would go on without eyes. */
    if (!rescue_channel_clear(r->db, ok ? err : &why)) {
        if (!ok)
            log_warn("the connection " REPL_PRIVATE_CHANNEL " is still there: %s", why.text);
        ok = false;
    }
    relay_source_close(STEAL(r->source));
    relay_forward_close(STEAL(r->forward));
    return ok;
}

bool rescue_replay(Rescue *r, Err *err)
{
    /* One that was killed may have left its connection, and its applier may still be at work. */
    if (!threads_stand(r, err) || !rescue_channel_clear(r->db, err) || !rescue_look(r, err) ||
        !recovered_finish(r->db, r->recovered, r->status.applied, err) || !rescue_look(r, err) ||
        !read_files(r, err))
        return false;
    progress_start("transactions");
    if (!judge(r, err) || !take_position_over(r, err) || !rescue_look(r, err))
        return false;
    return (rescue_has_reached(r) || by_channel(r, err)) && rescue_look(r, err) && threads_stand(r, err);
}
