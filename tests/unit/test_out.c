/* SPDX-License-Identifier: Apache-2.0
 * What people read: sizes, bars, findings, the status screen.
 */
#include "test.h"

#include <time.h>

#include "common/file/json.h"
#include "common/wire/finding.h"
#include "orchestrator/cli/findings.h"
#include "orchestrator/cli/out.h"
#include "orchestrator/cli/result_verify.h"
#include "orchestrator/cli/view.h"

static const int64_t now = 1795466220000; /* 2026-11-23T20:37:00Z */

static void sizes_and_counts(void **state)
{
    (void)state;
    static const struct {
        int64_t n;
        const char *size, *count;
    } rows[] = {
        {0, "0 B", "0"},
        {734, "734 B", "734"},
        {1023, "1023 B", "1023"},
        {1536, "1.5 KiB", "1536"},
        {123456, "120.6 KiB", "123.5 k"},
        {1LL << 40, "1.0 TiB", "1099.5 G"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        char text[OUT_TEXT];
        out_size(rows[i].n, text);
        assert_string_equal(text, rows[i].size);
        out_count(rows[i].n, text);
        assert_string_equal(text, rows[i].count);
    }
}

static void bars(void **state)
{
    (void)state;
    static const struct {
        int64_t done, total;
        const char *text;
    } rows[] = {
        {0, 10, "[..........]   0%"},  {5, 10, "[#####.....]  50%"},  {10, 10, "[##########] 100%"},
        {15, 10, "[##########] 100%"}, {-1, 10, "[..........]   0%"}, {13, 0, "[...#......]    ?"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        AUTO(str_done) Str out = STR_INIT;
        out_bar(rows[i].done, rows[i].total, 10, &out);
        assert_string_equal(out.p, rows[i].text);
    }
}

static void progress_of(CoordRunState state, const char *note, const char *want)
{
    AUTO(str_done) Str out = STR_INIT;
    Run r = {.state = state,
             .note = (char *)note,
             .frozen_at = now - 10000,
             .progress = {.done = 250000, .total = 1000000, .unit = (char *)"rows"},
             .replay = {.backlog_trx = 12000, .backlog_bytes = 8200000, .rate = 4000, .eta_s = 3}};
    view_progress(&r, now, &out);
    assert_string_equal(str_z(&out), want);
}

static void progress_has_rate_and_eta(void **state)
{
    (void)state;
    progress_of(CRUN_RUNNING, NULL,
                "[######..................]  25%  250.0 k of 1.0 M rows, 25.0 k/s, ETA 30.0 s");
    progress_of(CRUN_RESUMING, NULL, "12.0 k transactions (7.8 MiB) to replay, 4000/s, ETA 3.0 s");
    progress_of(CRUN_PAUSING, NULL, "");
    progress_of(CRUN_PAUSING, "waits for the applier", "waits for the applier");
    progress_of(CRUN_DONE, NULL, "");
}

static void fill_of(const FillState *f, const char *want)
{
    AUTO(str_done) Str out = STR_INIT;
    view_fill(f, now, &out);
    assert_string_equal(str_z(&out), want);
}

static void a_server_that_is_filled_says_how_far_it_is(void **state)
{
    (void)state;
    FillState f = {.phase = FILL_CHECKING, .moved_at = now - 9999, .eta_s = -1};
    fill_of(&f, "checking");
    f.moved_at = now - 10000;
    fill_of(&f, "checking; no further for 10.0 s");
    f = (FillState){.phase = FILL_DUMPING,
                    .done = 25 << 20,
                    .total = 100 << 20,
                    .moved_at = now,
                    .note = (char *)"shop.t, 1200 rows in all",
                    .rate = 5 << 20,
                    .eta_s = 15};
    fill_of(&f, "dumping 25.0 MiB of 100.0 MiB or so, 25%, 5.0 MiB/s, ETA 15.0 s (shop.t, 1200 rows in all)");
    f.rate = 0; /* not known yet */
    fill_of(&f, "dumping 25.0 MiB of 100.0 MiB or so, 25% (shop.t, 1200 rows in all)");
    f.phase = FILL_RESTORING;
    f.done = f.total + 1;
    f.rate = 1 << 20;
    f.eta_s = -1;
    f.note = NULL;
    f.moved_at = now - 200000;
    fill_of(&f, "restoring 100.0 MiB of 100.0 MiB, 100%, 1.0 MiB/s; no further for 3 min 20 s");
    f.phase = FILL_FILLED;
    fill_of(&f, "");
}

static const char status_text[] =
    "{\"version\":\"0.1.0\",\"cluster_name\":\"sandbox\",\"term\":1,\"primary\":\"db0\","
    "\"started_at\":\"2026-11-23T20:36:00Z\",\"database\":{\"ok\":false,\"error\":\"no route\"},"
    "\"warnings\":[\"semi-sync has one acknowledger\"],\"nodes\":["
    "{\"name\":\"db0\",\"role\":\"primary\",\"state\":\"serving\",\"lag_trx\":0,\"lag_ms\":0,\"agent\":"
    "{\"node\":\"db0\",\"server\":{\"is_replica\":false,\"binlog\":\"0-1-9\"}}},"
    "{\"name\":\"db1\",\"role\":\"replica\",\"state\":\"paused\",\"lag_trx\":12,\"lag_ms\":850,\"agent\":"
    "{\"node\":\"db1\",\"server\":{\"is_replica\":true,\"applied\":\"0-1-7\"},\"lease\":{\"owner\":\"12.1\","
    "\"phase\":\"frozen\",\"expires_at\":\"2026-11-23T21:37:00Z\"},\"warnings\":[\"disk is at 90%\"]}},"
    "{\"name\":\"db2\",\"role\":\"replica\",\"state\":\"unreachable\",\"lag_trx\":-1,\"lag_ms\":-1,"
    "\"agent_error\":\"cannot reach http://127.0.0.1:1: Connection refused\"}],"
    "\"tasks\":[{\"id\":12,\"name\":\"catalogue\",\"kind\":\"index\",\"state\":\"running\",\"priority\":0,"
    "\"runs\":[{\"id\":\"12.1\",\"state\":\"running\",\"nodes\":[\"db1\"],\"progress\":{\"done\":0,\"total\":"
    "0}}]},"
    "{\"id\":13,\"name\":\"dump\",\"kind\":\"dump\",\"state\":\"waiting\",\"priority\":5,\"user\":\"ann\","
    "\"run_at\":\"2026-11-23T20:30:00Z\",\"why\":\"no replica is free: db1 is paused\",\"runs\":[]}]}";

static void the_status_screen(void **state)
{
    (void)state;
    Err err;
    AUTOJSON json_t *j = NULL;
    AUTO(str_done) Str out = STR_INIT;
    assert_ok(json_parse(status_text, strlen(status_text), &j, &err), err);
    assert_ok(view_status(j, NULL, now, 100, &out, &err), err);
    assert_string_equal(
        out.p,
        "cluster sandbox, term 1, primary db0; sidingd 0.1.0 up 60.0 s, database NOT usable\n"
        "warning: semi-sync has one acknowledger\n"
        "\n"
        "NODE  ROLE     STATE        LAG             POSITION  LEASE\n"
        "db0   primary  serving                      0-1-9\n"
        "db1   replica  paused       12 trx, 850 ms  0-1-7     12.1 frozen, 60 min 00 s left\n"
        "db2   replica  unreachable  ?               -         cannot reach http://127.0.0.1:1: Connection\n"
        "                                                      refused\n"
        "\n"
        "RUN   JOB        STATE    ON   PROGRESS\n"
        "12.1  catalogue  running  db1\n"
        "\n"
        "ID  NAME  KIND  PRI  USER  RUNTIME              STATE    REMARK\n"
        "13  dump  dump    5  ann   2026-11-23 20:30:00  waiting  no replica is free: db1 is paused\n");
}

static void findings(void **state)
{
    (void)state;
    Err err;
    AUTOJSON json_t *j = NULL;
    AUTO(findings_done) Findings f = FINDINGS_INIT;
    AUTO(str_done) Str out = STR_INIT;
    const char *agents =
        "[{\"ok\":false,\"name\":\"gtid_strict_mode\",\"text\":\"is OFF\","
        "\"mend\":\"SET GLOBAL gtid_strict_mode=ON\"},{\"ok\":true,\"name\":\"binlog_format\","
        "\"text\":\"ROW\"},{\"level\":\"warning\",\"node\":\"db2\",\"name\":\"lag\",\"text\":\"3 s\"}]";
    findings_add(&f, NULL, "configuration", "ok", "/etc/x", "nothing");
    assert_ok(json_parse(agents, strlen(agents), &j, &err), err);
    assert_ok(findings_add_json(&f, j, "db1", NULL, &err), err);
    finding_write(&f.list, true, &out);
    assert_string_equal(out.p, "ok       configuration: /etc/x\n"
                               "ok       db1: binlog_format: ROW\n"
                               "warning  db2: lag: 3 s\n"
                               "error    db1: gtid_strict_mode: is OFF\n"
                               "         mend: SET GLOBAL gtid_strict_mode=ON\n"
                               "4 checks: 1 error, 1 warning, 2 ok\n");
    str_clear(&out);
    finding_write(&f.list, false, &out);
    assert_string_equal(out.p, "warning  db2: lag: 3 s\n"
                               "error    db1: gtid_strict_mode: is OFF\n"
                               "         mend: SET GLOBAL gtid_strict_mode=ON\n"
                               "4 checks: 1 error, 1 warning, 2 ok (--all lists them)\n");
}

static void checksum_lists(void **state)
{
    (void)state;
#define SUM "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    static const char *const bad[] = {
        SUM " x\n", SUM "  /a/b\n", SUM "  ../x\n", SUM "  a/../../x\n", "e3b0  x\n", SUM "  \n", "\n"};
    Err err;
    AUTO(strlist_done) StrList sums = STRLIST_INIT;
    AUTO(strlist_done) StrList names = STRLIST_INIT;
    assert_ok(verify_parse_sums(SUM "  a.tsv.gz\n" SUM " *b/c d\n", &sums, &names, &err), err);
    assert_int_equal(names.n, 2);
    assert_string_equal(names.v[0], "a.tsv.gz");
    assert_string_equal(names.v[1], "b/c d");
    assert_string_equal(sums.v[1], SUM);
    for (size_t i = 0; i < COUNT(bad); i++)
        assert_false(verify_parse_sums(bad[i], &sums, &names, &err));
}

int main(void)
{
    setenv("TZ", "UTC", 1);
    tzset();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_and_counts),
        cmocka_unit_test(bars),
        cmocka_unit_test(progress_has_rate_and_eta),
        cmocka_unit_test(a_server_that_is_filled_says_how_far_it_is),
        cmocka_unit_test(the_status_screen),
        cmocka_unit_test(findings),
        cmocka_unit_test(checksum_lists),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
