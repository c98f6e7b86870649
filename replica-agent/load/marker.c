/* SPDX-License-Identifier: Apache-2.0 */
#include "replica-agent/load/marker.h"

#include <string.h>

#include "common/base/clock.h"

enum { LONGEST_GTID = 1500 }; /* a comment holds 2048 characters */

char *marker_text(const char *run, int64_t frozen_at, const char *gtid)
{
    char at[CLOCK_TEXT];
    clock_format(frozen_at, at);
    bool fits = gtid && *gtid && strlen(gtid) <= LONGEST_GTID && !strpbrk(gtid, " \n");
    return xasprintf("siding %s %s%s%s", run, at, fits ? " " : "", fits ? gtid : "");
}

/* Takes the last word off; "" if there is none. */
static const char *last_word(char *text)
{
    char *space = strrchr(text, ' ');
    if (!space)
        return "";
    *space = 0;
    return space + 1;
}

bool marker_forbids(DbFlavor flavor, const char *comment, int64_t frozen_at, const char *gtid)
{
    AUTOFREE char *rest = xstrdup(comment);
    const char *word = last_word(rest), *theirs = "";
    int64_t at = 0;
    if (!clock_parse(word, &at)) {
        theirs = word;
        word = last_word(rest);
    }
    bool has_time = clock_parse(word, &at);
    if (!*theirs || !gtid || !*gtid)
        return has_time && at > frozen_at;
    GtidOrder order = gtid_compare_text(flavor, theirs, gtid);
    return order == GTID_AFTER || order == GTID_DIVERGED;
}
