/* SPDX-License-Identifier: Apache-2.0
 * What is changed of tasks that are there: priority, name, sleep time, run time.
 */
#include <inttypes.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/outtext.h"
#include "monitor_impl.h"

/* The one task whose present value is the input's beginning; NULL of several. */
static const Task *only_task(const Monitor *m)
{
    const MonitorRow *r = m->plan.keys.n == 1 ? rows_find(m, m->plan.keys.v[0]) : NULL;
    return r ? r->task : NULL;
}

static bool begin(Monitor *m, const char *what, const char *field)
{
    if (!act_plan_tasks(m, what))
        return false;
    m->plan.kind = PLAN_SET;
    m->plan.field = field;
    m->plan.body = json_object();
    return true;
}

static void took_priority(Monitor *m, const char *text, int64_t now_ms)
{
    long long n;
    (void)now_ms;
    if (!str_to_i64(text, INT32_MIN, INT32_MAX, &n)) {
        act_refuse(m, "a priority is a number: 0 is usual, larger goes first, below -10 never by itself");
        return;
    }
    json_set_int(m->plan.body, m->plan.field, n);
    act_send(m);
}

void act_priority(Monitor *m, int64_t now_ms)
{
    (void)now_ms;
    if (!begin(m, "priority", "priority"))
        return;
    const Task *t = only_task(m);
    AUTOFREE char *present = t ? xasprintf("%" PRId64, t->priority) : NULL;
    box_prompt(m, "priority:", present, took_priority);
}

static void took_name(Monitor *m, const char *text, int64_t now_ms)
{
    (void)now_ms;
    if (!*text) {
        act_refuse(m, "a name has a letter at least; nothing was done");
        return;
    }
    json_set_str(m->plan.body, m->plan.field, text);
    act_send(m);
}

void act_name(Monitor *m, int64_t now_ms)
{
    (void)now_ms;
    if (!begin(m, "name", "name"))
        return;
    const Task *t = only_task(m);
    box_prompt(m, "name:", t ? t->name : NULL, took_name);
}

static void took_sleeptime(Monitor *m, const char *text, int64_t now_ms)
{
    int64_t ms = 0;
    (void)now_ms;
    if (*text && !clock_parse_duration(text, &ms)) {
        act_refuse(m, "that is no time: 30m, 2h, 1d; 0 ends the recurrence. Nothing was done");
        return;
    }
    json_set_int(m->plan.body, m->plan.field, ms);
    act_send(m);
}

void act_sleeptime(Monitor *m, int64_t now_ms)
{
    (void)now_ms;
    if (begin(m, "sleep time", "sleeptime_ms"))
        box_prompt(m, "run again so long after (30m, 1d; 0: not again):", NULL, took_sleeptime);
}

static void took_runtime(Monitor *m, const char *text, int64_t now_ms)
{
    int64_t at;
    Err err;
    if (!m->parse_time(text, now_ms, &at, &err)) {
        act_refuse(m, err.text);
        return;
    }
    json_set_time(m->plan.body, m->plan.field, at);
    act_send(m);
}

void act_runtime(Monitor *m, int64_t now_ms)
{
    (void)now_ms;
    if (!begin(m, "run time", "run_at"))
        return;
    const Task *t = only_task(m);
    char present[OUT_TEXT] = "";
    if (t)
        out_time(t->run_at, present);
    box_prompt(m, "run at (+15m, 22:00, 2002-10-27 13:57:26):", present, took_runtime);
}
