/* SPDX-License-Identifier: Apache-2.0 */
#include "pair.h"

#include <signal.h>

Db *primary, *replica;

DbTarget target_of(int node)
{
    return (DbTarget){.socket = getenv(node ? "DB1_SOCKET" : "DB0_SOCKET"), .user = (char *)"root"};
}

Db *connect_to(int node, int64_t timeout_ms)
{
    Err err;
    Db *db = NULL;
    DbTarget t = target_of(node);
    assert_ok(db_connect(&t, timeout_ms, &db, &err), err);
    return db;
}

void run(Db *db, const char *sql)
{
    Err err;
    if (!db_exec(db, &err, sql, ""))
        fail_msg("%s: %s", sql, err.text);
}

DbFlavor flavor(void)
{
    return db_version(primary)->flavor;
}

int64_t count(Db *db, const char *sql)
{
    Err err;
    int64_t n = -1;
    assert_ok(db_value_int(db, &n, &err, sql, ""), err);
    return n;
}

int begin(void **state)
{
    (void)state;
    if (!getenv("DB0_SOCKET") || !getenv("DB1_SOCKET"))
        fail_msg("DB0_SOCKET and DB1_SOCKET must be set");
    signal(SIGPIPE, SIG_IGN);
    primary = connect_to(0, 20000);
    replica = connect_to(1, 20000);
    run(primary, "DROP DATABASE IF EXISTS siding_x");
    run(primary, "CREATE DATABASE siding_x");
    return 0;
}

int end(void **state)
{
    (void)state;
    run(primary, "DROP DATABASE siding_x");
    db_close(primary);
    db_close(replica);
    return 0;
}
