/* SPDX-License-Identifier: Apache-2.0
 * Which groups and keys of the configuration a task belongs to. Pure.
 */
#pragma once

#include "common/net/coordconf.h"

/* "index" is also "index:words"; "index*" is all that begins so. */
bool queue_name_is_among(const StrList *names, const char *name);
/* What a concurrency key may: as the first line says that fits it, else one at a time. */
QueueKey queue_key_of(const ConfList *keys, const char *key);
/* A bit for each group of the kind that it is in. */
uint32_t queue_groups_of(const ConfList *groups, const char *name, bool may_sleep);
