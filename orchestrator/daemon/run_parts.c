/* SPDX-License-Identifier: Apache-2.0 */
#include "run_parts.h"

#include "common/file/json.h"
#include "events.h"
#include "run_calls.h"
#include "runs.h"

json_t *run_detail(Run *r)
{
    if (!json_is_object(r->detail)) {
        json_decref(r->detail);
        r->detail = json_object();
    }
    return r->detail;
}

bool run_detail_note(Entry *e, Run *r, const char *key, const char *text)
{
    json_t *list = json_object_get(run_detail(r), key);
    if (!json_is_array(list))
        json_object_set_new(r->detail, key, list = json_array());
    if (json_has_str(list, text))
        return false;
    json_array_append_new(list, json_string(text));
    entry_touch(e);
    return true;
}

/* What the first part's agent has given to the others ends there, if it still runs. */
void run_end_lost(Coord *c, Entry *e, const AgentRun *const *seen)
{
    Run *r = entry_run(e);
    for (size_t i = 1; i < e->n_parts; i++) {
        if (!run_part_is_lost(seen, i))
            continue;
        if (seen[i] && !run_part_is_over(seen[i]) && !seen[i]->outcome)
            run_ask(c, e, &e->parts[i], ACTION_KILL, "siding: its part was given to the others");
        if (!run_detail_note(e, r, "lost", e->parts[i].node))
            continue;
        events_add(c, "warn", "run", e->t.id, r->id, e->parts[i].node,
                   "%s was lost to the run%s%s: its part of the "
                   "work is done by the others",
                   e->parts[i].node, seen[i] && seen[i]->error ? ", " : "",
                   seen[i] && seen[i]->error ? seen[i]->error : "");
    }
}

/* Several replicas, one result. True: it is one. */
bool run_is_gathered(Coord *c, Entry *e, const AgentRun *const *seen)
{
    Run *r = entry_run(e);
    if (e->n_parts < 2 || json_bool(r->detail, "gathered"))
        return true;
    if (!seen[0])
        return false;
    if (seen[0]->gather_error && seen[0]->state != ARUN_GATHERING) {
        AUTOFREE char *text = xasprintf("%s: the results of the other replicas could not be brought here: %s",
                                        e->parts[0].node, seen[0]->gather_error);
        state_set_text(&r->error, text);
        runs_event(c, e, CRUN_EV_FAILED, text);
        return false;
    }
    if (!seen[0]->gathered) {
        run_gather_parts(c, e, seen);
        return false;
    }
    json_object_set_new(run_detail(r), "gathered", json_true());
    entry_touch(e);
    return true;
}

void run_leave_behind(const Coord *c, const Entry *e, const AgentRun **seen)
{
    if (e->n_parts < 2 || !seen[0] || !json_bool(entry_run(e)->detail, "gathered"))
        return;
    for (size_t i = 1; i < e->n_parts; i++) {
        const Agent *a = state_agent(c, e->parts[i].node);
        if (!a || !a->fresh)
            seen[i] = seen[0];
    }
}
