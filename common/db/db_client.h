/* SPDX-License-Identifier: Apache-2.0
 * What MariaDB's and Oracle's client libraries do differently, for db*.c alone: db_client_mariadb.c or
 * db_client_mysql.c, whichever library was built against.
 */
#pragma once

#include <mysql.h>

#include "dbwire.h"

int db_client_socket(MYSQL *my);
/* Before connecting. The connection is encrypted and the server's certificate and name are verified, or there
 * is none. */
void db_client_demand_tls(MYSQL *my);
/* Before connecting. caching_sha2_password over plain loopback TCP asks the server for its key. */
void db_client_allow_key_request(MYSQL *my);
/* Bytes of the result that the library has read ahead, which it forgets. False: they cannot be had. */
bool db_client_take_ahead(MYSQL *my, DbWire *ret);
