/* SPDX-License-Identifier: Apache-2.0
 * Logs by offset and results by range. Names from outside never lead out of their folders.
 */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "api_impl.h"
#include "common/file/fs.h"
#include "common/file/resultname.h"
#include "replica-agent/agent/agent.h"
#include "replica-agent/agent/do/copies.h"
#include "replica-agent/agent/do/spool.h"
#include "replica-agent/host/logs.h"

enum { LOG_BYTES = 1 << 20 };

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

static void append_file(const char *path, int64_t from, Str *out)
{
    char buffer[65536];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    for (ssize_t n; fd >= 0 && out->len < LOG_BYTES && (n = pread(fd, buffer, sizeof buffer, from)) > 0;
         from += n)
        str_add(out, buffer, (size_t)n);
    if (fd >= 0)
        close(fd);
}

/* Offsets count from the program's first byte; what has been rotated away twice is skipped. */
static int64_t read_log(const char *dir, const char *stream, int64_t offset, Str *out)
{
    AUTOFREE char *path = xasprintf("%s/%s", dir, stream), *old = xasprintf("%s.1", path);
    int64_t start = log_start(path), size = fs_size(path), before = fs_size(old);
    if (offset < start && before > 0) {
        int64_t first = start - before;
        append_file(old, offset > first ? offset - first : 0, out);
        offset = start;
    }
    append_file(path, offset > start ? offset - start : 0, out);
    return start + (size > 0 ? size : 0);
}

/* Of a run under way or forgotten; NULL: answered. */
static char *log_dir(HttpRequest *req, Agent *a)
{
    int64_t task, no;
    const char *id = api_run_param(req, a);
    const AgentRunner *known = run_find(&a->s, id);
    char *kept = !known && wire_run_id(id, &task, &no) ? logs_find(a->conf.state_dir, id) : NULL;
    const AgentRunner *r = kept ? NULL : api_run_of(req, a);
    return r ? run_log_dir(a, r) : kept;
}

void api_get_log(HttpRequest *req, void *context)
{
    Agent *a = context;
    Err err;
    int64_t offset;
    const char *stream = http_query(req, "stream");
    stream = stream ? stream : "log";
    bool ok = http_query_int(req, "offset", 0, INT64_MAX, 0, &offset, &err);
    if (ok && !str_eq(stream, "log") && !str_eq(stream, "err"))
        ok = err_set(&err, ERR_USAGE, 0, "stream must be log or err");
    if (!ok) {
        http_reply_error(req, &err);
        return;
    }
    AUTOFREE char *dir = log_dir(req, a);
    if (!dir)
        return;
    AUTO(str_done) Str text = STR_INIT;
    int64_t size = read_log(dir, stream, offset, &text);
    char header[32];
    snprintf(header, sizeof header, "%lld", (long long)size);
    http_reply_header(req, "X-Siding-Size", header);
    http_reply_text(req, 200, "text/plain; charset=utf-8", str_z(&text), text.len);
}

/* ---- results --------------------------------------------------------------------------------------- */

void api_get_results(HttpRequest *req, void *context)
{
    Agent *a = context;
    Err err;
    AUTO(strlist_done) StrList names = STRLIST_INIT;
    if (http_query(req, "brief")) {
        http_reply_json(req, 200, kept_list(a));
        return;
    }
    json_t *list = json_array();
    if (fs_list(a->conf.spool_dir, &names, &err))
        for (size_t i = 0; i < names.n; i++) {
            AUTOFREE char *dir = run_results(a, names.v[i]), *path = xasprintf("%s/manifest.json", dir);
            json_t *m = NULL;
            if (!kept_is_sealed(a, names.v[i]) || !json_read_file(path, &m, &err))
                continue;
            json_set_str(m, "path", dir);
            json_object_del(m, "tables");
            json_array_append_new(list, m);
        }
    http_reply_json(req, 200, list);
}

/* Into the spool from another agent, or from it into a folder. */
void api_post_copy(HttpRequest *req, void *context)
{
    Agent *a = context;
    Err err;
    json_t *body;
    const char *to = NULL, *node = NULL, *url = NULL;
    RunSource from = {0};
    bool ok = api_body_term(req, a, &body, &err) && json_opt_str(body, "to", NULL, &to, &err) &&
              json_opt_str(body, "url", NULL, &url, &err) &&
              json_opt_str(body, "node", url ? NULL : a->conf.node, &node, &err);
    from.run = xstrdup(http_param(req, "id"));
    from.node = xstrdup(node);
    if (ok && api_settle_source(a, &from, &err) && copies_begin(a, &from, to, &err))
        http_reply_json(req, 200, json_object());
    else
        http_reply_error(req, &err);
    wire_free(run_source_fields, &from);
}

void api_delete_result(HttpRequest *req, void *context)
{
    Err err;
    if (!api_heard(req, context))
        return;
    if (kept_remove(context, http_param(req, "id"), &err))
        http_reply_json(req, 200, json_object());
    else
        http_reply_error(req, &err);
}

/* The SHA-256 of a file, as SHA256SUMS has it; NULL: none. */
static char *sum_of(const char *dir, const char *file)
{
    Err ignored;
    AUTO(str_done) Str text = STR_INIT;
    AUTO(strlist_done) StrList lines = STRLIST_INIT;
    AUTOFREE char *path = xasprintf("%s/SHA256SUMS", dir);
    if (!fs_read(path, 64 << 20, &text, &ignored))
        return NULL;
    strlist_split(&lines, str_z(&text), '\n');
    for (size_t i = 0; i < lines.n; i++)
        if (strlen(lines.v[i]) > 66 && str_eq(lines.v[i] + 66, file))
            return xstrndup(lines.v[i], 64);
    return NULL;
}

/* No link, in whatever part of the name, leads out of the folder. */
static int open_file(const char *dir, const char *file)
{
    Err ignored;
    AUTOFD int folder = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return folder < 0 ? -1 : fs_open_beneath(folder, file, O_RDONLY | O_NONBLOCK, 0, &ignored);
}

void api_get_result_file(HttpRequest *req, void *context)
{
    Agent *a = context;
    Err err;
    int64_t task, no;
    const char *id = http_param(req, "id"), *file = http_param(req, "file");
    AUTOFREE char *dir = run_results(a, id);
    bool sealed = wire_run_id(id, &task, &no) && kept_is_sealed(a, id);
    AUTOFREE char *etag = sealed ? sum_of(dir, file) : NULL;
    int fd = sealed && (etag || resultname_is_paper(file)) ? open_file(dir, file) : -1;
    if (fd < 0) {
        err_set(&err, ERR_NOT_FOUND, 0, "%s has no result file %s of run %.*s", a->conf.node, file,
                RUN_TEXT(id));
        http_reply_error(req, &err);
        return;
    }
    http_reply_file(req, fd, str_ends(file, ".json") ? "application/json" : "application/octet-stream", etag);
}
