/* SPDX-License-Identifier: Apache-2.0
 * The token by which a new host fetches its files: where sidingd is, by which key it is known, and a secret.
 * Two things come of the secret: a proof, which is shown to sidingd, and a key, by which the files are sealed
 * (AES-256-GCM). Neither gives the other away, so that sidingd keeps and passes on what it cannot read.
 * The secret is drawn for one invitation and seals one bundle.
 */
#pragma once

#include "certificate.h"

enum {
    JOIN_SECRET_BYTES = 32,
    JOIN_TOKEN_BYTES = 4096, /* at most */
    JOIN_PROOF_CHARS = 64,
    JOIN_BUNDLE_BYTES = 256 << 10, /* at most, before it is sealed */
    JOIN_SEALED_CHARS = 2 * (JOIN_BUNDLE_BYTES + 12 + 16),
};

/* In the files: what the new host alone knows. */
#define JOIN_DIR_MARK "@DIR@"
#define JOIN_STATE_MARK "@STATE@"
#define JOIN_SOCKET_MARK "@SOCKET@"

typedef struct JoinToken {
    char *node;
    StrList addresses; /* "host:port", tried one after the other */
    char pin[CERT_PIN_CHARS + 1];
    unsigned char secret[JOIN_SECRET_BYTES];
} JoinToken;

void jointoken_done(JoinToken *t);        /* and forgets the secret */
void jointoken_draw(JoinToken *t);        /* a new secret */
char *jointoken_text(const JoinToken *t); /* one word; owned */
bool jointoken_is(const char *text);      /* it begins like one */
/* ERR_USAGE. `ret` is zeroed. Pure. */
MUST_CHECK bool jointoken_read(const char *text, JoinToken *ret, Err *err);

void jointoken_proof(const JoinToken *t, char ret[JOIN_PROOF_CHARS + 1]);
/* What sidingd keeps of a proof. */
void jointoken_proof_hash(const char *proof, char ret[65]);
/* As hexadecimal digits. */
void jointoken_seal(const JoinToken *t, const char *bytes, size_t n, Str *ret);
/* ERR_CORRUPT: it was not sealed with this secret, or has been changed. */
MUST_CHECK bool jointoken_open(const JoinToken *t, const char *sealed, Str *ret, Err *err);
