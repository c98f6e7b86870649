/* SPDX-License-Identifier: Apache-2.0
 * What an applier stopped for, and its text without what it quotes of rows. The texts are those of MariaDB
 * 10.11 and MySQL 9.7.
 */
#include "test.h"

#include "common/db/repl_text.h"
#include "replica-agent/core/applier_error.h"

static void errors_are_told_apart(void **state)
{
    (void)state;
    static const struct {
        int code;
        ApplierFailure failure;
    } cases[] = {
        {1062, APPLIER_DATA},      {1032, APPLIER_DATA},      {1146, APPLIER_DATA},
        {1452, APPLIER_DATA},      {1054, APPLIER_DATA},      {1950, APPLIER_DATA},
        {1677, APPLIER_DATA},      {99999, APPLIER_DATA},     {1590, APPLIER_INCIDENT},
        {1594, APPLIER_POSITION},  {1201, APPLIER_POSITION},  {13121, APPLIER_POSITION},
        {1205, APPLIER_TRANSIENT}, {1213, APPLIER_TRANSIENT}, {1927, APPLIER_TRANSIENT},
        {1021, APPLIER_TRANSIENT},
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        if (applier_failure(cases[i].code) != cases[i].failure)
            fail_msg("%d: %d, not %d", cases[i].code, applier_failure(cases[i].code), cases[i].failure);
    assert_true(applier_failure_needs_person(APPLIER_DATA));
    assert_true(applier_failure_needs_person(APPLIER_INCIDENT));
    assert_false(applier_failure_needs_person(APPLIER_POSITION));
    assert_false(applier_failure_needs_person(APPLIER_TRANSIENT));
}

static void a_receiver_that_asks_for_what_is_not_there(void **state)
{
    (void)state;
    assert_non_null(strstr(receiver_advice(1236), "transactions that the source does not have"));
    assert_string_equal(receiver_advice(13114), receiver_advice(1236));
    assert_null(receiver_advice(2003)); /* "connection refused" says it all */
}

static void texts_hold_no_rows(void **state)
{
    (void)state;
    static const struct {
        const char *text, *shown;
    } cases[] = {
        {"Could not execute Write_rows_v1 event on table t.w; Duplicate entry '301' for key 'PRIMARY', "
         "Error_code: 1062; handler error HA_ERR_FOUND_DUPP_KEY; the event's master log binlog.000001, "
         "end_log_pos 77",
         "Could not execute Write_rows_v1 event on table t.w; Duplicate entry … for key 'PRIMARY', "
         "Error_code: 1062; handler error HA_ERR_FOUND_DUPP_KEY; the event's master log binlog.000001, "
         "end_log_pos 77"},
        {"Error 'Duplicate entry 'o'brien, x' y' for key 'name'' on query. Default database: 't'. Query: "
         "'INSERT INTO w VALUES ('o\\'brien')'",
         "Error 'Duplicate entry … for key 'name'' on query. Default database: 't'"},
        {"Error 'Table 't.gone' doesn't exist' on query. Default database: 't'. Query: 'DELETE FROM gone "
         "WHERE "
         "a = 5'",
         "Error 'Table 't.gone' doesn't exist' on query. Default database: 't'"},
        {"Incorrect integer value: 'secret' for column `t`.`w`.`v` at row 1",
         "Incorrect integer value: … for column `t`.`w`.`v` at row 1"},
        {"Truncated incorrect DOUBLE value: 'secret'", "Truncated incorrect DOUBLE value: …"},
        {"The incident LOST_EVENTS occurred on the master. Message: error writing to the binary log",
         "The incident LOST_EVENTS occurred on the master. Message: error writing to the binary "
         "log"},
        {"Worker 1 failed executing transaction 'u:5' at source log binlog.000002, end_log_pos 9; Could not "
         "execute Write_rows event on table t.w; Duplicate entry 'a-b' for key 'w.PRIMARY', Error_code: 1062",
         "Worker 1 failed executing transaction 'u:5' at source log binlog.000002, end_log_pos 9; "
         "Could not execute Write_rows event on table t.w; Duplicate entry … for key 'w.PRIMARY', "
         "Error_code: "
         "1062"},
        {"Duplicate entry 'cut off", "Duplicate entry …"},
        {"", ""},
        {NULL, ""},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTOFREE char *got = repl_text_without_rows(cases[i].text);
        assert_string_equal(got, cases[i].shown);
    }
}

/* New data are given for these without a person: nothing that has another cause may be among them. */
static void wrong_data_are_told_from_everything_else(void **state)
{
    (void)state;
    static const int64_t wrong[] = {1032, 1062, 1007, 1050, 1051, 1054, 1146, 1452, 1677},
                         other[] = {0,    1021, 1114, 1205, 1213, 1236, 1590, 1594, 1593,
                                    1666, 1785, 1872, 1950, 1045, 1142, 1227, 1290, 3100};
    for (size_t i = 0; i < COUNT(wrong); i++) {
        assert_true(applier_data_are_wrong(wrong[i]));
        assert_int_equal(applier_failure(wrong[i]), APPLIER_DATA);
    }
    for (size_t i = 0; i < COUNT(other); i++)
        if (applier_data_are_wrong(other[i]))
            fail_msg("%lld", (long long)other[i]);
}

/* By number, where there is something to say of it, else by kind; and how it goes on. */
static void what_a_person_does_first(void **state)
{
    (void)state;
    static const struct {
        int64_t code;
        const char *advice;
    } rows[] = {
        {1021, "make room on the disk that is full; then siding replica resume db2"},
        {1114,
         "make room on the disk, or raise the limit of the table's space; then siding replica resume db2"},
        {1205, "end what holds the lock, or free what is used up, if it is still so; then siding replica "
               "resume db2"},
        {1594,
         "see the server's error log; the relay files are read by GTID; then siding replica resume db2"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        AUTOFREE char *said = applier_advice(rows[i].code, "db2");
        assert_string_equal(said, rows[i].advice);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrong_data_are_told_from_everything_else),
        cmocka_unit_test(errors_are_told_apart),
        cmocka_unit_test(what_a_person_does_first),
        cmocka_unit_test(a_receiver_that_asks_for_what_is_not_there),
        cmocka_unit_test(texts_hold_no_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
