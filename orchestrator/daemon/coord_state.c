/* SPDX-License-Identifier: Apache-2.0 */
#include "coord_state.h"

#include <inttypes.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/db/flavor.h"
#include "common/file/json.h"
#include "orchestrator/core/topology.h"

enum { KEEP_ENDED = 200, RETENTION_SOON_MS = 2000 };

static size_t lower_bound(const Coord *c, int64_t task)
{
    size_t low = 0, high = c->n_entries;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (c->entries[middle]->t.id < task)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

TaskEntry *state_find(const Coord *c, int64_t task)
{
    size_t i = lower_bound(c, task);
    return i < c->n_entries && c->entries[i]->t.id == task ? c->entries[i] : NULL;
}

static void free_parts(TaskEntry *e)
{
    for (size_t i = 0; i < e->run.n_parts; i++) {
        free(e->run.parts[i].node);
    }
    free(e->run.parts);
    e->run.parts = NULL;
    e->run.n_parts = 0;
}

static void entry_free(TaskEntry *e)
{
    wire_free(task_fields, &e->t);
    free(e->after_gtid);
    free(e->post_run);
    free_parts(e);
    free(e);
}

/* ---- what belongs on record ------------------------------------------------------------------------- */

static void mix(uint64_t *h, const void *bytes, size_t n)
{
    for (const unsigned char *p = bytes; n; n--, p++)
        *h = (*h ^ *p) * 0x100000001b3u;
}

static void mix_number(uint64_t *h, int64_t n)
{
    mix(h, &n, sizeof n);
}

static void mix_text(uint64_t *h, const char *text)
{
    mix(h, text ? text : "", text ? strlen(text) + 1 : 1);
}

static void mix_detail(uint64_t *h, const Run *r, bool whole)
{
    static const char *const keys[] = {"gathered", "lost", "slept_by", "crashed"};
    AUTOFREE char *all = whole && r->detail ? json_text(r->detail) : NULL;
    mix_text(h, all);
    for (size_t i = 0; !whole && i < COUNT(keys); i++) {
        json_t *v = json_object_get(r->detail, keys[i]);
        AUTOFREE char *text = v ? json_dumps(v, JSON_ENCODE_ANY) : NULL;
        mix_text(h, text);
    }
}

static void mix_run(uint64_t *h, const Run *r)
{
    bool late = r->state >= CRUN_UPLOADING && r->state != CRUN_UNKNOWN;
    mix_number(h, late ? (int64_t)r->state : 0);
    mix_number(h, r->frozen_at);
    mix_number(h, r->upload_task);
    mix_number(h, r->finished_at);
    mix_text(h, r->gtid);
    mix_text(h, r->error);
    mix_detail(h, r, late);
}

static uint64_t entry_record(const TaskEntry *e)
{
    uint64_t h = 0xcbf29ce484222325u;
    const Task *t = &e->t;
    bool under_way = t->state >= TASK_RUNNING && t->state <= TASK_STOPPING;
    mix_number(&h, under_way ? (int64_t)TASK_RUNNING : (int64_t)t->state);
    mix_number(&h, t->run_at);
    mix_number(&h, t->planned_at);
    mix_number(&h, t->snoozes);
    mix_number(&h, t->finished_at);
    mix_number(&h, t->attempts);
    mix_number(&h, (int64_t)t->request);
    mix_text(&h, t->request_by);
    mix_text(&h, t->error);
    const Run *runs = t->runs.v;
    for (size_t i = 0; i < t->runs.n; i++)
        mix_run(&h, &runs[i]);
    return h;
}

/* ---- entries ---------------------------------------------------------------------------------------- */

static TaskEntry *insert_entry(Coord *c, int64_t task)
{
    if (c->n_entries == c->cap_entries) {
        c->cap_entries = c->cap_entries ? c->cap_entries * 2 : 64;
        c->entries = xrealloc(c->entries, c->cap_entries * sizeof *c->entries);
    }
    size_t i = lower_bound(c, task);
    memmove(&c->entries[i + 1], &c->entries[i], (c->n_entries - i) * sizeof *c->entries);
    c->n_entries++;
    TaskEntry *e = c->entries[i] = NEW(TaskEntry);
    e->run.task = &e->t;
    return e;
}

bool state_is_newer(const TaskEntry *e)
{
    return e->run.recording || !entry_is_saved(e) || entry_is_active(e);
}

bool state_is_newer_than(const TaskEntry *e, int64_t read_ms)
{
    return state_is_newer(e) || (e->saved_ms && e->saved_ms >= read_ms);
}

TaskEntry *state_adopt(Coord *c, Task *t)
{
    TaskEntry *e = state_find(c, t->id);
    if (e && state_is_newer(e)) {
        wire_free(task_fields, t);
        return e;
    }
    if (!e)
        e = insert_entry(c, t->id);
    wire_free(task_fields, &e->t);
    e->t = *t;
    memset(t, 0, sizeof *t);
    e->saved_request = e->t.request;
    e->run.claimed_ms = clock_mono_ms();
    e->record = entry_record(e);
    e->ended_saved = task_state_is_final(e->t.state);
    Run *r = entry_run(e);
    if (r)
        entry_set_parts(e, &r->nodes);
    return e;
}

void state_remove(Coord *c, TaskEntry *e)
{
    size_t i = lower_bound(c, e->t.id);
    entry_free(e);
    memmove(&c->entries[i], &c->entries[i + 1], (c->n_entries - i - 1) * sizeof *c->entries);
    c->n_entries--;
}

void state_free_entries(Coord *c)
{
    for (size_t i = 0; i < c->n_entries; i++)
        entry_free(c->entries[i]);
    free(c->entries);
    c->entries = NULL;
    c->n_entries = c->cap_entries = 0;
}

static bool may_go(const TaskEntry *e)
{
    return !state_is_newer(e) && (e->t.kind != KIND_UPLOAD || task_state_is_final(e->t.state));
}

void state_trim(Coord *c)
{
    size_t ended = 0;
    for (size_t i = 0; i < c->n_entries; i++)
        ended += may_go(c->entries[i]);
    if (ended <= KEEP_ENDED + KEEP_ENDED / 4 || c->retention.waiting || c->retention.reading)
        return;
    size_t drop = ended - KEEP_ENDED, kept = 0;
    for (size_t i = 0; i < c->n_entries; i++) {
        if (drop && may_go(c->entries[i])) {
            entry_free(c->entries[i]);
            drop--;
        } else {
            c->entries[kept++] = c->entries[i];
        }
    }
    c->n_entries = kept;
}

AgentLink *state_agent(const Coord *c, const char *name)
{
    for (size_t i = 0; i < c->n_agents; i++)
        if (str_eq(c->agents[i]->name, name))
            return c->agents[i];
    return NULL;
}

bool state_is_being_made(const Coord *c, const AgentLink *a)
{
    const ProvisionRecord *r = c->provision;
    return provision_is_blank(&a->node.agent) || (provision_is_under_way(r) && str_eq(r->node, a->name));
}

bool state_heard_lately(const AgentLink *a)
{
    enum { SILENT_MS = 2000 }; /* a poll is answered within a second */
    return a->fresh && clock_mono_ms() - a->seen_ms < SILENT_MS;
}

const Node **state_nodes(const Coord *c)
{
    const Node **nodes = xcalloc(c->n_agents + 1, sizeof *nodes);
    for (size_t i = 0; i < c->n_agents; i++)
        nodes[i] = &c->agents[i]->node;
    return nodes;
}

AgentLink *state_primary_agent(const Coord *c)
{
    return c->journal.primary ? state_agent(c, c->journal.primary) : NULL;
}

NodeRole state_role(const Coord *c, const char *node)
{
    return !c->journal.primary ? ROLE_NONE : str_eq(node, c->journal.primary) ? ROLE_PRIMARY : ROLE_REPLICA;
}

char *state_mixed(const Coord *c, const AgentLink *a)
{
    const AgentLink *primary = state_primary_agent(c);
    return topology_mixed(primary ? &primary->node : NULL, &a->node);
}

bool state_primary_flavor(const Coord *c, DbFlavor *ret)
{
    AgentLink *a = state_primary_agent(c);
    if (a && flavor_from_name(a->node.agent.server.flavor, ret))
        return true;
    for (size_t i = 0; a && i < c->n_agents; i++)
        if (flavor_from_name(c->agents[i]->node.agent.server.flavor, ret))
            return true;
    return false;
}

AgentRun *state_agent_run(const AgentLink *a, const char *run)
{
    AgentRun *runs = a->node.agent.runs.v;
    for (size_t i = 0; i < a->node.agent.runs.n; i++)
        if (str_eq(runs[i].spec.run, run))
            return &runs[i];
    return NULL;
}

Run *entry_run_named(const TaskEntry *e, const char *key)
{
    Run *runs = e->t.runs.v;
    for (size_t i = 0; i < e->t.runs.n; i++)
        if (str_eq(runs[i].id, key))
            return &runs[i];
    return NULL;
}

Run *entry_run(const TaskEntry *e)
{
    return e->t.runs.n ? (Run *)e->t.runs.v + (e->t.runs.n - 1) : NULL;
}

CoordRunState entry_state(const TaskEntry *e)
{
    const Run *r = entry_run(e);
    return r ? r->state : CRUN_WAITING;
}

bool entry_is_active(const TaskEntry *e)
{
    return entry_run(e) && !coord_run_is_final(entry_state(e));
}

bool entry_is_saved(const TaskEntry *e)
{
    return e->saved_rev == e->rev && !e->saving;
}

void entry_touch(TaskEntry *e)
{
    uint64_t record = entry_record(e);
    if (record == e->record)
        return;
    e->record = record;
    e->rev++;
}

void entry_is_on_record(TaskEntry *e)
{
    e->record = entry_record(e);
}

void entry_set_parts(TaskEntry *e, const StrList *nodes)
{
    free_parts(e);
    e->run.parts = xcalloc(nodes->n + 1, sizeof *e->run.parts);
    e->run.n_parts = nodes->n;
    for (size_t i = 0; i < nodes->n; i++)
        e->run.parts[i].node = xstrdup(nodes->v[i]);
}

void coord_step_soon(Coord *c)
{
    event_active(c->step, EV_TIMEOUT, 0);
}

void coord_wake_at(Coord *c, int64_t mono_ms)
{
    if (c->wake_ms && c->wake_ms <= mono_ms)
        return;
    c->wake_ms = mono_ms;
    int64_t ms = mono_ms - clock_mono_ms();
    if (ms < 1)
        ms = 1;
    struct timeval tv = {ms / 1000, ms % 1000 * 1000};
    event_add(c->step, &tv);
}

void retention_soon(Coord *c)
{
    int64_t soon = clock_mono_ms() + RETENTION_SOON_MS;
    if (c->retention.next_ms > soon)
        c->retention.next_ms = soon;
}

bool retry_due(const Retry *r)
{
    return retry_is_due(r, clock_mono_ms());
}

void retry_failed(Coord *c, Retry *r, int64_t least_ms, int64_t most_ms)
{
    retry_later(r, clock_mono_ms(), least_ms, most_ms);
    coord_wake_at(c, r->next_ms);
}
