/* SPDX-License-Identifier: Apache-2.0 */
#include "replica-agent/index/layout.h"

#include <string.h>

#include "replica-agent/index/hitlist.h"
#include "replica-agent/index/tokenize.h"

enum { DIGITS = 24 };

struct Layout {
    const IndexDefinition *d;
    bool hitlist;
    LayoutSink sink;
    void *arg;
    Str text; /* positions, or packed hits */
    /* of layout hitlist: the row that is not complete yet */
    Hitlist hits;
    char term[TERM_MAX_BYTES];
    size_t n;
    int64_t row_last; /* no record behind it may join the row */
    const int64_t *bounds;
    size_t n_bounds;
};

Layout *layout_new(const IndexDefinition *d, LayoutSink sink, void *arg)
{
    Layout *l = NEW(Layout);
    l->d = d;
    l->hitlist = definition_is_hitlist(d);
    l->sink = sink;
    l->arg = arg;
    l->hits.positions = d->positions;
    return l;
}

void layout_free(Layout *l)
{
    if (!l)
        return;
    str_done(&l->text);
    hitlist_done(&l->hits);
    free(l);
}

void layout_bound(Layout *l, const int64_t *last_records, size_t n)
{
    l->bounds = last_records;
    l->n_bounds = n;
}

static inline size_t format_i64(int64_t v, char *ret)
{
    if (v >= 0 && v < 10) { /* most fields and frequencies */
        ret[0] = (char)('0' + v);
        return 1;
    }
    if (v >= 0)
        return str_digits((uint64_t)v, ret);
    ret[0] = '-';
    return 1 + str_digits(-(uint64_t)v, ret + 1);
}

void layout_positions(const Entry *e, Str *out)
{
    str_reserve(out, e->n_positions * DIGITS);
    char *to = out->p + out->len;
    for (size_t i = 0; i < e->n_positions; i++) {
        if (i)
            *to++ = ',';
        to += format_i64(e->positions[i], to);
    }
    *to = '\0';
    out->len = (size_t)(to - out->p);
}

static bool put_posting(Layout *l, const char *term, size_t n, const Entry *e, Err *err)
{
    char record[DIGITS], field[DIGITS], frequency[DIGITS];
    str_clear(&l->text);
    layout_positions(e, &l->text);
    RowSumField columns[] = {{term, n},
                             {record, format_i64(e->record, record)},
                             {field, format_i64(e->field, field)},
                             {frequency, format_i64(e->frequency, frequency)},
                             {str_z(&l->text), l->text.len}};
    return l->sink(l->arg, columns, COUNT(columns) - !l->d->positions, err);
}

bool layout_end(Layout *l, Err *err)
{
    char first[DIGITS], records[DIGITS];
    if (hitlist_is_empty(&l->hits))
        return true;
    str_clear(&l->text);
    hitlist_pack(&l->hits, &l->text);
    RowSumField columns[] = {{l->term, l->n},
                             {first, format_i64(l->hits.first, first)},
                             {records, format_i64(l->hits.records, records)},
                             {str_z(&l->text), l->text.len}};
    return l->sink(l->arg, columns, COUNT(columns), err);
}

/* The first bound that is not before the record. */
static int64_t bound_of(const Layout *l, int64_t record)
{
    size_t from = 0, to = l->n_bounds;
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        if (l->bounds[middle] < record)
            from = middle + 1;
        else
            to = middle;
    }
    return from < l->n_bounds ? l->bounds[from] : INT64_MAX;
}

static bool put_hit(Layout *l, const char *term, size_t n, const Entry *e, Err *err)
{
    bool other = l->n != n || memcmp(l->term, term, n) != 0;
    if ((other || e->record > l->row_last || hitlist_is_full(&l->hits, e)) && !layout_end(l, err))
        return false;
    if (hitlist_is_empty(&l->hits))
        l->row_last = bound_of(l, e->record);
    if (other) {
        l->n = n < sizeof l->term ? n : sizeof l->term;
        memcpy(l->term, term, l->n);
    }
    hitlist_add(&l->hits, e);
    return true;
}

bool layout_put(void *layout, const char *term, size_t n, const Entry *e, Err *err)
{
    Layout *l = layout;
    return l->hitlist ? put_hit(l, term, n, e, err) : put_posting(l, term, n, e, err);
}
