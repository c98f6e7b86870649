/* SPDX-License-Identifier: Apache-2.0 */
#include "fs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

void fs_close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

static void close_dir(DIR **d)
{
    if (*d)
        closedir(*d);
}

bool fs_read(const char *path, size_t max_bytes, Str *ret, Err *err)
{
    AUTOFD int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        return err_set(err, ERR_NOT_FOUND, errno, "no such file: %s", path);
    if (fd < 0)
        return err_errno(err, errno, "open %s", path);
    AUTO(str_done) Str s = STR_INIT;
    char block[65536];
    for (;;) {
        ssize_t n = read(fd, block, sizeof block);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_errno(err, errno, "read %s", path);
        if (n == 0)
            break;
        if (s.len + (size_t)n > max_bytes)
            return err_set(err, ERR_CORRUPT, 0, "%s is larger than %zu bytes", path, max_bytes);
        str_add(&s, block, (size_t)n);
    }
    str_done(ret);
    ret->len = s.len;
    ret->cap = s.cap;
    ret->p = STEAL(s.p);
    return true;
}

static bool write_all(int fd, const char *bytes, size_t n)
{
    while (n) {
        ssize_t w = write(fd, bytes, n);
        if (w < 0 && errno == EINTR)
            continue;
        if (w < 0)
            return false;
        bytes += w;
        n -= (size_t)w;
    }
    return true;
}

/* A new file, never one that stands there: whoever owns the folder may have left a link to another. */
static bool write_synced(const char *path, const FsBytes *b, uid_t uid, gid_t gid, Err *err)
{
    if (unlink(path) < 0 && errno != ENOENT)
        return err_errno(err, errno, "remove %s", path);
    AUTOFD int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, b->mode);
    if (fd < 0)
        return err_errno(err, errno, "create %s", path);
    if (fchmod(fd, b->mode) < 0 || !write_all(fd, b->bytes, b->n) || fchown(fd, uid, gid) < 0 ||
        fsync(fd) < 0)
        return err_errno(err, errno, "write %s", path);
    return true;
}

bool fs_replace_for(const char *path, const FsBytes *b, uid_t uid, gid_t gid, Err *err)
{
    AUTOFREE char *tmp = xasprintf("%s.tmp", path);
    AUTOFREE char *dir = fs_dirname(path);
    if (!write_synced(tmp, b, uid, gid, err)) {
        unlink(tmp);
        return false;
    }
    if (rename(tmp, path) < 0)
        return err_errno(err, errno, "rename %s to %s", tmp, path);
    return fs_sync_dir(dir, err);
}

bool fs_replace(const char *path, const void *bytes, size_t n, mode_t mode, Err *err)
{
    return fs_replace_for(path, &(FsBytes){bytes, n, mode}, (uid_t)-1, (gid_t)-1, err);
}

bool fs_mkdirs(const char *path, mode_t mode, Err *err)
{
    AUTOFREE char *p = xstrdup(path);
    for (char *slash = p + 1;; slash++) {
        char c = *slash;
        if (c && c != '/')
            continue;
        *slash = 0;
        if (mkdir(p, mode) < 0 && errno != EEXIST)
            return err_errno(err, errno, "create folder %s", p);
        *slash = c;
        if (!c)
            break;
    }
    struct stat st;
    if (stat(path, &st) < 0 || !S_ISDIR(st.st_mode))
        return err_set(err, ERR_IO, ENOTDIR, "%s is not a folder", path);
    return true;
}

static bool sync_path(const char *path, int flags, Err *err)
{
    AUTOFD int fd = open(path, flags | O_CLOEXEC);
    if (fd < 0 || fsync(fd) < 0)
        return err_errno(err, errno, "sync %s", path);
    return true;
}

bool fs_sync_dir(const char *path, Err *err)
{
    return sync_path(path, O_RDONLY | O_DIRECTORY, err);
}

bool fs_sync_file(const char *path, Err *err)
{
    return sync_path(path, O_RDONLY, err);
}

bool fs_remove(const char *path, Err *err)
{
    if (unlink(path) < 0 && errno != ENOENT)
        return err_errno(err, errno, "remove %s", path);
    return true;
}

static bool remove_entry(const char *path, Err *err);

static bool remove_children(const char *path, Err *err)
{
    AUTO(strlist_done) StrList names = STRLIST_INIT;
    if (!fs_list(path, &names, err))
        return false;
    for (size_t i = 0; i < names.n; i++) {
        AUTOFREE char *child = xasprintf("%s/%s", path, names.v[i]);
        if (!remove_entry(child, err))
            return false;
    }
    return true;
}

static bool remove_entry(const char *path, Err *err)
{
    struct stat st;
    if (lstat(path, &st) < 0)
        return errno == ENOENT ? true : err_errno(err, errno, "look at %s", path);
    if (!S_ISDIR(st.st_mode))
        return fs_remove(path, err);
    if (!remove_children(path, err))
        return false;
    if (rmdir(path) < 0 && errno != ENOENT)
        return err_errno(err, errno, "remove folder %s", path);
    return true;
}

bool fs_remove_tree(const char *path, Err *err)
{
    return remove_entry(path, err);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

bool fs_list(const char *dir, StrList *ret, Err *err)
{
    AUTO(close_dir) DIR *d = opendir(dir);
    if (!d && errno == ENOENT)
        return err_set(err, ERR_NOT_FOUND, errno, "no such folder: %s", dir);
    if (!d)
        return err_errno(err, errno, "open folder %s", dir);
    for (struct dirent *e; (e = readdir(d));)
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            strlist_add(ret, e->d_name);
    if (ret->n)
        qsort(ret->v, ret->n, sizeof *ret->v, by_name);
    return true;
}

bool fs_free_bytes(const char *path, int64_t *ret, Err *err)
{
    struct statvfs v;
    if (statvfs(path, &v) < 0)
        return err_errno(err, errno, "read the free space of %s", path);
    *ret = (int64_t)v.f_bavail * (int64_t)v.f_frsize;
    return true;
}

enum { TRIES = 100 };

int fs_open_beneath(int folder, const char *name, int flags, mode_t mode, Err *err)
{
    struct open_how how = {.flags = (uint64_t)(flags | O_CLOEXEC),
                           .mode = flags & O_CREAT ? mode : 0,
                           .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS};
    int fd = -1;
    /* EAGAIN: something was renamed meanwhile, anywhere, and the kernel could not tell whether it stays
     * below. */
    for (int i = 0; i < TRIES; i++)
        if ((fd = (int)syscall(SYS_openat2, folder, name, &how, sizeof how)) >= 0 || errno != EAGAIN)
            break;
    if (fd < 0)
        err_errno(err, errno, "open %s", name);
    return fd;
}

bool fs_exists(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0;
}

int64_t fs_size(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 ? (int64_t)st.st_size : -1;
}

int64_t fs_tree_bytes(const char *dir)
{
    Err ignored;
    int64_t sum = 0;
    AUTO(strlist_done) StrList names = STRLIST_INIT;
    if (!fs_list(dir, &names, &ignored))
        return 0;
    for (size_t i = 0; i < names.n; i++) {
        struct stat st;
        AUTOFREE char *path = xasprintf("%s/%s", dir, names.v[i]);
        if (lstat(path, &st) == 0)
            sum += S_ISDIR(st.st_mode) ? fs_tree_bytes(path) : S_ISREG(st.st_mode) ? (int64_t)st.st_size : 0;
    }
    return sum;
}

bool fs_check_private(const char *path, Err *err)
{
    struct stat st;
    if (stat(path, &st) < 0)
        return err_errno(err, errno, "read %s", path);
    if (st.st_mode & 077)
        return err_set(err, ERR_REFUSED, 0,
                       "%s holds a secret and others can read it (mode %04o): run chmod 600 %s", path,
                       (unsigned)(st.st_mode & 07777), path);
    return true;
}

char *fs_dirname(const char *path)
{
    const char *slash = strrchr(path, '/');
    if (!slash)
        return xstrdup(".");
    return slash == path ? xstrdup("/") : xstrndup(path, (size_t)(slash - path));
}

char *fs_program_dir(void)
{
    char path[4096];
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
    if (n < 0)
        return xstrdup(".");
    path[n] = 0;
    return fs_dirname(path);
}
