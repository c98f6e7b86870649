/* SPDX-License-Identifier: Apache-2.0
 * What a load balancer is answered.
 */
#include "test.h"

#include "replica-agent/core/serving.h"

static void replicas(void **state)
{
    (void)state;
    static const struct {
        bool up, replica, sql, beginning;
        ReplIo io;
        PauseState pause;
        int64_t lag_ms, max_lag_s;
        const char *why;
    } rows[] = {
        {true, true, true, false, REPL_IO_YES, PAUSE_NONE, 900, 1, NULL},
        {true, true, true, false, REPL_IO_YES, PAUSE_NONE, 1001, 1, "it lags"},
        {true, true, true, false, REPL_IO_YES, PAUSE_NONE, -1, 1, "it lags"},
        {true, true, true, false, REPL_IO_YES, PAUSE_NONE, 99999, -1, NULL},
        {true, true, true, false, REPL_IO_CONNECTING, PAUSE_NONE, 0, 1,
         "the receiver is not connected, its lag is not known"},
        {true, true, true, false, REPL_IO_CONNECTING, PAUSE_NONE, 0, -1, NULL},
        {true, true, false, false, REPL_IO_YES, PAUSE_NONE, 0, -1, "the applier is stopped"},
        {true, true, true, true, REPL_IO_YES, PAUSE_NONE, 0, -1, "paused"},
        {true, true, false, false, REPL_IO_YES, PAUSE_FROZEN, 0, -1, "paused"},
        {true, true, true, false, REPL_IO_YES, PAUSE_ALIGNING, 0, -1, "paused"},
        {true, true, true, false, REPL_IO_YES, PAUSE_CATCHING_UP, 0, 5, "catching up"},
        {true, true, true, false, REPL_IO_YES, PAUSE_RESTORING, 0, 5, "catching up"},
        {true, false, false, false, REPL_IO_NO, PAUSE_NONE, 0, -1, "it is not a replica"},
        {false, true, true, false, REPL_IO_YES, PAUSE_NONE, 0, -1, "the server does not answer"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        ReplStatus s = {.is_replica = rows[i].replica, .sql_running = rows[i].sql, .io = rows[i].io};
        ServingFacts f = {.up = rows[i].up,
                          .s = &s,
                          .pause = rows[i].pause,
                          .beginning = rows[i].beginning,
                          .lag_ms = rows[i].lag_ms};
        const char *why = serving_as_replica(&f, rows[i].max_lag_s);
        if (!str_eq(why, rows[i].why))
            fail_msg("row %zu: %s", i, why ? why : "serves");
    }
}

static void primaries(void **state)
{
    (void)state;
    static const struct {
        bool up, replica, read_only, confirmed;
        const char *role, *why;
    } rows[] = {
        {true, false, false, true, "primary", NULL},
        {true, false, true, true, "primary", "it is read-only"},
        {true, false, false, false, "primary",
         "the coordinator has not confirmed its role since the server started"},
        {true, true, false, true, "primary", "it replicates from another server"},
        {true, false, false, true, "replica", "its role is not that of the primary"},
        {true, false, false, true, NULL, "its role is not that of the primary"},
        {false, false, false, true, "primary", "the server does not answer"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        ReplStatus s = {.is_replica = rows[i].replica, .closed = rows[i].read_only};
        ServingFacts f = {
            .up = rows[i].up, .s = &s, .role = rows[i].role, .role_confirmed = rows[i].confirmed};
        const char *why = serving_as_primary(&f);
        if (!str_eq(why, rows[i].why))
            fail_msg("row %zu: %s", i, why ? why : "serves");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(replicas), cmocka_unit_test(primaries)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
