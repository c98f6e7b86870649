/* SPDX-License-Identifier: Apache-2.0
 * GET /metrics, Prometheus text format. One table of plain counters and gauges; nodes carry labels.
 */
#include "common/base/clock.h"
#include "common/base/prom.h"
#include "coord_brakes.h"
#include "coord_store.h"
#include "deadlines.h"
#include "handlers.h"
#include "mail.h"
#include "task_queue.h"

static void gauge(Prom *m, const char *name, const char *help, int64_t value)
{
    prom_one(m, name, PROM_GAUGE, help, (double)value, NULL);
}

static void counter(Prom *m, const char *name, const char *help, int64_t value)
{
    prom_one(m, name, PROM_COUNTER, help, (double)value, NULL);
}

static void event_counts(const Coord *c, Prom *m)
{
    static const char *const levels[] = {"info", "warn", "error"};
    for (size_t i = 0; i < COUNT(levels); i++)
        prom_one(m, "siding_events_total", PROM_COUNTER, "Events by level, those of the agents included.",
                 (double)events_count(c, levels[i]), PROM_LABELS("level", levels[i]));
}

static void mail_metrics(const Coord *c, Prom *m)
{
    MailCounts mails = mail_counts(c);
    counter(m, "siding_mails_sent_total", "Mails that went out.", mails.sent);
    counter(m, "siding_mails_failed_total", "Mails that the program did not take.", mails.failed);
    gauge(m, "siding_mail_events_waiting", "Events that wait for the next mail.", mails.waiting);
}

static void task_counts(const Coord *c, Prom *m)
{
    static const TaskState states[] = {TASK_WAITING, TASK_RUNNING, TASK_SLEEPING, TASK_STOPPING, TASK_ERROR};
    for (size_t s = 0; s < COUNT(states); s++)
        prom_one(m, "siding_tasks", PROM_GAUGE, "Tasks by state.", (double)queue_count(c, states[s]),
                 PROM_LABELS("state", wire_enum_name(&task_state_names, (int)states[s])));
}

static void node_values(const Coord *c, Prom *m, const char *name, const char *help,
                        int64_t (*value)(const AgentLink *a))
{
    prom_family(m, name, PROM_GAUGE, help);
    for (size_t i = 0; i < c->n_agents; i++)
        prom_add(m, (double)value(c->agents[i]), PROM_LABELS("node", c->agents[i]->name));
}

static void job_metrics(const Coord *c, Prom *m)
{
    const JobRecords *jobs = deadlines_jobs(c);
    for (size_t i = 0; i < jobs->n; i++)
        prom_one(m, "siding_job_last_success_timestamp_seconds", PROM_GAUGE,
                 "When its last run that went well ended.", (double)jobs->v[i].ended_at / 1000,
                 PROM_LABELS("job", jobs->v[i].job));
    for (size_t i = 0; i < jobs->n; i++)
        prom_one(m, "siding_job_last_duration_seconds", PROM_GAUGE, "How long that run took.",
                 (double)jobs->v[i].lasted_ms / 1000, PROM_LABELS("job", jobs->v[i].job));
    for (size_t i = 0; i < jobs->n; i++)
        prom_one(m, "siding_job_last_result_bytes", PROM_GAUGE, "Size of its result, before compression.",
                 (double)jobs->v[i].bytes, PROM_LABELS("job", jobs->v[i].job));
}

static int64_t is_reachable(const AgentLink *a)
{
    return a->fresh;
}

static int64_t lag_trx(const AgentLink *a)
{
    return a->node.lag_trx;
}

static int64_t lag_ms(const AgentLink *a)
{
    return a->node.lag_ms;
}

static int64_t is_paused(const AgentLink *a)
{
    return a->node.agent.lease.owner != NULL;
}

static int64_t relay_bytes(const AgentLink *a)
{
    return a->node.agent.server.relay_bytes;
}

void handle_metrics(HttpRequest *req, void *context)
{
    const Coord *c = context;
    AUTO(prom_done) Prom m = {0};
    gauge(&m, "siding_term", "Term of this coordinator.", c->journal.term);
    gauge(&m, "siding_database_up", "1 while the queue's database can be used.", store_is_up(c));
    gauge(&m, "siding_fenced", "1 once another coordinator has taken over.", c->fenced);
    gauge(&m, "siding_uptime_seconds", "Seconds since the start.", (clock_wall_ms() - c->started_at) / 1000);
    counter(&m, "siding_tasks_submitted_total", "Tasks stored through the API.", c->count.submitted);
    counter(&m, "siding_runs_started_total", "Runs claimed.", c->count.started);
    counter(&m, "siding_runs_done_total", "Runs that ended well.", c->count.done);
    counter(&m, "siding_runs_failed_total", "Runs that ended otherwise.", c->count.failed);
    event_counts(c, &m);
    mail_metrics(c, &m);
    counter(&m, "siding_loop_steps_total", "Steps of the coordinator's loop.", c->count.steps);
    task_counts(c, &m);
    gauge(&m, "siding_queue_manual", "1 while nothing starts by itself.",
          coord_brakes_find(c, BRAKE_QUEUE, "") != NULL);
    gauge(&m, "siding_queue_errors", "Failures that nobody has seen to.", coord_brakes_errors(c).n);
    job_metrics(c, &m);
    node_values(c, &m, "siding_node_reachable", "1 while its agent answers.", is_reachable);
    node_values(c, &m, "siding_node_lag_transactions", "Transactions behind the primary, -1: not known.",
                lag_trx);
    node_values(c, &m, "siding_node_lag_milliseconds", "Milliseconds behind the primary, -1: not known.",
                lag_ms);
    node_values(c, &m, "siding_node_paused", "1 while a pause lease is in force.", is_paused);
    node_values(c, &m, "siding_node_relay_bytes", "Size of its relay logs.", relay_bytes);
    http_reply_text(req, 200, PROM_CONTENT_TYPE, str_z(&m.text), m.text.len);
}
