/* SPDX-License-Identifier: Apache-2.0 */
#include "resultname.h"

#include <ctype.h>
#include <string.h>

#include "common/base/text.h"

static const char *wrong_part(const char *part)
{
    if (!*part || str_eq(part, ".") || str_eq(part, ".."))
        return "a part of it is empty, \".\" or \"..\"";
    if (strlen(part) > RESULTNAME_PART_BYTES)
        return "it is longer than 240 bytes";
    if (str_ends(part, ".tmp") || str_ends(part, RESULTNAME_TMP))
        return "names that end with \".tmp\" are reserved for files that are being written";
    return text_wrong(part);
}

bool resultname_part_is_plain(const char *part)
{
    return !text_wrong(part);
}

static const char *wrong(const char *name)
{
    size_t depth = 0;
    if (strlen(name) > RESULTNAME_BYTES)
        return "with its folders it is longer than 1000 bytes";
    if (resultname_is_paper(name) || str_eq(name, RESULTNAME_TOLD) || str_eq(name, RESULTNAME_MARK))
        return "the name is reserved for the papers of a result";
    for (const char *p = name;; p++) {
        size_t n = strcspn(p, "/");
        AUTOFREE char *part = xstrndup(p, n);
        const char *why = wrong_part(part);
        if (!why && ++depth > RESULTNAME_DEPTH)
            why = "it is more than 16 folders deep";
        if (why)
            return why;
        p += n;
        if (!*p)
            return NULL;
    }
}

bool resultname_check(const char *name, Err *err)
{
    const char *why = wrong(name);
    if (!why)
        return true;
    AUTO(str_done) Str shown = STR_INIT;
    text_clean(&shown, name);
    return err_set(err, ERR_REFUSED, 0, "a result cannot hold a file \"%.300s\": %s", str_z(&shown), why);
}

bool resultname_is_paper(const char *name)
{
    return str_eq(name, "manifest.json") || str_eq(name, "SHA256SUMS");
}

char *resultname_stem(const char *target)
{
    char *stem = xstrdup(target);
    for (char *p = stem; *p; p++)
        if ((unsigned char)*p < 0x80 && !isalnum((unsigned char)*p) && !strchr("._-$", *p))
            *p = '_';
    if (*stem == '.')
        *stem = '_';
    return stem;
}

bool resultname_is_rows_of(const char *name, const char *stem)
{
    size_t n = strlen(stem);
    return n && strncmp(name, stem, n) == 0 && name[n] == '.' &&
           (str_ends(name, ".tsv") || str_ends(name, ".tsv.gz"));
}
