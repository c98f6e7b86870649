/* SPDX-License-Identifier: Apache-2.0 */
#include "view.h"

#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/wire/wire_node.h"

enum { BAR_WIDTH = 24 };

static const char *or_dash(const char *s)
{
    return s && *s ? s : "-";
}

static char *joined(const StrList *l)
{
    Str s = STR_INIT;
    for (size_t i = 0; i < l->n; i++)
        str_addf(&s, "%s%s", i ? "," : "", l->v[i]);
    return str_take(&s);
}

/* ---- runs ------------------------------------------------------------------------------------------- */

const Run *view_last_run(const Task *t)
{
    return t->runs.n ? (const Run *)t->runs.v + t->runs.n - 1 : NULL;
}

static void view_replay(const Replay *r, Str *out)
{
    char backlog[OUT_TEXT], bytes[OUT_TEXT], rate[OUT_TEXT], eta[CLOCK_TEXT];
    out_count(r->backlog_trx, backlog);
    out_size(r->backlog_bytes, bytes);
    out_count((int64_t)r->rate, rate);
    clock_format_duration((int64_t)(r->eta_s * 1000), eta);
    str_addf(out, "%s transactions%s%s%s to replay", backlog, r->backlog_bytes > 0 ? " (" : "",
             r->backlog_bytes > 0 ? bytes : "", r->backlog_bytes > 0 ? ")" : "");
    if (r->rate > 0)
        str_addf(out, ", %s/s", rate);
    if (r->rate > 0 && r->eta_s >= 0)
        str_addf(out, ", ETA %s", eta);
    else if (r->rate > 0)
        str_adds(out, ", not getting less");
}

static void view_done(const WireProgress *p, int64_t elapsed_ms, Str *out)
{
    char done[OUT_TEXT], total[OUT_TEXT], speed[OUT_TEXT], eta[CLOCK_TEXT];
    bool is_bytes = str_eq(p->unit, "bytes");
    void (*show)(int64_t, char *) = is_bytes ? out_size : out_count;
    const char *unit = is_bytes ? "" : p->unit ? p->unit : "";
    show(p->done, done);
    show(p->total, total);
    out_bar(p->done, p->total, BAR_WIDTH, out);
    str_addf(out, "  %s", done);
    if (p->total > 0)
        str_addf(out, " of %s", total);
    str_addf(out, "%s%s", *unit ? " " : "", unit);
    if (elapsed_ms < 500 || p->done <= 0)
        return;
    double rate = (double)p->done * 1000 / (double)elapsed_ms;
    show((int64_t)rate, speed);
    str_addf(out, ", %s/s", speed);
    if (p->total > p->done) {
        clock_format_duration((int64_t)((double)(p->total - p->done) / rate * 1000), eta);
        str_addf(out, ", ETA %s", eta);
    }
}

/* A rate is of the job: sealing and uploading go on at their own. */
void view_progress(const Run *r, int64_t now_ms, Str *out)
{
    size_t before = out->len;
    bool works = r->state == CRUN_RUNNING || r->state == CRUN_SLEEPING;
    int64_t since = r->frozen_at ? r->frozen_at : r->started_at;
    if (r->state == CRUN_UPLOADING && r->upload_task) {
        str_addf(out, "by task %lld", (long long)r->upload_task);
        return;
    }
    if (r->state == CRUN_RESUMING)
        view_replay(&r->replay, out);
    else if (works && (r->progress.done || r->progress.total))
        view_done(&r->progress, since ? now_ms - since : 0, out);
    const char *note = r->note && *r->note ? r->note : works ? r->progress.note : NULL;
    if (note && *note)
        str_addf(out, "%s%s", out->len > before ? "  " : "", note);
}

static void view_runs(const WireList *tasks, int64_t now_ms, size_t width, Str *out)
{
    static const char *const head[] = {"RUN", "JOB", "STATE", "ON", "PROGRESS", NULL};
    AUTO(table_done) Table t = TABLE_INIT;
    table_head(&t, "xlslw", head);
    for (size_t i = 0; i < tasks->n; i++) {
        const Task *task = (const Task *)tasks->v + i;
        const Run *r = view_last_run(task);
        if (!r || coord_run_is_final(r->state))
            continue;
        AUTO(str_done) Str progress = STR_INIT;
        AUTOFREE char *nodes = joined(&r->nodes);
        view_progress(r, now_ms, &progress);
        table_row(&t, (const char *[]){or_dash(r->id), or_dash(task->name),
                                       or_dash(WIRE_TEXT(coord_run_state_names, r, state)), or_dash(nodes),
                                       str_z(&progress), NULL});
    }
    if (!table_rows(&t))
        return;
    str_adds(out, "\n");
    table_write(&t, width, out);
}

/* ---- tasks ------------------------------------------------------------------------------------------ */

static char *task_remark(const Task *t)
{
    const Run *r = view_last_run(t);
    const char *text = t->error && *t->error ? t->error : t->why ? t->why : "";
    if (*text || !r || r->state != CRUN_RESUMING)
        return xstrdup(text);
    Str s = STR_INIT;
    view_replay(&r->replay, &s);
    return str_take(&s);
}

void view_tasks(const WireList *tasks, size_t width, Str *out)
{
    static const char *const head[] = {"ID",      "NAME",  "KIND",   "PRI", "USER",
                                       "RUNTIME", "STATE", "REMARK", NULL};
    AUTO(table_done) Table t = TABLE_INIT;
    table_head(&t, "rllrlxsw", head);
    for (size_t i = 0; i < tasks->n; i++) {
        const Task *k = (const Task *)tasks->v + i;
        char id[24], priority[24], at[OUT_TEXT];
        snprintf(id, sizeof id, "%lld", (long long)k->id);
        snprintf(priority, sizeof priority, "%lld", (long long)k->priority);
        out_time(k->run_at ? k->run_at : k->submitted_at, at);
        AUTOFREE char *remark = task_remark(k);
        table_row(&t, (const char *[]){id, or_dash(k->name), or_dash(WIRE_TEXT(task_kind_names, k, kind)),
                                       priority, or_dash(k->user), at,
                                       or_dash(WIRE_TEXT(task_state_names, k, state)), remark, NULL});
    }
    table_write(&t, width, out);
}

static void pair(Table *t, const char *name, const char *value)
{
    if (value && *value)
        table_row(t, (const char *[]){name, value, NULL});
}

static void pair_int(Table *t, const char *name, int64_t n)
{
    char text[24];
    snprintf(text, sizeof text, "%lld", (long long)n);
    if (n)
        pair(t, name, text);
}

static void pair_time(Table *t, const char *name, int64_t wall_ms)
{
    char text[OUT_TEXT];
    out_time(wall_ms, text);
    pair(t, name, text);
}

static void pair_replay(Table *t, const Replay *r)
{
    if (r->seconds <= 0)
        return;
    char rate[OUT_TEXT], spent[CLOCK_TEXT];
    out_count((int64_t)r->rate, rate);
    clock_format_duration((int64_t)(r->seconds * 1000), spent);
    AUTOFREE char *text =
        xasprintf("%lld transactions buffered, replayed in %s, %s/s; settings %s", (long long)r->buffered_trx,
                  spent, rate, r->settings_restored ? "are back" : "are NOT back");
    pair(t, "  replay", text);
    if (r->next_run) {
        AUTOFREE char *next = xasprintf("run %s began before the replica had caught up", r->next_run);
        pair(t, "  next", next);
    }
}

static void pair_run(Table *t, const Run *r, int64_t now_ms)
{
    AUTO(str_done) Str progress = STR_INIT;
    AUTOFREE char *nodes = joined(&r->nodes);
    AUTOFREE char *name = xasprintf("run %s", r->id);
    if (!coord_run_is_final(r->state))
        view_progress(r, now_ms, &progress);
    AUTOFREE char *state =
        xasprintf("%s%s%s", or_dash(WIRE_TEXT(coord_run_state_names, r, state)), *nodes ? " on " : "", nodes);
    pair(t, name, state);
    pair(t, "  gtid", r->gtid);
    pair(t, "  progress", str_z(&progress));
    pair_time(t, "  frozen", r->frozen_at);
    pair_time(t, "  resumed", r->resumed_at);
    pair_time(t, "  caught up", r->caught_up_at);
    pair_replay(t, &r->replay);
    pair_time(t, "  finished", r->finished_at);
    pair_int(t, "  upload task", r->upload_task);
    pair(t, "  result", r->result_dir);
    pair(t, "  error", r->error);
}

void view_task(const Task *k, int64_t now_ms, size_t width, Str *out)
{
    AUTO(table_done) Table t = {.align = "xw"};
    AUTOFREE char *args = joined(&k->args);
    pair_int(&t, "task", k->id);
    pair(&t, "name", k->name);
    pair(&t, "kind", WIRE_TEXT(task_kind_names, k, kind));
    pair(&t, "job", k->job);
    pair(&t, "arguments", args);
    pair(&t, "state", WIRE_TEXT(task_state_names, k, state));
    pair(&t, "why", k->why);
    pair(&t, "request", WIRE_TEXT(task_action_names, k, request));
    pair(&t, "error", k->error);
    pair_int(&t, "priority", k->priority);
    pair(&t, "user", k->user);
    pair_int(&t, "sequence", k->sequence_id);
    pair(&t, "upload of run", k->parent_run);
    if (k->kind != KIND_UPLOAD)
        pair_int(&t, "post-process of task", k->parent_task);
    pair(&t, "post-process", json_string_value(json_object_get(k->plan, "post_process")));
    pair_time(&t, "submitted", k->submitted_at);
    pair_time(&t, "runtime", k->run_at);
    pair_time(&t, "finished", k->finished_at);
    for (size_t i = 0; i < k->runs.n; i++)
        pair_run(&t, (const Run *)k->runs.v + i, now_ms);
    table_write(&t, width, out);
}

/* ---- nodes ------------------------------------------------------------------------------------------ */

static void lag_text(const Node *n, char ret[OUT_TEXT])
{
    char ms[CLOCK_TEXT], trx[OUT_TEXT];
    ret[0] = 0;
    if (n->role == ROLE_PRIMARY)
        return;
    out_count(n->lag_trx, trx);
    clock_format_duration(n->lag_ms, ms);
    if (n->lag_trx < 0)
        snprintf(ret, OUT_TEXT, "?");
    else if (n->lag_ms < 0)
        snprintf(ret, OUT_TEXT, "%.20s trx", trx);
    else
        snprintf(ret, OUT_TEXT, "%.20s trx, %.20s", trx, ms);
}

/* "12.1 frozen, 3 min 02 s left", "by hand (ann) frozen, 9 min 59 s left: a look", "12.1 catching_up: 12.0 k
 * transactions (8.1 MB) to replay, 4000/s, ETA 3.0 s" */
static char *lease_text(const LeaseState *l, int64_t now_ms)
{
    char left[CLOCK_TEXT];
    Str s = STR_INIT;
    bool by_hand = str_eq(l->owner, "manual");
    if (!l->owner)
        return xstrdup("");
    str_adds(&s, by_hand ? "by hand" : l->owner);
    if (by_hand && l->by)
        str_addf(&s, " (%s)", l->by);
    if (l->phase)
        str_addf(&s, " %s", WIRE_TEXT(lease_phase_names, l, phase));
    if (l->phase == PHASE_CATCHING_UP) {
        str_adds(&s, ": ");
        view_replay(&l->replay, &s);
        return str_take(&s);
    }
    clock_format_duration(l->expires_at > now_ms ? l->expires_at - now_ms : now_ms - l->expires_at, left);
    if (l->expires_at > now_ms)
        str_addf(&s, ", %s left", left);
    else if (l->phase != PHASE_RESUMING && l->phase != PHASE_RESCUING)
        str_addf(&s, ", %s OVER ITS LIMIT", left);
    if (l->hold)
        str_adds(&s, ", held");
    if (by_hand && l->reason)
        str_addf(&s, ": %s", l->reason);
    return str_take(&s);
}

/* Of a phase that counts bytes. */
static void view_fill_bytes(const FillState *f, Str *out)
{
    char done[OUT_TEXT], total[OUT_TEXT], rate[OUT_TEXT], left[CLOCK_TEXT];
    out_size(f->done, done);
    out_size(f->total, total);
    out_size((int64_t)f->rate, rate);
    str_addf(out, " %s of %s%s", done, total, f->phase == FILL_DUMPING ? " or so" : "");
    if (f->total > 0)
        str_addf(out, ", %lld%%", (long long)(f->done < f->total ? f->done * 100 / f->total : 100));
    if (f->rate >= 1)
        str_addf(out, ", %s/s", rate);
    if (f->rate < 1 || f->eta_s < 0)
        return;
    clock_format_duration((int64_t)(f->eta_s * 1000), left);
    str_addf(out, ", ETA %s", left);
}

enum { STANDS_MS = 10000 };

void view_fill(const FillState *f, int64_t now_ms, Str *out)
{
    char still[CLOCK_TEXT];
    if (f->phase == FILL_NONE || f->phase == FILL_FILLED || f->phase == FILL_FAILED)
        return;
    str_adds(out, WIRE_TEXT(fill_phase_names, f, phase));
    bool counts = f->phase == FILL_DUMPING || f->phase == FILL_RESTORING;
    if (counts && f->total > 0)
        view_fill_bytes(f, out);
    if (counts && f->note && *f->note)
        str_addf(out, " (%s)", f->note);
    if (!f->moved_at || now_ms - f->moved_at < STANDS_MS)
        return;
    clock_format_duration(now_ms - f->moved_at, still);
    str_addf(out, "; no further for %s", still);
}

/* "" where its server is not filled, or was well. */
static char *fill_remark(const Node *n, int64_t now_ms)
{
    const FillState *f = &n->agent.fill;
    AUTO(str_done) Str out = STR_INIT;
    view_fill(f, now_ms, &out);
    if (out.len)
        return xasprintf("gets the data of %s: %s%s%s", f->order.donor.node, str_z(&out), n->note ? "; " : "",
                         n->note ? n->note : "");
    if (n->note)
        return xstrdup(n->note);
    return f->phase == FILL_FAILED ? xasprintf("not filled: %s", f->error ? f->error : "") : xstrdup("");
}

void view_nodes(const WireList *nodes, int64_t now_ms, size_t width, Str *out)
{
    static const char *const head[] = {"NODE", "ROLE", "STATE", "LAG", "POSITION", "LEASE", NULL};
    AUTO(table_done) Table t = TABLE_INIT;
    table_head(&t, "xxsllw", head);
    for (size_t i = 0; i < nodes->n; i++) {
        const Node *n = (const Node *)nodes->v + i;
        const ServerState *s = &n->agent.server;
        char lag[OUT_TEXT];
        lag_text(n, lag);
        AUTOFREE char *known = lease_text(&n->agent.lease, now_ms);
        bool unseen = *known && n->agent_error && *n->agent_error;
        AUTOFREE char *lease =
            unseen ? xasprintf("%s; as last seen: %s", known, n->agent_error) : STEAL(known);
        AUTOFREE char *errant = n->errant ? xasprintf("errant: %s", n->errant) : NULL;
        AUTOFREE char *fill = fill_remark(n, now_ms);
        const char *remark = *lease                              ? lease
                             : *fill                             ? fill
                             : n->agent_error && *n->agent_error ? n->agent_error
                             : s->error && *s->error             ? s->error
                                                                 : "";
        AUTOFREE char *all = xasprintf("%s%s%s", remark, *remark && errant ? "; " : "", errant ? errant : "");
        const char *position = s->is_replica && s->applied && *s->applied ? s->applied : s->binlog;
        table_row(&t, (const char *[]){or_dash(n->name), or_dash(WIRE_TEXT(node_role_names, n, role)),
                                       or_dash(WIRE_TEXT(node_health_names, n, state)), lag,
                                       or_dash(position), all, NULL});
    }
    table_write(&t, width, out);
}

/* ---- what is kept from starting ---------------------------------------------------------------------- */

static void add_since(const json_t *o, const char *key, int64_t now_ms, Str *out)
{
    int64_t at;
    char age[CLOCK_TEXT], time[OUT_TEXT];
    if (!clock_parse(json_str(o, key), &at) || !at)
        return;
    out_time(at, time);
    clock_format_duration(now_ms > at ? now_ms - at : 0, age);
    str_addf(out, " since %s (%s)", time, age);
}

static void view_brake(const json_t *b, int64_t now_ms, Str *out)
{
    int64_t until;
    char time[OUT_TEXT];
    const char *kind = json_str(b, "kind"), *name = json_str(b, "name"), *by = json_str(b, "by");
    if (str_eq(kind, "queue"))
        str_adds(out, "MANUAL mode: nothing starts by itself,");
    else
        str_addf(out, "%s %s is %s", kind, name, str_eq(kind, "node") ? "cordoned" : "held");
    add_since(b, "since", now_ms, out);
    str_addf(out, "%s%s", *by ? " by " : "", by);
    if (clock_parse(json_str(b, "until"), &until) && until) {
        out_time(until, time);
        str_addf(out, ", until %s", time);
    }
    str_addf(out, "%s%s\n", *json_str(b, "reason") ? ": " : "", json_str(b, "reason"));
}

bool view_brakes(const json_t *queue, int64_t now_ms, Str *out)
{
    size_t i;
    json_t *v;
    int64_t errors = json_int(queue, "errors");
    bool manual = str_eq(json_str(queue, "mode"), "manual");
    json_array_foreach(json_object_get(queue, "brakes"), i, v)
    {
        view_brake(v, now_ms, out);
    }
    if (errors > 0) {
        str_addf(out, "%lld failure%s nobody has seen to", (long long)errors,
                 errors == 1 ? " that" : "s that");
        add_since(queue, "errors_since", now_ms, out);
        str_adds(out, "; retry, acknowledge or delete:\n");
    }
    json_array_foreach(json_object_get(queue, "failures"), i, v)
    {
        str_addf(out, "  task %lld \"%s\"", (long long)json_int(v, "task"), json_str(v, "name"));
        add_since(v, "since", now_ms, out);
        int64_t waiting = json_int(v, "waiting");
        if (waiting > 0)
            str_addf(out, ", holds %lld task%s", (long long)waiting, waiting == 1 ? "" : "s");
        str_adds(out, "\n");
    }
    int64_t turns = json_int(queue, "turns_failed");
    if (turns > 0)
        str_addf(out, "%lld recurring task%s failed in %s last turn; run, acknowledge or delete:\n",
                 (long long)turns, turns == 1 ? "" : "s", turns == 1 ? "its" : "their");
    json_array_foreach(json_object_get(queue, "failed_turns"), i, v)
    {
        str_addf(out, "  task %lld \"%s\"\n", (long long)json_int(v, "task"), json_str(v, "name"));
    }
    if (!out->len)
        str_adds(out, "automatic mode, nothing is held\n");
    return manual || errors > 0 || turns > 0;
}

/* ---- the screen ------------------------------------------------------------------------------------- */

static void view_head(const json_t *status, int64_t now_ms, Str *out)
{
    int64_t started = 0;
    char up[CLOCK_TEXT] = "?";
    const json_t *database = json_object_get(status, "database");
    if (clock_parse(json_str(status, "started_at"), &started))
        clock_format_duration(now_ms - started, up);
    str_addf(out, "cluster %s, term %lld, primary %s; sidingd %s up %s",
             or_dash(json_str(status, "cluster_name")), (long long)json_int(status, "term"),
             or_dash(json_str(status, "primary")), json_str(status, "version"), up);
    str_adds(out, json_is_object(database) && !json_bool(database, "ok") ? ", database NOT usable" : "");
    str_adds(out, "\n");
    const json_t *warnings = json_object_get(status, "warnings");
    for (size_t i = 0; i < json_array_size(warnings); i++) {
        const char *text = json_string_value(json_array_get(warnings, i));
        if (text)
            str_addf(out, "warning: %s\n", text);
    }
}

static void view_queue(const WireList *tasks, size_t width, Str *out)
{
    WireList waiting = {xcalloc(tasks->n, sizeof(Task)), 0};
    for (size_t i = 0; i < tasks->n; i++) {
        const Task *t = (const Task *)tasks->v + i;
        const Run *r = view_last_run(t);
        if (!r || coord_run_is_final(r->state)) /* borrowed: shown, not freed */
            ((Task *)waiting.v)[waiting.n++] = *t;
    }
    str_adds(out, "\n");
    if (waiting.n)
        view_tasks(&waiting, width, out);
    else
        str_adds(out, "Nothing waits.\n");
    free(waiting.v);
}

static void view_events(const json_t *events, size_t width, Str *out)
{
    AUTO(table_done) Table t = {.align = "xxw"};
    for (size_t i = 0; i < json_array_size(events); i++) {
        const json_t *e = json_array_get(events, i);
        int64_t at = 0;
        char time[OUT_TEXT] = "";
        if (clock_parse(json_str(e, "time"), &at))
            out_time(at, time);
        const char *run = json_str(e, "run"), *node = json_str(e, "node");
        char task[24] = "";
        if (json_int(e, "task") > 0)
            snprintf(task, sizeof task, "%lld", (long long)json_int(e, "task"));
        table_row(&t, (const char *[]){time, *run ? run : *task ? task : node, json_str(e, "text"), NULL});
    }
    if (!table_rows(&t))
        return;
    str_adds(out, "\n");
    table_write(&t, width, out);
}

static bool read_lists(const json_t *status, WireList *nodes, WireList *tasks, Err *err)
{
    const json_t *v;
    size_t i;
    json_array_foreach(json_object_get(status, "nodes"), i, v)
    {
        if (!wire_read(node_fields, v, wire_list_add(nodes, sizeof(Node)), err))
            return err_prefix(err, "answer of sidingd, nodes[%zu]", i);
    }
    json_array_foreach(json_object_get(status, "tasks"), i, v)
    {
        if (!wire_read(task_fields, v, wire_list_add(tasks, sizeof(Task)), err))
            return err_prefix(err, "answer of sidingd, tasks[%zu]", i);
    }
    return true;
}

bool view_status(const json_t *status, const json_t *events, int64_t now_ms, size_t width, Str *out, Err *err)
{
    WireList nodes = {NULL, 0}, tasks = {NULL, 0};
    bool ok = read_lists(status, &nodes, &tasks, err);
    AUTO(str_done) Str held = STR_INIT;
    const json_t *queue = json_object_get(status, "queue");
    if (json_array_size(json_object_get(queue, "brakes")) || json_int(queue, "errors") > 0)
        (void)view_brakes(queue, now_ms, &held);
    if (ok) {
        view_head(status, now_ms, out);
        str_adds(out, str_z(&held));
        str_adds(out, "\n");
        view_nodes(&nodes, now_ms, width, out);
        view_runs(&tasks, now_ms, width, out);
        view_queue(&tasks, width, out);
        view_events(events, width, out);
    }
    for (size_t i = 0; i < nodes.n; i++)
        wire_free(node_fields, (Node *)nodes.v + i);
    for (size_t i = 0; i < tasks.n; i++)
        wire_free(task_fields, (Task *)tasks.v + i);
    free(nodes.v);
    free(tasks.v);
    return ok;
}
