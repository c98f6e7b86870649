/* SPDX-License-Identifier: Apache-2.0 */
#include "chunkfile.h"

#include <string.h>

#include "common/file/json.h"

/* Small enough to stay in the processor's cache until it is compressed; the rest of the buffer is for rows.
 */
enum { FLUSH_AT = 1 << 17 };

void chunkfile_init(ChunkFile *f, DumpFolder *output, int64_t statement_bytes, const ChunkSize *most)
{
    *f = (ChunkFile){.output = output, .statement_bytes = statement_bytes, .most = *most};
    f->buffer = xcalloc(1, CHUNKFILE_BUFFER);
}

void chunkfile_done(ChunkFile *f)
{
    chunkfile_drop(f);
    free(f->buffer);
}

void chunkfile_begin(ChunkFile *f, const TableWork *work, size_t number)
{
    f->work = work;
    f->number = number;
    f->all_rows = 0;
    f->files = json_array();
}

void chunkfile_drop(ChunkFile *f)
{
    if (f->open)
        dumpfolder_drop(&f->file);
    f->open = false;
    f->len = 0;
    json_decref(f->files);
    f->files = NULL;
}

/* ---- text ----------------------------------------------------------------------------------------- */

static bool flush(ChunkFile *f, Err *err)
{
    size_t n = f->len;
    f->len = 0;
    return gz_write(f->file.gz, f->buffer, n, err);
}

/* Room for `n` more bytes, at most CHUNKFILE_BUFFER. */
static bool room(ChunkFile *f, size_t n, Err *err)
{
    return (f->len < FLUSH_AT && f->len + n <= CHUNKFILE_BUFFER) || flush(f, err);
}

static void wrote(ChunkFile *f, const char *end)
{
    size_t n = (size_t)(end - (f->buffer + f->len));
    f->len += n;
    f->statement += (int64_t)n;
    f->bytes += (int64_t)n;
}

static bool put(ChunkFile *f, const char *p, size_t n, Err *err)
{
    f->bytes += (int64_t)n;
    if (n > CHUNKFILE_BUFFER)
        return flush(f, err) && gz_write(f->file.gz, p, n, err);
    if (!room(f, n, err))
        return false;
    memcpy(f->buffer + f->len, p, n);
    f->len += n;
    return true;
}

/* ---- files ---------------------------------------------------------------------------------------- */

static bool end_statement(ChunkFile *f, Err *err)
{
    if (!f->statement)
        return true;
    int64_t n = f->bytes - f->statement_at;
    f->longest = n > f->longest ? n : f->longest;
    f->statement = 0;
    return f->work->format.kind == FORMAT_TSV || put(f, ";\n", 2, err);
}

static bool open_file(ChunkFile *f, Err *err)
{
    if (f->open)
        return true;
    if (!dumpfolder_begin(f->output, &f->file, err))
        return false;
    f->open = true;
    f->len = 0;
    f->bytes = f->rows = f->statement = f->longest = 0;
    return put(f, str_z(&f->work->file_head), f->work->file_head.len, err);
}

static bool close_file(ChunkFile *f, Err *err)
{
    json_t *entry;
    if (!end_statement(f, err) || !flush(f, err))
        return false;
    const char *ending = f->work->format.kind == FORMAT_TSV ? "tsv" : "sql";
    AUTOFREE char *name = xasprintf("%s.%05zu.%s", f->work->table->prefix, f->number++, ending);
    f->open = false;
    if (!dumpfolder_commit(f->output, &f->file, name, f->rows, &entry, err))
        return false;
    if (f->work->format.kind == FORMAT_SQL)
        json_set_int(entry, "longest_statement", f->longest);
    json_array_append_new(f->files, entry);
    return true;
}

bool chunkfile_end(ChunkFile *f, json_t **ret_files, Err *err)
{
    if (f->open && !close_file(f, err))
        return false;
    *ret_files = STEAL(f->files);
    return true;
}

/* ---- rows ----------------------------------------------------------------------------------------- */

static bool begin_row(ChunkFile *f, Err *err)
{
    if (!open_file(f, err))
        return false;
    if (f->work->format.kind == FORMAT_TSV)
        return true;
    if (!f->statement)
        f->statement_at = f->bytes;
    return f->statement ? put(f, ",\n", 2, err)
                        : put(f, str_z(&f->work->insert_head), f->work->insert_head.len, err);
}

static bool is_full(const ChunkFile *f)
{
    return !chunkplan_is_cut(f->work->table) &&
           (f->most.rows ? f->rows >= f->most.rows : f->bytes >= f->most.bytes);
}

static bool end_row(ChunkFile *f, bool *ret_rest, Err *err)
{
    f->rows++;
    f->all_rows++;
    *ret_rest = f->statement >= f->statement_bytes;
    if (*ret_rest && !end_statement(f, err))
        return false;
    return !is_full(f) || close_file(f, err);
}

bool chunkfile_row(ChunkFile *f, const Value *values, bool *ret_rest, Err *err)
{
    if (!begin_row(f, err) || !room(f, format_most(values, f->work->format.n), err))
        return false;
    wrote(f, format_row(&f->work->format, f->buffer + f->len, values));
    return end_row(f, ret_rest, err);
}

static bool big_value(ChunkFile *f, RowReader *r, size_t column, Err *err)
{
    const Format *format = &f->work->format;
    bool null;
    size_t n;
    if (!reader_value(r, &null, &n, err) || !room(f, FORMAT_EDGE, err))
        return false;
    if (null) {
        wrote(f, format_null(format, f->buffer + f->len, column));
        return true;
    }
    wrote(f, format_value_begin(format, f->buffer + f->len, column, n));
    for (Value piece = {NULL, 1}; piece.n;) {
        if (!reader_bytes(r, &piece, err) || !room(f, 2 * piece.n + 2 * FORMAT_EDGE, err))
            return false;
        wrote(f, format_value_bytes(format, f->buffer + f->len, column, n, piece.p, piece.n));
    }
    wrote(f, format_value_end(format, f->buffer + f->len, column, n));
    return true;
}

bool chunkfile_big_row(ChunkFile *f, RowReader *r, bool *ret_rest, Err *err)
{
    const Format *format = &f->work->format;
    if (!begin_row(f, err) || !room(f, FORMAT_EDGE, err))
        return false;
    wrote(f, format_row_begin(format, f->buffer + f->len));
    for (size_t i = 0; i < format->n; i++)
        if (!big_value(f, r, i, err))
            return false;
    if (!room(f, FORMAT_EDGE, err))
        return false;
    wrote(f, format_row_end(format, f->buffer + f->len));
    return end_row(f, ret_rest, err);
}
