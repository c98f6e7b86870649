/* SPDX-License-Identifier: Apache-2.0
 * Does a server that a replica fetches from answer at all, and what does it have? Asked before something is
 * given up, or waited for, that only it could send again.
 */
#pragma once

#include "common/db/repl.h"

/* A TCP connection can be made within two seconds an address. `host` may be NULL: no. */
bool source_answers(const char *host, int64_t port);
int source_connect(const char *host, int64_t port); /* the connection, non-blocking; -1: none */

/* The source of a MariaDB has all transactions up to `held` in its binary log, as the account of that option
 * file is told within a second or two. The error says what is missing, or why it is not known. */
MUST_CHECK bool source_has(const char *account_file, const ReplStatus *replica, const char *held, Err *err);
