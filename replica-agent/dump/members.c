/* SPDX-License-Identifier: Apache-2.0 */
#include "members.h"

#include <string.h>
#include <strings.h>

#include "common/base/str.h"

/* Behind a member's closing quote; *ret is owned. */
static const char *take_member(const char *p, char **ret)
{
    Str s = STR_INIT;
    for (p++; *p && (*p != '\'' || p[1] == '\''); p++) {
        str_addc(&s, *p);
        p += *p == '\'';
    }
    *ret = s.p ? str_take(&s) : xstrdup("");
    return *p ? p + 1 : p;
}

static bool is_plain(const char *member)
{
    for (; *member; member++)
        if ((unsigned char)*member >= 0x80)
            return false;
    return true;
}

/* Beyond ASCII what is equal only the server knows. */
static bool may_be_another(const StrList *members, const char *member, bool exact)
{
    if (!*member || (!exact && !is_plain(member)))
        return true;
    for (size_t i = 0; i < members->n; i++)
        if ((exact ? strcmp(members->v[i], member) : strcasecmp(members->v[i], member)) == 0)
            return true;
    return false;
}

bool members_are_ambiguous(const char *column_type, const char *collation)
{
    AUTO(strlist_done) StrList members = STRLIST_INIT;
    bool exact = str_eq(collation, "binary") || (collation && str_ends(collation, "_bin"));
    /* Servers do not agree on whether they escape it here. */
    if (strchr(column_type, '\\'))
        return true;
    for (const char *p = strchr(column_type, '\''); p && *p == '\'';) {
        AUTOFREE char *member = NULL;
        p = take_member(p, &member);
        if (may_be_another(&members, member, exact))
            return true;
        strlist_add(&members, member);
        p += *p == ',';
    }
    return false;
}
