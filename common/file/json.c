/* SPDX-License-Identifier: Apache-2.0 */
#include "json.h"

#include <string.h>

#include "common/base/clock.h"
#include "fs.h"

/* What a value takes in memory, as far as two bytes of text can ask for it, in units of about 40 bytes. */
enum { OF_OBJECT = 8, OF_ARRAY = 3, OF_VALUE = 1 };
enum { SMALL_BYTES = 1 << 16 };

/* Few bytes must not take much memory: "{}," is 3 and an object some hundred. */
static bool is_light(const char *text, size_t n)
{
    int64_t weight = 0;
    bool quoted = false;
    for (const char *p = text, *end = text + n; p < end; p++) {
        if (quoted && *p == '\\')
            p++;
        else if (*p == '"')
            quoted = !quoted;
        else if (!quoted)
            weight += *p == '{' ? OF_OBJECT : *p == '[' ? OF_ARRAY : *p == ',' || *p == ':' ? OF_VALUE : 0;
    }
    return weight <= JSON_MOST_WEIGHT;
}

bool json_parse(const char *text, size_t n, json_t **ret, Err *err)
{
    json_error_t e;
    if (n > SMALL_BYTES && !is_light(text, n))
        return err_set(err, ERR_USAGE, 0, "JSON of %zu bytes that holds too many values", n);
    json_t *j = json_loadb(text, n, JSON_REJECT_DUPLICATES, &e);
    if (!j)
        return err_set(err, ERR_USAGE, 0, "not valid JSON: line %d, column %d: %s", e.line, e.column, e.text);
    *ret = j;
    return true;
}

bool json_read_file(const char *path, json_t **ret, Err *err)
{
    AUTO(str_done) Str s = STR_INIT;
    if (!fs_read(path, JSON_FILE_MAX_BYTES, &s, err))
        return false;
    if (!json_parse(str_z(&s), s.len, ret, err)) {
        err->kind = ERR_CORRUPT;
        return err_prefix(err, "%s", path);
    }
    return true;
}

bool json_replace_file(const char *path, const json_t *j, mode_t mode, Err *err)
{
    AUTOFREE char *text = json_dumps(j, JSON_INDENT(1));
    size_t n = strlen(text);
    if (n > JSON_FILE_MAX_BYTES || !is_light(text, n))
        return err_set(err, ERR_REFUSED, 0, "%s would have %zu bytes, and be more than is read again", path,
                       n);
    return fs_replace(path, text, n, mode, err);
}

char *json_text(const json_t *j)
{
    return json_dumps(j, JSON_COMPACT | JSON_ENCODE_ANY);
}

static const char *type_name(const json_t *v)
{
    static const char *const names[] = {"an object",     "an array", "a string", "a whole number",
                                        "a real number", "true",     "false",    "null"};
    return names[json_typeof(v)];
}

static bool wrong_type(const char *key, const json_t *v, const char *wanted, Err *err)
{
    return err_set(err, ERR_USAGE, 0, "field \"%s\" must be %s, not %s", key, wanted, type_name(v));
}

static bool missing(const char *key, Err *err)
{
    return err_set(err, ERR_USAGE, 0, "field \"%s\" is missing", key);
}

static bool absent(const json_t *o, const char *key, const json_t **ret)
{
    *ret = json_object_get(o, key);
    return !*ret || json_is_null(*ret);
}

static bool get_str(const char *key, const json_t *v, const char **ret, Err *err)
{
    if (!json_is_string(v))
        return wrong_type(key, v, "a string", err);
    *ret = json_string_value(v);
    return true;
}

static bool get_int(const char *key, const json_t *v, int64_t min, int64_t max, int64_t *ret, Err *err)
{
    if (!json_is_integer(v))
        return wrong_type(key, v, "a whole number", err);
    int64_t n = json_integer_value(v);
    if (n < min || n > max)
        return err_set(err, ERR_USAGE, 0, "field \"%s\" is %lld, it must be from %lld to %lld", key,
                       (long long)n, (long long)min, (long long)max);
    *ret = n;
    return true;
}

bool json_req_str(const json_t *o, const char *key, const char **ret, Err *err)
{
    const json_t *v;
    return absent(o, key, &v) ? missing(key, err) : get_str(key, v, ret, err);
}

bool json_req_int(const json_t *o, const char *key, int64_t min, int64_t max, int64_t *ret, Err *err)
{
    const json_t *v;
    return absent(o, key, &v) ? missing(key, err) : get_int(key, v, min, max, ret, err);
}

bool json_opt_str(const json_t *o, const char *key, const char *fallback, const char **ret, Err *err)
{
    const json_t *v;
    if (!absent(o, key, &v))
        return get_str(key, v, ret, err);
    *ret = fallback;
    return true;
}

bool json_opt_int(const json_t *o, const char *key, int64_t min, int64_t max, int64_t fallback, int64_t *ret,
                  Err *err)
{
    const json_t *v;
    if (!absent(o, key, &v))
        return get_int(key, v, min, max, ret, err);
    *ret = fallback;
    return true;
}

bool json_opt_bool(const json_t *o, const char *key, bool fallback, bool *ret, Err *err)
{
    const json_t *v;
    if (absent(o, key, &v)) {
        *ret = fallback;
        return true;
    }
    if (!json_is_boolean(v))
        return wrong_type(key, v, "true or false", err);
    *ret = json_is_true(v);
    return true;
}

bool json_opt_strs(const json_t *o, const char *key, StrList *ret, Err *err)
{
    const json_t *v;
    if (absent(o, key, &v))
        return true;
    if (!json_is_array(v))
        return wrong_type(key, v, "an array of strings", err);
    for (size_t i = 0; i < json_array_size(v); i++)
        if (!json_is_string(json_array_get(v, i)))
            return wrong_type(key, json_array_get(v, i), "an array of strings", err);
    for (size_t i = 0; i < json_array_size(v); i++)
        strlist_add(ret, json_string_value(json_array_get(v, i)));
    return true;
}

const char *json_str(const json_t *o, const char *key)
{
    const char *s = json_string_value(json_object_get(o, key));
    return s ? s : "";
}

int64_t json_int(const json_t *o, const char *key)
{
    const json_t *v = json_object_get(o, key);
    double d = json_number_value(v);
    if (json_is_integer(v)) /* a double holds 53 bits of it */
        return json_integer_value(v);
    return d >= 0x1p63 ? INT64_MAX : d < -0x1p63 ? INT64_MIN : (int64_t)d;
}

bool json_bool(const json_t *o, const char *key)
{
    return json_is_true(json_object_get(o, key));
}

/* Replaces each byte that cannot be part of the text by U+FFFD, until jansson takes it. */
static json_t *string_lenient(const char *value)
{
    json_t *s = json_string(value);
    if (s)
        return s;
    AUTO(str_done) Str clean = STR_INIT;
    for (const char *p = value; *p;) {
        size_t n = 1;
        while (n < 4 && p[n] && ((unsigned char)p[n] & 0xC0) == 0x80)
            n++;
        json_t *one = json_stringn(p, n);
        if (one)
            str_add(&clean, p, n);
        else
            str_adds(&clean, "\xEF\xBF\xBD");
        p += one ? n : 1;
        json_decref(one);
    }
    return json_string(str_z(&clean));
}

void json_set_str(json_t *o, const char *key, const char *value)
{
    json_object_set_new(o, key, value ? string_lenient(value) : json_null());
}

void json_set_int(json_t *o, const char *key, int64_t value)
{
    json_object_set_new(o, key, json_integer(value));
}

void json_set_num(json_t *o, const char *key, double value)
{
    json_object_set_new(o, key, json_real(value));
}

void json_set_bool(json_t *o, const char *key, bool value)
{
    json_object_set_new(o, key, json_boolean(value));
}

void json_set_time(json_t *o, const char *key, int64_t wall_ms)
{
    char text[CLOCK_TEXT];
    if (wall_ms)
        clock_format(wall_ms, text);
    json_set_str(o, key, wall_ms ? text : NULL);
}

json_t *json_strs(const StrList *list)
{
    json_t *a = json_array();
    for (size_t i = 0; i < list->n; i++)
        json_array_append_new(a, string_lenient(list->v[i]));
    return a;
}

void json_set_strs(json_t *o, const char *key, const StrList *list)
{
    json_object_set_new(o, key, json_strs(list));
}

void json_set_err(json_t *o, const Err *err)
{
    json_t *e = json_object();
    json_set_str(e, "kind", err_kind_name(err->kind));
    json_set_str(e, "text", err->text);
    json_set_int(e, "code", err->code);
    json_object_set_new(o, "error", e);
}

bool json_has_str(const json_t *list, const char *text)
{
    for (size_t i = 0; i < json_array_size(list); i++)
        if (str_eq(json_string_value(json_array_get(list, i)), text))
            return true;
    return false;
}
