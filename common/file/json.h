/* SPDX-License-Identifier: Apache-2.0
 * JSON on jansson, with errors that name the field. Getters with a `required` meaning: a missing or
 * wrongly typed field is ERR_USAGE "field \"x\": …"; optional getters return the default for a missing
 * or null field and still refuse a wrong type.
 */
#pragma once

#include <jansson.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/str.h"

static inline void json_unref(json_t **j)
{
    json_decref(*j);
}
#define AUTOJSON AUTO(json_unref)

/* A file is read up to this size; what is parsed takes at most some 160 MB, whatever its text: at most so
 * many values, a list counted as 3, an object as 8. */
enum { JSON_FILE_MAX_BYTES = 64 << 20, JSON_MOST_WEIGHT = 4000000 };

MUST_CHECK bool json_parse(const char *text, size_t n, json_t **ret,
                           Err *err);                                     /* ERR_USAGE with line and column */
MUST_CHECK bool json_read_file(const char *path, json_t **ret, Err *err); /* ERR_NOT_FOUND, ERR_CORRUPT */
MUST_CHECK bool json_replace_file(const char *path, const json_t *j, mode_t mode, Err *err); /* fs_replace */
char *json_text(const json_t *j); /* compact, owned */

/* Strings are borrowed from `o`. */
MUST_CHECK bool json_req_str(const json_t *o, const char *key, const char **ret, Err *err);
MUST_CHECK bool json_req_int(const json_t *o, const char *key, int64_t min, int64_t max, int64_t *ret,
                             Err *err);
MUST_CHECK bool json_opt_str(const json_t *o, const char *key, const char *fallback, const char **ret,
                             Err *err);
MUST_CHECK bool json_opt_int(const json_t *o, const char *key, int64_t min, int64_t max, int64_t fallback,
                             int64_t *ret, Err *err);
MUST_CHECK bool json_opt_bool(const json_t *o, const char *key, bool fallback, bool *ret, Err *err);
MUST_CHECK bool json_opt_strs(const json_t *o, const char *key, StrList *ret,
                              Err *err); /* array of strings */

/* Lenient readers for replies of our own programs: "" / 0 / false where absent. */
const char *json_str(const json_t *o, const char *key);
int64_t json_int(const json_t *o, const char *key);
bool json_bool(const json_t *o, const char *key);

/* Setters; a NULL string sets null. Text that is not UTF-8 is stored with U+FFFD for the bad bytes. */
void json_set_str(json_t *o, const char *key, const char *value);
void json_set_int(json_t *o, const char *key, int64_t value);
void json_set_num(json_t *o, const char *key, double value);
void json_set_bool(json_t *o, const char *key, bool value);
void json_set_time(json_t *o, const char *key, int64_t wall_ms); /* RFC 3339; 0 sets null */
void json_set_strs(json_t *o, const char *key, const StrList *list);
void json_set_err(json_t *o, const Err *err); /* "error": {kind, text, code}, as every API answers */
json_t *json_strs(const StrList *list);
bool json_has_str(const json_t *list, const char *text); /* in an array of strings */
