/* SPDX-License-Identifier: Apache-2.0 */
#include "preflight.h"

#include "applier_error.h"
#include "common/base/clock.h"
#include "common/db/servercheck.h"

/* The receiver runs: starting the applier alone throws nothing away. With both threads stopped a START by
 * hand would, so that Siding does it. */
static void judge_applier(const Flavor *f, const ReplStatus *s, const char *resume, const char *node,
                          WireList *ret)
{
    AUTOFREE char *advice = s->sql_errno ? applier_advice(s->sql_errno, node) : NULL;
    if (s->sql_running)
        return;
    if (advice)
        finding_add(ret, "applier_failed", "error", advice, "the applier failed with error %lld: %s",
                    (long long)s->sql_errno, s->sql_error ? s->sql_error : "");
    else
        finding_add(ret, "applier_stopped", "error", s->io == REPL_IO_NO ? resume : f->start_sql,
                    "the applier is stopped and Siding did not stop it");
}

static void judge_receiver(const Flavor *f, const ReplStatus *s, const char *resume, WireList *ret)
{
    const char *between = s->io_error && *s->io_error ? ": " : "", *why = *between ? s->io_error : "";
    if (s->io == REPL_IO_NO)
        finding_add(ret, "receiver_stopped", "error", s->sql_running ? f->start_receiver : resume,
                    "the receiver is stopped%s%s: nothing would be buffered", between, why);
    else if (s->io == REPL_IO_CONNECTING)
        finding_add(ret, "receiver_connecting", "warning", "look at the source and the network",
                    "the receiver is not connected to %s:%lld%s%s", s->source_host, (long long)s->source_port,
                    between, why);
}

void preflight_threads(const Flavor *f, const ReplStatus *s, const char *node, WireList *ret)
{
    AUTOFREE char *resume = xasprintf("siding replica resume %s", node);
    if (!s->is_replica)
        return;
    judge_applier(f, s, resume, node, ret);
    judge_receiver(f, s, resume, ret);
}

/* ---- what a lease explains ------------------------------------------------------------------------- */

void preflight_lease_read(const Lease *l, PauseState pause, PreflightLease *ret)
{
    *ret = (PreflightLease){.pause = pause,
                            .owner = xstrdup(l->owner),
                            .boosted = l->boosted,
                            .sync_relay = l->original.sync_relay && !str_eq(l->original.sync_relay, "1")};
}

void preflight_lease_done(PreflightLease *l)
{
    free(l->owner);
    *l = (PreflightLease){0};
}

/* Whether the lease is what makes a finding so, and how; NULL: it is not. An applier that failed has failed
 * under a lease as well, and a receiver that stops while nothing is applied is nobody's wish. */
static const char *explanation(const PreflightLease *l, const char *name)
{
    bool at_rest = l->pause == PAUSE_RESUMING || l->pause == PAUSE_RESCUING;
    if (str_eq(name, "applier_stopped"))
        return "the applier stands";
    if (str_eq(name, "receiver_stopped") && at_rest)
        return "the receiver is started after what the relay files hold is applied";
    if (l->boosted && (str_eq(name, "sync_binlog") || str_eq(name, "flush_log")))
        return "durability is relaxed while it catches up, and put back then";
    if (l->sync_relay && str_eq(name, "sync_relay_log"))
        return "each event is synced, and no more after it";
    return NULL;
}

static const char *word_of(PauseState p)
{
    return p == PAUSE_RESCUING ? "rescue" : p < PAUSE_RESUMING ? "pause" : "catch-up";
}

void preflight_explain(const PreflightLease *l, WireList *findings)
{
    Finding *f = findings->v;
    for (size_t i = 0; l->pause != PAUSE_NONE && i < findings->n; i++) {
        const char *why = str_eq(f[i].level, "ok") ? NULL : explanation(l, f[i].name);
        if (!why)
            continue;
        bool manual = str_eq(l->owner, LEASE_MANUAL), rescue = str_eq(l->owner, LEASE_RESCUE);
        free(f[i].level);
        free(f[i].text);
        free(STEAL(f[i].mend));
        f[i].level = xstrdup("ok");
        f[i].text = xasprintf("%s: %s %s%.*s", why, word_of(l->pause),
                              manual   ? "by hand"
                              : rescue ? "after a restart"
                                       : "of run ",
                              RUN_TEXT(manual || rescue ? "" : l->owner));
    }
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
        finding_add(
            ret, "downstream", f->allow_downstream ? "warning" : "error",
            "take another replica, point the others at the primary, or set allow_downstream = true in "
            "agent.conf",
            "%lld connections read this replica's binary log: replicas behind it would stand still with it",
            (long long)f->log_readers);
    else
        finding_add(ret, "downstream", "ok", NULL, "no server replicates from this replica");
    if (f->delay_s > 0)
        finding_add(ret, "delay", f->allow_delayed ? "warning" : "error",
                    "take another replica, or set allow_delayed = true in agent.conf",
                    "the replica is delayed by %lld s on purpose", (long long)f->delay_s);
    if (f->xa_prepared > 0)
        finding_add(ret, "xa_prepared", "error", "commit or roll back what XA RECOVER shows on the primary",
                    "%lld XA transactions are prepared: their rows stay locked while the replica is paused",
                    (long long)f->xa_prepared);
}

static void judge_relay_log(const PreflightFacts *f, WireList *ret)
{
    bool each = str_eq(f->sync_relay_log, "1");
    finding_add(ret, "sync_relay_log", each ? "warning" : "ok", "SET GLOBAL sync_relay_log=10000",
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
        finding_add(ret, "relay_disk", "warning", "set relay_log_dir in agent.conf",
                    "the disk of the relay logs is not known: it cannot be watched during a pause");
        return;
    }
    int64_t room = f->relay_free - f->free_bytes;
    if (room <= 0) {
        finding_add(ret, "relay_disk", "error", mend, "%s has %lld bytes free, %lld must stay free",
                    f->relay_dir, (long long)f->relay_free, (long long)f->free_bytes);
        return;
    }
    clock_format_duration(f->pause_limit_ms, longest);
    if (!f->coming_known || f->coming <= room) {
        finding_add(ret, "relay_disk", "ok", NULL,
                    "%s has %lld bytes free, within %s, the longest pause, about %lld may arrive",
                    f->relay_dir, (long long)f->relay_free, longest,
                    (long long)(f->coming_known ? f->coming : 0));
        return;
    }
    clock_format_duration((int64_t)((double)room * (double)f->pause_limit_ms / (double)f->coming), lasts);
    finding_add(ret, "relay_disk", "warning", mend,
                "as the primary writes, the disk of the relay logs (%s, %lld bytes free) lasts for about "
                "%s, the longest "
                "pause is %s: a job would be ended before",
                f->relay_dir, (long long)f->relay_free, lasts, longest);
}

static void judge_rates(const PreflightFacts *f, WireList *ret)
{
    if (f->apply_rate > 0)
        finding_add(ret, "apply_rate", "ok", NULL, "%.0f transactions/s in the last catch-up", f->apply_rate);
    else if (f->wants_catchup_estimate)
        finding_add(
            ret, "apply_rate", "warning", "let one short job run: its catch-up is measured",
            "how fast this replica catches up has not been measured yet: catchup_limit cannot be kept");
}

static void judge_keyless_changes(const PreflightFacts *f, WireList *ret)
{
    if (f->keyless_changed_count <= 0) {
        if (f->keyless_changed_count == 0)
            finding_add(ret, "keyless_changes", "ok", NULL, "no table without a key has changed lately");
        return;
    }
    AUTO(str_done) Str names = STR_INIT;
    for (size_t i = 0; i < f->keyless_changed.n; i++)
        str_addf(&names, "%s%s", i ? ", " : "", f->keyless_changed.v[i]);
    finding_add(
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
        finding_add(ret, name, "ok", NULL, "semi-sync is off: no commit waits for a replica");
    else if (f->semi_sync_acks == 0)
        finding_add(ret, name, "error", look,
                    "semi-sync is on and no replica acknowledges: commits wait for its timeout");
    else if (f->semi_sync_acks == 1)
        finding_add(ret, name, "warning", "let a second replica acknowledge",
                    "one replica acknowledges: while it is paused, what it acknowledges is in its relay logs "
                    "alone");
    else
        finding_add(ret, name, "ok", NULL, "%lld replicas acknowledge", (long long)f->semi_sync_acks);
}

static void judge_primary(const PreflightFacts *f, WireList *ret)
{
    judge_semi_sync(f, ret);
    if (f->log_expire_s < 0)
        return;
    int64_t needed = f->pause_limit_ms / 1000;
    AUTOFREE char *mend = xasprintf("SET GLOBAL binlog_expire_logs_seconds=%lld", (long long)needed);
    if (f->log_expire_s && f->log_expire_s < needed)
        finding_add(
            ret, "purge_horizon", "warning", mend,
            "binary logs are purged after %lld s, the longest pause is %lld s: raised while a replica is "
            "paused, and put back",
            (long long)f->log_expire_s, (long long)needed);
    else
        finding_add(ret, "purge_horizon", "ok", NULL,
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
