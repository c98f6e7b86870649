/* SPDX-License-Identifier: Apache-2.0 */
#include "db_client.h"

int db_client_socket(MYSQL *my)
{
    return my->net.fd;
}

void db_client_demand_tls(MYSQL *my)
{
    unsigned mode = SSL_MODE_VERIFY_IDENTITY;
    mysql_options(my, MYSQL_OPT_SSL_MODE, &mode);
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
