/* SPDX-License-Identifier: Apache-2.0
 * siding init: nodes as words, who is the primary, and what the files say.
 */
#include "orchestrator/cli/init.h"

#include "test.h"

static void nodes_as_words(void **state)
{
    (void)state;
    static const struct {
        const char *word, *name, *host;
        int64_t port;
    } good[] = {{"db0=10.0.0.1", "db0", "10.0.0.1", 3306},
                {"a-b_c.d=db1.example.org:3307", "a-b_c.d", "db1.example.org", 3307},
                {"db2=[fd00::2]", "db2", "fd00::2", 3306},
                {"db2=[fd00::2]:3310", "db2", "fd00::2", 3310}};
    static const char *const bad[] = {"db0",     "=h",      "db0=",        "a b=h",        "a/b=h", "db0=h:",
                                      "db0=h:x", "db0=h:0", "db0=h:65536", "db0=[fd00::2", "db0=[]"};
    Err err;
    InitNode n = {0};
    for (size_t i = 0; i < COUNT(good); i++) {
        assert_ok(init_read_node(good[i].word, &n, &err), err);
        assert_string_equal(n.name, good[i].name);
        assert_string_equal(n.host, good[i].host);
        assert_int_equal(n.port, good[i].port);
        init_node_done(&n);
    }
    for (size_t i = 0; i < COUNT(bad); i++) {
        if (init_read_node(bad[i], &n, &err))
            fail_msg("\"%s\" was taken", bad[i]);
        assert_int_equal(err.kind, ERR_USAGE);
    }
}

static void the_primary_is_the_one_that_follows_none(void **state)
{
    (void)state;
    InitNode n[3] = {{.name = (char *)"a", .seen = true},
                     {.name = (char *)"b", .seen = true},
                     {.name = (char *)"c", .seen = true}};
    InitPlan p = {.nodes = n, .n = 3};
    assert_null(init_primary(&p));
    n[0].facts.repl.is_replica = n[2].facts.repl.is_replica = true;
    assert_ptr_equal(init_primary(&p), &n[1]);
    n[2].seen = false;
    assert_null(init_primary(&p));
}

static void expect_in(const Str *text, const char *part)
{
    if (!strstr(str_z(text), part))
        fail_msg("no \"%s\" in\n%s", part, str_z(text));
}

static void files_name_what_others_need(void **state)
{
    (void)state;
    AUTO(strlist_done) StrList databases = STRLIST_INIT;
    AUTO(str_done) Str agent = STR_INIT, coordinator = STR_INIT, options = STR_INIT, said = STR_INIT;
    InitNode n[2] = {
        {.name = (char *)"db0", .host = (char *)"10.0.0.1", .port = 3306, .trouble = (char *)"refused"},
        {.name = (char *)"db1", .host = (char *)"fd00::2", .port = 3307, .trouble = (char *)"refused"}};
    strlist_add(&databases, "library");
    InitPlan p = {
        .cluster = "c", .coordinator = "10.0.0.9", .dir = "/x", .databases = &databases, .nodes = n, .n = 2};
    init_agent_conf(&p, &n[1], &agent);
    expect_in(&agent, "listen = [ \"[fd00::2]:3310\" ];\nadvertise_url = \"https://[fd00::2]:3310\";");
    expect_in(&agent, "address = \"fd00::2\";\n    port = 3307;");
    expect_in(&agent, "rescue_defaults_file");
    init_sidingd_conf(&p, &coordinator);
    expect_in(&coordinator, "{ name = \"db1\"; url = \"https://[fd00::2]:3310\"; }\n);");
    expect_in(&coordinator, "hosts = [ \"localhost\", \"10.0.0.9\" ]");
    expect_in(&coordinator, "read = [ \"library\" ]");
    init_option_file(&p, &n[0], &options);
    expect_in(&options, "\nskip_slave_start=ON\n");
    expect_in(&options, "\nrelay_log=relay\n");
    expect_in(&options, "\nssl_cert=/etc/siding/db0.pem\n");
    AUTO(str_done) Str joins = STR_INIT, lines = STR_INIT;
    n[1].is_filled = true;
    n[0].agent_url = (char *)"https://db0.example.org:3333";
    p.etc = "/opt/s";
    p.steered_by = "boss";
    init_agent_conf(&p, &n[1], &joins);
    expect_in(&joins, "provision_defaults_file = \"/opt/s/provision.cnf\";\n");
    expect_in(&joins, "    { name = \"db0\"; url = \"https://db0.example.org:3333\"; }\n);");
    expect_in(&joins, "\"cert:boss\"");
    if (strstr(str_z(&joins), "\"/etc/"))
        fail_msg("a path of another folder in\n%s", str_z(&joins));
    init_option_file(&p, &n[1], &lines);
    expect_in(&lines, "\nssl_key=/opt/s/db1.key\n");
    init_tell(&p, &said);
    expect_in(&said, "db0 (10.0.0.1:3306): not looked at: refused\n");
    expect_in(&said, "START SLAVE");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nodes_as_words),
        cmocka_unit_test(the_primary_is_the_one_that_follows_none),
        cmocka_unit_test(files_name_what_others_need),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
