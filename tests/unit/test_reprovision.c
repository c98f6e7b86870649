/* SPDX-License-Identifier: Apache-2.0
 * Which replica is given new data without a person, and when.
 */
#include "orchestrator/core/reprovision.h"

#include <stdio.h>
#include <string.h>

#include "test.h"

enum { NODES = 3, AFTER_MS = 60000, LOOK_MS = 5000 };
#define DAY_MS INT64_C(86400000)
#define WALL INT64_C(1800000000000)

typedef struct World {
    Node nodes[NODES]; /* db0 is the primary, db2 is the one that is broken */
    ReprovisionNode seen[NODES];
    ProvisionRecord r;
    Reprovision s;
    ReprovisionRules rules;
    ReprovisionView v;
    char told[4000]; /* all of it, since it was looked at last */
    char began[100];
} World;

static void make_node(Node *n, int number)
{
    ServerState *s = &n->agent.server;
    n->name = xasprintf("db%d", number);
    str_set(&n->agent.node, n->name);
    str_set(&s->flavor, "mariadb");
    str_set(&s->version, "10.11.19-MariaDB-log");
    str_set(&s->binlog, "0-1-7");
    s->up = true;
    s->is_replica = s->sql_running = number > 0;
    s->io = number ? RECEIVER_YES : RECEIVER_NO;
    s->semi_sync_acks = number ? -1 : 2;
    s->acknowledges = number > 0;
}

static int begin(void **state)
{
    World *w = NEW(World);
    for (int i = 0; i < NODES; i++) {
        make_node(&w->nodes[i], i);
        w->seen[i] = (ReprovisionNode){
            .node = &w->nodes[i], .donor = i == 1 ? NULL : &w->nodes[1], .fresh = true, .follows = i > 0};
    }
    w->rules = (ReprovisionRules){true, AFTER_MS, 1};
    w->v = (ReprovisionView){.nodes = w->seen,
                             .n = NODES,
                             .primary = &w->nodes[0],
                             .spare = 1,
                             .record = &w->r,
                             .now_ms = 1000000,
                             .wall_ms = WALL};
    *state = w;
    return 0;
}

static int end(void **state)
{
    World *w = *state;
    for (int i = 0; i < NODES; i++)
        wire_free(node_fields, &w->nodes[i]);
    wire_free(provision_record_fields, &w->r);
    reprovision_done(&w->s);
    free(w);
    return 0;
}

static void look(World *w)
{
    ReprovisionOut out;
    reprovision_step(&w->s, &w->rules, &w->v, &out);
    for (size_t i = 0; i < out.n; i++) {
        size_t n = strlen(w->told);
        snprintf(w->told + n, sizeof w->told - n, "%s %s\n", out.news[i].level, out.news[i].text);
    }
    snprintf(w->began, sizeof w->began, "%s", out.begin ? out.begin->node->name : "");
    reprovision_out_done(&out);
}

static void pass(World *w, int64_t ms)
{
    w->v.now_ms += ms;
    w->v.wall_ms += ms;
}

/* Until one begins, or the time is over. */
static void look_for(World *w, int64_t ms)
{
    look(w);
    for (int64_t past = 0; past < ms && !*w->began; past += LOOK_MS) {
        pass(w, LOOK_MS);
        look(w);
    }
}

static void expect_told(World *w, const char *text)
{
    if (!strstr(w->told, text))
        fail_msg("\"%s\" is not among what was told:\n%s", text, w->told);
    w->told[0] = 0;
}

static void breaks(World *w, int node)
{
    w->nodes[node].agent.server.sql_running = false;
    str_set(&w->nodes[node].agent.broken, "its applier cannot go on: Duplicate entry '5'");
}

static void heals(World *w, int node)
{
    w->nodes[node].agent.server.sql_running = true;
    str_set(&w->nodes[node].agent.broken, NULL);
}

/* As the daemon does: on record before anything else. */
static void goes_on_record(World *w)
{
    assert_string_not_equal(w->began, "");
    free(w->r.id);
    w->r.id = xasprintf("%s-%lld", w->began, (long long)w->v.wall_ms);
    str_set(&w->r.node, w->began);
    str_set(&w->r.donor, "db1");
    str_set(&w->r.error, NULL);
    w->r.phase = PROVISION_PAUSING;
    w->r.started_at = w->v.wall_ms;
    w->r.ended_at = 0;
    reprovision_note(&w->r);
}

/* Over the disk, as another coordinator reads it. */
static void is_read_again(World *w)
{
    Err err;
    AUTOJSON json_t *j = wire_write(provision_record_fields, &w->r);
    wire_free(provision_record_fields, &w->r);
    assert_ok(wire_read(provision_record_fields, j, &w->r, &err), err);
    reprovision_done(&w->s);
}

static void ends(World *w, const char *error)
{
    ProvisionView v = {.now_ms = w->v.wall_ms, .node = &w->nodes[2], .donor = &w->nodes[1]};
    if (error)
        provision_refused(&w->r, error, w->v.wall_ms);
    else {
        w->r.phase = PROVISION_FOLLOWING;
        v.follows = v.donor_heard = true;
        heals(w, 2);
        provision_step(&w->r, &v);
    }
    assert_false(provision_is_under_way(&w->r));
}

static void one_that_is_broken_long_enough_begins(void **state)
{
    World *w = *state;
    look_for(w, AFTER_MS);
    assert_string_equal(w->told, "");
    breaks(w, 2);
    look(w);
    expect_told(
        w, "warn db2 will be given new data at 2027-01-15T08:02:00.000Z, in place of its own: its applier "
           "cannot go on: Duplicate entry '5'; siding replica cordon db2 prevents it");
    assert_non_null(strstr(reprovision_text(&w->s, "db2"), "db2 will be given new data at"));
    look_for(w, AFTER_MS - LOOK_MS);
    assert_string_equal(w->began, "");
    assert_string_equal(w->told, ""); /* once */
    look_for(w, LOOK_MS);
    assert_string_equal(w->began, "db2");
    goes_on_record(w);
    look_for(w, AFTER_MS);
    assert_string_equal(w->began, "");
    assert_string_equal(w->told, "");
    assert_null(reprovision_text(&w->s, "db2"));
    ends(w, NULL);
    look_for(w, 2 * AFTER_MS);
    assert_string_equal(w->began, "");
    assert_string_equal(w->told, "");
}

static void without_leave_nothing_begins(void **state)
{
    World *w = *state;
    w->rules.automatic = false;
    breaks(w, 2);
    look_for(w, 10 * AFTER_MS);
    assert_string_equal(w->began, "");
    assert_string_equal(w->told, "");
    w->rules.automatic = true; /* the time begins now */
    look_for(w, AFTER_MS - LOOK_MS);
    assert_string_equal(w->began, "");
}

/* Each of them, in the midst of the time: what was before counts for nothing. */
static void what_speaks_against_it_begins_the_time_anew(void **state)
{
    World *w = *state;
    struct {
        const char *word;
        bool *flag, bad;
        char **text;
        int64_t *number;
        const char **held;
    } rows[] = {
        {"its agent does not answer", &w->seen[2].fresh, false},
        {"its server is down", &w->nodes[2].agent.server.up, false},
        {"it is cordoned", &w->seen[2].cordoned, true},
        {"it is paused", .text = &w->nodes[2].agent.lease.owner},
        {"it is delayed on purpose", .number = &w->nodes[2].agent.server.delay_s},
        {"its filters leave something out", .text = &w->nodes[2].agent.server.filters},
        {"it replicates from another server", &w->seen[2].follows, false},
        {"db2 needs no new data any more", .text = NULL}, /* it was mended, and broke again */
        {"maintenance is on", .held = &w->v.held},
        {"a failover is under way", .held = &w->v.held},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        breaks(w, 2);
        look_for(w, AFTER_MS - LOOK_MS);
        assert_string_equal(w->began, "");
        w->told[0] = 0;
        bool before = rows[i].flag && *rows[i].flag;
        if (rows[i].flag)
            *rows[i].flag = rows[i].bad;
        else if (rows[i].text)
            str_set(rows[i].text, "manual");
        else if (rows[i].number)
            *rows[i].number = 3600;
        else if (rows[i].held)
            *rows[i].held = rows[i].word;
        else
            heals(w, 2);
        pass(w, LOOK_MS);
        look(w);
        expect_told(w, rows[i].word);
        look_for(w, 3 * AFTER_MS);
        assert_string_equal(w->began, "");
        if (rows[i].flag)
            *rows[i].flag = before;
        else if (rows[i].text)
            str_set(rows[i].text, NULL);
        else if (rows[i].number)
            *rows[i].number = 0;
        else if (rows[i].held)
            *rows[i].held = NULL;
        else
            breaks(w, 2);
        look_for(w, AFTER_MS - LOOK_MS);
        if (*w->began)
            fail_msg("begun too early after: %s", rows[i].word);
        look_for(w, LOOK_MS);
        assert_string_equal(w->began, "db2"); /* that is not on record: it begins anew */
        heals(w, 2);
        pass(w, LOOK_MS);
        look(w);
    }
}

static void a_coordinator_that_stood_still_has_seen_nothing(void **state)
{
    World *w = *state;
    breaks(w, 2);
    look(w);
    pass(w, 10 * AFTER_MS);
    look(w);
    assert_string_equal(w->began, "");
    look_for(w, AFTER_MS - LOOK_MS);
    assert_string_equal(w->began, "");
    is_read_again(w); /* and one that was started again */
    look_for(w, AFTER_MS - LOOK_MS);
    assert_string_equal(w->began, "");
    look_for(w, LOOK_MS);
    assert_string_equal(w->began, "db2");
}

static void stopped_by_hand_or_just_behind_is_not_broken(void **state)
{
    World *w = *state;
    w->nodes[2].agent.server.sql_running = false;
    w->nodes[2].agent.server.io = RECEIVER_NO;
    w->nodes[2].lag_ms = 100 * DAY_MS;
    w->nodes[2].state = NODE_STOPPED;
    look_for(w, 10 * AFTER_MS);
    assert_string_equal(w->began, "");
    assert_string_equal(w->told, "");
}

/* Whether it replicates or is broken too. */
static void what_nobody_else_has_is_a_persons_decision(void **state)
{
    World *w = *state;
    str_set(&w->nodes[2].errant, "0-3-8");
    look(w);
    expect_told(w, "error needs decision: db2 has transactions that the primary lacks (0-3-8)");
    breaks(w, 2);
    look_for(w, 10 * AFTER_MS);
    assert_string_equal(w->began, "");
    assert_string_equal(w->told, ""); /* once */
    str_set(&w->nodes[2].errant, "0-3-9");
    look(w);
    expect_told(w, "(0-3-9)");
    str_set(&w->nodes[2].errant, NULL); /* somebody has undone them: the time begins now */
    look_for(w, AFTER_MS - LOOK_MS);
    assert_string_equal(w->began, "");
    look_for(w, LOOK_MS);
    assert_string_equal(w->began, "db2");
    str_set(&w->nodes[2].errant, "0-3-10"); /* that is not on record: it goes on */
    look(w);
    str_set(&w->nodes[2].errant, NULL);
    look_for(w, AFTER_MS - LOOK_MS);
    assert_string_equal(w->began, "");
}

static void what_only_delays_it_is_told_and_waited_for(void **state)
{
    World *w = *state;
    breaks(w, 2);
    w->seen[2].donor = NULL;
    look_for(w, AFTER_MS);
    assert_string_equal(w->began, "");
    expect_told(w, "and waits: no replica serves whose data could be copied; siding replica reprovision db2 "
                   "--confirm db2 does it now");
    w->seen[2].donor = &w->nodes[0];
    look(w);
    expect_told(w, "and waits: db0 cannot be the donor: it is the primary");
    w->seen[2].donor = &w->nodes[1];
    w->nodes[0].agent.server.semi_sync_acks = 1;
    look(w);
    expect_told(w, "commits of the primary wait for this one alone");
    w->nodes[0].agent.server.semi_sync_acks = 2;
    w->v.spare = 0;
    look(w);
    expect_told(w, "min_serving");
    assert_string_equal(w->began, "");
    w->v.spare = 1;
    look(w);
    assert_string_equal(w->began, "db2"); /* at once */
}

/* Who read that it waits reads that it does not any more. */
static void one_that_waited_and_was_mended_is_told(void **state)
{
    World *w = *state;
    breaks(w, 2);
    w->v.spare = 0;
    look_for(w, AFTER_MS);
    expect_told(w, "and waits: no replica can be spared");
    heals(w, 2);
    look(w);
    expect_told(w, "info db2 needs no new data any more");
}

/* So long between two looks is still a look; and a clock so far ahead may be this one. */
static void at_its_bounds(void **state)
{
    World *w = *state;
    breaks(w, 2);
    look(w);
    for (int i = 0; i < AFTER_MS / 15000; i++) {
        assert_string_equal(w->began, "");
        pass(w, 15000);
        look(w);
    }
    assert_string_equal(w->began, "db2");
    str_set(&w->r.id, "db1-1");
    str_set(&w->r.node, "db1");
    w->r.started_at = w->v.wall_ms + DAY_MS + 1;
    reprovision_note(&w->r);
    look(w);
    assert_string_equal(w->began, "db2");
    pass(w, 1);
    look(w);
    assert_string_equal(w->began, "");
}

static void one_after_the_other(void **state)
{
    World *w = *state;
    Node spare = {0};
    w->rules.per_day = 5;
    make_node(&spare, 3);
    w->seen[2].donor = w->seen[1].donor = &spare;
    breaks(w, 1);
    breaks(w, 2);
    look_for(w, AFTER_MS);
    assert_string_equal(w->began, "db1");
    expect_told(w, "and waits: db1 comes first");
    goes_on_record(w);
    look_for(w, AFTER_MS);
    assert_string_equal(w->began, "");
    expect_told(w, "and waits: db1 is being given new data");
    ends(w, NULL);
    look_for(w, LOOK_MS);
    wire_free(node_fields, &spare);
}

static void the_day_has_its_limit_over_all_nodes_and_starts(void **state)
{
    World *w = *state;
    breaks(w, 2);
    look_for(w, AFTER_MS);
    goes_on_record(w);
    int64_t at = w->v.wall_ms;
    pass(w, AFTER_MS);
    ends(w, NULL);
    breaks(w, 1);
    w->seen[1].donor = &w->nodes[2];
    is_read_again(w);
    w->told[0] = 0;
    look(w);
    expect_told(w, "1 in 24 hours is begun by itself (provision.per_day), the next one not before "
                   "2027-01-16T08:0");
    while (!*w->began && w->v.wall_ms < at + 2 * DAY_MS) {
        pass(w, LOOK_MS);
        look(w);
    }
    assert_string_equal(w->began, "db1");
    assert_int_equal(w->v.wall_ms, at + DAY_MS);
}

static void one_that_failed_waits_longer_each_time(void **state)
{
    World *w = *state;
    int64_t before = 0, wait = 0;
    w->rules.per_day = 100;
    breaks(w, 2);
    for (int i = 0; i < 7; i++) {
        while (!*w->began && w->v.wall_ms < WALL + 30 * DAY_MS) {
            pass(w, LOOK_MS);
            look(w);
        }
        if (i) {
            assert_true(w->v.wall_ms - before >= wait);
            expect_told(w, "the last try has failed, the next one not before");
        }
        goes_on_record(w);
        pass(w, LOOK_MS);
        ends(w, "the donor has died");
        before = w->v.wall_ms;
        wait = wait ? wait * 2 : 1800000;
        wait = wait < DAY_MS ? wait : DAY_MS;
        is_read_again(w);
        w->told[0] = w->began[0] = 0;
    }
    assert_int_equal(wait, DAY_MS);
    pass(w, DAY_MS);
    look_for(w, AFTER_MS);
    goes_on_record(w);
    ends(w, NULL); /* what has failed before counts no more */
    breaks(w, 2);
    look_for(w, AFTER_MS);
    assert_string_equal(w->began, "db2");
    goes_on_record(w);
    ends(w, "the donor has died");
    before = w->v.wall_ms;
    look_for(w, 1800000);
    assert_string_equal(w->began, "db2");
    assert_int_equal(w->v.wall_ms, before + 1800000);
}

static void one_that_failed_holds_no_other_up(void **state)
{
    World *w = *state;
    w->rules.per_day = 100;
    w->seen[1].donor = &w->nodes[2];
    breaks(w, 1);
    look_for(w, AFTER_MS);
    assert_string_equal(w->began, "db1");
    goes_on_record(w);
    ends(w, "the donor has died");
    heals(w, 1);
    breaks(w, 2);
    look_for(w, AFTER_MS);
    assert_string_equal(w->began, "db2");
}

static void the_primary_is_none(void **state)
{
    World *w = *state;
    str_set(&w->nodes[0].agent.broken, "what an agent may say that has not heard of its role");
    str_set(&w->nodes[0].errant, "0-1-9");
    look_for(w, 3 * AFTER_MS);
    assert_string_equal(w->began, "");
    assert_string_equal(w->told, "");
}

/* Nothing that was emptied is left so because its first try failed. */
static void one_that_was_emptied_is_filled_again(void **state)
{
    World *w = *state;
    FillState *f = &w->nodes[2].agent.fill;
    ServerState *s = &w->nodes[2].agent.server;
    s->is_replica = s->sql_running = w->seen[2].follows = false;
    str_set(&f->order.id, "db2-1.1");
    str_set(&f->error, "the donor has died");
    f->phase = FILL_FAILED;
    f->touched = true;
    look_for(w, 3 * AFTER_MS);
    assert_string_equal(w->began, ""); /* by siding replica add: somebody is at it */
    f->order.replaces = true;
    look_for(w, AFTER_MS);
    assert_string_equal(w->began, "db2");
    expect_told(w, "it was emptied and not filled: the donor has died");
}

static void a_record_that_is_lost_counts_as_a_full_day(void **state)
{
    World *w = *state;
    w->rules.per_day = 3;
    reprovision_note_unknown(&w->r, w->v.wall_ms);
    is_read_again(w);
    breaks(w, 2);
    look_for(w, 2 * AFTER_MS);
    assert_string_equal(w->began, "");
    expect_told(w, "3 in 24 hours are begun by itself");
    pass(w, DAY_MS);
    look_for(w, AFTER_MS);
    assert_string_equal(w->began, "db2");
}

static void an_older_record_has_tried_nothing(void **state)
{
    World *w = *state;
    Err err;
    AUTOJSON json_t *j = json_pack("{s:s, s:s, s:s, s:s, s:i}", "id", "db2-1", "node", "db2", "donor", "db1",
                                   "phase", "done", "tries", 1);
    assert_ok(wire_read(provision_record_fields, j, &w->r, &err), err);
    assert_int_equal(w->r.history.n, 0);
    breaks(w, 2);
    look_for(w, AFTER_MS);
    assert_string_equal(w->began, "db2");
}

static void the_record_stays_small_and_clocks_may_be_wrong(void **state)
{
    World *w = *state;
    w->rules.per_day = 2;
    for (int i = 0; i < 1000; i++) {
        str_set(&w->r.id, "x");
        str_set(&w->r.node, "db1");
        w->r.started_at = WALL + 10 * DAY_MS + i; /* of a clock that was far ahead */
        reprovision_note(&w->r);
    }
    assert_true(w->r.history.n <= 50);
    w->r.started_at = WALL + 3600000; /* and of one that was an hour ahead: today's */
    reprovision_note(&w->r);
    breaks(w, 2);
    look_for(w, AFTER_MS);
    assert_string_equal(w->began, "db2");
    goes_on_record(w);
    ends(w, NULL);
    breaks(w, 2);
    look_for(w, 2 * AFTER_MS);
    assert_string_equal(w->began, "");
    expect_told(w, "2 in 24 hours");
}

static void what_is_not_configured_any_more_is_forgotten(void **state)
{
    World *w = *state;
    breaks(w, 2);
    look(w);
    assert_non_null(reprovision_text(&w->s, "db2"));
    w->v.n = 2;
    look(w);
    assert_null(reprovision_text(&w->s, "db2"));
}

#define STORY(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORY(one_that_is_broken_long_enough_begins),
        STORY(without_leave_nothing_begins),
        STORY(what_speaks_against_it_begins_the_time_anew),
        STORY(a_coordinator_that_stood_still_has_seen_nothing),
        STORY(stopped_by_hand_or_just_behind_is_not_broken),
        STORY(what_nobody_else_has_is_a_persons_decision),
        STORY(what_only_delays_it_is_told_and_waited_for),
        STORY(one_that_waited_and_was_mended_is_told),
        STORY(at_its_bounds),
        STORY(one_after_the_other),
        STORY(one_that_failed_holds_no_other_up),
        STORY(the_day_has_its_limit_over_all_nodes_and_starts),
        STORY(one_that_failed_waits_longer_each_time),
        STORY(the_primary_is_none),
        STORY(one_that_was_emptied_is_filled_again),
        STORY(a_record_that_is_lost_counts_as_a_full_day),
        STORY(an_older_record_has_tried_nothing),
        STORY(the_record_stays_small_and_clocks_may_be_wrong),
        STORY(what_is_not_configured_any_more_is_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
