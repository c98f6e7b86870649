/* SPDX-License-Identifier: Apache-2.0 */
#include "coord_state.h"

#include <inttypes.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/db/flavor.h"
#include "orchestrator/core/topology.h"

enum { KEEP_ENDED = 1000, RETENTION_SOON_MS = 2000 };

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
    free(e->seen_gtid);
    free_parts(e);
    free(e);
}

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

TaskEntry *state_adopt(Coord *c, Task *t)
{
    TaskEntry *e = state_find(c, t->id);
    if (e && (e->busy || e->run.recording || !entry_is_saved(e) || entry_is_active(e))) {
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
    return task_state_is_final(e->t.state) && e->t.state != TASK_ERROR && entry_is_saved(e) && !e->busy &&
           !entry_is_active(e);
}

void state_trim(Coord *c)
{
    size_t ended = 0;
    for (size_t i = 0; i < c->n_entries; i++)
        ended += may_go(c->entries[i]);
    if (ended <= KEEP_ENDED + KEEP_ENDED / 4)
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
    return a && flavor_from_name(a->node.agent.server.flavor, ret);
}

AgentRun *state_agent_run(const AgentLink *a, const char *run)
{
    AgentRun *runs = a->node.agent.runs.v;
    for (size_t i = 0; i < a->node.agent.runs.n; i++)
        if (str_eq(runs[i].spec.run, run))
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

char *entry_run_id(const TaskEntry *e)
{
    Run *r = entry_run(e);
    return r ? xstrdup(r->id) : NULL;
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
    e->rev++;
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
