/* SPDX-License-Identifier: Apache-2.0 */
#include "replica-agent/load/bundle.h"

#include <string.h>

#include "common/base/clock.h"
#include "common/file/resultname.h"

/* ---- manifest ------------------------------------------------------------------------------------ */

static bool is_sha256(const char *s)
{
    return strlen(s) == 64 && strspn(s, "0123456789abcdef") == 64;
}

static bool read_file(const json_t *j, BundleFile *f, Err *err)
{
    const char *name, *sum;
    if (!json_req_str(j, "name", &name, err) || !json_opt_int(j, "rows", 0, INT64_MAX, 0, &f->rows, err) ||
        !json_req_int(j, "bytes", 0, INT64_MAX, &f->bytes, err) ||
        !json_req_int(j, "compressed_bytes", 0, INT64_MAX, &f->compressed_bytes, err) ||
        !json_req_str(j, "sha256", &sum, err))
        return false;
    if (!resultname_check(name, err)) {
        err->kind = ERR_CORRUPT;
        return false;
    }
    if (!is_sha256(sum))
        return err_set(err, ERR_CORRUPT, 0, "%s: its sha256 is none", name);
    f->name = xstrdup(name);
    f->sha256 = xstrdup(sum);
    return true;
}

static int compare_files(const void *a, const void *b)
{
    return strcmp(((const BundleFile *)a)->name, ((const BundleFile *)b)->name);
}

static bool read_files(Bundle *b, Err *err)
{
    const json_t *files = json_object_get(b->json, "files");
    if (!json_is_array(files))
        return err_set(err, ERR_CORRUPT, 0, "it lists no files");
    AUTOFREE char *stem = resultname_stem(b->target);
    b->files = xcalloc(json_array_size(files), sizeof *b->files);
    for (; b->file_count < json_array_size(files); b->file_count++) {
        BundleFile *f = &b->files[b->file_count];
        if (!read_file(json_array_get(files, b->file_count), f, err)) {
            b->file_count++;
            return false;
        }
        f->data = resultname_is_rows_of(f->name, stem);
        if (f->data && __builtin_add_overflow(b->rows, f->rows, &b->rows)) {
            b->file_count++;
            return err_set(err, ERR_CORRUPT, 0, "it promises more rows than there can be");
        }
    }
    if (b->file_count)
        qsort(b->files, b->file_count, sizeof *b->files, compare_files);
    for (size_t i = 1; i < b->file_count; i++)
        if (str_eq(b->files[i - 1].name, b->files[i].name))
            return err_set(err, ERR_CORRUPT, 0, "it lists %s twice", b->files[i].name);
    return true;
}

/* The earlier of what the agent and the program say: too early does no harm to a delta. */
static int64_t frozen_at(const Bundle *b, const json_t *upload)
{
    int64_t sealed = 0, told = 0;
    bool has_sealed = clock_parse(json_str(b->json, "frozen_at"), &sealed);
    bool has_told = clock_parse(json_str(upload, "frozen_at"), &told);
    if (has_sealed && has_told)
        return sealed < told ? sealed : told;
    return has_sealed ? sealed : has_told ? told : 0;
}

/* A primary's clock if the manifest has it; otherwise that of the replica's host, whose lag counts. */
static int64_t changes_since(const Bundle *b)
{
    int64_t since, lag = json_int(b->json, "lag_ms");
    if (clock_parse(json_str(b->json, "changes_since"), &since))
        return since;
    return lag <= 0 ? b->frozen_at : lag < b->frozen_at ? b->frozen_at - lag : 0;
}

static bool read_manifest(Bundle *b, Err *err)
{
    const json_t *upload = json_object_get(b->json, "upload");
    if (!json_is_object(upload))
        return err_set(err, ERR_REFUSED, 0,
                       "it says nothing about an upload: this result is not for loading");
    b->gtid = json_str(b->json, "gtid");
    b->mode = json_str(upload, "mode");
    b->target = json_str(upload, "target");
    b->create = json_str(upload, "create");
    b->comment = json_str(upload, "comment");
    b->checksum = json_str(upload, "checksum");
    b->target_checksum = json_str(upload, "target_checksum");
    b->on_change = json_str(upload, "on_change");
    b->definition = json_str(upload, "definition");
    b->tokenizer = json_str(upload, "tokenizer");
    b->layout = json_str(upload, "layout");
    b->allow_nontransactional = json_is_true(json_object_get(upload, "allow_nontransactional"));
    b->frozen_at = frozen_at(b, upload);
    b->changes_since = changes_since(b);
    int64_t rows;
    if (!json_opt_strs(upload, "columns", &b->columns, err) || !read_files(b, err) ||
        !json_opt_int(upload, "rows", 0, INT64_MAX, b->rows, &rows, err))
        return false;
    if (rows != b->rows)
        return err_set(err, ERR_CORRUPT, 0, "it promises %lld rows and its files of %s hold %lld",
                       (long long)rows, b->target, (long long)b->rows);
    return true;
}

bool bundle_open(const char *folder, Bundle *ret, Err *err)
{
    Bundle b = {.folder = xstrdup(folder)};
    AUTOFREE char *path = xasprintf("%s/manifest.json", folder);
    bool ok = json_read_file(path, &b.json, err);
    if (ok && !read_manifest(&b, err)) {
        ok = err_prefix(err, "%s", path);
        err->kind = err->kind == ERR_USAGE ? ERR_CORRUPT : err->kind;
    }
    if (!ok) {
        bundle_done(&b);
        return false;
    }
    *ret = b;
    return true;
}

void bundle_done(Bundle *b)
{
    for (size_t i = 0; i < b->file_count; i++) {
        free(b->files[i].name);
        free(b->files[i].sha256);
    }
    free(b->files);
    free(b->folder);
    strlist_done(&b->columns);
    json_decref(b->json);
    *b = (Bundle){0};
}
