/* SPDX-License-Identifier: Apache-2.0 */
#include "run_calls.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "agents.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/db/gtid.h"
#include "common/file/json.h"
#include "orchestrator/core/align.h"

enum {
    RETRY_LEAST_MS = 200,
    RETRY_MOST_MS = 3000,
    CLAIM_DEADLINE_MS = 60000, /* an agent that has not taken a run by then does not get it */
};

const AgentRun *run_part_seen(const Coord *c, const Part *p, const char *run)
{
    const Agent *a = state_agent(c, p->node);
    return a ? state_agent_run(a, run) : NULL;
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

static void fill_part(const Coord *c, const Entry *e, size_t part, RunSource *ret)
{
    Agent *a = state_agent(c, e->parts[part].node);
    *ret = (RunSource){.run = xstrdup(entry_run(e)->id),
                       .node = xstrdup(e->parts[part].node),
                       .url = a ? xstrdup(a->url) : NULL,
                       .shard = (int64_t)part};
}

static void make_spec(const Coord *c, const Entry *e, size_t part, RunSpec *s)
{
    const Run *r = entry_run(e);
    Agent *primary = state_primary_agent(c);
    *s = (RunSpec){.run = xstrdup(r->id),
                   .cluster_name = xstrdup(c->conf.cluster_name),
                   .kind = e->t.kind,
                   .job = xstrdup(e->t.job),
                   .on = e->t.on,
                   .options = e->t.options ? json_deep_copy(e->t.options) : NULL,
                   .term = c->journal.term,
                   .claimed_at = e->claimed_at,
                   .barrier = e->n_parts > 1,
                   .during_catch_up = !c->conf.catch_up_between && e->n_parts == 1,
                   .shard = (int64_t)part,
                   .shards = (int64_t)e->n_parts,
                   .pause_limit_ms = e->t.pause_limit_ms,
                   .pause_default_ms = c->conf.pause_limit_ms};
    if (e->n_parts > 1)
        fill_part(c, e, 0, &s->first);
    for (size_t i = 0; i < e->t.args.n; i++)
        strlist_add(&s->args, e->t.args.v[i]);
    /* After a restart the position at the claim is gone; the primary's present one holds it. */
    if (e->t.on == ROLE_REPLICA)
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
    agents_call(a, "POST", "/v1/runs", body, RUN_CALL_TIMEOUT_MS, &ref);
}

/* The claim is on record: whoever does not know the run yet gets it, again after a restart. */
void run_give_out(Coord *c, Entry *e)
{
    for (size_t i = 0; i < e->n_parts; i++) {
        Part *p = &e->parts[i];
        Agent *a = state_agent(c, p->node);
        if (p->busy || p->accepted || p->refused.kind || !retry_due(&p->retry))
            continue;
        if (a && run_part_seen(c, p, entry_run(e)->id))
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
    agents_call(a, "POST", path, with_term, RUN_CALL_TIMEOUT_MS, &ref);
}

void run_go_parts(Coord *c, Entry *e, const AgentRun *const *seen)
{
    for (size_t i = 0; i < e->n_parts; i++)
        if (seen[i]->state == ARUN_FROZEN)
            steer(c, e, &e->parts[i], "go", NULL);
}

void run_align_parts(Coord *c, Entry *e, const AgentRun *const *seen, const RunView *v)
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
        run_go_parts(c, e, seen);
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

/* ---- one result of several -------------------------------------------------------------------------------
 */

void run_gather_parts(Coord *c, Entry *e, const AgentRun *const *seen)
{
    GatherOrder order = {0};
    for (size_t i = 1; i < e->n_parts; i++)
        if (!run_part_is_lost(seen, i))
            fill_part(c, e, i, wire_list_add(&order.sources, sizeof(RunSource)));
    AUTOJSON json_t *body = wire_write(gather_order_fields, &order);
    wire_free(gather_order_fields, &order);
    steer(c, e, &e->parts[0], "gather", body);
}

static void dropped(CallRef *ref, bool ok, json_t *body, const Err *err)
{
    (void)body;
    if (!ok && err->kind != ERR_CANCELLED && err->kind != ERR_NOT_FOUND)
        log_info("run %s: %s keeps its part of the result until it expires: %s", ref->run, ref->node,
                 err->text);
}

void run_drop_results(Coord *c, Entry *e, const AgentRun *const *seen)
{
    for (size_t i = 1; i < e->n_parts; i++) {
        Part *p = &e->parts[i];
        Agent *a = state_agent(c, p->node);
        if (p->dropped || !a || !seen[i] || !seen[i]->sealed)
            continue;
        p->dropped = true;
        CallRef ref = ref_to(e, p, dropped);
        AUTOFREE char *path = xasprintf("/v1/results/%s?term=%" PRId64, ref.run, c->journal.term);
        agents_call(a, "DELETE", path, NULL, RUN_CALL_TIMEOUT_MS, &ref);
    }
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
        p->request_sent = (TaskAction)wire_enum_find(&task_action_names, ref->word);
        retry_reset(&p->retry);
    } else {
        retry_failed(ref->c, &p->retry, RETRY_LEAST_MS, RETRY_MOST_MS);
    }
    if (!ok)
        log_warn("run %s: request %s on %s: %s", ref->run, ref->word, p->node, err->text);
}

void run_ask(Coord *c, Entry *e, Part *p, TaskAction action, const char *by)
{
    Agent *a = state_agent(c, p->node);
    if (!a || p->busy || p->request_sent == action || !retry_due(&p->retry))
        return;
    CallRef ref = ref_to(e, p, requested);
    const char *name = wire_enum_text(&task_action_names, (int)action, NULL);
    snprintf(ref.word, sizeof ref.word, "%s", name);
    AUTOFREE char *path = xasprintf("/v1/runs/%s/request", ref.run);
    AUTOJSON json_t *body = json_object();
    json_set_str(body, "action", name);
    json_set_str(body, "by", by);
    json_set_int(body, "term", c->journal.term);
    p->busy = true;
    agents_call(a, "POST", path, body, RUN_CALL_TIMEOUT_MS, &ref);
}

void run_forward_request(Coord *c, Entry *e, const AgentRun *const *seen)
{
    for (size_t i = 0; e->t.request && i < e->n_parts; i++)
        if (seen[i] && (!run_part_is_over(seen[i]) || seen[i]->state == ARUN_GATHERING))
            run_ask(c, e, &e->parts[i], e->t.request, e->t.request_by ? e->t.request_by : "siding");
}
