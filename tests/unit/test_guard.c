/* SPDX-License-Identifier: Apache-2.0
 * What is done about a pause that grows too long, too large, or fills a disk.
 */
#include "test.h"

#include "common/wire/bounds.h"
#include "common/wire/limits.h"
#include "replica-agent/core/guard.h"

enum { MB = 1000000, NONE = GUARD_UNKNOWN };

static GuardLimits limits(GuardPolicy policy)
{
    return (GuardLimits){.pause_ms = 600000,
                         .relay_bytes = 1000 * MB,
                         .catchup_ms = 60000,
                         .free_bytes = 100 * MB,
                         .warn_percent = 80,
                         .policy = policy};
}

typedef struct Case {
    const char *what;
    GuardPolicy policy;
    int64_t value[GUARD_CAUSES]; /* pause, relay, catch-up, relay disk, spool, state */
    double rate;
    GuardCause cause;
    GuardLevel level; /* of the cause */
    GuardAction action;
} Case;

/* clang-format off */
static const Case cases[] = {
    {"all is well", GUARD_STOP, {1000, 5 * MB, 100, 900 * MB, 900 * MB, 900 * MB}, 0, GUARD_PAUSE, GUARD_FINE, GUARD_DO_NOTHING},
    {"nothing is known", GUARD_KILL, {1000, NONE, NONE, NONE, NONE, NONE}, 1e9, GUARD_RELAY_DISK, GUARD_FINE, GUARD_DO_NOTHING},

    {"four fifths of the time", GUARD_KILL, {480000, 0, 0, 900 * MB, NONE, NONE}, 0, GUARD_PAUSE, GUARD_WARN, GUARD_DO_NOTHING},
    {"just below", GUARD_KILL, {479999, 0, 0, 900 * MB, NONE, NONE}, 0, GUARD_PAUSE, GUARD_FINE, GUARD_DO_NOTHING},
    {"the time is over", GUARD_STOP, {600000, 0, 0, 900 * MB, NONE, NONE}, 0, GUARD_PAUSE, GUARD_LIMIT, GUARD_DO_STOP},
    {"the time is over, kill", GUARD_KILL, {600000, 0, 0, 900 * MB, NONE, NONE}, 0, GUARD_PAUSE, GUARD_LIMIT, GUARD_DO_KILL},
    {"let-finish has a hard end", GUARD_LET_FINISH, {600001, 0, 0, 900 * MB, NONE, NONE}, 0, GUARD_PAUSE, GUARD_LIMIT, GUARD_DO_STOP},

    {"relay bytes", GUARD_STOP, {0, 1000 * MB, 0, 900 * MB, NONE, NONE}, 0, GUARD_RELAY, GUARD_LIMIT, GUARD_DO_STOP},
    {"relay bytes, kill", GUARD_KILL, {0, 1200 * MB, 0, 900 * MB, NONE, NONE}, 0, GUARD_RELAY, GUARD_LIMIT, GUARD_DO_KILL},
    {"relay bytes, let-finish", GUARD_LET_FINISH, {0, 1200 * MB, 0, 900 * MB, NONE, NONE}, 0, GUARD_RELAY, GUARD_LIMIT, GUARD_DO_NOTHING},
    {"relay bytes, soon", GUARD_STOP, {0, 800 * MB, 0, 900 * MB, NONE, NONE}, 0, GUARD_RELAY, GUARD_WARN, GUARD_DO_NOTHING},
    {"catch-up", GUARD_STOP, {0, 0, 61000, 900 * MB, NONE, NONE}, 0, GUARD_CATCHUP, GUARD_LIMIT, GUARD_DO_STOP},
    {"catch-up, let-finish", GUARD_LET_FINISH, {0, 0, 61000, 900 * MB, NONE, NONE}, 0, GUARD_CATCHUP, GUARD_LIMIT, GUARD_DO_NOTHING},

    {"relay disk, a little left", GUARD_STOP, {0, 0, 0, 124 * MB, NONE, NONE}, 0, GUARD_RELAY_DISK, GUARD_WARN, GUARD_DO_NOTHING},
    {"relay disk", GUARD_STOP, {0, 0, 0, 99 * MB, NONE, NONE}, 0, GUARD_RELAY_DISK, GUARD_LIMIT, GUARD_DO_STOP},
    {"relay disk, let-finish", GUARD_LET_FINISH, {0, 0, 0, 99 * MB, NONE, NONE}, 0, GUARD_RELAY_DISK, GUARD_LIMIT, GUARD_DO_STOP},
    {"relay disk, nearly gone", GUARD_LET_FINISH, {0, 0, 0, 25 * MB, NONE, NONE}, 0, GUARD_RELAY_DISK, GUARD_URGENT, GUARD_DO_KILL},
    {"two minutes of a fast primary", GUARD_STOP, {0, 0, 0, 1100 * MB, NONE, NONE}, 10e6, GUARD_RELAY_DISK, GUARD_LIMIT, GUARD_DO_STOP},
    {"room for a fast primary", GUARD_STOP, {0, 0, 0, 1600 * MB, NONE, NONE}, 10e6, GUARD_RELAY_DISK, GUARD_FINE, GUARD_DO_NOTHING},

    {"the result's disk", GUARD_LET_FINISH, {0, 0, 0, 900 * MB, 3 * MB, 900 * MB}, 0, GUARD_SPOOL_DISK, GUARD_URGENT, GUARD_DO_STOP},
    {"the lease's disk", GUARD_STOP, {0, 0, 0, 900 * MB, 900 * MB, 99 * MB}, 0, GUARD_STATE_DISK, GUARD_LIMIT, GUARD_DO_STOP},
    {"the worst of several decides", GUARD_STOP, {600001, 1001 * MB, 0, 10 * MB, NONE, NONE}, 0, GUARD_RELAY_DISK, GUARD_URGENT, GUARD_DO_KILL},
};
/* clang-format on */

static void decisions(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const Case *c = &cases[i];
        GuardLimits l = limits(c->policy);
        GuardReading r = {.coming = (int64_t)(c->rate * GUARD_RESERVE_S)};
        GuardVerdict v;
        memcpy(r.value, c->value, sizeof r.value);
        guard_decide(&l, &r, &v);
        if (v.level[c->cause] != c->level || v.action != c->action ||
            (v.action != GUARD_DO_NOTHING && v.cause != c->cause))
            fail_msg("%s: level %d, action %d, cause %s", c->what, (int)v.level[c->cause], (int)v.action,
                     guard_cause_name(v.cause));
    }
}

static void without_a_limit_nothing_happens(void **state)
{
    (void)state;
    GuardLimits l = {.warn_percent = 80};
    GuardReading r = {.value = {INT64_MAX / 2, INT64_MAX / 2, INT64_MAX / 2, 0, 0, 0}};
    GuardVerdict v;
    guard_decide(&l, &r, &v);
    assert_int_equal(v.action, GUARD_DO_NOTHING);
    for (GuardCause c = 0; c < GUARD_CAUSES; c++)
        assert_int_equal(v.level[c], GUARD_FINE);
}

static void ballast(void **state)
{
    (void)state;
    static const struct {
        int64_t free_bytes;
        double rate;
        bool hangs, due;
    } rows[] = {
        {500 * MB, 0, false, false}, {500 * MB, 0, true, false}, /* it hangs for another reason */
        {20 * MB, 0, true, true},    {20 * MB, 0, false, false},    {3 * MB, 0, false, true},
        {0, 0, false, true},         {100 * MB, 50e6, false, true}, /* full within three seconds */
        {NONE, 50e6, true, false},
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        assert_int_equal(guard_ballast_due(rows[i].free_bytes, rows[i].rate, rows[i].hangs, 100 * MB),
                         rows[i].due);
    assert_true(guard_ballast_again(229 * MB, 64 * MB, 100 * MB));
    assert_false(guard_ballast_again(228 * MB, 64 * MB, 100 * MB));
}

static void sentences(void **state)
{
    (void)state;
    static const struct {
        GuardCause c;
        int64_t value, limit;
        const char *text;
    } rows[] = {
        {GUARD_PAUSE, 65000, 60000,
         "pause limit: the replica has been paused for 65.0 s, it may be for 60.0 s"},
        {GUARD_RELAY, 1500 * MB, 1000 * MB,
         "relay limit: 1.5 GB have arrived since the freeze, the limit is 1.0 GB"},
        {GUARD_RELAY_DISK, 9 * MB, 100 * MB,
         "the disk of the relay logs is nearly full: /var/lib/mysql has 9.0 MB free, 100.0 MB are needed"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        AUTOFREE char *text = guard_sentence(rows[i].c, rows[i].value, rows[i].limit, "/var/lib/mysql");
        assert_string_equal(text, rows[i].text);
    }
}

static void limits_of_a_submitter(void **state)
{
    (void)state;
    static const struct {
        const char *json, *error; /* NULL: right */
    } rows[] = {
        {"{}", NULL},
        {"{\"databases\": [\"a\"]}", NULL},
        {"{\"limits\": {\"relay_bytes\": 5, \"at_limit\": \"let-finish\"}}", NULL},
        {"{\"limits\": 5}", "must be an object of"},
        {"{\"limits\": {\"relay_byte\": 5}}", "relay_bytes"},
        {"{\"limits\": {\"relay_bytes\": \"x\"}}", "relay_bytes"},
        {"{\"limits\": {\"free_bytes\": -1}}", "is -1; it must be"},
        {"{\"limits\": {\"at_limit\": \"wait\"}}", "must be stop, kill or let-finish"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        Err err;
        AUTOJSON json_t *o = NULL;
        assert_ok(json_parse(rows[i].json, strlen(rows[i].json), &o, &err), err);
        AUTOJSON json_t *body = json_pack("{s:O}", "options", o);
        bool ok = bounds_check(task_bounds, DOOR_API, body, &err);
        assert_int_equal(ok, rows[i].error == NULL);
        if (!ok && (!strstr(err.text, rows[i].error) || err.kind != ERR_USAGE))
            fail_msg("%s: %s", rows[i].json, err.text);
    }
    Err err;
    PauseLimits l = {0};
    assert_ok(limits_read(NULL, &l, &err), err);
    assert_null(l.at_limit);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decisions),
        cmocka_unit_test(without_a_limit_nothing_happens),
        cmocka_unit_test(ballast),
        cmocka_unit_test(sentences),
        cmocka_unit_test(limits_of_a_submitter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
