/* SPDX-License-Identifier: Apache-2.0
 * Whose unit systemd has, and which states people name.
 */
#include "test.h"

#include "orchestrator/cli/service.h"
#include "orchestrator/cli/state_words.h"

static void units(void **state)
{
    static const struct {
        const char *shown;
        bool ours;
    } rows[] = {
        {"ExecStart={ path=/usr/bin/sidingd ; argv[]=/usr/bin/sidingd --config /etc/s.conf ; "
         "ignore_errors=no ; }\n"
         "LoadState=loaded\n",
         true},
        {"LoadState=loaded\nExecStart={ path=/b ; argv[]=/b --config=/etc/s.conf ; }\n", true},
        {"LoadState=masked\nExecStart={ path=/b ; argv[]=/b --config /etc/s.conf ; }\n", false},
        {"LoadState=loaded\nExecStart={ path=/b ; argv[]=/b --config /etc/s.conf.old ; }\n", false},
        {"LoadState=loaded\nExecStart={ path=/b ; argv[]=/b --config /other/etc/s.conf ; }\n", false},
        {"LoadState=loaded\nDescription= --config /etc/s.conf ;\n", false},
        {"LoadState=not-found\n", false},
        {"", false},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++)
        assert_int_equal(service_unit_is_of(rows[i].shown, "/etc/s.conf"), rows[i].ours);
}

static void states(void **state)
{
    static const struct {
        const char *list, *want;
    } rows[] = {
        {"done", "done"},
        {"DONE WITH ERRORS, Done", "done_with_errors,done"},
        {"WAITING,SCHEDULED,RUNNING,CONTINUING", "waiting,scheduled,running"},
        {"ABOUT TO SLEEP,SLEEPING", "running,sleeping"},
        {"ABOUT TO STOP,NOW STOP,SUICIDING,STOPPED", "stopping,stopped"},
        {"ERROR,CERROR,ERRORS REPORTED", "error"},
        {"ACK DONE,ACK ERROR,ACK DONE WITH ERRORS,ACK ERRORS REPORTED", "acknowledged"},
        {"KILLED,SUICIDED", "killed"},
        {"RUNING", NULL},
        {"ACK", NULL},
        {",", NULL},
        {"", NULL},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        Err err;
        AUTO(strlist_done) StrList got = STRLIST_INIT;
        bool ok = state_words_read(rows[i].list, &got, &err);
        AUTOFREE char *text = strlist_join(&got, ",");
        assert_int_equal(ok, rows[i].want != NULL);
        if (ok)
            assert_string_equal(text, rows[i].want);
        else
            assert_int_equal(err.kind, ERR_USAGE);
    }
}

static void ages(void **state)
{
    Err err;
    int64_t a = 0, b = 0;
    (void)state;
    assert_true(state_words_age("2h", &a, &err) && state_words_age("-2h", &b, &err));
    assert_int_equal(a, 7200000);
    assert_int_equal(b, 7200000);
    assert_false(state_words_age("--2h", &a, &err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(units), cmocka_unit_test(states),
                                       cmocka_unit_test(ages)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
