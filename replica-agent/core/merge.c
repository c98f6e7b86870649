/* SPDX-License-Identifier: Apache-2.0 */
#include "merge.h"

#include <string.h>

#include "common/db/rowsum.h"
#include "common/file/resultname.h"

void merge_done(Merge *m)
{
    for (size_t i = 0; i < m->n; i++) {
        free(m->files[i].from);
        free(m->files[i].to);
    }
    free(m->files);
    json_decref(m->manifest);
    *m = (Merge){0};
}

static bool is_same(const json_t *a, const json_t *b)
{
    bool no_a = !a || json_is_null(a), no_b = !b || json_is_null(b);
    return no_a || no_b ? no_a && no_b : json_equal((json_t *)(uintptr_t)a, (json_t *)(uintptr_t)b);
}

/* ---- names ---------------------------------------------------------------------------------------- */

static size_t without_last(const char *name, size_t n)
{
    size_t i = n;
    while (i > 1 && name[i - 1] != '.' && name[i - 1] != '/')
        i--;
    return i > 1 && name[i - 1] == '.' && name[i - 2] != '/' ? i - 1 : n;
}

static bool ends(const char *name, size_t n, const char *end)
{
    size_t m = strlen(end);
    return n > m && strncmp(name + n - m, end, m) == 0;
}

/* "a.b.tsv.gz" of shard 2: "a.b.s2.tsv.gz". */
static char *name_of_shard(const char *name, int64_t shard, const char *encrypted)
{
    static const char *const codecs[] = {".gz", ".zst", ".xz", ".bz2", ".lz4"};
    size_t n = strlen(name);
    if (*encrypted && ends(name, n, encrypted))
        n -= strlen(encrypted);
    for (size_t i = 0; i < COUNT(codecs); i++)
        if (ends(name, n, codecs[i])) {
            n -= strlen(codecs[i]);
            break;
        }
    n = without_last(name, n);
    return xasprintf("%.*s.s%lld%s", (int)n, name, (long long)shard, name + n);
}

/* ---- files ---------------------------------------------------------------------------------------- */

static bool add_files(Merge *m, json_t *taken, const json_t *manifest, size_t part, Err *err)
{
    json_t *files = json_object_get(manifest, "files"), *all = json_object_get(m->manifest, "files"), *f;
    int64_t shard = json_int(manifest, "shard");
    size_t i;
    m->files = xrealloc(m->files, (m->n + json_array_size(files) + 1) * sizeof *m->files);
    json_array_foreach(files, i, f)
    {
        const char *from = json_str(f, "name");
        char *to = json_object_get(taken, from) ? name_of_shard(from, shard, json_str(manifest, "encrypted"))
                                                : xstrdup(from);
        m->files[m->n++] = (MergeFile){part, xstrdup(from), to};
        if (!resultname_check(to, err))
            return false;
        if (json_object_get(taken, to))
            return err_set(err, ERR_CORRUPT, 0, "two shards have a file %s", to);
        json_object_set_new(taken, to, json_true());
        json_t *entry = json_deep_copy(f);
        json_set_str(entry, "name", to);
        json_set_int(entry, "shard", shard);
        json_array_append_new(all, entry);
    }
    return true;
}

/* ---- sums ----------------------------------------------------------------------------------------- */

static void add_sum(json_t *to, const json_t *from)
{
    RowSum a, b;
    json_set_int(to, "rows", i64_sum(json_int(to, "rows"), json_int(from, "rows")));
    if (rowsum_parse(json_str(to, "checksum"), &a) && rowsum_parse(json_str(from, "checksum"), &b)) {
        rowsum_join(&a, &b);
        AUTOFREE char *text = rowsum_text(&a);
        json_set_str(to, "checksum", text);
    } else {
        json_set_str(to, "checksum", NULL);
    }
    if (json_object_get(to, "verified"))
        json_set_bool(to, "verified", json_bool(to, "verified") && json_bool(from, "verified"));
}

static json_t *find_table(const json_t *tables, const json_t *like)
{
    size_t i;
    json_t *t;
    json_array_foreach((json_t *)(uintptr_t)tables, i,
                       t) if (str_eq(json_str(t, "database"), json_str(like, "database")) &&
                              str_eq(json_str(t, "table"), json_str(like, "table"))) return t;
    return NULL;
}

static void add_tables(json_t *whole, const json_t *manifest)
{
    size_t i;
    json_t *t, *all = json_object_get(whole, "tables"), *tables = json_object_get(manifest, "tables");
    json_array_foreach(tables, i, t)
    {
        json_t *known = find_table(all, t);
        if (known)
            add_sum(known, t);
        else
            json_array_append_new(all, json_deep_copy(t));
    }
}

static bool add_upload(json_t *whole, const json_t *manifest, Err *err)
{
    json_t *to = json_object_get(whole, "upload"), *from = json_object_get(manifest, "upload"), *v;
    const char *key;
    if (!json_is_object(to) || !json_is_object(from))
        return is_same(to, from) || err_set(err, ERR_CORRUPT, 0, "one shard has an upload, another none");
    json_object_foreach(from, key, v)
    {
        bool own = str_eq(key, "rows") || str_eq(key, "checksum") || str_eq(key, "frozen_at");
        if (!own && !is_same(v, json_object_get(to, key)))
            return err_set(err, ERR_CORRUPT, 0, "the shards do not agree on \"%s\" of their upload", key);
    }
    if (json_object_get(to, "rows") && !json_is_null(json_object_get(to, "rows")))
        add_sum(to, from);
    return true;
}

/* ---- the whole ------------------------------------------------------------------------------------ */

static bool check(const json_t *whole, const json_t *part, Err *err)
{
    static const char *const common[] = {"run", "incarnation", "job", "gtid", "shards", "encrypted"};
    for (size_t i = 0; i < COUNT(common); i++)
        if (!is_same(json_object_get(whole, common[i]), json_object_get(part, common[i])))
            return err_set(err, ERR_CORRUPT, 0, "shard %lld is of another %s than shard %lld",
                           (long long)json_int(part, "shard"), common[i],
                           (long long)json_int(whole, "shard"));
    return true;
}

/* Times in one format: their texts compare as they do. */
static void widen_times(json_t *whole, const json_t *part)
{
    const char *start = json_str(part, "started_at"), *end = json_str(part, "finished_at");
    if (*start && strcmp(start, json_str(whole, "started_at")) < 0)
        json_set_str(whole, "started_at", start);
    if (*end && strcmp(end, json_str(whole, "finished_at")) > 0)
        json_set_str(whole, "finished_at", end);
}

/* Of a dump: what its server must take. */
static void widen_longest(json_t *whole, const json_t *part)
{
    if (json_int(part, "longest_statement") <= json_int(whole, "longest_statement"))
        return;
    json_set_int(whole, "longest_statement", json_int(part, "longest_statement"));
    json_set_str(whole, "longest_statement_in", json_str(part, "longest_statement_in"));
}

static json_t *begin(const json_t *first)
{
    json_t *whole = json_deep_copy(first);
    json_object_set_new(whole, "files", json_array());
    json_set_bool(whole, "gathered", true);
    json_object_set_new(whole, "nodes", json_array());
    return whole;
}

bool merge_manifests(const json_t *const *parts, size_t n, Merge *ret, Err *err)
{
    Merge m = {.manifest = begin(parts[0])};
    AUTOJSON json_t *taken = json_object();
    bool ok = true;
    for (size_t i = 0; ok && i < n; i++) {
        json_array_append_new(json_object_get(m.manifest, "nodes"), json_string(json_str(parts[i], "node")));
        ok = check(m.manifest, parts[i], err) && add_files(&m, taken, parts[i], i, err);
        if (ok && i) {
            add_tables(m.manifest, parts[i]);
            widen_times(m.manifest, parts[i]);
            widen_longest(m.manifest, parts[i]);
            ok = add_upload(m.manifest, parts[i], err);
        }
    }
    if (ok)
        *ret = m;
    else
        merge_done(&m);
    return ok;
}
