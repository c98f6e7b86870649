/* SPDX-License-Identifier: Apache-2.0
 * Configuration files (libconfig syntax) read through option tables. Errors are ERR_CONFIG and name
 * file:line and option; an unknown option is refused with the nearest known one. The tables carry
 * the text of the reference pages and of the sample files.
 *
 * Bounds that hold everywhere: a file of at most 1 MiB, a list of at most 10,000 elements, texts of UTF-8
 * without control characters and with at most CONF_TEXT_BYTES bytes, or what their row says.
 */
#pragma once

#include <stdint.h>

#include "common/base/str.h"

enum { CONF_TEXT_BYTES = 4096, CONF_LIST_ELEMENTS = 10000 };
#define CONF_DURATION_MS (400LL * 86400000) /* longest, where a row says nothing */

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
        *fallback; /* as it would stand in the file, without quotes (an array: "a,b"); NULL: zero value */
    /* CONF_INT: both 0: no limits, max 0 alone: none above. CONF_DURATION, ms: max 0: CONF_DURATION_MS.
     * Texts: bytes; max 0: CONF_TEXT_BYTES */
    int64_t min, max;
    const char *choices;            /* CONF_STR: "text|json"; NULL: anything */
    const char *doc;                /* one sentence, for the reference page */
    const struct ConfOption *group; /* rows of a group or list element, ended by a row without a name */
    size_t size;                    /* CONF_LIST: size of one element */
    bool lines;                     /* CONF_STR, CONF_STRS: may have line ends and tabs */
    bool restart;                   /* a running program cannot take it over; of a group: nothing in it */
} ConfOption;

/* Fills the zeroed struct `ret`. On failure `ret` is left freed and zeroed. A group that is left out of the
 * file gets its fallbacks, and nothing inside it is demanded. */
MUST_CHECK bool conf_load(const char *path, const ConfOption *options, void *ret, Err *err);
void conf_free(const ConfOption *options, void *s);
/* Whether the file has an option of this name at its top; false also for one that cannot be read. */
bool conf_has(const char *path, const char *option);

/* Of two filled structs the names of options that differ ("server.port"): those that a running program takes
 * over, and those that need a restart. */
void conf_compare(const ConfOption *options, const void *a, const void *b, StrList *ret_taken,
                  StrList *ret_restart);
/* All values, a line each, as they count: files of the same meaning give the same text. */
void conf_text(const ConfOption *options, const void *s, Str *out);
/* Exchanges the values of all options that need a restart. */
void conf_keep(const ConfOption *options, void *a, void *b);

/* For checks made after loading: sets ERR_CONFIG "file:line: option "x": …", the line being looked up in the
 * file again. `option` may be a path: "server.port", "agents.[1].url". Returns false. */
bool conf_error(Err *err, const char *path, const char *option, const char *fmt, ...) PRINTF_LIKE(4, 5);

/* Reference page (Markdown table) and sample file, from the same rows. */
void conf_write_reference(const ConfOption *options, Str *out);
void conf_write_sample(const ConfOption *options, Str *out);
