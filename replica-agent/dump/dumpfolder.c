/* SPDX-License-Identifier: Apache-2.0 */
#include "dumpfolder.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include "common/file/codec.h"
#include "common/file/fs.h"
#include "common/file/json.h"
#include "common/file/sha256.h"
#include "journal.h"

struct DumpFolder {
    char *dir, *codec;
    pthread_mutex_t lock;
    size_t temps, n_files;
    int64_t bytes, compressed_bytes;
    json_t *files;
};

static bool check_empty(const char *dir, Err *err)
{
    StrList names = STRLIST_INIT;
    if (!fs_list(dir, &names, err))
        return false;
    bool ok = true;
    for (size_t i = 0; ok && i < names.n; i++)
        if (!str_eq(names.v[i], "lost+found"))
            ok = err_set(err, ERR_REFUSED, 0,
                         "the output folder %s is not empty (it holds %s): give a new one, or empty it", dir,
                         names.v[i]);
    strlist_done(&names);
    return ok;
}

bool dumpfolder_open(const char *dir, const char *codec, DumpFolder **ret, Err *err)
{
    if (!gz_codec_known(codec))
        return err_set(err, ERR_USAGE, 0, "unknown codec \"%s\"; known: %s", codec, codec_names());
    if (!fs_mkdirs(dir, 0750, err) || (!journal_exists(dir) && !check_empty(dir, err)))
        return false;
    if (access(dir, W_OK | X_OK) < 0)
        return err_errno(err, errno, "write into %s", dir);
    DumpFolder *o = NEW(DumpFolder);
    o->dir = xstrdup(dir);
    o->codec = xstrdup(codec);
    o->files = json_array();
    pthread_mutex_init(&o->lock, NULL);
    *ret = o;
    return true;
}

void dumpfolder_free(DumpFolder *o)
{
    if (!o)
        return;
    pthread_mutex_destroy(&o->lock);
    json_decref(o->files);
    free(o->dir);
    free(o->codec);
    free(o);
}

bool dumpfolder_begin(DumpFolder *o, OutFile *ret, Err *err)
{
    pthread_mutex_lock(&o->lock);
    size_t n = o->temps++;
    pthread_mutex_unlock(&o->lock);
    OutFile f = {.temp = xasprintf("%s/.part-%zu", o->dir, n)};
    if (!gz_create(f.temp, o->codec, &f.gz, err)) {
        free(f.temp);
        return false;
    }
    *ret = f;
    return true;
}

void dumpfolder_drop(OutFile *f)
{
    gz_abandon(f->gz);
    free(f->temp);
    *f = (OutFile){0};
}

static void count(DumpFolder *o, json_t *file)
{
    pthread_mutex_lock(&o->lock);
    json_array_append(o->files, file);
    o->n_files++;
    o->bytes += json_int(file, "bytes");
    o->compressed_bytes += json_int(file, "compressed_bytes");
    pthread_mutex_unlock(&o->lock);
}

static json_t *record(DumpFolder *o, const char *name, int64_t rows, const GzTotals *t)
{
    json_t *j = json_object();
    json_set_str(j, "name", name);
    json_set_int(j, "rows", rows);
    json_set_int(j, "bytes", t->bytes);
    json_set_int(j, "compressed_bytes", t->compressed_bytes);
    json_set_str(j, "sha256", t->sha256);
    count(o, j);
    return j;
}

char *dumpfolder_path(const DumpFolder *o, const char *file)
{
    return xasprintf("%s/%s", o->dir, file);
}

bool dumpfolder_keep(DumpFolder *o, const json_t *files, Err *err)
{
    AUTO(strlist_done) StrList here = STRLIST_INIT;
    AUTOJSON json_t *names = json_object();
    size_t i;
    json_t *f;
    json_array_foreach((json_t *)(uintptr_t)files, i, f)
    {
        json_object_set_new(names, json_str(f, "name"), json_true());
        count(o, f);
    }
    if (!fs_list(o->dir, &here, err))
        return false;
    for (size_t n = 0; n < here.n; n++) {
        AUTOFREE char *path = dumpfolder_path(o, here.v[n]);
        if (str_eq(here.v[n], ".siding-journal") || str_eq(here.v[n], "lost+found") ||
            json_object_get(names, here.v[n]))
            continue;
        if (!fs_remove(path, err))
            return false;
    }
    return true;
}

bool dumpfolder_commit(DumpFolder *o, OutFile *f, const char *name, int64_t rows, json_t **ret_file, Err *err)
{
    GzTotals totals;
    AUTOFREE char *file = xasprintf("%s%s", name, gz_codec_suffix(o->codec));
    AUTOFREE char *path = xasprintf("%s/%s", o->dir, file);
    AUTOFREE char *temp = STEAL(f->temp);
    bool ok = gz_finish_unsynced(STEAL(f->gz), &totals, err);
    if (ok && rename(temp, path) < 0)
        ok = err_errno(err, errno, "rename %s to %s", temp, path);
    if (!ok) {
        unlink(temp);
        return false;
    }
    json_t *entry = record(o, file, rows, &totals);
    if (ret_file)
        *ret_file = entry;
    else
        json_decref(entry);
    return true;
}

bool dumpfolder_text(DumpFolder *o, const char *name, const Str *text, Err *err)
{
    OutFile f;
    if (!dumpfolder_begin(o, &f, err))
        return false;
    if (!gz_write(f.gz, text->p, text->len, err)) {
        dumpfolder_drop(&f);
        return false;
    }
    return dumpfolder_commit(o, &f, name, 0, NULL, err);
}

static bool replace_in(DumpFolder *o, const char *name, const char *bytes, size_t n, Err *err)
{
    AUTOFREE char *path = xasprintf("%s/%s", o->dir, name);
    return fs_replace(path, bytes, n, 0640, err);
}

static bool sync_files(DumpFolder *o, Err *err)
{
    size_t i;
    json_t *f;
    json_array_foreach(o->files, i, f)
    {
        AUTOFREE char *path = dumpfolder_path(o, json_str(f, "name"));
        if (!fs_sync_file(path, err))
            return false;
    }
    return fs_sync_dir(o->dir, err);
}

static void record_metadata(DumpFolder *o, const Str *metadata)
{
    GzTotals t = {.bytes = (int64_t)metadata->len, .compressed_bytes = (int64_t)metadata->len};
    Sha256 *s = sha256_new();
    sha256_add(s, metadata->p, metadata->len);
    sha256_finish(s, t.sha256);
    json_decref(record(o, "metadata", 0, &t));
}

bool dumpfolder_finish(DumpFolder *o, json_t *more, const Str *metadata, Err *err)
{
    if (!sync_files(o, err)) {
        json_decref(more);
        return false;
    }
    if (metadata)
        record_metadata(o, metadata);
    AUTOJSON json_t *all = json_object();
    json_object_set(all, "files", o->files);
    json_object_update(all, more);
    json_decref(more);
    AUTOFREE char *path = xasprintf("%s/files.json", o->dir);
    return json_replace_file(path, all, 0640, err) && replace_in(o, ".siding-sealed", "", 0, err) &&
           (!metadata || replace_in(o, "metadata", metadata->p, metadata->len, err)) &&
           fs_sync_dir(o->dir, err);
}

void dumpfolder_totals(DumpFolder *o, size_t *ret_files, int64_t *ret_bytes, int64_t *ret_compressed)
{
    pthread_mutex_lock(&o->lock);
    *ret_files = o->n_files;
    *ret_bytes = o->bytes;
    *ret_compressed = o->compressed_bytes;
    pthread_mutex_unlock(&o->lock);
}

int64_t dumpfolder_longest(const DumpFolder *o, const char **ret_file)
{
    size_t i;
    json_t *f;
    int64_t longest = 0;
    *ret_file = "";
    json_array_foreach(o->files, i, f)
    {
        if (json_int(f, "longest_statement") <= longest)
            continue;
        longest = json_int(f, "longest_statement");
        *ret_file = json_str(f, "name");
    }
    return longest;
}
