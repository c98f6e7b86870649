/* SPDX-License-Identifier: Apache-2.0
 * Configuration files: values, fallbacks, and errors that name file, line and option.
 */
#include "test.h"

#include <unistd.h>

#include "common/file/conf.h"
#include "common/file/fs.h"

typedef struct Node {
    char *name, *query;
    int64_t port;
} Node;

typedef struct Inner {
    char *socket;
    int64_t wait_ms;
} Inner;

typedef struct Sample {
    char *cluster, *format, *dir;
    int64_t bytes, lease_ms;
    bool on;
    StrList listen;
    Inner server;
    ConfList nodes;
} Sample;

static const ConfOption node_rows[] = {
    {"name", CONF_STR, offsetof(Node, name), .required = true, .doc = "Its name."},
    {"query", CONF_STR, offsetof(Node, query), .max = 20, .lines = true},
    {"port", CONF_INT, offsetof(Node, port), .fallback = "3306", .min = 1, .max = 65535, .doc = "Its port."},
    {0},
};
static const ConfOption inner_rows[] = {
    {"socket", CONF_PATH, offsetof(Inner, socket), .required = true, .doc = "Its socket."},
    {"wait", CONF_DURATION, offsetof(Inner, wait_ms), .fallback = "5s", .doc = "How long to wait."},
    {0},
};
static const ConfOption rows[] = {
    {"cluster_name", CONF_STR, offsetof(Sample, cluster), .required = true, .restart = true,
     .doc = "The cluster."},
    {"log_format", CONF_STR, offsetof(Sample, format), .fallback = "text", .choices = "text|json"},
    {"state_dir", CONF_PATH, offsetof(Sample, dir)},
    {"min_free_bytes", CONF_INT, offsetof(Sample, bytes), .fallback = "1000"},
    {"lease", CONF_DURATION, offsetof(Sample, lease_ms), .min = 1000, .max = 86400000, .fallback = "1h"},
    {"allow", CONF_BOOL, offsetof(Sample, on), .fallback = "true"},
    {"listen", CONF_STRS, offsetof(Sample, listen), .fallback = "a,b"},
    {"server", CONF_GROUP, offsetof(Sample, server), .group = inner_rows, .restart = true,
     .doc = "The server."},
    {"nodes", CONF_LIST, offsetof(Sample, nodes), .group = node_rows, .size = sizeof(Node)},
    {0},
};

static char path[64];

static bool load(const char *text, Sample *ret, Err *err)
{
    memset(ret, 0, sizeof *ret);
    memset(err, 0, sizeof *err);
    assert_ok(fs_replace(path, text, strlen(text), 0600, err), *err);
    return conf_load(path, rows, ret, err);
}

static void reads_every_type(void **state)
{
    (void)state;
    Sample s;
    Err err;
    assert_ok(load("cluster_name = \"c\";\nlog_format = \"json\";\nstate_dir = \"/x\";\n"
                   "min_free_bytes = 5000000000L;\nlease = \"2h\";\nallow = false;\nlisten = [ \"u\" ];\n"
                   "server = { socket = \"/s\"; wait = 7; };\n"
                   "nodes = ( { name = \"a\"; }, { name = \"b\"; port = 33; } );\n",
                   &s, &err),
              err);
    assert_string_equal(s.cluster, "c");
    assert_string_equal(s.format, "json");
    assert_string_equal(s.dir, "/x");
    assert_int_equal(s.bytes, 5000000000);
    assert_int_equal(s.lease_ms, 7200000);
    assert_false(s.on);
    assert_int_equal(s.listen.n, 1);
    assert_string_equal(s.server.socket, "/s");
    assert_int_equal(s.server.wait_ms, 7000);
    Node *n = s.nodes.v;
    assert_int_equal(s.nodes.n, 2);
    assert_string_equal(n[0].name, "a");
    assert_int_equal(n[0].port, 3306);
    assert_int_equal(n[1].port, 33);
    conf_free(rows, &s);
    assert_null(s.cluster);
    assert_null(s.nodes.v);
}

static void fills_fallbacks(void **state)
{
    (void)state;
    Sample s;
    Err err;
    assert_ok(load("cluster_name = \"c\";", &s, &err), err);
    assert_string_equal(s.format, "text");
    assert_null(s.dir);
    assert_int_equal(s.lease_ms, 3600000);
    assert_true(s.on);
    assert_int_equal(s.listen.n, 2);
    assert_string_equal(s.listen.v[1], "b");
    assert_null(s.server.socket); /* a group left out demands nothing */
    assert_int_equal(s.server.wait_ms, 5000);
    conf_free(rows, &s);
}

static void errors_name_line_and_option(void **state)
{
    (void)state;
    static const struct {
        const char *text, *says;
    } bad[] = {
        {"cluster_name = \"c\";\nlog_formt = \"x\";",
         ":2: option \"log_formt\": not known; did you mean \"log_format\"?"},
        {"cluster_name = \"c\";\nzzzzzzzzz = 1;", ":2: option \"zzzzzzzzz\": not known here"},
        {"lease = 5;", ": option \"cluster_name\": missing; it is required: The cluster."},
        {"cluster_name = 5;", ":1: option \"cluster_name\": expected text in double quotes"},
        {"cluster_name = \"c\";\n\nlog_format = \"xml\";",
         ":3: option \"log_format\": \"xml\" is not one of \"text\", \"json\""},
        {"cluster_name = \"c\";\nstate_dir = \"x\";",
         ":2: option \"state_dir\": \"x\" is not an absolute path"},
        {"cluster_name = \"c\";\nmin_free_bytes = \"5\";",
         ":2: option \"min_free_bytes\": expected a whole number"},
        {"cluster_name = \"c\";\nlease = \"soon\";", ":2: option \"lease\": \"soon\" is not a duration"},
        {"cluster_name = \"c\";\nlease = \"2d\";", ":2: option \"lease\": "},
        {"cluster_name = \"c\";\nlease = 9223372036854775807L;", ":2: option \"lease\": expected a duration"},
        {"cluster_name = \"c\";\nallow = 1;", ":2: option \"allow\": expected true or false"},
        {"cluster_name = \"c\";\nlisten = \"a\";", ":2: option \"listen\": expected an array of texts"},
        {"cluster_name = \"c\";\nlisten = [ 1, 2 ];", ":2: option \"listen\": expected an array of texts"},
        {"cluster_name = \"c\";\nserver = { };", ":2: option \"socket\": missing"},
        {"cluster_name = \"c\";\nserver = 1;", ":2: option \"server\": expected a group"},
        {"cluster_name = \"c\";\nnodes = ( { name = \"a\"; },\n { port = 1; } );",
         ":3: option \"name\": missing"},
        {"cluster_name = \"c\";\nnodes = ( { name = \"a\"; port = 0; } );",
         ":2: option \"port\": 0 is outside 1 to 65535"},
        {"cluster_name = \"c\";\nlease = ;", ":2: syntax error"},
        {"cluster_name = \"c\";\ncluster_name = \"d\";", ":2: duplicate setting name"},
    };
    for (size_t i = 0; i < COUNT(bad); i++) {
        Sample s;
        Err err;
        AUTOFREE char *says = xasprintf("%s%s", path, bad[i].says);
        assert_false(load(bad[i].text, &s, &err));
        assert_int_equal(err.kind, ERR_CONFIG);
        if (!str_starts(err.text, says))
            fail_msg("row %zu says \"%s\", not \"%s\"", i, err.text, says);
        assert_null(s.cluster);
        assert_null(s.listen.v);
    }
}

static void expect_refused(const char *text, const char *why)
{
    Err err;
    Sample s;
    assert_false(load(text, &s, &err));
    assert_non_null(strstr(err.text, why));
}

static void texts_are_bounded(void **state)
{
    (void)state;
    Err err;
    Sample s;
    assert_true(
        load("cluster_name = \"a\"; nodes = ( { name = \"é\"; query = \"SELECT\n\t1\"; } );", &s, &err));
    conf_free(rows, &s);
    expect_refused("cluster_name = \"a\\nb\";", "option \"cluster_name\": it holds a control character");
    expect_refused("cluster_name = \"a\\x1b[2J\";", "control character");
    expect_refused("cluster_name = \"a\\xff\";", "option \"cluster_name\": it is not UTF-8");
    expect_refused("cluster_name = \"\xe2\x80\xae\";", "control character");
    expect_refused("cluster_name = \"a\"; listen = [ \"b\", \"c\\x07\" ];", "option \"listen\"");
    expect_refused(
        "cluster_name = \"a\"; nodes = ( { name = \"m\"; query = \"SELECT 1 FROM far.too_long\"; } );",
        "a text of 26 bytes; it wants 0 to 20");
    expect_refused("cluster_name = \"a\"; nodes = ( { name = \"m\"; query = \"\\x1b\"; } );",
                   "control character");
}

static void sizes_are_bounded(void **state)
{
    (void)state;
    AUTO(str_done) Str long_name = STR_INIT, long_list = STR_INIT, long_file = STR_INIT;
    str_adds(&long_name, "cluster_name = \"");
    for (int i = 0; i <= CONF_TEXT_BYTES; i++)
        str_addc(&long_name, 'a');
    str_adds(&long_name, "\";");
    expect_refused(str_z(&long_name), "a text of 4097 bytes; it wants 0 to 4096");
    str_adds(&long_list, "cluster_name = \"a\"; listen = [ \"a\"");
    for (int i = 0; i < CONF_LIST_ELEMENTS; i++)
        str_adds(&long_list, ", \"b\"");
    str_adds(&long_list, " ];");
    expect_refused(str_z(&long_list), "10001 elements; at most 10000 are taken");
    str_adds(&long_file, "cluster_name = \"a\";");
    for (int i = 0; i < 1 << 20; i++)
        str_addc(&long_file, '\n');
    expect_refused(str_z(&long_file), "at most 1048576 are read");
}

static void a_missing_file_is_told(void **state)
{
    (void)state;
    Sample s = {0};
    Err err;
    assert_false(conf_load("/nonexistent/x.conf", rows, &s, &err));
    assert_string_equal(err.text,
                        "cannot read configuration file /nonexistent/x.conf: No such file or directory");
}

static void later_checks_find_the_line(void **state)
{
    (void)state;
    Sample s;
    Err err;
    assert_ok(
        load("cluster_name = \"c\";\nserver = { socket = \"/s\";\nwait = 1; };\nnodes = ( { name = \"a\"; "
             "},\n{ name = \"b\"; } );\n",
             &s, &err),
        err);
    static const struct {
        const char *option, *place;
    } cases[] = {{"cluster_name", ":1"}, {"server.wait", ":3"}, {"nodes.[1].name", ":5"}, {"lease", ""}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTOFREE char *says =
            xasprintf("%s%s: option \"%s\": no good", path, cases[i].place, cases[i].option);
        assert_false(conf_error(&err, path, cases[i].option, "no %s", "good"));
        assert_string_equal(err.text, says);
    }
    conf_free(rows, &s);
}

static void pages_come_from_the_rows(void **state)
{
    (void)state;
    AUTO(str_done) Str page = STR_INIT, sample = STR_INIT;
    conf_write_reference(rows, &page);
    assert_non_null(strstr(page.p, "| `cluster_name` | text | required | The cluster. Needs a restart. |\n"));
    assert_non_null(strstr(page.p, "| `nodes[].port` | whole number, 1 to 65535 | `3306` | Its port. |\n"));
    assert_non_null(
        strstr(page.p, "| `server.wait` | duration | `5s` | How long to wait. Needs a restart. |\n"));
    conf_write_sample(rows, &sample);
    assert_non_null(strstr(sample.p, "# The cluster.\ncluster_name = \"\";\n"));
    Sample s;
    Err err;
    assert_ok(load(sample.p, &s, &err), err); /* the sample is itself a valid file */
    conf_free(rows, &s);
}

static void expect_names(const StrList *l, const char *want)
{
    AUTOFREE char *names = strlist_join(l, " ");
    assert_string_equal(names, want);
}

static void changes_are_taken_or_need_a_restart(void **state)
{
    (void)state;
    Err err;
    Sample old, fresh;
    AUTO(strlist_done) StrList taken = STRLIST_INIT, restart = STRLIST_INIT;
    assert_true(
        load("cluster_name = \"a\"; lease = \"2h\"; server = { socket = \"/s\"; }; listen = [ \"x\" ];"
             "nodes = ( { name = \"n\"; } );",
             &old, &err));
    assert_true(
        load("cluster_name = \"b\"; lease = \"3h\"; server = { socket = \"/t\"; }; listen = [ \"x\", \"y\" ];"
             "allow = false; nodes = ( { name = \"n\"; port = 1; } );",
             &fresh, &err));
    conf_compare(rows, &old, &fresh, &taken, &restart);
    expect_names(&taken, "lease allow listen nodes");
    expect_names(&restart, "cluster_name server.socket");
    conf_keep(rows, &old, &fresh);
    assert_string_equal(fresh.cluster, "a");
    assert_string_equal(fresh.server.socket, "/s");
    assert_string_equal(old.server.socket, "/t");
    assert_int_equal(fresh.lease_ms, 3 * 3600 * 1000);
    assert_false(fresh.on);
    conf_free(rows, &old);
    conf_free(rows, &fresh);
}

static void the_same_values_are_the_same_text(void **state)
{
    (void)state;
    static const char *const same[] = {"cluster_name = \"a\"; lease = \"1h\";",
                                       "# else\nlease = 3600;\n cluster_name = \"a\"; allow = true;"};
    static const char *const other[] = {"cluster_name = \"a\"; listen = [ \"a,b\" ];",
                                        "cluster_name = \"a\"; nodes = ( { name = \"n\"; } );",
                                        "cluster_name = \"a\"; nodes = ( { name = \"m\"; } );",
                                        "cluster_name = \"a\"; server = { socket = \"/s\"; wait = 6; };"};
    Err err;
    Sample s;
    AUTO(strlist_done) StrList texts = STRLIST_INIT;
    for (size_t i = 0; i < COUNT(same); i++) {
        AUTO(str_done) Str out = STR_INIT;
        assert_true(load(same[i], &s, &err));
        conf_text(rows, &s, &out);
        conf_free(rows, &s);
        assert_true(i == 0 || strlist_has(&texts, str_z(&out)));
        strlist_add(&texts, str_z(&out));
    }
    for (size_t i = 0; i < COUNT(other); i++) {
        AUTO(str_done) Str out = STR_INIT;
        assert_true(load(other[i], &s, &err));
        conf_text(rows, &s, &out);
        conf_free(rows, &s);
        assert_false(strlist_has(&texts, str_z(&out)));
        strlist_add(&texts, str_z(&out));
    }
}

int main(void)
{
    snprintf(path, sizeof path, "/tmp/test-conf-%d.conf", (int)getpid());
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_every_type),
        cmocka_unit_test(fills_fallbacks),
        cmocka_unit_test(errors_name_line_and_option),
        cmocka_unit_test(texts_are_bounded),
        cmocka_unit_test(sizes_are_bounded),
        cmocka_unit_test(a_missing_file_is_told),
        cmocka_unit_test(later_checks_find_the_line),
        cmocka_unit_test(pages_come_from_the_rows),
        cmocka_unit_test(changes_are_taken_or_need_a_restart),
        cmocka_unit_test(the_same_values_are_the_same_text),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(path);
    return failed;
}
