/* SPDX-License-Identifier: Apache-2.0 */
#include "chunkproof.h"

#include "common/file/json.h"
#include "reread.h"

static bool read_sum(Db *db, const char *sql, RowSum *ret, Err *err)
{
    AUTOFREE char *text = NULL;
    if (!db_value(db, &text, err, sql, ""))
        return false;
    return rowcheck_parse(text, ret) ||
           err_set(err, ERR_PROTOCOL, 0, "the server's checksum \"%s\" is none", text ? text : "NULL");
}

bool chunkproof_begin(Db *db, Err *err)
{
    return db_exec(db, err, rowcheck_reset_sql, "");
}

bool chunkproof_sent(Db *db, RowSum *ret, Err *err)
{
    return read_sum(db, rowcheck_sent_sql, ret, err);
}

bool chunkproof_read(Db *db, const Chunk *c, const char *where, RowSum *ret, Err *err)
{
    AUTO(str_done) Str sql = STR_INIT;
    chunkplan_sum_sql(&sql, c->work->table, &c->after, &c->upto, where);
    return read_sum(db, sql.p, ret, err);
}

static bool reread_file(const DumpFolder *out, const char *name, FormatKind kind, RowCheck *check,
                        char *buffer, size_t n_buffer, Err *err)
{
    AUTOFREE char *path = dumpfolder_path(out, name);
    GzReader *in;
    Reread r;
    size_t n = 1;
    if (!gz_open(path, &in, err))
        return false;
    reread_init(&r, kind, check);
    bool ok = true;
    while (ok && n) {
        ok = gz_read(in, buffer, n_buffer, &n, err);
        if (ok && !reread_feed(&r, buffer, n))
            ok = err_set(err, ERR_CORRUPT, 0, "%s holds something else than the rows written", path);
    }
    gz_close(in);
    if (ok && !reread_ended(&r))
        return err_set(err, ERR_CORRUPT, 0, "%s ends in the middle of a row", path);
    return ok;
}

bool chunkproof_files(const DumpFolder *out, const Chunk *c, const json_t *files, char *buffer,
                      size_t n_buffer, const RowSum *want, Err *err)
{
    RowCheck check;
    size_t i;
    json_t *f;
    bool ok = true;
    rowcheck_init(&check, c->work->table);
    json_array_foreach((json_t *)(uintptr_t)files, i, f) ok =
        ok && reread_file(out, json_str(f, "name"), c->work->format.kind, &check, buffer, n_buffer, err);
    RowSum have = check.sum;
    rowcheck_done(&check);
    if (!ok || (have.rows == want->rows && have.sum == want->sum))
        return ok;
    AUTOFREE char *a = rowsum_text(&have), *b = rowsum_text(want);
    return err_set(
        err, ERR_CORRUPT, 0,
        "part %zu differs from the table: the written file holds %s (rows:checksum), the server sent %s",
        c->number, a, b);
}
