/* SPDX-License-Identifier: Apache-2.0
 * A client's option file, read as the servers' own tools read it and the same with either client library,
 * which alone pass over half of its TLS options without a word. What an option asks for is done, or refused.
 */
#pragma once

#include "common/base/err.h"
#include "common/base/str.h"

typedef enum ClientTls {
    CLIENT_TLS_UNSAID, /* as the library does */
    CLIENT_TLS_OFF,
    CLIENT_TLS_PREFERRED,
    CLIENT_TLS_REQUIRED,
    CLIENT_TLS_CA,       /* and the certificate is of the CA */
    CLIENT_TLS_IDENTITY, /* and of that host */
} ClientTls;

typedef enum ClientProtocol {
    CLIENT_PROTOCOL_ANY,
    CLIENT_PROTOCOL_TCP,
    CLIENT_PROTOCOL_SOCKET
} ClientProtocol;

typedef struct ClientFile {
    char *user, *password, *host, *socket, *database;
    char *bind_address, *default_auth, *plugin_dir, *init_command, *server_public_key;
    int64_t port;
    bool compress;
    ClientProtocol protocol;
    ClientTls tls;
    bool has_mode, is_verified; /* ssl-mode, ssl-verify-server-cert */
    char *tls_ca, *tls_capath, *tls_cert, *tls_key, *tls_cipher, *tls_crl, *tls_crlpath, *tls_version,
        *tls_suites, *tls_fingerprint, *tls_fingerprints;
} ClientFile;

void clientfile_done(ClientFile *c);
/* The groups [client], [client-server] and [client-mariadb] of the file and of those it includes. */
MUST_CHECK bool clientfile_read(const char *path, ClientFile *ret, Err *err);
/* Reads what an "!includedir" (kind 'd') or "!include" ('f') line names. */
typedef bool (*ClientInclude)(void *arg, char kind, const char *path, Err *err);
/* One text, later values win; an included file is asked for where its line stands. ERR_CONFIG with the line:
 * also for what the servers' tools would take for one of these options and what would choose another server.
 * Pure. */
MUST_CHECK bool clientfile_parse(const char *name, const char *text, ClientFile *c, ClientInclude include,
                                 void *arg, Err *err);
