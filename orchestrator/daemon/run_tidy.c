/* SPDX-License-Identifier: Apache-2.0 */
#include "run_tidy.h"

#include <inttypes.h>
#include <stdio.h>

#include "agents.h"
#include "common/base/log.h"
#include "common/file/json.h"
#include "events.h"
#include "orchestrator/core/run_view.h"
#include "run_calls.h"
#include "task_queue.h"

static void forgotten(CallRef *ref, bool ok, json_t *body, const Err *err)
{
    (void)body;
    if (!ok && err->kind != ERR_CANCELLED && err->kind != ERR_NOT_FOUND)
        log_info("run %.*s: %s does not forget it yet: %s", RUN_TEXT(ref->run), ref->node, err->text);
}

static void end_run(Coord *c, AgentLink *a, const AgentRun *ar, const char *why)
{
    if (ar->outcome)
        return;
    CallRef ref = {.done = forgotten};
    snprintf(ref.run, sizeof ref.run, "%s", ar->spec.run);
    snprintf(ref.node, sizeof ref.node, "%s", a->name);
    AUTOFREE char *path = xasprintf("/v1/runs/%s/request", ref.run);
    AUTOJSON json_t *body = json_object();
    json_set_str(body, "action", wire_enum_name(&task_action_names, ACTION_KILL));
    json_set_str(body, "by", why);
    json_set_int(body, "term", c->journal.term);
    log_info("run %.*s: %s still runs it: it is killed: %s", RUN_TEXT(ref.run), a->name, why);
    strlist_add(&a->forgetting, ref.run);
    agents_call(a, "POST", path, body, RUN_CALL_TIMEOUT_MS, &ref);
}

static void forget(Coord *c, AgentLink *a, const AgentRun *ar, int64_t task)
{
    CallRef ref = {.task = task, .done = forgotten};
    snprintf(ref.run, sizeof ref.run, "%s", ar->spec.run);
    snprintf(ref.node, sizeof ref.node, "%s", a->name);
    AUTOFREE char *path = xasprintf("/v1/runs/%s?term=%" PRId64, ref.run, c->journal.term);
    strlist_add(&a->forgetting, ref.run);
    agents_call(a, "DELETE", path, NULL, RUN_CALL_TIMEOUT_MS, &ref);
}

/* What the queue has lost, by a restore or with its newest transactions, belongs to nobody: what still runs
 * is ended, its journal goes. A result that it has left stays until it expires, under its own name. */
static void tidy_lost(Coord *c, AgentLink *a, const AgentRun *ar, int64_t task)
{
    if (run_part_is_over(ar)) {
        forget(c, a, ar, task);
        return;
    }
    if (!ar->outcome && !strlist_has(&a->lost, ar->spec.run)) {
        strlist_add(&a->lost, ar->spec.run);
        events_add(c, "warn", "run", task, ar->spec.run, a->name,
                   "%s runs it, and this queue does not know it (it was restored, or has lost its newest "
                   "transactions): it is ended",
                   a->name);
    }
    end_run(c, a, ar, "siding: the queue does not know it");
}

/* The newest run of a task is always among those that are read with it. */
static bool is_lost(const TaskEntry *e, const AgentRun *ar)
{
    return *runkey_incarnation(ar->spec.run) && !entry_run_named(e, ar->spec.run) && !e->run.recording;
}

/* A run of this agent whose end is on record: its journal there is no longer needed. Unknown runs are looked
 * up. */
static void tidy_run(Coord *c, AgentLink *a, const AgentRun *ar)
{
    int64_t task, no;
    if (!ar->spec.run || !wire_run_id(ar->spec.run, &task, &no) || !no ||
        strlist_has(&a->forgetting, ar->spec.run))
        return;
    TaskEntry *e = state_find(c, task);
    if (!e && queue_is_absent(c, task) && *runkey_incarnation(ar->spec.run)) {
        tidy_lost(c, a, ar, task);
        return;
    }
    if (!e) {
        queue_look_up(c, task);
        return;
    }
    if (is_lost(e, ar)) {
        tidy_lost(c, a, ar, task);
        return;
    }
    const Run *r = entry_run_named(e, ar->spec.run);
    if (!r || !entry_is_saved(e) || !coord_run_is_final(r->state))
        return;
    if (run_part_is_over(ar))
        forget(c, a, ar, task);
    else /* given up while its agent had taken it after all: the answer to the call was lost */
        end_run(c, a, ar, "siding: it was given up");
}

void run_tidy_agents(Coord *c)
{
    for (size_t i = 0; i < c->n_agents; i++) {
        AgentLink *a = c->agents[i];
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
