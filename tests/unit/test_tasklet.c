/* SPDX-License-Identifier: Apache-2.0
 * Tasklets: what a header may say, which files are broken and why, what a submitter may give, and how a call
 * is written.
 */
#include <sys/stat.h>

#include "common/file/fs.h"
#include "orchestrator/core/tasklets.h"
#include "replica-agent/core/tasklet_header.h"
#include "replica-agent/host/tasklet_files.h"
#include "test.h"

#define S(text) ((char *)text)

static const char fibonacci[] = "#!/usr/bin/env python3\n"
                                "# SPDX-License-Identifier: Apache-2.0\n"
                                "# tasklet: fibonacci\n"
                                "# text: Prints the sequence\n"
                                "# text: for n.\n"
                                "# on: replica\n"
                                "# time-limit: 10m\n"
                                "# param: n int = 30 -- How many numbers.\n"
                                "# param: to text\n"
                                "# param: how fast|slow = slow\n"
                                "# param: note text = \n"
                                "\n"
                                "# param: late int\n";

static void a_header_is_read(void **state)
{
    (void)state;
    Err err;
    TaskletHeader h = {0};
    assert_ok(tasklet_header_read(fibonacci, &h, &err), err);
    const TaskletParam *p = h.t.params.v;
    assert_string_equal(h.name, "fibonacci");
    assert_string_equal(h.t.text, "Prints the sequence for n.");
    assert_int_equal(h.on, ROLE_REPLICA);
    assert_int_equal(h.time_limit_ms, 600000);
    assert_int_equal(h.t.params.n, 4);
    assert_string_equal(p[0].name, "n");
    assert_string_equal(p[0].fallback, "30");
    assert_string_equal(p[0].text, "How many numbers.");
    assert_null(p[1].fallback);
    assert_string_equal(p[2].type, "fast|slow");
    assert_string_equal(p[3].fallback, "");
    tasklet_header_done(&h);
    assert_ok(tasklet_header_read("-- tasklet: x\n-- param: a-b number = 1.5e3\n", &h, &err), err);
    assert_int_equal(h.on, ROLE_PRIMARY);
    tasklet_header_done(&h);
}

static void what_is_wrong_with_a_header_is_told_with_its_line(void **state)
{
    (void)state;
    static const struct {
        const char *text, *why;
    } rows[] = {
        {"#!/bin/sh\necho\n", "has no header"},
        {"# tasklet:\n", "line 1: the name is missing"},
        {"# tasklet: a\n# tasklet: b\n", "line 2: the name is given twice"},
        {"# tasklet: a\n# where: x\n", "line 2: \"where: x\" is none of tasklet:"},
        {"# tasklet: a\n# on: both\n", "line 2: on is \"both\"; it must be primary or replica"},
        {"# tasklet: a\n# time-limit: soon\n", "line 2: time-limit is \"soon\""},
        {"# tasklet: a\n# time-limit: 401d\n",
         "line 2: time-limit is \"401d\"; write 90s, 10m or 2h, at most 400d"},
        {"# tasklet: a\n# time-limt: 10m\n", "did you mean time-limit:?"},
        {"# tasklet: a\n# param: 1 int\n", "line 2: \"1\" is no name for a parameter"},
        {"# tasklet: a\n# param: x\n", "line 2: the type of x is \"\""},
        {"# tasklet: a\n# param: x float\n", "line 2: the type of x is \"float\""},
        {"# tasklet: a\n# param: x a||b\n", "line 2: the type of x is \"a||b\""},
        {"# tasklet: a\n# param: x int\n# param: x int\n", "line 3: the parameter x is there twice"},
        {"# tasklet: a\n# param: x int = many\n", "line 2: the default of x is \"many\"; it must be a whole"},
        {"# tasklet: a\n# param: x a|b = c\n", "the default of x is \"c\"; it must be a|b"},
        {"# tasklet: a\n# param: x int 30\n", "behind the type of x stands \"30\""},
        {"# tasklet: a\n# text: \x01\n", "line 2: holds control characters"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        Err err = {0};
        TaskletHeader h = {0};
        if (tasklet_header_read(rows[i].text, &h, &err) || !strstr(err.text, rows[i].why))
            fail_msg("row %zu: %s", i, err.text);
        assert_null(h.name);
    }
}

static void list(StrList *to, const char *words)
{
    strlist_done(to);
    strlist_split(to, words, ';');
}

static void arguments_are_checked_and_filled_in(void **state)
{
    (void)state;
    static const struct {
        const char *args, *why, *got;
    } rows[] = {
        {"to=me", NULL, "n=30 to=me how=slow note="},
        {"how=fast;to=a=b;n=-3", NULL, "n=-3 to=a=b how=fast note="},
        {"to=", NULL, "n=30 to= how=slow note="},
        {"", "tasklet fibonacci: it needs to=… (text)", NULL},
        {"to=x;n=many", "n is \"many\"; it must be a whole number", NULL},
        {"to=x;n=1;n=2", "n is given twice", NULL},
        {"to=x;how=medium", "how is \"medium\"; it must be fast|slow", NULL},
        {"to=x;hows=fast", "it has no parameter \"hows\" (did you mean \"how\"?); it takes n, to, how, note",
         NULL},
        {"to=x;now", "\"now\" is no parameter: write key=value", NULL},
        {"to=a\nb", "to holds control characters", NULL},
    };
    Err err;
    TaskletHeader h = {0};
    assert_ok(tasklet_header_read(fibonacci, &h, &err), err);
    for (size_t i = 0; i < COUNT(rows); i++) {
        AUTO(strlist_done) StrList args = STRLIST_INIT, got = STRLIST_INIT;
        list(&args, rows[i].args);
        err = (Err){0};
        if (tasklet_check("fibonacci", &h.t, &args, &err) != !rows[i].why ||
            (rows[i].why && !strstr(err.text, rows[i].why)))
            fail_msg("row %zu: %s", i, err.text);
        if (!rows[i].got)
            continue;
        tasklet_arguments(&h.t, &args, &got);
        AUTOFREE char *all = strlist_join(&got, " ");
        assert_string_equal(all, rows[i].got);
    }
    tasklet_header_done(&h);
}

static void types_take_their_values_only(void **state)
{
    (void)state;
    static const struct {
        const char *type, *good, *bad;
    } rows[] = {{"int", "0;-7;9223372036854775807", "1.5;;9223372036854775808;0x1; 1"},
                {"number", "1;-1.5e3;.5", "1e999;nan;inf;0x1p3;1 ; 1;one"},
                {"bool", "true;false", "yes;1;True"},
                {"a|b", "a;b", "c;a|b;A"},
                {"text", "anything;a=b;é", "\x7f;\xff"}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        AUTO(strlist_done) StrList good = STRLIST_INIT, bad = STRLIST_INIT;
        TaskletParam p = {.name = S("x"), .type = S(rows[i].type)};
        Err err;
        list(&good, rows[i].good);
        list(&bad, rows[i].bad);
        for (size_t k = 0; k < good.n; k++)
            assert_ok(tasklet_check_value(&p, good.v[k], &err), err);
        for (size_t k = 0; k < bad.n; k++)
            if (tasklet_check_value(&p, bad.v[k], &err))
                fail_msg("%s takes \"%s\"", rows[i].type, bad.v[k]);
    }
}

static void a_call_is_written_as_in_bibsched(void **state)
{
    (void)state;
    static const struct {
        const char *text, *name, *args, *why;
    } rows[] = {
        {"bst_x", "bst_x", "", NULL},
        {" bst_x [ ] ", "bst_x", "", NULL},
        {"bst_x[a=1]", "bst_x", "a=1", NULL},
        {"bst_x[fromaddr='', toaddr='', subject='hello, [you]',]", "bst_x",
         "fromaddr=;toaddr=;subject=hello, [you]", NULL},
        {"bst_x[a=\"it's\", b = 'a\\'b\\\\' , c= two words ]", "bst_x", "a=it's;b=a'b\\;c=two words", NULL},
        {"[a=1]", NULL, NULL, "names no tasklet"},
        {"bst_x[a=1", NULL, NULL, "has no closing bracket"},
        {"bst_x[a]", NULL, NULL, "is no key=value"},
        {"bst_x[a=1]x", NULL, NULL, "stands behind the closing bracket"},
        {"bst_x[a='1]", NULL, NULL, "has no closing quote"},
        {"bst_x[a='1'x]", NULL, NULL, "where , or ] is expected"},
        {"bst_x[1=2]", NULL, NULL, "is no key=value"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        Err err = {0};
        AUTOFREE char *name = NULL;
        AUTO(strlist_done) StrList args = STRLIST_INIT;
        bool ok = tasklet_read_call(rows[i].text, &name, &args, &err);
        AUTOFREE char *all = strlist_join(&args, ";");
        if (ok != !rows[i].why || (rows[i].why && !strstr(err.text, rows[i].why)))
            fail_msg("row %zu: %s", i, err.text);
        if (ok && (!str_eq(name, rows[i].name) || !str_eq(all, rows[i].args)))
            fail_msg("row %zu: %s: %s", i, name, all);
    }
}

/* ---- a folder --------------------------------------------------------------------------------------- */

static void put(const char *dir, const char *name, const char *text, mode_t mode)
{
    Err err;
    AUTOFREE char *path = xasprintf("%s/%s", dir, name);
    assert_ok(fs_replace(path, text, strlen(text), mode, &err), err);
    assert_int_equal(chmod(path, mode), 0);
}

static const char *fault_of(const JobList *l, const char *name)
{
    const TaskletFault *f = l->faults.v;
    for (size_t i = 0; i < l->faults.n; i++)
        if (str_eq(f[i].name, name))
            return f[i].error;
    return NULL;
}

static void broken_ones_stand_apart(void **state)
{
    (void)state;
    Err err;
    char dir[] = "/tmp/test-tasklet-XXXXXX";
    assert_non_null(mkdtemp(dir));
    put(dir, "fibonacci.py", fibonacci, 0755);
    put(dir, "fibonacci", fibonacci, 0755);
    put(dir, "other.py", fibonacci, 0755);
    put(dir, "asleep", "# tasklet: asleep\n", 0644);
    put(dir, "open", "# tasklet: open\n", 0757);
    put(dir, "plain", "#!/bin/sh\n", 0755);
    put(dir, "dump", "# tasklet: dump\n", 0755);
    put(dir, "helper.py", "import sys\n", 0644);
    put(dir, ".hidden", "# tasklet: nobody\n", 0755);
    AgentConfig c = {.tasklets_dir = dir};
    JobList l = {0};
    job_list_load(&c, &l);
    assert_int_equal(l.n, 1);
    const JobConfig *j = job_list_find(&l, "fibonacci");
    assert_non_null(j);
    assert_non_null(j->tasklet);
    assert_string_equal(j->f.kind, "command");
    assert_string_equal(j->f.on, "replica");
    assert_string_equal(j->f.program, j->path);
    assert_int_equal(j->f.time_limit_ms, 600000);
    assert_int_equal(strlen(j->digest), 64);
    assert_int_equal(l.faults.n, 6);
    assert_int_equal(l.warnings.n, 6);
    assert_non_null(strstr(fault_of(&l, "fibonacci.py"), "is already defined in"));
    assert_non_null(
        strstr(fault_of(&l, "other.py"), "its header has the name \"fibonacci\", its file another"));
    assert_non_null(strstr(fault_of(&l, "asleep"), "may not be executed: chmod +x"));
    assert_non_null(strstr(fault_of(&l, "open"), "may be written by everybody"));
    assert_non_null(strstr(fault_of(&l, "plain"), "has no header"));
    assert_non_null(strstr(fault_of(&l, "dump"), "is built in"));
    assert_int_equal(chmod(dir, 0777), 0);
    job_list_load(&c, &l);
    assert_int_equal(l.n, 0);
    assert_int_equal(l.warnings.n, 1);
    assert_non_null(strstr(l.warnings.v[0], "tasklets_dir: "));
    job_list_done(&l);
    assert_ok(fs_remove_tree(dir, &err), err);
}

/* ---- as the coordinator sees them ------------------------------------------------------------------- */

static json_t *told(void)
{
    Err err;
    TaskletHeader h = {0};
    assert_ok(tasklet_header_read(fibonacci, &h, &err), err);
    json_t *j = wire_write(tasklet_fields, &h.t);
    tasklet_header_done(&h);
    return j;
}

static void expect_refused(const Node *const *nodes, const char *name, const char *args, const char *why)
{
    Err err = {0};
    AUTO(strlist_done) StrList words = STRLIST_INIT;
    list(&words, args);
    if (tasklets_check(nodes, 2, name, &words, &err) != !why || (why && !strstr(err.text, why)))
        fail_msg("%s %s: %s", name, args, err.text);
}

static void the_coordinator_knows_them_by_their_agents(void **state)
{
    (void)state;
    Err err;
    json_t *found;
    AUTOJSON json_t *t = told();
    JobInfo jobs[] = {{.name = S("fibonacci"), .kind = KIND_COMMAND, .on = ROLE_REPLICA, .tasklet = t},
                      {.name = S("count"), .kind = KIND_COMMAND, .on = ROLE_REPLICA}};
    TaskletFault fault = {S("bst_old.py"), S("line 3: nonsense")};
    Node a = {.name = S("db0"), .agent.jobs = {jobs, 2}, .agent.tasklet_faults = {&fault, 1}},
         b = {.name = S("db1"), .agent.jobs = {jobs, 2}};
    const Node *nodes[] = {&a, &b};
    expect_refused(nodes, "fibonacci", "to=x", NULL);
    expect_refused(nodes, "fibonacci", "", "tasklet fibonacci: it needs to=");
    expect_refused(nodes, "count", "", "the job \"count\" is no tasklet");
    expect_refused(nodes, "bst_old", "", "the tasklet bst_old.py of db0 is broken: line 3: nonsense");
    expect_refused(nodes, "bst_ol", "", "no agent knows a tasklet \"bst_ol\"");
    expect_refused(nodes, "fibonaci", "", "did you mean \"fibonacci\"");
    AUTO(strlist_done) StrList odd = STRLIST_INIT;
    strlist_add(&odd, "--all");
    assert_false(tasklets_check_job(&jobs[0], &odd, &err));
    assert_ok(tasklets_check_job(&jobs[1], &odd, &err), err);
    assert_ok(tasklets_find(nodes, 2, "fibonacci", &found, &err), err);
    assert_int_equal(json_array_size(json_object_get(found, "nodes")), 2);
    json_decref(found);
    assert_false(tasklets_find(nodes, 2, "bst_old", &found, &err));
    AUTOJSON json_t *all = tasklets_list(nodes, 2);
    assert_int_equal(json_array_size(json_object_get(all, "tasklets")), 1);
    assert_int_equal(json_array_size(json_object_get(all, "broken")), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_header_is_read),
        cmocka_unit_test(what_is_wrong_with_a_header_is_told_with_its_line),
        cmocka_unit_test(arguments_are_checked_and_filled_in),
        cmocka_unit_test(types_take_their_values_only),
        cmocka_unit_test(a_call_is_written_as_in_bibsched),
        cmocka_unit_test(broken_ones_stand_apart),
        cmocka_unit_test(the_coordinator_knows_them_by_their_agents),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
