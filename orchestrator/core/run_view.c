/* SPDX-License-Identifier: Apache-2.0 */
#include "run_view.h"

enum { MISSED_MS = 60000 };

/* Order of progress: where parts differ, the run stands where the least advanced one does. */
static const struct {
    const char *state;
    int rank;
    RunEvent event;
} states[] = {
    {"accepted", 0, RUN_EV_PAUSING},    {"pausing", 0, RUN_EV_PAUSING},     {"frozen", 0, RUN_EV_PAUSING},
    {"running", 1, RUN_EV_RUNNING},     {"sleeping", 2, RUN_EV_SLEEPING},   {"sealing", 3, RUN_EV_SEALING},
    {"resuming", 4, RUN_EV_RESUMING},   {"caught_up", 5, RUN_EV_CAUGHT_UP}, {"ended", 5, RUN_EV_CAUGHT_UP},
    {"gathering", 5, RUN_EV_CAUGHT_UP},
};

static size_t state_row(const AgentRun *part)
{
    for (size_t i = 0; i < COUNT(states); i++)
        if (str_eq(part->state, states[i].state))
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
    return i && unseen_ms >= MISSED_MS && first && run_part_is_over(first) && str_eq(first->outcome, "ok") &&
           (!part || (!part->sealed && !run_part_is_over(part)));
}

bool run_goes_on_without(const AgentRun *const *parts, size_t failed)
{
    const AgentRun *first = parts[0];
    return failed && first && first->split && !first->outcome &&
           (str_eq(first->state, "running") || str_eq(first->state, "sleeping"));
}

static RunEvent outcome_event(const AgentRun *part)
{
    if (str_eq(part->outcome, "ok"))
        return RUN_EV_OK;
    if (str_eq(part->outcome, "killed"))
        return RUN_EV_KILLED;
    if (str_eq(part->outcome, "stopped"))
        return RUN_EV_STOPPED;
    return RUN_EV_FAILED;
}

/* One part's failure makes the run fail, also where the others were then killed because of it. */
static int severity(RunEvent e)
{
    return e == RUN_EV_FAILED ? 3 : e == RUN_EV_KILLED ? 2 : e == RUN_EV_STOPPED ? 1 : 0;
}

static void see_part(RunView *v, const AgentRun *part, size_t i, size_t n, int *least)
{
    size_t row = state_row(part);
    if (states[row].rank < *least) {
        *least = states[row].rank;
        bool unseen = str_eq(part->state, "accepted") && !str_eq(part->spec.on, "replica");
        v->event = unseen ? RUN_EVENTS : states[row].event;
    }
    v->over = v->over && states[row].rank == 5;
    v->sealed = v->sealed && part->sealed;
    v->all_stopped = v->all_stopped && str_eq(part->state, "frozen") && part->gtid;
    v->all_aligned = v->all_aligned && part->aligned;
    v->left = v->left || states[row].rank > 0;
    if (!part->outcome)
        return;
    RunEvent e = outcome_event(part);
    if (e != RUN_EV_OK && v->failed == n)
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
                 .end = RUN_EV_OK,
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
