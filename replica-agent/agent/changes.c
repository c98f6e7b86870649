/* SPDX-License-Identifier: Apache-2.0
 * Who watches this agent hears of changes: at once, or with the next of several that can wait.
 */
#include "agent.h"
#include "common/base/clock.h"

enum { SLIGHT_MS = 500 };

static void schedule_news(Agent *a, int64_t ms)
{
    struct timeval tv = {ms / 1000, ms % 1000 * 1000};
    if (a->news)
        evtimer_add(a->news, &tv);
}

void agent_changed(Agent *a)
{
    a->seq++;
    for (size_t i = 0; i < a->s.n_runs; i++)
        if (!a->s.runs[i]->told_seq)
            a->s.runs[i]->told_seq = a->seq;
    schedule_news(a, 0);
}

void agent_changed_slightly(Agent *a)
{
    if (a->slight)
        return;
    a->slight = true;
    int64_t wait = a->told_ms + SLIGHT_MS - clock_mono_ms();
    if (a->news && !evtimer_pending(a->news, NULL))
        schedule_news(a, wait > 0 ? wait : 0);
}
