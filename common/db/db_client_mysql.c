/* SPDX-License-Identifier: Apache-2.0 */
#include "db_client.h"

#include <string.h>

int db_client_socket(MYSQL *my)
{
    return my->net.fd;
}

void db_client_demand_tls(MYSQL *my)
{
    unsigned mode = SSL_MODE_VERIFY_IDENTITY;
    mysql_options(my, MYSQL_OPT_SSL_MODE, &mode);
}

/* A CA without a mode means that it counts, as Oracle's tools take it. */
static unsigned mode_of(const ClientFile *f)
{
    static const unsigned modes[] = {[CLIENT_TLS_OFF] = SSL_MODE_DISABLED,
                                     [CLIENT_TLS_PREFERRED] = SSL_MODE_PREFERRED,
                                     [CLIENT_TLS_REQUIRED] = SSL_MODE_REQUIRED,
                                     [CLIENT_TLS_CA] = SSL_MODE_VERIFY_CA,
                                     [CLIENT_TLS_IDENTITY] = SSL_MODE_VERIFY_IDENTITY};
    if (f->tls == CLIENT_TLS_UNSAID || (f->tls == CLIENT_TLS_REQUIRED && !f->has_mode))
        return f->tls_ca || f->tls_capath      ? SSL_MODE_VERIFY_CA
               : f->tls == CLIENT_TLS_REQUIRED ? SSL_MODE_REQUIRED
                                               : SSL_MODE_PREFERRED;
    return modes[f->tls];
}

bool db_client_set_tls(MYSQL *my, const ClientFile *f, Err *err)
{
    unsigned mode = mode_of(f);
    if (f->tls_fingerprint || f->tls_fingerprints)
        return err_set(err, ERR_REFUSED, 0,
                       "ssl-fp: Oracle's client library knows no fingerprints; say ssl-ca and "
                       "ssl-mode=VERIFY_CA");
    const struct {
        enum mysql_option option;
        const char *value;
    } texts[] = {{MYSQL_OPT_SSL_CA, f->tls_ca},
                 {MYSQL_OPT_SSL_CAPATH, f->tls_capath},
                 {MYSQL_OPT_SSL_CERT, f->tls_cert},
                 {MYSQL_OPT_SSL_KEY, f->tls_key},
                 {MYSQL_OPT_SSL_CIPHER, f->tls_cipher},
                 {MYSQL_OPT_SSL_CRL, f->tls_crl},
                 {MYSQL_OPT_SSL_CRLPATH, f->tls_crlpath},
                 {MYSQL_OPT_TLS_VERSION, f->tls_version},
                 {MYSQL_OPT_TLS_CIPHERSUITES, f->tls_suites}};
    for (size_t i = 0; i < COUNT(texts); i++)
        if (texts[i].value)
            mysql_options(my, texts[i].option, texts[i].value);
    mysql_options(my, MYSQL_OPT_SSL_MODE, &mode);
    return true;
}

void db_client_stay(MYSQL *my)
{
    (void)my; /* it has no other way any more */
}

void db_client_allow_key_request(MYSQL *my)
{
    bool on = true;
    unsigned mode = SSL_MODE_PREFERRED;
    mysql_options(my, MYSQL_OPT_GET_SERVER_PUBLIC_KEY, &on);
    mysql_options(my, MYSQL_OPT_SSL_MODE, &mode);
}

bool db_client_take_ahead(MYSQL *my, DbWire *ret)
{
    (void)my; /* its buffer is nobody else's */
    (void)ret;
    return false;
}

bool db_client_ask_binlog(MYSQL *my, uint32_t server_id, const char *file, uint64_t pos)
{
    enum { NON_BLOCK = 1 }; /* BINLOG_DUMP_NON_BLOCK of the protocol; no header of the library has it */
    MYSQL_RPL rpl = {.file_name_length = strlen(file),
                     .file_name = file,
                     .start_position = pos,
                     .server_id = server_id,
                     .flags = NON_BLOCK};
    if (mysql_binlog_open(my, &rpl) != 0)
        return false;
    bool ok = mysql_binlog_fetch(my, &rpl) == 0;
    mysql_binlog_close(my, &rpl);
    return ok;
}
