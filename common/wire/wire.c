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
    }
}

json_t *wire_write(const WireField *fields, const void *s)
{
    json_t *o = json_object();
    for (const WireField *f = fields; f->name; f++)
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

static bool read_field(const WireField *f, const json_t *v, void *p, Err *err)
{
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
        if (!read_field(f, v, AT(s, f), err)) {
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

size_t wire_run_holders(const Run *r)
{
    return r->nodes.n && json_is_object(r->detail) && json_bool(r->detail, "gathered") ? 1 : r->nodes.n;
}

bool wire_run_id(const char *text, int64_t *ret_task, int64_t *ret_no)
{
    const char *dot = text ? strchr(text, '.') : NULL;
    AUTOFREE char *task = text ? xstrndup(text, dot ? (size_t)(dot - text) : strlen(text)) : NULL;
    long long t, no = 0;
    if (!str_to_i64(task, 1, INT64_MAX, &t) || (dot && !str_to_i64(dot + 1, 1, 1000000, &no)))
        return false;
    *ret_task = t;
    *ret_no = no;
    return true;
}

bool task_state_is_final(const char *state)
{
    static const char *const final[] = {"done",   "done_with_errors", "error",
                                        "killed", "stopped",          "acknowledged"};
    for (size_t i = 0; i < COUNT(final); i++)
        if (str_eq(state, final[i]))
            return true;
    return false;
}
