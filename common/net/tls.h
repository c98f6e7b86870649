/* SPDX-License-Identifier: Apache-2.0
 * Certificates for both ends. Peers are verified against the CA, both ways; TLS 1.2 or newer.
 */
#pragma once

#include <stddef.h>

#include "common/base/err.h"
#include "common/file/conf.h"

/* What a program proves itself with. */
typedef struct Tls {
    char *certificate_file, *key_file, *ca_file;
    char *token_file; /* shown besides, where the way is loopback, a unix socket or TLS; NULL: none */
} Tls;

/* Of a group `tls` in a configuration file. */
extern const ConfOption tls_options[];

bool tls_is_set(const Tls *tls); /* its certificates are; NULL is not */
/* All three files or none, readable, the key private and belonging to the certificate: ERR_CONFIG otherwise.
 */
MUST_CHECK bool tls_check(const Tls *tls, Err *err);

struct ssl_ctx_st;
struct ssl_st;
/* `anonymous`: clients need no certificate, and none is asked for. */
MUST_CHECK bool tls_server_context(const Tls *tls, bool anonymous, struct ssl_ctx_st **ret, Err *err);
void tls_context_free(struct ssl_ctx_st *ctx);
struct ssl_st *tls_session_new(struct ssl_ctx_st *ctx); /* for a bufferevent, which owns it */
/* Of the verified peer certificate its common name, else its first DNS name; "" before the handshake, and for
 * a name that does not fit or is no plain text. */
void tls_peer_name(struct ssl_st *session, char *ret, size_t size);
