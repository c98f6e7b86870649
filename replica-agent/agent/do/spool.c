/* SPDX-License-Identifier: Apache-2.0 */
#include "spool.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/file/fs.h"
#include "copies.h"
#include "replica-agent/agent/agent.h"

static const char EXPIRED[] = ".expired-";

/* ---- in brief ------------------------------------------------------------------------------------- */

static void add_strings(Str *out, const json_t *list)
{
    for (size_t i = 0; i < json_array_size(list); i++)
        str_addf(out, "\n%s", json_string_value(json_array_get(list, i)));
}

static char *group_of(const json_t *manifest)
{
    AUTO(str_done) Str s = STR_INIT;
    str_adds(&s, json_str(manifest, "job"));
    add_strings(&s, json_object_get(manifest, "databases"));
    str_adds(&s, "\n");
    add_strings(&s, json_object_get(manifest, "args"));
    return xstrdup(str_z(&s));
}

/* One replica's of several, until the first has gathered them. */
static bool is_part(const json_t *manifest)
{
    return json_int(manifest, "shards") > 1 && !json_bool(manifest, "gathered");
}

static void describe(const Agent *a, const json_t *manifest, ResultInfo *ret)
{
    const char *job = json_str(manifest, "job");
    const JobConfig *j = job_list_find(&a->jobs, job);
    *ret = (ResultInfo){.run = runkey_of_manifest(manifest),
                        .job = xstrdup(job),
                        .group = group_of(manifest),
                        .keep = j && j->f.keep ? j->f.keep : a->conf.keep,
                        .keep_for_ms = j && j->f.keep_for_ms ? j->f.keep_for_ms : a->conf.keep_for_ms};
    if (!clock_parse(json_str(manifest, "finished_at"), &ret->sealed_at))
        ret->sealed_at = 0;
    ret->part = is_part(manifest);
    strlist_add_all(&ret->destinations, copies_destinations(a, job));
    copies_done(ret->run, &ret->destinations, &ret->copies);
}

bool spool_is_sealed(const Agent *a, const char *run)
{
    const AgentRunner *r = run_find(&a->s, run);
    AUTOFREE char *dir = run_results(a, run), *manifest = xasprintf("%s/manifest.json", dir);
    /* A job that runs can leave a manifest of its own: what is known of the run goes before. */
    bool open = r && r->j.run.spec.kind != KIND_UPLOAD && !r->j.run.sealed;
    return *run != '.' && !open && fs_exists(manifest);
}

typedef struct Listing {
    Agent *a;
    StrList runs, folders;
    bool brief;
    json_t *manifests;
    SpoolListed done;
    void *arg;
} Listing;

static void listing_free(Listing *l)
{
    strlist_done(&l->runs);
    strlist_done(&l->folders);
    json_decref(l->manifests);
    free(l);
}

/* A manifest is as long as its job has left files: 200,000 of them take a second to read. */
static void read_manifests(void *arg)
{
    Listing *l = arg;
    Err err;
    for (size_t i = 0; i < l->runs.n; i++) {
        AUTOFREE char *path = xasprintf("%s/manifest.json", l->folders.v[i]);
        AUTOJSON json_t *m = NULL;
        if (!json_read_file(path, &m, &err))
            continue;
        AUTOFREE char *key = runkey_of_manifest(m);
        if (l->brief && !str_eq(key, l->runs.v[i]))
            continue;
        json_object_del(m, "tables");
        if (l->brief)
            json_object_del(m, "files");
        else
            json_set_str(m, "path", l->folders.v[i]);
        json_array_append(l->manifests, m);
    }
}

static json_t *in_brief(const Agent *a, const json_t *manifests)
{
    size_t i;
    const json_t *m;
    json_t *list = json_array();
    json_array_foreach((json_t *)(uintptr_t)manifests, i, m)
    {
        ResultInfo r = {0};
        describe(a, m, &r);
        json_array_append_new(list, wire_write(result_info_fields, &r));
        wire_free(result_info_fields, &r);
    }
    return list;
}

static void list_is_read(void *arg)
{
    Listing *l = arg;
    l->done(l->arg, l->brief ? in_brief(l->a, l->manifests) : json_incref(l->manifests));
    listing_free(l);
}

bool spool_list(Agent *a, bool brief, SpoolListed done, void *arg, Err *err)
{
    AUTO(strlist_done) StrList names = STRLIST_INIT;
    Listing *l = NEW(Listing);
    *l = (Listing){.a = a, .brief = brief, .manifests = json_array(), .done = done, .arg = arg};
    bool ok = fs_list(a->conf.spool_dir, &names, err);
    for (size_t i = 0; ok && i < names.n; i++) {
        AUTOFREE char *folder = run_results(a, names.v[i]);
        if (!spool_is_sealed(a, names.v[i]))
            continue;
        strlist_add(&l->runs, names.v[i]);
        strlist_add(&l->folders, folder);
    }
    ok = ok && work_submit(a->work, (WorkJob){read_manifests, list_is_read, l, .waits = true}, err);
    if (!ok)
        listing_free(l);
    return ok;
}

/* ---- removing ------------------------------------------------------------------------------------- */

typedef struct Removal {
    char *dir;
    bool ok;
    Err err;
} Removal;

static void in_worker(void *arg)
{
    Removal *r = arg;
    r->ok = fs_remove_tree(r->dir, &r->err);
}

static void in_loop(void *arg)
{
    Removal *r = arg;
    if (!r->ok)
        log_warn("%s", r->err.text);
    free(r->dir);
    free(r);
}

/* Where no worker is free, the next start does it. */
static void remove_later(Agent *a, const char *dir)
{
    Err err;
    Removal *r = NEW(Removal);
    r->dir = xstrdup(dir);
    if (work_submit(a->work, (WorkJob){in_worker, in_loop, r, .waits = true}, &err))
        return;
    log_info("%s is removed at the next start: %s", dir, err.text);
    free(r->dir);
    free(r);
}

static json_t *manifest_in(const char *dir)
{
    Err ignored;
    json_t *m = NULL;
    AUTOFREE char *path = xasprintf("%s/manifest.json", dir);
    return json_read_file(path, &m, &ignored) ? m : NULL;
}

bool spool_remove(Agent *a, const char *run, bool only_part, Err *err)
{
    int64_t task, no;
    const AgentRunner *r = run_find(&a->s, run);
    AUTOFREE char *dir = run_results(a, run), *gone = xasprintf("%s/%s%s", a->conf.spool_dir, EXPIRED, run);
    if (!wire_run_id(run, &task, &no) || !no || !fs_exists(dir))
        return err_set(err, ERR_NOT_FOUND, 0, "%s has no result of run %.*s", a->conf.node, RUN_TEXT(run));
    if (r && run_is_under_way(r))
        return err_set(err, ERR_CONFLICT, 0, "run %.*s is still under way on %s", RUN_TEXT(run),
                       a->conf.node);
    AUTOJSON json_t *manifest = manifest_in(dir);
    if (only_part && !is_part(manifest))
        return err_set(err, ERR_CONFLICT, 0, "%s has the whole result of run %.*s, not a part: it stays",
                       a->conf.node, RUN_TEXT(run));
    if (!fs_remove_tree(gone, err))
        return false;
    copies_remove(a, run, json_str(manifest, "job"));
    if (rename(dir, gone) < 0)
        return err_errno(err, errno, "rename %s", dir);
    if (!fs_sync_dir(a->conf.spool_dir, err))
        return false;
    log_info("the result of run %s has expired and is removed", run);
    remove_later(a, gone);
    return true;
}

void spool_set_aside(Agent *a, const char *run)
{
    AUTOFREE char *dir = run_results(a, run), *gone = xasprintf("%s/%s%s", a->conf.spool_dir, EXPIRED, run);
    if (rename(dir, gone) < 0)
        log_warn("the partial result of run %s is left behind: %s", run, strerror(errno));
    else
        remove_later(a, gone);
}

void spool_sweep(Agent *a)
{
    Err err;
    AUTO(strlist_done) StrList names = STRLIST_INIT;
    if (!fs_list(a->conf.spool_dir, &names, &err))
        return;
    for (size_t i = 0; i < names.n; i++) {
        AUTOFREE char *dir = run_results(a, names.v[i]);
        if (str_starts(names.v[i], EXPIRED))
            remove_later(a, dir);
    }
}
