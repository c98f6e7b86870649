/* SPDX-License-Identifier: Apache-2.0 */
#include "replica-agent/index/source.h"

#include <inttypes.h>

#include "common/db/warnings.h"

static bool in_field(const IndexField *f, Err *err)
{
    return err_prefix(err, "field \"%s\"", f->name);
}

/* ---- key columns --------------------------------------------------------------------------------- */

static bool find_key(Db *db, const IndexField *f, StrList *keys, Err *err)
{
    AUTOFREE char *sql = xasprintf("SELECT * FROM (%s) AS source LIMIT 0", f->query);
    DbRows *rows = NULL;
    if (!db_query(db, &rows, err, sql, ""))
        return in_field(f, err);
    bool ok = db_columns(rows) == 2;
    if (!ok)
        err_set(err, ERR_CONFIG, 0,
                "field \"%s\": its query gives %zu columns where a key and a text are wanted", f->name,
                db_columns(rows));
    else if (!(ok = db_column_is_number(rows, 0)))
        err_set(err, ERR_CONFIG, 0, "field \"%s\": its key \"%s\" is not an integer", f->name,
                db_column_name(rows, 0));
    if (ok) {
        AUTO(str_done) Str name = STR_INIT;
        db_quote_id(&name, db_column_name(rows, 0));
        strlist_add(keys, str_z(&name));
    }
    db_rows_free(rows);
    return ok;
}

bool source_open(Db *db, const IndexDefinition *d, FieldSource *ret, Err *err)
{
    FieldSource s = {.definition = d};
    for (size_t i = 0; i < d->fields.n; i++)
        if (!find_key(db, definition_field(d, i), &s.keys, err)) {
            source_close(&s);
            return false;
        }
    *ret = s;
    return true;
}

void source_close(FieldSource *s)
{
    strlist_done(&s->keys);
}

/* ---- bounds -------------------------------------------------------------------------------------- */

static bool to_key(const char *text, int64_t *ret, const IndexField *f, Err *err)
{
    long long key;
    if (!str_to_i64(text, INT64_MIN, INT64_MAX, &key))
        return err_set(err, ERR_CONFIG, 0, "field \"%s\": the key %s is no 64-bit integer", f->name, text);
    *ret = key;
    return true;
}

/* Each is greater than the one before, or the walk would never end. */
static bool add_bound(SourceBounds *b, int64_t key, Err *err)
{
    if (b->n && key <= b->v[b->n - 1])
        return err_set(err, ERR_CONFIG, 0, "its keys are not in order: %" PRId64 " comes after %" PRId64, key,
                       b->v[b->n - 1]);
    b->v = xrealloc(b->v, (b->n + 1) * sizeof *b->v);
    b->v[b->n++] = key;
    return true;
}

static void where_above(const FieldSource *s, const SourceBounds *b, Str *out)
{
    if (b->n)
        str_addf(out, " WHERE %s > %" PRId64, s->keys.v[0], b->v[b->n - 1]);
    else
        str_addf(out, " WHERE %s IS NOT NULL", s->keys.v[0]);
}

bool source_bounds(Db *db, const FieldSource *s, int64_t step, SourceBounds *ret, Err *err)
{
    const IndexField *f = definition_field(s->definition, 0);
    SourceBounds b = {NULL, 0, 0};
    bool ok = true;
    for (bool more = true; ok && more;) {
        AUTO(str_done) Str sql = STR_INIT;
        AUTOFREE char *text = NULL;
        int64_t key = 0;
        str_addf(&sql, "SELECT %s FROM (%s) AS source", s->keys.v[0], f->query);
        where_above(s, &b, &sql);
        str_addf(&sql, " ORDER BY 1 LIMIT 1 OFFSET %" PRId64, step - 1);
        ok = db_value(db, &text, err, str_z(&sql), "");
        more = ok;
        if (!ok && err->kind == ERR_NOT_FOUND)
            ok = true; /* fewer than a step are left */
        else if (ok && (ok = to_key(text, &key, f, err)))
            ok = add_bound(&b, key, err);
    }
    AUTO(str_done) Str count = STR_INIT;
    str_addf(&count, "SELECT COUNT(*) FROM (%s) AS source", f->query);
    where_above(s, &b, &count);
    int64_t left = 0;
    ok = ok && db_value_int(db, &left, err, str_z(&count), "");
    if (!ok) {
        source_bounds_done(&b);
        return in_field(f, err);
    }
    b.rows = (int64_t)b.n * step + left;
    *ret = b;
    return true;
}

void source_bounds_done(SourceBounds *b)
{
    free(b->v);
    *b = (SourceBounds){NULL, 0, 0};
}

/* ---- reading ------------------------------------------------------------------------------------- */

static bool read_rows(DbRows *rows, const FieldSource *s, size_t field, SourceSink sink, void *arg, Err *err)
{
    const IndexField *f = definition_field(s->definition, field);
    for (;;) {
        bool more;
        if (!db_next(rows, &more, err))
            return in_field(f, err);
        if (!more)
            return true;
        size_t n;
        int64_t record = 0;
        const char *key = db_field(rows, 0, NULL), *text = db_field(rows, 1, &n);
        if (!key || !text)
            continue;
        if (!to_key(key, &record, f, err) || !sink(arg, record, (unsigned)field + 1, text, n, err))
            return false;
    }
}

static bool read_where(Db *db, const FieldSource *s, size_t field, const char *where, SourceSink sink,
                       void *arg, Err *err)
{
    const IndexField *f = definition_field(s->definition, field);
    /* positions count on through the texts of a record: these must come together */
    AUTOFREE char *sql = xasprintf("SELECT * FROM (%s) AS source WHERE %s%s", f->query, where,
                                   s->definition->positions ? " ORDER BY 1" : "");
    DbRows *rows;
    if (!db_stream(db, &rows, err, sql))
        return in_field(f, err);
    bool ok = read_rows(rows, s, field, sink, arg, err);
    db_rows_free(rows);
    AUTOFREE char *what = xasprintf("field \"%s\"", f->name);
    return ok && warnings_check(db, WARNINGS_READ, what, err);
}

bool source_read_range(Db *db, const FieldSource *s, const SourceBounds *b, size_t i, SourceSink sink,
                       void *arg, Err *err)
{
    for (size_t field = 0; field < s->definition->fields.n; field++) {
        const char *key = s->keys.v[field];
        AUTO(str_done) Str where = STR_INIT;
        str_addf(&where, "%s IS NOT NULL", key);
        if (i > 0)
            str_addf(&where, " AND %s > %" PRId64, key, b->v[i - 1]);
        if (i < b->n)
            str_addf(&where, " AND %s <= %" PRId64, key, b->v[i]);
        if (!read_where(db, s, field, str_z(&where), sink, arg, err))
            return false;
    }
    return true;
}

bool source_read_keys(Db *db, const FieldSource *s, const int64_t *keys, size_t n, SourceSink sink, void *arg,
                      Err *err)
{
    for (size_t field = 0; n && field < s->definition->fields.n; field++) {
        AUTO(str_done) Str where = STR_INIT;
        str_addf(&where, "%s IN (", s->keys.v[field]);
        for (size_t k = 0; k < n; k++)
            str_addf(&where, "%s%" PRId64, k ? "," : "", keys[k]);
        str_addc(&where, ')');
        if (!read_where(db, s, field, str_z(&where), sink, arg, err))
            return false;
    }
    return true;
}
