/* SPDX-License-Identifier: Apache-2.0
 * What MariaDB's and Oracle's client libraries do differently, for db*.c alone: db_client_mariadb.c or
 * db_client_mysql.c, whichever library was built against.
 */
#pragma once

#include <mysql.h>

#include "clientfile.h"
#include "dbwire.h"

int db_client_socket(MYSQL *my);
/* Before connecting. The connection is encrypted and the server's certificate and name are verified, or there
 * is none. */
void db_client_demand_tls(MYSQL *my);
/* Before connecting. caching_sha2_password over plain loopback TCP asks the server for its key. */
void db_client_allow_key_request(MYSQL *my);
/* Before connecting: what the option file says of encryption. ERR_REFUSED where this library has no such way.
 */
MUST_CHECK bool db_client_set_tls(MYSQL *my, const ClientFile *f, Err *err);
/* After connecting: COM_BINLOG_DUMP from there on, without waiting for what is not written yet, and the first
 * packet of the answer, whatever it is. False: the library's error says why. */
MUST_CHECK bool db_client_ask_binlog(MYSQL *my, uint32_t server_id, const char *file, uint64_t pos);
/* After connecting: a lost connection is not made anew with another session. */
void db_client_stay(MYSQL *my);
/* Bytes of the result that the library has read ahead, which it forgets. False: they cannot be had. */
bool db_client_take_ahead(MYSQL *my, DbWire *ret);
