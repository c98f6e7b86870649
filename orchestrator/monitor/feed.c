/* SPDX-License-Identifier: Apache-2.0
 * What sidingd is asked, when, and where its answers go. A view asks for what it shows and nothing else. A
 * waiting call for events tells that something changed; apart from that lists are asked again every few
 * seconds, every second while something runs. Never two calls of one feed at a time.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "monitor_impl.h"

enum {
    IDLE_MS = 4000,
    BUSY_MS = 1000,
    LONG_LIST = 200, /* tasks: a longer one is asked for as much more seldom */
    LONGEST_MS = 20000,
    AWAY_MS = 1000, /* between two tries while sidingd does not answer */
    CALL_TIMEOUT_MS = 8000,
    EVENTS_WAIT_MS = 20000,
    EVENTS_KEPT = 1000,
    LIVE_TASKS = 1000, /* what sidingd gives at a time */
    PAGE_TASKS = 500,
    ARCHIVE_MOST = 20000
};

/* ---- calls ------------------------------------------------------------------------------------------ */

Ask *feed_ask(Monitor *m, Feed feed, const char *method, char *path, json_t *body, int64_t timeout_ms)
{
    Ask **last = &m->asks;
    while (*last)
        last = &(*last)->next;
    Ask *a = *last = NEW(Ask);
    a->id = ++m->last_ask;
    a->feed = feed;
    a->method = xstrdup(method);
    a->path = path;
    a->body = body;
    a->timeout_ms = timeout_ms;
    return a;
}

void feed_drop_ask(Monitor *m, Ask *a)
{
    for (Ask **p = &m->asks; *p; p = &(*p)->next)
        if (*p == a) {
            *p = a->next;
            break;
        }
    free(a->method);
    free(a->path);
    json_decref(a->body);
    free(a->what);
    free(a);
}

static const char *states_of(Feed f)
{
    return f == FEED_ACTIVE    ? "scheduled,running,sleeping,stopping"
           : f == FEED_FAILED  ? "error,done_with_errors,killed,stopped"
           : f == FEED_WAITING ? "waiting"
           : f == FEED_DONE    ? "done,acknowledged"
                               : "done,acknowledged,done_with_errors,error,killed,stopped";
}

/* The archive is read on from where it ends, the other lists from the newest. */
static char *tasks_path(const Monitor *m, Feed f)
{
    const WireList *l = &m->tasks[f];
    int limit = f == FEED_DONE || f == FEED_ARCHIVE ? PAGE_TASKS : LIVE_TASKS;
    if (f == FEED_ARCHIVE && l->n)
        return xasprintf("/v1/tasks?state=%s&limit=%d&before=%" PRId64, states_of(f), limit,
                         ((const Task *)l->v)[l->n - 1].id);
    return xasprintf("/v1/tasks?state=%s&limit=%d", states_of(f), limit);
}

static char *events_path(const Monitor *m)
{
    if (!m->last_event)
        return xasprintf("/v1/events?limit=%d", EVENTS_KEPT);
    return xasprintf("/v1/events?after=%" PRId64 "&wait_ms=%d&limit=%d", m->last_event, EVENTS_WAIT_MS,
                     EVENTS_KEPT);
}

static int64_t chosen_task(const Monitor *m)
{
    const MonitorRow *r = rows_chosen(m);
    return r && r->task ? r->task->id : 0;
}

static char *path_of(const Monitor *m, Feed f)
{
    switch (f) {
    case FEED_STATUS:
        return xstrdup("/v1/status");
    case FEED_SCHEDULES:
        return xstrdup("/v1/schedules");
    case FEED_EVENTS:
        return events_path(m);
    case FEED_TASK:
        return xasprintf("/v1/tasks/%" PRId64, chosen_task(m));
    case FEED_WHY:
        return xasprintf("/v1/tasks/%" PRId64 "/why", chosen_task(m));
    case FEED_SOUGHT:
        return xasprintf("/v1/tasks/%" PRId64, m->sought);
    case FEED_LOG:
        return logbox_path(m);
    default:
        return tasks_path(m, f);
    }
}

/* ---- what is wanted now ------------------------------------------------------------------------------- */

static bool wants_live(const Monitor *m)
{
    return m->view == VIEW_LIVE || m->view == VIEW_ONCE || (m->view == VIEW_SCHEDULES && m->no_schedules);
}

static bool is_wanted(const Monitor *m, Feed f)
{
    bool detail = chosen_task(m) && (m->show_pane || m->box.kind == BOX_TEXT);
    switch (f) {
    case FEED_STATUS:
        return true;
    case FEED_EVENTS:
        return true;
    case FEED_ACTIVE:
    case FEED_FAILED:
    case FEED_WAITING:
        return wants_live(m);
    case FEED_DONE:
        return m->view == VIEW_DONE;
    case FEED_ARCHIVE:
        return m->view == VIEW_ARCHIVE && m->archive_wanted && !m->archive_ends &&
               m->tasks[f].n < ARCHIVE_MOST;
    case FEED_SCHEDULES:
        return m->view == VIEW_SCHEDULES && !m->no_schedules;
    case FEED_TASK:
    case FEED_WHY:
        return detail;
    case FEED_SOUGHT:
        return m->sought != 0;
    case FEED_LOG:
        return m->box.kind == BOX_LOG && m->log.task && (m->log.follow || !m->log.at_end);
    default:
        return false;
    }
}

bool feed_is_busy(const Monitor *m)
{
    const WireList *l = &m->tasks[FEED_ACTIVE];
    if (m->view != VIEW_REPLICAS)
        return l->n > 0 && wants_live(m);
    for (size_t i = 0; i < m->nodes.n; i++)
        if (((const Node *)m->nodes.v)[i].agent.lease.owner)
            return true;
    return false;
}

static bool is_due(const Monitor *m, Feed f, int64_t now_ms)
{
    const FeedState *s = &m->feeds[f];
    return !s->asked && is_wanted(m, f) && (s->due_ms <= now_ms || (s->stale && !m->away));
}

void feed_tick(Monitor *m, int64_t now_ms)
{
    m->now_ms = now_ms;
    for (int f = 0; f < FEEDS; f++) {
        if (!is_due(m, (Feed)f, now_ms))
            continue;
        bool waits = f == FEED_EVENTS && m->last_event;
        feed_ask(m, (Feed)f, "GET", path_of(m, (Feed)f), NULL,
                 CALL_TIMEOUT_MS + (waits ? EVENTS_WAIT_MS : 0));
        m->feeds[f].asked = true;
        m->feeds[f].stale = false;
    }
}

int64_t feed_next(const Monitor *m)
{
    int64_t next = m->now_ms + 60000;
    for (int f = 0; f < FEEDS; f++)
        if (is_wanted(m, (Feed)f) && !m->feeds[f].asked && m->feeds[f].due_ms < next)
            next = m->feeds[f].stale && !m->away ? m->now_ms : m->feeds[f].due_ms;
    return next;
}

void feed_soon(Monitor *m)
{
    for (int f = 0; f < FEEDS; f++)
        if (f != FEED_ARCHIVE && f != FEED_EVENTS && f != FEED_LOG)
            m->feeds[f].stale = true;
}

/* ---- answers ------------------------------------------------------------------------------------------ */

static void free_list(const WireField *fields, size_t size, WireList *l)
{
    for (size_t i = 0; i < l->n; i++)
        wire_free(fields, (char *)l->v + i * size);
    free(l->v);
    *l = (WireList){0};
}

/* Adds what can be read: one strange object does not hide the others. */
static void read_list(Monitor *m, const json_t *a, const WireField *fields, size_t size, WireList *to)
{
    Err err;
    size_t i;
    const json_t *v;
    json_array_foreach((json_t *)a, i, v)
    {
        if (!wire_read(fields, v, wire_list_add(to, size), &err)) {
            to->n--;
            monitor_say(m, LOOK_BAD, "sidingd gave something that cannot be read: %s", err.text);
        }
    }
}

static void take_tasks(Monitor *m, Feed f, const json_t *body)
{
    WireList *l = &m->tasks[f];
    if (f != FEED_ARCHIVE)
        free_list(task_fields, sizeof(Task), l);
    read_list(m, body, task_fields, sizeof(Task), l);
    if (f == FEED_ARCHIVE) {
        m->archive_ends = json_array_size(body) < PAGE_TASKS;
        m->archive_wanted = false;
    }
}

static void take_status(Monitor *m, const json_t *body)
{
    json_decref(m->status);
    m->status = json_deep_copy(body);
    const json_t *you = json_object_get(m->status, "you");
    m->read_only = m->asked_read_only || (you && !json_bool(you, "operator"));
    free_list(node_fields, sizeof(Node), &m->nodes);
    read_list(m, json_object_get(m->status, "nodes"), node_fields, sizeof(Node), &m->nodes);
}

static bool is_for_a_person(const json_t *event)
{
    return str_eq(json_str(event, "level"), "error");
}

static void take_events(Monitor *m, const json_t *body)
{
    bool first = !m->events;
    size_t i;
    json_t *v;
    if (first)
        m->events = json_array();
    json_array_foreach((json_t *)body, i, v)
    {
        m->bell = m->bell || (!first && is_for_a_person(v));
        m->last_event = json_int(v, "seq");
        json_array_append(m->events, v);
    }
    while (json_array_size(m->events) > EVENTS_KEPT)
        json_array_remove(m->events, 0);
    if (!m->last_event)
        m->feeds[FEED_EVENTS].due_ms = m->now_ms + IDLE_MS;
    if (!first && json_array_size(body))
        feed_soon(m);
}

static void take_detail(Monitor *m, const json_t *body)
{
    Err err;
    wire_free(task_fields, &m->detail);
    if (!wire_read(task_fields, body, &m->detail, &err))
        monitor_say(m, LOOK_BAD, "sidingd gave something that cannot be read: %s", err.text);
}

/* The view that it belongs into, with the cursor on it. */
static void go_to_sought(Monitor *m)
{
    char key[32];
    bool live = !task_state_is_final(m->found.state) || columns_is_failed(&m->found);
    snprintf(key, sizeof key, "%" PRId64, m->found.id);
    m->going = false;
    m->view = live ? VIEW_LIVE : VIEW_ARCHIVE;
    m->archive_wanted = m->archive_wanted || (!live && !m->tasks[FEED_ARCHIVE].n);
    str_set(&rows_view(m)->filter, NULL);
    rows_build(m);
    (void)!rows_choose_key(m, key);
}

static void take_sought(Monitor *m, const json_t *body)
{
    Err err;
    wire_free(task_fields, &m->found);
    if (!wire_read(task_fields, body, &m->found, &err)) {
        monitor_say(m, LOOK_BAD, "sidingd gave something that cannot be read: %s", err.text);
        m->found.id = 0;
    }
    if (m->going && m->found.id)
        go_to_sought(m);
}

void feed_seek(Monitor *m, int64_t id)
{
    wire_free(task_fields, &m->found);
    m->sought = id;
    m->going = true;
    m->feeds[FEED_SOUGHT].due_ms = 0;
}

static void take(Monitor *m, Feed f, const json_t *body)
{
    switch (f) {
    case FEED_STATUS:
        take_status(m, body);
        break;
    case FEED_SCHEDULES:
        json_decref(m->schedules);
        m->schedules = json_deep_copy(body);
        break;
    case FEED_EVENTS:
        take_events(m, body);
        break;
    case FEED_TASK:
        take_detail(m, body);
        break;
    case FEED_WHY:
        m->why_id = json_int(body, "task");
        str_set(&m->why, json_str(body, "why"));
        break;
    case FEED_SOUGHT:
        take_sought(m, body);
        break;
    case FEED_LOG:
        logbox_take(m, body);
        break;
    default:
        take_tasks(m, f, body);
    }
}

static bool is_away(const Err *err)
{
    return err->kind == ERR_UNREACHABLE || err->kind == ERR_LOST || err->kind == ERR_TIMEOUT ||
           err->kind == ERR_AUTH;
}

static void note_away(Monitor *m, const Err *err)
{
    if (!m->away) {
        m->away_since = m->now_ms;
        m->bell = m->seen_once;
    }
    str_set(&m->away, err->text);
}

static void note_back(Monitor *m)
{
    char gone[CLOCK_TEXT];
    if (m->away) {
        clock_format_duration(m->now_ms - m->away_since, gone);
        monitor_say(m, LOOK_GOOD, "sidingd answers again, after %s", gone);
        feed_soon(m);
    }
    str_set(&m->away, NULL);
    m->seen_once = true;
}

static void take_failure(Monitor *m, const Ask *a, const Err *err)
{
    if (is_away(err) && a->feed != FEED_LOG)
        note_away(m, err);
    else if (a->feed == FEED_SCHEDULES && err->kind == ERR_NOT_FOUND)
        m->no_schedules = true;
    else if (a->feed == FEED_LOG)
        str_set(&m->log.error, err->text);
    else if (a->feed == FEED_SOUGHT) {
        if (m->going)
            monitor_say(m, LOOK_PLAIN, "%s", err->text);
        wire_free(task_fields, &m->found);
        m->sought = 0;
        m->going = false;
    } else if (a->feed == FEED_TASK || a->feed == FEED_WHY)
        wire_free(task_fields, &m->detail); /* gone meanwhile: the list says it too */
    else
        monitor_say(m, LOOK_BAD, "%s", err->text);
}

/* What waits or has ended changes with an event, which asks at once: a long list need not be read again and
 * again. */
static int64_t rest_ms(const Monitor *m, Feed f, bool works)
{
    int64_t ms = works ? BUSY_MS : IDLE_MS;
    bool still = f == FEED_FAILED || f == FEED_WAITING || f == FEED_DONE;
    if (still)
        ms *= 1 + (int64_t)m->tasks[f].n / LONG_LIST;
    return ms < LONGEST_MS ? ms : LONGEST_MS;
}

void feed_answer(Monitor *m, const Ask *a, bool ok, const json_t *body, const Err *err)
{
    FeedState *s = &m->feeds[a->feed];
    s->asked = false;
    bool works = feed_is_busy(m);
    s->due_ms = m->now_ms + (a->feed == FEED_EVENTS ? 0 : rest_ms(m, a->feed, works));
    if (a->feed == FEED_STATUS && !works)
        s->due_ms = m->now_ms + IDLE_MS / 2;
    if (a->feed == FEED_LOG)
        s->due_ms = m->now_ms + BUSY_MS;
    if (ok) {
        note_back(m);
        s->answer = ++m->last_answer;
        take(m, a->feed, body);
    } else {
        s->due_ms = m->now_ms + AWAY_MS;
        take_failure(m, a, err);
    }
    rows_build_anew(m);
}

void feed_free(Monitor *m)
{
    while (m->asks)
        feed_drop_ask(m, m->asks);
    for (int f = FEED_ACTIVE; f <= FEED_ARCHIVE; f++)
        free_list(task_fields, sizeof(Task), &m->tasks[f]);
    free_list(node_fields, sizeof(Node), &m->nodes);
    wire_free(task_fields, &m->detail);
    wire_free(task_fields, &m->found);
    json_decref(m->status);
    json_decref(m->events);
    json_decref(m->schedules);
    free(m->why);
    free(m->away);
}
