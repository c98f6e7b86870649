/* SPDX-License-Identifier: Apache-2.0
 * Logs of tasks, which the agents keep: of one run from an offset on, or of all runs.
 */
#include <inttypes.h>
#include <stdio.h>

#include "agents.h"
#include "common/file/json.h"
#include "common/net/httpc.h"
#include "handlers.h"
#include "orchestrator/core/task_log.h"
#include "run_log.h"

enum { LOG_TIMEOUT_MS = 30000, LOG_MAX_BYTES = 4 << 20, PIECES_BYTES = 1 << 20 };

/* ---- one run ---------------------------------------------------------------------------------------- */

typedef struct LogJob {
    HttpRequest *req;
    RunLogSource source;
    char *path;
    Str text;
    int64_t next; /* -1: not known */
    bool ok;
    Err err;
} LogJob;

static bool take_bytes(void *arg, const char *bytes, size_t n)
{
    LogJob *j = arg;
    if (j->text.len + n > LOG_MAX_BYTES)
        n = LOG_MAX_BYTES - j->text.len;
    str_add(&j->text, bytes, n);
    return j->text.len < LOG_MAX_BYTES;
}

static void log_work(void *arg)
{
    LogJob *j = arg;
    j->ok = httpc_download(&(HttpCall){.base_url = j->source.url,
                                       .method = "GET",
                                       .path = j->path,
                                       .timeout_ms = LOG_TIMEOUT_MS,
                                       .tls = &j->source.tls,
                                       .next = &j->next},
                           NULL, NULL, take_bytes, j, &j->err) ||
            (j->err.kind == ERR_CANCELLED && j->text.len);
}

static void log_done(void *arg)
{
    LogJob *j = arg;
    char next[24];
    snprintf(next, sizeof next, "%" PRId64, j->next);
    if (j->ok && j->next >= 0)
        http_reply_header(j->req, "X-Siding-Next", next);
    if (j->ok)
        http_reply_text(j->req, 200, "text/plain; charset=utf-8", str_z(&j->text), j->text.len);
    else
        http_reply_error(j->req, &j->err);
    run_log_source_done(&j->source);
    free(j->path);
    str_done(&j->text);
    free(j);
}

static const Run *wanted_run(HttpRequest *req, const Task *t)
{
    const char *no = http_query(req, "run");
    const Run *runs = t->runs.v;
    if (!no)
        return t->runs.n ? &runs[t->runs.n - 1] : NULL;
    AUTOFREE char *id = xasprintf("%" PRId64 ".%s", t->id, no);
    for (size_t i = 0; i < t->runs.n; i++)
        if (runkey_is(runs[i].id, id))
            return &runs[i];
    return NULL;
}

static bool read_log_query(HttpRequest *req, int64_t *offset, const char **stream)
{
    Err err;
    *stream = http_query(req, "stream") ? http_query(req, "stream") : "log";
    if (!http_query_int(req, "offset", 0, INT64_MAX, 0, offset, &err)) {
        http_reply_error(req, &err);
        return false;
    }
    if (str_eq(*stream, "log") || str_eq(*stream, "err"))
        return true;
    handle_error(req, ERR_USAGE, "parameter \"stream\" must be \"log\" or \"err\", not \"%s\"", *stream);
    return false;
}

static void send_log(HttpRequest *req, Coord *c, const Task *t)
{
    int64_t offset;
    const char *stream;
    if (!read_log_query(req, &offset, &stream))
        return;
    const Run *r = wanted_run(req, t);
    if (!r || !r->nodes.n) {
        handle_error(req, ERR_NOT_FOUND, "task %" PRId64 " has no such run yet", t->id);
        return;
    }
    const char *node = http_query(req, "node") ? http_query(req, "node") : r->nodes.v[0];
    AgentLink *a = strlist_has(&r->nodes, node) ? state_agent(c, node) : NULL;
    if (!a) {
        handle_error(req, ERR_NOT_FOUND, "run %.*s was not on \"%s\"", RUN_TEXT(r->id), node);
        return;
    }
    LogJob *j = NEW(LogJob);
    j->req = req;
    j->next = -1;
    j->source = run_log_source(a->url, r->id, &c->conf.tls);
    j->path = xasprintf("/v1/runs/%s/log?stream=%s&offset=%" PRId64, r->id, stream, offset);
    if (!work_submit(c->files, (WorkJob){log_work, log_done, j}, &j->err))
        log_done(j);
}

/* ---- all runs --------------------------------------------------------------------------------------- */

typedef struct WholeLog {
    HttpRequest *req;
    WireList pieces;
    int64_t submitted_at;
    StrList missing; /* what could not be had, a sentence each */
    size_t waiting;  /* answers */
    size_t heard;
} WholeLog;

static void whole_done(WholeLog *w)
{
    if (w->waiting)
        return;
    AUTO(str_done) Str text = STR_INIT;
    if (!w->heard && w->missing.n) {
        handle_error(w->req, ERR_UNREACHABLE, "%s", w->missing.v[0]);
    } else {
        task_log_write(&w->pieces, LOG_MAX_BYTES, &text);
        for (size_t i = 0; i < w->missing.n; i++)
            str_addf(&text, "==== %s ====\n", w->missing.v[i]);
        http_reply_text(w->req, 200, "text/plain; charset=utf-8", str_z(&text), text.len);
    }
    task_log_done(&w->pieces);
    strlist_done(&w->missing);
    free(w);
}

static void pieces_told(CallRef *ref, bool ok, json_t *body, const Err *err)
{
    WholeLog *w = ref->arg;
    if (ok)
        task_log_add(&w->pieces, ref->node, body, w->submitted_at);
    else
        strlist_addf(&w->missing, "what %s keeps of it could not be read: %s", ref->node, err->text);
    w->heard += ok;
    w->waiting--;
    whole_done(w);
}

/* As far as it is known: the runs that a task still has. */
static bool was_on(const Task *t, const char *node)
{
    const Run *r = t->runs.v;
    for (size_t i = 0; i < t->runs.n; i++)
        if (strlist_has(&r[i].nodes, node))
            return true;
    return false;
}

static void ask_agent(WholeLog *w, AgentLink *a, const Task *t, const char *stream)
{
    CallRef ref = {.done = pieces_told, .arg = w};
    AUTOFREE char *path = xasprintf("/v1/logs/%" PRId64 "?stream=%s&most=%d", t->id, stream, PIECES_BYTES);
    snprintf(ref.node, sizeof ref.node, "%s", a->name);
    w->waiting++;
    agents_call(a, "GET", path, NULL, LOG_TIMEOUT_MS, &ref);
}

static void send_whole_log(HttpRequest *req, Coord *c, const Task *t)
{
    int64_t ignored;
    const char *stream, *node = http_query(req, "node");
    if (!read_log_query(req, &ignored, &stream))
        return;
    if (!t->runs.n) {
        handle_error(req, ERR_NOT_FOUND, "task %" PRId64 " has no such run yet", t->id);
        return;
    }
    if (node && !was_on(t, node)) {
        handle_error(req, ERR_NOT_FOUND, "no run of task %" PRId64 " was on \"%s\"", t->id, node);
        return;
    }
    WholeLog *w = NEW(WholeLog);
    *w = (WholeLog){.req = req, .submitted_at = t->submitted_at, .waiting = 1};
    for (size_t i = 0; i < c->n_agents; i++) {
        AgentLink *a = c->agents[i];
        if (node ? !str_eq(a->name, node) : a->node.agent_error && !was_on(t, a->name))
            continue;
        ask_agent(w, a, t, stream);
    }
    w->waiting--;
    whole_done(w);
}

void handle_get_log(HttpRequest *req, void *context)
{
    int64_t id;
    if (handle_read_id(req, &id))
        handle_with_task(req, context, id, http_query(req, "whole") ? send_whole_log : send_log);
}
