/* SPDX-License-Identifier: Apache-2.0
 * sidingd.conf: what its table cannot say, and where a client finds the coordinator.
 */
#include "test.h"

#include <unistd.h>

#include "common/file/fs.h"
#include "common/net/coordconf.h"

static char path[64];

/* A good file but for one line. */
static bool load(const char *listen, const char *agents, const char *more, SidingConfig *ret, Err *err)
{
    AUTOFREE char *text = xasprintf("cluster_name = \"c\"; state_dir = \"/var/lib/siding\";\n"
                                    "listen = %s;\n"
                                    "database_defaults_file = \"/etc/siding/coordinator.cnf\";\n"
                                    "agents = %s;\n%s",
                                    listen, agents, more);
    assert_ok(fs_replace(path, text, strlen(text), 0600, err), *err);
    return coordconf_load(path, ret, err);
}

#define GOOD_LISTEN "[ \"127.0.0.1:7320\" ]"
#define GOOD_AGENTS "( { name = \"db0\"; url = \"http://127.0.0.1:7310\"; } )"

static void a_small_file_is_enough(void **state)
{
    (void)state;
    SidingConfig c;
    Err err;
    assert_ok(load(GOOD_LISTEN, GOOD_AGENTS, "", &c, &err), err);
    assert_int_equal(coordconf_agents(&c), 1);
    assert_string_equal(coordconf_agent(&c, 0)->name, "db0");
    assert_string_equal(c.log_level, "info");
    assert_int_equal(c.grants.hosts.n, 2);
    assert_string_equal(c.grants.load.v[0], "*");
    assert_int_equal(c.pause_limit_ms, 12 * 3600000);
    assert_false(tls_is_set(&c.tls));
    coordconf_free(&c);
    assert_ok(load(GOOD_LISTEN, GOOD_AGENTS, "grants = { read = [ \"app\", \"shop\" ]; };", &c, &err), err);
    assert_int_equal(c.grants.read.n, 2);
    assert_string_equal(c.grants.hosts.v[1], "127.0.0.1");
    coordconf_free(&c);
}

static void bad_files(void **state)
{
    (void)state;
    static const struct {
        const char *listen, *agents, *more, *says;
    } rows[] = {
        {"[ ]", GOOD_AGENTS, "", ":2: option \"listen\": no address"},
        {"[ \"0.0.0.0:7320\" ]", GOOD_AGENTS, "",
         ":2: option \"listen\": \"0.0.0.0:7320\" is neither a unix socket nor loopback: it needs tls"},
        {"[ \"tls:127.0.0.1:7320\" ]", GOOD_AGENTS, "",
         ":2: option \"listen\": \"tls:127.0.0.1:7320\" needs tls"},
        {GOOD_LISTEN, "( )", "", ":4: option \"agents\": no agent"},
        {GOOD_LISTEN,
         "(\n{ name = \"a\"; url = \"http://localhost:1\"; },\n{ name = \"a\"; url = \"unix:/a\"; } )", "",
         ":6: option \"agents.[1].name\": \"a\" is named twice"},
        {GOOD_LISTEN, "( { name = \"a\"; url = \"127.0.0.1:7310\"; } )", "", "is no URL; write http://"},
        {GOOD_LISTEN, "( { name = \"a\"; url = \"http://db1:7310\"; } )", "",
         "is not loopback: use https://"},
        {GOOD_LISTEN, "( { name = \"a\"; url = \"https://db1:7310\"; } )", "", "needs tls"},
        {GOOD_LISTEN, GOOD_AGENTS, "tls = { key_file = \"/k\"; };",
         ":5: option \"tls\": tls.certificate_file is missing"},
        {GOOD_LISTEN, GOOD_AGENTS, "min_servin = 1;",
         ":5: option \"min_servin\": not known; did you mean \"min_serving\"?"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        SidingConfig c;
        Err err;
        assert_false(load(rows[i].listen, rows[i].agents, rows[i].more, &c, &err));
        assert_int_equal(err.kind, ERR_CONFIG);
        assert_true(str_starts(err.text, path));
        if (!strstr(err.text, rows[i].says))
            fail_msg("row %zu: %s", i, err.text);
        assert_null(c.cluster_name);
    }
}

static void where_clients_go(void **state)
{
    (void)state;
    static const struct {
        const char *listen[3], *url;
    } rows[] = {
        {{"127.0.0.1:1", "unix:/run/s"}, "unix:/run/s"},
        {{"127.0.0.1:1"}, "http://127.0.0.1:1"},
        {{"db0:1", "[::1]:2"}, "http://[::1]:2"},
        {{"db0:1"}, "https://db0:1"},
        {{"*:1"}, "https://localhost:1"},
        {{"tls:127.0.0.1:1"}, "https://127.0.0.1:1"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        SidingConfig c = {0};
        for (size_t j = 0; rows[i].listen[j]; j++)
            strlist_add(&c.listen, rows[i].listen[j]);
        AUTOFREE char *url = coordconf_url(&c);
        assert_string_equal(url, rows[i].url);
        strlist_done(&c.listen);
    }
}

int main(void)
{
    snprintf(path, sizeof path, "/tmp/test-coordconf-%d.conf", (int)getpid());
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_small_file_is_enough),
        cmocka_unit_test(bad_files),
        cmocka_unit_test(where_clients_go),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(path);
    return failed;
}
