/* SPDX-License-Identifier: Apache-2.0 */
#include "run_calls.h"

#include <inttypes.h>
#include <stdio.h>

#include "agents.h"
#include "common/base/log.h"
#include "common/file/json.h"
#include "job_check.h"
#include "run_inbox.h"

/* ---- what comes back -------------------------------------------------------------------------------- */

static void answer(CallRef *ref, CoordRunInputKind kind, bool ok, const Err *err)
{
    RunLetter letter = {.task = ref->task, .in = {.kind = kind, .ok = ok}};
    snprintf(letter.run, sizeof letter.run, "%s", ref->run);
    snprintf(letter.node, sizeof letter.node, "%s", ref->node);
    letter.in.action = (TaskAction)wire_enum_find(&task_action_names, ref->word);
    if (!ok)
        letter.in.err = *err;
    run_inbox_put(ref->c, &letter);
}

static void posted(CallRef *ref, bool ok, json_t *body, const Err *err)
{
    (void)body;
    answer(ref, CRUN_IN_POSTED, ok, err);
}

static void steered(CallRef *ref, bool ok, json_t *body, const Err *err)
{
    (void)body;
    answer(ref, CRUN_IN_STEERED, ok, err);
}

static void asked(CallRef *ref, bool ok, json_t *body, const Err *err)
{
    (void)body;
    answer(ref, CRUN_IN_ASKED, ok, err);
}

static void dropped(CallRef *ref, bool ok, json_t *body, const Err *err)
{
    (void)body;
    if (!ok && err->kind != ERR_CANCELLED && err->kind != ERR_NOT_FOUND)
        log_info("run %.*s: %s keeps its part of the result until it expires: %s", RUN_TEXT(ref->run),
                 ref->node, err->text);
}

/* ---- the run as an agent gets it -------------------------------------------------------------------- */

static void fill_source(const Coord *c, const TaskEntry *e, RunSpec *s)
{
    int64_t task, no;
    if (!e->t.parent_run || !wire_run_id(e->t.parent_run, &task, &no))
        return;
    TaskEntry *parent = state_find(c, task);
    Run *r = parent ? entry_run(parent) : NULL;
    if (!r || !r->nodes.n)
        return;
    AgentLink *a = state_agent(c, r->nodes.v[0]);
    s->source.run = xstrdup(e->t.parent_run);
    s->source.node = xstrdup(r->nodes.v[0]);
    s->source.url = a ? xstrdup(a->url) : NULL;
}

static void fill_part(const Coord *c, const TaskEntry *e, size_t part, RunSource *ret)
{
    AgentLink *a = state_agent(c, e->run.parts[part].node);
    *ret = (RunSource){.run = xstrdup(entry_run(e)->id),
                       .node = xstrdup(e->run.parts[part].node),
                       .url = a ? xstrdup(a->url) : NULL,
                       .shard = (int64_t)part};
}

static void make_spec(const Coord *c, const TaskEntry *e, size_t part, RunSpec *s)
{
    const Run *r = entry_run(e);
    AgentLink *primary = state_primary_agent(c);
    *s = (RunSpec){.run = xstrdup(r->id),
                   .cluster_name = xstrdup(c->conf.cluster_name),
                   .kind = e->t.kind,
                   .job = xstrdup(e->t.job),
                   .on = e->t.on,
                   .options = e->t.options ? json_deep_copy(e->t.options) : NULL,
                   .term = c->journal.term,
                   .claimed_at = e->claimed_at,
                   .barrier = e->run.n_parts > 1,
                   .during_catch_up = !c->conf.catch_up_between && e->run.n_parts == 1,
                   .shard = (int64_t)part,
                   .shards = (int64_t)e->run.n_parts,
                   .attempt = e->t.attempts,
                   .run_limit_ms = json_int(e->t.plan, "run_timeout_ms"),
                   .pause_limit_ms = e->t.pause_limit_ms,
                   .pause_default_ms = c->conf.pause_limit_ms};
    const AgentLink *a = state_agent(c, e->run.parts[part].node);
    if (a && a->node.agent.mono_ms) {
        s->start_by.boot_id = xstrdup(a->node.agent.boot_id);
        s->start_by.mono_ms = a->node.agent.mono_ms + COORD_RUN_START_MS;
    }
    if (e->run.n_parts > 1)
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

/* ---- the calls -------------------------------------------------------------------------------------- */

typedef void (*Done)(CallRef *ref, bool ok, json_t *body, const Err *err);

static CallRef ref_of(const TaskEntry *e, const CoordRunEffect *x, Done done)
{
    CallRef ref = {.task = e->t.id, .done = done};
    snprintf(ref.run, sizeof ref.run, "%s", entry_run(e)->id);
    snprintf(ref.node, sizeof ref.node, "%s", e->run.parts[x->part].node);
    snprintf(ref.word, sizeof ref.word, "%s", wire_enum_text(&task_action_names, (int)x->action, NULL));
    return ref;
}

static void send_call(Coord *c, const TaskEntry *e, const CoordRunEffect *x, const char *path, json_t *body,
                      Done done)
{
    const CoordPart *p = &e->run.parts[x->part];
    CallRef ref = ref_of(e, x, done);
    AUTOFREE char *full =
        xasprintf("/v1/runs%s%s%s%s", *path ? "/" : "", *path ? ref.run : "", *path ? "/" : "", path);
    agents_call(state_agent(c, p->node), "POST", full, body, RUN_CALL_TIMEOUT_MS, &ref);
    json_decref(body);
}

static json_t *with_term(const Coord *c, json_t *body)
{
    json_set_int(body, "term", c->journal.term);
    return body;
}

static void post_spec(Coord *c, const TaskEntry *e, const CoordRunEffect *x)
{
    RunSpec spec = {0};
    make_spec(c, e, x->part, &spec);
    send_call(c, e, x, "", wire_write(run_spec_fields, &spec), posted);
    wire_free(run_spec_fields, &spec);
}

/* A primary that does not answer keeps nothing back: its upload comes later. */
static void target_looked_at(CallRef *ref, bool ok, json_t *body, const Err *err)
{
    Err obstacle;
    TaskEntry *e = state_find(ref->c, ref->task);
    CoordRunEffect x = {.kind = CRUN_FX_POST};
    if (!e || !entry_run(e) || !str_eq(entry_run(e)->id, ref->run))
        return;
    if (!ok)
        log_warn("run %.*s: its target was not looked at on the primary: %s", RUN_TEXT(ref->run), err->text);
    while (x.part < e->run.n_parts && !str_eq(e->run.parts[x.part].node, ref->node))
        x.part++;
    if (ok && job_check_obstacle(ref->c->journal.primary, body, &obstacle))
        answer(ref, CRUN_IN_POSTED, false, &obstacle);
    else if (x.part < e->run.n_parts)
        post_spec(ref->c, e, &x);
}

static void post(Coord *c, const TaskEntry *e, const CoordRunEffect *x)
{
    AgentLink *primary = job_check_of_upload(c, &e->t);
    CallRef ref = ref_of(e, x, target_looked_at);
    if (primary)
        job_check_ask(primary, e->t.job, &ref);
    else
        post_spec(c, e, x);
}

static void gather(Coord *c, const TaskEntry *e, const CoordRunEffect *x)
{
    GatherOrder order = {0};
    for (size_t i = 0; i < x->n_parts; i++)
        fill_part(c, e, x->parts[i], wire_list_add(&order.sources, sizeof(RunSource)));
    send_call(c, e, x, "gather", with_term(c, wire_write(gather_order_fields, &order)), steered);
    wire_free(gather_order_fields, &order);
}

static void ask(Coord *c, const TaskEntry *e, const CoordRunEffect *x)
{
    json_t *body = json_object();
    json_set_str(body, "action", wire_enum_text(&task_action_names, (int)x->action, NULL));
    json_set_str(body, "by", x->text);
    send_call(c, e, x, "request", with_term(c, body), asked);
}

static void drop(Coord *c, const TaskEntry *e, const CoordRunEffect *x)
{
    CallRef ref = {.task = e->t.id, .done = dropped};
    snprintf(ref.run, sizeof ref.run, "%s", entry_run(e)->id);
    snprintf(ref.node, sizeof ref.node, "%s", e->run.parts[x->part].node);
    AUTOFREE char *path = xasprintf("/v1/results/%s?term=%" PRId64 "&part=1", ref.run, c->journal.term);
    agents_call(state_agent(c, ref.node), "DELETE", path, NULL, RUN_CALL_TIMEOUT_MS, &ref);
}

void run_call(Coord *c, const TaskEntry *e, const CoordRunEffect *x)
{
    switch (x->kind) {
    case CRUN_FX_POST:
        post(c, e, x);
        break;
    case CRUN_FX_GO:
        send_call(c, e, x, "go", with_term(c, json_object()), steered);
        break;
    case CRUN_FX_ALIGN:
        send_call(c, e, x, "align", with_term(c, wire_write(run_align_fields, &x->align)), steered);
        break;
    case CRUN_FX_GATHER:
        gather(c, e, x);
        break;
    case CRUN_FX_ASK:
        ask(c, e, x);
        break;
    default:
        drop(c, e, x);
    }
}
