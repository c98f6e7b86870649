/* SPDX-License-Identifier: Apache-2.0
 * What relay files hold that only the server itself can read, because they are encrypted: asked of it by SHOW
 * RELAYLOG EVENTS. Slow, so only where a file could not be read here.
 */
#pragma once

#include "vault.h"

/* The last transaction of each domain, whole or not: a position that covers it has applied all there is.
 * ERR_REFUSED if a file is kept that the server does not know any more. Owned. */
MUST_CHECK bool relay_events_last(Db *db, const VaultPlace *place, char **ret, Err *err);
