/* SPDX-License-Identifier: Apache-2.0 */
#include "seal_folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/text.h"
#include "common/file/fs.h"
#include "common/file/resultname.h"

enum { MOST_ENTRIES = 1000000, MOST_EXTENTS = 100000, LEASE_WAIT_MS = 60000, LEASE_LOOK_MS = 20 };
static const int64_t MOST_HOLES = INT64_C(1) << 30; /* bytes of a file that are on no disk */

bool seal_folder_open(const char *path, SealFolder *ret, Err *err)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return err_errno(err, errno, "open folder %s", path);
    *ret = (SealFolder){path, fd};
    return true;
}

void seal_folder_done(SealFolder *f)
{
    fs_close_fd(&f->fd);
}

char *seal_fd_path(int fd)
{
    return xasprintf("/proc/self/fd/%d", fd);
}

static bool refuse(const char *name, const char *why, Err *err)
{
    AUTO(str_done) Str shown = STR_INIT;
    text_clean(&shown, name);
    return err_set(err, ERR_REFUSED, 0, "\"%.300s\" %s: a result does not hold it", str_z(&shown), why);
}

/* ---- one file ------------------------------------------------------------------------------------- */

/* By extents, not by st_blocks: file systems that compress need few blocks for honest data. */
static bool check_holes(int fd, const char *name, int64_t size, Err *err)
{
    int64_t holes = 0;
    off_t at = 0;
    for (int i = 0; i < MOST_EXTENTS && at < size && holes <= MOST_HOLES; i++) {
        off_t data = lseek(fd, at, SEEK_DATA);
        if (data < 0 && errno != ENXIO)
            return true; /* a file system that does not tell */
        holes += (data < 0 ? size : data) - at;
        if (data < 0)
            break;
        at = lseek(fd, data, SEEK_HOLE);
        if (at < 0)
            return true;
    }
    if (lseek(fd, 0, SEEK_SET) < 0)
        return err_errno(err, errno, "read %s", name);
    return holes <= MOST_HOLES || refuse(name, "has more than 1 GiB of holes (a sparse file)", err);
}

static bool check_kind(const struct stat *st, const char *name, Err *err)
{
    if (!S_ISREG(st->st_mode))
        return refuse(name, "is neither a file nor a folder", err);
    if (st->st_nlink != 1)
        return refuse(name, "has more than one name (hard links)", err);
    if (st->st_mode & (S_ISUID | S_ISGID))
        return refuse(name, "is setuid or setgid", err);
    if (st->st_uid != geteuid())
        return refuse(name, "belongs to another user", err);
    return true;
}

/* O_NONBLOCK: a FIFO does not hold us up. */
static int open_entry(int folder, const char *name, const char *shown, int flags, Err *err)
{
    int fd = -1;
    /* Somebody may hold a lease on the file, which the kernel breaks within 45 s. */
    for (int64_t until = clock_mono_ms() + LEASE_WAIT_MS;;) {
        fd = fs_open_beneath(folder, name, flags | O_NOFOLLOW | O_NONBLOCK, 0, err);
        if (fd >= 0 || err->code != EAGAIN || clock_mono_ms() >= until)
            break;
        clock_sleep_ms(LEASE_LOOK_MS);
    }
    if (fd < 0 && (err->code == ELOOP || err->code == ENXIO))
        (void)!refuse(shown, err->code == ELOOP ? "is a symbolic link" : "is neither a file nor a folder",
                      err);
    return fd;
}

int seal_folder_read(const SealFolder *f, const char *name, Err *err)
{
    struct stat st;
    AUTOFD int fd = open_entry(f->fd, name, name, O_RDONLY, err);
    if (fd < 0)
        return -1;
    if (fstat(fd, &st) < 0) {
        err_errno(err, errno, "read %s", name);
        return -1;
    }
    if (!check_kind(&st, name, err) || !check_holes(fd, name, st.st_size, err))
        return -1;
    int kept = fd;
    fd = -1;
    return kept;
}

/* The folder that a name stands in, and its last part. */
static int parent_of(const SealFolder *f, const char *name, const char **ret_last, Err *err)
{
    const char *slash = strrchr(name, '/');
    AUTOFREE char *above = slash ? xstrndup(name, (size_t)(slash - name)) : xstrdup(".");
    *ret_last = slash ? slash + 1 : name;
    return fs_open_beneath(f->fd, above, O_RDONLY | O_DIRECTORY, 0, err);
}

int seal_folder_create(const SealFolder *f, const char *name, Err *err)
{
    if (!seal_folder_remove(f, name, err))
        return -1;
    return fs_open_beneath(f->fd, name, O_RDWR | O_CREAT | O_EXCL, 0600, err);
}

bool seal_folder_has(const SealFolder *f, const char *name)
{
    Err ignored;
    AUTOFD int fd = fs_open_beneath(f->fd, name, O_PATH | O_NOFOLLOW, 0, &ignored);
    return fd >= 0;
}

bool seal_folder_rename(const SealFolder *f, const char *from, const char *to, Err *err)
{
    const char *a, *b;
    AUTOFD int above = parent_of(f, from, &a, err);
    if (above < 0)
        return false;
    AUTOFD int below = parent_of(f, to, &b, err);
    if (below < 0)
        return false;
    return renameat(above, a, below, b) == 0 || err_errno(err, errno, "rename %s to %s", from, to);
}

bool seal_folder_remove(const SealFolder *f, const char *name, Err *err)
{
    const char *last;
    AUTOFD int above = parent_of(f, name, &last, err);
    if (above < 0)
        return false;
    return unlinkat(above, last, 0) == 0 || errno == ENOENT || err_errno(err, errno, "remove %s", name);
}

/* ---- all of them ---------------------------------------------------------------------------------- */

typedef bool (*EntryTake)(void *arg, int folder, const char *below, const char *entry, Err *err);

static void close_dir(DIR **d)
{
    if (*d)
        closedir(*d);
}

static bool each_entry(int fd, const char *below, EntryTake take, void *arg, Err *err)
{
    AUTO(close_dir) DIR *d = fdopendir(fd);
    if (!d) {
        close(fd);
        return err_errno(err, errno, "open folder %s", below);
    }
    for (struct dirent *e; (e = readdir(d));)
        if (!str_eq(e->d_name, ".") && !str_eq(e->d_name, "..") &&
            !take(arg, dirfd(d), below, e->d_name, err))
            return false;
    return true;
}

typedef struct FolderWalk {
    const SealFolder *folder;
    StrList files, folders; /* folders: still to be walked */
} FolderWalk;

static bool check_size(int folder, const char *entry, const char *name, const struct stat *st, Err *err)
{
    if (st->st_size <= MOST_HOLES)
        return true;
    AUTOFD int fd = open_entry(folder, entry, name, O_RDONLY, err);
    return fd >= 0 && check_holes(fd, name, st->st_size, err);
}

static bool take_entry(void *arg, int folder, const char *below, const char *entry, Err *err)
{
    FolderWalk *w = arg;
    struct stat st;
    AUTOFREE char *name = *below ? xasprintf("%s/%s", below, entry) : xstrdup(entry);
    if (w->files.n + w->folders.n >= MOST_ENTRIES)
        return refuse(w->folder->path, "holds more than a million files", err);
    if (fstatat(folder, entry, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return err_errno(err, errno, "read %s", name);
    if (S_ISDIR(st.st_mode))
        strlist_add(&w->folders, name);
    else if (S_ISLNK(st.st_mode))
        return refuse(name, "is a symbolic link", err);
    else if (!check_kind(&st, name, err) || !check_size(folder, entry, name, &st, err))
        return false;
    else
        strlist_add(&w->files, name);
    return true;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static size_t depth_of(const char *name)
{
    size_t n = 1;
    for (; *name; name++)
        n += *name == '/';
    return n;
}

/* Breadth first: a tree as deep as a job likes costs no stack. */
static bool walk(FolderWalk *w, Err *err)
{
    int top = fs_open_beneath(w->folder->fd, ".", O_RDONLY | O_DIRECTORY, 0, err);
    if (top < 0 || !each_entry(top, "", take_entry, w, err))
        return false;
    for (size_t i = 0; i < w->folders.n; i++) {
        AUTOFREE char *name = xstrdup(w->folders.v[i]);
        if (depth_of(name) >= RESULTNAME_DEPTH)
            return refuse(name, "is a folder too deep", err);
        int fd = open_entry(w->folder->fd, name, name, O_RDONLY | O_DIRECTORY, err);
        if (fd < 0 || !each_entry(fd, name, take_entry, w, err))
            return false;
    }
    return true;
}

bool seal_folder_list(const SealFolder *f, StrList *ret, Err *err)
{
    FolderWalk w = {.folder = f};
    bool ok = walk(&w, err);
    strlist_done(&w.folders);
    if (!ok) {
        strlist_done(&w.files);
        return false;
    }
    if (w.files.n)
        qsort(w.files.v, w.files.n, sizeof *w.files.v, by_name);
    *ret = w.files;
    return true;
}

static bool sync_one(int fd, const char *name, Err *err)
{
    bool ok = fd >= 0 && fchmod(fd, 0700) == 0 && fsync(fd) == 0;
    if (fd >= 0 && !ok)
        err_errno(err, errno, "sync folder %s", name);
    if (fd >= 0)
        close(fd);
    return ok;
}

bool seal_folder_sync(const SealFolder *f, Err *err)
{
    FolderWalk w = {.folder = f};
    bool ok = walk(&w, err);
    for (size_t i = w.folders.n; ok && i-- > 0;)
        ok = sync_one(fs_open_beneath(f->fd, w.folders.v[i], O_RDONLY | O_DIRECTORY, 0, err), w.folders.v[i],
                      err);
    ok = ok && sync_one(fs_open_beneath(f->fd, ".", O_RDONLY | O_DIRECTORY, 0, err), f->path, err);
    strlist_done(&w.folders);
    strlist_done(&w.files);
    return ok;
}
