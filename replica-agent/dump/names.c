/* SPDX-License-Identifier: Apache-2.0 */
#include "names.h"

#include <string.h>

#include "common/file/resultname.h"

/* A dot separates database, table and number; "-schema" and "-checksum" mark the kinds of files. File names
 * end at 255 bytes, the longest ending takes 40. */
enum { LONGEST = 100 };

bool names_is_safe(const char *name)
{
    size_t n = strlen(name);
    if (n == 0 || n > LONGEST || name[0] == '-' || name[0] == ' ' || name[n - 1] == ' ')
        return false;
    if (!resultname_part_is_plain(name) || strpbrk(name, "./\\`"))
        return false;
    return !strstr(name, "-schema") && !strstr(name, "-checksum") && !str_starts(name, "siding_alias_") &&
           !str_starts(name, "metadata");
}

char *names_for_file(const char *name, StrList *taken)
{
    if (names_is_safe(name) && !strlist_has(taken, name)) {
        strlist_add(taken, name);
        return xstrdup(name);
    }
    for (size_t i = 0;; i++) {
        AUTOFREE char *alias = xasprintf("siding_alias_%zu", i);
        if (!strlist_has(taken, alias)) {
            strlist_add(taken, alias);
            return STEAL(alias);
        }
    }
}
