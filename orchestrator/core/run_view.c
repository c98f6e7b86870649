/* SPDX-License-Identifier: Apache-2.0 */
#include "run_view.h"

enum { MISSED_MS = 60000 };

/* Order of progress: where parts differ, the run stands where the least advanced one does. */
static const struct {
    AgentRunState state;
    int rank;
    CoordRunEvent event;
} states[] = {
    {ARUN_ACCEPTED, 0, CRUN_EV_PAUSING},  {ARUN_PAUSING, 0, CRUN_EV_PAUSING},
    {ARUN_FROZEN, 0, CRUN_EV_PAUSING},    {ARUN_RUNNING, 1, CRUN_EV_RUNNING},
    {ARUN_SLEEPING, 2, CRUN_EV_SLEEPING}, {ARUN_SEALING, 3, CRUN_EV_SEALING},
    {ARUN_RESUMING, 4, CRUN_EV_RESUMING}, {ARUN_CAUGHT_UP, 5, CRUN_EV_CAUGHT_UP},
    {ARUN_ENDED, 5, CRUN_EV_CAUGHT_UP},   {ARUN_GATHERING, 5, CRUN_EV_CAUGHT_UP},
};

static size_t state_row(const AgentRun *part)
{
    for (size_t i = 0; i < COUNT(states); i++)
        if (part->state == states[i].state)
            return i;
    return 0;
}

bool run_part_is_over(const AgentRun *part)
{
    return states[state_row(part)].rank == 5;
}

bool run_part_is_lost(const AgentRun *const *parts, size_t i)
{
    if (!i || !parts[0] || !parts[0]->lost.n)
        return false;
    AUTOFREE char *shard = xasprintf("%zu", i);
    return strlist_has(&parts[0]->lost, shard);
}

bool run_part_is_missed(const AgentRun *const *parts, size_t i, int64_t unseen_ms)
{
    const AgentRun *first = parts[0], *part = parts[i];
    return i && unseen_ms >= MISSED_MS && first && run_part_is_over(first) && first->outcome == OUTCOME_OK &&
           (!part || (!part->sealed && !run_part_is_over(part)));
}

bool run_goes_on_without(const AgentRun *const *parts, size_t failed)
{
    const AgentRun *first = parts[0];
    return failed && first && first->split && !first->outcome &&
           (first->state == ARUN_RUNNING || first->state == ARUN_SLEEPING);
}

static CoordRunEvent outcome_event(const AgentRun *part)
{
    switch (part->outcome) {
    case OUTCOME_OK:
        return CRUN_EV_OK;
    case OUTCOME_KILLED:
        return CRUN_EV_KILLED;
    case OUTCOME_STOPPED:
        return CRUN_EV_STOPPED;
    default: /* also one that this version does not know */
        return CRUN_EV_FAILED;
    }
}

/* One part's failure makes the run fail, also where the others were then killed because of it. */
static int severity(CoordRunEvent e)
{
    return e == CRUN_EV_FAILED ? 3 : e == CRUN_EV_KILLED ? 2 : e == CRUN_EV_STOPPED ? 1 : 0;
}

static void see_part(RunView *v, const AgentRun *part, size_t i, size_t n, int *least)
{
    size_t row = state_row(part);
    if (states[row].rank < *least) {
        *least = states[row].rank;
        bool unseen = part->state == ARUN_ACCEPTED && part->spec.on != ROLE_REPLICA;
        v->event = unseen ? CRUN_EVENTS : states[row].event;
    }
    v->over = v->over && states[row].rank == 5;
    v->sealed = v->sealed && part->sealed;
    v->all_stopped = v->all_stopped && part->state == ARUN_FROZEN && part->gtid;
    v->all_aligned = v->all_aligned && part->aligned;
    v->left = v->left || states[row].rank > 0;
    if (!part->outcome)
        return;
    CoordRunEvent e = outcome_event(part);
    if (e != CRUN_EV_OK && v->failed == n)
        v->failed = i;
    else if (severity(e) > severity(v->end))
        v->failed = i;
    if (severity(e) > severity(v->end))
        v->end = e;
}

RunView run_view(const AgentRun *const *parts, size_t n)
{
    RunView v = {.complete = n > 0,
                 .over = n > 0,
                 .end = CRUN_EV_OK,
                 .failed = n,
                 .sealed = n > 0,
                 .all_stopped = n > 0,
                 .all_aligned = n > 0};
    int least = 99;
    for (size_t i = 0; i < n; i++) {
        if (run_part_is_lost(parts, i))
            continue;
        if (parts[i]) {
            v.any = true;
            see_part(&v, parts[i], i, n, &least);
        } else {
            v.complete = v.over = v.sealed = v.all_stopped = v.all_aligned = false;
        }
    }
    v.left = v.left && v.all_aligned && v.failed == n;
    return v;
}
