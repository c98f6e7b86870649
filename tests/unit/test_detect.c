/* SPDX-License-Identifier: Apache-2.0
 * What is taken for the death of a primary, and what is not: tables of what each side says, and stories in
 * time.
 */
#include "orchestrator/core/detect.h"

#include "test.h"

enum { AFTER = 5000, GAP = 2500, LOOK = 500 };
static const DetectRules rules = {AFTER, GAP};

/* A cluster of a primary and two replicas as words: the agent is "up", "down", "hangs" or "-"; each replica
 * is "+" receives, "x" has lost it, "!" is refused by it, "." is not meant to receive, "-" does not answer.
 */
static DetectReading reading(DetectLogin login, const char *agent, const char *replicas)
{
    static DetectReplica v[8];
    static const char *const names[] = {"db1", "db2", "db3", "db4"};
    DetectReading r = {.login = login,
                       .agent_heard = !str_eq(agent, "-"),
                       .up = str_eq(agent, "up"),
                       .hangs = str_eq(agent, "hangs"),
                       .voters = (int)strlen(replicas) + 1,
                       .replicas = v,
                       .n = strlen(replicas)};
    r.heard = r.agent_heard;
    for (size_t i = 0; i < r.n; i++) {
        char c = replicas[i];
        v[i] = (DetectReplica){names[i], c != '-', c != '.', c == '+', c == '!'};
        r.heard += v[i].heard;
    }
    return r;
}

static void each_side_is_heard(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        DetectLogin login;
        const char *agent, *replicas;
        DetectKind kind;
    } rows[] = {
        {"all is well", DETECT_ANSWERS, "up", "++", DETECT_WELL},
        {"replicas paused or stopped by hand", DETECT_ANSWERS, "up", "..", DETECT_WELL},
        {"kill -9 of the server", DETECT_REFUSED, "down", "xx", DETECT_SERVER_DEAD},
        {"the same, one replica is stopped", DETECT_REFUSED, "down", "x.", DETECT_SERVER_DEAD},
        {"the same, no replica receives on purpose", DETECT_REFUSED, "down", "..", DETECT_SERVER_DEAD},
        {"server and agent killed, the host lives", DETECT_REFUSED, "-", "xx", DETECT_SERVER_DEAD},
        {"the host is gone", DETECT_SILENT, "-", "xx", DETECT_HOST_DEAD},
        {"the host is gone, and a replica's too", DETECT_SILENT, "-", "x-", DETECT_ALONE},
        {"the host is gone, receivers have not noticed", DETECT_SILENT, "-", "++", DETECT_UNREACHABLE_HERE},
        {"one has not noticed", DETECT_SILENT, "-", "x+", DETECT_UNREACHABLE_HERE},
        {"we are cut off from the primary", DETECT_SILENT, "up", "++", DETECT_UNREACHABLE_HERE},
        {"the same, all replicas paused by hand", DETECT_SILENT, "up", "..", DETECT_UNREACHABLE_HERE},
        {"we are cut off from all", DETECT_SILENT, "-", "--", DETECT_ALONE},
        {"we are cut off from all but one", DETECT_SILENT, "-", "-x", DETECT_ALONE},
        {"one replica alone is no majority", DETECT_SILENT, "-", "x", DETECT_ALONE},
        {"SIGSTOP: receivers stay connected", DETECT_SILENT, "hangs", "++", DETECT_HUNG},
        {"SIGSTOP: they have given up", DETECT_SILENT, "hangs", "xx", DETECT_HUNG},
        {"only its agent hangs", DETECT_ANSWERS, "hangs", "++", DETECT_WELL},
        {"it hangs for the agent, refuses a replica", DETECT_SILENT, "hangs", "!x", DETECT_UNCLEAR},
        {"down for its agent, a replica receives", DETECT_REFUSED, "down", "x+", DETECT_UNCLEAR},
        {"down for its agent, it refuses a replica", DETECT_REFUSED, "down", "x!", DETECT_UNCLEAR},
        {"up for its agent only", DETECT_SILENT, "up", "xx", DETECT_UNCLEAR},
        {"silent, and it refuses a replica", DETECT_SILENT, "-", "x!", DETECT_UNCLEAR},
        {"silent, nobody is meant to receive", DETECT_SILENT, "-", "..", DETECT_UNCLEAR},
        {"its agent has ended", DETECT_ANSWERS, "-", "++", DETECT_AGENT_DEAD},
        {"its agent has ended, and others'", DETECT_ANSWERS, "-", "--", DETECT_AGENT_DEAD},
        {"connections used up", DETECT_TOO_MANY, "up", "++", DETECT_USED_UP},
        {"the same, its agent restarted into it", DETECT_TOO_MANY, "down", "x!", DETECT_USED_UP},
        {"the same, all else is lost", DETECT_TOO_MANY, "-", "xx", DETECT_USED_UP},
        {"our password is wrong", DETECT_NOT_LET_IN, "down", "xx", DETECT_DENIED},
        {"our host is blocked", DETECT_SHUT_OUT, "down", "xx", DETECT_BLOCKED},
        {"not tried yet", DETECT_NOT_TRIED, "down", "xx", DETECT_UNCLEAR},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        Detect d = {0};
        DetectReading r = reading(rows[i].login, rows[i].agent, rows[i].replicas);
        AUTOFREE char *evidence = detect_evidence(&r);
        bool began = false;
        for (r.now_ms = LOOK; r.now_ms <= 4 * AFTER; r.now_ms += LOOK)
            began = detect_step(&d, &rules, &r);
        if (d.kind != rows[i].kind || began != detect_is_fatal(rows[i].kind))
            fail_msg("%s: %s, not %s (%s)", rows[i].what, wire_enum_name(&detect_kind_names, (int)d.kind),
                     wire_enum_name(&detect_kind_names, (int)rows[i].kind), evidence);
    }
}

/* ---- stories ---------------------------------------------------------------------------------------- */

typedef struct Story {
    Detect d;
    int64_t now_ms;
    bool began;
} Story;

static void goes_on(Story *s, DetectReading r, int64_t ms)
{
    for (int64_t until = s->now_ms + ms; s->now_ms < until;) {
        r.now_ms = s->now_ms += LOOK;
        s->began = detect_step(&s->d, &rules, &r);
    }
}

static void it_takes_its_time(void **state)
{
    (void)state;
    Story s = {0};
    DetectReading dead = reading(DETECT_REFUSED, "down", "xx");
    goes_on(&s, dead, AFTER);
    assert_false(s.began);
    goes_on(&s, dead, LOOK);
    assert_true(s.began);
}

static void a_restart_in_time_is_none(void **state)
{
    (void)state;
    Story s = {0};
    for (int i = 0; i < 4; i++) {
        goes_on(&s, reading(DETECT_REFUSED, "down", "xx"), AFTER - LOOK);
        assert_false(s.began);
        goes_on(&s, reading(DETECT_ANSWERS, "up", "xx"), LOOK);
    }
    assert_int_equal(s.d.kind, DETECT_WELL);
}

static void the_evidence_may_change_its_name(void **state)
{
    (void)state;
    Story s = {0};
    goes_on(&s, reading(DETECT_SILENT, "hangs", "++"), AFTER - LOOK);
    goes_on(&s, reading(DETECT_SILENT, "-", "xx"), LOOK);
    assert_false(s.began);
    goes_on(&s, reading(DETECT_SILENT, "-", "xx"), LOOK);
    assert_true(s.began);
    assert_int_equal(s.d.kind, DETECT_HOST_DEAD);
    assert_true(s.now_ms - s.d.since_ms < AFTER);
}

static void who_stood_still_looks_anew(void **state)
{
    (void)state;
    Story s = {0};
    goes_on(&s, reading(DETECT_SILENT, "-", "xx"), AFTER - LOOK);
    s.now_ms += 60000; /* this coordinator was stopped */
    goes_on(&s, reading(DETECT_SILENT, "-", "xx"), AFTER);
    assert_false(s.began);
    goes_on(&s, reading(DETECT_SILENT, "-", "xx"), LOOK);
    assert_true(s.began);
}

/* Since when it is so is counted from the first look that saw it, and anew after a time without looks. */
static void it_is_said_since_when(void **state)
{
    (void)state;
    Detect d = {0};
    DetectReading r = reading(DETECT_REFUSED, "down", "xx");
    r.now_ms = 1000;
    assert_false(detect_step(&d, &rules, &r));
    r.now_ms += LOOK;
    assert_false(detect_step(&d, &rules, &r));
    r.now_ms += GAP;
    assert_false(detect_step(&d, &rules, &r));
    assert_int_equal(d.since_ms, 1000);
    assert_int_equal(d.failed_ms, 1000);
    r.now_ms += GAP + 1;
    assert_false(detect_step(&d, &rules, &r));
    assert_int_equal(d.since_ms, r.now_ms);
    assert_int_equal(d.failed_ms, r.now_ms);
}

static void commits_that_wait(void **state)
{
    (void)state;
    Story s = {0};
    DetectReading r = reading(DETECT_ANSWERS, "up", "++");
    r.stuck_ms = AFTER - 1;
    r.waiting = 3;
    goes_on(&s, r, LOOK);
    assert_int_equal(s.d.kind, DETECT_WELL);
    r.stuck_ms = AFTER;
    goes_on(&s, r, LOOK);
    assert_int_equal(s.d.kind, DETECT_ACKS_LOST);
    AUTOFREE char *evidence = detect_evidence(&r);
    assert_string_equal(evidence,
                        "the coordinator is answered by its server; nothing was committed for 5 s; its agent "
                        "says that the server is up, 3 commits wait for an acknowledgement; db1 receives; "
                        "db2 receives");
    goes_on(&s, r, 3 * AFTER - LOOK);
    assert_false(s.began);
    goes_on(&s, r, LOOK);
    assert_true(s.began);
}

static void a_lock_is_no_death(void **state)
{
    (void)state;
    Story s = {0};
    DetectReading r = reading(DETECT_ANSWERS, "up", "++");
    r.stuck_ms = 100 * AFTER;
    goes_on(&s, r, 100 * AFTER);
    assert_int_equal(s.d.kind, DETECT_NO_WRITES);
    assert_false(s.began);
}

static DetectReading on_disk(DiskFault disk, int64_t disk_ms, int64_t still_ms)
{
    DetectReading r = reading(DETECT_ANSWERS, "up", "++");
    r.disk = disk;
    r.disk_folder = disk > DISK_WELL ? "/data" : NULL;
    r.disk_ms = disk_ms;
    r.still_ms = still_ms;
    return r;
}

/* Two sides: its agent cannot write there, and nothing is committed. A full one is told, and no more. */
static void a_disk_that_takes_no_writes(void **state)
{
    (void)state;
    static const struct {
        DiskFault disk;
        int64_t still_ms;
        DetectKind kind;
    } rows[] = {
        {DISK_WELL, AFTER, DETECT_WELL},           {DISK_NONE, AFTER, DETECT_WELL},
        {DISK_UNKNOWN, AFTER, DETECT_WELL}, /* what a later agent says */
        {DISK_STALLED, 1499, DETECT_WELL},  /* a busy one: commits go on */
        {DISK_STALLED, 1500, DETECT_DISK_STALLED}, {DISK_READ_ONLY, 1500, DETECT_DISK_BROKEN},
        {DISK_FAILING, 1500, DETECT_DISK_BROKEN},  {DISK_FAILING, 0, DETECT_WELL},
        {DISK_FULL, 0, DETECT_DISK_FULL},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        Story s = {0};
        goes_on(&s, on_disk(rows[i].disk, AFTER, rows[i].still_ms), 2 * AFTER);
        assert_int_equal(s.d.kind, rows[i].kind);
        assert_int_equal(s.began, detect_is_fatal(rows[i].kind));
    }
}

/* What was seen late has lasted since then, but not longer than it may have been overlooked. */
static void a_disk_is_seen_late(void **state)
{
    (void)state;
    Story s = {0};
    DetectReading r = on_disk(DISK_STALLED, 1700, 1600);
    goes_on(&s, r, LOOK);
    assert_int_equal(s.d.failed_ms, s.d.looked_ms - 1600);
    Story long_ago = {0};
    Story broken = {0};
    goes_on(&broken, on_disk(DISK_READ_ONLY, 1700, 1600), LOOK);
    assert_int_equal(broken.d.failed_ms, broken.d.looked_ms - 1600);
    Story dead = {0}; /* of what was seen at once, whatever its disk did before */
    r = reading(DETECT_REFUSED, "down", "xx");
    r.disk_ms = r.still_ms = 1600;
    goes_on(&dead, r, LOOK);
    assert_int_equal(dead.d.failed_ms, dead.d.looked_ms);
    r = on_disk(DISK_STALLED, 100000, 100000);
    goes_on(&long_ago, r, LOOK);
    assert_int_equal(long_ago.d.failed_ms, long_ago.d.looked_ms - 2000);
    AUTOFREE char *evidence = detect_evidence(&r);
    assert_non_null(strstr(evidence, "the disk of /data is stalled for 100 s"));
}

/* All sides are silent by then; but it is looked at again, and nothing counts from before a time without
 * looks. */
static void a_silence_counts_from_the_last_word(void **state)
{
    (void)state;
    static const struct {
        DetectLogin login;
        const char *agent;
        int64_t quiet_ms, credit_ms;
    } rows[] = {
        {DETECT_SILENT, "-", 2500, 2500},     {DETECT_SILENT, "-", 60000, 3000},
        {DETECT_SILENT, "hangs", 2500, 2500}, {DETECT_REFUSED, "down", 500, 500},
        {DETECT_REFUSED, "-", 2000, 2000},    {DETECT_SILENT, "-", 0, 0},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        Story s = {0};
        goes_on(&s, reading(DETECT_ANSWERS, "up", "++"), 60000);
        DetectReading r = reading(rows[i].login, rows[i].agent, "xx");
        r.quiet_ms = rows[i].quiet_ms;
        goes_on(&s, r, AFTER - rows[i].credit_ms);
        assert_false(s.began);
        goes_on(&s, r, LOOK);
        assert_true(s.began);
    }
    Story anew = {0}; /* this coordinator stood still, or has just started */
    DetectReading r = reading(DETECT_SILENT, "-", "xx");
    r.quiet_ms = 60000;
    goes_on(&anew, r, AFTER);
    assert_false(anew.began);
    goes_on(&anew, r, LOOK);
    assert_true(anew.began);
    DetectRules hasty = {600, GAP}; /* shorter than what silence takes to be known */
    Detect d = {0};
    DetectReading well = reading(DETECT_ANSWERS, "up", "++");
    for (well.now_ms = 1000; well.now_ms < 9000; well.now_ms += LOOK)
        assert_false(detect_step(&d, &hasty, &well));
    r = reading(DETECT_SILENT, "-", "xx"); /* the same replicas */
    r.quiet_ms = 60000;
    r.now_ms = well.now_ms;
    assert_false(detect_step(&d, &hasty, &r));
    r.now_ms += 400;
    assert_false(detect_step(&d, &hasty, &r));
    r.now_ms += 100;
    assert_true(detect_step(&d, &hasty, &r));
}

static void it_is_said_by_whom(void **state)
{
    (void)state;
    DetectReading r = reading(DETECT_SILENT, "-", "x!.-");
    AUTOFREE char *silent = detect_evidence(&r);
    assert_string_equal(silent, "the coordinator gets no answer from its server; its agent does not answer; "
                                "db1 has lost it; db2 is refused by the server; db3 is not meant to receive; "
                                "db4 does not answer");
    r = reading(DETECT_REFUSED, "hangs", "");
    AUTOFREE char *hung = detect_evidence(&r);
    assert_string_equal(hung,
                        "the coordinator finds nobody listening at its server's address; its agent gets "
                        "no answer from the server");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_side_is_heard),         cmocka_unit_test(it_takes_its_time),
        cmocka_unit_test(a_restart_in_time_is_none),  cmocka_unit_test(the_evidence_may_change_its_name),
        cmocka_unit_test(who_stood_still_looks_anew), cmocka_unit_test(commits_that_wait),
        cmocka_unit_test(a_lock_is_no_death),         cmocka_unit_test(a_silence_counts_from_the_last_word),
        cmocka_unit_test(it_is_said_by_whom),         cmocka_unit_test(a_disk_that_takes_no_writes),
        cmocka_unit_test(a_disk_is_seen_late),        cmocka_unit_test(it_is_said_since_when),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
