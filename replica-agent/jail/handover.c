/* SPDX-License-Identifier: Apache-2.0 */
#include "handover.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/str.h"
#include "common/file/fs.h"

enum { MOST_FOLDERS = 100000 };

typedef struct Handover {
    uid_t from, to;
    gid_t group;
    StrList folders; /* still to be walked, below the first */
} Handover;

static void close_dir(DIR **d)
{
    if (*d)
        closedir(*d);
}

static bool give(const Handover *h, int folder, const char *name, Err *err)
{
    struct stat st;
    if (fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT || err_errno(err, errno, "look at %s", name);
    if (st.st_uid != h->from || (!S_ISDIR(st.st_mode) && st.st_nlink > 1))
        return true;
    return fchownat(folder, name, h->to, h->group, AT_SYMLINK_NOFOLLOW) == 0 ||
           err_errno(err, errno, "hand %s over", name);
}

static bool give_entries(Handover *h, int folder, const char *below, Err *err)
{
    AUTO(close_dir) DIR *d = fdopendir(folder);
    if (!d) {
        close(folder);
        return err_errno(err, errno, "open a folder to hand over");
    }
    for (struct dirent *e; (e = readdir(d));) {
        struct stat st;
        if (str_eq(e->d_name, ".") || str_eq(e->d_name, ".."))
            continue;
        if (!give(h, dirfd(d), e->d_name, err))
            return false;
        if (fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode) &&
            h->folders.n < MOST_FOLDERS)
            strlist_addf(&h->folders, "%s%s%s", below, *below ? "/" : "", e->d_name);
    }
    return true;
}

static bool walk(Handover *h, int top, Err *err)
{
    int fd = fs_open_beneath(top, ".", O_RDONLY | O_DIRECTORY, 0, err);
    if (fd < 0 || !give_entries(h, fd, "", err))
        return false;
    for (size_t i = 0; i < h->folders.n; i++) {
        AUTOFREE char *name = xstrdup(h->folders.v[i]);
        fd = fs_open_beneath(top, name, O_RDONLY | O_DIRECTORY, 0, err);
        if (fd < 0 && (err->code == ENAMETOOLONG || err->code == ENOENT))
            continue; /* deeper than any result: sealing refuses it */
        if (fd < 0 || !give_entries(h, fd, name, err))
            return false;
    }
    return true;
}

/* The folder last: while it is the job's, it is known that something was left to do. */
bool handover(int folder, uid_t from, uid_t to, gid_t group, Err *err)
{
    Handover h = {from, to, group, STRLIST_INIT};
    bool ok = walk(&h, folder, err);
    strlist_done(&h.folders);
    return ok && (fchown(folder, to, group) == 0 || err_errno(err, errno, "hand the folder over"));
}
