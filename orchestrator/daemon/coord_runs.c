/* SPDX-License-Identifier: Apache-2.0 */
#include "coord_runs.h"

#include <string.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "deadlines.h"
#include "events.h"
#include "run_calls.h"
#include "run_inbox.h"
#include "run_tidy.h"
#include "task_queue.h"
#include "turn_mailer.h"
#include "uploads.h"
#include "zones.h"

/* ---- what is known ---------------------------------------------------------------------------------- */

static CoordPartKnown part_known(const Coord *c, const CoordPart *p, const char *run)
{
    const AgentLink *a = state_agent(c, p->node);
    if (!a)
        return (CoordPartKnown){0};
    return (CoordPartKnown){.configured = true,
                            .fresh = a->fresh,
                            .polls_sent = a->polls_sent,
                            .polls_seen = a->polls_seen,
                            .late_ms = a->node.agent.mono_ms ? a->seen_ms + COORD_RUN_BEGIN_MS : 0,
                            .seen = state_agent_run(a, run)};
}

static CoordRunKnown known(const Coord *c, const TaskEntry *e, CoordPartKnown *parts)
{
    const Run *r = entry_run(e);
    const TaskEntry *upload = r->upload_task ? state_find(c, r->upload_task) : NULL;
    CoordRunKnown k = {.parts = parts,
                       .saving = e->saving,
                       .upload = upload ? &upload->t : NULL,
                       .upload_gone = r->upload_task && queue_is_absent(c, r->upload_task)};
    k.flavor_known = state_primary_flavor(c, &k.flavor);
    k.zone = zones_of_task(c, &e->t);
    for (size_t i = 0; i < e->run.n_parts; i++)
        parts[i] = part_known(c, &e->run.parts[i], r->id);
    return k;
}

/* ---- effects ---------------------------------------------------------------------------------------- */

static LogLevel level_named(const char *name)
{
    LogLevel level = LOG_LEVEL_INFO;
    (void)log_level_from_name(name, &level);
    return level;
}

static void note_end(Coord *c, const TaskEntry *e, bool well)
{
    queue_settle(c, e);
    if (well)
        deadlines_ended_well(c, &e->t);
    if (well)
        c->count.done++;
    else
        c->count.failed++;
    retention_soon(c);
}

static void carry_out(Coord *c, TaskEntry *e, const CoordRunEffect *x)
{
    const char *id = entry_run(e)->id;
    switch (x->kind) {
    case CRUN_FX_RECORD_UPLOAD:
        uploads_record(c, e);
        break;
    case CRUN_FX_LOOK_UP:
        queue_look_up(c, x->number);
        break;
    case CRUN_FX_EVENT:
        events_add(c, x->level, "run", e->t.id, id, x->node, "%s", x->text);
        break;
    case CRUN_FX_LOG:
        log_line(level_named(x->level), "run %.*s: %s", RUN_TEXT(id), x->text);
        break;
    case CRUN_FX_WAKE:
        coord_wake_at(c, x->number);
        break;
    case CRUN_FX_ENDED:
        note_end(c, e, x->number != 0);
        break;
    case CRUN_FX_POST_PROCESS:
        str_set(&e->post_run, id);
        break;
    case CRUN_FX_MAIL_LOG:
        turn_mailer_add(c, &e->t, x->number != 0);
        break;
    case CRUN_FX_WRITE:
        entry_touch(e);
        break;
    default:
        run_call(c, e, x);
    }
}

/* ---- steps ------------------------------------------------------------------------------------------ */

static void step_run(Coord *c, TaskEntry *e, CoordRunInput *in)
{
    AUTOFREE CoordPartKnown *parts = xcalloc(e->run.n_parts + 1, sizeof *parts);
    CoordRunKnown k = known(c, e, parts);
    CoordRunEffects effects = {0};
    in->now_ms = clock_mono_ms();
    in->wall_ms = clock_wall_ms();
    TaskState before = e->t.state;
    coord_run_step(&e->run, &k, in, &effects);
    if (in->kind == CRUN_IN_CLAIMED)
        entry_is_on_record(e);
    for (size_t i = 0; i < effects.n; i++)
        carry_out(c, e, &effects.v[i]);
    coord_run_effects_done(&effects);
    if (task_state_is_final(before) && !task_state_is_final(e->t.state))
        queue_revived(c, before);
    queue_follow(c, e);
}

/* A run that has ended since, or is on other nodes, finds nothing here: the letter is dropped. */
static void deliver(Coord *c, RunLetter *l)
{
    TaskEntry *e = state_find(c, l->task);
    if (!e || !entry_run(e) || !str_eq(entry_run(e)->id, l->run))
        return;
    bool found = !*l->node;
    for (size_t i = 0; !found && i < e->run.n_parts; i++)
        if (str_eq(e->run.parts[i].node, l->node)) {
            l->in.part = i;
            found = true;
        }
    if (found)
        step_run(c, e, &l->in);
}

/* What the effects of these letters put into the inbox comes with the next step. */
static void deliver_all(Coord *c)
{
    size_t n;
    AUTOFREE RunLetter *letters = run_inbox_take(c, &n);
    for (size_t i = 0; i < n; i++)
        deliver(c, &letters[i]);
}

void runs_step(Coord *c)
{
    if (!c->loaded || c->fenced)
        return;
    deliver_all(c);
    for (size_t i = 0; i < c->n_entries; i++) {
        TaskEntry *e = c->entries[i];
        CoordRunInput look = {.kind = CRUN_IN_LOOK};
        if (entry_is_active(e))
            step_run(c, e, &look);
    }
    run_tidy_agents(c);
}
