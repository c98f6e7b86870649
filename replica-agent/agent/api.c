/* SPDX-License-Identifier: Apache-2.0
 * The agent's HTTP interface. Handlers check, call one function, and answer; long answers (a change of
 * state, a pause by hand) are kept requests with a deadline.
 */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "agent.h"
#include "common/clock.h"
#include "common/fs.h"
#include "common/log.h"
#include "logs.h"
#include "replica-agent/core/preflight.h"

enum {
    MAX_WAIT_MS = 120000,
    MANUAL_WAIT_MS = 90000,
    TROUBLE_WAIT_MS = 3000,
    LOG_BYTES = 1 << 20,
    MAX_REASON = 500
};

/* ---- waiting for a change -------------------------------------------------------------------------- */

typedef struct StateWaiter {
    HttpRequest *req;
    Agent *a;
    int64_t after, until_ms;
    struct StateWaiter *next;
} StateWaiter;

static void drop_waiter(Agent *a, StateWaiter *w)
{
    for (StateWaiter **p = &a->waiters; *p; p = &(*p)->next)
        if (*p == w) {
            *p = w->next;
            free(w);
            return;
        }
}

static void waiter_closed(HttpRequest *req, void *arg)
{
    (void)req;
    StateWaiter *w = arg;
    drop_waiter(w->a, w);
}

static void answer_waiters(Agent *a, bool due_only)
{
    int64_t now = clock_mono_ms();
    for (StateWaiter *w = a->waiters, *next; w; w = next) {
        next = w->next;
        if (due_only ? now < w->until_ms : a->seq <= w->after)
            continue;
        HttpRequest *req = w->req;
        http_on_close(req, NULL, NULL);
        drop_waiter(a, w);
        http_reply_json(req, 200, node_state_json(a));
    }
}

void api_news(Agent *a)
{
    answer_waiters(a, false);
}

static bool heard(HttpRequest *req, Agent *a)
{
    Err err;
    int64_t term;
    if (http_query_int(req, "term", 0, INT64_MAX, 0, &term, &err) && role_heard_term(a, term, &err))
        return true;
    http_reply_error(req, &err);
    return false;
}

static void get_state(HttpRequest *req, void *context)
{
    Agent *a = context;
    Err err;
    int64_t after, wait;
    if (!http_query_int(req, "after", -1, INT64_MAX, -1, &after, &err) ||
        !http_query_int(req, "wait_ms", 0, MAX_WAIT_MS, 0, &wait, &err)) {
        http_reply_error(req, &err);
        return;
    }
    if (!heard(req, a))
        return;
    if (a->seq > after || wait == 0) {
        http_reply_json(req, 200, node_state_json(a));
        return;
    }
    StateWaiter *w = NEW(StateWaiter);
    *w = (StateWaiter){req, a, after, clock_mono_ms() + wait, a->waiters};
    a->waiters = w;
    http_on_close(req, waiter_closed, w);
}

/* ---- role ------------------------------------------------------------------------------------------ */

static void post_role(HttpRequest *req, void *context)
{
    Err err;
    json_t *body;
    const char *role;
    int64_t term;
    if (http_body(req, &body, &err) && json_req_str(body, "role", &role, &err) &&
        json_req_int(body, "term", 1, INT64_MAX, &term, &err) && role_set(context, role, term, &err))
        http_reply_json(req, 200, node_state_json(context));
    else
        http_reply_error(req, &err);
}

/* ---- runs ------------------------------------------------------------------------------------------ */

typedef struct Accept {
    HttpRequest *req; /* NULL: the client has gone */
    RunSpec spec;
} Accept;

static void accept_closed(HttpRequest *req, void *arg)
{
    (void)req;
    ((Accept *)arg)->req = NULL;
}

static void accept_free(Accept *x)
{
    wire_free(run_spec_fields, &x->spec);
    free(x);
}

static bool has_space(const Agent *a, Err *err)
{
    const int64_t min = a->conf.min_free_bytes;
    bool spool = a->spool_free >= 0 && a->spool_free < min, state = a->state_free >= 0 && a->state_free < min;
    if (!spool && !state)
        return true;
    return err_set(err, ERR_REFUSED, 0,
                   "%s has %lld bytes free, less than min_free_bytes (%lld); make room there",
                   spool ? a->conf.spool_dir : a->conf.state_dir,
                   (long long)(spool ? a->spool_free : a->state_free), (long long)min);
}

static bool not_paused(const Agent *a, Err *err)
{
    return a->pause.state == PAUSE_NONE && !a->pause.beginning ? true : pause_conflict(a, err);
}

static void accept_now(Agent *a, Accept *x)
{
    Err err;
    Runner *r = run_find(a, x->spec.run);
    bool ok = r || run_accept(a, &x->spec, &r, &err);
    if (x->req && ok)
        http_reply_json(x->req, 201, node_run_json(a, r));
    else if (x->req)
        http_reply_error(x->req, &err);
    accept_free(x);
}

static void accept_failed(Accept *x, const Err *err)
{
    if (x->req)
        http_reply_error(x->req, err);
    accept_free(x);
}

static void on_preflight(Agent *a, Step *s)
{
    Accept *x = s->arg;
    Err err = s->err;
    a->accepting = false;
    if (x->req)
        http_on_close(x->req, NULL, NULL);
    bool ok = s->result == STEP_OK;
    if (ok && !s->status.is_replica)
        ok = err_set(&err, ERR_REFUSED, 0, "%s is no replica: the run would have to pause it", a->conf.node);
    ok = ok && preflight_allows(&s->findings, &err) && not_paused(a, &err);
    if (ok)
        accept_now(a, x);
    else
        accept_failed(x, &err);
}

static void accept_on_replica(Agent *a, Accept *x)
{
    Err err;
    Step *s = NULL;
    bool ok = not_paused(a, &err);
    if (ok && a->accepting)
        ok = err_set(&err, ERR_CONFLICT, 0, "%s is looking into another run just now; ask again",
                     a->conf.node);
    if (ok) {
        s = step_new(a, STEP_SURVEY, on_preflight);
        s->thorough = true;
        s->arg = x;
        ok = step_submit(s, &err);
    }
    if (!ok) {
        accept_failed(x, &err);
        return;
    }
    a->accepting = true;
    http_on_close(x->req, accept_closed, x);
}

static void accept_on_primary(Agent *a, Accept *x)
{
    Err err;
    if (!a->server.up || !a->server.status.is_replica) {
        accept_now(a, x);
        return;
    }
    err_set(&err, ERR_REFUSED, 0, "%s is a replica, this run belongs to the primary", a->conf.node);
    accept_failed(x, &err);
}

static void post_run(HttpRequest *req, void *context)
{
    Agent *a = context;
    Err err;
    json_t *body;
    Accept *x = NEW(Accept);
    x->req = req;
    if (!http_body(req, &body, &err) || !wire_read(run_spec_fields, body, &x->spec, &err)) {
        if (err.kind == ERR_PROTOCOL)
            err.kind = ERR_USAGE;
        accept_failed(x, &err);
        return;
    }
    if (!role_heard_term(a, x->spec.term, &err)) {
        accept_failed(x, &err);
        return;
    }
    if (x->spec.run && run_find(a, x->spec.run)) {
        accept_now(a, x);
        return;
    }
    if (!run_check(a, &x->spec, &err) || !has_space(a, &err))
        accept_failed(x, &err);
    else if (run_on_replica(&x->spec, job_list_find(&a->jobs, x->spec.job)))
        accept_on_replica(a, x);
    else
        accept_on_primary(a, x);
}

static Runner *run_of(HttpRequest *req, Agent *a)
{
    Err err;
    const char *id = http_param(req, "id");
    Runner *r = run_find(a, id);
    if (r)
        return r;
    err_set(&err, ERR_NOT_FOUND, 0, "%s knows no run %s", a->conf.node, id);
    http_reply_error(req, &err);
    return NULL;
}

static void reply_run(HttpRequest *req, Agent *a, bool ok, const Runner *r, const Err *err)
{
    if (ok)
        http_reply_json(req, 200, node_run_json(a, r));
    else
        http_reply_error(req, err);
}

static void get_run(HttpRequest *req, void *context)
{
    const Runner *r = run_of(req, context);
    if (r)
        http_reply_json(req, 200, node_run_json(context, r));
}

static void get_runs(HttpRequest *req, void *context)
{
    Agent *a = context;
    json_t *list = json_array();
    for (size_t i = 0; i < a->n_runs; i++)
        json_array_append_new(list, node_run_json(a, a->runs[i]));
    http_reply_json(req, 200, list);
}

static bool body_term(HttpRequest *req, Agent *a, json_t **ret, Err *err)
{
    int64_t term;
    return http_body(req, ret, err) && json_opt_int(*ret, "term", 0, INT64_MAX, 0, &term, err) &&
           role_heard_term(a, term, err);
}

static void post_align(HttpRequest *req, void *context)
{
    Agent *a = context;
    Err err;
    json_t *body;
    RunAlign to = {0};
    Runner *r = run_of(req, a);
    if (!r)
        return;
    bool ok = body_term(req, a, &body, &err) && wire_read(run_align_fields, body, &to, &err) &&
              run_align(a, r, &to, &err);
    reply_run(req, a, ok, r, &err);
    wire_free(run_align_fields, &to);
}

static void post_go(HttpRequest *req, void *context)
{
    Agent *a = context;
    Err err;
    json_t *body;
    Runner *r = run_of(req, a);
    if (r)
        reply_run(req, a, body_term(req, a, &body, &err) && run_go(a, r, &err), r, &err);
}

static void post_request(HttpRequest *req, void *context)
{
    Agent *a = context;
    Err err;
    json_t *body;
    const char *action, *by;
    Runner *r = run_of(req, a);
    if (!r)
        return;
    bool ok = body_term(req, a, &body, &err) && json_req_str(body, "action", &action, &err) &&
              json_opt_str(body, "by", "", &by, &err) && run_request(a, r, action, by, &err);
    reply_run(req, a, ok, r, &err);
}

static void delete_run(HttpRequest *req, void *context)
{
    Agent *a = context;
    Err err;
    Runner *r = run_of(req, a);
    if (!r || !heard(req, a))
        return;
    if (run_forget(a, r, &err))
        http_reply_json(req, 200, json_object());
    else
        http_reply_error(req, &err);
}

/* ---- logs ------------------------------------------------------------------------------------------ */

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
    const char *id = http_param(req, "id");
    const Runner *known = run_find(a, id);
    char *kept = !known && wire_run_id(id, &task, &no) ? logs_find(a->conf.state_dir, id) : NULL;
    const Runner *r = kept ? NULL : run_of(req, a);
    return r ? run_log_dir(a, r) : kept;
}

static void get_log(HttpRequest *req, void *context)
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

static void get_results(HttpRequest *req, void *context)
{
    Agent *a = context;
    Err err;
    AUTO(strlist_done) StrList names = STRLIST_INIT;
    json_t *list = json_array();
    if (fs_list(a->conf.spool_dir, &names, &err))
        for (size_t i = 0; i < names.n; i++) {
            AUTOFREE char *dir = run_results(a, names.v[i]), *path = xasprintf("%s/manifest.json", dir);
            json_t *m = NULL;
            if (names.v[i][0] == '.' || !json_read_file(path, &m, &err))
                continue;
            json_set_str(m, "path", dir);
            json_object_del(m, "tables");
            json_array_append_new(list, m);
        }
    http_reply_json(req, 200, list);
}

static bool is_below(const char *file)
{
    AUTO(strlist_done) StrList parts = STRLIST_INIT;
    strlist_split(&parts, file, '/');
    return *file && *file != '/' && !strlist_has(&parts, "..") && !strlist_has(&parts, ".");
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

static void get_result_file(HttpRequest *req, void *context)
{
    Agent *a = context;
    Err err;
    int64_t task, no;
    const char *id = http_param(req, "id"), *file = http_param(req, "file");
    AUTOFREE char *dir = run_results(a, id), *manifest = xasprintf("%s/manifest.json", dir),
                  *path = xasprintf("%s/%s", dir, file);
    if (!wire_run_id(id, &task, &no) || !is_below(file) || !fs_exists(manifest)) {
        err_set(&err, ERR_NOT_FOUND, 0, "%s has no result file %s of run %s", a->conf.node, file, id);
        http_reply_error(req, &err);
        return;
    }
    AUTOFREE char *etag = sum_of(dir, file);
    http_reply_file(req, path, str_ends(file, ".json") ? "application/json" : "application/octet-stream",
                    etag);
}

/* ---- pause by hand --------------------------------------------------------------------------------- */

typedef struct ManualWaiter {
    HttpRequest *req;
    Agent *a;
    bool resume;
    int64_t since_ms;
    struct ManualWaiter *next;
} ManualWaiter;

static void drop_manual(Agent *a, ManualWaiter *w)
{
    for (ManualWaiter **p = &a->manual; *p; p = &(*p)->next)
        if (*p == w) {
            *p = w->next;
            free(w);
            return;
        }
}

static void manual_closed(HttpRequest *req, void *arg)
{
    (void)req;
    ManualWaiter *w = arg;
    drop_manual(w->a, w);
}

static void wait_manual(Agent *a, HttpRequest *req, bool resume)
{
    ManualWaiter *w = NEW(ManualWaiter);
    *w = (ManualWaiter){req, a, resume, clock_mono_ms(), a->manual};
    a->manual = w;
    http_on_close(req, manual_closed, w);
}

static void answer_manual(Agent *a, ManualWaiter *w, const Err *err)
{
    HttpRequest *req = w->req;
    http_on_close(req, NULL, NULL);
    drop_manual(a, w);
    if (err)
        http_reply_error(req, err);
    else
        http_reply_json(req, 200, node_lease_json(a));
}

void api_pause_news(Agent *a, const char *owner, PauseNews news, const Err *err)
{
    bool manual = str_eq(owner, LEASE_MANUAL);
    for (ManualWaiter *w = a->manual, *next; w; w = next) {
        next = w->next;
        if (w->resume && (news == PAUSE_NEWS_RESUMED || news == PAUSE_NEWS_RELEASED))
            answer_manual(a, w, NULL);
        else if (!w->resume && manual && news == PAUSE_NEWS_FROZEN)
            answer_manual(a, w, NULL);
        else if (!w->resume && manual && (news == PAUSE_NEWS_FAILED || news == PAUSE_NEWS_VOID))
            answer_manual(a, w, err);
    }
}

/* A resume that cannot get on says why instead of keeping its caller. */
static void tick_manual(Agent *a)
{
    int64_t now = clock_mono_ms();
    for (ManualWaiter *w = a->manual, *next; w; w = next) {
        Err err;
        next = w->next;
        if (w->resume && a->pause.trouble && now - w->since_ms > TROUBLE_WAIT_MS)
            err_set(&err, ERR_REFUSED, 0, "%s", a->pause.trouble);
        else if (now - w->since_ms > MANUAL_WAIT_MS)
            err_set(&err, ERR_TIMEOUT, 0, "not done within %d s; see the state of %s", MANUAL_WAIT_MS / 1000,
                    a->conf.node);
        else
            continue;
        answer_manual(a, w, &err);
    }
}

static void post_pause(HttpRequest *req, void *context)
{
    Agent *a = context;
    Err err;
    json_t *body;
    int64_t for_s;
    PauseWish w = {.owner = LEASE_MANUAL};
    bool ok = body_term(req, a, &body, &err) && json_req_int(body, "for_s", 1, 14 * 86400, &for_s, &err) &&
              json_opt_str(body, "reason", "", &w.reason, &err) &&
              json_opt_str(body, "by", "", &w.by, &err) && json_opt_bool(body, "hold", false, &w.hold, &err);
    if (ok && (strlen(w.reason) > MAX_REASON || strlen(w.by) > MAX_REASON))
        ok = err_set(&err, ERR_USAGE, 0, "reason and by may have %d bytes each", MAX_REASON);
    if (ok) {
        w.limit_ms = for_s * 1000;
        w.term = a->role.seen_term;
        ok = pause_begin(a, &w, &err);
    }
    if (ok)
        wait_manual(a, req, false);
    else
        http_reply_error(req, &err);
}

static bool end_pause(Agent *a, const char *by, const char *reason, Err *err)
{
    const char *owner = a->pause.lease.owner;
    if (a->pause.state == PAUSE_NONE)
        return err_set(err, ERR_CONFLICT, 0, "%s is not paused by Siding%s", a->conf.node,
                       a->server.up && a->server.status.is_replica && !a->server.status.sql_running
                           ? "; somebody else stopped its applier, and may start it again"
                           : "");
    log_info("resume by hand by %s: %s", *by ? by : "request", reason);
    Runner *r = run_find(a, owner);
    if (!r || !run_is_under_way(r) || r->state == RUN_RESUMING || r->state == RUN_SEALING) {
        pause_release(a, owner);
        return true;
    }
    AUTOFREE char *text = xasprintf("the replica was resumed by hand%s%s%s%s", *by ? " by " : "", by,
                                    *reason ? ": " : "", reason);
    RunEnd end = {.outcome = "stopped", .kind = ERR_CANCELLED, .text = text};
    run_cut(a, r, &end);
    return true;
}

static void post_resume(HttpRequest *req, void *context)
{
    Agent *a = context;
    Err err;
    json_t *body;
    const char *by, *reason;
    bool ok = body_term(req, a, &body, &err) && json_opt_str(body, "by", "", &by, &err) &&
              json_opt_str(body, "reason", "", &reason, &err) && end_pause(a, by, reason, &err);
    if (!ok)
        http_reply_error(req, &err);
    else if (a->pause.state == PAUSE_CATCHING_UP || a->pause.state == PAUSE_RESTORING ||
             a->pause.state == PAUSE_NONE)
        http_reply_json(req, 200, node_lease_json(a));
    else
        wait_manual(a, req, true);
}

/* ---- preflight, health, metrics --------------------------------------------------------------------- */

typedef struct PreflightWaiter {
    HttpRequest *req;
} PreflightWaiter;

static void preflight_closed(HttpRequest *req, void *arg)
{
    (void)req;
    ((PreflightWaiter *)arg)->req = NULL;
}

static json_t *findings_json(Agent *a, const WireList *findings)
{
    json_t *list = json_array();
    for (size_t i = 0; i < findings->n; i++) {
        json_t *o = wire_write(finding_fields, (const Finding *)findings->v + i);
        json_set_str(o, "node", a->conf.node);
        json_set_bool(o, "ok", str_eq(json_str(o, "level"), "ok"));
        json_array_append_new(list, o);
    }
    return list;
}

static void add_local_findings(Agent *a, const Step *s, WireList *findings)
{
    Err err;
    if (s->result != STEP_OK)
        preflight_add(findings, "server", "error", "see server in agent.conf", "%s", s->err.text);
    if (!has_space(a, &err))
        preflight_add(findings, "disk", "error", "make room, or lower min_free_bytes", "%s", err.text);
    bool paused = a->pause.state != PAUSE_NONE && a->pause.state < PAUSE_RESUMING;
    if (paused && !pause_conflict(a, &err))
        preflight_add(findings, "paused", "warning", "siding replica resume", "%s", err.text);
    for (size_t i = 0; i < a->jobs.warnings.n; i++)
        preflight_add(findings, "jobs", "warning", "mend the file and send the agent SIGHUP", "%s",
                      a->jobs.warnings.v[i]);
}

static void on_findings(Agent *a, Step *s)
{
    PreflightWaiter *w = s->arg;
    if (w->req) {
        http_on_close(w->req, NULL, NULL);
        add_local_findings(a, s, &s->findings);
        http_reply_json(w->req, 200, findings_json(a, &s->findings));
    }
    free(w);
}

static void get_preflight(HttpRequest *req, void *context)
{
    Agent *a = context;
    Err err;
    Step *s = step_new(a, STEP_SURVEY, on_findings);
    s->thorough = true;
    PreflightWaiter *w = NEW(PreflightWaiter);
    w->req = req;
    s->arg = w;
    if (step_submit(s, &err)) {
        http_on_close(req, preflight_closed, w);
        return;
    }
    free(w);
    http_reply_error(req, &err);
}

/* Why this node should not serve reads; NULL: it may. */
static const char *not_serving(const Agent *a, int64_t max_lag_s)
{
    const ReplStatus *s = &a->server.status;
    if (!a->server.up)
        return "the server does not answer";
    if (!s->is_replica)
        return "it is no replica";
    if (a->pause.state != PAUSE_NONE || a->pause.beginning)
        return a->pause.state >= PAUSE_RESUMING ? "catching up" : "paused";
    if (!s->sql_running)
        return "the applier is stopped";
    if (max_lag_s >= 0 && s->io != REPL_IO_YES)
        return "the receiver is not connected, its lag is not known";
    if (max_lag_s >= 0 && (a->lag.lag_ms < 0 || a->lag.lag_ms > max_lag_s * 1000))
        return "it lags";
    return NULL;
}

static void get_health(HttpRequest *req, void *context)
{
    Agent *a = context;
    Err err;
    int64_t max_lag_s;
    if (!http_query_int(req, "max_lag_s", 0, 1000000, -1, &max_lag_s, &err)) {
        http_reply_error(req, &err);
        return;
    }
    const char *role = http_query(req, "role"),
               *why = str_eq(role, "replica") ? not_serving(a, max_lag_s) : NULL;
    json_t *o = json_object();
    json_set_bool(o, "ok", !why);
    json_set_str(o, "why", why);
    json_set_str(o, "node", a->conf.node);
    json_set_bool(o, "server_up", a->server.up);
    json_set_int(o, "lag_ms", a->lag.lag_ms);
    http_reply_json(req, why ? 503 : 200, o);
}

static void get_metrics(HttpRequest *req, void *context)
{
    AUTOFREE char *text = metrics_text(context);
    http_reply_text(req, 200, "text/plain; version=0.0.4", text, strlen(text));
}

/* ---- table ----------------------------------------------------------------------------------------- */

static const HttpRoute routes[] = {
    {"GET", "/v1/state", get_state},
    {"POST", "/v1/role", post_role},
    {"GET", "/v1/runs", get_runs},
    {"POST", "/v1/runs", post_run},
    {"GET", "/v1/runs/{id}", get_run},
    {"DELETE", "/v1/runs/{id}", delete_run},
    {"POST", "/v1/runs/{id}/align", post_align},
    {"POST", "/v1/runs/{id}/go", post_go},
    {"POST", "/v1/runs/{id}/request", post_request},
    {"GET", "/v1/runs/{id}/log", get_log},
    {"GET", "/v1/results", get_results},
    {"GET", "/v1/results/{id}/{file...}", get_result_file},
    {"POST", "/v1/pause", post_pause},
    {"POST", "/v1/resume", post_resume},
    {"GET", "/v1/preflight", get_preflight},
    {"GET", "/healthz", get_health},
    {"GET", "/metrics", get_metrics},
    {NULL, NULL, NULL},
};

bool api_open(Agent *a, Err *err)
{
    return http_serve(a->base, &a->conf.listen, &a->conf.tls, routes, a, &a->http, err);
}

void api_tick(Agent *a)
{
    answer_waiters(a, true);
    tick_manual(a);
}

void api_close(Agent *a)
{
    http_server_free(a->http);
    a->http = NULL;
}
