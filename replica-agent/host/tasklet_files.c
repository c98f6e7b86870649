/* SPDX-License-Identifier: Apache-2.0 */
#include "tasklet_files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/file/fs.h"
#include "common/file/sha256.h"
#include "replica-agent/core/tasklet_header.h"

enum { NICE = 10 };

/* ---- the file --------------------------------------------------------------------------------------- */

/* Its beginning goes to the header, the whole is what tells two versions apart. */
static bool read_file(int fd, Str *beginning, char digest[65], Err *err)
{
    char buffer[65536];
    ssize_t n;
    Sha256 *s = sha256_new();
    while ((n = read(fd, buffer, sizeof buffer)) > 0) {
        size_t room = TASKLET_HEADER_BYTES - beginning->len;
        str_add(beginning, buffer, (size_t)n < room ? (size_t)n : room);
        sha256_add(s, buffer, (size_t)n);
    }
    sha256_finish(s, digest);
    return n == 0 || err_errno(err, errno, "read it");
}

static bool may_be_run(const struct stat *st, Err *err)
{
    if (st->st_mode & S_IWOTH)
        return err_set(err, ERR_CONFIG, 0, "may be written by everybody: chmod o-w it");
    return (st->st_mode & 0111) ||
           err_set(err, ERR_CONFIG, 0, "has a header and may not be executed: chmod +x it");
}

/* Without what stands behind its last dot. */
static char *stem_of(const char *file)
{
    const char *dot = strrchr(file, '.');
    return dot && dot != file ? xstrndup(file, (size_t)(dot - file)) : xstrdup(file);
}

static bool check_name(const char *file, const char *name, Err *err)
{
    AUTOFREE char *stem = stem_of(file);
    return str_eq(stem, name) ||
           err_set(err, ERR_CONFIG, 0,
                   "its header has the name \"%.100s\", its file another: call one as the other", name);
}

/* ---- the job ---------------------------------------------------------------------------------------- */

static void fill(const char *dir, const char *file, TaskletHeader *h, JobConfig *ret)
{
    JobFile *f = &ret->f;
    ret->path = xasprintf("%s/%s", dir, file);
    ret->tasklet = NEW(Tasklet);
    *ret->tasklet = h->t;
    h->t = (Tasklet){0};
    f->name = STEAL(h->name);
    f->kind = xstrdup(wire_enum_name(&task_kind_names, KIND_COMMAND));
    f->on = xstrdup(wire_enum_name(&node_role_names, (int)h->on));
    f->program = xstrdup(ret->path);
    f->upload = xstrdup("none");
    f->compress = xstrdup("gzip");
    f->nice = NICE;
    f->time_limit_ms = h->time_limit_ms;
}

static bool read_header(const char *file, const struct stat *st, const Str *text, TaskletHeader *h,
                        bool *ret_other, Err *err)
{
    if (!tasklet_header_read(str_z(text), h, err)) {
        *ret_other = err->kind == ERR_NOT_FOUND && !(st->st_mode & 0111);
        err->kind = ERR_CONFIG;
        return *ret_other;
    }
    return may_be_run(st, err) && check_name(file, h->name, err);
}

bool tasklet_load(const char *dir, const char *file, JobConfig *ret, bool *ret_other, Err *err)
{
    struct stat st;
    AUTO(str_done) Str text = STR_INIT;
    TaskletHeader h = {0};
    AUTOFREE char *path = xasprintf("%s/%s", dir, file);
    AUTOFD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    *ret_other = false;
    if (fd < 0 || fstat(fd, &st) < 0)
        return err_errno(err, errno, "open it");
    *ret_other = *file == '.' || str_ends(file, "~") || !S_ISREG(st.st_mode);
    if (*ret_other)
        return true;
    bool ok = read_file(fd, &text, ret->digest, err) && read_header(file, &st, &text, &h, ret_other, err);
    if (ok && !*ret_other)
        fill(dir, file, &h, ret);
    tasklet_header_done(&h);
    return ok;
}

char *tasklet_folder_trouble(const char *dir)
{
    struct stat st;
    if (stat(dir, &st) < 0)
        return xasprintf("%s: %s", dir, errno == ENOENT ? "there is no such folder" : strerror(errno));
    if (!S_ISDIR(st.st_mode))
        return xasprintf("%s is not a folder", dir);
    return st.st_mode & S_IWOTH
               ? xasprintf("%s may be written by everybody, who could put programs there: chmod o-w it", dir)
               : NULL;
}
