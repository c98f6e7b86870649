/* SPDX-License-Identifier: Apache-2.0
 * The flavour table: complete rows, supported versions, statements with parts.
 */
#include "test.h"

#include "common/db/flavor.h"

static void rows_are_complete(void **state)
{
    (void)state;
    for (int i = DB_MARIADB; i <= DB_MYSQL; i++) {
        const Flavor *f = flavor_of((DbFlavor)i);
        const char *const needed[] = {
            f->name,
            f->show_replica_status,
            f->start_sql,
            f->stop_sql,
            f->start_both,
            f->stop_both,
            f->position_sql,
            f->show_binlog_status,
            f->read_only_on,
            f->read_only_off,
            f->semi_sync_source_on,
            f->semi_sync_source_off,
            f->settings_sql,
            f->workers_var,
            f->col_io_running,
            f->col_sql_running,
            f->col_received,
            f->gtid_mode_bad,
            f->keyless_sql,
            f->use_gtid,
            f->skip_start_option,
            f->read_only_option,
            f->col_exec_file,
            f->col_read_file,
        };
        for (size_t k = 0; k < COUNT(needed); k++)
            assert_non_null(needed[k]);
        assert_int_equal(f->flavor, i);
        DbFlavor back;
        assert_true(flavor_from_name(f->name, &back));
        assert_int_equal(back, i);
    }
    DbFlavor none;
    assert_false(flavor_from_name("postgres", &none));
}

static void versions(void **state)
{
    (void)state;
    static const struct {
        DbVersion v;
        bool ok, untested;
    } cases[] = {
        {{DB_MARIADB, 10, 11, 0, ""}, true, false},  {{DB_MARIADB, 11, 8, 2, ""}, true, true},
        {{DB_MARIADB, 10, 6, 20, ""}, false, false}, {{DB_MYSQL, 8, 4, 0, ""}, true, false},
        {{DB_MYSQL, 9, 7, 4, ""}, true, false},      {{DB_MYSQL, 9, 8, 0, ""}, true, true},
        {{DB_MYSQL, 10, 0, 0, ""}, true, true},      {{DB_MYSQL, 8, 0, 44, ""}, false, false},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        Err err;
        assert_int_equal(flavor_check_version(&cases[i].v, &err), cases[i].ok);
        assert_int_equal(flavor_is_untested(&cases[i].v), cases[i].untested);
        if (!cases[i].ok)
            assert_int_equal(err.kind, ERR_REFUSED);
    }
}

static void statements_with_parts(void **state)
{
    (void)state;
    static const struct {
        DbFlavor flavor;
        const char *until, *wait;
    } cases[] = {
        {DB_MARIADB, "START SLAVE SQL_THREAD UNTIL MASTER_LOG_FILE='b.000002', MASTER_LOG_POS=77",
         "SELECT MASTER_GTID_WAIT('0-1-5', 2.500)"},
        {DB_MYSQL, "START REPLICA SQL_THREAD UNTIL SQL_AFTER_GTIDS='0-1-5'",
         "SELECT WAIT_FOR_EXECUTED_GTID_SET('0-1-5', 2.500)"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO(str_done) Str until = STR_INIT;
        AUTO(str_done) Str wait = STR_INIT;
        const Flavor *f = flavor_of(cases[i].flavor);
        f->start_sql_until(&until, "0-1-5", "b.000002", 77);
        f->wait_applied(&wait, "0-1-5", 2.5);
        assert_string_equal(until.p, cases[i].until);
        assert_string_equal(wait.p, cases[i].wait);
    }
}

/* Trap: a job with RELOAD or SUPER makes errant transactions. */
static void grants_are_least(void **state)
{
    (void)state;
    static const char *const accounts[] = {"siding",     "siding_agent", "siding_rescue",
                                           "siding_job", "siding_load",  "siding_provision"};
    enum { RESCUE = 2 }; /* resets what it made; on MySQL the server does without */
    static const char *const never[] = {"RELOAD", "SUPER",    "ALL",        "GRANT OPTION",
                                        "FILE",   "SHUTDOWN", "CREATE USER"};
    for (int i = DB_MARIADB; i <= DB_MYSQL; i++) {
        size_t seen[COUNT(accounts)] = {0};
        for (const FlavorGrant *g = flavor_of((DbFlavor)i)->grants; g->account; g++) {
            size_t a = 0;
            while (a < COUNT(accounts) && strcmp(accounts[a], g->account) != 0)
                a++;
            assert_in_range(a, 0, COUNT(accounts) - 1);
            seen[a]++;
            for (size_t k = a == RESCUE ? 2 : 0; a >= RESCUE && k < COUNT(never); k++)
                if (strstr(g->privileges, never[k]))
                    fail_msg("%s has %s", g->account, never[k]);
        }
        for (size_t a = 0; a < COUNT(accounts); a++)
            assert_int_equal(seen[a] > 0, a != RESCUE || i == DB_MARIADB);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_complete),
        cmocka_unit_test(versions),
        cmocka_unit_test(statements_with_parts),
        cmocka_unit_test(grants_are_least),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
