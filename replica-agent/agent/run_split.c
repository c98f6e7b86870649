/* SPDX-License-Identifier: Apache-2.0
 * A run on several replicas: the list of its work, held here where this is the first of them, and the results
 * of the others, gathered into its own once all are sealed.
 */
#include "agent.h"
#include "api_impl.h"
#include "common/base/log.h"
#include "run_impl.h"
#include "split_list.h"

/* ---- the list ------------------------------------------------------------------------------------- */

static bool holds_list(const Runner *r)
{
    return r->j.run.spec.shards > 1 && r->j.run.spec.shard == 0;
}

static bool open_list(Agent *a, Runner *r, Err *err)
{
    AUTOFREE char *dir = run_dir(a, run_id(r));
    return r->split || split_list_open(dir, (size_t)r->j.run.spec.shards, &r->split, err);
}

/* What others see of it. */
static void tell(Agent *a, Runner *r)
{
    Err err;
    AgentRun *w = &r->j.run;
    StrList lost = STRLIST_INIT;
    split_list_lost(r->split, &lost);
    bool same = w->split == split_list_is_joined(r->split) && w->lost.n == lost.n;
    w->split = split_list_is_joined(r->split);
    strlist_done(&w->lost);
    w->lost = lost;
    if (same)
        return;
    (void)!run_save(a, r, &err);
    agent_changed(a);
}

/* The others may be told to go a moment before this one, and hear of the end after it. */
static bool may_ask(Agent *a, Runner *r, Err *err)
{
    if (!holds_list(r))
        return err_set(err, ERR_USAGE, 0, "run %s is not split, or %s is not its first replica", run_id(r),
                       a->conf.node);
    bool works = r->state >= RUN_FROZEN && r->state <= RUN_SLEEPING;
    if ((works || r->j.run.split) && !open_list(a, r, err))
        return false;
    if (works || (r->split && split_list_is_ended(r->split)))
        return true;
    return err_set(err, ERR_CONFLICT, 0, "run %s is %s on %s, no work is given out", run_id(r),
                   run_state_wire(r->state), a->conf.node);
}

void api_post_split(HttpRequest *req, void *context)
{
    Agent *a = context;
    Err err;
    json_t *body, *answer = NULL;
    Runner *r = api_run_of(req, a);
    if (!r)
        return;
    bool ok =
        http_body(req, &body, &err) && may_ask(a, r, &err) && split_list_do(r->split, body, &answer, &err);
    if (ok)
        http_reply_json(req, 200, answer);
    else
        http_reply_error(req, &err);
    if (r->split)
        tell(a, r);
}

void run_split_tick(Agent *a, Runner *r)
{
    Err err;
    bool works = r->state == RUN_RUNNING || r->state == RUN_SLEEPING;
    if (!works || !holds_list(r) || !r->j.run.split)
        return;
    if (!open_list(a, r, &err)) {
        log_error("run %s: %s", run_id(r), err.text);
        return;
    }
    split_list_tick(r->split, a->conf.split_silence_ms);
    tell(a, r);
}

void run_split_close(Runner *r)
{
    split_list_free(STEAL(r->split));
}

/* ---- gathering ------------------------------------------------------------------------------------ */

static bool may_gather(const Runner *r, Err *err)
{
    if (holds_list(r) && r->state == RUN_CAUGHT_UP && r->j.run.sealed)
        return true;
    return err_set(err, ERR_CONFLICT, 0, "run %s is %s here: there is nothing to gather for", run_id(r),
                   run_state_wire(r->state));
}

/* Asked again it changes nothing. */
static bool gather(Agent *a, Runner *r, const json_t *body, Err *err)
{
    GatherOrder order = {0};
    if (r->j.run.gathered || r->state == RUN_GATHERING)
        return true;
    if (!may_gather(r, err) || !wire_read(gather_order_fields, body, &order, err))
        return false;
    wire_free(gather_order_fields, &r->j.gather);
    r->j.gather = order;
    free(STEAL(r->j.run.gather_error));
    run_event(a, r, RUN_EV_GATHER);
    return true;
}

void api_post_gather(HttpRequest *req, void *context)
{
    Agent *a = context;
    Err err;
    json_t *body;
    Runner *r = api_run_of(req, a);
    if (!r)
        return;
    if (api_body_term(req, a, &body, &err) && gather(a, r, body, &err))
        http_reply_json(req, 200, node_run_json(a, r));
    else
        http_reply_error(req, &err);
}
