/* SPDX-License-Identifier: Apache-2.0
 * A run on several replicas: the list of its work, held here where this is the first of them, and the results
 * of the others, gathered into its own once all are sealed.
 */
#include "api_impl.h"
#include "common/base/log.h"
#include "common/file/fs.h"
#include "replica-agent/agent/agent.h"
#include "replica-agent/agent/do/split_list.h"

/* ---- the list ------------------------------------------------------------------------------------- */

static bool holds_list(const AgentRunner *r)
{
    return r->j.run.spec.shards > 1 && r->j.run.spec.shard == 0;
}

typedef struct RunSplit {
    char *run;
    SplitList *list;
    struct RunSplit *next;
} RunSplit;

static SplitList *find(const Agent *a, const char *run)
{
    RunSplit *s = a->splits;
    while (s && !str_eq(s->run, run))
        s = s->next;
    return s ? s->list : NULL;
}

static bool open_list(Agent *a, const AgentRunner *r, Err *err)
{
    SplitList *list = NULL;
    AUTOFREE char *dir = run_dir(a, run_id(r));
    if (find(a, run_id(r)))
        return true;
    if (!fs_mkdirs(dir, 0700, err) || !split_list_open(dir, (size_t)r->j.run.spec.shards, &list, err))
        return false;
    RunSplit *s = NEW(RunSplit);
    *s = (RunSplit){xstrdup(run_id(r)), list, a->splits};
    a->splits = s;
    return true;
}

/* What others see of it. */
static void tell(Agent *a, const AgentRunner *r)
{
    const SplitList *list = find(a, run_id(r));
    StrList lost = STRLIST_INIT;
    split_list_lost(list, &lost);
    if (r->j.run.split == split_list_is_joined(list) && r->j.run.lost.n == lost.n) {
        strlist_done(&lost);
        return;
    }
    Input *in = queue_input(IN_SPLIT, run_id(r));
    in->flag = split_list_is_joined(list);
    in->lost = NEW(StrList);
    *in->lost = lost;
    queue_post(a, in);
}

/* The others may be told to go a moment before this one, and hear of the end after it. */
static bool may_ask(Agent *a, AgentRunner *r, Err *err)
{
    if (!holds_list(r))
        return err_set(err, ERR_USAGE, 0, "run %.*s is not split, or %s is not its first replica",
                       RUN_TEXT(run_id(r)), a->conf.node);
    bool works = r->state >= RUN_FROZEN && r->state <= RUN_SLEEPING;
    if ((works || r->j.run.split) && !open_list(a, r, err))
        return false;
    const SplitList *list = find(a, run_id(r));
    if (works || (list && split_list_is_ended(list)))
        return true;
    return err_set(err, ERR_CONFLICT, 0, "run %.*s is %s on %s, no work is given out", RUN_TEXT(run_id(r)),
                   run_state_wire(r->state), a->conf.node);
}

void api_post_split(HttpRequest *req, void *context)
{
    Agent *a = context;
    Err err;
    json_t *body, *answer = NULL;
    AgentRunner *r = api_run_of(req, a);
    if (!r)
        return;
    bool ok = http_body(req, &body, &err) && may_ask(a, r, &err) &&
              split_list_do(find(a, run_id(r)), body, &answer, &err);
    if (ok)
        http_reply_json(req, 200, answer);
    else
        http_reply_error(req, &err);
    if (find(a, run_id(r)))
        tell(a, r);
}

static void tick(Agent *a, const AgentRunner *r)
{
    Err err;
    bool works = r->state == RUN_RUNNING || r->state == RUN_SLEEPING;
    if (!works || !holds_list(r) || !r->j.run.split)
        return;
    if (!open_list(a, r, &err)) {
        log_error("run %.*s: %s", RUN_TEXT(run_id(r)), err.text);
        return;
    }
    split_list_tick(find(a, run_id(r)), a->conf.split_silence_ms);
    tell(a, r);
}

bool split_is_undone(Agent *a, const AgentRunner *r)
{
    Err err;
    if (!holds_list(r) || !r->j.run.split)
        return false;
    if (open_list(a, r, &err))
        return !split_list_is_ended(find(a, run_id(r)));
    log_error("run %.*s: %s", RUN_TEXT(run_id(r)), err.text);
    return true;
}

static void close_list(RunSplit **at)
{
    RunSplit *s = *at;
    *at = s->next;
    split_list_free(s->list);
    free(s->run);
    free(s);
}

void splits_tick(Agent *a)
{
    for (size_t i = 0; i < a->s.n_runs; i++)
        tick(a, a->s.runs[i]);
    for (RunSplit **p = &a->splits; *p;) {
        if (run_find(&a->s, (*p)->run))
            p = &(*p)->next;
        else
            close_list(p);
    }
}

void splits_close(Agent *a)
{
    while (a->splits)
        close_list(&a->splits);
}

/* ---- gathering ------------------------------------------------------------------------------------ */

void api_post_gather(HttpRequest *req, void *context)
{
    Agent *a = context;
    Err err;
    json_t *body;
    GatherOrder order = {0};
    if (!api_run_of(req, a))
        return;
    bool ok = api_body_term(req, a, &body, &err) && wire_read_asked(gather_order_fields, body, &order, &err);
    for (size_t i = 0; ok && i < order.sources.n; i++)
        ok = api_settle_source(a, (RunSource *)order.sources.v + i, &err);
    if (!ok) {
        wire_free(gather_order_fields, &order);
        http_reply_error(req, &err);
        return;
    }
    Input *in = api_request(req, a, IN_GATHER);
    in->gather = NEW(GatherOrder);
    *in->gather = order;
    queue_post(a, in);
}
