/* SPDX-License-Identifier: Apache-2.0
 * Which results stay and which go.
 */
#include "test.h"

#include <string.h>

#include "orchestrator/core/expiry.h"

enum { DAY = 86400000, MOST = 6 };

typedef struct Row {
    const char *what;
    const char *runs;   /* "1.1" …, oldest first, one a day, the newest now; a space between */
    const char *groups; /* a letter each */
    const char *needed; /* a letter each: n or - */
    int64_t keep, keep_days;
    const char *expires; /* x or - */
} Row;

static void plans(void **state)
{
    (void)state;
    static const Row rows[] = {
        {"no limits", "1.1 2.1 3.1", "aaa", "---", 0, 0, "---"},
        {"by number", "1.1 2.1 3.1 4.1", "aaaa", "----", 2, 0, "xx--"},
        {"the last one stays", "1.1 2.1", "ab", "--", 1, 1, "--"},
        {"one is the least", "1.1 2.1 3.1", "aaa", "---", 1, 0, "xx-"},
        {"by age", "1.1 2.1 3.1 4.1", "aaaa", "----", 0, 2, "x---"},
        {"whichever comes first", "1.1 2.1 3.1 4.1", "aaaa", "----", 3, 1, "xx--"},
        {"each group for itself", "1.1 2.1 3.1 4.1", "abab", "----", 1, 0, "xx--"},
        {"what an upload needs stays", "1.1 2.1 3.1 4.1", "aaaa", "n---", 1, 0, "-xx-"},
        {"parts of a run are one", "1.1 1.1 2.1 2.1 3.1 3.1", "aaaaaa", "------", 2, 0, "xx----"},
        {"one part needed keeps all", "1.1 1.1 2.1 2.1", "aaaa", "-n--", 1, 0, "----"},
        {"old, and the only one", "1.1 2.1", "ab", "--", 0, 1, "--"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        KeptResult r[MOST] = {0};
        char groups[MOST][2] = {0};
        AUTO(strlist_done) StrList runs = STRLIST_INIT;
        const int64_t now = 1000000000000;
        strlist_split(&runs, rows[i].runs, ' ');
        for (size_t k = 0; k < runs.n; k++) {
            groups[k][0] = rows[i].groups[k];
            r[k] = (KeptResult){.run = runs.v[k],
                                .group = groups[k],
                                .sealed_at = now - (int64_t)(runs.n - 1 - k) * DAY,
                                .keep = rows[i].keep,
                                .keep_for_ms = rows[i].keep_days * DAY,
                                .needed = rows[i].needed[k] == 'n'};
        }
        retention_plan(r, runs.n, now);
        for (size_t k = 0; k < runs.n; k++)
            if (r[k].expires != (rows[i].expires[k] == 'x'))
                fail_msg("%s: %s", rows[i].what, r[k].run);
    }
}

static void parts_that_are_left_over(void **state)
{
    (void)state;
    static const struct {
        const char *what, *nodes, *node;
        CoordRunState run;
        bool gathered, left_over;
    } rows[] = {
        {"of another node", "db2 db1", "db1", CRUN_DONE, true, true},
        {"the first has them all, and was listed before", "db2 db1", "db2", CRUN_DONE, true, false},
        {"not gathered", "db2 db1", "db1", CRUN_ERROR, false, false},
        {"not over", "db2 db1", "db1", CRUN_CAUGHT_UP, true, false},
        {"of one replica", "db2", "db1", CRUN_DONE, true, false},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        Run r = {.state = rows[i].run, .detail = json_pack("{s:b}", "gathered", rows[i].gathered)};
        strlist_split(&r.nodes, rows[i].nodes, ' ');
        if (retention_is_left_over(&r, rows[i].node) != rows[i].left_over)
            fail_msg("%s", rows[i].what);
        strlist_done(&r.nodes);
        json_decref(r.detail);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(plans), cmocka_unit_test(parts_that_are_left_over)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
