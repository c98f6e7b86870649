/* SPDX-License-Identifier: Apache-2.0 */
#include "db_client.h"

#include <ma_pvio.h>

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
