/* SPDX-License-Identifier: Apache-2.0 */
#include "splitwork.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { MOST_SHARDS = 100000, MOST_DESCRIPTORS = 1 << 20, LONGEST_LINE = 16 << 20 };

struct SplitWork {
    int fd;
    pthread_mutex_t lock; /* one request at a time */
    Str in;
};

static bool number_of(const char *name, long long most, long long fallback, int64_t *ret, Err *err)
{
    const char *text = getenv(name);
    long long n = fallback;
    if (text && *text && !str_to_i64(text, 0, most, &n))
        return err_set(err, ERR_USAGE, 0, "%s is \"%s\", not a number", name, text);
    *ret = n;
    return true;
}

bool splitwork_shard(int64_t *ret_shard, int64_t *ret_shards, Err *err)
{
    if (!number_of("SIDING_SHARD", MOST_SHARDS, 0, ret_shard, err) ||
        !number_of("SIDING_SHARDS", MOST_SHARDS, 1, ret_shards, err))
        return false;
    return (*ret_shards >= 1 && *ret_shard < *ret_shards) ||
           err_set(err, ERR_USAGE, 0, "SIDING_SHARD=%lld of SIDING_SHARDS=%lld is not possible",
                   (long long)*ret_shard, (long long)*ret_shards);
}

SplitWork *splitwork_open(void)
{
    Err ignored;
    int64_t fd, shard, shards;
    if (!number_of("SIDING_SPLIT_FD", MOST_DESCRIPTORS, -1, &fd, &ignored) || fd < 0 ||
        !splitwork_shard(&shard, &shards, &ignored) || shards < 2)
        return NULL;
    SplitWork *w = NEW(SplitWork);
    w->fd = (int)fd;
    w->in = (Str)STR_INIT;
    pthread_mutex_init(&w->lock, NULL);
    return w;
}

void splitwork_close(SplitWork *w)
{
    if (!w)
        return;
    pthread_mutex_destroy(&w->lock);
    str_done(&w->in);
    free(w);
}

static bool lost(Err *err, int e)
{
    return err_set(err, ERR_LOST, e, "the list of this run's work cannot be reached%s%s", e ? ": " : "",
                   e ? strerror(e) : "");
}

static bool send_line(SplitWork *w, const json_t *request, Err *err)
{
    AUTOFREE char *text = json_text(request), *line = xasprintf("%s\n", text);
    size_t n = strlen(line);
    for (const char *p = line; n;) {
        ssize_t done = send(w->fd, p, n, MSG_NOSIGNAL);
        if (done < 0 && errno != EINTR)
            return lost(err, errno);
        p += done > 0 ? done : 0;
        n -= done > 0 ? (size_t)done : 0;
    }
    return true;
}

static bool read_line(SplitWork *w, json_t **ret, Err *err)
{
    const char *end;
    while (!(end = memchr(str_z(&w->in), '\n', w->in.len))) {
        char buffer[65536];
        ssize_t n = recv(w->fd, buffer, sizeof buffer, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0 || w->in.len > LONGEST_LINE)
            return lost(err, n < 0 ? errno : 0);
        str_add(&w->in, buffer, (size_t)n);
    }
    bool ok = json_parse(w->in.p, (size_t)(end - w->in.p), ret, err);
    str_clear(&w->in);
    return ok;
}

static bool read_error(const json_t *answer, Err *err)
{
    const char *text = json_str(answer, "error");
    if (!*text)
        return false;
    return !err_set(err, err_kind_from_name(json_str(answer, "kind")), 0, "%s", text);
}

/* Takes `request`. */
static bool ask(SplitWork *w, json_t *request, json_t **ret, Err *err)
{
    json_t *answer = NULL;
    pthread_mutex_lock(&w->lock);
    bool ok = send_line(w, request, err) && read_line(w, &answer, err);
    pthread_mutex_unlock(&w->lock);
    json_decref(request);
    if (ok && read_error(answer, err))
        ok = false;
    if (ok && ret)
        *ret = json_incref(answer);
    json_decref(answer);
    return ok;
}

static json_t *request(const char *op)
{
    json_t *j = json_object();
    json_set_str(j, "op", op);
    return j;
}

static json_t *of_piece(const char *op, const char *stream, int64_t number)
{
    json_t *j = request(op);
    json_set_str(j, "stream", stream);
    json_set_int(j, "number", number);
    return j;
}

bool splitwork_join(SplitWork *w, json_t *identity, json_t *streams, Err *err)
{
    json_t *j = request("join");
    json_object_set_new(j, "identity", identity);
    json_object_set_new(j, "streams", streams);
    return ask(w, j, NULL, err);
}

bool splitwork_take(SplitWork *w, json_t **ret, Err *err)
{
    return ask(w, request("take"), ret, err);
}

bool splitwork_cut(SplitWork *w, const char *stream, int64_t number, json_t *upto, int64_t walked, Err *err)
{
    json_t *j = of_piece("cut", stream, number);
    json_object_set_new(j, "upto", upto ? upto : json_null());
    json_set_int(j, "walked", walked);
    return ask(w, j, NULL, err);
}

bool splitwork_done(SplitWork *w, const char *stream, int64_t number, Err *err)
{
    return ask(w, of_piece("done", stream, number), NULL, err);
}
