/* SPDX-License-Identifier: Apache-2.0
 * What a person asks to be done. A plan keeps the lines it is about from the key to the answer of the
 * question; what destroys is asked about; each call is made once, and an outcome that is not known is said to
 * be so.
 */
#include <inttypes.h>
#include <string.h>
#include <strings.h>

#include "common/base/clock.h"
#include "common/base/outtext.h"
#include "monitor_impl.h"

enum { ACTION_TIMEOUT_MS = 30000, PAUSE_TIMEOUT_MS = 120000, MOST_AT_ONCE = 1000, NAMED = 8 };

void act_free(Plan *p)
{
    free(p->verb);
    strlist_done(&p->keys);
    json_decref(p->body);
    *p = (Plan){0};
}

/* ---- the calls --------------------------------------------------------------------------------------- */

static char *path_of(const Plan *p, const char *key)
{
    switch (p->kind) {
    case PLAN_NODES:
        return xasprintf("/v1/nodes/%s/%s", key, p->verb);
    case PLAN_SCHEDULES:
        return xasprintf("/v1/schedules/%s/request", key);
    case PLAN_SET:
        return xasprintf("/v1/tasks/%s/set", key);
    case PLAN_QUEUE:
        return xasprintf("/v1/queue/%s", key);
    default:
        return xasprintf("/v1/tasks/%s/request", key);
    }
}

/* "kill task 12", "pause db2", "manual mode" */
static char *what_of(const Plan *p, const char *key)
{
    static const char *const before[] = {
        [PLAN_TASKS] = "task ", [PLAN_SET] = "of task ", [PLAN_NODES] = "", [PLAN_SCHEDULES] = "schedule "};
    if (p->kind == PLAN_QUEUE)
        return xasprintf("%s mode", key);
    return xasprintf("%s %s%s", p->verb, before[p->kind], key);
}

void act_send(Monitor *m)
{
    Plan *p = &m->plan;
    m->actions_done = m->actions_failed = 0;
    for (size_t i = 0; i < p->keys.n; i++) {
        json_t *body = p->body ? json_deep_copy(p->body) : json_object();
        if (p->kind == PLAN_TASKS || p->kind == PLAN_SCHEDULES)
            json_set_str(body, "action", p->verb);
        json_set_str(body, "by", m->user);
        Ask *a = feed_ask(m, FEED_ACTION, "POST", path_of(p, p->keys.v[i]), body,
                          p->kind == PLAN_NODES ? PAUSE_TIMEOUT_MS : ACTION_TIMEOUT_MS);
        a->what = what_of(p, p->keys.v[i]);
        if (i == 0)
            monitor_say(m, LOOK_PLAIN, p->keys.n > 1 ? "%s, and %zu more …" : "%s …", a->what, p->keys.n - 1);
    }
    strlist_done(&rows_view(m)->tags);
    act_free(p);
}

static void on_yes(Monitor *m, const char *text, int64_t now_ms)
{
    (void)text;
    (void)now_ms;
    act_send(m);
}

static bool is_unknown(const Err *err)
{
    return err->kind == ERR_TIMEOUT || err->kind == ERR_LOST;
}

void act_answered(Monitor *m, const Ask *a, bool ok, const Err *err)
{
    m->actions_done += ok;
    m->actions_failed += !ok;
    int64_t n = m->actions_done + m->actions_failed;
    if (!ok && is_unknown(err))
        monitor_say(m, LOOK_BAD, "%s: %s; whether it was done is not known, look before you ask again",
                    a->what, err->text);
    else if (!ok && n > 1)
        monitor_say(m, LOOK_BAD, "%" PRId64 " done, %" PRId64 " not; %s: %s", m->actions_done,
                    m->actions_failed, a->what, err->text);
    else if (!ok)
        monitor_say(m, LOOK_BAD, "%s: %s", a->what, err->text);
    else if (!m->actions_failed)
        monitor_say(m, LOOK_GOOD, n > 1 ? "%s: taken, as %" PRId64 " before" : "%s: taken", a->what, n - 1);
    feed_soon(m);
}

/* ---- the plans ----------------------------------------------------------------------------------------- */

/* The lines that are meant, or a sentence why there are none. */
bool act_plan(Monitor *m, const char *verb)
{
    Plan *p = &m->plan;
    act_free(p);
    if (!monitor_may_change(m))
        return false;
    rows_targets(m, &p->keys);
    const MonitorRow *first = p->keys.n ? rows_find(m, p->keys.v[0]) : NULL;
    p->verb = xstrdup(verb);
    p->kind = !first ? PLAN_TASKS : first->node ? PLAN_NODES : first->json ? PLAN_SCHEDULES : PLAN_TASKS;
    if (first && m->view != VIEW_EVENTS && p->keys.n <= MOST_AT_ONCE)
        return true;
    monitor_say(m, LOOK_PLAIN,
                p->keys.n > MOST_AT_ONCE ? "more than %d lines are tagged" : "no line for this is chosen",
                MOST_AT_ONCE);
    act_free(p);
    return false;
}

bool act_plan_tasks(Monitor *m, const char *verb)
{
    if (!act_plan(m, verb))
        return false;
    if (m->plan.kind == PLAN_TASKS)
        return true;
    act_refuse(m, m->plan.kind == PLAN_NODES
                      ? "this is for tasks; on replicas s pauses and w resumes"
                      : "this is for tasks; on schedules r runs, s disables, w enables");
    return false;
}

/* "task 12 (index)", "3 tasks: 12, 13, 14" */
static void name_targets(const Monitor *m, Str *out)
{
    const Plan *p = &m->plan;
    const MonitorRow *r = rows_find(m, p->keys.v[0]);
    if (p->keys.n == 1) {
        str_addf(out, "%s%s", p->kind == PLAN_NODES ? "" : "task ", p->keys.v[0]);
        if (r && r->task)
            str_addf(out, " (%s)", r->task->name ? r->task->name : r->task->job);
        return;
    }
    str_addf(out, "%zu %s: ", p->keys.n, p->kind == PLAN_NODES ? "replicas" : "tasks");
    for (size_t i = 0; i < p->keys.n && i < NAMED; i++)
        str_addf(out, "%s%s", i ? ", " : "", p->keys.v[i]);
    if (p->keys.n > NAMED)
        str_adds(out, ", …");
}

/* "Kill task 12 (index)? …" */
static void ask_first(Monitor *m, const char *question, const char *consequence)
{
    AUTO(str_done) Str s = STR_INIT;
    str_addf(&s, "%s ", question);
    name_targets(m, &s);
    str_addf(&s, "? %s", consequence);
    box_confirm(m, on_yes, str_take(&s));
}

static const MonitorRow *first_target(const Monitor *m)
{
    return rows_find(m, m->plan.keys.v[0]);
}

static bool all_are(const Monitor *m, bool (*is)(const Task *))
{
    for (size_t i = 0; i < m->plan.keys.n; i++) {
        const MonitorRow *r = rows_find(m, m->plan.keys.v[i]);
        if (!r || !r->task || !is(r->task))
            return false;
    }
    return true;
}

static bool is_under_way(const Task *t)
{
    return !task_state_is_final(t->state) && t->state != TASK_WAITING;
}

static bool may_start_anew(const Task *t)
{
    return task_state_is_final(t->state) || task_turn_failed(t);
}

void act_refuse(Monitor *m, const char *why)
{
    monitor_say(m, LOOK_PLAIN, "%s", why);
    act_free(&m->plan);
}

void act_stop(Monitor *m, int64_t now_ms)
{
    (void)now_ms;
    if (!act_plan_tasks(m, "stop"))
        return;
    if (m->plan.keys.n == 1 && !is_under_way(first_target(m)->task))
        act_refuse(m, "it does not run: d deletes it");
    else if (m->plan.keys.n > 1)
        ask_first(m, "Stop", "They end cleanly as soon as they can; their work is lost.");
    else
        act_send(m);
}

/* On what failed it is the acknowledgement; on what runs, the end in an emergency. */
void act_kill(Monitor *m, int64_t now_ms)
{
    (void)now_ms;
    if (!act_plan_tasks(m, "kill"))
        return;
    if (all_are(m, columns_is_failed)) {
        str_set(&m->plan.verb, "ack");
        if (all_are(m, task_turn_failed))
            ask_first(m, "Acknowledge the error of", "It is periodic: it goes on with its next time.");
        else if (first_target(m)->task->sleeptime_ms > 0)
            ask_first(m, "Acknowledge the error of",
                      "It was held, and does not run again then; i starts it anew, and its times go on.");
        else
            act_send(m);
    } else if (all_are(m, is_under_way))
        ask_first(m, "Kill", "It ends at once; t would stop it cleanly. A paused replica resumes.");
    else
        act_refuse(m, "k kills what runs and acknowledges what failed; d deletes what waits or has ended");
}

static void took_reason(Monitor *m, const char *text, int64_t now_ms)
{
    (void)now_ms;
    if (!*text) {
        act_refuse(m, "a pause needs a reason, for those who find it; nothing was done");
        return;
    }
    json_set_str(m->plan.body, "reason", text);
    act_send(m);
}

static void took_span(Monitor *m, const char *text, int64_t now_ms)
{
    int64_t ms;
    (void)now_ms;
    if (!clock_parse_duration(text, &ms) || ms < 1000) {
        act_refuse(m, "that is no time: 30m, 2h, 1h30m; nothing was done");
        return;
    }
    m->plan.body = json_object();
    json_set_int(m->plan.body, "for_s", (ms + 999) / 1000);
    box_prompt(m, "reason, for others to read:", NULL, took_reason);
}

void act_sleep(Monitor *m, int64_t now_ms)
{
    (void)now_ms;
    if (!act_plan(m, "sleep"))
        return;
    if (m->plan.kind == PLAN_SCHEDULES) {
        str_set(&m->plan.verb, "disable");
        act_send(m);
    } else if (m->plan.kind == PLAN_NODES) {
        const MonitorRow *r = first_target(m);
        str_set(&m->plan.verb, "pause");
        if (r->node->role == ROLE_PRIMARY)
            act_refuse(m, "this is the primary: only replicas can be paused");
        else if (r->node->agent.lease.owner && m->plan.keys.n == 1)
            act_refuse(m, "it is paused already; w resumes it");
        else
            box_prompt(m, "pause for how long at most (30m, 2h):", NULL, took_span);
    } else if (m->plan.keys.n == 1 && first_target(m)->task->state != TASK_RUNNING)
        act_refuse(m, "only what runs can be put to sleep");
    else
        act_send(m);
}

void act_wake(Monitor *m, int64_t now_ms)
{
    (void)now_ms;
    if (!act_plan(m, "wake"))
        return;
    const MonitorRow *r = first_target(m);
    if (m->plan.kind == PLAN_SCHEDULES) {
        str_set(&m->plan.verb, "enable");
        act_send(m);
        return;
    }
    if (m->plan.kind == PLAN_TASKS) {
        if (m->plan.keys.n == 1 && r->task->state != TASK_SLEEPING)
            act_refuse(m, "it does not sleep; i starts what has ended anew");
        else
            act_send(m);
        return;
    }
    str_set(&m->plan.verb, "resume");
    m->plan.body = json_object();
    json_set_str(m->plan.body, "reason", "from the monitor");
    bool stands = r->node->state == NODE_ERRORS || r->node->state == NODE_STOPPED;
    if (m->plan.keys.n == 1 && !r->node->agent.lease.owner && !stands)
        act_refuse(m, "it is not paused");
    else if (r->node->agent.lease.owner && !str_eq(r->node->agent.lease.owner, "manual"))
        act_refuse(m, "a run holds it: press 2, and t or k on its task ends both");
    else
        act_send(m);
}

void act_retry(Monitor *m, int64_t now_ms)
{
    (void)now_ms;
    if (!act_plan_tasks(m, "retry"))
        return;
    if (!all_are(m, may_start_anew))
        act_refuse(m, "only what has ended can be started anew");
    else if (m->plan.keys.n > 1)
        ask_first(m, "Start anew", "");
    else
        act_send(m);
}

void act_delete(Monitor *m, int64_t now_ms)
{
    (void)now_ms;
    if (!act_plan_tasks(m, "delete"))
        return;
    for (size_t i = 0; i < m->plan.keys.n; i++) {
        const MonitorRow *r = rows_find(m, m->plan.keys.v[i]);
        if (r && is_under_way(r->task)) {
            act_refuse(m, "what runs cannot be deleted: t stops it, k kills it");
            return;
        }
    }
    ask_first(m, "Delete", "It goes from the queue with its history.");
}

/* ---- purge --------------------------------------------------------------------------------------------- */

static void took_age(Monitor *m, const char *text, int64_t now_ms)
{
    int64_t age;
    if (!clock_parse_duration(text, &age)) {
        monitor_say(m, LOOK_PLAIN, "that is no age: 30d, 12h; nothing was done");
        return;
    }
    act_free(&m->plan);
    m->plan.verb = xstrdup("delete");
    for (size_t i = 0; i < m->n_rows && m->plan.keys.n < MOST_AT_ONCE; i++) {
        const Task *t = m->rows[i].task;
        if (t && t->state == TASK_DONE && t->finished_at && t->finished_at < now_ms - age)
            strlist_add(&m->plan.keys, m->rows[i].key);
    }
    if (!m->plan.keys.n)
        act_refuse(m, "nothing that is done here is as old as that");
    else
        ask_first(m, "Delete", "They are done, and go from the queue with their history.");
}

void act_purge(Monitor *m, int64_t now_ms)
{
    (void)now_ms;
    if (!monitor_may_change(m))
        return;
    if (m->view != VIEW_DONE && m->view != VIEW_ARCHIVE) {
        monitor_say(m, LOOK_PLAIN, "p cleans up what is done: press 1 first");
        return;
    }
    box_prompt(m, "delete what is done and older than:", "30d", took_age);
}

/* ---- ":" ------------------------------------------------------------------------------------------------
 */

static void write_warnings(Monitor *m, Flow *f, int64_t now_ms)
{
    const json_t *list = json_object_get(m->status, "warnings");
    size_t i;
    json_t *v;
    (void)now_ms;
    json_array_foreach((json_t *)list, i, v)
    {
        AUTOFREE char *number = xasprintf("%zu", i + 1);
        flow_pair(f, number, LOOK_PLAIN, json_string_value(v));
    }
    if (!json_array_size(list))
        flow_text(f, LOOK_PLAIN, "There are none.");
}

typedef struct CommandWord {
    const char *word;
    void (*begin)(Monitor *m, int64_t now_ms);
} CommandWord;

static const CommandWord command_words[] = {{"stop", act_stop},     {"kill", act_kill},   {"ack", act_kill},
                                            {"sleep", act_sleep},   {"pause", act_sleep}, {"wake", act_wake},
                                            {"resume", act_wake},   {"retry", act_retry}, {"run", act_run},
                                            {"delete", act_delete}, {"purge", act_purge}, {NULL, NULL}};

/* A number is a task; a word is the action that the help names so. */
void act_command(Monitor *m, const char *text, int64_t now_ms)
{
    long long id;
    if (!*text)
        return;
    if (str_to_i64(text, 1, INT64_MAX, &id)) {
        if (!rows_choose_key(m, text))
            feed_seek(m, id);
        return;
    }
    if (str_eq(text, "q") || str_eq(text, "quit"))
        m->over = true;
    else if (str_eq(text, "warnings"))
        box_text(m, "warnings", write_warnings);
    else {
        for (const CommandWord *w = command_words; w->word; w++)
            if (str_eq(text, w->word)) {
                w->begin(m, now_ms);
                return;
            }
        monitor_say(m, LOOK_PLAIN,
                    "\"%s\"? A task's number, warnings, stop, kill, ack, sleep, wake, pause, resume, retry, "
                    "run, delete, purge, quit",
                    text);
    }
}

void act_run(Monitor *m, int64_t now_ms)
{
    (void)now_ms;
    if (m->view == VIEW_SCHEDULES && !m->no_schedules) {
        if (act_plan(m, "run-now"))
            act_send(m);
        return;
    }
    if (!act_plan_tasks(m, "run"))
        return;
    if (m->plan.keys.n == 1 && first_target(m)->task->state != TASK_WAITING)
        act_refuse(m, "r runs what waits; i starts what has ended anew");
    else
        act_send(m);
}
