/* SPDX-License-Identifier: Apache-2.0
 * What relay files hold that only the server itself can read, because they are encrypted: asked of it by SHOW
 * RELAYLOG EVENTS. Slow, so only where a file could not be read here.
 */
#pragma once

#include "vault.h"

/* The last transaction of each domain, whole or not: a position that covers it has applied all there is. What
 * a kill has cut off at the end of a file was never received. ERR_REFUSED if an encrypted file is kept that
 * the server does not know any more. Owned. */
MUST_CHECK bool relay_events_last(Db *db, const VaultPlace *place, char **ret, Err *err);

/* As vault_files, without those that are encrypted and hold no transaction: as the first of a server that was
 * started with encryption while its replica was paused. */
MUST_CHECK bool relay_events_files(Db *db, const VaultPlace *place, StrList *ret, Err *err);
/* Is there one that is encrypted, empty or not? */
bool relay_events_some_encrypted(const VaultPlace *place);
