/* SPDX-License-Identifier: Apache-2.0
 * Does a server that a replica fetches from answer at all? Asked before something is given up that only it
 * could send again.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* A TCP connection can be made within two seconds an address. `host` may be NULL: no. */
bool source_answers(const char *host, int64_t port);
