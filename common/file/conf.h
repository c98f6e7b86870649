/* SPDX-License-Identifier: Apache-2.0
 * Configuration files (libconfig syntax) read through option tables. Errors are ERR_CONFIG and name
 * file:line and option; an unknown option is refused with the nearest known one. The tables carry
 * the text of the reference pages and of the sample files.
 */
#pragma once

#include <stdint.h>

#include "common/base/str.h"

typedef enum ConfType {
    CONF_STR,      /* char * */
    CONF_PATH,     /* char *, absolute */
    CONF_INT,      /* int64_t, min..max */
    CONF_BOOL,     /* bool */
    CONF_DURATION, /* int64_t milliseconds, text such as "6h", or a whole number of seconds */
    CONF_STRS,     /* StrList, an array of strings */
    CONF_GROUP,    /* an embedded struct, described by `group` */
    CONF_LIST,     /* ConfList of structs described by `group` */
} ConfType;

typedef struct ConfList {
    void *v; /* n structs of the row's `size` */
    size_t n;
} ConfList;

typedef struct ConfOption {
    const char *name;
    ConfType type;
    size_t offset; /* into the struct */
    bool required;
    const char
        *fallback;    /* as it would stand in the file, without quotes (an array: "a,b"); NULL: zero value */
    int64_t min, max; /* CONF_INT, CONF_DURATION (ms); both 0: no limits */
    const char *choices;            /* CONF_STR: "text|json"; NULL: anything */
    const char *doc;                /* one sentence, for the reference page */
    const struct ConfOption *group; /* rows of a group or list element, ended by a row without a name */
    size_t size;                    /* CONF_LIST: size of one element */
} ConfOption;

/* Fills the zeroed struct `ret`. On failure `ret` is left freed and zeroed. A group that is left out of the
 * file gets its fallbacks, and nothing inside it is demanded. */
MUST_CHECK bool conf_load(const char *path, const ConfOption *options, void *ret, Err *err);
void conf_free(const ConfOption *options, void *s);

/* For checks made after loading: sets ERR_CONFIG "file:line: option "x": …", the line being looked up in the
 * file again. `option` may be a path: "server.port", "agents.[1].url". Returns false. */
bool conf_error(Err *err, const char *path, const char *option, const char *fmt, ...) PRINTF_LIKE(4, 5);

/* Reference page (Markdown table) and sample file, from the same rows. */
void conf_write_reference(const ConfOption *options, Str *out);
void conf_write_sample(const ConfOption *options, Str *out);
