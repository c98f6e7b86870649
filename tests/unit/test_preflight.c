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
                        .bytes_per_s = 100000,
                        .rate_known = true,
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
    f->bytes_per_s = 1e6;
}
static void not_measured(PreflightFacts *f)
{
    f->bytes_per_s = 0, f->rate_known = false;
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
        {nothing, "relay_disk", "ok", "100000 bytes/s arrive", NULL},
        {nothing, "apply_rate", "ok", "3000 transactions/s", NULL},
        {downstream, "downstream", "error", "2 connections read", "allow_downstream = true"},
        {downstream_allowed, "downstream", "warning", "stand still with it", "allow_downstream"},
        {delayed, "delay", "error", "3600 s", "allow_delayed = true"},
        {delayed_allowed, "delay", "warning", "3600 s", "allow_delayed"},
        {xa, "xa_prepared", "error", "1 XA transactions", "XA RECOVER"},
        {each_event, "sync_relay_log", "warning", "each event is synced", "SET GLOBAL sync_relay_log"},
        {fast_primary, "relay_disk", "warning", "lasts for 31 min 40 s, the longest pause is 60 min 00 s",
         "relay_limit_bytes"},
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
        cmocka_unit_test(findings),
        cmocka_unit_test(a_primary),
        cmocka_unit_test(keyless_changes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
