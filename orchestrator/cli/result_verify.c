/* SPDX-License-Identifier: Apache-2.0 */
#include "result_verify.h"
#include "common/base/text.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/file/fs.h"
#include "common/file/json.h"
#include "common/file/resultname.h"
#include "common/file/sha256.h"
#include "common/net/httpc.h"
#include "common/net/resultfetch.h"
#include "out.h"

enum { SUMS_MAX_BYTES = 64 << 20 };

typedef struct HolderFiles {
    const char *dir; /* NULL: by HTTP */
    const ResultSource *from;
    bool bar;
    int64_t done, total;
} HolderFiles;

bool verify_parse_sums(const char *text, StrList *ret_sums, StrList *ret_names, Err *err)
{
    for (int line = 1; *text; line++) {
        size_t n = strcspn(text, "\n");
        size_t hex = strspn(text, "0123456789abcdef");
        bool formed = hex == 64 && n >= 67 && text[64] == ' ' && (text[65] == ' ' || text[65] == '*');
        AUTOFREE char *sum = xstrndup(text, formed ? 64 : 0);
        AUTOFREE char *name = formed ? xstrndup(text + 66, n - 66) : xstrdup("");
        Err why;
        if (!formed || !resultname_check(name, &why))
            return err_set(err, ERR_CORRUPT, 0,
                           "SHA256SUMS line %d is not a checksum followed by a plain file name%s%s", line,
                           formed ? ": " : "", formed ? why.text : "");
        strlist_add(ret_sums, sum);
        strlist_add(ret_names, name);
        text += n + (text[n] == '\n');
    }
    return true;
}

static void show_bar(HolderFiles *s, int64_t more)
{
    AUTO(str_done) Str line = STR_INIT;
    s->done += more;
    if (!s->bar)
        return;
    out_bar(s->done, s->total, 30, &line);
    text_print(stderr, "\r\033[K%s", str_z(&line));
}

typedef struct Sum {
    HolderFiles *source;
    Sha256 *sha;
    Str *text; /* instead of a sum: the bytes */
    bool too_big;
} Sum;

static bool add_bytes(void *arg, const char *bytes, size_t n)
{
    Sum *s = arg;
    if (s->text && s->text->len + n > SUMS_MAX_BYTES)
        return false;
    if (s->text)
        str_add(s->text, bytes, n);
    else {
        sha256_add(s->sha, bytes, n);
        show_bar(s->source, (int64_t)n);
    }
    return true;
}

static bool fetch(const HolderFiles *s, const char *name, Sum *sum, Err *err)
{
    AUTOFREE char *path = resultfetch_path_at(s->from, name);
    HttpCall call = {.base_url = s->from->url, .method = "GET", .path = path, .tls = s->from->tls};
    return httpc_download(&call, NULL, NULL, add_bytes, sum, err);
}

static bool read_sums(const HolderFiles *s, Str *ret, Err *err)
{
    AUTOFREE char *path = s->dir ? xasprintf("%s/SHA256SUMS", s->dir) : NULL;
    Sum sum = {.text = ret};
    return s->dir ? fs_read(path, SUMS_MAX_BYTES, ret, err) : fetch(s, "SHA256SUMS", &sum, err);
}

static bool sum_of(HolderFiles *s, const char *name, char ret[65], Err *err)
{
    if (s->dir) {
        AUTOFREE char *path = xasprintf("%s/%s", s->dir, name);
        bool ok = sha256_file(path, ret, err);
        int64_t size = fs_size(path);
        show_bar(s, size > 0 ? size : 0);
        return ok;
    }
    Sum sum = {.source = s, .sha = sha256_new()};
    bool ok = fetch(s, name, &sum, err);
    if (ok)
        sha256_finish(sum.sha, ret);
    else
        sha256_free(sum.sha);
    return ok;
}

static const char *manifest_sum(const json_t *manifest, const char *name)
{
    const json_t *files = json_object_get(manifest, "files");
    for (size_t i = 0; i < json_array_size(files); i++)
        if (str_eq(json_str(json_array_get(files, i), "name"), name))
            return json_str(json_array_get(files, i), "sha256");
    return NULL;
}

static bool check_file(HolderFiles *s, const char *name, const char *want, const char *manifest_says,
                       Err *err)
{
    char is[65];
    if (!want)
        return err_set(err, ERR_CORRUPT, 0, "is in manifest.json but not in SHA256SUMS");
    if (manifest_says && *manifest_says && !str_eq(manifest_says, want))
        return err_set(err, ERR_CORRUPT, 0, "manifest.json says %s, SHA256SUMS %s", manifest_says, want);
    if (!sum_of(s, name, is, err))
        return false;
    if (!str_eq(is, want))
        return err_set(err, ERR_CORRUPT, 0, "checksum is %s, should be %s", is, want);
    return true;
}

static void report(json_t *files, const char *name, bool ok, const Err *err, bool *all_ok)
{
    json_t *f = json_object();
    json_set_str(f, "name", name);
    json_set_bool(f, "ok", ok);
    json_set_str(f, "error", ok ? NULL : err->text);
    json_array_append_new(files, f);
    *all_ok = *all_ok && ok;
}

static bool check_all(HolderFiles *s, const json_t *manifest, json_t *files, Err *err)
{
    bool all_ok = true;
    AUTO(str_done) Str text = STR_INIT;
    AUTO(strlist_done) StrList sums = STRLIST_INIT;
    AUTO(strlist_done) StrList names = STRLIST_INIT;
    if (!read_sums(s, &text, err) || !verify_parse_sums(str_z(&text), &sums, &names, err))
        return false;
    for (size_t i = 0; i < names.n; i++) {
        Err one;
        bool ok = check_file(s, names.v[i], sums.v[i], manifest_sum(manifest, names.v[i]), &one);
        report(files, names.v[i], ok, &one, &all_ok);
    }
    const json_t *listed = json_object_get(manifest, "files");
    for (size_t i = 0; i < json_array_size(listed); i++) {
        Err one;
        const char *name = json_str(json_array_get(listed, i), "name");
        if (!strlist_has(&names, name))
            report(files, name, check_file(s, name, NULL, NULL, &one), &one, &all_ok);
    }
    return all_ok;
}

bool verify_is_here(const json_t *result)
{
    Err ignored;
    AUTOJSON json_t *here = NULL;
    const char *dir = json_str(result, "path");
    AUTOFREE char *path = xasprintf("%s/manifest.json", dir);
    return *dir && json_read_file(path, &here, &ignored) &&
           json_equal(here, json_object_get(result, "manifest"));
}

static int64_t total_bytes(const json_t *manifest)
{
    int64_t n = 0;
    const json_t *files = json_object_get(manifest, "files");
    for (size_t i = 0; i < json_array_size(files); i++)
        n += json_int(json_array_get(files, i), "compressed_bytes");
    return n;
}

bool verify_result(const json_t *result, const ResultSource *from, json_t **ret, Err *err)
{
    const json_t *manifest = json_object_get(result, "manifest");
    HolderFiles s = {.from = from, .bar = out_is_smart(STDERR_FILENO), .total = total_bytes(manifest)};
    if (verify_is_here(result))
        s.dir = json_str(result, "path");
    AUTOJSON json_t *files = json_array();
    Err why = {0};
    bool ok = check_all(&s, manifest, files, &why);
    if (s.bar)
        fputs("\r\033[K", stderr);
    if (!ok && why.kind != ERR_NONE) {
        *err = why;
        return false;
    }
    json_t *r = json_object();
    json_set_str(r, "run", json_str(result, "run"));
    json_set_str(r, "node", json_str(result, "node"));
    json_set_str(r, "from", s.dir ? s.dir : from->url);
    json_set_bool(r, "ok", ok);
    json_object_set(r, "files", files);
    *ret = r;
    return true;
}
