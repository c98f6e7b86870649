/* SPDX-License-Identifier: Apache-2.0
 * The vault: hard links to the server's relay files, so that no purge of its own can take what a paused
 * replica has received. A link's name tells order, inode and name
 * ("siding-relay-00000003-1181-relay.000007"): the folder is its own record, whatever is killed in between.
 * Links pin disk space until the pause is over. Blocking file work, no server needed; any process may call
 * it.
 */
#pragma once

#include "common/db/repl.h"
#include "common/wire/wire_node.h"

/* Where things are, remembered in relay.json so that it is known while the server is down. */
/* clang-format off */
#define VAULT_PLACE_LIST(F, T) \
    F(T, STR, index)           \
    F(T, STR, relay_folder)    \
    F(T, STR, data_folder)     \
    F(T, STR, binlog_folder)   \
    F(T, STR, binlog_index)    \
    F(T, STR, folder) /* of the links */
/* clang-format on */
WIRE_STRUCT(VaultPlace, VAULT_PLACE_LIST);
extern const WireField vault_place_fields[];

/* `folder` NULL: the links are beside the relay files (a folder of its own inside a data directory would be
 * shown as a database by MariaDB). */
MUST_CHECK bool vault_place_read(Db *db, const char *folder, VaultPlace *ret, Err *err);

/* The files that an index of the server lists. Paths. */
MUST_CHECK bool vault_index_files(const char *index, const char *data_folder, StrList *ret, Err *err);

/* Links what the server lists and is not linked yet. */
MUST_CHECK bool vault_keep(const VaultPlace *p, Err *err);
/* All relay files there are, in the order they were written: those kept, then those only present. Paths. */
MUST_CHECK bool vault_files(const VaultPlace *p, StrList *ret, Err *err);
/* Can the files be read and linked here. The error says what would be right. */
MUST_CHECK bool vault_check(const VaultPlace *p, Err *err);
MUST_CHECK bool vault_measure(const VaultPlace *p, VaultFigures *ret, Err *err);
MUST_CHECK bool vault_sync_newest(const VaultPlace *p, Err *err);
/* The relay files are where they were, and no link to any is kept: no pause is in force. */
bool vault_is_empty(const VaultPlace *p);
MUST_CHECK bool vault_clear(const VaultPlace *p, Err *err);
/* Everything that the server has written reaches the disk: the file systems of its data and logs. */
MUST_CHECK bool vault_flush_server(const VaultPlace *p, Err *err);
