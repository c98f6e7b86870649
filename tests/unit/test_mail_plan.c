/* SPDX-License-Identifier: Apache-2.0
 * When mails go out, and that no text can break out of its line.
 */
#include "test.h"

#include "orchestrator/core/mail_plan.h"

enum { S = 1000, HOUR = 3600 * S };

static void events_are_gathered(void **state)
{
    (void)state;
    MailRules r = {30 * S, 3};
    MailTimes t = {0};
    assert_int_equal(mail_due_ms(&t, &r, 5 * HOUR), 0);
    t.first_ms = 5 * HOUR;
    assert_int_equal(mail_due_ms(&t, &r, 5 * HOUR + 1), 5 * HOUR + 30 * S);
    t.not_before_ms = 5 * HOUR + 90 * S; /* the last try failed */
    assert_int_equal(mail_due_ms(&t, &r, 5 * HOUR + 1), 5 * HOUR + 90 * S);
}

static void no_more_than_so_many_an_hour(void **state)
{
    (void)state;
    MailRules r = {30 * S, 3};
    MailTimes t = {0};
    int64_t now = 100 * HOUR;
    for (int i = 0; i < 3; i++) {
        t.first_ms = now;
        assert_int_equal(mail_due_ms(&t, &r, now), now + 30 * S);
        now += 60 * S;
        mail_note_sent(&t, now);
        assert_int_equal(t.first_ms, 0);
    }
    t.first_ms = now + 1;
    assert_int_equal(mail_due_ms(&t, &r, now + 1), 100 * HOUR + 60 * S + HOUR); /* the first is an hour old */
    t.first_ms = now + 2 * HOUR;
    assert_int_equal(mail_due_ms(&t, &r, now + 2 * HOUR), now + 2 * HOUR + 30 * S);
    r.per_hour = 0;
    assert_int_equal(mail_due_ms(&t, &r, now), 0);
}

static void a_message(void **state)
{
    (void)state;
    AUTO(strlist_done) StrList to = STRLIST_INIT, lines = STRLIST_INIT;
    AUTO(str_done) Str out = STR_INIT;
    strlist_add(&to, "dba@example.org\nBcc: all@example.org");
    AUTOFREE char *one = mail_line("2026-11-24T02:00:00.000Z", "error", "12.1", "it is\nfull \xc3\xa4");
    assert_string_equal(one, "2026-11-24T02:00:00.000Z  error  run 12.1: it is full \xc3\xa4");
    strlist_add(&lines, one);
    mail_compose(&to, "siding@db.example.org", "library", &lines, 2, &out);
    assert_string_equal(str_z(&out), "To: dba@example.org?Bcc: all@example.org\nFrom: siding@db.example.org\n"
                                     "Subject: [siding library] 3 events: run 12.1: it is full ??\n"
                                     "MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n"
                                     "Content-Transfer-Encoding: 8bit\nAuto-Submitted: auto-generated\n\n"
                                     "2026-11-24T02:00:00.000Z  error  run 12.1: it is full \xc3\xa4\n"
                                     "and 2 more; see siding status and the log of sidingd\n");
}

/* "to@a" always; the night gets what has an error in it, from 22:00 to 06:00 of UTC. */
static void the_night_is_mailed_of_errors(void **state)
{
    (void)state;
    MailEmergency night = {.window = (char *)"22:00-06:00"}, anytime = {0};
    strlist_add(&night.to, "night@b");
    strlist_add(&night.to, "to@a");
    strlist_add(&anytime.to, "sms@c");
    MailEmergency list[] = {night, anytime};
    ConfList emergency = {list, COUNT(list)};
    static const struct {
        const char *level;
        int hour;
        const char *to;
    } rows[] = {{"warn", 23, "to@a"},
                {"error", 23, "to@a night@b sms@c"},
                {"error", 5, "to@a night@b sms@c"},
                {"error", 6, "to@a sms@c"}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        AUTO(strlist_done) StrList always = STRLIST_INIT, lines = STRLIST_INIT, got = STRLIST_INIT;
        AUTO(str_done) Str text = STR_INIT;
        AUTOFREE char *line = mail_line("2026-11-24T02:00:00.000Z", rows[i].level, NULL, "an  error  or not");
        strlist_add(&always, "to@a");
        strlist_add(&lines, line);
        mail_recipients(&always, &emergency, &lines, NULL, rows[i].hour * INT64_C(3600000), &got);
        for (size_t k = 0; k < got.n; k++)
            str_addf(&text, "%s%s", k ? " " : "", got.v[k]);
        assert_string_equal(str_z(&text), rows[i].to);
    }
    Err err;
    assert_true(mail_check("x.conf", &emergency, &err));
    list[0].window = (char *)"never";
    assert_false(mail_check("x.conf", &emergency, &err));
    assert_non_null(strstr(err.text, "mail.emergency.[0].window"));
    strlist_done(&list[0].to);
    strlist_done(&list[1].to);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events_are_gathered),
        cmocka_unit_test(no_more_than_so_many_an_hour),
        cmocka_unit_test(a_message),
        cmocka_unit_test(the_night_is_mailed_of_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
