/* SPDX-License-Identifier: Apache-2.0 */
#include "retention.h"

#include <inttypes.h>
#include <stdio.h>

#include "agents.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/file/json.h"
#include "coord_store.h"
#include "events.h"
#include "orchestrator/core/expiry.h"
#include "queue_db.h"

enum { EVERY_MS = 600000, COPYING_MS = 10000, CATALOGUE = 1000, CALL_TIMEOUT_MS = 30000, SETTLED_MS = 60000 };

/* ---- the catalogue ---------------------------------------------------------------------------------- */

int64_t retention_expired_at(const Run *r, const char *node)
{
    int64_t at = 0;
    const json_t *expired = json_is_object(r->detail) ? json_object_get(r->detail, "expired") : NULL;
    return clock_parse(json_str(expired, node), &at) ? at : 0;
}

static void note_expired(Coord *c, TaskEntry *e, Run *r, const char *node, const char *why)
{
    if (retention_expired_at(r, node))
        return;
    if (!json_is_object(r->detail)) {
        json_decref(r->detail);
        r->detail = json_object();
    }
    json_t *expired = json_object_get(r->detail, "expired");
    if (!json_is_object(expired))
        json_object_set_new(r->detail, "expired", expired = json_object());
    json_set_time(expired, node, clock_wall_ms());
    entry_touch(e);
    events_add(c, "info", "run", e->t.id, r->id, node, "%s", why);
}

static Run *find(const Coord *c, const char *id, TaskEntry **ret)
{
    int64_t task, no;
    *ret = wire_run_id(id, &task, &no) ? state_find(c, task) : NULL;
    return *ret ? entry_run_named(*ret, id) : NULL;
}

/* The number was given again since: the queue was restored, or has lost its newest transactions. */
static bool is_of_another_queue(const TaskEntry *e, const char *id)
{
    AUTOFREE char *run = runkey_short(id);
    const Run *runs = e->t.runs.v;
    for (size_t i = 0; i < e->t.runs.n; i++)
        if (runkey_is(runs[i].id, run))
            return true;
    return false;
}

/* What the queue does not know needs nothing. */
static bool is_needed(const Coord *c, const char *id)
{
    TaskEntry *e;
    const Run *r = find(c, id, &e);
    if (!r)
        return e != NULL && !is_of_another_queue(e, id);
    if (!coord_run_is_final(r->state) || !entry_is_saved(e))
        return true;
    return r->upload_task && r->state != CRUN_DONE && e->t.state == TASK_ERROR;
}

/* ---- a round ---------------------------------------------------------------------------------------- */

static void take_list(AgentLink *a, const json_t *body)
{
    Err err;
    size_t i;
    json_t *o;
    json_decref(a->results.list);
    a->results.list = NULL;
    json_array_foreach((json_t *)(uintptr_t)body, i, o)
    {
        ResultInfo r = {0};
        bool ok = wire_read(result_info_fields, o, &r, &err);
        wire_free(result_info_fields, &r);
        if (!ok) {
            log_warn("%s: its results cannot be read: %s", a->name, err.text);
            return;
        }
    }
    a->results.list = json_incref((json_t *)(uintptr_t)body);
}

static void listed(CallRef *ref, bool ok, json_t *body, const Err *err)
{
    AgentLink *a = state_agent(ref->c, ref->node);
    ref->c->retention.waiting--;
    if (a && ok && json_is_array(body))
        take_list(a, body);
    else if (a && !ok && err->kind != ERR_CANCELLED)
        log_info("%s does not list its results: %s", ref->node, err->text);
    coord_step_soon(ref->c);
}

static void begin_round(Coord *c)
{
    c->retention.begun_at = clock_wall_ms();
    c->retention.listing = true;
    c->retention.next_ms = clock_mono_ms() + EVERY_MS;
    for (size_t i = 0; i < c->n_agents; i++) {
        AgentLink *a = c->agents[i];
        json_decref(a->results.list);
        a->results.list = NULL;
        if (!a->fresh)
            continue;
        CallRef ref = {.done = listed};
        snprintf(ref.node, sizeof ref.node, "%s", a->name);
        c->retention.waiting++;
        agents_call(a, "GET", "/v1/results?brief=1", NULL, CALL_TIMEOUT_MS, &ref);
    }
}

static void removed(CallRef *ref, bool ok, json_t *body, const Err *err)
{
    (void)body;
    TaskEntry *e;
    Run *r = find(ref->c, ref->run, &e);
    ref->c->retention.waiting--;
    if (!ok && err->kind != ERR_NOT_FOUND && err->kind != ERR_CANCELLED)
        log_warn("the expired result of run %.*s stays on %s: %s", RUN_TEXT(ref->run), ref->node, err->text);
    else if (r && (ok || err->kind == ERR_NOT_FOUND))
        note_expired(ref->c, e, r, ref->node, "its result has expired and is removed");
}

/* `only_part`: not if it has become the whole result since it was listed. */
static void ask_to_remove(AgentLink *a, const char *run, bool only_part,
                          void (*done)(CallRef *, bool, json_t *, const Err *))
{
    Coord *c = a->c;
    CallRef ref = {.done = done};
    snprintf(ref.run, sizeof ref.run, "%s", run);
    snprintf(ref.node, sizeof ref.node, "%s", a->name);
    AUTOFREE char *path =
        xasprintf("/v1/results/%s?term=%" PRId64 "%s", run, c->journal.term, only_part ? "&part=1" : "");
    c->retention.waiting++;
    agents_call(a, "DELETE", path, NULL, CALL_TIMEOUT_MS, &ref);
}

static size_t count_results(const Coord *c)
{
    size_t n = 0;
    for (size_t i = 0; i < c->n_agents; i++)
        n += json_array_size(c->agents[i]->results.list);
    return n;
}

static void decide_expiry(Coord *c)
{
    size_t n = 0;
    AUTOFREE KeptResult *results = xcalloc(count_results(c) + 1, sizeof *results);
    AUTOFREE AgentLink **holders = xcalloc(count_results(c) + 1, sizeof *holders);
    for (size_t i = 0; i < c->n_agents; i++)
        for (size_t k = 0; k < json_array_size(c->agents[i]->results.list); k++) {
            const json_t *o = json_array_get(c->agents[i]->results.list, k);
            int64_t sealed_at = 0;
            holders[n] = c->agents[i];
            if (!clock_parse(json_str(o, "sealed_at"), &sealed_at))
                sealed_at = 0;
            results[n++] = (KeptResult){.run = json_str(o, "run"),
                                        .group = json_str(o, "group"),
                                        .sealed_at = sealed_at,
                                        .keep = json_int(o, "keep"),
                                        .keep_for_ms = json_int(o, "keep_for_ms"),
                                        .needed = is_needed(c, json_str(o, "run"))};
        }
    retention_plan(results, n, clock_wall_ms());
    for (size_t i = 0; i < n; i++)
        if (results[i].expires)
            ask_to_remove(holders[i], results[i].run, false, removed);
}

/* ---- copies ----------------------------------------------------------------------------------------- */

static bool holds(const AgentLink *a, const char *run)
{
    for (size_t i = 0; i < json_array_size(a->results.list); i++)
        if (str_eq(json_str(json_array_get(a->results.list, i), "run"), run))
            return true;
    return false;
}

static void copy_asked(CallRef *ref, bool ok, json_t *body, const Err *err)
{
    (void)body;
    ref->c->retention.waiting--;
    if (!ok && err->kind != ERR_CANCELLED)
        log_warn("%s makes no copy of the result of run %.*s: %s", ref->node, RUN_TEXT(ref->run), err->text);
}

/* `from` NULL: into a folder, from its own spool. */
static void ask_for_copy(AgentLink *a, const AgentLink *from, const char *run, const char *to)
{
    Coord *c = a->c;
    CallRef ref = {.done = copy_asked};
    snprintf(ref.run, sizeof ref.run, "%s", run);
    snprintf(ref.node, sizeof ref.node, "%s", a->name);
    AUTOFREE char *path = xasprintf("/v1/results/%s/copy", run);
    AUTOJSON json_t *body = json_object();
    json_set_int(body, "term", c->journal.term);
    if (to)
        json_set_str(body, "to", to);
    if (from) {
        json_set_str(body, "url", from->url);
        json_set_str(body, "node", from->name);
    }
    c->retention.waiting++;
    agents_call(a, "POST", path, body, CALL_TIMEOUT_MS, &ref);
    c->retention.next_ms = clock_mono_ms() + COPYING_MS; /* it shows in the lists once it is made */
}

/* A run that is over, and whose result is one. */
static bool may_be_copied(const TaskEntry *e, const Run *r, const AgentLink *holder)
{
    if (!r)
        return e == NULL;
    return coord_run_is_final(r->state) && entry_is_saved(e) &&
           (wire_run_holders(r) == 1 || r->nodes.n == 1) && r->nodes.n && str_eq(r->nodes.v[0], holder->name);
}

static void part_dropped(CallRef *ref, bool ok, json_t *body, const Err *err)
{
    (void)body;
    ref->c->retention.waiting--;
    if (!ok && err->kind != ERR_CANCELLED && err->kind != ERR_NOT_FOUND)
        log_info("%s keeps its part of the result of run %.*s: %s", ref->node, RUN_TEXT(ref->run), err->text);
}

/* Its agent could not be reached when the parts became one. */
static void drop_part(AgentLink *holder, const Run *r)
{
    if (r && retention_is_left_over(r, holder->name))
        ask_to_remove(holder, r->id, true, part_dropped);
}

static void note_copy(TaskEntry *e, Run *r, const char *node)
{
    if (coord_run_detail_add(r, "copies", node))
        entry_touch(e);
}

static void copy_result(Coord *c, AgentLink *holder, const ResultInfo *info)
{
    TaskEntry *e;
    Run *r = find(c, info->run, &e);
    if (info->part) {
        drop_part(holder, r);
        return;
    }
    if (r && e && !strlist_has(&r->nodes, holder->name))
        note_copy(e, r, holder->name);
    if (!may_be_copied(e, r, holder))
        return;
    for (size_t i = 0; i < info->destinations.n; i++) {
        const char *to = info->destinations.v[i];
        AgentLink *a = *to == '/' ? NULL : state_agent(c, to);
        if (*to == '/' && !strlist_has(&info->copies, to))
            ask_for_copy(holder, NULL, info->run, to);
        else if (a && a != holder && a->results.list && !holds(a, info->run))
            ask_for_copy(a, holder, info->run, NULL);
        else if (*to != '/' && !a)
            log_warn("%s names the destination \"%s\", which is neither a node nor a folder", holder->name,
                     to);
    }
}

static void copy_results(Coord *c)
{
    for (size_t i = 0; i < c->n_agents; i++) {
        AgentLink *a = c->agents[i];
        for (size_t k = 0; k < json_array_size(a->results.list); k++) {
            Err ignored;
            ResultInfo info = {0};
            if (wire_read(result_info_fields, json_array_get(a->results.list, k), &info, &ignored))
                copy_result(c, a, &info);
            wire_free(result_info_fields, &info);
        }
    }
}

/* Removed while nobody here could write it down, or by hand. */
static void note_gone(Coord *c, TaskEntry *e, Run *r)
{
    if (!r->result_dir || !coord_run_is_final(r->state) || !r->finished_at ||
        r->finished_at > c->retention.begun_at - SETTLED_MS)
        return;
    for (size_t i = 0; i < wire_run_holders(r); i++) {
        const AgentLink *a = state_agent(c, r->nodes.v[i]);
        if (a && a->results.list && !holds(a, r->id))
            note_expired(c, e, r, r->nodes.v[i], "its result is gone from the node");
    }
}

static void look_for_gone(Coord *c)
{
    for (size_t i = 0; i < c->n_entries; i++) {
        TaskEntry *e = c->entries[i];
        for (size_t k = 0; k < e->t.runs.n; k++)
            note_gone(c, e, (Run *)e->t.runs.v + k);
    }
}

/* ---- what the database knows of it ------------------------------------------------------------------ */

typedef struct CatalogueOp {
    StoreOp op;
    QdbIds ids; /* grows with each try: tasks are read once each */
    WireList found;
} CatalogueOp;

static bool catalogue_work(Db *db, StoreOp *op, Err *err)
{
    CatalogueOp *o = (CatalogueOp *)op;
    qdb_free_tasks(&o->found);
    return qdb_result_ids(db, CATALOGUE, &o->ids, err) && qdb_tasks(db, &o->ids, &o->found, err);
}

/* What is under way, or waits to be, has been told to try again since this was read. */
static bool has_ended(const Coord *c, const Task *read)
{
    const TaskEntry *e = state_find(c, read->id);
    return task_state_is_final(read->state) && (!e || task_state_is_final(e->t.state));
}

static void catalogue_done(Coord *c, StoreOp *op)
{
    CatalogueOp *o = (CatalogueOp *)op;
    if (!op->ok) {
        log_info("what the queue knows of results cannot be read: %s", op->err.text);
        retention_soon(c); /* the lists of the agents go with this round */
    } else if (!c->fenced) {
        Task *t = o->found.v;
        for (size_t i = 0; i < o->found.n; i++)
            if (has_ended(c, &t[i]))
                (void)state_adopt(c, &t[i]);
        look_for_gone(c);
        decide_expiry(c);
        copy_results(c);
    }
    c->retention.reading = false;
    qdb_free_tasks(&o->found);
    free(o->ids.v);
    free(o);
}

static void read_catalogue(Coord *c)
{
    CatalogueOp *o = NEW(CatalogueOp);
    o->op = (StoreOp){
        .kind = STORE_READ, .what = "read the results", .work = catalogue_work, .done = catalogue_done};
    for (size_t i = 0; i < c->n_agents; i++)
        for (size_t k = 0; k < json_array_size(c->agents[i]->results.list); k++) {
            int64_t task, no;
            const char *run = json_str(json_array_get(c->agents[i]->results.list, k), "run");
            if (wire_run_id(run, &task, &no) && !state_find(c, task))
                qdb_ids_add(&o->ids, task);
        }
    c->retention.reading = true;
    store_start(c, &o->op);
}

void retention_step(Coord *c)
{
    if (!c->loaded || c->fenced || c->retention.waiting || c->retention.reading)
        return;
    if (c->retention.listing) {
        c->retention.listing = false;
        read_catalogue(c);
    } else if (clock_mono_ms() >= c->retention.next_ms) {
        begin_round(c);
    }
}
