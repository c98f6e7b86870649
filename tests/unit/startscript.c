/* SPDX-License-Identifier: Apache-2.0 */
#include "startscript.h"

StartIn a_start(const Relay *r)
{
    return (StartIn){.at = agent_server(),
                     .rescuer = rescuer_target(),
                     .timeout_ms = START_MS,
                     .vault_folder = r ? (char *)r->dir : NULL};
}

void expect_no_private(View v)
{
    if (is_mariadb())
        EXPECT(d->status, status_columns(), status_row(v));
}

void expect_begun(View v)
{
    expect_open(START_MS);
    expect_look(v);
    if (is_mariadb())
        EXPECT(RESCUE_SESSION_SQL, "l", "0");
    expect_no_private(v);
    if (!v.sql)
        expect_semi_sync(false, false);
}

void expect_sql_start(View v)
{
    expect_look(v); /* the receiver must not have stopped meanwhile */
    EXPECT(d->start_sql);
}

void start(const StartIn *in, OpResult want, ErrKind kind, StartWay way)
{
    StartOut out = {0};
    assert_int_equal(op_start(in, NULL, &out), want == OP_DONE);
    EXPECT_RESULT(out, want, kind);
    assert_int_equal(out.way, way);
    script_end(0);
    start_out_done(&out);
}

void expect_no_start(void)
{
    if (strstr(script_log(), ": START "))
        fail_msg("a START was sent:\n%s", script_log());
}
