/* SPDX-License-Identifier: Apache-2.0 */
#include "operation.h"

#include "replica-agent/agent/agent.h"

/* ---- one row a kind ----------------------------------------------------------------------------------- */

#define OPERATION_KIND(name)                                                                                 \
    static void name##_run(Operation *o)                                                                     \
    {                                                                                                        \
        op_##name(&o->in.name, &o->cancel, &o->out.name);                                                    \
    }                                                                                                        \
    static void name##_drop(Operation *o)                                                                    \
    {                                                                                                        \
        name##_in_done(&o->in.name);                                                                         \
        name##_out_done(&o->out.name);                                                                       \
    }

OPERATION_KIND(stop)
OPERATION_KIND(align)
OPERATION_KIND(verify)
OPERATION_KIND(start)
OPERATION_KIND(retune)
OPERATION_KIND(durable)
OPERATION_KIND(restore)
OPERATION_KIND(role)
OPERATION_KIND(order)

static void survey_run(Operation *o)
{
    SurveyOut *out = &o->out.survey;
    op_survey(&o->in.survey, &o->cancel, out);
    jobproof_run(&o->jobs, out->seen.status.is_replica, &out->findings);
}

static void survey_drop(Operation *o)
{
    survey_in_done(&o->in.survey);
    survey_out_done(&o->out.survey);
    jobproof_done(&o->jobs);
}

static const struct {
    void (*run)(Operation *o); /* in a worker */
    void (*drop)(Operation *o);
} kinds[OP_KINDS] = {
    [OP_SURVEY] = {survey_run, survey_drop},    [OP_STOP] = {stop_run, stop_drop},
    [OP_ALIGN] = {align_run, align_drop},       [OP_VERIFY] = {verify_run, verify_drop},
    [OP_START] = {start_run, start_drop},       [OP_RETUNE] = {retune_run, retune_drop},
    [OP_DURABLE] = {durable_run, durable_drop}, [OP_RESTORE] = {restore_run, restore_drop},
    [OP_ROLE] = {role_run, role_drop},          [OP_ORDER] = {order_run, order_drop},
};

/* ---- making one ---------------------------------------------------------------------------------------- */

Operation *operation_new(struct Agent *a, OpKind kind, void (*done)(struct Agent *, Operation *))
{
    Operation *o = NEW(Operation);
    o->kind = kind;
    o->agent = a;
    o->done = done;
    return o;
}

void operation_free(Operation *o)
{
    if (!o)
        return;
    kinds[o->kind].drop(o);
    free(o);
}

OpServer operation_server(const struct Agent *a, int64_t ms)
{
    OpServer s = {.statement_ms = ms};
    DbTarget t = agent_config_target(&a->conf);
    db_target_copy(&s.target, &t);
    return s;
}

void operation_survey_in(const struct Agent *a, bool thorough, SurveyIn *ret)
{
    DbTarget rescuer = agent_config_rescue_target(&a->conf);
    *ret = (SurveyIn){.at = operation_server(a, a->conf.statement_timeout_ms),
                      .has_rescuer = a->conf.server.rescue_defaults_file != NULL,
                      .node = xstrdup(a->conf.node),
                      .vault_folder = xstrdup(a->conf.server.vault_dir),
                      .thorough = thorough};
    db_target_copy(&ret->rescuer, &rescuer);
    facts_own(a, &ret->known);
}

Operation *operation_survey(struct Agent *a, const char *job, void (*done)(struct Agent *, Operation *))
{
    Operation *o = operation_new(a, OP_SURVEY, done);
    operation_survey_in(a, true, &o->in.survey);
    jobproof_of(a, job, &o->jobs);
    return o;
}

/* ---- pool ---------------------------------------------------------------------------------------------- */

static Operation *in_flight; /* the loop's thread alone */

static void in_worker(void *arg)
{
    Operation *o = arg;
    kinds[o->kind].run(o);
}

static void forget(const Operation *o)
{
    for (Operation **p = &in_flight; *p; p = &(*p)->next)
        if (*p == o) {
            *p = o->next;
            return;
        }
}

static void in_loop(void *arg)
{
    Operation *o = arg;
    forget(o);
    o->done(o->agent, o);
    if (!o->kept)
        operation_free(o);
    else
        o->kept = false;
}

/* A look that somebody asked for, not the core: it must not hold up a resume. */
static bool is_a_look(const Operation *o)
{
    return o->kind == OP_SURVEY && !o->order;
}

bool operation_submit(Operation *o, Err *err)
{
    if (!work_submit(o->agent->work, (WorkJob){in_worker, in_loop, o, .waits = is_a_look(o)}, err))
        return false;
    o->next = in_flight;
    in_flight = o;
    return true;
}

Operation *operation_keep(Operation *o)
{
    o->kept = true;
    return o;
}

void operation_cancel(uint64_t order)
{
    for (Operation *o = in_flight; o; o = o->next)
        if (order && o->order == order)
            cancel_ask(&o->cancel);
}

void operation_cancel_all(void)
{
    for (Operation *o = in_flight; o; o = o->next)
        cancel_ask(&o->cancel);
}
