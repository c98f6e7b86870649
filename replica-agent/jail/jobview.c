/* SPDX-License-Identifier: Apache-2.0 */
#include "jobview.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/file/fs.h"

enum { CNF_BYTES = 65536 };

/* Something that is there before anything is covered, and must be there afterwards. */
typedef struct ShownPath {
    const char *path;
    int fd;
    bool writable;
} ShownPath;

typedef struct JobView {
    const JailOrder *order;
    JobUser user;
    StrList hide, covers; /* covers: folders that stand empty now */
    ShownPath *kept;
    size_t n;
} JobView;

/* ---- paths ---------------------------------------------------------------------------------------- */

static bool is_below(const char *path, const char *folder)
{
    size_t n = strlen(folder);
    return strncmp(path, folder, n) == 0 && (path[n] == '/' || !path[n] || n == 1);
}

static bool is_covered(const JobView *v, const char *path)
{
    for (size_t i = 0; i < v->covers.n; i++)
        if (is_below(path, v->covers.v[i]))
            return true;
    return false;
}

static bool may_pass(const struct stat *st, JobUser u)
{
    mode_t bit = st->st_uid == u.uid ? S_IXUSR : st->st_gid == u.gid ? S_IXGRP : S_IXOTH;
    return st->st_mode & bit;
}

/* The highest folder on the way that the job's user cannot pass is covered: then only what the job is shown
 * stands below it. */
static void hide_what_cannot_be_passed(JobView *v, const char *path)
{
    struct stat st;
    for (const char *p = strchr(path + 1, '/'); p; p = strchr(p + 1, '/')) {
        AUTOFREE char *folder = xstrndup(path, (size_t)(p - path));
        if (strlist_has(&v->hide, folder) || stat(folder, &st) < 0)
            return;
        if (!may_pass(&st, v->user)) {
            strlist_add(&v->hide, folder);
            return;
        }
    }
}

static int by_length(const void *a, const void *b)
{
    size_t n = strlen(*(char *const *)a), m = strlen(*(char *const *)b);
    return n < m ? -1 : n > m;
}

/* ---- what is kept --------------------------------------------------------------------------------- */

static void keep(JobView *v, const char *path, bool writable)
{
    if (!path || *path != '/')
        return;
    int fd = open(path, O_PATH | O_CLOEXEC);
    if (fd >= 0)
        v->kept[v->n++] = (ShownPath){path, fd, writable};
}

static void keep_all(JobView *v)
{
    const JailOrder *o = v->order;
    v->kept = xcalloc(o->show.n + 2, sizeof *v->kept);
    keep(v, o->result, true);
    keep(v, o->program, false);
    for (size_t i = 0; i < o->show.n; i++)
        keep(v, o->show.v[i], false);
}

/* ---- mounts --------------------------------------------------------------------------------------- */

/* What a mount has already may not be taken from it in a user namespace. */
static unsigned long flags_of(const char *path)
{
    static const struct {
        unsigned long have, want;
    } map[] = {{ST_NOSUID, MS_NOSUID},   {ST_NODEV, MS_NODEV},       {ST_NOEXEC, MS_NOEXEC},
               {ST_NOATIME, MS_NOATIME}, {ST_RELATIME, MS_RELATIME}, {ST_NODIRATIME, MS_NODIRATIME},
               {ST_RDONLY, MS_RDONLY}};
    struct statvfs s;
    unsigned long flags = 0;
    for (size_t i = 0; statvfs(path, &s) == 0 && i < COUNT(map); i++)
        flags |= s.f_flag & map[i].have ? map[i].want : 0;
    return flags;
}

static bool remount(const char *path, unsigned long more)
{
    return mount(NULL, path, NULL, MS_BIND | MS_REMOUNT | flags_of(path) | more, NULL) == 0;
}

static bool cover(JobView *v, const char *path, Err *err)
{
    struct stat st;
    if (lstat(path, &st) < 0 || S_ISLNK(st.st_mode))
        return true; /* not there, or below what is covered already */
    if (!S_ISDIR(st.st_mode))
        return mount("/dev/null", path, NULL, MS_BIND, NULL) == 0 ||
               err_errno(err, errno, "hide %s from the job", path);
    if (mount("siding", path, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755,size=1m,nr_inodes=4096") < 0)
        return err_errno(err, errno, "hide %s from the job", path);
    strlist_add(&v->covers, path);
    return true;
}

static bool make_place(const char *path, bool folder, Err *err)
{
    AUTOFREE char *above = fs_dirname(path);
    if (!fs_mkdirs(folder ? path : above, 0755, err))
        return false;
    AUTOFD int fd = folder ? -1 : open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0444);
    return folder || fd >= 0 || err_errno(err, errno, "make %s for the job", path);
}

static bool show(JobView *v, const ShownPath *k, Err *err)
{
    struct stat st, now;
    if (fstat(k->fd, &st) < 0)
        return err_errno(err, errno, "look at %s", k->path);
    bool seen = stat(k->path, &now) == 0 && now.st_dev == st.st_dev && now.st_ino == st.st_ino;
    if (seen || !is_covered(v, k->path))
        return true;
    if (!make_place(k->path, S_ISDIR(st.st_mode), err))
        return false;
    AUTOFREE char *from = xasprintf("/proc/self/fd/%d", k->fd);
    if (mount(from, k->path, NULL, MS_BIND, NULL) < 0 ||
        !remount(k->path, MS_NOSUID | MS_NODEV | (k->writable ? 0 : MS_RDONLY)))
        return err_errno(err, errno, "show %s to the job", k->path);
    return true;
}

/* ---- the option file ------------------------------------------------------------------------------ */

/* Its folder is the job's home, too: it may leave things there, and they go with it. */
static bool make_home(const JobView *v, const char *path, Err *err)
{
    AUTOFREE char *options =
        xasprintf("mode=0700,size=64m,nr_inodes=16384,uid=%u,gid=%u", v->user.uid, v->user.gid);
    return fs_mkdirs(path, 0755, err) &&
           (mount("siding", path, "tmpfs", MS_NOSUID | MS_NODEV, options) == 0 ||
            err_errno(err, errno, "make a home for the job at %s", path));
}

static bool write_cnf(JobView *v, int from, Err *err)
{
    const char *path = v->order->cnf;
    AUTOFREE char *text = xcalloc(CNF_BYTES, 1);
    ssize_t n = from >= 0 ? pread(from, text, CNF_BYTES, 0) : 0;
    if (!*path)
        return true;
    if (n < 0 || n == CNF_BYTES || !is_covered(v, path))
        return err_set(err, ERR_REFUSED, 0, "%s is no place for a job's option file", path);
    AUTOFREE char *above = fs_dirname(path);
    if (!make_home(v, above, err))
        return false;
    AUTOFD int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, text, (size_t)n) != n || fchown(fd, v->user.uid, v->user.gid) < 0)
        return err_errno(err, errno, "write the job's option file %s", path);
    return true;
}

/* ---- the whole ------------------------------------------------------------------------------------ */

/* Of processes it sees its own; what it could set of the kernel as root's user is read-only. */
static bool mount_proc(Err *err)
{
    if (mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0)
        return err_errno(err, errno, "mount a /proc of the job's own");
    static const char *const kernel[] = {"/proc/sys", "/proc/sysrq-trigger", "/proc/irq", "/proc/bus"};
    for (size_t i = 0; i < COUNT(kernel); i++)
        if (mount(kernel[i], kernel[i], NULL, MS_BIND, NULL) == 0)
            (void)remount(kernel[i], MS_RDONLY);
    struct mount_attr read_only = {.attr_set = MOUNT_ATTR_RDONLY};
    (void)syscall(SYS_mount_setattr, AT_FDCWD, "/sys", AT_RECURSIVE, &read_only, sizeof read_only);
    return true;
}

static bool build(JobView *v, int cnf, Err *err)
{
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        return err_errno(err, errno, "take the mounts apart from the host's");
    keep_all(v);
    for (size_t i = 0; i < v->hide.n; i++)
        if (!cover(v, v->hide.v[i], err))
            return false;
    for (size_t i = 0; i < v->n; i++)
        if (!show(v, &v->kept[i], err))
            return false;
    if (!write_cnf(v, cnf, err) || !mount_proc(err))
        return false;
    for (size_t i = 0; i < v->covers.n; i++)
        if (!remount(v->covers.v[i], MS_RDONLY) && errno != ENOENT && errno != EINVAL)
            return err_errno(err, errno, "close %s", v->covers.v[i]);
    return true;
}

bool jobview_build(const JailOrder *o, JobUser user, int cnf, Err *err)
{
    JobView v = {.order = o, .user = user};
    mode_t mask = umask(022); /* the folders on its way are passed by the job's user */
    strlist_add_all(&v.hide, &o->hide);
    hide_what_cannot_be_passed(&v, o->result);
    hide_what_cannot_be_passed(&v, o->cnf);
    if (v.hide.n)
        qsort(v.hide.v, v.hide.n, sizeof *v.hide.v, by_length);
    bool ok = build(&v, cnf, err);
    for (size_t i = 0; i < v.n; i++)
        close(v.kept[i].fd);
    free(v.kept);
    strlist_done(&v.hide);
    strlist_done(&v.covers);
    umask(mask);
    return ok;
}
