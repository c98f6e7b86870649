/* SPDX-License-Identifier: Apache-2.0
 * What speaks against a pause: other servers, disks and rates; and which keyless tables are being changed.
 */
#include "test.h"

#include "common/db/servercheck.h"
#include "replica-agent/core/keyless.h"
#include "replica-agent/core/preflight.h"

enum { MB = 1000000 };

static PreflightFacts good(void)
{
    PreflightFacts f = {.is_replica = true,
                        .sync_relay_log = xstrdup("10000"),
                        .relay_dir = xstrdup("/var/lib/mysql"),
                        .relay_free = 2000 * (int64_t)MB,
                        .free_bytes = 100 * MB,
                        .pause_limit_ms = 3600000,
                        .coming = 360 * MB,
                        .coming_known = true,
                        .apply_rate = 3000};
    return f;
}

static void downstream(PreflightFacts *f)
{
    f->log_readers = 2;
}
static void downstream_allowed(PreflightFacts *f)
{
    f->log_readers = 2, f->allow_downstream = true;
}
static void delayed(PreflightFacts *f)
{
    f->delay_s = 3600;
}
static void delayed_allowed(PreflightFacts *f)
{
    f->delay_s = 3600, f->allow_delayed = true;
}
static void xa(PreflightFacts *f)
{
    f->xa_prepared = 1;
}
static void each_event(PreflightFacts *f)
{
    f->sync_relay_log[1] = 0;
}
static void fast_primary(PreflightFacts *f)
{
    f->coming = 3600 * (int64_t)MB;
}
static void not_measured(PreflightFacts *f)
{
    f->coming = 3600 * (int64_t)MB, f->coming_known = false;
}
static void no_room(PreflightFacts *f)
{
    f->relay_free = 99 * MB;
}
static void unknown_disk(PreflightFacts *f)
{
    f->relay_free = -1;
}
static void no_rate(PreflightFacts *f)
{
    f->apply_rate = 0, f->wants_catchup_estimate = true;
}
static void keyless(PreflightFacts *f)
{
    strlist_add(&f->keyless_changed, "app.log"), f->keyless_changed_count = 3;
}
static void nothing(PreflightFacts *f)
{
    (void)f;
}

static const Finding *named(const WireList *l, const char *name)
{
    const Finding *f = l->v;
    for (size_t i = 0; i < l->n; i++)
        if (str_eq(f[i].name, name))
            return &f[i];
    return NULL;
}

static void findings(void **state)
{
    (void)state;
    static const struct {
        void (*change)(PreflightFacts *f);
        const char *name, *level, *text, *mend;
    } rows[] = {
        {nothing, "downstream", "ok", "no server replicates", NULL},
        {nothing, "relay_disk", "ok", "the longest pause, about 360000000 may arrive", NULL},
        {nothing, "apply_rate", "ok", "3000 transactions/s", NULL},
        {downstream, "downstream", "error", "2 connections read", "allow_downstream = true"},
        {downstream_allowed, "downstream", "warning", "stand still with it", "allow_downstream"},
        {delayed, "delay", "error", "3600 s", "allow_delayed = true"},
        {delayed_allowed, "delay", "warning", "3600 s", "allow_delayed"},
        {xa, "xa_prepared", "error", "1 XA transactions", "XA RECOVER"},
        {each_event, "sync_relay_log", "warning", "each event is synced", "SET GLOBAL sync_relay_log"},
        {fast_primary, "relay_disk", "warning",
         "lasts for about 31 min 40 s, the longest pause is 60 min 00 s", "relay_limit_bytes"},
        {not_measured, "relay_disk", "ok", "2000000000 bytes free", NULL},
        {no_room, "relay_disk", "error", "99000000 bytes free, 100000000 must stay free", "make room"},
        {unknown_disk, "relay_disk", "warning", "cannot be watched", "relay_log_dir"},
        {no_rate, "apply_rate", "warning", "has not been measured", "one short job"},
        {keyless, "keyless_changes", "warning", "3 tables without a key have changed lately (app.log, …)",
         "ADD PRIMARY KEY"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        PreflightFacts f = good();
        WireList l = {0};
        rows[i].change(&f);
        preflight_judge(&f, &l);
        const Finding *x = named(&l, rows[i].name);
        if (!x || !str_eq(x->level, rows[i].level) || !strstr(x->text, rows[i].text) ||
            (rows[i].mend && (!x->mend || !strstr(x->mend, rows[i].mend))))
            fail_msg("%s %s: %s %s, mend %s", rows[i].name, rows[i].level, x ? x->level : "-",
                     x ? x->text : "-", x && x->mend ? x->mend : "-");
        Err err;
        assert_int_equal(preflight_allows(&l, &err), !str_eq(rows[i].level, "error"));
        servercheck_free(&l);
        preflight_facts_done(&f);
    }
}

/* ---- under a lease --------------------------------------------------------------------------------- */

static void threads(const ReplStatus *s, WireList *ret)
{
    preflight_threads(flavor_of(DB_MARIADB), s, "db1", ret);
    finding_add(ret, "sync_binlog", "warning", "SET GLOBAL sync_binlog=1", "sync_binlog is 0");
    finding_add(ret, "flush_log", "warning", "SET GLOBAL innodb_flush_log_at_trx_commit=1", "it is 2");
    finding_add(ret, "sync_relay_log", "warning", "SET GLOBAL sync_relay_log=10000", "it is 1");
    finding_add(ret, "gtid", "error", "SET GLOBAL gtid_strict_mode=ON", "it is OFF");
}

static void what_a_lease_explains(void **state)
{
    (void)state;
    enum { APPLIER = 1, RECEIVER = 2, DURABILITY = 4, RELAY = 8 };
    static const struct {
        PauseState pause;
        bool boosted, relay;
        int explained;
        const char *words;
    } rows[] = {
        {PAUSE_NONE, true, true, 0, ""},
        {PAUSE_PAUSING, false, true, APPLIER | RELAY, "pause of run 12.1"},
        {PAUSE_FROZEN, false, false, APPLIER, "pause of run 12.1"},
        {PAUSE_FROZEN, false, true, APPLIER | RELAY, "pause of run 12.1"},
        {PAUSE_ALIGNING, false, false, APPLIER, "pause of run 12.1"},
        {PAUSE_ABANDONED, false, false, APPLIER, "pause of run 12.1"},
        {PAUSE_RESUMING, true, true, APPLIER | RECEIVER | DURABILITY | RELAY, "catch-up of run 12.1"},
        {PAUSE_RESCUING, true, false, APPLIER | RECEIVER | DURABILITY, "rescue of run 12.1"},
        {PAUSE_CATCHING_UP, true, false, APPLIER | DURABILITY, "catch-up of run 12.1"},
        {PAUSE_CATCHING_UP, false, false, APPLIER, "catch-up of run 12.1"},
        {PAUSE_RESTORING, true, false, APPLIER | DURABILITY, "catch-up of run 12.1"},
    };
    static const struct {
        const char *name;
        int bit;
    } names[] = {{"applier_stopped", APPLIER}, {"receiver_stopped", RECEIVER}, {"sync_binlog", DURABILITY},
                 {"flush_log", DURABILITY},    {"sync_relay_log", RELAY},      {"gtid", 0}};
    ReplStatus s = {.is_replica = true, .io = REPL_IO_NO};
    for (size_t i = 0; i < COUNT(rows); i++) {
        WireList l = {0};
        Lease lease = {.owner = (char *)"12.1",
                       .boosted = rows[i].boosted,
                       .original = {.sync_relay = (char *)(rows[i].relay ? "10000" : "1")}};
        PreflightLease of;
        threads(&s, &l);
        preflight_lease_read(&lease, rows[i].pause, &of);
        preflight_explain(&of, &l);
        for (size_t k = 0; k < COUNT(names); k++) {
            const Finding *f = named(&l, names[k].name);
            bool explained = rows[i].explained & names[k].bit;
            if (explained != str_eq(f->level, "ok") || explained != !f->mend ||
                (explained && !strstr(f->text, rows[i].words)))
                fail_msg("row %zu, %s: %s %s, mend %s", i, f->name, f->level, f->text, f->mend);
        }
        preflight_lease_done(&of);
        servercheck_free(&l);
    }
}

/* A START by hand with both threads stopped throws away what was received: none is printed then. */
static void no_mend_is_a_purge(void **state)
{
    (void)state;
    static const struct {
        ReplIo io;
        bool sql;
        int64_t code;
        const char *name, *mend;
    } rows[] = {
        {REPL_IO_YES, false, 0, "applier_stopped", "START SLAVE SQL_THREAD"},
        {REPL_IO_CONNECTING, false, 0, "applier_stopped", "START SLAVE SQL_THREAD"},
        {REPL_IO_NO, false, 0, "applier_stopped", "siding replica resume db1"},
        {REPL_IO_NO, false, 0, "receiver_stopped", "siding replica resume db1"},
        {REPL_IO_NO, true, 0, "receiver_stopped", "START SLAVE IO_THREAD"},
        {REPL_IO_YES, false, 1950, "applier_failed", "errant transactions); then siding replica resume db1"},
        {REPL_IO_NO, false, 1062, "applier_failed", "remove it with SET SESSION sql_log_bin=0"},
        {REPL_IO_YES, false, 1032, "applier_failed", "bring it in with SET SESSION sql_log_bin=0"},
        {REPL_IO_YES, false, 1590, "applier_failed", "sql_slave_skip_counter=1"},
        {REPL_IO_YES, false, 1205, "applier_failed", "end what holds the lock"},
        {REPL_IO_YES, false, 1666, "applier_failed", "SET GLOBAL binlog_format=ROW"},
        {REPL_IO_YES, false, 1050, "applier_failed", "somebody created it on this replica"},
        {REPL_IO_YES, false, 1594, "applier_failed", "the relay files are read by GTID"},
        {REPL_IO_YES, false, 4711, "applier_failed", "provision the replica anew"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        WireList l = {0};
        ReplStatus s = {
            .is_replica = true, .io = rows[i].io, .sql_running = rows[i].sql, .sql_errno = rows[i].code};
        preflight_threads(flavor_of(DB_MARIADB), &s, "db1", &l);
        const Finding *f = named(&l, rows[i].name);
        if (!f || !strstr(f->mend, rows[i].mend))
            fail_msg("row %zu: %s", i, f ? f->mend : "nothing");
        assert_string_equal(f->level, "error");
        if (s.sql_errno)
            assert_null(named(&l, "applier_stopped"));
        servercheck_free(&l);
    }
}

static void a_primary(void **state)
{
    (void)state;
    static const struct {
        bool semi_sync;
        int64_t acks, expire_s;
        const char *name, *level, *text;
    } rows[] = {
        {true, 2, 0, "semi_sync_acks", "ok", "2 replicas acknowledge"},
        {true, 1, 0, "semi_sync_acks", "warning", "in its relay logs alone"},
        {true, 0, 0, "semi_sync_acks", "error", "no replica acknowledges"},
        {false, 2, 0, "semi_sync_acks", "ok", "semi-sync is off"},
        {false, 2, 0, "purge_horizon", "ok", "are kept"},
        {false, 2, 3600, "purge_horizon", "ok", "are kept for 3600 s"},
        {false, 2, 3599, "purge_horizon", "warning", "purged after 3599 s, the longest pause is 3600 s"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        PreflightFacts f = good();
        WireList l = {0};
        f.is_replica = false;
        f.log_readers = 5; /* its replicas */
        f.semi_sync_on = rows[i].semi_sync;
        f.semi_sync_acks = rows[i].acks;
        f.log_expire_s = rows[i].expire_s;
        preflight_judge(&f, &l);
        const Finding *x = named(&l, rows[i].name);
        assert_non_null(x);
        assert_string_equal(x->level, rows[i].level);
        assert_non_null(strstr(x->text, rows[i].text));
        assert_null(named(&l, "downstream"));
        servercheck_free(&l);
        preflight_facts_done(&f);
    }
}

static void sample(Keyless *k, int64_t at, int64_t a, int64_t b)
{
    keyless_begin(k);
    if (a >= 0)
        keyless_add(k, "t.a", 10, a, at);
    if (b >= 0)
        keyless_add(k, "t.b", 900, b, at);
    keyless_end(k);
}

static void keyless_changes(void **state)
{
    (void)state;
    Keyless k = {0};
    AUTO(strlist_done) StrList names = STRLIST_INIT;
    sample(&k, 1000, 0, 0);
    assert_int_equal(keyless_changed(&k, 0, 5, &names), 0);
    sample(&k, 2000, 0, 7); /* b is written to */
    assert_int_equal(keyless_changed(&k, 1500, 5, &names), 1);
    assert_string_equal(names.v[0], "t.b");
    strlist_done(&names);
    sample(&k, 3000, 4, 7); /* now a; b rests */
    assert_int_equal(keyless_changed(&k, 2500, 5, &names), 1);
    assert_string_equal(names.v[0], "t.a");
    strlist_done(&names);
    assert_int_equal(keyless_changed(&k, 1500, 1, &names), 2);
    assert_int_equal(names.n, 1);
    assert_string_equal(names.v[0], "t.b"); /* the larger one */
    strlist_done(&names);
    sample(&k, 4000, 4, 0); /* statistics were made anew: no change */
    assert_int_equal(keyless_changed(&k, 3500, 5, &names), 0);
    sample(&k, 5000, 4, -1); /* b got a key */
    assert_int_equal(keyless_changed(&k, 0, 5, &names), 1);
    keyless_done(&k);
    sample(&k, 1000, 3, 0); /* at first sight: changed since its statistics were made */
    strlist_done(&names);
    assert_int_equal(keyless_changed(&k, 1000, 5, &names), 1);
    keyless_done(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(findings),           cmocka_unit_test(what_a_lease_explains),
        cmocka_unit_test(no_mend_is_a_purge), cmocka_unit_test(a_primary),
        cmocka_unit_test(keyless_changes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
