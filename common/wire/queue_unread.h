/* SPDX-License-Identifier: Apache-2.0
 * What a coordinator answers that has not read its queue: it has just begun, or knows no primary. Whoever
 * asks may ask again; he knows it by its code, and not by its words.
 */
#pragma once

#include "common/base/err.h"

/* ERR_UNREACHABLE; always false. */
bool queue_unread(Err *err, const char *why);
bool queue_is_unread(const Err *err);
