/* SPDX-License-Identifier: Apache-2.0
 * Command lines read through option tables (on getopt_long), from which --help is printed too.
 * Errors are ERR_USAGE; an unknown option is refused with the nearest known one.
 */
#pragma once

#include <stdint.h>

#include "str.h"

typedef enum OptType {
    OPT_FLAG,     /* bool */
    OPT_STR,      /* char * */
    OPT_INT,      /* int64_t, min..max */
    OPT_DURATION, /* int64_t milliseconds */
    OPT_SIZE,     /* int64_t bytes: "64M", "1G", "4096" */
    OPT_STRS,     /* StrList, the option may be repeated */
} OptType;

typedef struct Opt {
    const char *name; /* "threads"; negation of a flag is a row of its own ("no-verify") */
    char letter;      /* 't' or 0 */
    OptType type;
    size_t offset;
    const char *arg;      /* shown: "N", "FILE"; NULL for flags */
    const char *fallback; /* text form; NULL: zero value */
    int64_t min, max;     /* both 0: no limits */
    const char *doc;      /* one or two sentences */
    const char *section;  /* starts a new heading in --help where not NULL */
} Opt;

/* A table ends with a row without a name. Parses argv[1..], stops at "--" or, with `posix`, at the
 * first word that is no option. Words that are no options land in `words`; words behind "--" in
 * `rest` where given (else in words). --help and --version are always known and are told by `ret_help`. */
typedef enum OptSpecial { OPT_RUN, OPT_HELP, OPT_VERSION } OptSpecial;
MUST_CHECK bool opts_parse(const Opt *table, int argc, char **argv, bool posix, void *s, StrList *words,
                           StrList *rest, OptSpecial *ret, Err *err);
void opts_free(const Opt *table, void *s);
void opts_write_help(const Opt *table, const char *usage, const char *intro, Str *out);
bool opts_parse_size(const char *text, int64_t *ret_bytes);
