/* SPDX-License-Identifier: Apache-2.0
 * Why no change is lost. Let F be the freeze, A the start of the first round (the primary's clock), R the
 * RENAME.
 *
 *   changed before F        in the result
 *   changed in F … A        first round: changed_since F finds them, their rows go into the shadow table
 *   changed in A … R        second round, after R: changed_since A finds them
 *   changed after R         written to the live table by whoever maintains it, or seen by the next run
 *
 * A row shows its change time before its transaction commits, so a round may miss what is still under way:
 * each reaches back by the definition's margin. A record found twice is indexed twice, which changes nothing.
 *
 * What happens to one record meanwhile: see reindex.c.
 */
#include "replica-agent/load/delta.h"

#include "common/db/warnings.h"

/* ---- keys ---------------------------------------------------------------------------------------- */

void delta_keys_done(DeltaKeys *k)
{
    free(k->v);
    *k = (DeltaKeys){NULL, 0};
}

static int compare_keys(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

size_t delta_key_place(const int64_t *keys, size_t n, int64_t key)
{
    const int64_t *at = bsearch(&key, keys, n, sizeof *keys, compare_keys);
    return at ? (size_t)(at - keys) : SIZE_MAX;
}

static void sort_unique(DeltaKeys *k)
{
    size_t kept = 0;
    if (k->n)
        qsort(k->v, k->n, sizeof *k->v, compare_keys);
    for (size_t i = 0; i < k->n; i++)
        if (i == 0 || k->v[i] != k->v[kept - 1])
            k->v[kept++] = k->v[i];
    k->n = kept;
}

size_t delta_keys_union(const DeltaKeys *a, const DeltaKeys *b)
{
    size_t n = 0, i = 0, k = 0;
    for (; i < a->n || k < b->n; n++) {
        int64_t least = i < a->n && (k == b->n || a->v[i] <= b->v[k]) ? a->v[i] : b->v[k];
        i += i < a->n && a->v[i] == least;
        k += k < b->n && b->v[k] == least;
    }
    return n;
}

static bool read_keys(DbRows *rows, DeltaKeys *keys, Err *err)
{
    size_t cap = 0;
    for (bool more;;) {
        if (!db_next(rows, &more, err))
            return false;
        if (!more)
            return true;
        const char *text = db_field(rows, 0, NULL);
        long long key;
        if (!text)
            continue;
        if (!str_to_i64(text, INT64_MIN, INT64_MAX, &key))
            return err_set(err, ERR_CONFIG, 0, "the key %s is no 64-bit integer", text);
        if (keys->n == cap) {
            cap = cap ? cap * 2 : 256;
            keys->v = xrealloc(keys->v, cap * sizeof *keys->v);
        }
        keys->v[keys->n++] = key;
    }
}

bool delta_find(Db *db, const IndexDefinition *d, int64_t since_wall_ms, DeltaKeys *ret, Err *err)
{
    AUTO(str_done) Str sql = STR_INIT;
    definition_changed_since(d, since_wall_ms - d->changed_margin_ms, &sql);
    DbRows *rows;
    DeltaKeys keys = {NULL, 0};
    if (!db_stream(db, &rows, err, str_z(&sql)))
        return err_prefix(err, "changed_since");
    bool ok = read_keys(rows, &keys, err) || err_prefix(err, "changed_since");
    db_rows_free(rows);
    ok = ok && warnings_check(db, WARNINGS_READ, "changed_since", err);
    if (!ok) {
        delta_keys_done(&keys);
        return false;
    }
    sort_unique(&keys);
    *ret = keys;
    return true;
}

bool delta_now(Db *db, int64_t *ret_wall_ms, Err *err)
{
    return db_value_int(db, ret_wall_ms, err, "SELECT CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS SIGNED)", "");
}
