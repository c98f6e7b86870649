/* SPDX-License-Identifier: Apache-2.0
 * All that is known of the line under the cursor: below the list in short, and as a page of its own.
 */
#include "pane_stages.h"

#include <inttypes.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/outtext.h"

static void pair_time(Flow *f, const char *name, int64_t wall_ms)
{
    char text[OUT_TEXT];
    out_time(wall_ms, text);
    flow_pair(f, name, LOOK_PLAIN, text);
}

/* The task as sidingd gave it alone, where it is the one of the line: it holds more than those in lists. */
static const Task *whole_task(const Monitor *m, const MonitorRow *r)
{
    return m->detail.id == r->task->id ? &m->detail : r->task;
}

static const char *why_of(const Monitor *m, const Task *t)
{
    if (t->error && *t->error)
        return t->error;
    if (m->why_id == t->id && m->why && *m->why)
        return m->why;
    return t->why;
}

static void write_title(const Task *t, Flow *f)
{
    flow_textf(f, LOOK_TITLE, "Task %" PRId64 " ", t->id);
    flow_text(f, LOOK_TITLE, t->name ? t->name : t->job);
    flow_textf(f, LOOK_PLAIN, " %s", WIRE_TEXT(task_kind_names, t, kind));
    if (t->job && t->name && !str_eq(t->job, t->name))
        flow_textf(f, LOOK_PLAIN, " of %s", t->job);
    if (t->user)
        flow_textf(f, LOOK_PLAIN, " by %s", t->user);
    if (t->priority)
        flow_textf(f, LOOK_PLAIN, ", priority %" PRId64, t->priority);
    if (t->max_attempts > 1)
        flow_textf(f, LOOK_PLAIN, ", attempt %" PRId64 " of %" PRId64, t->attempts, t->max_attempts);
    flow_break(f);
}

static void write_task(Monitor *m, const Task *t, Flow *f)
{
    const Run *run = columns_last_run(t);
    bool failed = columns_is_failed(t);
    write_title(t, f);
    flow_pair(f,
              failed                     ? "error"
              : t->state == TASK_WAITING ? "waits"
                                         : "now",
              failed ? LOOK_BAD : LOOK_PLAIN, why_of(m, t));
    if (failed && t->state == TASK_WAITING)
        flow_pair(f, "waits", LOOK_PLAIN, m->why_id == t->id ? m->why : t->why);
    if (t->request)
        flow_pairf(f, "asked", LOOK_WARN, "%s%s%s", WIRE_TEXT(task_action_names, t, request),
                   t->request_by ? " by " : "", t->request_by ? t->request_by : "");
    if (run) {
        pane_stages(t, run, m->now_ms, f);
        if (run->gtid)
            flow_pair(f, "frozen at", LOOK_PLAIN, run->gtid);
    }
}

static void write_runs(const Task *t, Flow *f)
{
    for (size_t i = t->runs.n; i-- > 0;) {
        const Run *r = (const Run *)t->runs.v + i;
        AUTOFREE char *name = xasprintf("run %s", r->id ? r->id : "?");
        AUTOFREE char *nodes = strlist_join(&r->nodes, ", ");
        flow_pairf(f, name, LOOK_PLAIN, "%s%s%s", WIRE_TEXT(coord_run_state_names, r, state),
                   *nodes ? " on " : "", nodes);
        pair_time(f, "  started", r->started_at);
        pair_time(f, "  frozen", r->frozen_at);
        flow_pair(f, "  at", LOOK_PLAIN, r->gtid);
        pair_time(f, "  resumed", r->resumed_at);
        pair_time(f, "  caught up", r->caught_up_at);
        pair_time(f, "  finished", r->finished_at);
        if (r->upload_task)
            flow_pairf(f, "  loaded by", LOOK_PLAIN, "task %" PRId64, r->upload_task);
        flow_pair(f, "  result", LOOK_PLAIN, r->result_dir);
        flow_pair(f, "  error", LOOK_BAD, r->error);
    }
}

/* All that was submitted, as BibSched's "options" show it. */
static void write_options(const Task *t, Flow *f)
{
    AUTOFREE char *args = strlist_join(&t->args, " ");
    AUTOFREE char *options = t->options && json_object_size(t->options) ? json_text(t->options) : NULL;
    char every[CLOCK_TEXT];
    clock_format_duration(t->sleeptime_ms, every);
    flow_pair(f, "state", LOOK_PLAIN, WIRE_TEXT(task_state_names, t, state));
    flow_pair(f, "arguments", LOOK_PLAIN, args);
    flow_pair(f, "options", LOOK_PLAIN, options);
    pair_time(f, "submitted", t->submitted_at);
    pair_time(f, "runtime", t->run_at);
    pair_time(f, "finished", t->finished_at);
    if (t->sleeptime_ms > 0)
        flow_pairf(f, "sleeptime", LOOK_PLAIN, "%s%s", every, t->fixed_time ? ", fixed time" : "");
    if (t->sequence_id)
        flow_pairf(f, "sequence", LOOK_PLAIN, "%" PRId64, t->sequence_id);
    flow_pair(f, "window", LOOK_PLAIN, t->window);
    flow_pair(f, "unique", LOOK_PLAIN, t->unique);
    flow_pair(f, "host", LOOK_PLAIN, t->host);
    flow_pair(f, "lane", LOOK_PLAIN, t->lane);
    flow_pair(f, "upload of", LOOK_PLAIN, t->parent_run);
    if (t->parent_task && t->kind != KIND_UPLOAD)
        flow_pairf(f, "post-process of", LOOK_PLAIN, "task %" PRId64, t->parent_task);
    flow_pair(f, "post-process", LOOK_PLAIN, json_string_value(json_object_get(t->plan, "post_process")));
}

/* ---- replicas -------------------------------------------------------------------------------------------
 */

static void write_lease(const Monitor *m, const LeaseState *l, bool away, Flow *f)
{
    char since[OUT_TEXT], left[CLOCK_TEXT], bytes[OUT_TEXT];
    if (!l->owner)
        return;
    bool by_hand = str_eq(l->owner, "manual");
    out_time(l->taken_at, since);
    clock_format_duration(l->expires_at - m->now_ms, left);
    out_size(l->relay_bytes, bytes);
    flow_pairf(f, "paused", LOOK_WARN, "%s since %s %s%s%s%s", WIRE_TEXT(lease_phase_names, l, phase), since,
               by_hand ? "by " : "for run ", by_hand ? (l->by ? l->by : "hand") : l->owner,
               by_hand && l->reason ? ": " : "", by_hand && l->reason ? l->reason : "");
    if (l->expires_at && l->phase != PHASE_CATCHING_UP)
        flow_pairf(f, "time left", l->expires_at < m->now_ms ? LOOK_BAD : LOOK_PLAIN, "%s%s%s",
                   l->expires_at >= m->now_ms ? left
                   : away ? "none: it is over its limit. Its agent resumes it once it runs: start "
                            "siding-agent there"
                          : "none: it is over its limit, w resumes it",
                   l->hold ? ", held over a restart of the server" : "",
                   l->renew_overdue ? "; sidingd was not heard for long" : "");
    if (l->relay_bytes > 0)
        flow_pairf(f, "buffered", LOOK_PLAIN, "%s", bytes);
    if (l->limit_percent > 0)
        flow_pairf(f, "limits", l->limit_percent >= 80 ? LOOK_BAD : LOOK_PLAIN,
                   "%" PRId64 "%% of the nearest is used", l->limit_percent);
    flow_pair(f, "frozen at", LOOK_PLAIN, l->gtid);
}

static void write_replay(const LeaseState *l, Flow *f)
{
    AUTO(str_done) Str s = STR_INIT;
    if (!l->owner || (l->phase != PHASE_CATCHING_UP && l->phase != PHASE_RESUMING))
        return;
    columns_replay(&l->replay, &s);
    flow_pair(f, "replay", LOOK_BUSY, str_z(&s));
    flow_pair(f, "broken", LOOK_BAD, l->replay.error);
}

static void write_node(const Monitor *m, const Node *n, Flow *f)
{
    const ServerState *s = &n->agent.server;
    AUTO(str_done) Str lag = STR_INIT;
    columns_lag(n, &lag);
    const json_t *cordon = monitor_brake(m, "node", n->name);
    flow_textf(f, LOOK_TITLE, "%s ", n->name ? n->name : "?");
    if (n->role)
        flow_textf(f, LOOK_PLAIN, " %s,", WIRE_TEXT(node_role_names, n, role));
    flow_textf(f, LOOK_PLAIN, " %s", WIRE_TEXT(node_health_names, n, state));
    if (s->address)
        flow_textf(f, LOOK_PLAIN, ", %s %s at %s:%" PRId64, s->flavor ? s->flavor : "",
                   s->version ? s->version : "", s->address, s->port);
    flow_break(f);
    if (cordon)
        flow_pairf(f, "cordoned", LOOK_WARN, "by %s: %s", json_str(cordon, "by"), json_str(cordon, "reason"));
    flow_pair(f, "agent", LOOK_BAD, n->agent_error);
    flow_pair(f, "server", LOOK_BAD, s->error);
    flow_pair(f, "applier", LOOK_BAD, s->sql_error);
    flow_pair(f, "receiver", LOOK_BAD, s->io_error);
    write_lease(m, &n->agent.lease, n->agent_error && *n->agent_error, f);
    write_replay(&n->agent.lease, f);
    flow_pair(f, "lag", LOOK_PLAIN, str_z(&lag));
    flow_pair(f, "position", LOOK_PLAIN, s->applied && *s->applied ? s->applied : s->binlog);
    for (size_t i = 0; i < n->agent.warnings.n; i++)
        flow_pair(f, "warning", LOOK_WARN, n->agent.warnings.v[i]);
}

/* ---- any line -------------------------------------------------------------------------------------------
 */

/* The text first, which one came to read. */
static void write_json(const json_t *o, Flow *f)
{
    const char *key;
    json_t *v;
    flow_text(f, LOOK_TITLE, json_str(o, "text"));
    flow_end(f);
    json_object_foreach((json_t *)o, key, v)
    {
        int64_t at = columns_time(o, key);
        AUTOFREE char *text = json_is_string(v) ? xstrdup(json_string_value(v)) : json_text(v);
        if (at)
            pair_time(f, key, at);
        else if (!json_is_null(v) && !str_eq(key, "text"))
            flow_pair(f, key, LOOK_PLAIN, text);
    }
}

void pane_write(Monitor *m, Flow *f, int64_t now_ms)
{
    const MonitorRow *r = rows_chosen(m);
    m->now_ms = now_ms;
    if (!r)
        return;
    if (r->task)
        write_task(m, whole_task(m, r), f);
    else if (r->node)
        write_node(m, r->node, f);
    else
        write_json(r->json, f);
}

void pane_write_all(Monitor *m, Flow *f, int64_t now_ms)
{
    const MonitorRow *r = rows_chosen(m);
    pane_write(m, f, now_ms);
    if (!r || !r->task)
        return;
    write_options(whole_task(m, r), f);
    write_runs(whole_task(m, r), f);
}
