/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "monitor_impl.h"

typedef struct Hint {
    const char *key, *word;
} Hint;

static const Hint failed_hints[] = {{"k", "acknowledge"}, {"i", "start anew"}, {"d", "delete"}, {0}};
static const Hint running_hints[] = {{"t", "stop"}, {"s", "sleep"}, {"k", "kill"}, {0}};
static const Hint sleeping_hints[] = {{"w", "wake"}, {"t", "stop"}, {"k", "kill"}, {0}};
static const Hint waiting_hints[] = {{"r", "run"}, {"n", "priority"}, {"d", "delete"}, {0}};
static const Hint ended_hints[] = {{"i", "start anew"}, {"d", "delete"}, {0}};
static const Hint paused_hints[] = {{"w", "resume"}, {0}};
static const Hint broken_hints[] = {{"x", "cordon"}, {"w", "resume, once mended"}, {0}};
static const Hint replica_hints[] = {{"s", "pause"}, {0}};
static const Hint schedule_hints[] = {{"r", "run now"}, {"s", "disable"}, {"w", "enable"}, {0}};
static const Hint no_hints[] = {{0}};
static const Hint log_hints[] = {{"l", "log"}, {"L", "errors"}, {0}};
static const Hint more_hints[] = {{"o", "details"}, {"/", "search"}, {"&", "filter"}, {"Space", "tag"}, {0}};
static const Hint last_hints[] = {{"?", "help"}, {"q", "quit"}, {0}};

static const Hint *hints_of(const Monitor *m, const MonitorRow *r)
{
    if (r && r->node && r->node->agent_error && *r->node->agent_error)
        return no_hints;
    if (r && r->node && (r->node->state == NODE_ERRORS || r->node->state == NODE_STOPPED))
        return broken_hints;
    if (r && r->node && str_eq(r->node->agent.lease.owner, "manual"))
        return paused_hints;
    if (r && r->node)
        return r->node->role == ROLE_PRIMARY || r->node->agent.lease.owner ? no_hints : replica_hints;
    if (r && r->json && m->view == VIEW_SCHEDULES)
        return schedule_hints;
    if (!r || !r->task)
        return no_hints;
    if (columns_is_failed(r->task))
        return failed_hints;
    switch (r->task->state) {
    case TASK_WAITING:
        return waiting_hints;
    case TASK_SLEEPING:
        return sleeping_hints;
    case TASK_SCHEDULED:
    case TASK_RUNNING:
    case TASK_STOPPING:
        return running_hints;
    default:
        return ended_hints;
    }
}

static int hint_width(const Hint *h)
{
    return (int)(strlen(h->key) + 1 + strlen(h->word) + 2);
}

/* As many as end before `end`; returns the column behind them. */
static int draw_some(Cells *c, int at, int end, const Hint *h)
{
    for (; h->key && at + hint_width(h) <= end; h++) {
        int next = cells_put(c, c->height - 1, at, c->width, LOOK_KEY, h->key);
        cells_put(c, c->height - 1, next + 1, c->width, LOOK_BAR, h->word);
        at += hint_width(h);
    }
    return at;
}

void hints_draw(const Monitor *m, Cells *c)
{
    const MonitorRow *r = rows_chosen(m);
    int end = c->width, at = 1;
    for (const Hint *h = last_hints; h->key; h++)
        end -= hint_width(h);
    if (!m->read_only)
        at = draw_some(c, at, end, hints_of(m, r));
    if (r && r->task)
        at = draw_some(c, at, end, log_hints);
    draw_some(c, at, end, more_hints);
    draw_some(c, end, c->width + 1, last_hints);
}
