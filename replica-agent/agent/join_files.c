/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/file/fs.h"
#include "common/file/resultname.h"
#include "common/net/jointoken.h"
#include "join.h"

#define STAGE ".joining"
#define MARKER "join.json"
#define LAST "agent.conf" /* nothing starts without it */

enum { MOST_FILES = 40 };

static char *staged(const JoinPlace *p, const char *name)
{
    return xasprintf("%s/" STAGE "/%s", p->dir, name);
}

static char * final(const JoinPlace *p, const char *name)
{
    return xasprintf("%s/%s", p->dir, name);
}

/* ---- looking ---------------------------------------------------------------------------------------- */

static bool read_marker(const JoinPlace *p, json_t **ret, Err *err)
{
    AUTOFREE char *path = staged(p, MARKER);
    *ret = NULL;
    return !fs_exists(path) || json_read_file(path, ret, err);
}

static bool refuse_other(const JoinPlace *p, const char *name, Err *err)
{
    return err_set(
        err, ERR_CONFLICT, 0,
        "%s/%s is there already: nothing is replaced. Move it away where it is of an earlier try, or "
        "give another folder with --dir",
        p->dir, name);
}

/* Who may change the folder could lead to other places what is written there in our name. */
static bool own_folder(const JoinPlace *p, Err *err)
{
    struct stat st;
    if (!fs_mkdirs(p->dir, 0755, err))
        return false;
    if (lstat(p->dir, &st) < 0)
        return err_errno(err, errno, "read %s", p->dir);
    return (S_ISDIR(st.st_mode) && st.st_uid == geteuid() && !(st.st_mode & 022)) ||
           err_set(err, ERR_REFUSED, 0,
                   "others than the account that this runs as may change %s, and lead elsewhere what is "
                   "written there: chown %s, and chmod go-w, or give another folder with --dir",
                   p->dir, geteuid() ? "it" : "root");
}

bool join_files_look(const JoinPlace *p, const char *hash, bool *ret, Err *err)
{
    AUTOJSON json_t *marker = NULL;
    AUTOFREE char *conf = final(p, LAST);
    if (!own_folder(p, err) || !read_marker(p, &marker, err))
        return false;
    *ret = marker && str_eq(json_str(marker, "token"), hash);
    if (*ret)
        return true;
    if (marker)
        return err_set(err, ERR_CONFLICT, 0,
                       "%s/" STAGE
                       " is of a join with another token that was broken off: remove it, and what "
                       "was moved already: %s",
                       p->dir, json_str(marker, "names"));
    return !fs_exists(conf) || refuse_other(p, LAST, err);
}

/* ---- staging ---------------------------------------------------------------------------------------- */

/* From whoever has sealed them with our token, and still they go nowhere else. */
static bool check_name(const char *name, Err *err)
{
    bool ok = *name && *name != '.' && !strchr(name, '/') && !strchr(name, ' ') && strlen(name) < 100 &&
              resultname_part_is_plain(name) && !str_eq(name, MARKER);
    return ok || err_set(err, ERR_CORRUPT, 0, "the files hold one with an odd name");
}

static void add_with(Str *out, const char *text, const char *mark, const char *value)
{
    for (const char *at; (at = strstr(text, mark)); text = at + strlen(mark)) {
        str_add(out, text, (size_t)(at - text));
        str_adds(out, value);
    }
    str_adds(out, text);
}

/* Only what is written for this host has marks: a password might look like one. */
static void fill_in(const JoinPlace *p, const char *name, const char *text, Str *out)
{
    AUTO(str_done) Str one = STR_INIT;
    AUTO(str_done) Str two = STR_INIT;
    bool has_marks = str_eq(name, LAST) || str_eq(name, "siding.cnf") || str_eq(name, "donor.cnf");
    if (!has_marks) {
        str_adds(out, text);
        return;
    }
    add_with(&one, text, JOIN_DIR_MARK, p->dir);
    add_with(&two, str_z(&one), JOIN_STATE_MARK, p->state);
    add_with(out, str_z(&two), JOIN_SOCKET_MARK, p->socket);
}

static bool stage_one(const JoinPlace *p, const char *name, const json_t *text, Err *err)
{
    AUTO(str_done) Str filled = STR_INIT;
    AUTOFREE char *path = staged(p, name), *there = final(p, name);
    if (!check_name(name, err))
        return false;
    if (fs_exists(there))
        return refuse_other(p, name, err);
    if (!json_is_string(text))
        return err_set(err, ERR_CORRUPT, 0, "the files hold one without a text");
    fill_in(p, name, json_string_value(text), &filled);
    bool ok = fs_replace_for(path, &(FsBytes){str_z(&filled), filled.len, 0600}, p->uid, p->gid, err);
    if (filled.p)
        explicit_bzero(filled.p, filled.len);
    return ok;
}

static bool write_marker(const JoinPlace *p, const char *hash, const char *flavor, const StrList *names,
                         Err *err)
{
    AUTOJSON json_t *o = json_object();
    json_set_str(o, "flavor", flavor);
    AUTOFREE char *all = strlist_join(names, " "), *path = staged(p, MARKER);
    json_set_str(o, "token", hash);
    json_set_str(o, "names", all);
    return json_replace_file(path, o, 0600, err);
}

bool join_files_stage(const JoinPlace *p, const char *hash, const json_t *bundle, Err *err)
{
    const char *name;
    json_t *text, *files = json_object_get(bundle, "files");
    AUTO(strlist_done) StrList names = STRLIST_INIT;
    AUTOFREE char *stage = final(p, STAGE);
    if (!json_is_object(files) || json_object_size(files) > MOST_FILES || !json_object_get(files, LAST))
        return err_set(err, ERR_CORRUPT, 0, "sidingd gave files that are none of ours");
    if (!fs_remove_tree(stage, err) || !fs_mkdirs(stage, 0700, err))
        return false;
    json_object_foreach(files, name, text)
    {
        if (!stage_one(p, name, text, err))
            return false;
        strlist_add(&names, name);
    }
    return write_marker(p, hash, json_str(bundle, "flavor"), &names, err) && fs_sync_dir(p->dir, err);
}

/* ---- moving ----------------------------------------------------------------------------------------- */

/* One that is not staged any more has been moved before. */
static bool move(const JoinPlace *p, const char *name, Err *err)
{
    AUTOFREE char *from = staged(p, name), *to = final(p, name);
    return !fs_exists(from) || rename(from, to) == 0 || err_errno(err, errno, "put %s in its place", to);
}

bool join_files_move(const JoinPlace *p, DbFlavor *ret, Err *err)
{
    AUTOJSON json_t *marker = NULL;
    AUTO(strlist_done) StrList names = STRLIST_INIT;
    if (!read_marker(p, &marker, err))
        return false;
    if (!flavor_from_name(json_str(marker, "flavor"), ret))
        return err_set(err, ERR_CORRUPT, 0, "the files do not say what kind of servers the cluster has");
    strlist_split(&names, json_str(marker, "names"), ' ');
    for (size_t i = 0; i < names.n; i++)
        if (!str_eq(names.v[i], LAST) && !move(p, names.v[i], err))
            return false;
    return fs_sync_dir(p->dir, err) && move(p, LAST, err) && fs_sync_dir(p->dir, err);
}

bool join_files_finish(const JoinPlace *p, Err *err)
{
    AUTOFREE char *stage = final(p, STAGE);
    return fs_remove_tree(stage, err) && fs_sync_dir(p->dir, err);
}
