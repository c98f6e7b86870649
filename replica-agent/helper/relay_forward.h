/* SPDX-License-Identifier: Apache-2.0
 * A door to a server under another address: a thread that passes on, unread, whatever comes to a free port of
 * 127.0.0.1. MariaDB refuses two connections of replication to the same host and port.
 */
#pragma once

#include <stdint.h>

#include "common/base/err.h"

typedef struct RelayForward RelayForward;

MUST_CHECK bool relay_forward_open(const char *host, int64_t port, RelayForward **ret, Err *err);
void relay_forward_close(RelayForward *f); /* ends the thread and what it passes on; NULL is fine */
int relay_forward_port(const RelayForward *f);
