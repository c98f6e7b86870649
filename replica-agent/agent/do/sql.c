/* SPDX-License-Identifier: Apache-2.0
 * Operations on the server, carried out in workers: an order becomes a step with copies of all it needs, its
 * end an input.
 */
#include "common/base/log.h"
#include "replica-agent/agent/agent.h"
#include "steps.h"

static const StepKind kinds[OP_KINDS] = {
    [OP_SURVEY] = STEP_SURVEY,   [OP_STOP] = STEP_STOP,       [OP_ALIGN] = STEP_ALIGN,
    [OP_VERIFY] = STEP_VERIFY,   [OP_START] = STEP_START,     [OP_RETUNE] = STEP_RETUNE,
    [OP_DURABLE] = STEP_DURABLE, [OP_RESTORE] = STEP_RESTORE, [OP_ROLE] = STEP_ROLE,
};

static const OpEnd ends[] = {
    [STEP_OK] = END_OK,           [STEP_FAILED] = END_FAILED,   [STEP_UNKNOWN] = END_UNKNOWN,
    [STEP_WAITING] = END_WAITING, [STEP_STALLED] = END_STALLED, [STEP_MOVED] = END_MOVED,
};

/* The connection kept since the freeze is looked at by what stops and what verifies. */
static bool uses_held(OpKind k)
{
    return k == OP_STOP || k == OP_VERIFY;
}

typedef struct Sent {
    OpKind kind;
    uint64_t id;
    char *run;
    bool open;
} Sent;

void sql_release(Input *in)
{
    step_free(STEAL(in->keep));
}

static void sent_free(Sent *s)
{
    free(s->run);
    free(s);
}

static Input *input_of(Step *s, const Sent *sent)
{
    Input *in = queue_input(IN_OP, NULL);
    OpReport *op = in->op = NEW(OpReport);
    *op = (OpReport){.kind = sent->kind,
                     .id = sent->id,
                     .end = ends[s->result],
                     .err = s->err,
                     .run = s->run,
                     .flavor = s->version.flavor,
                     .status = &s->status,
                     .server = &s->server,
                     .settings = &s->settings,
                     .findings = &s->findings,
                     .way = s->way,
                     .from = s->from,
                     .held_gtid = s->held_gtid,
                     .backlog = s->backlog,
                     .open = sent->open};
    in->keep = s;
    return in;
}

static void on_done(Agent *a, Step *s)
{
    Sent *sent = s->arg;
    vault_learn(a, &s->place);
    if (uses_held(sent->kind)) {
        sql_drop_held(a);
        a->held = STEAL(s->held);
    }
    if (!a->stopping)
        queue_post(a, input_of(step_keep(s), sent));
    sent_free(sent);
}

static void fill(Agent *a, Step *s, OpOrder *o)
{
    wire_copy(lease_fields, &s->lease, &a->s.durable.lease);
    s->run = xstrdup(o->run);
    s->gtid = STEAL(o->gtid);
    s->file = STEAL(o->file);
    s->pos = o->pos;
    s->thorough = o->thorough;
    s->first = o->first;
    s->sync_relay = a->s.known.rules.sync_relay_log;
    s->fresh_server = o->fresh_server;
    s->may_end_rescue = o->may_end_rescue;
    s->boost = o->boost;
    s->open = o->open;
    s->boosted = o->boosted;
    o->boosted = (LeaseSettings){0};
    s->facts.allow_downstream = s->facts.allow_downstream || o->allow_downstream;
    s->facts.allow_delayed = s->facts.allow_delayed || o->allow_delayed;
    if (uses_held(o->kind))
        s->held = STEAL(a->held);
}

static void busy(Agent *a, const Sent *sent, const Err *err)
{
    Input *in = queue_input(IN_OP, NULL);
    in->op = NEW(OpReport);
    *in->op = (OpReport){.kind = sent->kind, .id = sent->id, .end = END_BUSY, .err = *err};
    in->op->run = in->owner = xstrdup(sent->run);
    log_warn("%s", err->text);
    queue_post(a, in);
}

void sql_begin(Agent *a, OpOrder *o)
{
    Err err;
    Step *s = step_new(a, kinds[o->kind], on_done);
    Sent *sent = NEW(Sent);
    *sent = (Sent){o->kind, o->id, xstrdup(o->run), o->open};
    fill(a, s, o);
    s->arg = sent;
    s->order = o->id;
    if (step_submit(s, &err))
        return;
    busy(a, sent, &err);
    sent_free(sent);
}

void sql_cancel(uint64_t order)
{
    step_cancel(order);
}

void sql_drop_held(Agent *a)
{
    if (a->held)
        db_close(STEAL(a->held));
}
