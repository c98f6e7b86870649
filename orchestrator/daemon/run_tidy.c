/* SPDX-License-Identifier: Apache-2.0 */
#include "run_tidy.h"

#include <inttypes.h>
#include <stdio.h>

#include "agents.h"
#include "common/base/log.h"
#include "common/file/json.h"
#include "orchestrator/core/run_view.h"
#include "run_calls.h"
#include "task_queue.h"

static void forgotten(CallRef *ref, bool ok, json_t *body, const Err *err)
{
    (void)body;
    if (!ok && err->kind != ERR_CANCELLED && err->kind != ERR_NOT_FOUND)
        log_info("run %s: %s does not forget it yet: %s", ref->run, ref->node, err->text);
}

/* Given up here while its agent had taken it after all: the answer to the call was lost. */
static void end_orphan(Coord *c, AgentLink *a, const AgentRun *ar)
{
    if (ar->outcome)
        return;
    CallRef ref = {.done = forgotten};
    snprintf(ref.run, sizeof ref.run, "%s", ar->spec.run);
    snprintf(ref.node, sizeof ref.node, "%s", a->name);
    AUTOFREE char *path = xasprintf("/v1/runs/%s/request", ref.run);
    AUTOJSON json_t *body = json_object();
    json_set_str(body, "action", wire_enum_name(&task_action_names, ACTION_KILL));
    json_set_str(body, "by", "siding: it was given up");
    json_set_int(body, "term", c->journal.term);
    log_warn("run %s: %s still runs it, though it has ended here: it is killed", ref.run, a->name);
    strlist_add(&a->forgetting, ref.run);
    agents_call(a, "POST", path, body, RUN_CALL_TIMEOUT_MS, &ref);
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
    if (!e) {
        queue_look_up(c, task);
        return;
    }
    const Run *runs = e->t.runs.v;
    for (size_t i = 0; entry_is_saved(e) && i < e->t.runs.n; i++) {
        if (!str_eq(runs[i].id, ar->spec.run) || !coord_run_is_final(runs[i].state))
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
        agents_call(a, "DELETE", path, NULL, RUN_CALL_TIMEOUT_MS, &ref);
    }
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
