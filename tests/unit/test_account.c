/* SPDX-License-Identifier: Apache-2.0
 * Whom statements about accounts are about, whatever their names hold.
 */
#include "replica-agent/dump/account.h"

#include "test.h"

static void assert_account(const Account *a, const char *user, const char *host)
{
    assert_string_equal(a->user, user);
    if (host)
        assert_string_equal(a->host, host);
    else
        assert_null(a->host);
}

static void accounts_are_read_in_any_quotes(void **state)
{
    (void)state;
    static const struct {
        const char *text, *user, *host, *rest;
    } cases[] = {
        {"`a`@`%`", "a", "%", ""},
        {"'it''s'@'10.0.0.%' WITH", "it's", "10.0.0.%", " WITH"},
        {"'it\\'s \\\\ n\\n'@`h`", "it's \\ n\n", "h", ""},
        {"`back``tick\\`@`::1`, `b`", "back`tick\\", "::1", ", `b`"},
        {"\"d\"\"q\"@\"h\"", "d\"q", "h", ""},
        {"''@'localhost'", "", "localhost", ""},
        {"`r` WITH ADMIN OPTION", "r", NULL, " WITH ADMIN OPTION"},
        {"PUBLIC", "PUBLIC", NULL, ""},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        Account a;
        const char *rest;
        assert_true(account_read(cases[i].text, &a, &rest));
        assert_account(&a, cases[i].user, cases[i].host);
        assert_string_equal(rest, cases[i].rest);
        account_done(&a);
    }
    static const char *const none[] = {"", " `a`", "`a", "'a'@", "`a`@'b", "'a\\'"};
    for (size_t i = 0; i < COUNT(none); i++) {
        Account a;
        assert_false(account_read(none[i], &a, NULL));
    }
}

static void what_was_read_is_quoted_again(void **state)
{
    (void)state;
    AUTO(str_done) Str out = STR_INIT;
    Account a = {(char *)"it's", (char *)"%"}, role = {(char *)"r", NULL}, b = {(char *)"it's", (char *)"h"};
    account_quote(&out, &a);
    assert_string_equal(out.p, "'it\\'s'@'%'");
    str_clear(&out);
    account_quote(&out, &role);
    assert_string_equal(out.p, "'r'");
    assert_true(account_same(&a, &a) && account_same(&role, &role));
    assert_false(account_same(&a, &b) || account_same(&a, &role));
}

static void statements_name_whom_they_are_about(void **state)
{
    (void)state;
    static const struct {
        const char *sql, *user, *host;
    } made[] = {
        {"CREATE USER `a`@`h` IDENTIFIED VIA unix_socket", "a", "h"},
        {"CREATE USER IF NOT EXISTS 'a'@'h'", "a", "h"},
        {"CREATE ROLE IF NOT EXISTS `r`", "r", NULL},
    };
    static const struct {
        const char *sql, *user, *host;
    } changed[] = {
        {"GRANT SELECT ON *.* TO `a`@`h` WITH GRANT OPTION", "a", "h"},
        {"GRANT `r`@`%`,`s`@`%` TO `a`@`h`", "a", "h"},
        {"GRANT SELECT ON ` TO ``x`` TO `.* TO `a`@`h`", "a", "h"},
        {"GRANT SELECT (a TO (b) ON `d`.`t` TO `a`@`h`", "a", "h"},
        {"GRANT USAGE ON *.* TO `to`@`%` IDENTIFIED BY PASSWORD '* TO `x`@`y`'", "to", "%"},
        {"GRANT USAGE ON *.* TO `r`", "r", NULL},
        {"GRANT SELECT ON `d`.* TO PUBLIC", "PUBLIC", NULL},
        {"REVOKE INSERT ON `mysql`.* FROM `a`@`h`", "a", "h"},
        {"SET DEFAULT ROLE `x FOR ``y` FOR `a`@`h`", "a", "h"},
        {"ALTER USER 'a'@'h' DEFAULT ROLE `r`@`%`", "a", "h"},
    };
    Account a;
    for (size_t i = 0; i < COUNT(made); i++) {
        assert_true(account_made_by(made[i].sql, &a));
        assert_account(&a, made[i].user, made[i].host);
        account_done(&a);
        assert_false(account_changed_by(made[i].sql, &a));
    }
    for (size_t i = 0; i < COUNT(changed); i++) {
        assert_true(account_changed_by(changed[i].sql, &a));
        assert_account(&a, changed[i].user, changed[i].host);
        account_done(&a);
        assert_false(account_made_by(changed[i].sql, &a));
    }
    assert_false(account_changed_by("GRANT SELECT ON *.*", &a) ||
                 account_changed_by("SET NAMES utf8mb4", &a));
}

static void creations_leave_default_roles_for_later(void **state)
{
    (void)state;
    static const struct {
        const char *sql, *create, *roles;
    } cases[] = {
        {"CREATE USER `a`@`h` IDENTIFIED WITH 'sha' AS 0x24 REQUIRE NONE",
         "CREATE USER IF NOT EXISTS `a`@`h` IDENTIFIED WITH 'sha' AS 0x24 REQUIRE NONE", NULL},
        {"CREATE USER ` DEFAULT ROLE `@`h` DEFAULT ROLE `r x`@`%`,`s`@`%` REQUIRE NONE ACCOUNT LOCK",
         "CREATE USER IF NOT EXISTS ` DEFAULT ROLE `@`h` REQUIRE NONE ACCOUNT LOCK", "`r x`@`%`,`s`@`%`"},
        {"CREATE USER IF NOT EXISTS `a`@`h` DEFAULT ROLE `r`@`%`", "CREATE USER IF NOT EXISTS `a`@`h`",
         "`r`@`%`"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTOFREE char *roles = NULL;
        AUTOFREE char *create = account_create(cases[i].sql, &roles);
        assert_string_equal(create, cases[i].create);
        assert_true(str_eq(roles, cases[i].roles));
    }
}

static void grants_repeat_no_password(void **state)
{
    (void)state;
    static const struct {
        const char *sql, *grant;
    } cases[] = {
        {"GRANT SELECT ON *.* TO `a`@`h`", "GRANT SELECT ON *.* TO `a`@`h`"},
        {"GRANT USAGE ON *.* TO `a`@`h` IDENTIFIED BY PASSWORD '*AB'", "GRANT USAGE ON *.* TO `a`@`h`"},
        {"GRANT ALL PRIVILEGES ON *.* TO ` IDENTIFIED `@`h` IDENTIFIED VIA ed25519 USING 'x WITH y' OR "
         "unix_socket "
         "REQUIRE SSL WITH GRANT OPTION",
         "GRANT ALL PRIVILEGES ON *.* TO ` IDENTIFIED `@`h` REQUIRE SSL WITH GRANT OPTION"},
        {"GRANT USAGE ON *.* TO `a`@`h` IDENTIFIED BY PASSWORD '*AB' WITH MAX_USER_CONNECTIONS 3",
         "GRANT USAGE ON *.* TO `a`@`h` WITH MAX_USER_CONNECTIONS 3"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTOFREE char *grant = account_grant(cases[i].sql);
        assert_string_equal(grant, cases[i].grant);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accounts_are_read_in_any_quotes),
        cmocka_unit_test(what_was_read_is_quoted_again),
        cmocka_unit_test(statements_name_whom_they_are_about),
        cmocka_unit_test(creations_leave_default_roles_for_later),
        cmocka_unit_test(grants_repeat_no_password),
    };
    return cmocka_run_group_tests_name("account", tests, NULL, NULL);
}
