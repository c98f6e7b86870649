/* SPDX-License-Identifier: Apache-2.0
 * A real pair of servers: DB0_SOCKET is a primary, DB1_SOCKET its replica, both allow the caller to do
 * everything. test_repl.py gives them, on each flavour, to the programs that test what is said to servers.
 */
#pragma once

#include "tests/unit/test.h"

#include "common/db/db.h"

extern Db *primary, *replica; /* between begin and end, and the primary has a database siding_x */

int begin(void **state);
int end(void **state);

DbTarget target_of(int node);
Db *connect_to(int node, int64_t timeout_ms);
void run(Db *db, const char *sql);
int64_t count(Db *db, const char *sql);
DbFlavor flavor(void); /* of both */
