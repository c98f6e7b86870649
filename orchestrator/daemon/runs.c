/* SPDX-License-Identifier: Apache-2.0 */
#include "runs.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "agents.h"
#include "common/clock.h"
#include "common/gtid.h"
#include "common/json.h"
#include "common/log.h"
#include "events.h"
#include "orchestrator/core/align.h"
#include "orchestrator/core/plan.h"
#include "orchestrator/core/run_view.h"
#include "queue.h"
#include "uploads.h"

enum {
    CALL_TIMEOUT_MS = 10000,
    RETRY_LEAST_MS = 200,
    RETRY_MOST_MS = 3000,
    CLAIM_DEADLINE_MS = 60000, /* an agent that has not taken a run by then does not get it */
    BACKOFF_LEAST_MS = 30000,
};

/* ---- the setter ------------------------------------------------------------------------------------ */

static const char *level_of(RunState s)
{
    return s == RUN_ERROR ? "error" : s == RUN_KILLED || s == RUN_STOPPED ? "warn" : "info";
}

static void set_text(char **to, const char *text)
{
    if (str_eq(*to, text))
        return;
    free(*to);
    *to = xstrdup(text);
}

static const char *task_state_of(const Entry *e)
{
    if (str_eq(e->t.request, "stop") || str_eq(e->t.request, "kill"))
        return "stopping";
    return e->state == RUN_SLEEPING ? "sleeping" : "running";
}

static bool wants_retry(const Entry *e)
{
    return e->state == RUN_ERROR && e->t.attempts < e->t.max_attempts;
}

/* What a task's last run means for the task: its end, the next attempt, or the next turn of a recurrence. */
static void task_follows_end(Coord *c, Entry *e)
{
    Run *r = entry_run(e);
    int64_t now = clock_wall_ms();
    r->finished_at = now;
    set_text(&e->t.error, r->error);
    set_text(&e->t.request, NULL);
    set_text(&e->t.request_by, NULL);
    if (e->state == RUN_DONE && e->t.sleeptime_ms > 0) {
        e->t.run_at = plan_next_run_at(e->t.run_at, now, e->t.sleeptime_ms, e->t.fixed_time);
        e->t.attempts = 0;
        set_text(&e->t.state, "waiting");
    } else if (wants_retry(e)) {
        e->t.run_at = now + (BACKOFF_LEAST_MS << (e->t.attempts < 8 ? e->t.attempts - 1 : 7));
        set_text(&e->t.state, "waiting");
    } else {
        set_text(&e->t.state, run_state_name(e->state));
        e->t.finished_at = now;
    }
    if (e->state == RUN_DONE)
        c->count.done++;
    else
        c->count.failed++;
}

bool runs_event(Coord *c, Entry *e, RunEvent event, const char *detail)
{
    const RunRow *row = run_machine_find(e->state, event);
    Run *r = entry_run(e);
    if (!row) {
        if (e->odd_state != e->state || e->odd_event != event)
            log_error("run %s: event \"%s\" has no place in state %s", r->id, run_event_name(event),
                      run_state_name(e->state));
        e->odd_state = e->state;
        e->odd_event = event;
        return false;
    }
    bool was_final = run_state_is_final(e->state);
    e->state = row->next;
    set_text(&r->state, run_state_name(row->next));
    if (run_state_is_final(e->state)) {
        task_follows_end(c, e);
    } else {
        set_text(&e->t.state, task_state_of(e));
        if (was_final) {
            r->finished_at = e->t.finished_at = 0;
            set_text(&r->error, NULL);
            set_text(&e->t.error, NULL);
        }
    }
    entry_touch(e);
    const char *node = r->nodes.n ? r->nodes.v[0] : NULL;
    events_add(c, level_of(e->state), "run", e->t.id, r->id, node, "%s: %s", run_state_name(e->state),
               detail && *detail ? detail : row->reason);
    return true;
}

/* ---- what the agents report ------------------------------------------------------------------------- */

static const AgentRun *part_seen(const Coord *c, const Part *p, const char *run)
{
    const Agent *a = state_agent(c, p->node);
    return a ? state_agent_run(a, run) : NULL;
}

static void follow_request(Entry *e, const char *done_action)
{
    if (!str_eq(e->t.request, done_action))
        return;
    set_text(&e->t.request, NULL);
    set_text(&e->t.request_by, NULL);
    entry_touch(e);
}

static void take_fact(Entry *e, char **to, const char *value)
{
    if (!value || !*value || str_eq(*to, value))
        return;
    set_text(to, value);
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
            set_text(&r->progress.unit, parts[i]->progress.unit);
        if (parts[i]->progress.note)
            set_text(&r->progress.note, parts[i]->progress.note);
    }
}

/* An upload tells what the loader said; a sealed run how large its result is. */
static void take_detail(Entry *e, const AgentRun *a)
{
    Run *r = entry_run(e);
    if (a->outcome_detail && !json_equal(a->outcome_detail, r->detail)) {
        json_decref(r->detail);
        r->detail = json_deep_copy(a->outcome_detail);
        entry_touch(e);
    }
    if (!a->sealed || a->outcome_detail || json_object_get(r->detail, "result_bytes"))
        return;
    if (!json_is_object(r->detail)) {
        json_decref(r->detail);
        r->detail = json_object();
    }
    json_set_int(r->detail, "result_bytes", a->result_bytes);
    json_set_int(r->detail, "result_compressed_bytes", a->result_compressed_bytes);
    entry_touch(e);
}

/* Facts are written down with the next transition; progress and replay figures only then, too. */
static void copy_facts(Entry *e, const AgentRun *const *parts, size_t n)
{
    Run *r = entry_run(e);
    for (size_t i = n; i-- > 0;) {
        const AgentRun *a = parts[i];
        if (!a)
            continue;
        bool standing = !a->spec.barrier || a->started_at;
        take_fact(e, &r->gtid, standing ? a->gtid : NULL);
        take_fact(e, &r->result_dir, a->sealed ? a->result_dir : NULL);
        take_time(e, &r->frozen_at, a->frozen_at);
        take_time(e, &r->resumed_at, a->resumed_at);
        take_time(e, &r->caught_up_at, a->caught_up_at);
        take_fact(e, &r->outcome, a->outcome);
        set_text(&r->note, a->note);
        if (i == 0 || !r->replay.rate) {
            wire_free(replay_fields, &r->replay);
            wire_copy(replay_fields, &r->replay, &a->replay);
        }
        take_detail(e, a);
    }
    copy_progress(r, parts, n);
}

/* ---- giving the run to its agents --------------------------------------------------------------------- */

static Part *find_part(const CallRef *ref, Entry **ret)
{
    Entry *e = state_find(ref->c, ref->task);
    AUTOFREE char *run = e ? entry_run_id(e) : NULL;
    if (!str_eq(run, ref->run))
        return NULL;
    for (size_t i = 0; i < e->n_parts; i++)
        if (str_eq(e->parts[i].node, ref->node)) {
            *ret = e;
            return &e->parts[i];
        }
    return NULL;
}

static CallRef ref_to(const Entry *e, const Part *p, void (*done)(CallRef *, bool, json_t *, const Err *))
{
    CallRef ref = {.task = e->t.id, .done = done};
    snprintf(ref.run, sizeof ref.run, "%s", entry_run(e)->id);
    snprintf(ref.node, sizeof ref.node, "%s", p->node);
    return ref;
}

static bool is_refusal(const Entry *e, const Err *err)
{
    switch (err->kind) {
    case ERR_REFUSED:
    case ERR_USAGE:
    case ERR_NOT_FOUND:
    case ERR_AUTH:
        return true;
    default:
        return clock_mono_ms() > e->claimed_ms + CLAIM_DEADLINE_MS;
    }
}

static void posted(CallRef *ref, bool ok, json_t *body, const Err *err)
{
    (void)body;
    Entry *e;
    Part *p = find_part(ref, &e);
    if (!p)
        return;
    p->busy = false;
    if (ok) {
        Agent *a = state_agent(ref->c, p->node);
        p->accepted = true;
        p->accepted_poll = a ? a->polls_sent : 0;
        retry_reset(&p->retry);
    } else if (is_refusal(e, err)) {
        p->refused = *err;
    } else {
        retry_failed(ref->c, &p->retry, RETRY_LEAST_MS, RETRY_MOST_MS);
        log_info("run %s: %s does not take it yet: %s", ref->run, p->node, err->text);
    }
}

static void fill_source(const Coord *c, const Entry *e, RunSpec *s)
{
    int64_t task, no;
    if (!e->t.parent_run || !wire_run_id(e->t.parent_run, &task, &no))
        return;
    Entry *parent = state_find(c, task);
    Run *r = parent ? entry_run(parent) : NULL;
    if (!r || !r->nodes.n)
        return;
    Agent *a = state_agent(c, r->nodes.v[0]);
    s->source.run = xstrdup(e->t.parent_run);
    s->source.node = xstrdup(r->nodes.v[0]);
    s->source.url = a ? xstrdup(a->url) : NULL;
}

static void make_spec(const Coord *c, const Entry *e, size_t part, RunSpec *s)
{
    const Run *r = entry_run(e);
    Agent *primary = state_primary_agent(c);
    *s = (RunSpec){.run = xstrdup(r->id),
                   .cluster_name = xstrdup(c->conf.cluster_name),
                   .kind = xstrdup(e->t.kind),
                   .job = xstrdup(e->t.job),
                   .on = xstrdup(e->t.on),
                   .options = e->t.options ? json_deep_copy(e->t.options) : NULL,
                   .term = c->journal.term,
                   .barrier = e->n_parts > 1,
                   .shard = (int64_t)part,
                   .shards = (int64_t)e->n_parts,
                   .pause_limit_ms = e->t.pause_limit_ms ? e->t.pause_limit_ms : c->conf.pause_limit_ms};
    for (size_t i = 0; i < e->t.args.n; i++)
        strlist_add(&s->args, e->t.args.v[i]);
    /* After a restart the position at the claim is gone; the primary's present one holds it. */
    if (str_eq(e->t.on, "replica"))
        s->after_gtid = xstrdup(e->after_gtid ? e->after_gtid
                                : primary     ? primary->node.agent.server.binlog
                                              : NULL);
    fill_source(c, e, s);
}

static void post_run(Coord *c, Entry *e, size_t part)
{
    Part *p = &e->parts[part];
    Agent *a = state_agent(c, p->node);
    if (!a) {
        err_set(&p->refused, ERR_NOT_FOUND, 0, "%s is no longer among the agents", p->node);
        return;
    }
    RunSpec spec = {0};
    make_spec(c, e, part, &spec);
    AUTOJSON json_t *body = wire_write(run_spec_fields, &spec);
    wire_free(run_spec_fields, &spec);
    p->busy = true;
    CallRef ref = ref_to(e, p, posted);
    agents_call(a, "POST", "/v1/runs", body, CALL_TIMEOUT_MS, &ref);
}

/* The claim is on record: whoever does not know the run yet gets it, again after a restart. */
static void give_out(Coord *c, Entry *e)
{
    for (size_t i = 0; i < e->n_parts; i++) {
        Part *p = &e->parts[i];
        Agent *a = state_agent(c, p->node);
        if (p->busy || p->accepted || p->refused.kind || !retry_due(&p->retry))
            continue;
        if (a && part_seen(c, p, entry_run(e)->id))
            p->accepted = true;
        else
            post_run(c, e, i);
    }
}

/* ---- barrier: several replicas at one GTID ---------------------------------------------------------------
 */

static void steered(CallRef *ref, bool ok, json_t *body, const Err *err)
{
    (void)body;
    Entry *e;
    Part *p = find_part(ref, &e);
    if (!p)
        return;
    p->busy = false;
    /* The agent's state shows the effect; until then it is told again. */
    retry_failed(ref->c, &p->retry, RETRY_LEAST_MS, RETRY_MOST_MS);
    if (!ok)
        log_info("run %s: %s on %s: %s", ref->run, ref->word, p->node, err->text);
}

static void steer(Coord *c, Entry *e, Part *p, const char *word, const json_t *body)
{
    Agent *a = state_agent(c, p->node);
    if (!a || p->busy || !retry_due(&p->retry))
        return;
    CallRef ref = ref_to(e, p, steered);
    snprintf(ref.word, sizeof ref.word, "%s", word);
    AUTOFREE char *path = xasprintf("/v1/runs/%s/%s", ref.run, word);
    AUTOJSON json_t *with_term = body ? json_deep_copy(body) : json_object();
    json_set_int(with_term, "term", c->journal.term);
    p->busy = true;
    agents_call(a, "POST", path, with_term, CALL_TIMEOUT_MS, &ref);
}

static void align_parts(Coord *c, Entry *e, const AgentRun *const *seen, const RunView *v)
{
    DbFlavor flavor;
    AUTOFREE AlignPart *parts = xcalloc(e->n_parts, sizeof *parts);
    RunAlign target = {0};
    Err err;
    for (size_t i = 0; i < e->n_parts; i++)
        parts[i] = (AlignPart){e->parts[i].node, seen[i]->gtid, seen[i]->source_file, seen[i]->source_pos};
    if (!state_primary_flavor(c, &flavor))
        return;
    if (v->all_aligned && align_is_equal(flavor, parts, e->n_parts)) {
        for (size_t i = 0; i < e->n_parts; i++)
            steer(c, e, &e->parts[i], "go", NULL);
        return;
    }
    if (!align_target(flavor, parts, e->n_parts, &target, &err)) {
        e->parts[0].refused = err;
        return;
    }
    AUTOJSON json_t *body = wire_write(run_align_fields, &target);
    for (size_t i = 0; i < e->n_parts; i++)
        if (!seen[i]->aligned || gtid_compare_text(flavor, seen[i]->gtid, target.gtid) != GTID_EQUAL)
            steer(c, e, &e->parts[i], "align", body);
    wire_free(run_align_fields, &target);
}

/* ---- requests ---------------------------------------------------------------------------------------------
 */

static void requested(CallRef *ref, bool ok, json_t *body, const Err *err)
{
    (void)body;
    Entry *e;
    Part *p = find_part(ref, &e);
    if (!p)
        return;
    p->busy = false;
    if (ok || !err_is_transient(err)) {
        set_text(&p->request_sent, ref->word);
        retry_reset(&p->retry);
    } else {
        retry_failed(ref->c, &p->retry, RETRY_LEAST_MS, RETRY_MOST_MS);
    }
    if (!ok)
        log_warn("run %s: request %s on %s: %s", ref->run, ref->word, p->node, err->text);
}

static void ask(Coord *c, Entry *e, Part *p, const char *action, const char *by)
{
    Agent *a = state_agent(c, p->node);
    if (!a || p->busy || str_eq(p->request_sent, action) || !retry_due(&p->retry))
        return;
    CallRef ref = ref_to(e, p, requested);
    snprintf(ref.word, sizeof ref.word, "%s", action);
    AUTOFREE char *path = xasprintf("/v1/runs/%s/request", ref.run);
    AUTOJSON json_t *body = json_object();
    json_set_str(body, "action", action);
    json_set_str(body, "by", by);
    json_set_int(body, "term", c->journal.term);
    p->busy = true;
    agents_call(a, "POST", path, body, CALL_TIMEOUT_MS, &ref);
}

static void forward_request(Coord *c, Entry *e, const AgentRun *const *seen)
{
    for (size_t i = 0; e->t.request && i < e->n_parts; i++)
        if (seen[i] && !run_part_is_over(seen[i]))
            ask(c, e, &e->parts[i], e->t.request, e->t.request_by ? e->t.request_by : "siding");
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

static const Part *refused_part(const Entry *e)
{
    for (size_t i = 0; i < e->n_parts; i++)
        if (e->parts[i].refused.kind)
            return &e->parts[i];
    return NULL;
}

/* Some agent will not do its part: the others end theirs, then the run is over. True: it is. */
static bool give_up(Coord *c, Entry *e, const AgentRun *const *seen, const RunView *v)
{
    const Part *bad = refused_part(e);
    if (!bad)
        return false;
    bool busy = false;
    for (size_t i = 0; i < e->n_parts; i++) {
        busy = busy || e->parts[i].busy ||
               (e->parts[i].accepted && !seen[i] && !is_lost(c, &e->parts[i], seen[i]));
        if (seen[i] && !run_part_is_over(seen[i])) {
            ask(c, e, &e->parts[i], "kill", "siding");
            busy = true;
        }
    }
    if (busy)
        return true;
    Run *r = entry_run(e);
    AUTOFREE char *text = xasprintf("%s: %s", bad->node, bad->refused.text);
    set_text(&r->error, text);
    RunEvent event = e->state == RUN_CLAIMED ? RUN_EV_REFUSED : RUN_EV_LOST;
    if (v->any && run_machine_find(e->state, RUN_EV_FAILED))
        event = RUN_EV_FAILED;
    runs_event(c, e, event, text);
    return true;
}

static void note_lost_parts(Coord *c, Entry *e, const AgentRun *const *seen)
{
    for (size_t i = 0; i < e->n_parts; i++) {
        Part *p = &e->parts[i];
        /* After a restart acceptance is known from the run's state alone. */
        if (e->state > RUN_CLAIMED && !p->accepted) {
            p->accepted = true;
            p->accepted_poll = 0;
        }
        if (is_lost(c, p, seen[i]) && !p->refused.kind)
            err_set(&p->refused, ERR_LOST, 0, "its agent had taken run %s and knows nothing of it any more",
                    entry_run(e)->id);
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
    else if (v->end == RUN_EV_FAILED)
        str_addf(out, "it ended with \"%s\" and told no reason", a->outcome);
}

/* Every agent is done. What is left is the upload, or nothing. */
static void settle(Coord *c, Entry *e, const AgentRun *const *seen, const RunView *v)
{
    Run *r = entry_run(e);
    if (str_eq(e->t.on, "replica") && e->state < RUN_CAUGHT_UP && !runs_event(c, e, RUN_EV_CAUGHT_UP, NULL))
        return;
    if (v->end == RUN_EV_OK && uploads_wanted(e, seen[0])) {
        uploads_settle(c, e, seen[0]);
        return;
    }
    AUTO(str_done) Str text = STR_INIT;
    fail_text(e, seen, v, &text);
    if (text.len)
        set_text(&r->error, text.p);
    runs_event(c, e, v->end, text.len ? text.p : NULL);
}

static void walk(Coord *c, Entry *e)
{
    Run *r = entry_run(e);
    AUTOFREE const AgentRun **seen = xcalloc(e->n_parts + 1, sizeof *seen);
    for (size_t i = 0; i < e->n_parts; i++)
        seen[i] = part_seen(c, &e->parts[i], r->id);
    RunView v = run_view(seen, e->n_parts);
    if (e->state < RUN_CAUGHT_UP)
        note_lost_parts(c, e, seen);
    copy_facts(e, seen, e->n_parts);
    if (e->state == RUN_CLAIMED)
        give_out(c, e);
    if (e->state < RUN_CAUGHT_UP && give_up(c, e, seen, &v))
        return;
    if (v.complete && !v.over) {
        const RunRow *row = run_machine_find(e->state, v.event);
        if (row && row->next != e->state)
            runs_event(c, e, v.event, NULL);
    }
    if (e->state == RUN_SLEEPING)
        follow_request(e, "sleep");
    if (e->state == RUN_RUNNING)
        follow_request(e, "wake");
    forward_request(c, e, seen);
    if (e->n_parts > 1 && v.all_stopped)
        align_parts(c, e, seen, &v);
    else if (e->n_parts > 1 && !v.over && v.failed < e->n_parts)
        for (size_t i = 0; i < e->n_parts; i++)
            if (seen[i] && !run_part_is_over(seen[i]) && !seen[i]->outcome)
                ask(c, e, &e->parts[i], "kill", "siding");
    if (v.end == RUN_EV_OK && v.sealed)
        uploads_record(c, e, seen[0]);
    if (v.over)
        settle(c, e, seen, &v);
    else if (e->state >= RUN_CAUGHT_UP)
        uploads_settle(c, e, seen[0]);
}

/* ---- ends
 * ------------------------------------------------------------------------------------------------------ */

static void forgotten(CallRef *ref, bool ok, json_t *body, const Err *err)
{
    (void)body;
    if (!ok && err->kind != ERR_CANCELLED && err->kind != ERR_NOT_FOUND)
        log_info("run %s: %s does not forget it yet: %s", ref->run, ref->node, err->text);
}

/* Given up here while its agent had taken it after all: the answer to the call was lost. */
static void end_orphan(Coord *c, Agent *a, const AgentRun *ar)
{
    if (ar->outcome)
        return;
    CallRef ref = {.done = forgotten};
    snprintf(ref.run, sizeof ref.run, "%s", ar->spec.run);
    snprintf(ref.node, sizeof ref.node, "%s", a->name);
    AUTOFREE char *path = xasprintf("/v1/runs/%s/request", ref.run);
    AUTOJSON json_t *body = json_object();
    json_set_str(body, "action", "kill");
    json_set_str(body, "by", "siding: it was given up");
    json_set_int(body, "term", c->journal.term);
    log_warn("run %s: %s still runs it, though it has ended here: it is killed", ref.run, a->name);
    strlist_add(&a->forgetting, ref.run);
    agents_call(a, "POST", path, body, CALL_TIMEOUT_MS, &ref);
}

/* A run of this agent whose end is on record: its journal there is no longer needed. Unknown runs are looked
 * up. */
static void tidy_run(Coord *c, Agent *a, const AgentRun *ar)
{
    int64_t task, no;
    if (!ar->spec.run || !wire_run_id(ar->spec.run, &task, &no) || !no ||
        strlist_has(&a->forgetting, ar->spec.run))
        return;
    Entry *e = state_find(c, task);
    if (!e) {
        queue_look_up(c, task);
        return;
    }
    const Run *runs = e->t.runs.v;
    for (size_t i = 0; entry_is_saved(e) && i < e->t.runs.n; i++) {
        RunState s;
        if (!str_eq(runs[i].id, ar->spec.run) || !run_state_from_name(runs[i].state, &s) ||
            !run_state_is_final(s))
            continue;
        if (!run_part_is_over(ar)) {
            end_orphan(c, a, ar);
            return;
        }
        CallRef ref = {.task = task, .done = forgotten};
        snprintf(ref.run, sizeof ref.run, "%s", ar->spec.run);
        snprintf(ref.node, sizeof ref.node, "%s", a->name);
        AUTOFREE char *path = xasprintf("/v1/runs/%s?term=%" PRId64, ref.run, c->journal.term);
        strlist_add(&a->forgetting, ref.run);
        agents_call(a, "DELETE", path, NULL, CALL_TIMEOUT_MS, &ref);
    }
}

static void tidy_agents(Coord *c)
{
    for (size_t i = 0; i < c->n_agents; i++) {
        Agent *a = c->agents[i];
        if (!a->fresh)
            continue;
        /* Asked once an answer: what was asked before shows in the next one. */
        if (a->tidied_poll != a->polls_seen)
            strlist_done(&a->forgetting);
        a->tidied_poll = a->polls_seen;
        const AgentRun *runs = a->node.agent.runs.v;
        for (size_t k = 0; k < a->node.agent.runs.n; k++)
            tidy_run(c, a, &runs[k]);
    }
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
    tidy_agents(c);
}
