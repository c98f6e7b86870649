/* SPDX-License-Identifier: Apache-2.0
 * Durable small files below state_dir. A reserve file is kept there, so that a full disk can never keep
 * the agent from writing down how it lets a replica go: it is given up for the write, and made again later.
 */
#pragma once

#include "common/wire/wire.h"

struct Agent;

MUST_CHECK bool store_write(struct Agent *a, const char *name, const WireField *fields, const void *s,
                            Err *err);
/* ERR_NOT_FOUND if absent. */
MUST_CHECK bool store_read(struct Agent *a, const char *name, const WireField *fields, void *ret, Err *err);
MUST_CHECK bool store_remove(struct Agent *a, const char *name, Err *err);
char *store_path(struct Agent *a, const char *name);
void store_keep_reserve(struct Agent *a);
