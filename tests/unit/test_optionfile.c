/* SPDX-License-Identifier: Apache-2.0
 * Boot options read from option files and command lines.
 */
#include "test.h"

#include "common/db/optionfile.h"

static void files(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        OptionValue value;
    } cases[] = {
        {"", OPTION_ABSENT},
        {"[mysqld]\nskip_slave_start\n", OPTION_ON},
        {"[mysqld]\nskip-slave-start", OPTION_ON},
        {"[mariadb-10.11]\n  skip_slave_start = 1  \n", OPTION_ON},
        {"[mysqld]\nskip_slave_start=OFF\n", OPTION_OFF},
        {"[mysqld]\nskip_slave_start=1\n[server]\nskip-slave-start=0\n", OPTION_OFF},
        {"[mysqld]\nskip_slave_start = \"OFF\"\n", OPTION_OFF},
        {"[mysqld]\nskip_slave_start = 1 # for siding\n", OPTION_ON},
        {"[mysqld]\nskip_slave_start = 0 # for siding\n", OPTION_OFF},
        {"[mysqld]\nloose-skip_slave_start\n", OPTION_ON},
        {"[mysqld]\nskip_slave_start # = 0\n", OPTION_ON},
        {"skip_slave_start\n", OPTION_ABSENT},
        {"[mariadb-dump]\nskip_slave_start\n", OPTION_ABSENT},
        {"[mysqld_safe]\nskip_slave_start\n", OPTION_ABSENT},
        {"[client]\nskip_slave_start\n", OPTION_ABSENT},
        {"[mysqld]\n#skip_slave_start\n;skip_slave_start\nskip_slave_started=1\n", OPTION_ABSENT},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO(strlist_done) StrList includes = STRLIST_INIT;
        assert_int_equal(optionfile_parse(cases[i].text, "skip_slave_start", &includes), cases[i].value);
        assert_int_equal(includes.n, 0);
    }
}

static void includes(void **state)
{
    (void)state;
    AUTO(strlist_done) StrList found = STRLIST_INIT;
    const char *text = "!includedir /etc/mysql/conf.d/\n[mysqld]\n!include /x/y.cnf\n";
    assert_int_equal(optionfile_parse(text, "skip_slave_start", &found), OPTION_ABSENT);
    assert_int_equal(found.n, 2);
    assert_string_equal(found.v[0], "d:/etc/mysql/conf.d/");
    assert_string_equal(found.v[1], "f:/x/y.cnf");
}

static void list(void *arg, const OptionLine *l)
{
    str_addf(arg, "%s/%s%s%s;", l->group, l->key, l->value ? "=" : "", l->value ? l->value : "");
}

/* As mysys/my_default.c of the servers reads them. */
static void settings(void **state)
{
    (void)state;
    AUTO(str_done) Str out = STR_INIT;
    optionfile_each(
        "a=1\n[client] x\n# no\n; no\n  ssl-ca = /x/y.pem  \r\nflag\nquoted=\"a # b\" # c\nhash=a#b\n"
        "half='x\n!include /f\n!nonsense\n[mysqld\nport=3",
        list, &out);
    assert_string_equal(str_z(&out),
                        "/a=1;client/ssl_ca=/x/y.pem;client/flag;client/quoted=a # b;client/hash=a;"
                        "client/half='x;client/!include=/f;mysqld/port=3;");
}

static void words(void **state)
{
    (void)state;
    assert_int_equal(optionfile_word("--skip-slave-start", "skip_slave_start"), OPTION_ON);
    assert_int_equal(optionfile_word("--skip_slave_start=0", "skip_slave_start"), OPTION_OFF);
    assert_int_equal(optionfile_word("skip-slave-start", "skip_slave_start"), OPTION_ABSENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(files), cmocka_unit_test(includes),
                                       cmocka_unit_test(settings), cmocka_unit_test(words)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
