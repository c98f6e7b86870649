/* SPDX-License-Identifier: Apache-2.0 */
#include "runs.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/file/json.h"
#include "events.h"
#include "orchestrator/core/plan.h"
#include "orchestrator/core/run_view.h"
#include "retention.h"
#include "run_calls.h"
#include "run_parts.h"
#include "run_tidy.h"
#include "uploads.h"

enum { BACKOFF_LEAST_MS = 30000 };

/* ---- the setter ------------------------------------------------------------------------------------ */

static const char *level_of(CoordRunState s)
{
    return s == CRUN_ERROR ? "error" : s == CRUN_KILLED || s == CRUN_STOPPED ? "warn" : "info";
}

static TaskState task_state_of(const Entry *e)
{
    if (e->t.request == ACTION_STOP || e->t.request == ACTION_KILL)
        return TASK_STOPPING;
    return entry_state(e) == CRUN_SLEEPING ? TASK_SLEEPING : TASK_RUNNING;
}

static TaskState task_end(CoordRunState s)
{
    return s == CRUN_DONE      ? TASK_DONE
           : s == CRUN_KILLED  ? TASK_KILLED
           : s == CRUN_STOPPED ? TASK_STOPPED
                               : TASK_ERROR;
}

static bool wants_retry(const Entry *e)
{
    return entry_state(e) == CRUN_ERROR && e->t.attempts < e->t.max_attempts;
}

/* What a task's last run means for the task: its end, the next attempt, or the next turn of a recurrence. */
static void task_follows_end(Coord *c, Entry *e)
{
    Run *r = entry_run(e);
    int64_t now = clock_wall_ms();
    r->finished_at = now;
    state_set_text(&e->t.error, r->error);
    e->t.request = ACTION_NONE;
    state_set_text(&e->t.request_by, NULL);
    if (entry_state(e) == CRUN_DONE && e->t.sleeptime_ms > 0) {
        e->t.run_at = plan_next_run_at(e->t.run_at, now, e->t.sleeptime_ms, e->t.fixed_time);
        e->t.attempts = 0;
        e->t.state = TASK_WAITING;
    } else if (wants_retry(e)) {
        e->t.run_at = now + (BACKOFF_LEAST_MS << (e->t.attempts < 8 ? e->t.attempts - 1 : 7));
        e->t.state = TASK_WAITING;
    } else {
        e->t.state = task_end(r->state);
        e->t.finished_at = now;
    }
    if (entry_state(e) == CRUN_DONE)
        c->count.done++;
    else
        c->count.failed++;
}

bool runs_event(Coord *c, Entry *e, CoordRunEvent event, const char *detail)
{
    const CoordRunRow *row = coord_run_find(entry_state(e), event);
    Run *r = entry_run(e);
    if (!row) {
        if (e->odd_state != entry_state(e) || e->odd_event != event)
            log_error("run %s: event \"%s\" has no place in state %s", r->id, coord_run_event_name(event),
                      coord_run_state_name(entry_state(e)));
        e->odd_state = entry_state(e);
        e->odd_event = event;
        return false;
    }
    bool was_final = coord_run_is_final(entry_state(e));
    r->state = row->next;
    if (coord_run_is_final(entry_state(e))) {
        task_follows_end(c, e);
        retention_soon(c);
    } else {
        e->t.state = task_state_of(e);
        if (was_final) {
            r->finished_at = e->t.finished_at = 0;
            state_set_text(&r->error, NULL);
            state_set_text(&e->t.error, NULL);
        }
    }
    entry_touch(e);
    const char *node = r->nodes.n ? r->nodes.v[0] : NULL;
    events_add(c, level_of(entry_state(e)), "run", e->t.id, r->id, node, "%s: %s",
               coord_run_state_name(entry_state(e)), detail && *detail ? detail : row->reason);
    return true;
}

/* ---- what the agents report ------------------------------------------------------------------------- */

static void follow_request(Entry *e, TaskAction done)
{
    if (e->t.request != done)
        return;
    e->t.request = ACTION_NONE;
    state_set_text(&e->t.request_by, NULL);
    entry_touch(e);
}

static void take_fact(Entry *e, char **to, const char *value)
{
    if (!value || !*value || str_eq(*to, value))
        return;
    state_set_text(to, value);
    entry_touch(e);
}

static void take_time(Entry *e, int64_t *to, int64_t value)
{
    if (!value || *to == value)
        return;
    *to = value;
    entry_touch(e);
}

static void copy_progress(Run *r, const AgentRun *const *parts, size_t n)
{
    wire_free(progress_fields, &r->progress);
    for (size_t i = 0; i < n; i++) {
        if (!parts[i])
            continue;
        r->progress.done += parts[i]->progress.done;
        r->progress.total += parts[i]->progress.total;
        if (parts[i]->progress.unit)
            state_set_text(&r->progress.unit, parts[i]->progress.unit);
        if (parts[i]->progress.note)
            state_set_text(&r->progress.note, parts[i]->progress.note);
    }
}

/* True: something is new. */
static bool add_facts(json_t *to, const json_t *from)
{
    const char *key;
    json_t *v;
    bool changed = false;
    json_object_foreach((json_t *)(uintptr_t)from, key, v)
    {
        if (json_equal(json_object_get(to, key), v))
            continue;
        json_object_set_new(to, key, json_deep_copy(v));
        changed = true;
    }
    return changed;
}

/* An upload tells what the loader said; a sealed run how large its result is. */
static void take_detail(Entry *e, const AgentRun *a)
{
    Run *r = entry_run(e);
    if (add_facts(run_detail(r), a->outcome_detail))
        entry_touch(e);
    if (!a->sealed || a->outcome_detail || json_object_get(r->detail, "result_bytes"))
        return;
    json_set_int(run_detail(r), "result_bytes", a->result_bytes);
    json_set_int(r->detail, "result_compressed_bytes", a->result_compressed_bytes);
    entry_touch(e);
}

/* Facts that parts do not share, as the first part that knows them tells: taken from each in turn they would
 * change with every look, and each change is a write into the queue. */
typedef struct Facts {
    const char *gtid, *result_dir, *outcome_text;
    RunOutcome outcome;
    int64_t frozen_at, resumed_at, caught_up_at;
} Facts;

static void collect_facts(Facts *f, const AgentRun *a)
{
    bool standing = !a->spec.barrier || a->started_at;
    f->gtid = standing && a->gtid ? a->gtid : f->gtid;
    f->result_dir = a->sealed ? a->result_dir : f->result_dir;
    if (a->outcome) {
        f->outcome = a->outcome;
        f->outcome_text = a->outcome_text;
    }
    f->frozen_at = a->frozen_at ? a->frozen_at : f->frozen_at;
    f->resumed_at = a->resumed_at ? a->resumed_at : f->resumed_at;
    f->caught_up_at = a->caught_up_at ? a->caught_up_at : f->caught_up_at;
}

/* Facts are written down with the next transition; progress and replay figures only then, too. */
static void copy_facts(Entry *e, const AgentRun *const *parts, size_t n)
{
    Run *r = entry_run(e);
    Facts f = {0};
    for (size_t i = n; i-- > 0;) {
        const AgentRun *a = parts[i];
        if (!a)
            continue;
        collect_facts(&f, a);
        state_set_text(&r->note, a->note);
        if (i == 0 || !r->replay.rate) {
            wire_free(replay_fields, &r->replay);
            wire_copy(replay_fields, &r->replay, &a->replay);
        }
        if (i == 0)
            take_detail(e, a);
    }
    take_fact(e, &r->gtid, f.gtid);
    take_fact(e, &r->result_dir, f.result_dir);
    take_fact(e, &r->outcome_text, f.outcome_text);
    if (f.outcome && r->outcome != f.outcome) {
        r->outcome = f.outcome;
        entry_touch(e);
    }
    take_time(e, &r->frozen_at, f.frozen_at);
    take_time(e, &r->resumed_at, f.resumed_at);
    take_time(e, &r->caught_up_at, f.caught_up_at);
    copy_progress(r, parts, n);
}

/* ---- one run
 * ------------------------------------------------------------------------------------------------ */

static bool is_lost(const Coord *c, const Part *p, const AgentRun *seen)
{
    const Agent *a = state_agent(c, p->node);
    if (!a)
        return true; /* no longer configured */
    return !seen && a->fresh && p->accepted && a->polls_seen > p->accepted_poll;
}

static const Part *refused_part(const Entry *e, const AgentRun *const *seen)
{
    for (size_t i = 0; i < e->n_parts; i++)
        if (e->parts[i].refused.kind && !run_part_is_lost(seen, i))
            return &e->parts[i];
    return NULL;
}

/* Some agent will not do its part: the others end theirs, then the run is over. True: it is. */
static bool give_up(Coord *c, Entry *e, const AgentRun *const *seen, const RunView *v)
{
    const Part *bad = refused_part(e, seen);
    if (!bad)
        return false;
    bool busy = false;
    for (size_t i = 0; i < e->n_parts; i++) {
        if (e->parts[i].refused.kind == ERR_LOST)
            continue;
        busy = busy || e->parts[i].busy ||
               (e->parts[i].accepted && !seen[i] && !is_lost(c, &e->parts[i], seen[i]));
        if (seen[i] && !run_part_is_over(seen[i])) {
            run_ask(c, e, &e->parts[i], ACTION_KILL, "siding");
            busy = true;
        }
    }
    if (busy)
        return true;
    Run *r = entry_run(e);
    AUTOFREE char *text = xasprintf("%s: %s", bad->node, bad->refused.text);
    state_set_text(&r->error, text);
    CoordRunEvent event = entry_state(e) == CRUN_CLAIMED ? CRUN_EV_REFUSED : CRUN_EV_LOST;
    if (v->any && coord_run_find(entry_state(e), CRUN_EV_FAILED))
        event = CRUN_EV_FAILED;
    runs_event(c, e, event, text);
    return true;
}

static void note_missed(Coord *c, Part *p, const AgentRun *const *seen, size_t i)
{
    const Agent *a = state_agent(c, p->node);
    int64_t now = clock_mono_ms();
    p->unseen_ms = a && a->fresh ? 0 : p->unseen_ms ? p->unseen_ms : now;
    if (p->unseen_ms && !p->refused.kind && run_part_is_missed(seen, i, now - p->unseen_ms))
        err_set(&p->refused, ERR_LOST, 0,
                "its agent cannot be reached, and the others have ended: its part of the result is missing");
}

static void note_lost_parts(Coord *c, Entry *e, const AgentRun *const *seen)
{
    for (size_t i = 0; i < e->n_parts; i++) {
        Part *p = &e->parts[i];
        /* After a restart acceptance is known from the run's state alone. */
        if (entry_state(e) > CRUN_CLAIMED && !p->accepted) {
            p->accepted = true;
            p->accepted_poll = 0;
        }
        if (is_lost(c, p, seen[i]) && !p->refused.kind)
            err_set(&p->refused, ERR_LOST, 0, "its agent had taken run %s and knows nothing of it any more",
                    entry_run(e)->id);
        note_missed(c, p, seen, i);
    }
}

static void fail_text(Entry *e, const AgentRun *const *seen, const RunView *v, Str *out)
{
    if (v->failed >= e->n_parts)
        return;
    const AgentRun *a = seen[v->failed];
    if (e->n_parts > 1)
        str_addf(out, "%s: ", e->parts[v->failed].node);
    if (a->error)
        str_adds(out, a->error);
    else if (v->end == CRUN_EV_FAILED)
        str_addf(out, "it ended with \"%s\" and gave no reason", WIRE_TEXT(run_outcome_names, a, outcome));
}

/* Every agent is done. What is left is the upload, or nothing. */
static void settle(Coord *c, Entry *e, const AgentRun *const *seen, const RunView *v)
{
    Run *r = entry_run(e);
    if (e->t.on == ROLE_REPLICA && entry_state(e) < CRUN_CAUGHT_UP &&
        !runs_event(c, e, CRUN_EV_CAUGHT_UP, NULL))
        return;
    if (v->end == CRUN_EV_OK && !run_is_gathered(c, e, seen))
        return;
    if (v->end == CRUN_EV_OK)
        run_drop_results(c, e, seen);
    if (v->end == CRUN_EV_OK && uploads_wanted(e, seen[0])) {
        uploads_settle(c, e, seen[0]);
        return;
    }
    AUTO(str_done) Str text = STR_INIT;
    fail_text(e, seen, v, &text);
    if (text.len)
        state_set_text(&r->error, text.p);
    runs_event(c, e, v->end, text.len ? text.p : NULL);
}

static void walk(Coord *c, Entry *e)
{
    Run *r = entry_run(e);
    AUTOFREE const AgentRun **seen = xcalloc(e->n_parts + 1, sizeof *seen);
    for (size_t i = 0; i < e->n_parts; i++)
        seen[i] = run_part_seen(c, &e->parts[i], r->id);
    run_leave_behind(c, e, seen);
    RunView v = run_view(seen, e->n_parts);
    if (entry_state(e) < CRUN_CAUGHT_UP)
        note_lost_parts(c, e, seen);
    run_end_lost(c, e, seen);
    copy_facts(e, seen, e->n_parts);
    if (entry_state(e) == CRUN_CLAIMED)
        run_give_out(c, e);
    if (entry_state(e) < CRUN_CAUGHT_UP && give_up(c, e, seen, &v))
        return;
    if (v.complete && !v.over) {
        const CoordRunRow *row = coord_run_find(entry_state(e), v.event);
        if (row && row->next != entry_state(e))
            runs_event(c, e, v.event, NULL);
    }
    if (entry_state(e) == CRUN_SLEEPING)
        follow_request(e, ACTION_SLEEP);
    if (entry_state(e) == CRUN_RUNNING)
        follow_request(e, ACTION_WAKE);
    run_forward_request(c, e, seen);
    if (e->n_parts > 1 && v.all_stopped)
        run_align_parts(c, e, seen, &v);
    else if (e->n_parts > 1 && v.left && !v.over)
        run_go_parts(c, e, seen);
    else if (e->n_parts > 1 && !v.over && v.failed < e->n_parts && !run_goes_on_without(seen, v.failed))
        for (size_t i = 0; i < e->n_parts; i++)
            if (seen[i] && !run_part_is_over(seen[i]) && !seen[i]->outcome)
                run_ask(c, e, &e->parts[i], ACTION_KILL, "siding");
    if (v.end == CRUN_EV_OK && v.sealed)
        uploads_record(c, e, seen[0]);
    if (v.over)
        settle(c, e, seen, &v);
    else if (e->n_parts > 1 && v.sealed && v.end == CRUN_EV_OK && run_part_is_over(seen[0]))
        (void)run_is_gathered(c, e, seen); /* before a replica can be lost that has its part alone */
    else if (entry_state(e) >= CRUN_CAUGHT_UP)
        uploads_settle(c, e, seen[0]);
}

void runs_step(Coord *c)
{
    if (!c->loaded || c->fenced)
        return;
    for (size_t i = 0; i < c->n_entries; i++) {
        Entry *e = c->entries[i];
        if (entry_is_active(e) && !e->busy)
            walk(c, e);
    }
    run_tidy_agents(c);
}
