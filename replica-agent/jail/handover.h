/* SPDX-License-Identifier: Apache-2.0
 * A tree of files from one user to another, by whoever may. No link is followed, and a file with a second
 * name somewhere else stays whose it is.
 */
#pragma once

#include <sys/types.h>

#include "common/base/err.h"

/* What belongs to `from` in the open folder, and the folder itself. Nobody works in it any more. */
MUST_CHECK bool handover(int folder, uid_t from, uid_t to, gid_t group, Err *err);
