/* SPDX-License-Identifier: Apache-2.0 */
#include "wire.h"

#include <string.h>

#include "common/base/clock.h"

#define AT(s, f) ((void *)((char *)(s) + (f)->offset))
#define CAT(s, f) ((const void *)((const char *)(s) + (f)->offset))

static json_t *write_list(const WireField *f, const WireList *list)
{
    json_t *a = json_array();
    for (size_t i = 0; i < list->n; i++)
        json_array_append_new(a, wire_write(f->fields, (const char *)list->v + i * f->size));
    return a;
}

static void write_field(json_t *o, const WireField *f, const void *p)
{
    switch (f->type) {
    case WIRE_STR:
        json_set_str(o, f->name, *(char *const *)p);
        break;
    case WIRE_INT:
        json_set_int(o, f->name, *(const int64_t *)p);
        break;
    case WIRE_NUM:
        json_set_num(o, f->name, *(const double *)p);
        break;
    case WIRE_BOOL:
        json_set_bool(o, f->name, *(const bool *)p);
        break;
    case WIRE_TIME:
        json_set_time(o, f->name, *(const int64_t *)p);
        break;
    case WIRE_STRS:
        json_set_strs(o, f->name, p);
        break;
    case WIRE_JSON:
        json_object_set_new(o, f->name,
                            *(json_t *const *)p ? json_deep_copy(*(json_t *const *)p) : json_null());
        break;
    case WIRE_OBJ:
        json_object_set_new(o, f->name, wire_write(f->fields, p));
        break;
    case WIRE_LIST:
        json_object_set_new(o, f->name, write_list(f, p));
        break;
    case WIRE_ENUM: /* two members: see write_enum */
        break;
    }
}

static int enum_value(const WireField *f, const void *s)
{
    return (int)*(const unsigned *)CAT(s, f);
}

static char *enum_text(const WireField *f, const void *s)
{
    return *(char *const *)((const char *)s + f->text);
}

static void write_enum(json_t *o, const WireField *f, const void *s)
{
    int value = enum_value(f, s);
    json_set_str(o, f->name, value ? wire_enum_text(f->names, value, enum_text(f, s)) : NULL);
}

json_t *wire_write(const WireField *fields, const void *s)
{
    json_t *o = json_object();
    for (const WireField *f = fields; f->name; f++)
        if (f->type == WIRE_ENUM)
            write_enum(o, f, s);
        else
            write_field(o, f, CAT(s, f));
    return o;
}

static bool read_time(const WireField *f, const json_t *v, int64_t *ret, Err *err)
{
    const char *text = json_string_value(v);
    if (!text || !clock_parse(text, ret))
        return err_set(err, ERR_PROTOCOL, 0, "field \"%s\" must be a time such as 2026-01-31T22:00:00Z",
                       f->name);
    return true;
}

static bool read_strs(const WireField *f, const json_t *v, StrList *ret, Err *err)
{
    for (size_t i = 0; i < json_array_size(v); i++) {
        const char *s = json_string_value(json_array_get(v, i));
        if (!s)
            return err_set(err, ERR_PROTOCOL, 0, "field \"%s\" must hold strings only", f->name);
        strlist_add(ret, s);
    }
    return true;
}

static bool read_list(const WireField *f, const json_t *v, WireList *ret, Err *err)
{
    for (size_t i = 0; i < json_array_size(v); i++)
        if (!wire_read(f->fields, json_array_get(v, i), wire_list_add(ret, f->size), err))
            return err_prefix(err, "%s[%zu]", f->name, i);
    return true;
}

static bool has_type(const WireField *f, const json_t *v)
{
    switch (f->type) {
    case WIRE_STR:
    case WIRE_TIME:
    case WIRE_ENUM:
        return json_is_string(v);
    case WIRE_INT:
        return json_is_integer(v);
    case WIRE_NUM:
        return json_is_number(v);
    case WIRE_BOOL:
        return json_is_boolean(v);
    case WIRE_STRS:
    case WIRE_LIST:
        return json_is_array(v);
    case WIRE_OBJ:
        return json_is_object(v);
    case WIRE_JSON:
        return true;
    }
    return false;
}

static bool read_field(const WireField *f, const json_t *v, void *s, Err *err)
{
    void *p = AT(s, f);
    if (!has_type(f, v))
        return err_set(err, ERR_PROTOCOL, 0, "field \"%s\" has the wrong type", f->name);
    switch (f->type) {
    case WIRE_STR:
        *(char **)p = xstrdup(json_string_value(v));
        return true;
    case WIRE_INT:
        *(int64_t *)p = json_integer_value(v);
        return true;
    case WIRE_NUM:
        *(double *)p = json_number_value(v);
        return true;
    case WIRE_BOOL:
        *(bool *)p = json_is_true(v);
        return true;
    case WIRE_TIME:
        return read_time(f, v, p, err);
    case WIRE_STRS:
        return read_strs(f, v, p, err);
    case WIRE_JSON:
        *(json_t **)p = json_deep_copy(v);
        return true;
    case WIRE_OBJ:
        return wire_read(f->fields, v, p, err) ? true : err_prefix(err, "%s", f->name);
    case WIRE_LIST:
        return read_list(f, v, p, err);
    case WIRE_ENUM:
        wire_enum_set(f, s, json_string_value(v));
        return true;
    }
    return false;
}

bool wire_read(const WireField *fields, const json_t *j, void *s, Err *err)
{
    wire_free(fields, s);
    if (!json_is_object(j))
        return err_set(err, ERR_PROTOCOL, 0, "a JSON object is expected here");
    for (const WireField *f = fields; f->name; f++) {
        const json_t *v = json_object_get(j, f->name);
        if (!v || json_is_null(v))
            continue;
        if (!read_field(f, v, s, err)) {
            wire_free(fields, s);
            return false;
        }
    }
    return true;
}

static void free_list(const WireField *f, WireList *list)
{
    for (size_t i = 0; i < list->n; i++)
        wire_free(f->fields, (char *)list->v + i * f->size);
    free(list->v);
    *list = (WireList){NULL, 0};
}

void wire_free(const WireField *fields, void *s)
{
    for (const WireField *f = fields; f->name; f++) {
        void *p = AT(s, f);
        switch (f->type) {
        case WIRE_STR:
            free(*(char **)p);
            *(char **)p = NULL;
            break;
        case WIRE_INT:
        case WIRE_TIME:
            *(int64_t *)p = 0;
            break;
        case WIRE_NUM:
            *(double *)p = 0;
            break;
        case WIRE_BOOL:
            *(bool *)p = false;
            break;
        case WIRE_STRS:
            strlist_done(p);
            break;
        case WIRE_JSON:
            json_decref(*(json_t **)p);
            *(json_t **)p = NULL;
            break;
        case WIRE_OBJ:
            wire_free(f->fields, p);
            break;
        case WIRE_LIST:
            free_list(f, p);
            break;
        case WIRE_ENUM:
            wire_enum_set(f, s, NULL);
            break;
        }
    }
}

static void copy_list(const WireField *f, WireList *to, const WireList *from)
{
    for (size_t i = 0; i < from->n; i++)
        wire_copy(f->fields, wire_list_add(to, f->size), (const char *)from->v + i * f->size);
}

void wire_copy(const WireField *fields, void *to, const void *from)
{
    for (const WireField *f = fields; f->name; f++) {
        void *p = AT(to, f);
        const void *q = CAT(from, f);
        switch (f->type) {
        case WIRE_STR:
            *(char **)p = xstrdup(*(char *const *)q);
            break;
        case WIRE_INT:
        case WIRE_TIME:
            *(int64_t *)p = *(const int64_t *)q;
            break;
        case WIRE_NUM:
            *(double *)p = *(const double *)q;
            break;
        case WIRE_BOOL:
            *(bool *)p = *(const bool *)q;
            break;
        case WIRE_STRS:
            for (size_t i = 0; i < ((const StrList *)q)->n; i++)
                strlist_add(p, ((const StrList *)q)->v[i]);
            break;
        case WIRE_JSON:
            /* A copy, not a reference: jansson's counts are not for sharing between threads. */
            *(json_t **)p = json_deep_copy(*(json_t *const *)q);
            break;
        case WIRE_OBJ:
            wire_copy(f->fields, p, q);
            break;
        case WIRE_LIST:
            copy_list(f, p, q);
            break;
        case WIRE_ENUM:
            *(unsigned *)p = *(const unsigned *)q;
            *(char **)((char *)to + f->text) = xstrdup(enum_text(f, from));
            break;
        }
    }
}

void *wire_list_add(WireList *list, size_t size)
{
    list->v = xrealloc(list->v, (list->n + 1) * size);
    void *p = (char *)list->v + list->n++ * size;
    memset(p, 0, size);
    return p;
}

/* ---- names of enums -------------------------------------------------------------------------------- */

int wire_enum_unknown(const WireEnum *e)
{
    int n = 1;
    while (e->names[n])
        n++;
    return n;
}

const char *wire_enum_name(const WireEnum *e, int value)
{
    return value > 0 && value < wire_enum_unknown(e) ? e->names[value] : NULL;
}

int wire_enum_find(const WireEnum *e, const char *name)
{
    int value = 1;
    if (!name || !*name)
        return 0;
    while (e->names[value] && strcmp(e->names[value], name) != 0)
        value++;
    return value;
}

const char *wire_enum_text(const WireEnum *e, int value, const char *text)
{
    const char *name = wire_enum_name(e, value);
    return name ? name : value && text ? text : value ? "unknown" : "";
}

static bool not_known(const WireEnum *e, const char *field, const char *name, Err *err)
{
    const char *near = str_nearest(name, e->names + 1);
    AUTO(str_done) Str known = STR_INIT;
    for (int i = 1; e->names[i]; i++)
        str_addf(&known, "%s%s", i > 1 ? ", " : "", e->names[i]);
    return err_set(err, ERR_USAGE, 0, "field \"%s\" is \"%s\"%s%s%s; known: %s", field, name,
                   near ? " (did you mean \"" : "", near ? near : "", near ? "\"?)" : "", str_z(&known));
}

bool wire_enum_read(const WireEnum *e, const char *field, const char *name, int *ret, Err *err)
{
    int value = wire_enum_find(e, name);
    if (!value || value == wire_enum_unknown(e))
        return not_known(e, field, name ? name : "", err);
    *ret = value;
    return true;
}

void wire_enum_set(const WireField *f, void *s, const char *name)
{
    char **text = (char **)((char *)s + f->text);
    int value = wire_enum_find(f->names, name);
    char *copy = value == wire_enum_unknown(f->names) ? xstrdup(name) : NULL;
    free(*text);
    *text = copy;
    *(unsigned *)AT(s, f) = (unsigned)value;
}

static bool check_list(const WireField *f, const WireList *list, Err *err)
{
    for (size_t i = 0; i < list->n; i++)
        if (!wire_check_names(f->fields, (const char *)list->v + i * f->size, err))
            return err_prefix(err, "%s[%zu]", f->name, i);
    return true;
}

bool wire_check_names(const WireField *fields, const void *s, Err *err)
{
    for (const WireField *f = fields; f->name; f++) {
        if (f->type == WIRE_ENUM && enum_value(f, s) == wire_enum_unknown(f->names))
            return not_known(f->names, f->name, wire_enum_text(f->names, enum_value(f, s), enum_text(f, s)),
                             err);
        if (f->type == WIRE_OBJ && !wire_check_names(f->fields, CAT(s, f), err))
            return err_prefix(err, "%s", f->name);
        if (f->type == WIRE_LIST && !check_list(f, CAT(s, f), err))
            return false;
    }
    return true;
}

bool wire_read_asked(const WireField *fields, const json_t *j, void *s, Err *err)
{
    if (wire_read(fields, j, s, err) && wire_check_names(fields, s, err))
        return true;
    wire_free(fields, s);
    err->kind = ERR_USAGE;
    return false;
}
