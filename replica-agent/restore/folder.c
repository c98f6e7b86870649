/* SPDX-License-Identifier: Apache-2.0 */
#include "folder.h"

#include <string.h>

#include "common/file/fs.h"
#include "common/file/gz.h"
#include "common/file/json.h"
#include "common/file/sha256.h"
#include "content.h"
#include "filelist.h"
#include "foreign.h"

/* ---- names ---------------------------------------------------------------------------------------- */

static const struct {
    const char *ending;
    RestoreStep step;
    bool of_table;
} endings[] = {
    {"-schema-create.sql", STEP_DATABASES, false},  {"-schema-post.sql", STEP_POST, false},
    {"-schema-sequence.sql", STEP_SEQUENCES, true}, {"-schema-view.sql", STEP_VIEWS, true},
    {"-schema-triggers.sql", STEP_TRIGGERS, true},  {"-schema.sql", STEP_TABLES, true},
};

static char *without_codec(const char *name)
{
    static const char *const codecs[] = {".gz", ".zst"};
    for (size_t i = 0; i < COUNT(codecs); i++)
        if (str_ends(name, codecs[i]))
            return xstrndup(name, strlen(name) - strlen(codecs[i]));
    return xstrdup(name);
}

static bool split(const char *stem, size_t n, RestoreFile *ret)
{
    const char *dot = memchr(stem, '.', n);
    if (!dot || dot == stem)
        return false;
    ret->database = xstrndup(stem, (size_t)(dot - stem));
    ret->table = xstrndup(dot + 1, n - (size_t)(dot + 1 - stem));
    return true;
}

static bool classify_rows(const char *plain, RestoreFile *ret)
{
    ret->tsv = str_ends(plain, ".tsv");
    if (!ret->tsv && !str_ends(plain, ".sql"))
        return false;
    ret->step = STEP_ROWS;
    size_t n = strlen(plain) - 4, digits = 0;
    while (digits < n && plain[n - digits - 1] >= '0' && plain[n - digits - 1] <= '9')
        digits++;
    bool numbered = digits >= 5 && digits < n && plain[n - digits - 1] == '.';
    /* A table may be called 00001. */
    return (numbered && split(plain, n - digits - 1, ret)) || split(plain, n, ret);
}

bool folder_classify(const char *name, RestoreFile *ret)
{
    AUTOFREE char *plain = without_codec(name);
    *ret = (RestoreFile){0};
    if (plain[0] == '.')
        return false;
    for (size_t i = 0; i < COUNT(endings); i++) {
        if (!str_ends(plain, endings[i].ending))
            continue;
        size_t n = strlen(plain) - strlen(endings[i].ending);
        ret->step = endings[i].step;
        if (n == 0)
            return false;
        /* Some versions write the triggers of a whole database into one file. */
        bool of_table = endings[i].of_table && split(plain, n, ret);
        if (!of_table && endings[i].of_table && ret->step != STEP_TRIGGERS)
            return false;
        if (!of_table)
            ret->database = xstrndup(plain, n);
        ret->name = xstrdup(name);
        return true;
    }
    if (!classify_rows(plain, ret))
        return false;
    ret->name = xstrdup(name);
    return true;
}

/* ---- the folder ----------------------------------------------------------------------------------- */

bool folder_read(const Folder *f, const char *name, size_t most, Str *ret, Err *err)
{
    AUTOFREE char *path = xasprintf("%s/%s", f->path, name);
    GzReader *in;
    char buffer[4096];
    size_t n = 1;
    bool ok;
    if (!gz_open(path, &in, err))
        return false;
    while ((ok = gz_read(in, buffer, sizeof buffer, &n, err)) && n && ret->len < most)
        str_add(ret, buffer, n);
    gz_close(in);
    return ok;
}

bool folder_peek(const Folder *f, const char *name, Str *ret, Err *err)
{
    enum { MOST = 1 << 16 };
    return folder_read(f, name, MOST, ret, err);
}

static bool name_databases(Folder *f, Err *err)
{
    for (size_t i = 0; i < f->n_files; i++) {
        const RestoreFile *file = &f->files[i];
        if (strlist_has(&f->prefixes, file->database))
            continue;
        AUTO(str_done) Str text = STR_INIT;
        Content made = {0};
        if (file->step == STEP_DATABASES) {
            if (!folder_peek(f, file->name, &text, err))
                return false;
            content_of_file(str_z(&text), &made);
        }
        strlist_add(&f->prefixes, file->database);
        strlist_add(&f->databases, made.kind == CONTENT_DATABASE && made.name ? made.name : file->database);
        content_done(&made);
    }
    return true;
}

static int by_step(const void *a, const void *b)
{
    const RestoreFile *x = a, *y = b;
    if (x->step != y->step)
        return x->step < y->step ? -1 : 1;
    if (x->bytes != y->bytes)
        return x->bytes > y->bytes ? -1 : 1;
    return strcmp(x->name, y->name);
}

static void file_done(RestoreFile *file)
{
    free(file->name);
    free(file->database);
    free(file->table);
    free(file->real);
    *file = (RestoreFile){0};
}

static bool list_files(Folder *f, Err *err)
{
    AUTO(strlist_done) StrList names = STRLIST_INIT;
    if (!fs_list(f->path, &names, err))
        return false;
    f->files = xcalloc(names.n + 1, sizeof(RestoreFile));
    for (size_t i = 0; i < names.n; i++) {
        RestoreFile *file = &f->files[f->n_files];
        if (!folder_classify(names.v[i], file)) {
            file_done(file);
            strlist_add(&f->unknown, names.v[i]);
            continue;
        }
        AUTOFREE char *path = xasprintf("%s/%s", f->path, names.v[i]);
        file->bytes = fs_size(path);
        f->bytes += file->step == STEP_ROWS ? file->bytes : 0;
        f->n_files++;
    }
    return true;
}

/* Of a result whose files were decrypted the manifest names others: the dump's own list counts. */
static bool read_about(Folder *f, Err *err)
{
    static const char *const names[] = {"manifest.json", "files.json"};
    for (size_t i = 0; i < COUNT(names) && !f->about; i++) {
        AUTOFREE char *path = xasprintf("%s/%s", f->path, names[i]);
        if (fs_exists(path) && !json_read_file(path, &f->about, err))
            return false;
        if (*json_str(f->about, "encrypted")) {
            json_decref(f->about);
            f->about = NULL;
        }
    }
    return true;
}

static bool read_metadata(Folder *f, Err *err)
{
    AUTOFREE char *metadata = xasprintf("%s/metadata", f->path),
                  *sealed = xasprintf("%s/.siding-sealed", f->path);
    char sum[65];
    if (!fs_exists(metadata))
        return err_set(err, ERR_REFUSED, 0,
                       "%s is not a complete dump: the file \"metadata\", which is written last, is missing",
                       f->path);
    if (!f->about && fs_exists(sealed))
        return err_set(err, ERR_CORRUPT, 0,
                       "%s is a dump of siding-dump without its list of files: files.json is missing",
                       f->path);
    if (!sha256_file(metadata, sum, err))
        return false;
    f->id = xstrndup(sum, 32);
    return true;
}

/* siding-restore needs none of the placeholders: it makes views in the order of their needs. */
static void mark_stand_ins(Folder *f)
{
    AUTOJSON json_t *views = json_object();
    for (size_t i = 0; i < f->n_files; i++) {
        AUTOFREE char *stem =
            xasprintf("%s.%s", f->files[i].database, f->files[i].table ? f->files[i].table : "");
        if (f->files[i].step == STEP_VIEWS)
            json_object_set_new(views, stem, json_true());
    }
    for (size_t i = 0; i < f->n_files; i++) {
        AUTOFREE char *stem =
            xasprintf("%s.%s", f->files[i].database, f->files[i].table ? f->files[i].table : "");
        f->files[i].stand_in = f->files[i].step == STEP_TABLES && json_object_get(views, stem);
    }
}

bool folder_open(const char *path, Folder *ret, Err *err)
{
    Folder f = {.path = xstrdup(path)};
    bool ok = read_about(&f, err) && read_metadata(&f, err) && list_files(&f, err);
    f.foreign = !json_object_get(f.about, "tables");
    ok = ok && (!f.about || filelist_check(&f, err)) && (!f.foreign || foreign_resolve(&f, err));
    qsort(f.files, f.n_files, sizeof(RestoreFile), by_step);
    ok = ok && name_databases(&f, err);
    mark_stand_ins(&f);
    if (ok && !f.n_files)
        ok = err_set(err, ERR_NOT_FOUND, 0, "%s holds no file of a dump", path);
    if (!ok) {
        folder_done(&f);
        return false;
    }
    *ret = f;
    return true;
}

void folder_done(Folder *f)
{
    for (size_t i = 0; i < f->n_files; i++)
        file_done(&f->files[i]);
    free(f->files);
    strlist_done(&f->unknown);
    free(f->path);
    free(f->id);
    strlist_done(&f->prefixes);
    strlist_done(&f->databases);
    json_decref(f->about);
    *f = (Folder){0};
}

const char *folder_database(const Folder *f, const char *prefix)
{
    for (size_t i = 0; i < f->prefixes.n; i++)
        if (str_eq(f->prefixes.v[i], prefix))
            return f->databases.v[i];
    return prefix;
}

const json_t *folder_table(const Folder *f, const RestoreFile *file)
{
    AUTOFREE char *prefix = xasprintf("%s.%s", file->database, file->table ? file->table : "");
    size_t i;
    json_t *t;
    json_array_foreach(json_object_get(f->about, "tables"), i,
                       t) if (str_eq(json_str(t, "files"), prefix)) return t;
    return NULL;
}

const char *folder_real_name(const Folder *f, const RestoreFile *file)
{
    const json_t *t = folder_table(f, file);
    return t ? json_str(t, "table") : file->real ? file->real : file->table;
}
