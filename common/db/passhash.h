/* SPDX-License-Identifier: Apache-2.0
 * Passwords as the servers store them, so that none travels in clear, and what a server has stored can be
 * compared with a file. Pure.
 */
#pragma once

#include "common/base/str.h"

typedef enum PassMatch {
    PASS_DIFFERS,
    PASS_MATCHES,
    PASS_UNKNOWN /* of a plugin that is not known here */
} PassMatch;

/* mysql_native_password: "*" and 40 hex digits. Owned. */
char *passhash_native(const char *password);
/* caching_sha2_password, of a salt that nobody has seen: "$A$00A$", salt, digest; in hex, as a literal takes
 * it. Owned. */
char *passhash_sha2(const char *password);
PassMatch passhash_match(const char *plugin, const char *stored, size_t n, const char *password);
