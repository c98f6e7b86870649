/* SPDX-License-Identifier: Apache-2.0
 * Certificates for both ends. Peers are verified against the CA, both ways; TLS 1.2 or newer.
 */
#pragma once

#include <stddef.h>

#include "common/base/err.h"
#include "common/file/conf.h"

typedef struct Tls {
    char *certificate_file, *key_file, *ca_file;
} Tls;

/* Of a group `tls` in a configuration file. */
extern const ConfOption tls_options[];

bool tls_is_set(const Tls *tls); /* NULL is not */
/* All three files or none, readable, the key private and belonging to the certificate: ERR_CONFIG otherwise.
 */
MUST_CHECK bool tls_check(const Tls *tls, Err *err);

struct ssl_ctx_st;
struct ssl_st;
MUST_CHECK bool tls_server_context(const Tls *tls, struct ssl_ctx_st **ret, Err *err);
void tls_context_free(struct ssl_ctx_st *ctx);
struct ssl_st *tls_session_new(struct ssl_ctx_st *ctx); /* for a bufferevent, which owns it */
/* Common name of the verified peer certificate, "" before the handshake. */
void tls_peer_name(struct ssl_st *session, char *ret, size_t size);
