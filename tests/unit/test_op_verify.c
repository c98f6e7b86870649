/* SPDX-License-Identifier: Apache-2.0
 * Whether the applier still stands as the lease says, and what proves that the server has not restarted.
 */
#include "opscript.h"

#include "replica-agent/server/op_verify.h"

static VerifyIn a_verification(Db *held)
{
    return (VerifyIn){.at = agent_server(),
                      .gtid = (char *)at_trx(5),
                      .binlog_gtid = (char *)at_trx(5),
                      .source_host = (char *)"127.0.0.1",
                      .source_port = 3306,
                      .held = held};
}

static void verify(Db *held, OpResult want, FrozenChange change, ErrKind kind)
{
    VerifyOut out = {0};
    VerifyIn in = a_verification(held);
    assert_int_equal(op_verify(&in, NULL, &out), want == OP_DONE);
    EXPECT_RESULT(out, want, kind);
    assert_int_equal(out.change, change);
    script_end(held ? 1 : 0);
    verify_out_done(&out);
}

static Db *a_held_connection(void)
{
    Db *held = NULL;
    Err err;
    DbTarget t = {.user = (char *)"held"};
    EXPECT("CONNECT held");
    assert_ok(db_connect(&t, 5000, &held, &err), err);
    return held;
}

static void verified(void)
{
    Db *held = a_held_connection();
    EXPECT("DO 1", .on = "held");
    expect_open(5000);
    expect_look(stopped_at(5));
    verify(held, OP_DONE, FROZEN_STILL, ERR_NONE);
    /* The connection is gone, the process is seen. */
    EXPECT("DO 1", .on = "held", .fail = ERR_LOST);
    expect_open(5000);
    expect_look(stopped_at(5));
    verify(held, OP_DONE, FROZEN_STILL, ERR_NONE);
    db_close(held);
    View v = stopped_at(6);
    expect_open(5000);
    expect_look(v);
    verify(NULL, OP_MOVED, FROZEN_MOVED, ERR_CORRUPT);
    v = view_at(5);
    expect_open(5000);
    expect_look(v);
    verify(NULL, OP_MOVED, FROZEN_STARTED, ERR_CORRUPT);
    v = stopped_at(5);
    v.source_port = 3307;
    expect_open(5000);
    expect_look(v);
    verify(NULL, OP_MOVED, FROZEN_REPOINTED, ERR_CORRUPT);
    v = stopped_at(5);
    v.binlog_text =
        is_mariadb() ? "0-2-6"
                     : script_keep(xasprintf("%s,%s:1", at_trx(5), "4e11fa47-71ca-11e1-9e33-c80aa9429562"));
    expect_open(5000);
    expect_look(v);
    verify(NULL, OP_MOVED, FROZEN_WRITTEN, ERR_CORRUPT);
}
BOTH(verified)

/* Over TCP the connection alone shows that the server has not restarted. */
static void over_tcp_the_connection_is_the_proof(void)
{
    script_begin(is_mariadb() ? DB_MARIADB : DB_MYSQL, 0);
    Db *held = a_held_connection();
    EXPECT("DO 1", .on = "held");
    expect_open(5000);
    expect_look(stopped_at(5));
    verify(held, OP_DONE, FROZEN_STILL, ERR_NONE);
    EXPECT("DO 1", .on = "held", .fail = ERR_LOST);
    expect_open(5000);
    expect_look(stopped_at(5));
    verify(held, OP_MOVED, FROZEN_UNPROVEN, ERR_CORRUPT);
    db_close(held);
    expect_open(5000);
    expect_look(stopped_at(5));
    verify(NULL, OP_MOVED, FROZEN_UNPROVEN, ERR_CORRUPT);
}
BOTH(over_tcp_the_connection_is_the_proof)

/* A server that cannot be read proves nothing and voids nothing. */
static void verify_breaks(void)
{
    static const ErrKind kinds[] = {ERR_DB, ERR_TIMEOUT, ERR_LOST};
    for (size_t i = 0; i < COUNT(kinds); i++) {
        expect_open(5000);
        expect_look_broken(stopped_at(5), (int)i, kinds[i]);
        verify(NULL, OP_FAILED, FROZEN_STILL, kinds[i]);
    }
    EXPECT("CONNECT agent", .fail = ERR_UNREACHABLE);
    verify(NULL, OP_FAILED, FROZEN_STILL, ERR_UNREACHABLE);
    Cancel cancel = {true};
    VerifyOut out = {0};
    VerifyIn in = a_verification(NULL);
    assert_false(op_verify(&in, &cancel, &out));
    EXPECT_RESULT(out, OP_FAILED, ERR_CANCELLED);
    verify_out_done(&out);
}
BOTH(verify_breaks)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TESTS_OF(verified),
        TESTS_OF(over_tcp_the_connection_is_the_proof),
        TESTS_OF(verify_breaks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
