/* SPDX-License-Identifier: Apache-2.0 */
#include "replica-agent/index/rows.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/file/gz.h"
#include "common/file/resultname.h"

enum { BLOCK = 64 * 1024 };

struct RowsOut {
    char *folder, *stem, *codec;
    int64_t rows_per_file;
    GzWriter *w;
    char *name;
    int64_t rows; /* of the open file */
    StrList names;
    json_t *files;
    RowSummer *sum;
    Str block;
    bool finished;
};

char *rows_file_name(const char *stem, size_t number, const char *codec)
{
    return xasprintf("%s.%05zu.tsv%s", stem, number, gz_codec_suffix(codec));
}

RowsOut *rows_new(const char *folder, const char *target, const char *codec, int64_t rows_per_file)
{
    RowsOut *r = NEW(RowsOut);
    r->folder = xstrdup(folder);
    r->stem = resultname_stem(target);
    r->codec = xstrdup(codec);
    r->rows_per_file = rows_per_file;
    r->files = json_array();
    r->sum = rowsummer_new();
    return r;
}

static bool open_file(RowsOut *r, Err *err)
{
    free(r->name);
    r->name = rows_file_name(r->stem, r->names.n, r->codec);
    AUTOFREE char *path = xasprintf("%s/%s", r->folder, r->name);
    strlist_add(&r->names, path);
    r->rows = 0;
    return gz_create(path, r->codec, &r->w, err);
}

static bool write_block(RowsOut *r, Err *err)
{
    bool ok = gz_write(r->w, str_z(&r->block), r->block.len, err);
    str_clear(&r->block);
    return ok;
}

static bool close_file(RowsOut *r, Err *err)
{
    GzTotals totals;
    if (!write_block(r, err))
        return false;
    GzWriter *w = STEAL(r->w);
    if (!gz_finish(w, &totals, err))
        return false;
    json_t *file = json_object();
    json_set_str(file, "name", r->name);
    json_set_int(file, "rows", r->rows);
    json_set_int(file, "bytes", totals.bytes);
    json_set_int(file, "compressed_bytes", totals.compressed_bytes);
    json_set_str(file, "sha256", totals.sha256);
    json_array_append_new(r->files, file);
    return true;
}

/* As LOAD DATA reads by default: the separators, the escape and a zero byte are escaped. */
static char *put_escaped(char *to, const char *p, size_t n)
{
    static const char escapes[256] = {['\t'] = 't', ['\n'] = 'n', ['\\'] = '\\', ['\0'] = '0'};
    for (size_t i = 0; i < n; i++) {
        char escaped = escapes[(unsigned char)p[i]];
        if (escaped)
            *to++ = '\\';
        *to++ = escaped ? escaped : p[i];
    }
    return to;
}

static void add_row(Str *block, const RowSumField *columns, size_t n)
{
    size_t most = n;
    for (size_t i = 0; i < n; i++)
        most += 2 * columns[i].n;
    str_reserve(block, most);
    char *to = block->p + block->len;
    for (size_t i = 0; i < n; i++) {
        to = put_escaped(to, columns[i].p, columns[i].n);
        *to++ = i + 1 < n ? '\t' : '\n';
    }
    *to = '\0';
    block->len = (size_t)(to - block->p);
}

bool rows_put(void *rows, const RowSumField *columns, size_t n, Err *err)
{
    RowsOut *r = rows;
    if (r->w && r->rows >= r->rows_per_file && !close_file(r, err))
        return false;
    if (!r->w && !open_file(r, err))
        return false;
    rowsummer_add(r->sum, columns, n);
    add_row(&r->block, columns, n);
    r->rows++;
    return r->block.len < BLOCK || write_block(r, err);
}

bool rows_finish(RowsOut *r, json_t **ret_files, RowSum *ret_sum, Err *err)
{
    if ((!r->w && !r->names.n && !open_file(r, err)) || (r->w && !close_file(r, err)))
        return false;
    r->finished = true;
    *ret_files = json_incref(r->files);
    *ret_sum = rowsummer_sum(r->sum);
    return true;
}

void rows_free(RowsOut *r)
{
    if (!r)
        return;
    gz_abandon(r->w);
    for (size_t i = 0; !r->finished && i < r->names.n; i++)
        unlink(r->names.v[i]);
    free(r->folder);
    free(r->stem);
    free(r->codec);
    free(r->name);
    strlist_done(&r->names);
    json_decref(r->files);
    rowsummer_free(r->sum);
    str_done(&r->block);
    free(r);
}
