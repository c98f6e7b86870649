/* SPDX-License-Identifier: Apache-2.0
 * What a run makes of the news of its pause.
 */
#include "agent.h"
#include "common/base/clock.h"
#include "run_impl.h"

static void take_frozen(Agent *a, Runner *r)
{
    const Lease *l = &a->pause.lease;
    AgentRun *w = &r->j.run;
    run_put(&w->gtid, l->gtid);
    run_put(&w->binlog_gtid, l->binlog_gtid);
    run_put(&w->source_file, l->source_file);
    w->source_pos = l->source_pos;
    w->paused_at = l->taken_at;
    w->frozen_at = l->frozen_at;
    w->aligned = w->aligned || r->j.aligning;
    r->j.aligning = false;
}

static void take_replay(Agent *a, Runner *r)
{
    const Lease *l = &a->pause.lease;
    wire_free(replay_fields, &r->j.run.replay);
    wire_copy(replay_fields, &r->j.run.replay, &l->replay);
    r->j.run.resumed_at = l->resumed_at;
}

void run_void(Agent *a, Runner *r, const Err *err)
{
    RunEnd end = {.outcome = "error", .kind = err->kind, .text = err->text, .hard = true};
    if (r->state == RUN_SEALING && r->j.verified)
        return; /* the job had ended on an unmoved state */
    run_put(&r->j.voided, err->text);
    if (r->state != RUN_SEALING && r->state != RUN_RESUMING && run_is_under_way(r))
        run_cut(a, r, &end);
}

void run_pause_news(Agent *a, const char *id, PauseNews news, const Err *err)
{
    Runner *r = run_find(a, id);
    if (!r || !run_is_under_way(r)) {
        if (news == PAUSE_NEWS_FROZEN)
            pause_release(a, id);
        return;
    }
    switch (news) {
    case PAUSE_NEWS_FROZEN:
        take_frozen(a, r);
        if (r->state == RUN_PAUSING || r->state == RUN_FROZEN)
            run_event(a, r, RUN_EV_FROZEN);
        else
            pause_release(a, id);
        break;
    case PAUSE_NEWS_FAILED:
        if (r->state == RUN_PAUSING || r->state == RUN_FROZEN)
            run_fail(a, r, RUN_EV_REFUSED, err);
        break;
    case PAUSE_NEWS_VOID:
        run_void(a, r, err);
        break;
    case PAUSE_NEWS_RESUMED:
        take_replay(a, r);
        agent_changed(a);
        break;
    case PAUSE_NEWS_RELEASED:
        take_replay(a, r);
        if (r->state == RUN_PAUSING || r->state == RUN_FROZEN)
            run_set_outcome(r, "error", ERR_CORRUPT, "the pause ended before the job began");
        if (!r->j.run.replay.next_run)
            r->j.run.caught_up_at = clock_wall_ms();
        run_event(a, r, RUN_EV_RELEASED);
        break;
    }
}
