/* SPDX-License-Identifier: Apache-2.0
 * The server's side of the MySQL protocol, as far as one receiver needs it: packets, a handshake with
 * mysql_native_password, small results, commands. Format: MariaDB's "Client/Server Protocol". Pure.
 */
#pragma once

#include <stdint.h>

#include "common/base/str.h"

enum {
    PACKET_FRAME_MAX = 0xffffff,  /* a longer one goes on in the next frame */
    PACKET_REQUEST_MAX = 1 << 16, /* no receiver asks for more */
    SOURCE_SALT_BYTES = 20,
    SOURCE_TOKEN_BYTES = 20,
};

/* ---- packets --------------------------------------------------------------------------------------- */

/* Bytes to be sent. The sender takes them out of `bytes` at any time, in the middle of a packet too. */
typedef struct PacketOut {
    Str bytes;
    uint8_t seq;
    uint64_t left;     /* of the packet begun */
    size_t frame_left; /* of its frame */
    bool frame_full;
} PacketOut;

void packet_begin(PacketOut *o, uint64_t bytes);
void packet_add(PacketOut *o, const void *bytes, size_t n); /* all together as many as were begun */
void packet_put(PacketOut *o, const void *bytes, size_t n); /* a whole one */

/* Takes the first whole request out of `in`. *ret_there false: more bytes are needed. ERR_PROTOCOL where it
 * is longer than PACKET_REQUEST_MAX. */
MUST_CHECK bool packet_take(Str *in, Str *ret, uint8_t *ret_seq, bool *ret_there, Err *err);

/* ---- what the server says -------------------------------------------------------------------------- */

void source_greeting(PacketOut *o, const char *version, uint32_t id, const unsigned char *salt);
void source_switch_auth(PacketOut *o, const unsigned char *salt);
void source_ok(PacketOut *o);
void source_eof(PacketOut *o);
void source_error(PacketOut *o, int code, const char *state, const char *text);
/* One row of up to two columns; a NULL `name` ends them; a NULL value is SQL NULL. */
typedef struct SourceColumn {
    const char *name, *value;
} SourceColumn;
void source_row(PacketOut *o, const SourceColumn *columns);

/* ---- what the client says -------------------------------------------------------------------------- */

typedef struct SourceLogin {
    char user[81];
    unsigned char token[SOURCE_TOKEN_BYTES];
    size_t token_n; /* another length than SOURCE_TOKEN_BYTES is no answer to the salt */
    bool native;    /* mysql_native_password made the token */
} SourceLogin;
MUST_CHECK bool source_login_read(const Str *request, SourceLogin *ret, Err *err);
bool source_token_is(const unsigned char *token, size_t n, const unsigned char *salt, const char *password);

typedef enum SourceCommandKind {
    SOURCE_QUIT,
    SOURCE_QUERY,
    SOURCE_PING,
    SOURCE_REGISTER,
    SOURCE_DUMP,
    SOURCE_OTHER,
} SourceCommandKind;
typedef struct SourceCommand {
    SourceCommandKind kind;
    const char *text; /* of a query; into the request */
    size_t text_n;
} SourceCommand;
void source_command_read(const Str *request, SourceCommand *ret);
