/* SPDX-License-Identifier: Apache-2.0
 * SHA-256 (OpenSSL) as 64 lower-case hex digits; SHA-1 where a protocol demands it.
 */
#pragma once

#include "common/base/str.h"

typedef struct Sha256 Sha256;
Sha256 *sha256_new(void);
void sha256_add(Sha256 *s, const void *bytes, size_t n);
void sha256_finish(Sha256 *s, char ret[65]); /* frees s */
void sha256_finish_raw(Sha256 *s, unsigned char ret[32]);
void sha256_free(Sha256 *s);
MUST_CHECK bool sha256_file(const char *path, char ret[65], Err *err);

enum { SHA1_BYTES = 20 };
void sha1(const void *bytes, size_t n, unsigned char ret[SHA1_BYTES]);
