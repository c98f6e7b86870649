/* SPDX-License-Identifier: Apache-2.0
 * The private connection of a MariaDB replica by which it takes its own kept relay files: a named one beside
 * the default, whose host, options and files stay untouched. Its filters and its way of applying are those
 * of the default. Where nothing but the server can read those files, it fetches them from its source again.
 * By an account that may (siding_rescue). repl_read_private says how it stands.
 */
#pragma once

/* The oldest session of the rescuing account, other than the one that asks; 0: there is none. */
#define RESCUE_SESSION_SQL                                                                                   \
    "SELECT COALESCE(MIN(id), 0) FROM information_schema.processlist WHERE user = 'siding_rescue' AND id "   \
    "<> "                                                                                                    \
    "CONNECTION_ID()"

#include "common/db/repl.h"

typedef struct RescueSource {
    int port; /* of 127.0.0.1 */
    const char *user, *password;
} RescueSource;

/* The connection stands still and is made, or made anew. */
MUST_CHECK bool rescue_channel_make(Db *db, const RescueSource *source, Err *err);
/* The same, to fetch from the source of the default connection, as that does, by the account of an option
 * file and through a `port` of 127.0.0.1 that leads there. Where the default verifies the name in its
 * source's certificate, the receiver says that this is another. */
MUST_CHECK bool rescue_channel_follow(Db *db, int port, const char *account_file, Err *err);
/* From the server's position up to `until` of each domain; stops by itself there. A START deletes no files
 * but the connection's own. */
MUST_CHECK bool rescue_channel_start(Db *db, const char *until, Err *err);
MUST_CHECK bool rescue_channel_stop(Db *db, Err *err);
/* Stopped and gone, if it is there. */
MUST_CHECK bool rescue_channel_clear(Db *db, Err *err);
