/* SPDX-License-Identifier: Apache-2.0
 * Whether a replica still stands as it was frozen, on both flavours' positions: each change alone, of several
 * the one that explains the others, and what is not known.
 */
#include "test.h"

#include "replica-agent/core/frozen.h"

typedef struct Positions {
    DbFlavor flavor;
    const char *was, *own, *further, *other;
} Positions;

static const Positions positions[] = {
    {DB_MARIADB, "0-1-270,7-1-5", "0-1-270,7-1-5", "0-1-271,7-1-5", "0-2-271,7-1-5"},
    {DB_MYSQL, "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-20", "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-20",
     "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-21",
     "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-20,4e11fa47-71ca-11e1-9e33-c80aa9429562:1"},
};

static const LeaseServer process = {.pid = 40, .pid_start = 9, .started_at = 1000000, .boot_id = (char *)"b"};

typedef struct Scene {
    FrozenPoint was;
    ReplStatus status;
    LeaseServer server;
    FrozenReading now;
} Scene;

/* Nothing has changed. */
static void still(Scene *s, const Positions *p)
{
    *s = (Scene){.was = {p->was, p->own, "10.0.0.1", 3306, &process}, .server = process};
    s->status = (ReplStatus){.is_replica = true,
                             .io = REPL_IO_YES,
                             .source_host = (char *)"10.0.0.1",
                             .source_port = 3306,
                             .applied = (char *)p->was,
                             .binlog = (char *)p->own};
    s->now = (FrozenReading){p->flavor, &s->status, &s->server, false};
}

static FrozenChange for_proof(const Scene *s)
{
    return frozen_compare(&s->was, &s->now, FROZEN_FOR_PROOF);
}

static FrozenChange for_watch(const Scene *s)
{
    return frozen_compare(&s->was, &s->now, FROZEN_FOR_WATCH);
}

static void expect(const Scene *s, FrozenChange proof, FrozenChange watch)
{
    assert_int_equal(for_proof(s), proof);
    assert_int_equal(for_watch(s), watch);
}

static void unchanged(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(positions); i++) {
        Scene s;
        still(&s, &positions[i]);
        expect(&s, FROZEN_STILL, FROZEN_STILL);
        s.status.io = REPL_IO_NO; /* the receiver may come and go */
        s.now.held_lost = true;   /* the same process is seen: the connection is not needed */
        expect(&s, FROZEN_STILL, FROZEN_STILL);
        s.was.source_host = NULL; /* an old lease */
        s.status.source_port = 1;
        expect(&s, FROZEN_STILL, FROZEN_STILL);
    }
}

static void each_change(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(positions); i++) {
        const Positions *p = &positions[i];
        Scene s;
        still(&s, p);
        s.server.pid_start++;
        expect(&s, FROZEN_RESTARTED, FROZEN_RESTARTED);
        still(&s, p);
        s.server.boot_id = (char *)"c";
        expect(&s, FROZEN_RESTARTED, FROZEN_RESTARTED);
        still(&s, p);
        s.status.source_host = (char *)"10.0.0.2";
        expect(&s, FROZEN_REPOINTED, FROZEN_REPOINTED);
        still(&s, p);
        s.status.source_port = 3307;
        expect(&s, FROZEN_REPOINTED, FROZEN_REPOINTED);
        still(&s, p);
        s.status.source_host = NULL;
        expect(&s, FROZEN_REPOINTED, FROZEN_REPOINTED);
        still(&s, p);
        s.status.sql_running = true;
        expect(&s, FROZEN_STARTED, FROZEN_STARTED);
        still(&s, p);
        s.status.applied = (char *)p->further;
        expect(&s, FROZEN_MOVED, FROZEN_MOVED);
        still(&s, p);
        s.status.applied = (char *)"";
        expect(&s, FROZEN_MOVED, FROZEN_MOVED);
        still(&s, p);
        s.status.applied = (char *)"no position";
        expect(&s, FROZEN_MOVED, FROZEN_MOVED);
        still(&s, p);
        s.status.binlog = (char *)p->other;
        expect(&s, FROZEN_WRITTEN, FROZEN_STILL);
    }
}

/* A result needs a proof; a watch voids nothing for what it does not know. */
static void what_is_not_known(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(positions); i++) {
        const Positions *p = &positions[i];
        Scene s;
        still(&s, p);
        s.server = (LeaseServer){.started_at = process.started_at, .boot_id = process.boot_id}; /* over TCP */
        expect(&s, FROZEN_STILL, FROZEN_STILL);
        s.now.held_lost = true;
        expect(&s, FROZEN_UNPROVEN, FROZEN_STILL);
        still(&s, p);
        s.now.server = NULL;
        s.now.held_lost = true;
        expect(&s, FROZEN_UNPROVEN, FROZEN_STILL);
        still(&s, p);
        s.was.server = NULL;
        s.server.pid++;
        expect(&s, FROZEN_STILL, FROZEN_STILL);
        still(&s, p);
        s.was.gtid = NULL;
        expect(&s, FROZEN_MOVED, FROZEN_STILL);
        still(&s, p);
        s.status.applied = NULL;
        expect(&s, FROZEN_MOVED, FROZEN_STILL);
        still(&s, p);
        s.was.binlog_gtid = NULL;
        expect(&s, FROZEN_WRITTEN, FROZEN_STILL);
    }
}

/* Whatever came after a restart comes from it, and so on. */
static void the_first_explains_the_others(void **state)
{
    (void)state;
    Scene s;
    still(&s, &positions[0]);
    s.status.binlog = (char *)positions[0].other;
    s.status.applied = (char *)positions[0].further;
    assert_int_equal(for_proof(&s), FROZEN_MOVED);
    s.status.sql_running = true;
    assert_int_equal(for_proof(&s), FROZEN_STARTED);
    s.status.source_port = 1;
    assert_int_equal(for_proof(&s), FROZEN_REPOINTED);
    s.now.held_lost = true;
    s.server.pid = 0;
    assert_int_equal(for_proof(&s), FROZEN_UNPROVEN);
    s.server.started_at += 60000;
    assert_int_equal(for_proof(&s), FROZEN_RESTARTED);
}

static void a_lease_as_a_point(void **state)
{
    (void)state;
    Lease l = {.gtid = (char *)"0-1-7",
               .binlog_gtid = (char *)"0-1-8",
               .source_host = (char *)"h",
               .source_port = 5,
               .server = {.pid = 3}};
    FrozenPoint p = frozen_point(&l);
    assert_string_equal(p.gtid, "0-1-7");
    assert_string_equal(p.binlog_gtid, "0-1-8");
    assert_string_equal(p.source_host, "h");
    assert_int_equal(p.source_port, 5);
    assert_int_equal(p.server->pid, 3);
}

/* Sentences that people and the tests of whole clusters know. */
static void sentences(void **state)
{
    (void)state;
    static const char *const proof[] = {
        [FROZEN_RESTARTED] = "the server restarted during the job: what it read is not one state",
        [FROZEN_UNPROVEN] = "the connection kept since the pause was lost and the server's process cannot be "
                            "seen from here: it is not proven that the job read one state",
        [FROZEN_REPOINTED] =
            "the replica was pointed at another source during the job, nowhere:0 instead of 10.0.0.1:3306",
        [FROZEN_STARTED] = "the applier was started during the job: what it read is not one state",
        [FROZEN_MOVED] = "the replica moved during the job, from 0-1-270,7-1-5 to 0-1-271,7-1-5: what it "
                         "read is not one state",
        [FROZEN_WRITTEN] = "something wrote to the replica itself during the job: its own binlog moved from "
                           "0-1-270,7-1-5 to 0-2-271,7-1-5",
    };
    Scene s;
    still(&s, &positions[0]);
    s.status.source_host = NULL;
    s.status.source_port = 0;
    s.status.applied = (char *)positions[0].further;
    s.status.binlog = (char *)positions[0].other;
    assert_null(frozen_text(FROZEN_STILL, &s.was, &s.now, FROZEN_FOR_PROOF));
    assert_null(frozen_text(FROZEN_STILL, &s.was, &s.now, FROZEN_FOR_WATCH));
    for (FrozenChange c = FROZEN_RESTARTED; c <= FROZEN_WRITTEN; c++) {
        AUTOFREE char *text = frozen_text(c, &s.was, &s.now, FROZEN_FOR_PROOF);
        AUTOFREE char *watch = frozen_text(c, &s.was, &s.now, FROZEN_FOR_WATCH);
        assert_string_equal(text, proof[c]);
        assert_true((watch == NULL) == (c == FROZEN_UNPROVEN || c == FROZEN_WRITTEN));
    }
    /* A position that is not there is told as such. */
    s.was.gtid = s.was.binlog_gtid = NULL;
    s.status.applied = s.status.binlog = NULL;
    for (FrozenChange c = FROZEN_MOVED; c <= FROZEN_WRITTEN; c++) {
        AUTOFREE char *text = frozen_text(c, &s.was, &s.now, FROZEN_FOR_PROOF);
        assert_non_null(strstr(text, "from nowhere to nowhere"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unchanged),          cmocka_unit_test(each_change),
        cmocka_unit_test(what_is_not_known),  cmocka_unit_test(the_first_explains_the_others),
        cmocka_unit_test(a_lease_as_a_point), cmocka_unit_test(sentences),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
