/* SPDX-License-Identifier: Apache-2.0 */
#include "db.h"

void db_target_done(DbTarget *t)
{
    char *const owned[] = {t->defaults_file, t->socket, t->host,     t->user,   t->password,
                           t->database,      t->tls_ca, t->tls_cert, t->tls_key};
    for (size_t i = 0; i < COUNT(owned); i++)
        free(owned[i]);
    *t = (DbTarget){0};
}

void db_target_copy(DbTarget *to, const DbTarget *from)
{
    *to = (DbTarget){
        .defaults_file = xstrdup(from->defaults_file),
        .socket = xstrdup(from->socket),
        .host = xstrdup(from->host),
        .port = from->port,
        .user = xstrdup(from->user),
        .password = xstrdup(from->password),
        .database = xstrdup(from->database),
        .tls_ca = xstrdup(from->tls_ca),
        .tls_cert = xstrdup(from->tls_cert),
        .tls_key = xstrdup(from->tls_key),
        .named = from->named,
    };
}
