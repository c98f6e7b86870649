/* SPDX-License-Identifier: Apache-2.0 */
#include "journal.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "common/file/fs.h"
#include "common/file/json.h"
#include "common/file/sha256.h"

enum { LONGEST_JOURNAL = 1 << 30 };

struct Journal {
    char *dir, *path;
    int fd;
    pthread_mutex_t lock;
    json_t *bounds, *chunks; /* "prefix/number": [literal…], {rows, sum, files} */
    json_t *files;
    bool added; /* a chunk since it was opened */
};

static char *path_in(const char *dir)
{
    return xasprintf("%s/.siding-journal", dir);
}

bool journal_exists(const char *dir)
{
    AUTOFREE char *path = path_in(dir), *whole = xasprintf("%s/metadata", dir);
    return fs_exists(path) && !fs_exists(whole);
}

void journal_close(Journal *j)
{
    if (!j)
        return;
    pthread_mutex_destroy(&j->lock);
    json_decref(j->bounds);
    json_decref(j->chunks);
    json_decref(j->files);
    if (j->fd >= 0)
        close(j->fd);
    free(j->dir);
    free(j->path);
    free(j);
}

/* ---- reading -------------------------------------------------------------------------------------- */

static bool is_intact(const Journal *j, const json_t *chunk)
{
    size_t i;
    json_t *f;
    json_array_foreach(json_object_get(chunk, "files"), i, f)
    {
        AUTOFREE char *path = xasprintf("%s/%s", j->dir, json_str(f, "name"));
        char sum[65];
        Err ignored;
        if (fs_size(path) != json_int(f, "compressed_bytes") || !sha256_file(path, sum, &ignored) ||
            !str_eq(sum, json_str(f, "sha256")))
            return false;
    }
    return true;
}

static void take_line(Journal *j, const json_t *line)
{
    const char *key = json_str(line, "key");
    json_t *bound = json_object_get(line, "upto");
    if (bound)
        json_object_set(j->bounds, key, bound);
    else if (is_intact(j, line)) {
        json_object_set(j->chunks, key, (json_t *)(uintptr_t)line);
        json_array_extend(j->files, json_object_get(line, "files"));
    }
}

static bool check_identity(const Journal *j, const json_t *have, const json_t *want, Err *err)
{
    if (json_equal((json_t *)(uintptr_t)have, (json_t *)(uintptr_t)want))
        return true;
    const char *was = json_str(have, "position"), *is = json_str(want, "position");
    if (!str_eq(was, is))
        return err_set(
            err, ERR_REFUSED, 0,
            "%s holds an unfinished dump of position %s, the server is at %s: give a new folder, or "
            "empty it",
            j->dir, *was ? was : "(unknown)", *is ? is : "(unknown)");
    return err_set(
        err, ERR_REFUSED, 0,
        "%s holds an unfinished dump with other options or definitions: go on with the same ones, give a "
        "new folder, or empty it",
        j->dir);
}

/* Nothing that this dump could keep or lose: it begins as if the folder were new. */
static bool begin_anew(Journal *j, bool *ret_any, Err *err)
{
    json_object_clear(j->bounds);
    *ret_any = false;
    return ftruncate(j->fd, 0) == 0 || err_errno(err, errno, "cut %s", j->path);
}

static bool read_lines(Journal *j, const Str *text, const json_t *identity, bool *ret_any, Err *err)
{
    *ret_any = false;
    bool same = true;
    const char *p = str_z(text), *end;
    for (; (end = strchr(p, '\n')); p = end + 1) {
        AUTOJSON json_t *line = NULL;
        Err ignored;
        if (!json_parse(p, (size_t)(end - p), &line, &ignored))
            break; /* cut short by a kill, or by what follows it */
        if (*ret_any)
            take_line(j, line);
        else
            same = check_identity(j, line, identity, err);
        *ret_any = true;
    }
    if (!same)
        return json_object_size(j->chunks) == 0 && begin_anew(j, ret_any, err);
    return ftruncate(j->fd, p - str_z(text)) == 0 || err_errno(err, errno, "cut %s", j->path);
}

/* ---- writing -------------------------------------------------------------------------------------- */

static bool append(Journal *j, const json_t *line, Err *err)
{
    AUTOFREE char *text = json_text(line), *whole = xasprintf("%s\n", text);
    size_t n = strlen(whole);
    ssize_t done = write(j->fd, whole, n);
    if (done == (ssize_t)n)
        return true;
    return err_errno(err, done < 0 ? errno : ENOSPC, "write %s", j->path);
}

bool journal_open(const char *dir, const json_t *identity, Journal **ret, Err *err)
{
    Journal *j = NEW(Journal);
    AUTO(str_done) Str text = STR_INIT;
    bool any = false;
    j->dir = xstrdup(dir);
    j->path = path_in(dir);
    j->bounds = json_object();
    j->chunks = json_object();
    j->files = json_array();
    pthread_mutex_init(&j->lock, NULL);
    j->fd = open(j->path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
    bool ok = j->fd >= 0 || err_errno(err, errno, "create %s", j->path);
    if (ok && flock(j->fd, LOCK_EX | LOCK_NB) < 0)
        ok = err_set(err, ERR_REFUSED, 0, "another dump is at work in %s", dir);
    ok = ok && fs_read(j->path, LONGEST_JOURNAL, &text, err) && read_lines(j, &text, identity, &any, err) &&
         (any || append(j, identity, err));
    if (!ok) {
        journal_close(j);
        return false;
    }
    *ret = j;
    return true;
}

bool journal_remove(Journal *j, Err *err)
{
    return fs_remove(j->path, err);
}

const json_t *journal_files(const Journal *j)
{
    return j->files;
}

static void key_of(char *ret, size_t n, const char *prefix, size_t number)
{
    snprintf(ret, n, "%s/%zu", prefix, number);
}

bool journal_bound(Journal *j, const char *prefix, size_t number, Bound *ret)
{
    char key[600];
    size_t i;
    json_t *v;
    key_of(key, sizeof key, prefix, number);
    pthread_mutex_lock(&j->lock);
    const json_t *bound = json_object_get(j->bounds, key);
    json_array_foreach((json_t *)(uintptr_t)bound, i, v) strlist_add(ret, json_string_value(v));
    pthread_mutex_unlock(&j->lock);
    return bound != NULL;
}

bool journal_chunk(Journal *j, const char *prefix, size_t number, RowSum *ret)
{
    char key[600];
    key_of(key, sizeof key, prefix, number);
    pthread_mutex_lock(&j->lock);
    const json_t *chunk = json_object_get(j->chunks, key);
    if (chunk)
        *ret = (RowSum){json_int(chunk, "rows"), (uint64_t)json_int(chunk, "sum")};
    pthread_mutex_unlock(&j->lock);
    return chunk != NULL;
}

bool journal_has_chunks(Journal *j)
{
    pthread_mutex_lock(&j->lock);
    bool some = json_object_size(j->chunks) > 0 || j->added;
    pthread_mutex_unlock(&j->lock);
    return some;
}

static bool add_line(Journal *j, const char *prefix, size_t number, const char *member, json_t *value,
                     const RowSum *sum, Err *err)
{
    char key[600];
    key_of(key, sizeof key, prefix, number);
    AUTOJSON json_t *line = json_object();
    json_set_str(line, "key", key);
    json_object_set_new(line, member, value);
    if (sum) {
        json_set_int(line, "rows", sum->rows);
        json_set_int(line, "sum", (int64_t)sum->sum);
    }
    pthread_mutex_lock(&j->lock);
    bool ok = append(j, line, err);
    j->added = j->added || sum != NULL;
    pthread_mutex_unlock(&j->lock);
    return ok;
}

bool journal_cut(Journal *j, const char *prefix, size_t number, const Bound *upto, Err *err)
{
    json_t *bound = json_array();
    for (size_t i = 0; i < upto->n; i++)
        json_array_append_new(bound, json_string(upto->v[i]));
    return add_line(j, prefix, number, "upto", bound, NULL, err);
}

bool journal_add(Journal *j, const char *prefix, size_t number, const RowSum *sum, json_t *files, Err *err)
{
    return add_line(j, prefix, number, "files", files, sum, err);
}
