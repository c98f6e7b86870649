/* SPDX-License-Identifier: Apache-2.0 */
#include "replica-agent/load/tsv.h"

#include <string.h>

#include "common/file/gz.h"
#include "replica-agent/load/shard_merge.h"

enum { BLOCK = 256 * 1024, MAX_COLUMNS = 4096 };

/* ---- checking ------------------------------------------------------------------------------------ */

/* Undoes LOAD DATA's escapes in place; returns the new length. */
static size_t unescape(char *p, size_t n)
{
    char *to = memchr(p, '\\', n), *end = p + n;
    if (!to)
        return n;
    for (char *from = to; from < end; from++) {
        if (*from != '\\' || from + 1 == end) {
            *to++ = *from;
            continue;
        }
        static const char known[] = "0bnrtZ", meant[] = "\0\b\n\r\t\032";
        const char *k = strchr(known, *++from);
        *to++ = k && *from ? meant[k - known] : *from;
    }
    return (size_t)(to - p);
}

static void add_row(char *line, size_t n, RowSummer *sum)
{
    RowSumField fields[MAX_COLUMNS];
    size_t count = 0;
    for (char *p = line, *end = line + n; p <= end && count < MAX_COLUMNS; count++) {
        char *stop = memchr(p, '\t', (size_t)(end - p));
        size_t length = (size_t)((stop ? stop : end) - p);
        bool null = length == 2 && p[0] == '\\' && p[1] == 'N';
        fields[count] = (RowSumField){null ? NULL : p, null ? 0 : unescape(p, length)};
        p = stop ? stop + 1 : end + 1;
    }
    rowsummer_add(sum, fields, count);
}

bool tsv_check(const char *path, RowSum *sum, int64_t *ret_rows, int64_t *ret_bytes, Err *err)
{
    GzReader *r;
    if (!gz_open(path, &r, err))
        return false;
    AUTO(str_done) Str text = STR_INIT; /* from the beginning of a row */
    RowSummer *summer = rowsummer_new();
    int64_t rows = 0, bytes = 0;
    bool ok = true;
    for (;;) {
        size_t n;
        str_reserve(&text, BLOCK);
        if (!(ok = gz_read(r, text.p + text.len, BLOCK, &n, err)) || n == 0)
            break;
        text.len += n;
        bytes += (int64_t)n;
        char *p = text.p, *end = text.p + text.len, *stop;
        for (; (stop = memchr(p, '\n', (size_t)(end - p))); p = stop + 1, rows++)
            add_row(p, (size_t)(stop - p), summer);
        text.len = (size_t)(end - p);
        memmove(text.p, p, text.len);
        if (text.len > TSV_MOST_ROW_BYTES &&
            !(ok = err_set(err, ERR_CORRUPT, 0, "row %lld is longer than %d bytes", (long long)rows + 1,
                           TSV_MOST_ROW_BYTES)))
            break;
    }
    gz_close(r);
    if (ok && text.len)
        ok = err_set(err, ERR_CORRUPT, 0, "its last row has no end");
    RowSum found = rowsummer_sum(summer);
    rowsum_join(sum, &found);
    rowsummer_free(summer);
    *ret_rows = rows;
    *ret_bytes = bytes;
    return ok;
}

/* ---- streaming ----------------------------------------------------------------------------------- */

struct TsvStream {
    const StrList *paths;
    size_t next_path;
    GzReader *reader;
    ShardMerge *merge; /* of several shards; NULL: files follow each other */
    char *buffer;
    size_t pos, end;
    int64_t rows_left, bytes_left; /* of the portion */
    int64_t rows_fed;
};

static bool fill_merged(TsvStream *s, bool *ret_more, Err *err)
{
    s->pos = s->end = 0;
    if (!shard_merge_read(s->merge, s->buffer, BLOCK, &s->end, err))
        return false;
    *ret_more = s->end > 0;
    return true;
}

/* At the end of the last file *ret_more is false. */
static bool fill(TsvStream *s, bool *ret_more, Err *err)
{
    if (s->merge && s->pos == s->end)
        return fill_merged(s, ret_more, err);
    while (s->pos == s->end) {
        if (!s->reader) {
            *ret_more = s->next_path < s->paths->n;
            if (!*ret_more)
                return true;
            if (!gz_open(s->paths->v[s->next_path++], &s->reader, err))
                return false;
        }
        s->pos = s->end = 0;
        if (!gz_read(s->reader, s->buffer, BLOCK, &s->end, err))
            return false;
        if (s->end == 0) {
            gz_close(s->reader);
            s->reader = NULL;
        }
    }
    *ret_more = true;
    return true;
}

void tsv_portion(TsvStream *s, int64_t rows, int64_t bytes)
{
    s->rows_left = rows;
    s->bytes_left = bytes;
    s->rows_fed = 0;
}

ssize_t tsv_feed(void *stream, char *buffer, size_t n, Err *err)
{
    TsvStream *s = stream;
    bool more;
    if (s->rows_left <= 0)
        return 0;
    if (!fill(s, &more, err))
        return -1;
    if (!more)
        return 0;
    size_t given = s->end - s->pos < n ? s->end - s->pos : n;
    const char *from = s->buffer + s->pos, *p = from, *end = from + given;
    for (const char *stop; s->rows_left > 0 && (stop = memchr(p, '\n', (size_t)(end - p)));) {
        s->bytes_left -= stop + 1 - p;
        p = stop + 1;
        s->rows_fed++;
        s->rows_left = s->bytes_left > 0 ? s->rows_left - 1 : 0;
    }
    if (s->rows_left > 0) {
        s->bytes_left -= end - p; /* the beginning of a row */
        p = end;
    }
    memcpy(buffer, from, (size_t)(p - from));
    s->pos += (size_t)(p - from);
    return p - from;
}

int64_t tsv_rows_fed(const TsvStream *s)
{
    return s->rows_fed;
}

static bool skip_rows(TsvStream *s, int64_t rows, Err *err)
{
    char buffer[64 * 1024];
    int64_t skipped = 0;
    while (skipped < rows) {
        tsv_portion(s, rows - skipped, INT64_MAX);
        ssize_t n = tsv_feed(s, buffer, sizeof buffer, err);
        if (n < 0)
            return false;
        skipped += s->rows_fed;
        if (n == 0)
            return err_set(err, ERR_CORRUPT, 0, "the files end after %lld of %lld rows", (long long)skipped,
                           (long long)rows);
    }
    return true;
}

bool tsv_open(const StrList *paths, size_t numbers, int64_t skip, TsvStream **ret, Err *err)
{
    TsvStream *s = NEW(TsvStream);
    s->paths = paths;
    s->buffer = xcalloc(1, BLOCK);
    bool merged = numbers && shard_merge_count(paths) > 1;
    if ((merged && !shard_merge_open(paths, numbers, &s->merge, err)) || !skip_rows(s, skip, err)) {
        tsv_close(s);
        return false;
    }
    *ret = s;
    return true;
}

void tsv_close(TsvStream *s)
{
    if (!s)
        return;
    gz_close(s->reader);
    shard_merge_close(s->merge);
    free(s->buffer);
    free(s);
}
