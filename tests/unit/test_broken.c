/* SPDX-License-Identifier: Apache-2.0
 * Which replica says of itself that nothing but new data helps it.
 */
#include "replica-agent/core/broken.h"

#include <string.h>

#include "test.h"

static AgentState replica(void)
{
    AgentState s = {0};
    s.known.server.up = true;
    s.known.server.status = (ReplStatus){.is_replica = true, .sql_running = true, .io = REPL_IO_YES};
    return s;
}

static AgentState stopped_at(int64_t code, const char *text)
{
    AgentState s = replica();
    s.known.server.status.sql_running = false;
    s.known.server.status.sql_errno = code;
    s.known.server.status.sql_error = (char *)text;
    return s;
}

static AgentState refused(int64_t code, const char *text)
{
    AgentState s = replica();
    s.known.server.status.io = REPL_IO_NO;
    s.known.server.status.io_errno = code;
    s.known.server.status.io_error = (char *)text;
    return s;
}

static void expect(const AgentState *s, const char *why)
{
    AUTOFREE char *said = broken_why(s);
    if (!why)
        assert_null(said);
    else
        assert_string_equal(said, why);
}

static void errors_of_the_data_and_what_is_purged(void **state)
{
    (void)state;
    AgentState s = stopped_at(1062, "Duplicate entry '5'");
    expect(&s, "its applier cannot go on: Duplicate entry '5'");
    s = refused(1236, "Could not find GTID state requested by slave in any binlog files");
    expect(&s, "the primary cannot send what it lacks: Could not find GTID state requested by slave in any "
               "binlog files");
    s = refused(13114, "… purged required binary logs");
    expect(&s, "the primary cannot send what it lacks: … purged required binary logs");
}

static void what_may_pass_or_was_wanted_is_not(void **state)
{
    (void)state;
    AgentState s = replica();
    expect(&s, NULL);
    s = stopped_at(0, ""); /* by hand */
    expect(&s, NULL);
    s = stopped_at(1205, "Lock wait timeout exceeded");
    expect(&s, NULL);
    s = refused(0, ""); /* by hand */
    expect(&s, NULL);
    s = stopped_at(1062, "Duplicate entry '5'");
    s.known.server.status.io = REPL_IO_NO; /* … both threads, to mend it */
    expect(&s, NULL);
    s = refused(2003, "error connecting");
    expect(&s, NULL);
    s = refused(1236, "log event entry exceeded max_allowed_packet");
    expect(&s, NULL);
    s = refused(1236, "of old");
    s.known.server.status.io = REPL_IO_CONNECTING; /* it is tried again */
    expect(&s, NULL);
    s = stopped_at(1062, "of old");
    s.known.server.status.sql_running = true; /* it was started again */
    expect(&s, NULL);
}

static void not_while_anything_is_under_way(void **state)
{
    (void)state;
    AgentState s = stopped_at(1032, "Can't find record");
    s.known.server.up = false;
    expect(&s, NULL);
    s = stopped_at(1032, "Can't find record");
    s.known.server.status.is_replica = false;
    expect(&s, NULL);
    s = stopped_at(1032, "Can't find record");
    s.durable.pause = PAUSE_RESCUING;
    expect(&s, NULL);
    s = stopped_at(1032, "Can't find record");
    s.flight.boot.start_due = true;
    expect(&s, NULL);
    s = stopped_at(1032, "Can't find record");
    s.durable.fill.order.id = (char *)"db2-1.1";
    s.durable.fill.phase = FILL_CHECKING;
    expect(&s, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(errors_of_the_data_and_what_is_purged),
        cmocka_unit_test(what_may_pass_or_was_wanted_is_not),
        cmocka_unit_test(not_while_anything_is_under_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
