/* SPDX-License-Identifier: Apache-2.0 */
#include "vault.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/file/fs.h"

#define PREFIX "siding-relay-"

enum { INDEX_BYTES_MAX = 16 << 20 };

const WireField vault_place_fields[] = WIRE_FIELDS(VaultPlace, VAULT_PLACE_LIST);

typedef struct Kept {
    unsigned long order;
    unsigned long long inode;
} Kept;

/* The links of a folder, in order; one inode once. */
typedef struct KeptList {
    StrList paths;
    Kept *v;
} KeptList;

static void kept_done(KeptList *k)
{
    strlist_done(&k->paths);
    free(k->v);
}

bool vault_place_read(Db *db, const char *folder, VaultPlace *ret, Err *err)
{
    ReplPaths p = {0};
    if (!repl_paths_read(db, &p, err))
        return false;
    wire_free(vault_place_fields, ret);
    *ret = (VaultPlace){p.relay_index,   p.relay_folder, p.data_folder,
                        p.binlog_folder, p.binlog_index, xstrdup(folder ? folder : p.relay_folder)};
    return true;
}

static bool is_kept(const KeptList *k, unsigned long long inode)
{
    for (size_t i = 0; i < k->paths.n; i++)
        if (k->v[i].inode == inode)
            return true;
    return false;
}

static bool list_kept(const VaultPlace *p, KeptList *ret, Err *err)
{
    AUTO(strlist_done) StrList names = STRLIST_INIT;
    if (!fs_list(p->folder, &names, err))
        return err->kind == ERR_NOT_FOUND;
    for (size_t i = 0; i < names.n; i++) {
        Kept k;
        if (!str_starts(names.v[i], PREFIX) ||
            sscanf(names.v[i] + strlen(PREFIX), "%lu-%llu-", &k.order, &k.inode) != 2 ||
            is_kept(ret, k.inode))
            continue;
        ret->v = xrealloc(ret->v, (ret->paths.n + 1) * sizeof *ret->v);
        ret->v[ret->paths.n] = k;
        strlist_addf(&ret->paths, "%s/%s", p->folder, names.v[i]);
    }
    return true;
}

bool vault_index_files(const char *index, const char *data_folder, StrList *ret, Err *err)
{
    AUTO(str_done) Str text = STR_INIT;
    AUTO(strlist_done) StrList lines = STRLIST_INIT;
    if (!fs_read(index, INDEX_BYTES_MAX, &text, err))
        return false;
    strlist_split(&lines, str_z(&text), '\n');
    for (size_t i = 0; i < lines.n; i++)
        strlist_addf(ret, "%s%s%s", *lines.v[i] == '/' ? "" : data_folder, *lines.v[i] == '/' ? "" : "/",
                     lines.v[i]);
    return true;
}

/* Paths of the files that the server has now. */
static bool list_present(const VaultPlace *p, StrList *ret, Err *err)
{
    return vault_index_files(p->index, p->data_folder, ret, err);
}

static bool explain(const VaultPlace *p, const char *path, int errnum, Err *err)
{
    if (errnum == EXDEV)
        return err_set(
            err, ERR_REFUSED, errnum,
            "%s is on another file system than the relay file %s; set server.vault_dir to a folder "
            "there, or leave it out",
            p->folder, path);
    if (errnum == EPERM || errnum == EACCES)
        return err_set(
            err, ERR_REFUSED, errnum,
            "may not link the relay file %s into %s: %s; run siding-agent as the server's operating "
            "system user or as root",
            path, p->folder, strerror(errnum));
    return err_errno(err, errnum, "link %s into %s", path, p->folder);
}

static bool link_one(const VaultPlace *p, const char *path, unsigned long order, ino_t inode, Err *err)
{
    const char *slash = strrchr(path, '/');
    AUTOFREE char *to = xasprintf("%s/" PREFIX "%08lu-%llu-%s", p->folder, order, (unsigned long long)inode,
                                  slash ? slash + 1 : path);
    if (link(path, to) == 0 || errno == EEXIST)
        return true;
    return explain(p, path, errno, err);
}

static bool keep_missing(const VaultPlace *p, const KeptList *kept, const StrList *present, bool *ret_linked,
                         Err *err)
{
    unsigned long order = kept->paths.n ? kept->v[kept->paths.n - 1].order : 0;
    for (size_t i = 0; i < present->n; i++) {
        struct stat st;
        if (lstat(present->v[i], &st) < 0 && errno == ENOENT)
            continue; /* purged just now: applied */
        if (lstat(present->v[i], &st) < 0)
            return explain(p, present->v[i], errno, err);
        if (is_kept(kept, st.st_ino))
            continue;
        if (!link_one(p, present->v[i], ++order, st.st_ino, err))
            return false;
        *ret_linked = true;
    }
    return true;
}

bool vault_keep(const VaultPlace *p, Err *err)
{
    static pthread_mutex_t one = PTHREAD_MUTEX_INITIALIZER;
    AUTO(kept_done) KeptList kept = {0};
    AUTO(strlist_done) StrList present = STRLIST_INIT;
    bool linked = false;
    pthread_mutex_lock(&one);
    bool ok = fs_mkdirs(p->folder, 0700, err) && list_kept(p, &kept, err) && list_present(p, &present, err) &&
              keep_missing(p, &kept, &present, &linked, err);
    pthread_mutex_unlock(&one);
    return ok && (!linked || fs_sync_dir(p->folder, err));
}

bool vault_files(const VaultPlace *p, StrList *ret, Err *err)
{
    AUTO(kept_done) KeptList kept = {0};
    AUTO(strlist_done) StrList present = STRLIST_INIT;
    if (!list_kept(p, &kept, err) || !list_present(p, &present, err))
        return false;
    for (size_t i = 0; i < kept.paths.n; i++)
        strlist_add(ret, kept.paths.v[i]);
    for (size_t i = 0; i < present.n; i++) {
        struct stat st;
        if (stat(present.v[i], &st) < 0) {
            if (errno == ENOENT)
                continue;
            return err_errno(err, errno, "read the relay file %s", present.v[i]);
        }
        if (!is_kept(&kept, st.st_ino))
            strlist_add(ret, present.v[i]);
    }
    return true;
}

bool vault_check(const VaultPlace *p, Err *err)
{
    AUTO(strlist_done) StrList present = STRLIST_INIT;
    if (!list_present(p, &present, err) || !fs_mkdirs(p->folder, 0700, err))
        return false;
    if (!present.n)
        return err_set(err, ERR_REFUSED, 0, "%s lists no relay file", p->index);
    const char *newest = present.v[present.n - 1];
    AUTOFD int fd = open(newest, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_errno(err, errno,
                         "read the relay file %s (run siding-agent as the server's operating system user)",
                         newest);
    AUTOFREE char *trial = xasprintf("%s/siding-trial-%d", p->folder, (int)getpid());
    (void)unlink(trial);
    if (link(newest, trial) < 0)
        return explain(p, newest, errno, err);
    (void)unlink(trial);
    return true;
}

bool vault_measure(const VaultPlace *p, VaultFigures *ret, Err *err)
{
    AUTO(kept_done) KeptList kept = {0};
    VaultFigures f = {0};
    if (!list_kept(p, &kept, err))
        return false;
    for (size_t i = 0; i < kept.paths.n; i++) {
        struct stat st;
        if (stat(kept.paths.v[i], &st) < 0)
            continue;
        f.files++;
        f.bytes += st.st_size;
        f.pinned_bytes += st.st_nlink == 1 ? st.st_blocks * 512 : 0;
    }
    *ret = f;
    return true;
}

bool vault_is_empty(const VaultPlace *p)
{
    Err err;
    VaultFigures f = {0};
    return p->index && fs_exists(p->index) && fs_exists(p->folder) && vault_measure(p, &f, &err) && !f.files;
}

bool vault_sync_newest(const VaultPlace *p, Err *err)
{
    AUTO(strlist_done) StrList present = STRLIST_INIT;
    if (!list_present(p, &present, err))
        return false;
    if (!present.n)
        return true;
    AUTOFD int fd = open(present.v[present.n - 1], O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT || err_errno(err, errno, "read %s", present.v[present.n - 1]);
    return fdatasync(fd) == 0 || err_errno(err, errno, "sync %s", present.v[present.n - 1]);
}

/* The newest first: what is left after a kill still begins at the oldest transaction. */
bool vault_clear(const VaultPlace *p, Err *err)
{
    AUTO(strlist_done) StrList names = STRLIST_INIT;
    if (!fs_list(p->folder, &names, err))
        return err->kind == ERR_NOT_FOUND;
    for (size_t i = names.n; i-- > 0;) {
        AUTOFREE char *path = xasprintf("%s/%s", p->folder, names.v[i]);
        if (str_starts(names.v[i], PREFIX) && !fs_remove(path, err))
            return false;
    }
    return true;
}

bool vault_flush_server(const VaultPlace *p, Err *err)
{
    const char *const folders[] = {p->data_folder, p->binlog_folder, p->relay_folder};
    dev_t done[COUNT(folders)];
    size_t n = 0;
    for (size_t i = 0; i < COUNT(folders); i++) {
        AUTOFD int fd = open(folders[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        struct stat st;
        if (fd < 0 || fstat(fd, &st) < 0)
            return err_errno(err, errno, "open %s", folders[i]);
        bool seen = false;
        for (size_t k = 0; k < n; k++)
            seen = seen || done[k] == st.st_dev;
        if (!seen && syncfs(fd) < 0)
            return err_errno(err, errno, "sync the file system of %s", folders[i]);
        if (!seen)
            done[n++] = st.st_dev;
    }
    return true;
}
