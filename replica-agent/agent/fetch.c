/* SPDX-License-Identifier: Apache-2.0
 * `siding-agent fetch`: a sealed result from the agent that made it. The manifest comes first and says
 * what belongs to it; every file is resumed where it stopped and compared with its SHA-256; the manifest
 * is put in place last, so that a folder with a manifest is whole here too.
 */
#include <stdio.h>
#include <string.h>

#include "common/fs.h"
#include "common/httpc.h"
#include "common/json.h"
#include "common/progress.h"
#include "common/sha256.h"
#include "config.h"
#include "tools.h"

typedef struct FetchArgs {
    char *config, *url, *run, *to;
} FetchArgs;

#define FIELD(name) offsetof(FetchArgs, name)
static const Opt options[] = {
    {"config", 0, OPT_STR, FIELD(config), .arg = "FILE", .doc = "agent.conf, for its certificates."},
    {"url", 0, OPT_STR, FIELD(url), .arg = "URL", .doc = "The agent that has the result."},
    {"run", 0, OPT_STR, FIELD(run), .arg = "RUN", .doc = "The run, such as 12.1."},
    {"to", 0, OPT_STR, FIELD(to), .arg = "DIR", .doc = "The folder to put it in."},
    {0},
};

typedef struct Fetch {
    const FetchArgs *args;
    const Tls *tls;
    int64_t done, total;
    const char *name;
} Fetch;

enum { CALL_MS = 30000 };

static char *remote_path(const Fetch *f, const char *name)
{
    AUTO(str_done) Str out = STR_INIT;
    str_adds(&out, "/v1/results/");
    httpc_encode(&out, f->args->run);
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

/* A name from the other side becomes a path here: it must stay below the folder. */
static bool name_is_safe(const char *name)
{
    if (!*name || *name == '/' || strchr(name, '\\'))
        return false;
    AUTO(strlist_done) StrList parts = STRLIST_INIT;
    strlist_split(&parts, name, '/');
    return !strlist_has(&parts, "..") && !strlist_has(&parts, ".");
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
    AUTOFREE char *remote = remote_path(f, name), *dir = fs_dirname(path);
    HttpCall call = {.base_url = f->args->url, .method = "GET", .path = remote, .tls = f->tls};
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
    if (!name_is_safe(name) || strlen(sum) != 64)
        return err_set(err, ERR_PROTOCOL, 0, "the manifest names a file \"%.100s\" that cannot be taken",
                       name);
    AUTOFREE char *path = xasprintf("%s/%s", f->args->to, name);
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
    AUTOFREE char *path = xasprintf("%s/SHA256SUMS", f->args->to);
    return fs_remove(path, err) && download(f, "SHA256SUMS", "", path, err);
}

static bool fetch(Fetch *f, Err *err)
{
    AUTOJSON json_t *manifest = NULL;
    AUTOFREE char *remote = remote_path(f, "manifest.json"),
                  *path = xasprintf("%s/manifest.json", f->args->to);
    HttpCall call = {
        .base_url = f->args->url, .method = "GET", .path = remote, .timeout_ms = CALL_MS, .tls = f->tls};
    if (!fs_mkdirs(f->args->to, 0700, err) || !httpc_call(&call, &manifest, err))
        return err_prefix(err, "result %s of %s", f->args->run, f->args->url);
    if (!str_eq(json_str(manifest, "run"), f->args->run))
        return err_set(err, ERR_PROTOCOL, 0, "%s answered with the manifest of run \"%s\", not of %s",
                       f->args->url, json_str(manifest, "run"), f->args->run);
    return fetch_all(f, manifest, err) && fetch_sums(f, err) && fs_sync_dir(f->args->to, err) &&
           json_replace_file(path, manifest, 0600, err);
}

int fetch_main(int argc, char **argv)
{
    Err err;
    FetchArgs args = {0};
    AgentConfig conf = {0};
    OptSpecial special;
    StrList words = STRLIST_INIT;
    if (!opts_parse(options, argc, argv, false, &args, &words, NULL, &special, &err))
        return tool_failed("fetch", &err);
    if (special != OPT_RUN)
        return tool_help(options, "siding-agent fetch --url URL --run RUN --to DIR",
                         "Fetches a sealed result.", special);
    bool ok = args.url && args.run && args.to;
    if (!ok)
        err_set(&err, ERR_USAGE, 0, "--url, --run and --to are needed");
    ok = ok && (!args.config || agent_config_load(args.config, &conf, &err));
    Fetch f = {.args = &args, .tls = tls_is_set(&conf.tls) ? &conf.tls : NULL};
    ok = ok && fetch(&f, &err);
    agent_config_free(&conf);
    strlist_done(&words);
    opts_free(options, &args);
    return ok ? 0 : tool_failed("fetch", &err);
}
