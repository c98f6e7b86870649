/* SPDX-License-Identifier: Apache-2.0 */
#include "split_list.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/file/fs.h"
#include "replica-agent/core/split.h"

enum { LONGEST_FILE = 1 << 30 };

struct SplitList {
    Split *split;
    char *path;
    int fd;
    size_t shards;
    int64_t *heard_ms;
};

void split_list_free(SplitList *l)
{
    if (!l)
        return;
    split_free(l->split);
    if (l->fd >= 0)
        close(l->fd);
    free(l->heard_ms);
    free(l->path);
    free(l);
}

static void redo(SplitList *l, const json_t *line)
{
    Err err;
    bool changed;
    json_t *answer = NULL;
    const json_t *lost = json_object_get(line, "lost");
    if (json_bool(line, "ended"))
        split_end(l->split);
    else if (lost)
        (void)split_lose(l->split, (size_t)json_integer_value(lost));
    else if (!split_do(l->split, line, &answer, &changed, &err))
        log_warn("%s: %s", l->path, err.text);
    json_decref(answer);
}

/* What a kill has cut short was never answered. */
static bool read_back(SplitList *l, Err *err)
{
    AUTO(str_done) Str text = STR_INIT;
    if (!fs_read(l->path, LONGEST_FILE, &text, err))
        return false;
    const char *p = str_z(&text), *end;
    for (; (end = strchr(p, '\n')); p = end + 1) {
        AUTOJSON json_t *line = NULL;
        if (!json_parse(p, (size_t)(end - p), &line, err))
            return err_prefix(err, "%s", l->path);
        redo(l, line);
    }
    return ftruncate(l->fd, p - str_z(&text)) == 0 || err_errno(err, errno, "cut %s", l->path);
}

bool split_list_open(const char *dir, size_t shards, SplitList **ret, Err *err)
{
    SplitList *l = NEW(SplitList);
    l->split = split_new(shards);
    l->shards = shards;
    l->heard_ms = xcalloc(shards + 1, sizeof *l->heard_ms);
    for (size_t i = 0; i < shards; i++)
        l->heard_ms[i] = clock_mono_ms();
    l->path = xasprintf("%s/split.jsonl", dir);
    l->fd = open(l->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    bool ok = l->fd >= 0 ? read_back(l, err) : err_errno(err, errno, "create %s", l->path);
    if (ok)
        *ret = l;
    else
        split_list_free(l);
    return ok;
}

static bool append(SplitList *l, const json_t *line, Err *err)
{
    AUTOFREE char *text = json_text(line), *whole = xasprintf("%s\n", text);
    ssize_t n = write(l->fd, whole, strlen(whole));
    return n == (ssize_t)strlen(whole) || err_errno(err, n < 0 ? errno : ENOSPC, "write %s", l->path);
}

static bool lose(SplitList *l, size_t shard)
{
    Err err;
    if (split_is_lost(l->split, shard) || !split_lose(l->split, shard))
        return false;
    AUTOJSON json_t *line = json_object();
    json_set_int(line, "lost", (int64_t)shard);
    if (!append(l, line, &err))
        log_error("%s", err.text);
    return true;
}

bool split_list_do(SplitList *l, const json_t *request, json_t **ret_answer, Err *err)
{
    bool changed = false, was_ended = split_is_ended(l->split);
    if (!split_do(l->split, request, ret_answer, &changed, err))
        return false;
    l->heard_ms[json_int(request, "shard")] = clock_mono_ms();
    AUTOJSON json_t *ended = json_object();
    json_set_bool(ended, "ended", true);
    if ((!changed || append(l, request, err)) &&
        (was_ended || !split_is_ended(l->split) || append(l, ended, err)))
        return true;
    json_decref(STEAL(*ret_answer));
    return false;
}

void split_list_tick(SplitList *l, int64_t silence_ms)
{
    int64_t now = clock_mono_ms();
    if (!split_is_joined(l->split))
        return;
    for (size_t i = 0; i < l->shards; i++)
        if (now - l->heard_ms[i] >= silence_ms && lose(l, i))
            log_warn("%s: nothing was heard of shard %zu for %lld s, its part goes to the others", l->path, i,
                     (long long)silence_ms / 1000);
}

bool split_list_is_joined(const SplitList *l)
{
    return split_is_joined(l->split);
}

bool split_list_is_ended(const SplitList *l)
{
    return split_is_ended(l->split);
}

void split_list_lost(const SplitList *l, StrList *ret)
{
    for (size_t i = 0; i < l->shards; i++)
        if (split_is_lost(l->split, i))
            strlist_addf(ret, "%zu", i);
}
