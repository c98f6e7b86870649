/* SPDX-License-Identifier: Apache-2.0 */
#include "logs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/file/fs.h"
#include "common/wire/runkey.h"

static char *folder(const char *state_dir, const char *id)
{
    return xasprintf("%s/logs/%s", state_dir, id);
}

/* ---- how long --------------------------------------------------------------------------------------- */

static void remove_run(const char *state_dir, const char *id)
{
    Err err;
    AUTOFREE char *dir = folder(state_dir, id);
    if (!fs_remove_tree(dir, &err))
        log_warn("old logs stay: %s", err.text);
}

static void remove_old(const char *state_dir)
{
    Err err;
    struct stat st;
    AUTO(strlist_done) StrList ids = STRLIST_INIT;
    AUTOFREE char *logs = xasprintf("%s/logs", state_dir);
    int64_t oldest_s = clock_wall_ms() / 1000 - (int64_t)LOGS_KEEP_DAYS * 86400;
    if (!fs_list(logs, &ids, &err))
        return;
    for (size_t i = 0; i < ids.n; i++) {
        AUTOFREE char *dir = folder(state_dir, ids.v[i]);
        if (stat(dir, &st) == 0 && st.st_mtime < oldest_s)
            remove_run(state_dir, ids.v[i]);
    }
}

static int by_run(const void *a, const void *b)
{
    int64_t task, x = 0, y = 0;
    (void)!wire_run_id(*(char *const *)a, &task, &x);
    (void)!wire_run_id(*(char *const *)b, &task, &y);
    return x < y ? -1 : x > y;
}

void logs_of_task(const char *state_dir, int64_t task, StrList *ret)
{
    Err ignored;
    int64_t its, no;
    AUTO(strlist_done) StrList ids = STRLIST_INIT;
    AUTOFREE char *logs = xasprintf("%s/logs", state_dir);
    if (!fs_list(logs, &ids, &ignored))
        return;
    for (size_t i = 0; i < ids.n; i++)
        if (wire_run_id(ids.v[i], &its, &no) && its == task && no)
            strlist_add(ret, ids.v[i]);
    if (ret->n)
        qsort(ret->v, ret->n, sizeof *ret->v, by_run);
}

/* Its newest runs stay, together no more than so much, and the one that has just come in any case. */
static void rotate_task(const char *state_dir, const char *id, int64_t most)
{
    int64_t task, no, bytes = 0;
    AUTO(strlist_done) StrList ids = STRLIST_INIT;
    if (!wire_run_id(id, &task, &no))
        return;
    logs_of_task(state_dir, task, &ids);
    for (size_t i = ids.n; i-- > 0;) {
        AUTOFREE char *dir = folder(state_dir, ids.v[i]);
        bytes += fs_tree_bytes(dir);
        if (bytes > most && !str_eq(ids.v[i], id))
            remove_run(state_dir, ids.v[i]);
    }
}

bool logs_keep(const char *state_dir, const char *id, const char *program_dir, int64_t task_bytes, Err *err)
{
    static const char *const names[] = {"log", "log.1", "log.start", "err", "err.1", "err.start"};
    AUTOFREE char *dir = folder(state_dir, id);
    if (!fs_mkdirs(dir, 0700, err))
        return false;
    for (size_t i = 0; i < COUNT(names); i++) {
        AUTOFREE char *from = xasprintf("%s/%s", program_dir, names[i]);
        AUTOFREE char *to = xasprintf("%s/%s", dir, names[i]);
        if (rename(from, to) < 0 && errno != ENOENT)
            return err_errno(err, errno, "move %s to %s", from, to);
    }
    remove_old(state_dir);
    rotate_task(state_dir, id, task_bytes);
    return true;
}

char *logs_find(const char *state_dir, const char *id)
{
    AUTOFREE char *dir = folder(state_dir, id);
    return fs_exists(dir) ? STEAL(dir) : NULL;
}

/* ---- reading ---------------------------------------------------------------------------------------- */

static int64_t log_start(const char *path)
{
    Err ignored;
    long long start = 0;
    AUTO(str_done) Str text = STR_INIT;
    AUTOFREE char *name = xasprintf("%s.start", path);
    if (fs_read(name, 64, &text, &ignored)) {
        if (text.len)
            text.p[--text.len] = 0; /* the newline */
        if (!str_to_i64(str_z(&text), 0, INT64_MAX, &start))
            start = 0;
    }
    return start;
}

static void append_file(const char *path, int64_t from, size_t most, Str *out)
{
    char buffer[65536];
    AUTOFD int fd = open(path, O_RDONLY | O_CLOEXEC);
    for (ssize_t n; fd >= 0 && out->len < most && (n = pread(fd, buffer, sizeof buffer, from)) > 0; from += n)
        str_add(out, buffer, (size_t)n < most - out->len ? (size_t)n : most - out->len);
}

int64_t logs_read(const char *dir, const char *stream, int64_t offset, size_t most, Str *out,
                  int64_t *ret_next)
{
    AUTOFREE char *path = xasprintf("%s/%s", dir, stream), *old = xasprintf("%s.1", path);
    int64_t start = log_start(path), size = fs_size(path), before = fs_size(old);
    int64_t first = start - (before > 0 ? before : 0), from = offset > first ? offset : first;
    if (from < start)
        append_file(old, from - first, most, out);
    append_file(path, from > start ? from - start : 0, most, out);
    *ret_next = from + (int64_t)out->len;
    return start + (size > 0 ? size : 0);
}

bool logs_read_end(const char *dir, const char *stream, size_t most, Str *out)
{
    AUTO(str_done) Str none = STR_INIT;
    int64_t next, size = logs_read(dir, stream, 0, 0, &none, &next);
    (void)logs_read(dir, stream, size > (int64_t)most ? size - (int64_t)most : 0, most, out, &next);
    return (int64_t)out->len >= size;
}
