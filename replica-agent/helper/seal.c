/* SPDX-License-Identifier: Apache-2.0
 * `siding-agent seal`: makes a result of what a job left in its folder. Files are compressed unless they are
 * already or the job sealed them itself (.siding-sealed), checksummed and described; everything is synced,
 * and the manifest comes last, by rename: a folder with a manifest is whole. Done twice it gives the same.
 */
#include "replica-agent/host/tools.h"
#include "seal_encrypt.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/log.h"
#include "common/base/opts.h"
#include "common/file/fs.h"
#include "common/file/gz.h"
#include "common/file/json.h"
#include "common/file/sha256.h"
#include "common/wire/progress.h"

typedef struct SealArgs {
    char *manifest, *dir, *compress, *encrypt, *encrypt_suffix;
    bool no_upload;
} SealArgs;

#define FIELD(name) offsetof(SealArgs, name)
static const Opt options[] = {
    {"dir", 0, OPT_STR, FIELD(dir), .arg = "DIR", .doc = "The result folder."},
    {"manifest", 0, OPT_STR, FIELD(manifest), .arg = "FILE",
     .doc = "What is known of the run, as JSON; files are added."},
    {"compress", 0, OPT_STR, FIELD(compress), .arg = "CODEC", .fallback = "gzip",
     .doc = "gzip, igzip:0 to igzip:3, zlib:1 to zlib:9, zstd:1 to zstd:19, or none."},
    {"encrypt", 0, OPT_STR, FIELD(encrypt), .arg = "PROGRAM",
     .doc = "Each file goes through it, from its standard input to its output; the words behind \"--\" are "
            "its arguments."},
    {"encrypt-suffix", 0, OPT_STR, FIELD(encrypt_suffix), .arg = "TEXT", .fallback = ".enc",
     .doc = "What the names of encrypted files end with."},
    {"no-upload", 0, OPT_FLAG, FIELD(no_upload), .doc = "The result is not loaded anywhere."},
    {0},
};

typedef struct Sealer {
    const SealArgs *args;
    Encryptor encryptor;
    json_t *told; /* files.json of the job, by name; NULL: none */
    json_t *files, *upload;
    json_t *more;  /* what else the job's files.json says; NULL: nothing */
    StrList names; /* relative paths */
    bool sealed_by_job;
    Str sums;
} Sealer;

static char *full(const Sealer *s, const char *name)
{
    return xasprintf("%s/%s", s->args->dir, name);
}

/* ---- what is there -------------------------------------------------------------------------------- */

static bool is_ours(const char *name)
{
    static const char *const names[] = {"manifest.json", "SHA256SUMS", "files.json", ".siding-sealed",
                                        SEAL_FACTS_FILE};
    for (size_t i = 0; i < COUNT(names); i++)
        if (str_eq(name, names[i]))
            return true;
    return str_ends(name, ".siding-tmp") || str_ends(name, ".tmp");
}

static bool collect(Sealer *s, const char *below, Err *err)
{
    AUTO(strlist_done) StrList here = STRLIST_INIT;
    AUTOFREE char *dir = *below ? full(s, below) : xstrdup(s->args->dir);
    if (!fs_list(dir, &here, err))
        return false;
    for (size_t i = 0; i < here.n; i++) {
        AUTOFREE char *name = *below ? xasprintf("%s/%s", below, here.v[i]) : xstrdup(here.v[i]);
        AUTOFREE char *path = full(s, name);
        struct stat st;
        if (lstat(path, &st) < 0)
            return err_errno(err, errno, "read %s", path);
        if (S_ISDIR(st.st_mode)) {
            if (!collect(s, name, err))
                return false;
        } else if (!S_ISREG(st.st_mode)) {
            return err_set(err, ERR_REFUSED, 0,
                           "%s is neither a file nor a folder: a result holds only those", path);
        } else if (!is_ours(name)) {
            strlist_add(&s->names, name);
        }
    }
    return true;
}

static bool read_told(Sealer *s, Err *err)
{
    AUTOFREE char *path = full(s, "files.json");
    AUTOJSON json_t *j = NULL;
    if (!fs_exists(path))
        return true;
    if (!json_read_file(path, &j, err))
        return false;
    size_t i;
    json_t *f, *list = json_object_get(j, "files");
    s->told = json_object();
    json_array_foreach(list, i, f) json_object_set(s->told, json_str(f, "name"), f);
    s->upload = json_incref(json_object_get(j, "upload"));
    s->more = json_incref(j);
    json_object_del(s->more, "files");
    json_object_del(s->more, "upload");
    return true;
}

/* ---- one file ------------------------------------------------------------------------------------- */

static bool is_compressed(const char *name)
{
    static const char *const ends[] = {".gz", ".zst", ".xz", ".bz2", ".lz4", ".zip", ".7z", ".br"};
    for (size_t i = 0; i < COUNT(ends); i++)
        if (str_ends(name, ends[i]))
            return true;
    return false;
}

typedef struct FileFacts {
    int64_t rows, bytes, compressed_bytes; /* rows -1: not known */
    char sha256[65];
} FileFacts;

static void count_lines(const char *p, size_t n, int64_t *rows)
{
    for (const char *end = p + n; p < end && (p = memchr(p, '\n', (size_t)(end - p))); p++)
        ++*rows;
}

/* Through the gzip reader, which takes plain files too. */
static bool copy_through(GzReader *in, GzWriter *out, FileFacts *ret, Err *err)
{
    static char buffer[1 << 18];
    for (;;) {
        size_t n;
        if (!gz_read(in, buffer, sizeof buffer, &n, err))
            return false;
        if (n == 0)
            return true;
        ret->bytes += (int64_t)n;
        count_lines(buffer, n, &ret->rows);
        if (out && !gz_write(out, buffer, n, err))
            return false;
    }
}

static bool compress_file(Sealer *s, const char *name, char **ret_name, FileFacts *ret, Err *err)
{
    AUTOFREE char *from = full(s, name);
    char *new_name = xasprintf("%s%s", name, gz_codec_suffix(s->args->compress));
    AUTOFREE char *to = full(s, new_name), *tmp = xasprintf("%s.siding-tmp", to);
    GzReader *in = NULL;
    GzWriter *out = NULL;
    GzTotals totals;
    bool ok = gz_open(from, &in, err) && gz_create(tmp, s->args->compress, &out, err) &&
              copy_through(in, out, ret, err);
    if (in)
        gz_close(in);
    if (ok)
        ok = gz_finish(out, &totals, err);
    else
        gz_abandon(out);
    if (ok && rename(tmp, to) < 0)
        ok = err_errno(err, errno, "rename %s", tmp);
    ok = ok && (str_eq(from, to) || fs_remove(from, err));
    if (!ok) {
        free(new_name);
        return false;
    }
    ret->compressed_bytes = totals.compressed_bytes;
    memcpy(ret->sha256, totals.sha256, sizeof ret->sha256);
    *ret_name = new_name;
    return true;
}

static bool measure_file(Sealer *s, const char *name, FileFacts *ret, Err *err)
{
    AUTOFREE char *path = full(s, name);
    const json_t *told = s->told ? json_object_get(s->told, name) : NULL;
    ret->compressed_bytes = fs_size(path);
    ret->bytes = told && json_int(told, "bytes") ? json_int(told, "bytes") : 0;
    if (!ret->bytes && str_ends(name, ".gz")) {
        GzReader *in = NULL;
        bool ok = gz_open(path, &in, err) && copy_through(in, NULL, ret, err);
        if (in)
            gz_close(in);
        if (!ok)
            return err_prefix(err, "%s", name);
    } else if (!ret->bytes) {
        ret->bytes = ret->compressed_bytes;
        ret->rows = -1;
    }
    if (told && json_object_get(told, "rows"))
        ret->rows = json_int(told, "rows");
    return sha256_file(path, ret->sha256, err) && fs_sync_file(path, err);
}

static bool check_told(const Sealer *s, const char *name, const FileFacts *f, Err *err)
{
    const json_t *told = s->told ? json_object_get(s->told, name) : NULL;
    const char *sum = told ? json_str(told, "sha256") : "";
    if (*sum && !str_eq(sum, f->sha256))
        return err_set(err, ERR_CORRUPT, 0,
                       "%s is not what the job wrote: its SHA-256 is %s, the job said %s", name, f->sha256,
                       sum);
    return true;
}

static bool seal_file(Sealer *s, const char *name, Err *err)
{
    FileFacts f = {0};
    AUTOFREE char *final = NULL;
    bool compress = !s->sealed_by_job && !is_compressed(name) && !str_eq(s->args->compress, "none");
    if (compress) {
        if (!compress_file(s, name, &final, &f, err))
            return false;
    } else {
        final = xstrdup(name);
        if (!measure_file(s, name, &f, err) || !check_told(s, name, &f, err))
            return false;
    }
    AUTOFREE char *path = full(s, final);
    chmod(path, 0600);
    json_t *o = json_object();
    json_set_str(o, "name", final);
    if (f.rows >= 0)
        json_set_int(o, "rows", f.rows);
    else
        json_object_set_new(o, "rows", json_null());
    json_set_int(o, "bytes", f.bytes);
    json_set_int(o, "compressed_bytes", f.compressed_bytes);
    json_set_str(o, "sha256", f.sha256);
    json_array_append_new(s->files, o);
    return true;
}

/* Facts of an earlier try mean that files may be encrypted already. */
static bool seal_files(Sealer *s, Err *err)
{
    AUTOFREE char *facts = full(s, SEAL_FACTS_FILE);
    if (fs_exists(facts))
        return json_read_file(facts, &s->files, err);
    s->files = json_array();
    for (size_t i = 0; i < s->names.n; i++) {
        progress_set((int64_t)i, (int64_t)s->names.n, s->names.v[i]);
        if (!seal_file(s, s->names.v[i], err))
            return false;
    }
    return true;
}

static void write_sums(Sealer *s)
{
    size_t i;
    json_t *f;
    json_array_foreach(s->files, i, f)
        str_addf(&s->sums, "%s  %s\n", json_str(f, "sha256"), json_str(f, "name"));
}

/* ---- the whole ------------------------------------------------------------------------------------ */

static bool sync_folders(const char *dir, Err *err)
{
    AUTO(strlist_done) StrList here = STRLIST_INIT;
    if (!fs_list(dir, &here, err))
        return false;
    for (size_t i = 0; i < here.n; i++) {
        AUTOFREE char *path = xasprintf("%s/%s", dir, here.v[i]);
        struct stat st;
        if (lstat(path, &st) == 0 && S_ISDIR(st.st_mode) && !sync_folders(path, err))
            return false;
    }
    chmod(dir, 0700);
    return fs_sync_dir(dir, err);
}

static bool write_manifest(Sealer *s, Err *err)
{
    AUTOJSON json_t *m = NULL;
    AUTOFREE char *path = full(s, "manifest.json"), *sums = full(s, "SHA256SUMS");
    if (!json_read_file(s->args->manifest, &m, err))
        return false;
    json_object_set(m, "files", s->files);
    if (s->encryptor.program)
        json_set_str(m, "encrypted", s->encryptor.suffix);
    if (s->more)
        json_object_update_missing(m, s->more);
    if (s->args->no_upload)
        json_object_set_new(m, "upload", json_null());
    else if (s->upload && !json_is_null(s->upload))
        json_object_set(m, "upload", s->upload);
    return fs_replace(sums, str_z(&s->sums), s->sums.len, 0600, err) && sync_folders(s->args->dir, err) &&
           json_replace_file(path, m, 0600, err);
}

static bool seal(Sealer *s, Err *err)
{
    AUTOFREE char *mark = full(s, ".siding-sealed"), *files = full(s, "files.json"),
                  *facts = full(s, SEAL_FACTS_FILE);
    s->sealed_by_job = fs_exists(mark);
    if (!read_told(s, err) || !collect(s, "", err))
        return false;
    progress_start("files");
    if (!seal_files(s, err) ||
        (s->encryptor.program && !seal_encrypt(&s->encryptor, s->args->dir, s->files, err)))
        return false;
    write_sums(s);
    progress_set((int64_t)s->names.n, (int64_t)s->names.n, NULL);
    progress_end();
    return write_manifest(s, err) && fs_remove(files, err) && fs_remove(facts, err) &&
           fs_sync_dir(s->args->dir, err);
}

int seal_main(int argc, char **argv)
{
    Err err;
    SealArgs args = {0};
    OptSpecial special;
    StrList words = STRLIST_INIT, rest = STRLIST_INIT;
    if (!opts_parse(options, argc, argv, false, &args, &words, &rest, &special, &err))
        return tool_failed("seal", &err);
    if (special != OPT_RUN)
        return tool_help(options, "siding-agent seal --dir DIR --manifest FILE",
                         "Seals a job's result folder.", special);
    Sealer s = {.args = &args, .encryptor = {args.encrypt, args.encrypt_suffix, &rest}};
    bool ok = args.dir && args.manifest && gz_codec_known(args.compress)
                  ? seal(&s, &err)
                  : err_set(&err, ERR_USAGE, 0,
                            "--dir and --manifest are needed, --compress must be a known codec");
    json_decref(s.told);
    json_decref(s.files);
    json_decref(s.upload);
    json_decref(s.more);
    strlist_done(&s.names);
    strlist_done(&words);
    strlist_done(&rest);
    str_done(&s.sums);
    opts_free(options, &args);
    return ok ? 0 : tool_failed("seal", &err);
}
