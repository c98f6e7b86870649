/* SPDX-License-Identifier: Apache-2.0 */
#include "preflight.h"

#include <stdarg.h>
#include <stdio.h>

#include "common/base/clock.h"
#include "common/db/servercheck.h"

void preflight_add(WireList *findings, const char *name, const char *level, const char *mend, const char *fmt,
                   ...)
{
    Finding *f = wire_list_add(findings, sizeof *f);
    f->name = xstrdup(name);
    f->level = xstrdup(level);
    f->mend = xstrdup(mend);
    va_list ap;
    va_start(ap, fmt);
    f->text = xvasprintf(fmt, ap);
    va_end(ap);
}

void preflight_threads(const Flavor *f, const ReplStatus *s, WireList *ret)
{
    if (!s->is_replica)
        return;
    if (!s->sql_running)
        preflight_add(ret, "applier_stopped", "error", f->start_sql,
                      "the applier is stopped and Siding did not stop it%s%s",
                      s->sql_error && *s->sql_error ? ": " : "", s->sql_error ? s->sql_error : "");
    if (s->io == REPL_IO_NO)
        preflight_add(ret, "receiver_stopped", "error", f->start_both,
                      "the receiver is stopped%s%s: nothing would be buffered",
                      s->io_error && *s->io_error ? ": " : "", s->io_error ? s->io_error : "");
    else if (s->io == REPL_IO_CONNECTING)
        preflight_add(ret, "receiver_connecting", "warning", "look at the source and the network",
                      "the receiver is not connected to %s:%lld%s%s", s->source_host,
                      (long long)s->source_port, s->io_error && *s->io_error ? ": " : "",
                      s->io_error ? s->io_error : "");
}

/* ---- other servers, disks, rates ------------------------------------------------------------------- */

void preflight_facts_done(PreflightFacts *f)
{
    free(f->sync_relay_log);
    free(f->relay_dir);
    strlist_done(&f->keyless_changed);
    keyless_done(&f->tables);
    *f = (PreflightFacts){0};
}

void preflight_facts_copy(PreflightFacts *to, const PreflightFacts *from)
{
    *to = *from;
    to->sync_relay_log = xstrdup(from->sync_relay_log);
    to->relay_dir = xstrdup(from->relay_dir);
    to->keyless_changed = (StrList)STRLIST_INIT;
    strlist_add_all(&to->keyless_changed, &from->keyless_changed);
    keyless_copy(&to->tables, &from->tables);
}

static void judge_others(const PreflightFacts *f, WireList *ret)
{
    if (f->log_readers > 0)
        preflight_add(
            ret, "downstream", f->allow_downstream ? "warning" : "error",
            "take another replica, point the others at the primary, or set allow_downstream = true in "
            "agent.conf",
            "%lld connections read this replica's binary log: replicas behind it would stand still with it",
            (long long)f->log_readers);
    else
        preflight_add(ret, "downstream", "ok", NULL, "no server replicates from this replica");
    if (f->delay_s > 0)
        preflight_add(ret, "delay", f->allow_delayed ? "warning" : "error",
                      "take another replica, set its delay to 0, or set allow_delayed = true in agent.conf",
                      "the replica is delayed by %lld s on purpose", (long long)f->delay_s);
    if (f->xa_prepared > 0)
        preflight_add(ret, "xa_prepared", "error", "commit or roll back what XA RECOVER shows on the primary",
                      "%lld XA transactions are prepared: their rows stay locked while the replica is paused",
                      (long long)f->xa_prepared);
}

static void judge_relay_log(const PreflightFacts *f, WireList *ret)
{
    bool each = str_eq(f->sync_relay_log, "1");
    preflight_add(ret, "sync_relay_log", each ? "warning" : "ok", "SET GLOBAL sync_relay_log=10000",
                  each ? "sync_relay_log is %s: each event is synced, and with semi-sync every commit on the "
                         "primary waits for it"
                       : "sync_relay_log is %s",
                  f->sync_relay_log ? f->sync_relay_log : "not known");
}

static void judge_relay_disk(const PreflightFacts *f, WireList *ret)
{
    char lasts[CLOCK_TEXT], longest[CLOCK_TEXT];
    const char *mend = "make room there, shorten pause_limit, or set relay_limit_bytes";
    if (!f->relay_dir || f->relay_free < 0) {
        preflight_add(ret, "relay_disk", "warning", "set relay_log_dir in agent.conf",
                      "the disk of the relay logs is not known: it cannot be watched during a pause");
        return;
    }
    int64_t room = f->relay_free - f->free_bytes;
    if (room <= 0) {
        preflight_add(ret, "relay_disk", "error", mend, "%s has %lld bytes free, %lld must stay free",
                      f->relay_dir, (long long)f->relay_free, (long long)f->free_bytes);
        return;
    }
    if (!f->rate_known || f->bytes_per_s * (double)f->pause_limit_ms / 1000 <= (double)room) {
        preflight_add(ret, "relay_disk", "ok", NULL, "%s has %lld bytes free, %.0f bytes/s arrive",
                      f->relay_dir, (long long)f->relay_free, f->bytes_per_s);
        return;
    }
    clock_format_duration((int64_t)((double)room * 1000 / f->bytes_per_s), lasts);
    clock_format_duration(f->pause_limit_ms, longest);
    preflight_add(
        ret, "relay_disk", "warning", mend,
        "at %.0f bytes/s the disk of the relay logs (%s, %lld bytes free) lasts for %s, the longest pause "
        "is %s: a job would be ended before",
        f->bytes_per_s, f->relay_dir, (long long)f->relay_free, lasts, longest);
}

static void judge_rates(const PreflightFacts *f, WireList *ret)
{
    if (f->apply_rate > 0)
        preflight_add(ret, "apply_rate", "ok", NULL, "%.0f transactions/s in the last catch-up",
                      f->apply_rate);
    else if (f->wants_catchup_estimate)
        preflight_add(
            ret, "apply_rate", "warning", "let one short job run: its catch-up is measured",
            "how fast this replica catches up has not been measured yet: catchup_limit cannot be kept");
}

static void judge_keyless_changes(const PreflightFacts *f, WireList *ret)
{
    if (f->keyless_changed_count <= 0) {
        if (f->keyless_changed_count == 0)
            preflight_add(ret, "keyless_changes", "ok", NULL, "no table without a key has changed lately");
        return;
    }
    AUTO(str_done) Str names = STR_INIT;
    for (size_t i = 0; i < f->keyless_changed.n; i++)
        str_addf(&names, "%s%s", i ? ", " : "", f->keyless_changed.v[i]);
    preflight_add(
        ret, "keyless_changes", "warning", "ALTER TABLE … ADD PRIMARY KEY",
        "%lld tables without a key have changed lately (%s%s): each of their changed rows is replayed by a "
        "scan of the table, and catching up can take very long",
        (long long)f->keyless_changed_count, str_z(&names),
        f->keyless_changed_count > (int64_t)f->keyless_changed.n ? ", …" : "");
}

static void judge_semi_sync(const PreflightFacts *f, WireList *ret)
{
    const char *name = "semi_sync_acks", *look = "look at the replicas, or at rpl_semi_sync settings there";
    if (!f->semi_sync_on)
        preflight_add(ret, name, "ok", NULL, "semi-sync is off: no commit waits for a replica");
    else if (f->semi_sync_acks == 0)
        preflight_add(ret, name, "error", look,
                      "semi-sync is on and no replica acknowledges: commits wait for its timeout");
    else if (f->semi_sync_acks == 1)
        preflight_add(
            ret, name, "warning", "let a second replica acknowledge",
            "one replica acknowledges: while it is paused, what it acknowledges is in its relay logs "
            "alone");
    else
        preflight_add(ret, name, "ok", NULL, "%lld replicas acknowledge", (long long)f->semi_sync_acks);
}

static void judge_primary(const PreflightFacts *f, WireList *ret)
{
    judge_semi_sync(f, ret);
    if (f->log_expire_s < 0)
        return;
    int64_t needed = f->pause_limit_ms / 1000;
    if (f->log_expire_s && f->log_expire_s < needed)
        preflight_add(
            ret, "purge_horizon", "warning", "SET GLOBAL binlog_expire_logs_seconds above the longest pause",
            "binary logs are purged after %lld s, the longest pause is %lld s: raised while a replica is "
            "paused, and put back",
            (long long)f->log_expire_s, (long long)needed);
    else
        preflight_add(ret, "purge_horizon", "ok", NULL,
                      f->log_expire_s ? "binary logs are kept for %lld s" : "binary logs are kept",
                      (long long)f->log_expire_s);
}

void preflight_judge(const PreflightFacts *f, WireList *ret)
{
    if (!f->is_replica) {
        judge_primary(f, ret);
        return;
    }
    judge_others(f, ret);
    judge_relay_log(f, ret);
    judge_relay_disk(f, ret);
    judge_rates(f, ret);
    judge_keyless_changes(f, ret);
}

bool preflight_allows(const WireList *findings, Err *err)
{
    const Finding *f = servercheck_first_error(findings);
    if (!f)
        return true;
    return err_set(err, ERR_REFUSED, 0, "%s; to mend it: %s", f->text,
                   f->mend ? f->mend : "see siding check");
}
