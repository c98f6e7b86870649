/* SPDX-License-Identifier: Apache-2.0
 * The reference pages say what the option tables say. SIDING_WRITE_REFERENCE=1 writes them anew.
 */
#include "test.h"

#include "common/db/session.h"
#include "common/file/fs.h"
#include "common/net/coordconf.h"
#include "orchestrator/cli/cmd.h"
#include "replica-agent/dump/options.h"

static void compare(const char *page, const Str *want)
{
    Err err;
    AUTO(str_done) Str have = STR_INIT;
    AUTOFREE char *path = xasprintf("%s/docs/reference/%s", getenv("SIDING_SOURCE_DIR"), page);
    if (getenv("SIDING_WRITE_REFERENCE"))
        assert_ok(fs_replace(path, want->p, want->len, 0644, &err), err);
    assert_ok(fs_read(path, 1 << 20, &have, &err), err);
    if (strcmp(str_z(&have), str_z(want)) != 0)
        fail_msg("docs/reference/%s is not what the tables say: run this test with SIDING_WRITE_REFERENCE=1",
                 page);
}

static void siding_page(void **state)
{
    (void)state;
    AUTO(str_done) Str page = STR_INIT;
    str_adds(&page, "# siding\n\nGenerated from the tables of `orchestrator/cli/`; do not edit.\n\n```\n");
    cli_write_overview(NULL, &page);
    str_adds(&page, "```\n");
    for (const CliCommand *const *c = cli_commands; *c; c++) {
        AUTOFREE char *name = cli_command_name(*c);
        str_addf(&page, "\n## siding %s\n\n```\n", name);
        cli_write_help(*c, &page);
        str_adds(&page, "```\n");
    }
    compare("siding.md", &page);
}

static void sidingd_conf_page(void **state)
{
    (void)state;
    AUTO(str_done) Str page = STR_INIT;
    str_adds(
        &page,
        "# sidingd.conf\n\nGenerated from the table in `common/net/coordconf.c`; do not edit. The syntax is "
        "libconfig's. `siding` reads\nthe same file.\n\n");
    conf_write_reference(coordconf_options, &page);
    str_adds(&page,
             "\n## A client's file\n\nFor `siding` where `sidingd.conf` is not to be read: by `--config`, "
             "`SIDING_CONFIG`, or in `/etc/siding/client.conf`.\n\n");
    conf_write_reference(coordconf_client_options, &page);
    compare("sidingd.conf.md", &page);
}

static void siding_dump_page(void **state)
{
    (void)state;
    AUTO(str_done) Str page = STR_INIT;
    str_adds(&page,
             "# siding-dump\n\nGenerated from the table in `replica-agent/dump/options.c`; do not edit. "
             "[dump.md](../dump.md) says how it works.\n\n```\n");
    dump_options_help(&page);
    str_adds(&page, "```\n");
    compare("siding-dump.md", &page);
    for (const Opt *o = dump_option_rows; o->name; o++)
        assert_true(o->doc && str_ends(o->doc, "."));
}

static void sessions_page(void **state)
{
    (void)state;
    AUTO(str_done) Str page = STR_INIT;
    size_t n;
    const SessionVariable *v = session_variables(&n);
    static const char *const how[] = {"set", "set where the account may",
                                      "at least this, or jobs and loads are refused"};
    str_adds(&page,
             "# Session variables\n\nGenerated from the table in `common/db/session.c`; do not edit. Every "
             "connection of every program gives\nthese values to the variables that change a result, a limit "
             "or a lifetime, after the server's `init_connect`\nhas run: what a job reads and a load writes "
             "does not depend on the server's globals. Budgets of memory and disk stay the\nserver's: past "
             "them a statement fails. A query of a job that needs another value says so itself, such as\n"
             "`CONVERT_TZ`, `WEEK(d, 3)` or `LEFT(GROUP_CONCAT(…), 100)`. `siding check` names what a plain "
             "account may not set.\n\n"
             "| MariaDB | MySQL | value | how | what it changes | page of the manuals "
             "|\n|---|---|---|---|---|---|\n");
    for (size_t i = 0; i < n; i++)
        str_addf(&page, "| %s | %s | `%s` | %s | %s | %s |\n", v[i].name[0] ? v[i].name[0] : "–",
                 v[i].name[1] ? v[i].name[1] : "–", v[i].value, how[v[i].how], v[i].why, v[i].source);
    compare("sessions.md", &page);
}

static void every_option_has_its_text(void **state)
{
    (void)state;
    for (const CliCommand *const *c = cli_commands; *c; c++) {
        assert_non_null((*c)->summary);
        assert_true(str_ends((*c)->summary, "."));
        for (const Opt *o = (*c)->options; o->name; o++)
            if (!o->doc || !str_ends(o->doc, "."))
                fail_msg("siding %s --%s has no sentence", (*c)->name, o->name);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(siding_page),
        cmocka_unit_test(sidingd_conf_page),
        cmocka_unit_test(siding_dump_page),
        cmocka_unit_test(sessions_page),
        cmocka_unit_test(every_option_has_its_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
