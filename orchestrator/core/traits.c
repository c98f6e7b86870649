/* SPDX-License-Identifier: Apache-2.0 */
#include "traits.h"

#include <stdlib.h>
#include <string.h>

typedef struct Trait {
    const char *name;
    bool forbids; /* a primary with another value stops its replicas, or misleads them */
    const char *then;
} Trait;

static const Trait traits[] = {
    {"gtid_domain_id", true, "it would write in another domain than all others have"},
    {"lower_case_table_names", true, "names of tables would mean others"},
    {"sql_mode", false, "statements of applications would do otherwise, or fail"},
    {"character_set_server", false, "new databases would have another character set"},
    {"collation_server", false, "new databases would compare otherwise"},
    {"time_zone", false, "times of applications would be others"},
    {"binlog_format", false, "its replicas would get other events"},
    {"max_allowed_packet", false, "rows that fit the one may not fit the other"},
};

/* Owned; NULL: not known. */
static char *value_of(const char *all, const char *name)
{
    size_t n = strlen(name);
    for (const char *at = all; at; at = strchr(at, ' ')) {
        at += *at == ' ';
        if (!strncmp(at, name, n) && at[n] == '=')
            return xstrndup(at + n + 1, strcspn(at + n + 1, " "));
    }
    return NULL;
}

void traits_differ(const Node *primary, const Node *node, StrList *never, StrList *avoid)
{
    for (size_t i = 0; i < COUNT(traits); i++) {
        const Trait *t = &traits[i];
        AUTOFREE char *its = value_of(node->agent.server.traits, t->name);
        AUTOFREE char *of = value_of(primary->agent.server.traits, t->name);
        if (its && of && strcmp(its, of))
            strlist_addf(t->forbids ? never : avoid, "its %s is \"%s\", that of %s \"%s\": %s", t->name, its,
                         primary->name, of, t->then);
    }
}
