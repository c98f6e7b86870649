/* SPDX-License-Identifier: Apache-2.0
 * GET /metrics, Prometheus text format. One table of plain counters and gauges; nodes carry labels.
 */
#include <inttypes.h>
#include <string.h>

#include "api.h"
#include "common/base/clock.h"
#include "mail.h"
#include "store.h"

static void head(Str *out, const char *name, const char *type, const char *help)
{
    str_addf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void plain(Str *out, const char *name, const char *type, const char *help, int64_t value)
{
    head(out, name, type, help);
    str_addf(out, "%s %" PRId64 "\n", name, value);
}

static void label(Str *out, const char *value)
{
    for (const char *p = value ? value : ""; *p; p++) {
        if (*p == '"' || *p == '\\')
            str_addc(out, '\\');
        str_addc(out, *p);
    }
}

static void event_counts(const Coord *c, Str *out)
{
    static const char *const levels[] = {"info", "warn", "error"};
    head(out, "siding_events_total", "counter", "Events by level, those of the agents included.");
    for (size_t i = 0; i < COUNT(levels); i++)
        str_addf(out, "siding_events_total{level=\"%s\"} %" PRId64 "\n", levels[i],
                 events_count(c, levels[i]));
}

static void mail_metrics(const Coord *c, Str *out)
{
    MailCounts m = mail_counts(c);
    plain(out, "siding_mails_sent_total", "counter", "Mails that went out.", m.sent);
    plain(out, "siding_mails_failed_total", "counter", "Mails that the program did not take.", m.failed);
    plain(out, "siding_mail_events_waiting", "gauge", "Events that wait for the next mail.", m.waiting);
}

static void task_counts(const Coord *c, Str *out)
{
    static const TaskState states[] = {TASK_WAITING, TASK_RUNNING, TASK_SLEEPING, TASK_STOPPING, TASK_ERROR};
    head(out, "siding_tasks", "gauge", "Tasks by state.");
    for (size_t s = 0; s < COUNT(states); s++) {
        int64_t n = 0;
        for (size_t i = 0; i < c->n_entries; i++)
            n += c->entries[i]->t.state == states[s];
        str_addf(out, "siding_tasks{state=\"%s\"} %" PRId64 "\n",
                 wire_enum_name(&task_state_names, (int)states[s]), n);
    }
}

static void node_values(const Coord *c, Str *out, const char *name, const char *help,
                        int64_t (*value)(const Agent *a))
{
    head(out, name, "gauge", help);
    for (size_t i = 0; i < c->n_agents; i++) {
        str_addf(out, "%s{node=\"", name);
        label(out, c->agents[i]->name);
        str_addf(out, "\"} %" PRId64 "\n", value(c->agents[i]));
    }
}

static int64_t is_reachable(const Agent *a)
{
    return a->fresh;
}

static int64_t lag_trx(const Agent *a)
{
    return a->node.lag_trx;
}

static int64_t lag_ms(const Agent *a)
{
    return a->node.lag_ms;
}

static int64_t is_paused(const Agent *a)
{
    return a->node.agent.lease.owner != NULL;
}

static int64_t relay_bytes(const Agent *a)
{
    return a->node.agent.server.relay_bytes;
}

void api_metrics(HttpRequest *req, void *context)
{
    const Coord *c = context;
    AUTO(str_done) Str out = STR_INIT;
    plain(&out, "siding_term", "gauge", "Term of this coordinator.", c->journal.term);
    plain(&out, "siding_database_up", "gauge", "1 while the queue's database can be used.", store_is_up(c));
    plain(&out, "siding_fenced", "gauge", "1 once another coordinator has taken over.", c->fenced);
    plain(&out, "siding_uptime_seconds", "gauge", "Seconds since the start.",
          (clock_wall_ms() - c->started_at) / 1000);
    plain(&out, "siding_tasks_submitted_total", "counter", "Tasks stored through the API.",
          c->count.submitted);
    plain(&out, "siding_runs_started_total", "counter", "Runs claimed.", c->count.started);
    plain(&out, "siding_runs_done_total", "counter", "Runs that ended well.", c->count.done);
    plain(&out, "siding_runs_failed_total", "counter", "Runs that ended otherwise.", c->count.failed);
    event_counts(c, &out);
    mail_metrics(c, &out);
    plain(&out, "siding_loop_steps_total", "counter", "Steps of the coordinator's loop.", c->count.steps);
    task_counts(c, &out);
    node_values(c, &out, "siding_node_reachable", "1 while its agent answers.", is_reachable);
    node_values(c, &out, "siding_node_lag_transactions", "Transactions behind the primary, -1: not known.",
                lag_trx);
    node_values(c, &out, "siding_node_lag_milliseconds", "Milliseconds behind the primary, -1: not known.",
                lag_ms);
    node_values(c, &out, "siding_node_paused", "1 while a pause lease is in force.", is_paused);
    node_values(c, &out, "siding_node_relay_bytes", "Size of its relay logs.", relay_bytes);
    http_reply_text(req, 200, "text/plain; version=0.0.4", str_z(&out), out.len);
}
