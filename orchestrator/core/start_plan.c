/* SPDX-License-Identifier: Apache-2.0 */
#include "start_plan.h"

#include <inttypes.h>
#include <string.h>

#include "common/base/clock.h"
#include "window.h"

typedef struct Pass {
    const PlanInput *in;
    ChooseNode *nodes;       /* claims of this pass included */
    bool *started;           /* one a task */
    const PlanTask **others; /* those that may hold another: a long queue is not searched for each task */
    size_t n_others;
    int64_t next_ms;
} Pass;

static bool is_upload(const PlanTask *t)
{
    return t->kind == KIND_UPLOAD;
}

static bool is_on_primary(const PlanTask *t)
{
    return is_upload(t) || t->on == ROLE_PRIMARY;
}

/* Uploads first, by id: their order is their own and they are short. */
static bool comes_before(const PlanTask *a, const PlanTask *b)
{
    if (is_upload(a) != is_upload(b))
        return is_upload(a);
    if (!is_upload(a)) {
        if (a->priority != b->priority)
            return a->priority > b->priority;
        if (a->run_at != b->run_at)
            return a->run_at < b->run_at;
    }
    return a->id < b->id;
}

static int compare_tasks(const void *a, const void *b)
{
    const PlanTask *x = *(const PlanTask *const *)a, *y = *(const PlanTask *const *)b;
    return comes_before(x, y) ? -1 : comes_before(y, x) ? 1 : 0;
}

static size_t index_of(const Pass *p, const PlanTask *t)
{
    return (size_t)(t - p->in->tasks);
}

static bool may_hold(const PlanTask *t)
{
    return t->active || t->failed || t->sequence_id || is_upload(t);
}

static bool is_active(const Pass *p, const PlanTask *t)
{
    return t->active || p->started[index_of(p, t)];
}

static char *time_text(int64_t ms)
{
    char text[CLOCK_TEXT];
    clock_format(ms, text);
    return xstrdup(text);
}

static void wake_at(Pass *p, int64_t ms)
{
    if (!p->next_ms || ms < p->next_ms)
        p->next_ms = ms;
}

/* A task that may run from its submission on does not wait for the clock, which may have been set back since.
 */
static char *not_due(Pass *p, const PlanTask *t)
{
    if (t->run_at <= p->in->now_ms || t->run_at <= t->submitted_at)
        return NULL;
    wake_at(p, t->run_at);
    AUTOFREE char *when = time_text(t->run_at);
    return xasprintf("it is due at %s", when);
}

static char *outside_window(Pass *p, const PlanTask *t)
{
    Window w;
    Err err;
    char duration[CLOCK_TEXT];
    if (!t->window || !*t->window)
        return NULL;
    if (!window_parse(t->window, &w, &err))
        return xstrdup(err.text);
    int minutes = window_opens_in(&w, p->in->week_minute);
    if (!minutes)
        return NULL;
    wake_at(p, p->in->now_ms - p->in->now_ms % 60000 + (int64_t)minutes * 60000);
    clock_format_duration((int64_t)minutes * 60000, duration);
    return xasprintf("its window \"%s\" opens in %s", t->window, duration);
}

/* Tasks of one name never run together, tasks of one sequence one after the other. */
static char *held_by_another(const Pass *p, const PlanTask *t)
{
    for (size_t i = 0; i < p->n_others; i++) {
        const PlanTask *o = p->others[i];
        if (o == t)
            continue;
        if (is_active(p, o) && !is_upload(t) && !is_upload(o) && str_eq(o->name, t->name))
            return xasprintf("task %" PRId64 " of the same name \"%s\" is under way", o->id, t->name);
        if (!t->sequence_id || o->sequence_id != t->sequence_id || o->id >= t->id)
            continue;
        if (o->failed)
            return xasprintf("task %" PRId64 ", earlier in sequence %" PRId64
                             ", failed: retry, acknowledge or delete it",
                             o->id, t->sequence_id);
        if (o->waiting || is_active(p, o))
            return xasprintf("task %" PRId64 ", earlier in sequence %" PRId64 ", is not ended", o->id,
                             t->sequence_id);
    }
    return NULL;
}

static char *upload_must_wait(Pass *p, const PlanTask *t)
{
    for (size_t i = 0; i < p->n_others; i++) {
        const PlanTask *o = p->others[i];
        if (o != t && is_upload(o) && (is_active(p, o) || (o->waiting && o->id < t->id)))
            return xasprintf("uploads run in the order of their creation, and upload %" PRId64 " %s", o->id,
                             is_active(p, o) ? "is under way" : "is before it");
    }
    if (t->parent != CRUN_CAUGHT_UP && t->parent != CRUN_UPLOADING)
        return xasprintf("run %s is %s: its replica first catches up",
                         t->parent_run ? t->parent_run : "of its parent", coord_run_state_name(t->parent));
    if (t->scattered)
        return xasprintf("the results of run %s on its replicas are brought together first", t->parent_run);
    return NULL;
}

static char *primary_is_busy(const Pass *p, const PlanTask *t)
{
    for (size_t i = 0; i < p->n_others; i++) {
        const PlanTask *o = p->others[i];
        if (o != t && is_on_primary(o) && !is_upload(o) && is_active(p, o))
            return xasprintf("task %" PRId64 " is under way on the primary", o->id);
    }
    return NULL;
}

static char *must_wait(Pass *p, const PlanTask *t)
{
    if (p->in->hold)
        return xstrdup(p->in->hold);
    if (t->busy)
        return xstrdup("it is being written down");
    if (is_upload(t))
        return upload_must_wait(p, t);
    if (t->priority < PLAN_LEAST_PRIORITY)
        return xasprintf("its priority %" PRId64 " is below %d: it starts only by hand", t->priority,
                         PLAN_LEAST_PRIORITY);
    char *why = not_due(p, t);
    if (!why)
        why = outside_window(p, t);
    if (!why)
        why = held_by_another(p, t);
    if (!why && is_on_primary(t))
        why = primary_is_busy(p, t);
    return why;
}

static bool choose_nodes(const Pass *p, const PlanTask *t, StrList *ret, Err *err)
{
    ChooseWish wish = {is_upload(t) ? NULL : t->job, t->only_node, t->replicas};
    if (is_on_primary(t))
        return choose_primary(p->nodes, p->in->n_nodes, &wish, &p->in->rules, ret, err);
    return choose_replicas(p->nodes, p->in->n_nodes, &wish, &p->in->rules, ret, err);
}

static void take_nodes(Pass *p, const StrList *names)
{
    for (size_t i = 0; i < p->in->n_nodes; i++)
        if (strlist_has(names, p->nodes[i].node->name))
            p->nodes[i].taken_by = "another task that starts now";
}

static void consider(Pass *p, const PlanTask *t, PlanAnswer *a)
{
    Err err = {0};
    a->why = must_wait(p, t);
    if (a->why)
        return;
    if (!choose_nodes(p, t, &a->nodes, &err)) {
        a->why = xstrdup(err.text);
        return;
    }
    a->start = true;
    p->started[index_of(p, t)] = true;
    if (!may_hold(t))
        p->others[p->n_others++] = t;
    if (!is_on_primary(t))
        take_nodes(p, &a->nodes);
}

void plan_make(const PlanInput *in, Plan *ret)
{
    size_t n = in->n_tasks;
    AUTOFREE ChooseNode *nodes = xcalloc(in->n_nodes + 1, sizeof *nodes);
    AUTOFREE bool *started = xcalloc(n + 1, sizeof *started);
    AUTOFREE const PlanTask **order = xcalloc(n + 1, sizeof *order);
    if (in->n_nodes)
        memcpy(nodes, in->nodes, in->n_nodes * sizeof *nodes);
    AUTOFREE const PlanTask **others = xcalloc(n + 1, sizeof *others);
    size_t waiting = 0, n_others = 0;
    for (size_t i = 0; i < n; i++) {
        if (in->tasks[i].waiting)
            order[waiting++] = &in->tasks[i];
        if (may_hold(&in->tasks[i]))
            others[n_others++] = &in->tasks[i];
    }
    qsort(order, waiting, sizeof *order, compare_tasks);

    Pass p = {in, nodes, started, others, n_others, 0};
    *ret = (Plan){xcalloc(n + 1, sizeof *ret->answers), n, 0};
    for (size_t i = 0; i < waiting; i++)
        consider(&p, order[i], &ret->answers[index_of(&p, order[i])]);
    ret->next_ms = p.next_ms;
}

void plan_done(Plan *p)
{
    for (size_t i = 0; i < p->n; i++) {
        strlist_done(&p->answers[i].nodes);
        free(p->answers[i].why);
    }
    free(p->answers);
    *p = (Plan){0};
}

int64_t plan_next_run_at(int64_t old_run_at, int64_t now_ms, int64_t sleeptime_ms, bool fixed_time)
{
    if (!fixed_time || old_run_at <= 0)
        return now_ms + sleeptime_ms;
    if (old_run_at > now_ms)
        return old_run_at;
    return old_run_at + ((now_ms - old_run_at) / sleeptime_ms + 1) * sleeptime_ms;
}
