/* SPDX-License-Identifier: Apache-2.0 */
#include "db_client.h"

#include <ma_pvio.h>
#include <mariadb_rpl.h>
#include <string.h>

int db_client_socket(MYSQL *my)
{
    return (int)mysql_get_socket(my);
}

void db_client_demand_tls(MYSQL *my)
{
    my_bool on = 1;
    mysql_options(my, MYSQL_OPT_SSL_ENFORCE, &on);
    mysql_options(my, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &on);
}

bool db_client_set_tls(MYSQL *my, const ClientFile *f, Err *err)
{
    my_bool on = f->tls >= CLIENT_TLS_REQUIRED, verify = f->tls == CLIENT_TLS_IDENTITY;
    if (f->tls == CLIENT_TLS_CA)
        return err_set(
            err, ERR_REFUSED, 0,
            "ssl-mode=VERIFY_CA: MariaDB's client library verifies the host's name too or nothing; say "
            "VERIFY_IDENTITY");
    if (f->tls_suites)
        return err_set(err, ERR_REFUSED, 0,
                       "tls-ciphersuites: MariaDB's client library has no such option; say ssl-cipher");
    if (f->tls == CLIENT_TLS_OFF)
        return true;
    if (on || f->tls == CLIENT_TLS_PREFERRED)
        mysql_ssl_set(my, f->tls_key, f->tls_cert, f->tls_ca, f->tls_capath, f->tls_cipher);
    const struct {
        enum mysql_option option;
        const char *value;
    } texts[] = {{MYSQL_OPT_SSL_CRL, f->tls_crl},
                 {MYSQL_OPT_SSL_CRLPATH, f->tls_crlpath},
                 {MARIADB_OPT_TLS_VERSION, f->tls_version},
                 {MARIADB_OPT_TLS_PEER_FP, f->tls_fingerprint},
                 {MARIADB_OPT_TLS_PEER_FP_LIST, f->tls_fingerprints}};
    for (size_t i = 0; i < COUNT(texts); i++)
        if (texts[i].value)
            mysql_options(my, texts[i].option, texts[i].value);
    if (on) { /* one field with what mysql_ssl_set has set */
        mysql_options(my, MYSQL_OPT_SSL_ENFORCE, &on);
        mysql_options(my, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &verify);
    }
    return true;
}

void db_client_stay(MYSQL *my)
{
    my_bool off = 0;
    mysql_options(my, MYSQL_OPT_RECONNECT, &off);
}

void db_client_allow_key_request(MYSQL *my)
{
    (void)my; /* always does */
}

bool db_client_take_ahead(MYSQL *my, DbWire *ret)
{
    MARIADB_PVIO *io = my->net.pvio;
    if (!io || io->ctls || my->net.compress || io->type > PVIO_TYPE_SOCKET)
        return false;
    const unsigned char *end = io->cache ? io->cache + io->cache_size : NULL;
    size_t left = io->cache && io->cache_pos && io->cache_pos < end ? (size_t)(end - io->cache_pos) : 0;
    *ret = (DbWire){db_client_socket(my), io->cache_pos, left};
    io->cache_pos += left;
    return true;
}

bool db_client_ask_binlog(MYSQL *my, uint32_t server_id, const char *file, uint64_t pos)
{
    MARIADB_RPL *rpl = mariadb_rpl_init(my);
    if (!rpl)
        return false;
    mariadb_rpl_optionsv(rpl, MARIADB_RPL_FILENAME, file, strlen(file));
    mariadb_rpl_optionsv(rpl, MARIADB_RPL_START, (unsigned long)pos);
    mariadb_rpl_optionsv(rpl, MARIADB_RPL_SERVER_ID, (unsigned)server_id);
    mariadb_rpl_optionsv(rpl, MARIADB_RPL_FLAGS, (unsigned)MARIADB_RPL_BINLOG_DUMP_NON_BLOCK);
    bool ok = mariadb_rpl_open(rpl) == 0;
    if (ok) /* an event that asks for an acknowledgement is none that it can read: the connection's error
               counts */
        mariadb_free_rpl_event(mariadb_rpl_fetch(rpl, NULL));
    ok = ok && mysql_errno(my) == 0;
    mariadb_rpl_close(rpl);
    return ok;
}
