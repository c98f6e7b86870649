/* SPDX-License-Identifier: Apache-2.0
 * What mends it that an agent cannot be asked, by the cause: it does not run, its host is not reached, its
 * certificate is not accepted here, or ours there. Pure.
 */
#pragma once

#include "common/base/err.h"

/* `err` of an HTTP call (httpc.h) to the agent `name` at `url`; NULL where nothing general helps. Owned. */
char *peer_mend(const Err *err, const char *name, const char *url);
