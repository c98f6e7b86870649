/* SPDX-License-Identifier: Apache-2.0 */
#include "replica-agent/load/shard_merge.h"

#include <stdlib.h>
#include <string.h>

#include "common/file/gz.h"
#include "replica-agent/load/tsv.h"

enum { BLOCK = 256 * 1024, MOST_SHARDS = 64, GREATEST_SHARD = 100000 };
enum { MOST_LONG_BYTES = 256 << 20 }; /* of rows longer than a block, of all shards together */

typedef struct ShardFiles {
    long long shard;
    StrList paths;
    size_t next_path;
    GzReader *reader;
    char *text; /* rows from pos on, the last one perhaps unfinished */
    size_t pos, end, cap;
    size_t *room; /* what is left of MOST_LONG_BYTES */
    size_t row;   /* length of the row at pos with its newline; 0: none is left */
} ShardFiles;

struct ShardMerge {
    ShardFiles *v;
    size_t n, numbers, room;
    ShardFiles *cut; /* of which a part of a row was given */
};

/* ---- which file is whose -------------------------------------------------------------------------- */

static long long shard_of(const char *path)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path, *end = strstr(name, ".tsv");
    const char *mark = NULL;
    long long n;
    for (const char *p = name; end && p < end; p++)
        if (p[0] == '.' && p[1] == 's')
            mark = p;
    AUTOFREE char *digits = mark ? xstrndup(mark + 2, (size_t)(end - mark - 2)) : NULL;
    return digits && str_to_i64(digits, 1, GREATEST_SHARD, &n) ? n : 0;
}

static ShardFiles *find_shard(ShardMerge *l, long long shard)
{
    for (size_t i = 0; i < l->n; i++)
        if (l->v[i].shard == shard)
            return &l->v[i];
    return NULL;
}

static void sort_out(ShardMerge *l, const StrList *paths)
{
    l->v = xcalloc(paths->n + 1, sizeof *l->v);
    for (size_t i = 0; i < paths->n; i++) {
        long long shard = shard_of(paths->v[i]);
        ShardFiles *s = find_shard(l, shard);
        if (!s) {
            s = &l->v[l->n++];
            *s = (ShardFiles){.shard = shard};
        }
        strlist_add(&s->paths, paths->v[i]);
    }
}

size_t shard_merge_count(const StrList *paths)
{
    ShardMerge l = {0};
    sort_out(&l, paths);
    for (size_t i = 0; i < l.n; i++)
        strlist_done(&l.v[i].paths);
    free(l.v);
    return l.n;
}

/* ---- rows ----------------------------------------------------------------------------------------- */

static bool read_more(ShardFiles *l, bool *ret_more, Err *err)
{
    size_t n = 0;
    memmove(l->text, l->text + l->pos, l->end - l->pos);
    l->end -= l->pos;
    l->pos = 0;
    if (l->end > TSV_MOST_ROW_BYTES)
        return err_set(err, ERR_CORRUPT, 0, "%s: a row is longer than %d bytes",
                       l->next_path ? l->paths.v[l->next_path - 1] : "", TSV_MOST_ROW_BYTES);
    if (l->cap - l->end < BLOCK) {
        if (*l->room < BLOCK)
            return err_set(err, ERR_CORRUPT, 0, "rows of several shards have more than %d bytes together",
                           MOST_LONG_BYTES);
        *l->room -= BLOCK;
        l->cap += BLOCK;
        l->text = xrealloc(l->text, l->cap);
    }
    while (!n) {
        if (!l->reader) {
            *ret_more = l->next_path < l->paths.n;
            if (!*ret_more)
                return true;
            if (!gz_open(l->paths.v[l->next_path++], &l->reader, err))
                return false;
        }
        if (!gz_read(l->reader, l->text + l->end, l->cap - l->end, &n, err))
            return false;
        if (!n) {
            gz_close(l->reader);
            l->reader = NULL;
        }
    }
    l->end += n;
    *ret_more = true;
    return true;
}

static bool next_row(ShardFiles *l, Err *err)
{
    bool more = true;
    l->row = 0;
    for (size_t looked = 0;;) {
        const char *from = l->text + l->pos, *stop = NULL;
        if (l->end > l->pos + looked)
            stop = memchr(from + looked, '\n', l->end - l->pos - looked);
        if (stop) {
            l->row = (size_t)(stop + 1 - from);
            return true;
        }
        looked = l->end - l->pos;
        if (!read_more(l, &more, err))
            return false;
        if (!more)
            return looked == 0 || err_set(err, ERR_CORRUPT, 0, "the last row of a file has no end");
    }
}

/* ---- order ---------------------------------------------------------------------------------------- */

static size_t column_length(const char *p, const char *end)
{
    const char *stop = memchr(p, '\t', (size_t)(end - p));
    return (size_t)((stop ? stop : end) - p);
}

static int compare_bytes(const char *a, size_t n, const char *b, size_t m)
{
    int c = memcmp(a, b, n < m ? n : m);
    return c ? c : n < m ? -1 : n > m;
}

/* A column need not hold a number, and behind it may be the end. */
static long long number(const char *p, size_t n)
{
    unsigned long long v = 0;
    bool minus = n && *p == '-';
    for (size_t i = minus; i < n && p[i] >= '0' && p[i] <= '9'; i++)
        v = v * 10 + (unsigned long long)(p[i] - '0');
    return (long long)(minus ? 0 - v : v);
}

static int compare(const ShardMerge *l, const ShardFiles *x, const ShardFiles *y)
{
    const char *a = x->text + x->pos, *b = y->text + y->pos, *a_end = a + x->row - 1, *b_end = b + y->row - 1;
    size_t n = column_length(a, a_end), m = column_length(b, b_end);
    int c = compare_bytes(a, n, b, m);
    for (size_t i = 0; !c && i < l->numbers && a + n < a_end && b + m < b_end; i++) {
        a += n + 1;
        b += m + 1;
        n = column_length(a, a_end);
        m = column_length(b, b_end);
        long long u = number(a, n), v = number(b, m);
        c = u < v ? -1 : u > v;
    }
    return c;
}

static ShardFiles *least(const ShardMerge *l)
{
    ShardFiles *best = NULL;
    for (size_t i = 0; i < l->n; i++)
        if (l->v[i].row && (!best || compare(l, &l->v[i], best) < 0))
            best = &l->v[i];
    return best;
}

/* ---- the whole ------------------------------------------------------------------------------------ */

bool shard_merge_open(const StrList *paths, size_t numbers, ShardMerge **ret, Err *err)
{
    ShardMerge *l = NEW(ShardMerge);
    l->numbers = numbers;
    l->room = MOST_LONG_BYTES;
    sort_out(l, paths);
    if (l->n > MOST_SHARDS) {
        (void)!err_set(err, ERR_CORRUPT, 0, "files of %zu shards; there are at most %d", l->n, MOST_SHARDS);
        shard_merge_close(l);
        return false;
    }
    for (size_t i = 0; i < l->n; i++) {
        l->v[i].room = &l->room;
        l->v[i].cap = BLOCK;
        l->v[i].text = xcalloc(1, BLOCK);
        if (!next_row(&l->v[i], err)) {
            shard_merge_close(l);
            return false;
        }
    }
    *ret = l;
    return true;
}

void shard_merge_close(ShardMerge *l)
{
    if (!l)
        return;
    for (size_t i = 0; i < l->n; i++) {
        strlist_done(&l->v[i].paths);
        gz_close(l->v[i].reader);
        free(l->v[i].text);
    }
    free(l->v);
    free(l);
}

bool shard_merge_read(ShardMerge *l, char *buffer, size_t n, size_t *ret_n, Err *err)
{
    *ret_n = 0;
    while (*ret_n < n) {
        ShardFiles *s = l->cut ? l->cut : least(l);
        if (!s)
            return true;
        size_t room = n - *ret_n, part = s->row < room ? s->row : room;
        memcpy(buffer + *ret_n, s->text + s->pos, part);
        *ret_n += part;
        s->pos += part;
        s->row -= part;
        l->cut = s->row ? s : NULL;
        if (!s->row && !next_row(s, err))
            return false;
    }
    return true;
}
