/* SPDX-License-Identifier: Apache-2.0
 * Who has which role, by what he shows; and what the configuration may say.
 */
#include "test.h"

#include <unistd.h>

#include "common/file/fs.h"
#include "common/net/roles.h"

static char dir[] = "/tmp/siding-roles-XXXXXX";

static char *token(const char *name, const char *text, mode_t mode)
{
    Err err;
    char *path = xasprintf("%s/%s", dir, name);
    assert_ok(fs_replace(path, text, strlen(text), mode, &err), err);
    return path;
}

static RoleMap *make(const RoleConfig *c)
{
    Err err;
    RoleMap *m = NULL;
    assert_ok(roles_load("/etc/siding/x.conf", c, &m, &err), err);
    return m;
}

static void each_door_has_its_roles(void **state)
{
    (void)state;
    AUTOFREE char *file = token("steers.token", "0123456789abcdef0123\n", 0600);
    RoleConfig c = {0};
    strlist_add(&c.viewer, "group:daemon");
    strlist_add(&c.operators, "cert:alice");
    strlist_add(&c.operators, "user:bin");
    strlist_add(&c.admin, "cert:root");
    strlist_addf(&c.coordinator, "token:%s", file);
    RoleMap *m = make(&c);
    roles_add_peer(m, "db1");
    const RoleSet health = ROLE_HEALTH, viewer = health | ROLE_VIEWER, operators = viewer | ROLE_OPERATOR,
                  admin = operators | ROLE_ADMIN;
    const struct {
        RoleCaller caller;
        RoleSet want;
        const char *who;
    } rows[] = {
        {{0}, health, "nobody known"},
        {{.certificate = "haproxy"}, health, "certificate haproxy"},
        {{.certificate = "alice"}, operators, "certificate alice"},
        {{.certificate = "alic"}, health, "certificate alic"},
        {{.certificate = "alicee"}, health, "certificate alicee"},
        {{.certificate = "root"}, admin, "certificate root"},
        {{.certificate = "db1"}, health | ROLE_PEER, "certificate db1"},
        {{.token = "0123456789abcdef0123"}, health | ROLE_COORDINATOR, "token steers"},
        {{.token = "0123456789abcdef012"}, health, "nobody known"},
        {{.token = "0123456789abcdef0123\n"}, health, "nobody known"},
        {{.token = ""}, health, "nobody known"},
        {{.certificate = "alice", .token = "0123456789abcdef0123"},
         operators | ROLE_COORDINATOR,
         "certificate alice"},
        {{.is_unix = true, .uid = 0}, admin, "root"},
        {{.is_unix = true, .uid = 4242}, health, "uid 4242"},
        {{.is_unix = true, .uid = 2}, operators, "bin"},
        {{.is_unix = true, .uid = 4242, .groups = {7, 1}, .n_groups = 2}, viewer, "uid 4242"},
        /* what only a unix socket can tell says nothing elsewhere */
        {{.uid = 0, .groups = {1}, .n_groups = 1}, health, "nobody known"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        char who[ROLE_NAME_BYTES];
        RoleSet got = roles_of(m, &rows[i].caller, who);
        if (got != rows[i].want || !str_eq(who, rows[i].who))
            fail_msg("row %zu: %x (%s), not %x (%s)", i, got, who, rows[i].want, rows[i].who);
    }
    assert_true(roles_name_accounts(m));
    roles_free(m);
    conf_free(role_agent_options, &c);
}

static void the_owner_of_the_socket_is_admin(void **state)
{
    (void)state;
    char who[ROLE_NAME_BYTES];
    RoleMap *m = roles_nobody();
    RoleCaller own = {.is_unix = true, .uid = geteuid()}, other = {.is_unix = true, .uid = geteuid() + 1};
    assert_true(roles_of(m, &own, who) & ROLE_ADMIN);
    assert_false(roles_of(m, &own, who) & (ROLE_COORDINATOR | ROLE_PEER));
    assert_int_equal(roles_of(m, &other, who), ROLE_HEALTH);
    assert_false(roles_name_accounts(m));
    roles_free(m);
}

static void entries_are_checked(void **state)
{
    (void)state;
    AUTOFREE char *open = token("open.token", "0123456789abcdef", 0644);
    AUTOFREE char *small = token("small.token", "short", 0600);
    AUTOFREE char *odd = token("odd.token", "0123456789 abcdef", 0600);
    AUTOFREE char *open_entry = xasprintf("token:%s", open), *small_entry = xasprintf("token:%s", small),
                  *odd_entry = xasprintf("token:%s", odd);
    const struct {
        const char *entry, *holds;
        bool only_at_start;
    } rows[] = {
        {"alice", "names nobody", false},
        {"cert:", "names nobody", false},
        {"certs:alice", "names nobody", false},
        {"token:relative", "names nobody", false},
        {"user:nosuchaccount", "there is no user", true},
        {"group:nosuchaccount", "there is no group", true},
        {"token:/nonexistent/x", "/nonexistent/x", true},
        {open_entry, "open.token", true},
        {small_entry, "holds no token", true},
        {odd_entry, "holds no token", true},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        Err err;
        RoleMap *m = NULL;
        RoleConfig c = {0};
        strlist_add(&c.operators, rows[i].entry);
        bool ok =
            rows[i].only_at_start ? roles_load("/x.conf", &c, &m, &err) : roles_check("/x.conf", &c, &err);
        if (ok || !strstr(err.text, rows[i].holds) || !strstr(err.text, "roles.operator"))
            fail_msg("%s: %s", rows[i].entry, ok ? "taken" : err.text);
        conf_free(role_agent_options, &c);
    }
}

static void roles_have_words(void **state)
{
    (void)state;
    AUTO(str_done) Str s = STR_INIT;
    roles_write(ROLE_COORDINATOR | ROLE_OPERATOR, &s);
    assert_string_equal(str_z(&s), "coordinator or operator");
}

static int set_up(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(dir));
    return 0;
}

static int tear_down(void **state)
{
    Err err;
    (void)state;
    assert_ok(fs_remove_tree(dir, &err), err);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_door_has_its_roles),
        cmocka_unit_test(the_owner_of_the_socket_is_admin),
        cmocka_unit_test(entries_are_checked),
        cmocka_unit_test(roles_have_words),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
