/* SPDX-License-Identifier: Apache-2.0 */
#include "queue_groups.h"

#include <string.h>

static bool is_meant(const char *pattern, const char *name)
{
    size_t n = strlen(pattern);
    if (n && pattern[n - 1] == '*')
        return strncmp(pattern, name, n - 1) == 0;
    return strncmp(pattern, name, n) == 0 && (!name[n] || name[n] == ':');
}

bool queue_name_is_among(const StrList *names, const char *name)
{
    for (size_t i = 0; i < names->n; i++)
        if (is_meant(names->v[i], name))
            return true;
    return false;
}

uint32_t queue_groups_of(const ConfList *groups, const char *name, bool may_sleep)
{
    const QueueGroup *v = groups->v;
    uint32_t set = 0;
    for (size_t i = 0; i < groups->n && i < QUEUE_MOST_GROUPS; i++)
        if (v[i].may_sleep == may_sleep && queue_name_is_among(&v[i].names, name))
            set |= (uint32_t)1 << i;
    return set;
}

QueueKey queue_key_of(const ConfList *keys, const char *key)
{
    const QueueKey *v = keys->v;
    for (size_t i = 0; i < keys->n; i++)
        if (queue_name_is_among(&v[i].names, key))
            return v[i];
    return (QueueKey){.at_once = 1};
}
