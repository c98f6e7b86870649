/* SPDX-License-Identifier: Apache-2.0 */
#include "queue_rows.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/file/json.h"

static int64_t parse_time(const char *text)
{
    char rfc[40];
    int64_t ms = 0;
    if (!text || strlen(text) < 19 || strlen(text) > 30)
        return 0;
    snprintf(rfc, sizeof rfc, "%sZ", text);
    rfc[10] = 'T';
    return clock_parse(rfc, &ms) ? ms : 0;
}

void rows_format_time(int64_t ms, char ret[CLOCK_TEXT])
{
    clock_format(ms, ret);
    ret[10] = ' ';
    char *z = strchr(ret, 'Z');
    if (z)
        *z = 0;
}

const char *rows_time_or_null(int64_t ms, char buffer[CLOCK_TEXT])
{
    if (!ms)
        return NULL;
    rows_format_time(ms, buffer);
    return buffer;
}

const char *rows_text_or_null(const WireEnum *e, int value, const char *text)
{
    return value ? wire_enum_text(e, value, text) : NULL;
}

json_t *rows_parse_json(const char *text, size_t n)
{
    json_t *j = NULL;
    Err err;
    return text && json_parse(text, n, &j, &err) ? j : NULL;
}

/* False: it is no array of texts. */
static bool set_strs(StrList *to, const char *text, size_t n)
{
    AUTOJSON json_t *a = rows_parse_json(text, n);
    bool ok = json_is_array(a);
    for (size_t i = 0; i < json_array_size(a); i++) {
        const char *s = json_string_value(json_array_get(a, i));
        ok = ok && s;
        if (s)
            strlist_add(to, s);
    }
    return ok;
}

static bool set_field(const WireField *f, void *p, const char *text, size_t n)
{
    switch (f->type) {
    case WIRE_STR:
        *(char **)p = xstrndup(text, n);
        break;
    case WIRE_INT:
        *(int64_t *)p = strtoll(text, NULL, 10);
        break;
    case WIRE_BOOL:
        *(bool *)p = strtoll(text, NULL, 10) != 0;
        break;
    case WIRE_TIME:
        *(int64_t *)p = parse_time(text);
        break;
    case WIRE_STRS:
        return set_strs(p, text, n);
    case WIRE_JSON:
        *(json_t **)p = rows_parse_json(text, n);
        return *(json_t **)p != NULL;
    default:
        break;
    }
    return true;
}

bool rows_read(const DbRows *r, const WireField *fields, void *s)
{
    bool ok = true;
    for (const WireField *f = fields; f->name; f++) {
        int column = db_column_index(r, f->name);
        size_t n;
        const char *text = column < 0 ? NULL : db_field(r, (size_t)column, &n);
        if (text && f->type == WIRE_ENUM)
            wire_enum_set(f, s, text);
        else if (text)
            ok = set_field(f, (char *)s + f->offset, text, n) && ok;
    }
    return ok;
}

void qdb_ids_add(QdbIds *ids, int64_t id)
{
    if (ids->n == ids->cap) {
        ids->cap = ids->cap ? ids->cap * 2 : 64;
        ids->v = xrealloc(ids->v, ids->cap * sizeof *ids->v);
    }
    ids->v[ids->n++] = id;
}

bool rows_read_ids(DbRows *rows, QdbIds *ret, Err *err)
{
    bool more, ok;
    while ((ok = db_next(rows, &more, err)) && more)
        qdb_ids_add(ret, db_int(rows, "id"));
    db_rows_free(rows);
    return ok;
}

bool rows_delete(Db *db, const char *table, const char *key, const QdbIds *ids, Err *err)
{
    AUTO(str_done) Str sql = STR_INIT;
    if (!ids->n)
        return true;
    str_addf(&sql, "DELETE FROM siding.%s WHERE %s IN (", table, key);
    for (size_t i = 0; i < ids->n; i++)
        str_addf(&sql, "%s%" PRId64, i ? "," : "", ids->v[i]);
    str_addc(&sql, ')');
    return db_exec(db, err, str_z(&sql), "");
}
