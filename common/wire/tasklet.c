/* SPDX-License-Identifier: Apache-2.0 */
#include "tasklet.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "common/base/text.h"

const WireField tasklet_param_fields[] = WIRE_FIELDS(TaskletParam, TASKLET_PARAM_LIST);
const WireField tasklet_fields[] = WIRE_FIELDS(Tasklet, TASKLET_LIST);
const WireField tasklet_fault_fields[] = WIRE_FIELDS(TaskletFault, TASKLET_FAULT_LIST);

/* ---- names, types, values --------------------------------------------------------------------------- */

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

bool tasklet_is_key(const char *text, size_t n)
{
    if (n == 0 || n > TASKLET_NAME_CHARS || !is_letter(*text))
        return false;
    for (size_t i = 1; i < n; i++)
        if (!is_letter(text[i]) && !(text[i] >= '0' && text[i] <= '9') && text[i] != '-')
            return false;
    return true;
}

static bool is_choice(const char *type)
{
    return strchr(type, '|') != NULL;
}

bool tasklet_is_type(const char *type)
{
    static const char *const types[] = {"text", "int", "number", "bool"};
    AUTO(strlist_done) StrList words = STRLIST_INIT;
    for (size_t i = 0; i < COUNT(types); i++)
        if (str_eq(type, types[i]))
            return true;
    strlist_split(&words, type, '|');
    return is_choice(type) && words.n >= 2 && *type != '|' && !strstr(type, "||") && !str_ends(type, "|");
}

static bool is_number(const char *value)
{
    char *end;
    errno = 0;
    double v = strtod(value, &end);
    return *value && !*end && errno == 0 && isfinite(v) && !strpbrk(value, " \tpPxX");
}

static bool is_among(const char *type, const char *value)
{
    AUTO(strlist_done) StrList words = STRLIST_INIT;
    strlist_split(&words, type, '|');
    return strlist_has(&words, value);
}

static bool fits(const char *type, const char *value)
{
    long long ignored;
    if (str_eq(type, "int"))
        return str_to_i64(value, INT64_MIN, INT64_MAX, &ignored);
    if (str_eq(type, "number"))
        return is_number(value);
    if (str_eq(type, "bool"))
        return str_eq(value, "true") || str_eq(value, "false");
    return !is_choice(type) || is_among(type, value);
}

static const char *kind_of(const char *type)
{
    return str_eq(type, "int")      ? "a whole number"
           : str_eq(type, "number") ? "a number"
           : str_eq(type, "bool")   ? "true or false"
                                    : type;
}

bool tasklet_check_value(const TaskletParam *p, const char *value, Err *err)
{
    size_t chars, n = strlen(value);
    if (n > TASKLET_VALUE_BYTES)
        return err_set(err, ERR_USAGE, 0, "%s has %zu bytes, %d are the most", p->name, n,
                       TASKLET_VALUE_BYTES);
    if (n && !text_is_plain(value, n, &chars))
        return err_set(err, ERR_USAGE, 0, "%s holds control characters, or bytes that are no UTF-8", p->name);
    return fits(p->type, value) ||
           err_set(err, ERR_USAGE, 0, "%s is \"%.60s\"; it must be %s", p->name, value, kind_of(p->type));
}

/* ---- arguments -------------------------------------------------------------------------------------- */

static const TaskletParam *param_at(const Tasklet *t, size_t i)
{
    return (const TaskletParam *)t->params.v + i;
}

/* NULL: it is no "key=value". */
static const char *value_of(const char *arg, size_t *ret_key)
{
    const char *equals = strchr(arg, '=');
    *ret_key = equals ? (size_t)(equals - arg) : 0;
    return equals ? equals + 1 : NULL;
}

static const TaskletParam *find_param(const Tasklet *t, const char *key, size_t n)
{
    for (size_t i = 0; i < t->params.n; i++)
        if (strlen(param_at(t, i)->name) == n && strncmp(param_at(t, i)->name, key, n) == 0)
            return param_at(t, i);
    return NULL;
}

/* What was given for a parameter; NULL: nothing. */
static const char *given(const StrList *args, const TaskletParam *p, size_t *ret_times)
{
    size_t n;
    const char *found = NULL;
    *ret_times = 0;
    for (size_t i = 0; i < args->n; i++) {
        const char *value = value_of(args->v[i], &n);
        if (!value || n != strlen(p->name) || strncmp(args->v[i], p->name, n) != 0)
            continue;
        found = value;
        ++*ret_times;
    }
    return found;
}

static bool unknown(const Tasklet *t, const char *key, size_t n, Err *err)
{
    AUTO(strlist_done) StrList names = STRLIST_INIT;
    AUTOFREE char *word = xstrndup(key, n);
    for (size_t i = 0; i < t->params.n; i++)
        strlist_add(&names, param_at(t, i)->name);
    if (!names.n)
        return err_set(err, ERR_USAGE, 0, "it takes no parameter, not \"%.60s\" either", word);
    const char *near = str_nearest(word, (const char *const *)names.v);
    AUTOFREE char *all = strlist_join(&names, ", ");
    return err_set(err, ERR_USAGE, 0, "it has no parameter \"%.60s\"%s%s%s; it takes %s", word,
                   near ? " (did you mean \"" : "", near ? near : "", near ? "\"?)" : "", all);
}

static bool check_each(const Tasklet *t, const StrList *args, Err *err)
{
    for (size_t i = 0; i < args->n; i++) {
        size_t n;
        if (!value_of(args->v[i], &n))
            return err_set(err, ERR_USAGE, 0, "\"%.60s\" is no parameter: write key=value", args->v[i]);
        if (!find_param(t, args->v[i], n))
            return unknown(t, args->v[i], n, err);
    }
    return true;
}

static bool check_all(const Tasklet *t, const StrList *args, Err *err)
{
    for (size_t i = 0; i < t->params.n; i++) {
        const TaskletParam *p = param_at(t, i);
        size_t times;
        const char *value = given(args, p, &times);
        if (times > 1)
            return err_set(err, ERR_USAGE, 0, "%s is given twice", p->name);
        if (!value && !p->fallback)
            return err_set(err, ERR_USAGE, 0, "it needs %s=… (%s%s%s)", p->name, p->type, p->text ? ": " : "",
                           p->text ? p->text : "");
        if (value && !tasklet_check_value(p, value, err))
            return false;
    }
    return true;
}

bool tasklet_check(const char *name, const Tasklet *t, const StrList *args, Err *err)
{
    return (check_each(t, args, err) && check_all(t, args, err)) || err_prefix(err, "tasklet %s", name);
}

void tasklet_arguments(const Tasklet *t, const StrList *args, StrList *ret)
{
    size_t ignored;
    for (size_t i = 0; i < t->params.n; i++) {
        const TaskletParam *p = param_at(t, i);
        const char *value = given(args, p, &ignored);
        strlist_addf(ret, "%s=%s", p->name, value ? value : p->fallback ? p->fallback : "");
    }
}

/* ---- a call ----------------------------------------------------------------------------------------- */

static void skip_blanks(const char **p)
{
    *p += strspn(*p, " \t\n");
}

/* False: no quote ends it. */
static bool read_quoted(const char **p, Str *out)
{
    char quote = *(*p)++;
    for (; **p && **p != quote; ++*p) {
        if (**p == '\\' && ((*p)[1] == quote || (*p)[1] == '\\'))
            ++*p;
        str_addc(out, **p);
    }
    return **p && *(*p)++ == quote;
}

static void read_bare(const char **p, Str *out)
{
    size_t n = strcspn(*p, ",]");
    AUTOFREE char *trimmed = xstrtrim(*p, n);
    str_adds(out, trimmed);
    *p += n;
}

/* key=value, and what stands behind it. */
static bool read_pair(const char **p, StrList *ret, Err *err)
{
    AUTO(str_done) Str value = STR_INIT;
    size_t n = strcspn(*p, "=,]");
    AUTOFREE char *key = xstrtrim(*p, n);
    if ((*p)[n] != '=' || !tasklet_is_key(key, strlen(key)))
        return err_set(err, ERR_USAGE, 0, "\"%.40s\" is no key=value", *p);
    *p += n + 1;
    skip_blanks(p);
    if (**p != '\'' && **p != '"')
        read_bare(p, &value);
    else if (!read_quoted(p, &value))
        return err_set(err, ERR_USAGE, 0, "the value of %s has no closing quote", key);
    skip_blanks(p);
    if (**p != ',' && **p != ']')
        return err_set(err, ERR_USAGE, 0, "behind the value of %s stands \"%.20s\" where , or ] is expected",
                       key, *p);
    strlist_addf(ret, "%s=%s", key, str_z(&value));
    return true;
}

static bool read_pairs(const char **p, StrList *ret, Err *err)
{
    skip_blanks(p);
    while (**p != ']') {
        if (!read_pair(p, ret, err))
            return false;
        if (**p == ',')
            ++*p;
        skip_blanks(p);
    }
    ++*p;
    skip_blanks(p);
    return !**p || err_set(err, ERR_USAGE, 0, "\"%.40s\" stands behind the closing bracket", *p);
}

bool tasklet_read_call(const char *text, char **ret_name, StrList *ret_args, Err *err)
{
    size_t n = strcspn(text, "[");
    const char *p = text + n;
    AUTOFREE char *name = xstrtrim(text, n);
    if (!*name)
        return err_set(err, ERR_USAGE, 0, "\"%.60s\" names no tasklet; write name[key=value, key=value]",
                       text);
    if (*p) {
        p++;
        if (!strchr(p, ']'))
            return err_set(err, ERR_USAGE, 0, "\"%.60s\" has no closing bracket", text);
        if (!read_pairs(&p, ret_args, err))
            return false;
    }
    *ret_name = STEAL(name);
    return true;
}

/* ---- as told ---------------------------------------------------------------------------------------- */

/* An agent of another version may say less. */
static bool is_whole(const Tasklet *t)
{
    for (size_t i = 0; i < t->params.n; i++)
        if (!param_at(t, i)->name || !param_at(t, i)->type)
            return false;
    return true;
}

bool tasklet_of(const JobInfo *job, Tasklet *ret)
{
    Err ignored;
    if (!job || !json_is_object(job->tasklet) || !wire_read(tasklet_fields, job->tasklet, ret, &ignored))
        return false;
    if (is_whole(ret))
        return true;
    tasklet_done(ret);
    return false;
}

void tasklet_done(Tasklet *t)
{
    wire_free(tasklet_fields, t);
}
