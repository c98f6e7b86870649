/* SPDX-License-Identifier: Apache-2.0
 * What stands in the columns of each view.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/outtext.h"
#include "common/base/text.h"
#include "monitor_impl.h"

const Run *columns_last_run(const Task *t)
{
    return t->runs.n ? (const Run *)t->runs.v + t->runs.n - 1 : NULL;
}

bool columns_is_failed(const Task *t)
{
    return t->state == TASK_ERROR || t->state == TASK_DONE_WITH_ERRORS || task_turn_failed(t);
}

int64_t columns_time(const json_t *o, const char *key)
{
    int64_t ms = 0;
    const char *text = json_str(o, key);
    return *text && clock_parse(text, &ms) ? ms : 0;
}

static void add_clean(Str *out, const char *text)
{
    text_clean(out, text ? text : "");
}

/* "01:57:50" of these hours, else "11-27 01:57"; in wide columns all of it. */
static void add_short_time(const Monitor *m, int64_t wall_ms, int width, Str *out)
{
    char text[OUT_TEXT];
    int64_t ago = m->now_ms - wall_ms;
    out_time(wall_ms, text);
    bool brief = width < 19 && strlen(text) == 19, near = ago < 20 * 3600000LL && ago > -20 * 3600000LL;
    text[brief && !near ? 16 : 19] = 0;
    str_adds(out, !brief ? text : near ? text + 11 : text + 5);
}

static void add_span(int64_t ms, Str *out)
{
    char text[CLOCK_TEXT];
    clock_format_duration(ms, text);
    str_adds(out, text);
}

/* ---- tasks --------------------------------------------------------------------------------------------- */

static int64_t order_id(const MonitorRow *r)
{
    return r->task->id;
}

static void write_id(const Monitor *m, const MonitorRow *r, int width, Str *out)
{
    (void)m;
    (void)width;
    str_addf(out, "%" PRId64, r->task->id);
}

/* "job:name" where it fits, else the name; and the priority where it is not the usual one. An upload bears
 * the name of the task whose result it loads. */
static void write_proc(const Monitor *m, const MonitorRow *r, int width, Str *out)
{
    const Task *t = r->task;
    (void)m;
    AUTO(str_done) Str name = STR_INIT;
    AUTO(str_done) Str whole = STR_INIT;
    AUTOFREE char *priority = t->priority ? xasprintf(" [%" PRId64 "]", t->priority) : xstrdup("");
    int room = width - (int)strlen(priority);
    add_clean(&name, t->name ? t->name : t->job);
    if (t->kind == KIND_UPLOAD)
        str_adds(&whole, "upload");
    else if (t->name && t->job && !str_eq(t->name, t->job))
        add_clean(&whole, t->job);
    str_addf(&whole, "%s%s", whole.len ? ":" : "", str_z(&name));
    bool fits = (int)text_width(str_z(&whole), whole.len) <= room;
    text_cut(out, str_z(fits ? &whole : &name), room > 4 ? (size_t)room : 4);
    str_adds(out, priority);
}

static int64_t order_priority(const MonitorRow *r)
{
    return -r->task->priority;
}

static void write_user(const Monitor *m, const MonitorRow *r, int width, Str *out)
{
    (void)m;
    (void)width;
    add_clean(out, r->task->user);
}

static int64_t order_runtime(const MonitorRow *r)
{
    return r->task->run_at ? r->task->run_at : r->task->submitted_at;
}

static void write_runtime(const Monitor *m, const MonitorRow *r, int width, Str *out)
{
    add_short_time(m, order_runtime(r), width, out);
}

static int64_t order_finished(const MonitorRow *r)
{
    return -r->task->finished_at;
}

static void write_finished(const Monitor *m, const MonitorRow *r, int width, Str *out)
{
    add_short_time(m, r->task->finished_at, width, out);
}

static int64_t order_sleep(const MonitorRow *r)
{
    return r->task->sleeptime_ms;
}

static void write_sleep(const Monitor *m, const MonitorRow *r, int width, Str *out)
{
    (void)m;
    (void)width;
    static const struct {
        int64_t ms;
        char letter;
    } units[] = {{86400000, 'd'}, {3600000, 'h'}, {60000, 'm'}, {1000, 's'}};
    int64_t ms = r->task->sleeptime_ms;
    for (size_t i = 0; i < COUNT(units) && ms > 0; i++)
        if (ms % units[i].ms == 0) {
            str_addf(out, "%" PRId64 "%c", ms / units[i].ms, units[i].letter);
            return;
        }
}

/* What its run does says more than "running". */
static void write_status(const Monitor *m, const MonitorRow *r, int width, Str *out)
{
    static const char *const short_names[] = {
        [TASK_DONE_WITH_ERRORS] = "DONE, ERRS", [TASK_ERROR] = "ERROR", [TASK_ACKNOWLEDGED] = "ack error"};
    const Task *t = r->task;
    const Run *run = columns_last_run(t);
    (void)m;
    (void)width;
    bool works = t->state == TASK_RUNNING && run && run->state != CRUN_NONE && run->state != CRUN_WAITING;
    const char *name = (size_t)t->state < COUNT(short_names) ? short_names[t->state] : NULL;
    if (works && run->state == CRUN_CAUGHT_UP)
        str_adds(out, "caught up");
    else if (works)
        str_adds(out, WIRE_TEXT(coord_run_state_names, run, state));
    else if (task_turn_failed(t))
        str_adds(out, "ERR, waits");
    else
        str_adds(out, name ? name : WIRE_TEXT(task_state_names, t, state));
    if (t->request && t->state != TASK_STOPPING)
        str_adds(out, "*"); /* a request is under way */
}

static int64_t order_status(const MonitorRow *r)
{
    return (int64_t)r->task->state;
}

static void write_host(const Monitor *m, const MonitorRow *r, int width, Str *out)
{
    const Run *run = columns_last_run(r->task);
    (void)m;
    (void)width;
    if (!run || !run->nodes.n) {
        add_clean(out, r->task->host);
        return;
    }
    add_clean(out, run->nodes.v[0]);
    if (run->nodes.n > 1)
        str_addf(out, "+%zu", run->nodes.n - 1);
}

void columns_replay(const Replay *r, Str *out)
{
    char text[OUT_TEXT];
    out_count(r->backlog_trx, text);
    str_addf(out, "%s trx", text);
    if (r->backlog_bytes > 0) {
        out_size(r->backlog_bytes, text);
        str_addf(out, ", %s", text);
    }
    str_adds(out, " left");
    if (r->rate <= 0)
        return;
    out_count((int64_t)r->rate, text);
    str_addf(out, ", %s/s", text);
    if (r->eta_s >= 0) {
        str_adds(out, ", ETA ");
        add_span((int64_t)(r->eta_s * 1000), out);
    } else
        str_adds(out, ", not getting less");
}

static void add_amount(const WireProgress *p, int64_t n, Str *out)
{
    char text[OUT_TEXT];
    (str_eq(p->unit, "bytes") ? out_size : out_count)(n, text);
    str_adds(out, text);
}

/* "45%  1.2 M of 2.7 M rows, 34.1 k/s, ETA 1 min 20 s", the essential first: the end may be cut. */
static void add_done(const WireProgress *p, int64_t elapsed_ms, Str *out)
{
    double rate = elapsed_ms >= 500 && p->done > 0 ? (double)p->done * 1000 / (double)elapsed_ms : 0;
    if (rate > 0 && p->total > p->done) {
        str_adds(out, "ETA ");
        add_span((int64_t)((double)(p->total - p->done) / rate * 1000), out);
        str_adds(out, ", ");
    }
    if (rate > 0) {
        add_amount(p, (int64_t)rate, out);
        str_adds(out, "/s, ");
    }
    add_amount(p, p->done, out);
    if (p->total > 0) {
        str_adds(out, " of ");
        add_amount(p, p->total, out);
    }
    if (p->unit && !str_eq(p->unit, "bytes"))
        str_addf(out, " %s", p->unit);
}

static void add_bar(const WireProgress *p, int width, Str *out)
{
    int bar = width >= 70 ? 20 : width >= 44 ? 12 : 6;
    int percent = (int)((double)(p->done < p->total ? p->done : p->total) * 100 / (double)p->total);
    str_addc(out, '[');
    for (int i = 0; i < bar; i++)
        str_addc(out, i < percent * bar / 100 ? '#' : '.');
    str_addf(out, "] %3d%% ", percent < 0 ? 0 : percent);
}

static void add_running(const Run *run, int64_t now_ms, int width, Str *out)
{
    const WireProgress *p = &run->progress;
    bool works = run->state == CRUN_RUNNING || run->state == CRUN_SLEEPING;
    int64_t since = run->frozen_at ? run->frozen_at : run->started_at;
    if (run->state == CRUN_UPLOADING && run->upload_task) {
        str_addf(out, "loaded by task %" PRId64, run->upload_task);
        return;
    }
    size_t before = out->len;
    if (run->state == CRUN_RESUMING)
        columns_replay(&run->replay, out);
    else if (works && p->total > 0)
        add_bar(p, width, out);
    if (works && (p->done || p->total))
        add_done(p, since ? now_ms - since : 0, out);
    const char *note = run->note && *run->note ? run->note : works ? p->note : NULL;
    if (note && *note) {
        str_adds(out, out->len > before ? "; " : "");
        add_clean(out, note);
    }
}

/* Of a task that has ended well: how long it took. */
static void add_result(const Task *t, Str *out)
{
    const Run *run = columns_last_run(t);
    if (!run || !run->started_at || !run->finished_at)
        return;
    str_adds(out, "took ");
    add_span(run->finished_at - run->started_at, out);
    if (run->frozen_at && run->resumed_at) {
        str_adds(out, ", paused ");
        add_span(run->resumed_at - run->frozen_at, out);
    }
}

static void write_progress(const Monitor *m, const MonitorRow *r, int width, Str *out)
{
    const Task *t = r->task;
    const Run *run = columns_last_run(t);
    if (t->error && *t->error)
        add_clean(out, t->error);
    else if (task_state_is_final(t->state))
        add_result(t, out);
    else if (t->state == TASK_WAITING)
        add_clean(out, t->why);
    else if (run)
        add_running(run, m->now_ms, width, out);
}

/* ---- replicas ------------------------------------------------------------------------------------------ */

static void write_node(const Monitor *m, const MonitorRow *r, int width, Str *out)
{
    (void)m;
    (void)width;
    add_clean(out, r->node->name);
}

static void write_role(const Monitor *m, const MonitorRow *r, int width, Str *out)
{
    (void)m;
    (void)width;
    str_adds(out, WIRE_TEXT(node_role_names, r->node, role));
}

static void write_health(const Monitor *m, const MonitorRow *r, int width, Str *out)
{
    (void)m;
    (void)width;
    str_adds(out, r->node->state == NODE_CATCHING_UP ? "catching up"
                                                     : WIRE_TEXT(node_health_names, r->node, state));
}

void columns_lag(const Node *n, Str *out)
{
    char trx[OUT_TEXT];
    if (n->role == ROLE_PRIMARY)
        return;
    if (n->lag_trx < 0) {
        str_adds(out, "?");
        return;
    }
    out_count(n->lag_trx, trx);
    str_addf(out, "%s trx", trx);
    if (n->lag_ms >= 1000) {
        str_adds(out, ", ");
        add_span(n->lag_ms, out);
    }
}

static void write_lag(const Monitor *m, const MonitorRow *r, int width, Str *out)
{
    (void)m;
    /* In a narrow column the time, which says more. */
    if (width < 20 && r->node->lag_trx >= 0 && r->node->lag_ms >= 1000)
        add_span(r->node->lag_ms, out);
    else
        columns_lag(r->node, out);
}

static int64_t order_lag(const MonitorRow *r)
{
    return -r->node->lag_trx;
}

static void write_paused(const Monitor *m, const MonitorRow *r, int width, Str *out)
{
    const LeaseState *l = &r->node->agent.lease;
    if (!l->owner || !l->taken_at)
        return;
    (void)width;
    add_span(m->now_ms > l->taken_at ? m->now_ms - l->taken_at : 0, out);
}

static int64_t order_paused(const MonitorRow *r)
{
    return r->node->agent.lease.taken_at ? r->node->agent.lease.taken_at : INT64_MAX;
}

static void write_by(const Monitor *m, const MonitorRow *r, int width, Str *out)
{
    const LeaseState *l = &r->node->agent.lease;
    (void)m;
    (void)width;
    if (str_eq(l->owner, "manual"))
        add_clean(out, l->by && *l->by ? l->by : "by hand");
    else if (l->owner)
        str_addf(out, "run %s", l->owner);
}

bool columns_over_limit(const Node *n, int64_t now_ms)
{
    const LeaseState *l = &n->agent.lease;
    bool stands = l->owner && l->phase == PHASE_FROZEN;
    return stands && ((l->expires_at && l->expires_at < now_ms) || l->limit_percent >= 100);
}

static void write_left(const Monitor *m, const MonitorRow *r, int width, Str *out)
{
    const LeaseState *l = &r->node->agent.lease;
    (void)width;
    if (!l->owner || !l->expires_at || l->phase == PHASE_CATCHING_UP)
        return;
    if (l->expires_at < m->now_ms)
        str_adds(out, "OVER");
    else
        add_span(l->expires_at - m->now_ms, out);
    if (l->hold)
        str_adds(out, ", held");
}

static int64_t order_left(const MonitorRow *r)
{
    return r->node->agent.lease.expires_at ? r->node->agent.lease.expires_at : INT64_MAX;
}

static void write_buffered(const Monitor *m, const MonitorRow *r, int width, Str *out)
{
    const LeaseState *l = &r->node->agent.lease;
    char text[OUT_TEXT];
    (void)m;
    (void)width;
    if (!l->owner || l->relay_bytes <= 0)
        return;
    out_size(l->relay_bytes, text);
    str_adds(out, text);
}

static int64_t order_buffered(const MonitorRow *r)
{
    return -r->node->agent.lease.relay_bytes;
}

/* What a person must know of the node beside the figures: replay, an error, a reason, its warnings. */
static void write_remark(const Monitor *m, const MonitorRow *r, int width, Str *out)
{
    const Node *n = r->node;
    const LeaseState *l = &n->agent.lease;
    const ServerState *s = &n->agent.server;
    (void)width;
    if (n->agent_error)
        add_clean(out, n->agent_error);
    else if (l->owner && l->phase == PHASE_CATCHING_UP)
        columns_replay(&l->replay, out);
    else if (s->error || s->sql_error || s->io_error)
        add_clean(out, s->error ? s->error : s->sql_error ? s->sql_error : s->io_error);
    else if (l->owner && l->reason && *l->reason)
        add_clean(out, l->reason);
    else if (monitor_brake(m, "node", n->name))
        str_addf(out, "cordoned: %s", json_str(monitor_brake(m, "node", n->name), "reason"));
    else if (n->agent.warnings.n)
        add_clean(out, n->agent.warnings.v[0]);
    else
        add_clean(out, n->role == ROLE_PRIMARY ? "primary" : s->applied);
}

/* ---- schedules and events ---------------------------------------------------------------------------- */

static void write_json(const Monitor *m, const MonitorRow *r, const char *key, int width, Str *out)
{
    int64_t at = columns_time(r->json, key);
    const json_t *v = json_object_get(r->json, key);
    if (at)
        add_short_time(m, at, width, out);
    else if (json_is_integer(v))
        str_addf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(v));
    else
        add_clean(out, json_str(r->json, key));
}

#define JSON_COLUMN(function, key)                                                                           \
    static void function(const Monitor *m, const MonitorRow *r, int width, Str *out)                         \
    {                                                                                                        \
        write_json(m, r, key, width, out);                                                                   \
    }
JSON_COLUMN(write_name, "name")
JSON_COLUMN(write_job, "job")
JSON_COLUMN(write_next, "next")
JSON_COLUMN(write_last, "last_started")
JSON_COLUMN(write_last_state, "last_state")
JSON_COLUMN(write_time, "time")
JSON_COLUMN(write_level, "level")
JSON_COLUMN(write_kind, "kind")
JSON_COLUMN(write_event, "text")

static void write_lasts(const Monitor *m, const MonitorRow *r, int width, Str *out)
{
    (void)m;
    (void)width;
    if (json_int(r->json, "lasts_ms") > 0)
        add_span(json_int(r->json, "lasts_ms"), out);
}

/* Why it does not run, or what it does now. */
static void write_schedule(const Monitor *m, const MonitorRow *r, int width, Str *out)
{
    (void)m;
    (void)width;
    if (!json_bool(r->json, "enabled"))
        str_adds(out, "disabled");
    else if (*json_str(r->json, "error"))
        add_clean(out, json_str(r->json, "error"));
    else
        add_clean(out, json_str(r->json, "state"));
}

static int64_t order_next_run(const MonitorRow *r)
{
    int64_t at = columns_time(r->json, "next");
    return at ? at : INT64_MAX;
}

static void write_about(const Monitor *m, const MonitorRow *r, int width, Str *out)
{
    (void)m;
    (void)width;
    const char *run = json_str(r->json, "run");
    if (*run)
        add_clean(out, run);
    else if (json_int(r->json, "task"))
        str_addf(out, "%" PRId64, json_int(r->json, "task"));
    else
        add_clean(out, json_str(r->json, "node"));
}

/* ---- looks -------------------------------------------------------------------------------------------- */

static CellLook task_look(const Task *t)
{
    if (task_turn_failed(t))
        return LOOK_BAD;
    switch (t->state) {
    case TASK_ERROR:
    case TASK_DONE_WITH_ERRORS:
        return LOOK_BAD;
    case TASK_RUNNING:
    case TASK_SCHEDULED:
        return LOOK_BUSY;
    case TASK_SLEEPING:
    case TASK_STOPPING:
    case TASK_KILLED:
    case TASK_STOPPED:
        return LOOK_WARN;
    case TASK_DONE:
        return LOOK_GOOD;
    default:
        return LOOK_PLAIN;
    }
}

static CellLook node_look(const Node *n)
{
    switch (n->state) {
    case NODE_SERVING:
        return LOOK_GOOD;
    case NODE_PAUSING:
    case NODE_PAUSED:
    case NODE_CATCHING_UP:
        return LOOK_BUSY;
    case NODE_UNREACHABLE:
    case NODE_DOWN:
    case NODE_ERRORS:
        return LOOK_BAD;
    default:
        return LOOK_WARN;
    }
}

CellLook columns_look(const MonitorRow *r)
{
    if (r->task)
        return task_look(r->task);
    if (r->node)
        return node_look(r->node);
    const char *level = json_str(r->json, "level");
    if (json_object_get(r->json, "enabled"))
        return !json_bool(r->json, "enabled")                     ? LOOK_DIM
               : str_eq(json_str(r->json, "last_state"), "error") ? LOOK_BAD
                                                                  : LOOK_PLAIN;
    return str_eq(level, "error") ? LOOK_BAD : str_eq(level, "warn") ? LOOK_WARN : LOOK_PLAIN;
}

/* ---- the tables --------------------------------------------------------------------------------------- */

/* clang-format off */
static const MonitorColumn live_columns[] = {
    {"ID",       3,  8, 0, true,  write_id, order_id},
    {"PROC",    12, 25, 0, false, write_proc, order_priority},
    {"USER",     4, 12, 4, false, write_user, NULL},
    {"RUNTIME", 11, 19, 3, false, write_runtime, order_runtime},
    {"SLEEP",    5,  7, 5, false, write_sleep, order_sleep},
    {"STATUS",  10, 10, 0, false, write_status, order_status},
    {"HOST",     4, 12, 2, false, write_host, NULL},
    {"PROGRESS", 30, 0, 0, false, write_progress, NULL},
    {0},
};
static const MonitorColumn done_columns[] = {
    {"ID",       3,  8, 0, true,  write_id, order_id},
    {"PROC",    12, 25, 0, false, write_proc, order_priority},
    {"USER",     4, 12, 4, false, write_user, NULL},
    {"FINISHED", 11, 19, 2, false, write_finished, order_finished},
    {"SLEEP",    5,  7, 5, false, write_sleep, order_sleep},
    {"STATUS",  10, 10, 0, false, write_status, order_status},
    {"HOST",     4, 12, 3, false, write_host, NULL},
    {"PROGRESS", 30, 0, 0, false, write_progress, NULL},
    {0},
};
static const MonitorColumn replica_columns[] = {
    {"NODE",     4, 16, 0, false, write_node, NULL},
    {"ROLE", 7, 7, 6, false, write_role, NULL},
    {"STATE",   11, 11, 0, false, write_health, NULL},
    {"LAG", 11, 20, 1, false, write_lag, order_lag},
    {"PAUSED", 11, 12, 4, false, write_paused, order_paused},
    {"BY", 8, 12, 3, false, write_by, NULL},
    {"LEFT", 11, 16, 2, false, write_left, order_left},
    {"BUFFERED", 9, 10, 5, false, write_buffered, order_buffered},
    {"REMARK",  16,  0, 0, false, write_remark, NULL},
    {0},
};
static const MonitorColumn schedule_columns[] = {
    {"NAME",    12, 25, 0, false, write_name, NULL},
    {"JOB",      6, 16, 3, false, write_job, NULL},
    {"NEXT",    11, 19, 0, false, write_next, order_next_run},
    {"LAST",    11, 19, 2, false, write_last, NULL},
    {"RESULT",   8, 16, 0, false, write_last_state, NULL},
    {"TAKES",   11, 12, 1, false, write_lasts, NULL},
    {"STATE",   10,  0, 0, false, write_schedule, NULL},
    {0},
};
static const MonitorColumn event_columns[] = {
    {"TIME", 11, 19, 0, false, write_time, NULL},
    {"LEVEL",    5,  5, 2, false, write_level, NULL},
    {"KIND",     6,  9, 3, false, write_kind, NULL},
    {"ABOUT",    5,  8, 1, false, write_about, NULL},
    {"EVENT",   24,  0, 0, false, write_event, NULL},
    {0},
};
/* clang-format on */

const MonitorColumn *columns_of(const Monitor *m)
{
    switch (m->view) {
    case VIEW_DONE:
    case VIEW_ARCHIVE:
        return done_columns;
    case VIEW_REPLICAS:
        return replica_columns;
    case VIEW_EVENTS:
        return event_columns;
    case VIEW_SCHEDULES:
        return m->no_schedules ? live_columns : schedule_columns;
    default:
        return live_columns;
    }
}
