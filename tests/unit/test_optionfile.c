/* SPDX-License-Identifier: Apache-2.0
 * Boot options read from option files and command lines.
 */
#include "test.h"

#include "common/db/optionfile.h"

static OptionValue nothing_included(void *arg, const OptionLine *l)
{
    (void)arg;
    fail_msg("%s %s", l->key, l->value);
    return OPTION_ABSENT;
}

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
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_int_equal(optionfile_parse(cases[i].text, "skip_slave_start", nothing_included, NULL),
                         cases[i].value);
}

typedef struct Included {
    Str found;
    OptionValue value;
} Included;

static OptionValue note(void *arg, const OptionLine *l)
{
    Included *i = arg;
    str_addf(&i->found, "%s %s;", l->key, l->value);
    return i->value;
}

/* An included file is read where it stands. */
static void includes(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        OptionValue included, value;
    } cases[] = {
        {"!includedir /etc/mysql/conf.d/\n[mysqld]\n!include /x/y.cnf\n", OPTION_ABSENT, OPTION_ABSENT},
        {"!includedir /etc/mysql/conf.d/\n[mysqld]\n!include /x/y.cnf\n", OPTION_ON, OPTION_ON},
        {"[mysqld]\nskip_slave_start=0\n!includedir /etc/mysql/conf.d/\n!include /x/y.cnf\n", OPTION_ON,
         OPTION_ON},
        {"[mysqld]\n!includedir /etc/mysql/conf.d/\n!include /x/y.cnf\nskip_slave_start=0\n", OPTION_ON,
         OPTION_OFF},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        Included in = {STR_INIT, cases[i].included};
        assert_int_equal(optionfile_parse(cases[i].text, "skip_slave_start", note, &in), cases[i].value);
        assert_string_equal(str_z(&in.found), "!includedir /etc/mysql/conf.d/;!include /x/y.cnf;");
        str_done(&in.found);
    }
}

static bool list(void *arg, const OptionLine *l)
{
    str_addf(arg, "%d:%s/%s%s%s;", l->number, l->group, l->key, l->value ? "=" : "",
             l->value ? l->value : "");
    return !str_eq(l->key, "stop");
}

/* As mysys/my_default.c of the servers reads them. */
static void settings(void **state)
{
    (void)state;
    AUTO(str_done) Str out = STR_INIT;
    assert_true(optionfile_each(
        "a=1\n[client ] x\n# no\n; no\n  ssl-ca = /x/y.pem  \r\nflag\nquoted=\"a # b\" # c\nhash=a#b\n"
        "half='x\n!include /f # g \n!nonsense\n[mysqld\nport=3\n[ client]\n#\n\nb\n!include",
        list, &out));
    assert_string_equal(str_z(&out),
                        "1:/a=1;5:client/ssl_ca=/x/y.pem;6:client/flag;7:client/quoted=a # b;8:client/hash=a;"
                        "9:client/half='x;10:client/!include=/f # g;12:/[;13:/port=3;17: client/b;"
                        "18: client/!include=;");
    str_clear(&out);
    assert_false(optionfile_each("[x]\nstop\nmore\n", list, &out));
    assert_string_equal(str_z(&out), "2:x/stop;");
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
