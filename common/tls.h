/* SPDX-License-Identifier: Apache-2.0
 * Certificates for both ends. Peers are verified against the CA, both ways; TLS 1.2 or newer.
 */
#pragma once

#include "err.h"

typedef struct Tls {
    char *certificate_file, *key_file, *ca_file;
} Tls;

struct ssl_ctx_st;
MUST_CHECK bool tls_server_context(const Tls *tls, struct ssl_ctx_st **ret, Err *err);
void tls_context_free(struct ssl_ctx_st *ctx);
