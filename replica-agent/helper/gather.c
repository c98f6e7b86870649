/* SPDX-License-Identifier: Apache-2.0
 * `siding-agent gather`: the results of a run's other shards come into the one of its first, which is then
 * the result of the whole run. The new folder is built beside the old one, from links and fetched files, and
 * takes its place in one exchange: killed anywhere and started again it ends the same.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/file/fs.h"
#include "common/wire/wire_run.h"
#include "replica-agent/core/merge.h"
#include "replica-agent/host/config.h"
#include "replica-agent/host/tools.h"

typedef struct GatherArgs {
    char *config, *order, *dir;
} GatherArgs;

#define FIELD(name) offsetof(GatherArgs, name)
static const Opt options[] = {
    {"config", 0, OPT_STR, FIELD(config), .arg = "FILE", .doc = "agent.conf, for its certificates."},
    {"order", 0, OPT_STR, FIELD(order), .arg = "FILE", .doc = "Where the others' results are, as JSON."},
    {"dir", 0, OPT_STR, FIELD(dir), .arg = "DIR", .doc = "The result folder of the first shard."},
    {0},
};

typedef struct Gather {
    const GatherArgs *args;
    const Tls *tls;
    GatherOrder order;
    char *work;      /* beside the result folder */
    StrList folders; /* of all parts */
    json_t **manifests;
    size_t n;
} Gather;

static char *work_of(const char *dir)
{
    const char *slash = strrchr(dir, '/');
    return slash ? xasprintf("%.*s/.gather-%s", (int)(slash - dir), dir, slash + 1)
                 : xasprintf(".gather-%s", dir);
}

static bool read_manifest(const char *dir, json_t **ret, Err *err)
{
    AUTOFREE char *path = xasprintf("%s/manifest.json", dir);
    return json_read_file(path, ret, err);
}

/* ---- fetching ------------------------------------------------------------------------------------- */

static bool fetch_all(Gather *g, Err *err)
{
    const RunSource *v = g->order.sources.v;
    for (size_t i = 0; i < g->order.sources.n; i++) {
        AUTOFREE char *to = xasprintf("%s/shard-%lld", g->work, (long long)v[i].shard);
        ResultSource from = {v[i].url, v[i].run, g->tls};
        if (!fetch_patiently(&from, to, err))
            return err_prefix(err, "the part of %s", v[i].node);
        strlist_add(&g->folders, to);
    }
    return true;
}

static bool read_manifests(Gather *g, Err *err)
{
    g->manifests = xcalloc(g->folders.n + 1, sizeof *g->manifests);
    for (; g->n < g->folders.n; g->n++)
        if (!read_manifest(g->folders.v[g->n], &g->manifests[g->n], err))
            return false;
    return true;
}

/* ---- building ------------------------------------------------------------------------------------- */

static bool place(const char *from, const char *to, Err *err)
{
    AUTOFREE char *dir = fs_dirname(to);
    if (!fs_mkdirs(dir, 0700, err))
        return false;
    return link(from, to) == 0 || err_errno(err, errno, "link %s to %s", from, to);
}

static bool write_papers(const char *whole, const Merge *m, Err *err)
{
    AUTO(str_done) Str sums = STR_INIT;
    AUTOFREE char *manifest = xasprintf("%s/manifest.json", whole), *path = xasprintf("%s/SHA256SUMS", whole);
    size_t i;
    json_t *f;
    json_array_foreach(json_object_get(m->manifest, "files"), i, f)
        str_addf(&sums, "%s  %s\n", json_str(f, "sha256"), json_str(f, "name"));
    return fs_replace(path, str_z(&sums), sums.len, 0600, err) && fs_sync_dir(whole, err) &&
           json_replace_file(manifest, m->manifest, 0600, err);
}

static bool build(const Gather *g, const char *whole, Err *err)
{
    Merge m = {0};
    if (!merge_manifests((const json_t *const *)g->manifests, g->n, &m, err))
        return false;
    bool ok = fs_remove_tree(whole, err) && fs_mkdirs(whole, 0700, err);
    for (size_t i = 0; ok && i < m.n; i++) {
        AUTOFREE char *from = xasprintf("%s/%s", g->folders.v[m.files[i].part], m.files[i].from),
                      *to = xasprintf("%s/%s", whole, m.files[i].to);
        ok = place(from, to, err);
    }
    ok = ok && write_papers(whole, &m, err);
    merge_done(&m);
    return ok;
}

static bool exchange(const char *whole, const char *dir, Err *err)
{
    AUTOFREE char *above = fs_dirname(dir);
    if (renameat2(AT_FDCWD, whole, AT_FDCWD, dir, RENAME_EXCHANGE) < 0)
        return err_errno(err, errno, "exchange %s and %s", whole, dir);
    return fs_sync_dir(above, err);
}

/* ---- the whole ------------------------------------------------------------------------------------ */

static bool read_order(Gather *g, Err *err)
{
    AUTOJSON json_t *j = NULL;
    return json_read_file(g->args->order, &j, err) && wire_read(gather_order_fields, j, &g->order, err);
}

static bool gather(Gather *g, Err *err)
{
    AUTOJSON json_t *own = NULL;
    AUTOFREE char *whole = xasprintf("%s/whole", g->work);
    if (!read_order(g, err) || !read_manifest(g->args->dir, &own, err))
        return false;
    strlist_add(&g->folders, g->args->dir);
    bool ok = json_bool(own, "gathered") ||
              (fs_mkdirs(g->work, 0700, err) && fetch_all(g, err) && read_manifests(g, err) &&
               build(g, whole, err) && exchange(whole, g->args->dir, err));
    return ok && fs_remove_tree(g->work, err);
}

static void gather_done(Gather *g)
{
    for (size_t i = 0; i < g->n; i++)
        json_decref(g->manifests[i]);
    free(g->manifests);
    strlist_done(&g->folders);
    wire_free(gather_order_fields, &g->order);
    free(g->work);
}

int gather_main(int argc, char **argv)
{
    Err err;
    GatherArgs args = {0};
    AgentConfig conf = {0};
    OptSpecial special;
    AUTO(strlist_done) StrList words = STRLIST_INIT;
    if (!opts_parse(options, argc, argv, false, &args, &words, NULL, &special, &err))
        return tool_failed("gather", &err);
    if (special != OPT_RUN)
        return tool_help(options, "siding-agent gather --config FILE --order FILE --dir DIR",
                         "Brings the results of a run's other replicas into one.", special);
    bool ok = args.config && args.order && args.dir;
    if (!ok)
        err_set(&err, ERR_USAGE, 0, "--config, --order and --dir are needed");
    ok = ok && agent_config_load(args.config, &conf, &err);
    if (ok) {
        Gather g = {.args = &args, .tls = &conf.tls, .work = work_of(args.dir)};
        ok = gather(&g, &err);
        gather_done(&g);
    }
    agent_config_free(&conf);
    opts_free(options, &args);
    return ok ? 0 : tool_failed("gather", &err);
}
