/* SPDX-License-Identifier: Apache-2.0 */
#include "seal_plan.h"

#include <string.h>

#include "common/file/fs.h"
#include "common/file/gz.h"
#include "common/file/resultname.h"

void seal_plan_done(SealPlan *p)
{
    json_decref(p->told);
    json_decref(p->upload);
    json_decref(p->more);
    strlist_done(&p->from);
    strlist_done(&p->to);
    *p = (SealPlan){0};
}

const json_t *seal_plan_told(const SealPlan *p, const char *name)
{
    return json_object_get(p->told, name);
}

/* ---- what the job says ---------------------------------------------------------------------------- */

static bool is_sum(const char *text)
{
    return strlen(text) == 64 && strspn(text, "0123456789abcdef") == 64;
}

static bool check_told_file(const json_t *f, const json_t *there, Err *err)
{
    int64_t n;
    const char *name, *sum;
    if (!json_req_str(f, "name", &name, err) || !resultname_check(name, err) ||
        !json_opt_int(f, "rows", 0, INT64_MAX, 0, &n, err) ||
        !json_opt_int(f, "bytes", 0, INT64_MAX, 0, &n, err) ||
        !json_opt_int(f, "compressed_bytes", 0, INT64_MAX, 0, &n, err) ||
        !json_opt_str(f, "sha256", "", &sum, err))
        return false;
    if (*sum && !is_sum(sum))
        return err_set(err, ERR_REFUSED, 0, "\"sha256\" of %s is none", name);
    return json_object_get(there, name) ||
           err_set(err, ERR_REFUSED, 0, "it names %s, which the job did not leave", name);
}

static bool take_told(SealPlan *p, json_t *all, const json_t *there, Err *err)
{
    size_t i;
    json_t *f, *list = json_object_get(all, "files");
    if (!json_is_array(list))
        return err_set(
            err, ERR_REFUSED, 0,
            "it must hold {\"files\": [ … ]}; the name is reserved for what a job says of its files");
    p->told = json_object();
    json_array_foreach(list, i, f)
    {
        if (!check_told_file(f, there, err))
            return false;
        if (json_object_get(p->told, json_str(f, "name")))
            return err_set(err, ERR_REFUSED, 0, "it names %s twice", json_str(f, "name"));
        json_object_set(p->told, json_str(f, "name"), f);
    }
    p->upload = json_incref(json_object_get(all, "upload"));
    p->more = json_incref(all);
    json_object_del(p->more, "files");
    json_object_del(p->more, "upload");
    return true;
}

static bool read_told(const SealFolder *f, json_t **ret, Err *err)
{
    AUTOFD int fd = seal_folder_read(f, RESULTNAME_TOLD, err);
    if (fd < 0)
        return false;
    AUTOFREE char *path = seal_fd_path(fd);
    return json_read_file(path, ret, err);
}

/* ---- names ---------------------------------------------------------------------------------------- */

static bool is_compressed(const char *name)
{
    static const char *const ends[] = {".gz", ".zst", ".xz", ".bz2", ".lz4", ".zip", ".7z", ".br"};
    for (size_t i = 0; i < COUNT(ends); i++)
        if (str_ends(name, ends[i]))
            return true;
    return false;
}

static bool add_name(SealPlan *p, json_t *there, const char *from, const SealNames *names, Err *err)
{
    bool as_it_is = p->sealed_by_job || is_compressed(from) || str_eq(names->codec, "none");
    AUTOFREE char *to = xasprintf("%s%s", from, as_it_is ? "" : gz_codec_suffix(names->codec));
    AUTOFREE char *last = xasprintf("%s%s", to, names->suffix ? names->suffix : "");
    if (!resultname_check(from, err) || !resultname_check(last, err))
        return false;
    const char *const made[] = {to, last};
    for (size_t i = 0; i < COUNT(made); i++)
        if (!str_eq(made[i], from) && json_object_get(there, made[i]))
            return err_set(err, ERR_REFUSED, 0,
                           "the job left %s and %s: %s would become %s, and one of them would be lost", from,
                           made[i], from, made[i]);
    strlist_add(&p->from, from);
    strlist_add(&p->to, to);
    return true;
}

static bool add_names(SealPlan *p, const StrList *all, const SealNames *names, Err *err)
{
    AUTOJSON json_t *there = json_object();
    for (size_t i = 0; i < all->n; i++) /* bytes as they are: not all names are UTF-8 yet */
        json_object_set_new_nocheck(there, all->v[i], json_true());
    for (size_t i = 0; i < all->n; i++)
        if (!str_eq(all->v[i], RESULTNAME_TOLD) && !str_eq(all->v[i], RESULTNAME_MARK) &&
            !add_name(p, there, all->v[i], names, err))
            return false;
    return true;
}

/* ---- kept ----------------------------------------------------------------------------------------- */

static json_t *plan_json(const SealFolder *f, const SealPlan *p)
{
    json_t *j = json_object(), *files = json_array();
    json_set_str(j, "dir", f->path);
    json_set_bool(j, "sealed_by_job", p->sealed_by_job);
    json_object_set(j, "told", p->told);
    json_object_set(j, "upload", p->upload);
    json_object_set(j, "more", p->more);
    for (size_t i = 0; i < p->from.n; i++) {
        json_t *o = json_object();
        json_set_str(o, "from", p->from.v[i]);
        json_set_str(o, "to", p->to.v[i]);
        json_array_append_new(files, o);
    }
    json_object_set_new(j, "files", files);
    return j;
}

static json_t *kept(const json_t *j, const char *key)
{
    json_t *v = json_object_get(j, key);
    return json_is_null(v) ? NULL : json_incref(v);
}

static bool read_plan(const SealFolder *f, const char *path, SealPlan *ret, bool *ret_there, Err *err)
{
    AUTOJSON json_t *j = NULL;
    size_t i;
    json_t *o;
    *ret_there = false;
    if (!json_read_file(path, &j, err))
        return err->kind == ERR_NOT_FOUND;
    if (!str_eq(json_str(j, "dir"), f->path))
        return true;
    *ret_there = true;
    *ret = (SealPlan){.sealed_by_job = json_bool(j, "sealed_by_job"),
                      .told = kept(j, "told"),
                      .upload = kept(j, "upload"),
                      .more = kept(j, "more")};
    json_array_foreach(json_object_get(j, "files"), i, o)
    {
        strlist_add(&ret->from, json_str(o, "from"));
        strlist_add(&ret->to, json_str(o, "to"));
    }
    return true;
}

static bool make_plan(const SealFolder *f, const SealNames *names, SealPlan *p, Err *err)
{
    AUTO(strlist_done) StrList all = STRLIST_INIT;
    AUTOJSON json_t *said = NULL;
    AUTOJSON json_t *there = json_object();
    if (!seal_folder_list(f, &all, err))
        return false;
    p->sealed_by_job = strlist_has(&all, RESULTNAME_MARK);
    if (!add_names(p, &all, names, err))
        return false;
    for (size_t i = 0; i < p->from.n; i++)
        json_object_set_new(there, p->from.v[i], json_true());
    return !strlist_has(&all, RESULTNAME_TOLD) ||
           ((read_told(f, &said, err) && take_told(p, said, there, err)) ||
            err_prefix(err, "the job's " RESULTNAME_TOLD));
}

bool seal_plan_open(const SealFolder *f, const char *path, const SealNames *names, SealPlan *ret, Err *err)
{
    SealPlan p = {0};
    bool there;
    if (!read_plan(f, path, &p, &there, err))
        return false;
    bool ok = there || make_plan(f, names, &p, err);
    if (ok && !there) {
        AUTOJSON json_t *j = plan_json(f, &p);
        ok = json_replace_file(path, j, 0600, err);
    }
    if (!ok) {
        seal_plan_done(&p);
        return false;
    }
    *ret = p;
    return true;
}
