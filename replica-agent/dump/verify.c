/* SPDX-License-Identifier: Apache-2.0 */
#include "verify.h"

#include "common/json.h"
#include "reread.h"

bool verify_server_sum(Db *db, const Chunk *c, const char *where, RowSum *ret, Err *err)
{
    AUTO(str_done) Str sql = STR_INIT;
    plan_sum_sql(&sql, c->work->table, &c->after, &c->upto, where);
    AUTOFREE char *text = NULL;
    if (!db_value(db, &text, err, sql.p, ""))
        return false;
    return rowcheck_parse(text, ret) ||
           err_set(err, ERR_PROTOCOL, 0, "the server's checksum \"%s\" is none", text ? text : "NULL");
}

static bool reread_file(const Output *out, const char *name, FormatKind kind, RowCheck *check, char *buffer,
                        size_t n_buffer, Err *err)
{
    AUTOFREE char *path = output_path(out, name);
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

bool verify_chunk(Db *db, const Output *out, const Chunk *c, const char *where, const json_t *files,
                  char *buffer, size_t n_buffer, RowSum *ret, Err *err)
{
    RowCheck check;
    RowSum theirs;
    size_t i;
    json_t *f;
    bool ok = true;
    rowcheck_init(&check, c->work->table);
    json_array_foreach((json_t *)(uintptr_t)files, i, f) ok =
        ok && reread_file(out, json_str(f, "name"), c->work->format.kind, &check, buffer, n_buffer, err);
    *ret = check.sum;
    rowcheck_done(&check);
    if (!ok || !verify_server_sum(db, c, where, &theirs, err))
        return false;
    if (theirs.rows == ret->rows && theirs.sum == ret->sum)
        return true;
    AUTOFREE char *a = rowsum_text(ret), *b = rowsum_text(&theirs);
    return err_set(
        err, ERR_CORRUPT, 0,
        "part %zu differs from the table: the written file holds %s (rows:checksum), the server %s",
        c->number, a, b);
}
