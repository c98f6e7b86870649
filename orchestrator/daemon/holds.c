/* SPDX-License-Identifier: Apache-2.0 */
#include "holds.h"

#include <inttypes.h>
#include <stdio.h>

#include "agents.h"
#include "common/base/clock.h"
#include "common/file/json.h"
#include "common/net/httpc.h"
#include "events.h"
#include "orchestrator/core/hold_plan.h"

enum { CALL_TIMEOUT_MS = 10000, RETRY_LEAST_MS = 1000, RETRY_MOST_MS = 30000 };

static const json_t *held_for(const AgentLink *primary, const char *node)
{
    const json_t *list = json_object_get(primary->node.agent.purge, "holds");
    for (size_t i = 0; i < json_array_size(list); i++)
        if (str_eq(json_str(json_array_get(list, i), "owner"), node))
            return json_array_get(list, i);
    return NULL;
}

static void answered(CallRef *ref, bool ok, json_t *body, const Err *err)
{
    (void)body;
    AgentLink *a = state_agent(ref->c, ref->node);
    if (!a)
        return;
    a->hold.busy = false;
    /* The primary's state shows the effect; until then it is asked again. */
    retry_failed(ref->c, &a->hold.retry, RETRY_LEAST_MS, RETRY_MOST_MS);
    if (ok)
        a->hold.told = false;
    else if (err->kind != ERR_CANCELLED && !a->hold.told) {
        events_add(ref->c, "warn", "purge", 0, NULL, ref->node,
                   "the primary's binary logs cannot be held back for %s: %s", ref->node, err->text);
        a->hold.told = true;
    }
}

static void ask(AgentLink *a, AgentLink *primary, const HoldWish *w)
{
    CallRef ref = {.done = answered};
    snprintf(ref.node, sizeof ref.node, "%s", a->name);
    a->hold.busy = true;
    if (w->ask) {
        AUTOJSON json_t *body = json_object();
        json_set_str(body, "owner", a->name);
        json_set_int(body, "keep_s", w->keep_s);
        json_set_int(body, "for_s", w->for_s);
        json_set_int(body, "term", a->c->journal.term);
        agents_call(primary, "POST", "/v1/purge-hold", body, CALL_TIMEOUT_MS, &ref);
        return;
    }
    AUTO(str_done) Str path = STR_INIT;
    str_adds(&path, "/v1/purge-hold/");
    httpc_encode(&path, a->name);
    str_addf(&path, "?term=%" PRId64, a->c->journal.term);
    agents_call(primary, "DELETE", path.p, NULL, CALL_TIMEOUT_MS, &ref);
}

void holds_step(Coord *c)
{
    AgentLink *primary = state_primary_agent(c);
    if (!primary || !primary->fresh || c->fenced)
        return;
    for (size_t i = 0; i < c->n_agents; i++) {
        AgentLink *a = c->agents[i];
        if (a == primary || !a->node.agent.node)
            continue;
        HoldWish w = hold_plan(&a->node, a->fresh, held_for(primary, a->name), clock_wall_ms());
        if (!w.ask && !w.release)
            retry_reset(&a->hold.retry);
        else if (!a->hold.busy && retry_due(&a->hold.retry))
            ask(a, primary, &w);
    }
}
