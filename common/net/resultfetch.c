/* SPDX-License-Identifier: Apache-2.0 */
#include "resultfetch.h"

#include <string.h>

#include "common/file/fs.h"
#include "common/file/json.h"
#include "common/file/resultname.h"
#include "common/file/sha256.h"
#include "common/wire/progress.h"
#include "common/wire/runkey.h"
#include "httpc.h"

typedef struct Fetch {
    const ResultSource *from;
    const char *to;
    int64_t done, total;
    const char *name;
} Fetch;

enum { CALL_MS = 30000 };

char *resultfetch_path(const char *run, const char *name)
{
    AUTO(str_done) Str out = STR_INIT;
    str_adds(&out, "/v1/results/");
    httpc_encode(&out, run);
    str_addc(&out, '/');
    for (const char *p = name; *p;) {
        size_t n = strcspn(p, "/");
        AUTOFREE char *part = xstrndup(p, n);
        httpc_encode(&out, part);
        p += n;
        if (*p == '/')
            str_addc(&out, *p++);
    }
    return str_take(&out);
}

char *resultfetch_path_at(const ResultSource *from, const char *name)
{
    AUTO(str_done) Str out = STR_INIT;
    AUTOFREE char *path = resultfetch_path(from->run, name);
    str_adds(&out, path);
    if (from->node) {
        str_adds(&out, "?node=");
        httpc_encode(&out, from->node);
    }
    return str_take(&out);
}

static bool count(void *arg, const char *bytes, size_t n)
{
    Fetch *f = arg;
    (void)bytes;
    f->done += (int64_t)n;
    progress_set(f->done, f->total, f->name);
    return true;
}

static bool download(Fetch *f, const char *name, const char *sum, const char *path, Err *err)
{
    AUTOFREE char *remote = resultfetch_path_at(f->from, name), *dir = fs_dirname(path);
    HttpCall call = {.base_url = f->from->url, .method = "GET", .path = remote, .tls = f->from->tls};
    char got[65];
    if (!fs_mkdirs(dir, 0700, err) || !httpc_download(&call, path, *sum ? sum : NULL, count, f, err))
        return err_prefix(err, "%s", name);
    if (!*sum)
        return true;
    if (!sha256_file(path, got, err))
        return false;
    return str_eq(got, sum) ? true
                            : err_set(err, ERR_CORRUPT, 0,
                                      "%s arrived damaged: SHA-256 %s, the manifest says %s", name, got, sum);
}

static bool fetch_one(Fetch *f, const json_t *file, Err *err)
{
    Err ignored;
    const char *name = json_str(file, "name"), *sum = json_str(file, "sha256");
    /* A name from the other side becomes a path here: it must stay below the folder. */
    if (!resultname_check(name, err))
        return err_prefix(err, "the manifest of run %s", f->from->run);
    if (strlen(sum) != 64)
        return err_set(err, ERR_PROTOCOL, 0, "the manifest has no SHA-256 of the file \"%.100s\"", name);
    AUTOFREE char *path = xasprintf("%s/%s", f->to, name);
    char got[65];
    int64_t size = json_int(file, "compressed_bytes");
    f->name = name;
    if (fs_size(path) == size && sha256_file(path, got, &ignored) && str_eq(got, sum)) {
        f->done += size;
        return true;
    }
    if (fs_size(path) >= size && !fs_remove(path, err))
        return false;
    f->done += fs_size(path) > 0 ? fs_size(path) : 0;
    return download(f, name, sum, path, err);
}

static bool fetch_all(Fetch *f, const json_t *manifest, Err *err)
{
    const json_t *files = json_object_get(manifest, "files"), *file;
    size_t i;
    json_array_foreach((json_t *)files, i, file) f->total += json_int(file, "compressed_bytes");
    progress_start("bytes");
    json_array_foreach((json_t *)files, i, file) if (!fetch_one(f, file, err)) return false;
    progress_end();
    return true;
}

/* Small, and compared with the manifest by whoever reads it: always taken anew. */
static bool fetch_sums(Fetch *f, Err *err)
{
    AUTOFREE char *path = xasprintf("%s/SHA256SUMS", f->to);
    return fs_remove(path, err) && download(f, "SHA256SUMS", "", path, err);
}

/* A folder is of one result: one of another queue that had the same number is not written over. */
static bool check_place(const char *path, const char *key, Err *err)
{
    AUTOJSON json_t *there = NULL;
    if (!json_read_file(path, &there, err))
        return err->kind == ERR_NOT_FOUND;
    AUTOFREE char *old = runkey_of_manifest(there);
    return str_eq(old, key) || err_set(err, ERR_CONFLICT, 0,
                                       "%s is of another result (%s, not %s): move it away", path, old, key);
}

bool resultfetch_manifest(const ResultSource *from, json_t **ret, Err *err)
{
    AUTOJSON json_t *manifest = NULL;
    AUTOFREE char *remote = resultfetch_path_at(from, "manifest.json");
    HttpCall call = {
        .base_url = from->url, .method = "GET", .path = remote, .timeout_ms = CALL_MS, .tls = from->tls};
    httpc_keep_connections();
    if (!httpc_call(&call, &manifest, err))
        return err_prefix(err, "result %s of %s", from->run, from->url);
    AUTOFREE char *run = runkey_of_manifest(manifest);
    if (!str_eq(run, from->run))
        return err_set(err, ERR_PROTOCOL, 0, "%s answered with the manifest of run \"%s\", not of %s",
                       from->url, run, from->run);
    *ret = STEAL(manifest);
    return true;
}

bool resultfetch(const ResultSource *from, const json_t *manifest, const char *to, Err *err)
{
    AUTOJSON json_t *asked = NULL;
    Fetch f = {.from = from, .to = to};
    AUTOFREE char *path = xasprintf("%s/manifest.json", to);
    httpc_keep_connections();
    if (!check_place(path, from->run, err))
        return false;
    if (!fs_mkdirs(to, 0700, err))
        return err_prefix(err, "result %s of %s", from->run, from->url);
    if (!manifest && !resultfetch_manifest(from, &asked, err))
        return false;
    manifest = manifest ? manifest : asked;
    return fetch_all(&f, manifest, err) && fetch_sums(&f, err) && fs_sync_dir(to, err) &&
           json_replace_file(path, manifest, 0600, err);
}
