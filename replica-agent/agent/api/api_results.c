/* SPDX-License-Identifier: Apache-2.0
 * Logs by offset and results by range. Names from outside never lead out of their folders.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api_impl.h"
#include "common/file/fs.h"
#include "common/file/resultname.h"
#include "replica-agent/agent/agent.h"
#include "replica-agent/agent/do/copies.h"
#include "replica-agent/agent/do/spool.h"
#include "replica-agent/host/logs.h"

enum { LOG_BYTES = 1 << 20, TASK_LOG_BYTES = 4 << 20 };

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

static bool read_stream(const HttpRequest *req, const char **ret, Err *err)
{
    const char *stream = http_query(req, "stream");
    *ret = stream ? stream : "log";
    return str_eq(*ret, "log") || str_eq(*ret, "err") ||
           err_set(err, ERR_USAGE, 0, "stream must be log or err");
}

static void add_number(HttpRequest *req, const char *header, int64_t n)
{
    char text[32];
    snprintf(text, sizeof text, "%lld", (long long)n);
    http_reply_header(req, header, text);
}

/* From an offset on, or its end. */
static void read_log(HttpRequest *req, const char *dir, const char *stream, int64_t offset, int64_t tail,
                     Str *out)
{
    int64_t next;
    if (tail) {
        (void)!logs_read_end(dir, stream, (size_t)tail, out);
        return;
    }
    add_number(req, "X-Siding-Size", logs_read(dir, stream, offset, LOG_BYTES, out, &next));
    add_number(req, "X-Siding-Next", next);
}

void api_get_log(HttpRequest *req, void *context)
{
    Agent *a = context;
    Err err;
    int64_t offset, tail;
    const char *stream;
    if (!http_query_int(req, "offset", 0, INT64_MAX, 0, &offset, &err) ||
        !http_query_int(req, "tail", 0, LOG_BYTES, 0, &tail, &err) || !read_stream(req, &stream, &err)) {
        http_reply_error(req, &err);
        return;
    }
    AUTOFREE char *dir = log_dir(req, a);
    if (!dir)
        return;
    AUTO(str_done) Str text = STR_INIT;
    read_log(req, dir, stream, offset, tail, &text);
    http_reply_text(req, 200, "text/plain; charset=utf-8", str_z(&text), text.len);
}

/* Newest first; what is beyond `left` is left out, and nothing is taken before it. */
static void add_piece(json_t *list, const char *run, const char *dir, const char *stream, size_t *left)
{
    AUTO(str_done) Str text = STR_INIT;
    struct stat st;
    if (!*left || stat(dir, &st) < 0)
        return;
    bool whole = logs_read_end(dir, stream, *left, &text);
    json_t *o = json_object();
    json_set_str(o, "run", run);
    json_set_time(o, "at", (int64_t)st.st_mtime * 1000);
    json_set_str(o, "text", str_z(&text));
    json_set_bool(o, "whole", whole);
    json_array_append_new(list, o);
    *left -= text.len;
}

static void add_under_way(Agent *a, int64_t task, const char *stream, size_t *left, json_t *list)
{
    int64_t its, no;
    for (size_t i = a->s.n_runs; i-- > 0;) {
        const AgentRunner *r = a->s.runs[i];
        if (!wire_run_id(run_id(r), &its, &no) || its != task)
            continue;
        AUTOFREE char *dir = run_log_dir(a, r);
        add_piece(list, run_id(r), dir, stream, left);
    }
}

void api_get_task_logs(HttpRequest *req, void *context)
{
    Agent *a = context;
    Err err;
    const char *stream;
    int64_t most;
    long long task;
    bool ok = read_stream(req, &stream, &err) &&
              http_query_int(req, "most", 1, TASK_LOG_BYTES, LOG_BYTES, &most, &err) &&
              (str_to_i64(http_param(req, "task"), 1, INT64_MAX, &task) ||
               err_set(&err, ERR_USAGE, 0, "\"%s\" is no task", http_param(req, "task")));
    if (!ok) {
        http_reply_error(req, &err);
        return;
    }
    size_t left = (size_t)most;
    json_t *list = json_array();
    AUTO(strlist_done) StrList ids = STRLIST_INIT;
    add_under_way(a, task, stream, &left, list);
    logs_of_task(a->conf.state_dir, task, &ids);
    for (size_t i = ids.n; i-- > 0;) {
        AUTOFREE char *dir = logs_find(a->conf.state_dir, ids.v[i]);
        if (dir)
            add_piece(list, ids.v[i], dir, stream, &left);
    }
    http_reply_json(req, 200, list);
}

/* ---- results --------------------------------------------------------------------------------------- */

typedef struct ResultsWaiter {
    HttpRequest *req; /* NULL: nobody waits any more */
} ResultsWaiter;

static void results_closed(HttpRequest *req, void *arg)
{
    (void)req;
    ((ResultsWaiter *)arg)->req = NULL;
}

static void on_results(void *arg, json_t *list)
{
    ResultsWaiter *w = arg;
    if (w->req) {
        http_on_close(w->req, NULL, NULL);
        http_reply_json(w->req, 200, list);
    } else {
        json_decref(list);
    }
    free(w);
}

void api_get_results(HttpRequest *req, void *context)
{
    Err err;
    ResultsWaiter *w = NEW(ResultsWaiter);
    w->req = req;
    if (spool_list(context, http_query(req, "brief") != NULL, on_results, w, &err)) {
        http_on_close(req, results_closed, w);
        return;
    }
    free(w);
    http_reply_error(req, &err);
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
    int64_t only_part;
    if (!api_heard(req, context))
        return;
    if (http_query_int(req, "part", 0, 1, 0, &only_part, &err) &&
        spool_remove(context, http_param(req, "id"), only_part, &err))
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
    bool sealed = wire_run_id(id, &task, &no) && spool_is_sealed(a, id);
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
