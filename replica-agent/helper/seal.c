/* SPDX-License-Identifier: Apache-2.0
 * `siding-agent seal`: makes a result of what a job left in its folder. Files are compressed unless they are
 * already or the job sealed them itself (.siding-sealed), checksummed and described; everything is synced,
 * and the manifest comes last, by rename: a folder with a manifest is whole. Done twice it gives the same.
 * The job's word counts for the rows of its files and the facts of an index; all else is the agent's.
 */
#include "replica-agent/host/tools.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/opts.h"
#include "common/file/fs.h"
#include "common/file/gz.h"
#include "common/file/resultname.h"
#include "common/file/sha256.h"
#include "common/wire/progress.h"
#include "common/wire/uploadfiles.h"
#include "replica-agent/core/upload_rule.h"
#include "seal_encrypt.h"
#include "seal_plan.h"

typedef struct SealArgs {
    char *manifest, *dir, *compress, *encrypt, *encrypt_suffix;
} SealArgs;

#define FIELD(name) offsetof(SealArgs, name)
static const Opt options[] = {
    {"dir", 0, OPT_STR, FIELD(dir), .arg = "DIR", .doc = "The result folder."},
    {"manifest", 0, OPT_STR, FIELD(manifest), .arg = "FILE",
     .doc = "What is known of the run, as JSON; files are added. What must survive a kill of the sealing is "
            "kept beside it."},
    {"compress", 0, OPT_STR, FIELD(compress), .arg = "CODEC", .fallback = "gzip",
     .doc = "gzip, igzip:0 to igzip:3, zlib:1 to zlib:9, zstd:1 to zstd:19, or none."},
    {"encrypt", 0, OPT_STR, FIELD(encrypt), .arg = "PROGRAM",
     .doc = "Each file goes through it, from its standard input to its output; the words behind \"--\" are "
            "its arguments."},
    {"encrypt-suffix", 0, OPT_STR, FIELD(encrypt_suffix), .arg = "TEXT", .fallback = ".enc",
     .doc = "What the names of encrypted files end with."},
    {0},
};

typedef struct Sealer {
    const SealArgs *args;
    Encryptor encryptor;
    SealFolder folder;
    SealPlan plan;
    json_t *files;
    Str sums;
} Sealer;

/* ---- one file ------------------------------------------------------------------------------------- */

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

static bool read_through(int fd, GzWriter *out, FileFacts *ret, Err *err)
{
    AUTOFREE char *path = seal_fd_path(fd);
    GzReader *in = NULL;
    bool ok = gz_open(path, &in, err) && copy_through(in, out, ret, err);
    if (in)
        gz_close(in);
    return ok;
}

static bool compress_to(const Sealer *s, int from, int to, FileFacts *ret, Err *err)
{
    AUTOFREE char *path = seal_fd_path(to);
    GzWriter *out = NULL;
    GzTotals totals;
    if (!gz_create(path, s->args->compress, &out, err))
        return false;
    if (!read_through(from, out, ret, err)) {
        gz_abandon(out);
        return false;
    }
    if (!gz_finish(out, &totals, err))
        return false;
    ret->compressed_bytes = totals.compressed_bytes;
    memcpy(ret->sha256, totals.sha256, sizeof ret->sha256);
    return true;
}

static bool compress_file(const Sealer *s, const char *from, const char *to, FileFacts *ret, Err *err)
{
    AUTOFREE char *tmp = xasprintf("%s" RESULTNAME_TMP, to);
    AUTOFD int in = seal_folder_read(&s->folder, from, err);
    if (in < 0)
        return false;
    AUTOFD int out = seal_folder_create(&s->folder, tmp, err);
    return out >= 0 && (compress_to(s, in, out, ret, err) || err_prefix(err, "%s", from)) &&
           seal_folder_rename(&s->folder, tmp, to, err) && seal_folder_remove(&s->folder, from, err);
}

static bool measure(const Sealer *s, const char *name, int fd, FileFacts *ret, Err *err)
{
    AUTOFREE char *path = seal_fd_path(fd);
    const json_t *told = seal_plan_told(&s->plan, name);
    ret->compressed_bytes = fs_size(path);
    ret->bytes = json_int(told, "bytes");
    if (!ret->bytes && str_ends(name, ".gz")) {
        if (!read_through(fd, NULL, ret, err))
            return false;
    } else if (!ret->bytes) {
        ret->bytes = ret->compressed_bytes;
        ret->rows = -1;
    }
    if (told && json_object_get(told, "rows"))
        ret->rows = json_int(told, "rows");
    return sha256_file(path, ret->sha256, err) && (fsync(fd) == 0 || err_errno(err, errno, "sync it")) &&
           fchmod(fd, 0600) == 0;
}

static bool measure_file(const Sealer *s, const char *name, FileFacts *ret, Err *err)
{
    AUTOFD int fd = seal_folder_read(&s->folder, name, err);
    return fd >= 0 && (measure(s, name, fd, ret, err) || err_prefix(err, "%s", name));
}

static bool check_told(const Sealer *s, const char *name, const FileFacts *f, Err *err)
{
    const char *sum = json_str(seal_plan_told(&s->plan, name), "sha256");
    if (*sum && !str_eq(sum, f->sha256))
        return err_set(err, ERR_CORRUPT, 0,
                       "%s is not what the job wrote: its SHA-256 is %s, the job said %s", name, f->sha256,
                       sum);
    return true;
}

static void add_file(Sealer *s, const char *name, const FileFacts *f)
{
    json_t *o = json_object();
    json_set_str(o, "name", name);
    if (f->rows >= 0)
        json_set_int(o, "rows", f->rows);
    else
        json_object_set_new(o, "rows", json_null());
    json_set_int(o, "bytes", f->bytes);
    json_set_int(o, "compressed_bytes", f->compressed_bytes);
    json_set_str(o, "sha256", f->sha256);
    json_array_append_new(s->files, o);
}

/* One that an earlier try has compressed is there under its new name only. */
static bool seal_file(Sealer *s, const char *from, const char *to, Err *err)
{
    FileFacts f = {0};
    bool ok = !str_eq(from, to) && seal_folder_has(&s->folder, from)
                  ? compress_file(s, from, to, &f, err)
                  : measure_file(s, to, &f, err) && check_told(s, to, &f, err);
    if (ok)
        add_file(s, to, &f);
    return ok;
}

/* Facts of an earlier try mean that files may be encrypted already. */
static bool seal_files(Sealer *s, Err *err)
{
    if (fs_exists(s->encryptor.facts))
        return json_read_file(s->encryptor.facts, &s->files, err);
    s->files = json_array();
    for (size_t i = 0; i < s->plan.from.n; i++) {
        progress_set((int64_t)i, (int64_t)s->plan.from.n, s->plan.from.v[i]);
        if (!seal_file(s, s->plan.from.v[i], s->plan.to.v[i], err))
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

/* What a job may say of its result beside files and upload: nothing that the agent knows itself. */
static void add_more(json_t *manifest, json_t *more)
{
    static const char *const ours[] = {
        "run",      "job",       "kind",      "node",           "nodes",         "cluster_name",
        "args",     "databases", "gtid",      "frozen_at",      "changes_since", "lag_ms",
        "flavor",   "shard",     "shards",    "server_version", "started_at",    "finished_at",
        "gathered", "path",      "encrypted", "files",          "upload",        "incarnation"};
    for (size_t i = 0; more && i < COUNT(ours); i++)
        json_object_del(more, ours[i]);
    if (more)
        json_object_update_missing(manifest, more);
}

static bool decide_upload(const Sealer *s, json_t *manifest, Err *err)
{
    json_t *upload = NULL;
    bool is_index = str_eq(json_str(manifest, "kind"), "index");
    if (!upload_rule_apply(json_object_get(manifest, "upload"), s->plan.upload, is_index, &upload, err))
        return false;
    json_object_set_new(manifest, "upload", upload);
    return s->encryptor.program ||
           uploadfiles_check(json_str(upload, "mode"), json_str(upload, "target"), s->files, err);
}

/* The agent reads manifests again and again. What our own programs say grows with the tables of a dump. */
static bool is_told_in_brief(const Sealer *s, const json_t *manifest, Err *err)
{
    enum { MOST_TOLD = 1 << 20 };
    size_t n = (s->plan.more ? json_dumpb(s->plan.more, NULL, 0, JSON_COMPACT) : 0) +
               (s->plan.upload ? json_dumpb(s->plan.upload, NULL, 0, JSON_COMPACT | JSON_ENCODE_ANY) : 0);
    return n <= MOST_TOLD || !str_eq(json_str(manifest, "kind"), "command") ||
           err_set(err, ERR_REFUSED, 0,
                   "the job's " RESULTNAME_TOLD " says %zu bytes beside its files; at most %d are kept", n,
                   MOST_TOLD);
}

static bool write_manifest(Sealer *s, json_t *m, Err *err)
{
    AUTOFREE char *path = xasprintf("%s/manifest.json", s->args->dir),
                  *sums = xasprintf("%s/SHA256SUMS", s->args->dir);
    json_object_set(m, "files", s->files);
    if (s->encryptor.program)
        json_set_str(m, "encrypted", s->encryptor.suffix);
    add_more(m, s->plan.more);
    return seal_folder_remove(&s->folder, RESULTNAME_TOLD, err) &&
           fs_replace(sums, str_z(&s->sums), s->sums.len, 0600, err) && seal_folder_sync(&s->folder, err) &&
           json_replace_file(path, m, 0600, err);
}

static bool seal(Sealer *s, Err *err)
{
    AUTOJSON json_t *manifest = NULL;
    AUTOFREE char *state = fs_dirname(s->args->manifest);
    AUTOFREE char *plan = xasprintf("%s/" SEAL_PLAN_FILE, state),
                  *facts = xasprintf("%s/" SEAL_FACTS_FILE, state);
    SealNames names = {s->args->compress, s->encryptor.program ? s->encryptor.suffix : NULL};
    s->encryptor.facts = facts;
    if (!json_read_file(s->args->manifest, &manifest, err) ||
        !seal_folder_open(s->args->dir, &s->folder, err) ||
        !seal_plan_open(&s->folder, plan, &names, &s->plan, err) || !is_told_in_brief(s, manifest, err))
        return false;
    progress_start("files");
    if (!seal_files(s, err) || !decide_upload(s, manifest, err) ||
        (s->encryptor.program && !seal_encrypt(&s->encryptor, &s->folder, s->files, err)))
        return false;
    write_sums(s);
    progress_set((int64_t)s->plan.from.n, (int64_t)s->plan.from.n, NULL);
    progress_end();
    return write_manifest(s, manifest, err);
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
    Sealer s = {
        .args = &args, .encryptor = {args.encrypt, args.encrypt_suffix, &rest, NULL}, .folder = {.fd = -1}};
    bool ok = args.dir && args.manifest && gz_codec_known(args.compress)
                  ? seal(&s, &err)
                  : err_set(&err, ERR_USAGE, 0,
                            "--dir and --manifest are needed, --compress must be a known codec");
    json_decref(s.files);
    seal_plan_done(&s.plan);
    seal_folder_done(&s.folder);
    strlist_done(&words);
    strlist_done(&rest);
    str_done(&s.sums);
    opts_free(options, &args);
    return ok ? 0 : tool_failed("seal", &err);
}
