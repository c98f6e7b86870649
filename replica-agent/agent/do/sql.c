/* SPDX-License-Identifier: Apache-2.0
 * The core's orders on the server: each becomes an operation with copies of what it needs of the
 * configuration and of the lease, and its end an input.
 */
#include "common/base/clock.h"
#include "common/base/log.h"
#include "operation.h"
#include "replica-agent/agent/agent.h"
#include "watcher.h"

/* ---- an order's input -----------------------------------------------------------------------------------
 */

enum { WHOLE_MS = 5000 };

static OpServer at(const Agent *a)
{
    return operation_server(a, a->conf.statement_timeout_ms);
}

/* Where each statement may have to wait for the applier. */
static OpServer at_for_stop(const Agent *a)
{
    return operation_server(a, a->conf.stop_timeout_ms);
}

static char *vault_folder(const Agent *a)
{
    return xstrdup(a->conf.server.vault_dir);
}

static LeaseSettings originals(const Agent *a)
{
    LeaseSettings copy = {0};
    wire_copy(lease_settings_fields, &copy, &a->s.durable.lease.original);
    return copy;
}

static LeaseSettings boosted(OpOrder *from)
{
    LeaseSettings taken = from->boosted;
    from->boosted = (LeaseSettings){0};
    return taken;
}

static void survey_in(Agent *a, OpOrder *from, OperationIn *ret)
{
    operation_survey_in(a, from->thorough, &ret->survey);
    PreflightFacts *known = &ret->survey.known;
    known->allow_downstream = known->allow_downstream || from->allow_downstream;
    known->allow_delayed = known->allow_delayed || from->allow_delayed;
}

static void stop_in(Agent *a, OpOrder *from, OperationIn *ret)
{
    ret->stop = (StopIn){.at = at(a),
                         .timeout_ms = a->conf.stop_timeout_ms,
                         .first = from->first,
                         .whole_ms = from->first ? WHOLE_MS : 0,
                         .sync_relay = a->s.known.rules.sync_relay_log,
                         .hold = !a->held,
                         .vault_folder = vault_folder(a)};
}

static void align_in(Agent *a, OpOrder *from, OperationIn *ret)
{
    ret->align = (AlignIn){.at = at(a),
                           .timeout_ms = a->conf.stop_timeout_ms,
                           .gtid = STEAL(from->gtid),
                           .source_file = STEAL(from->file),
                           .source_pos = from->pos};
}

/* The held connection is lent: it comes back with the operation. */
static void verify_in(Agent *a, OpOrder *from, OperationIn *ret)
{
    const Lease *l = &a->s.durable.lease;
    (void)from;
    ret->verify = (VerifyIn){.at = at(a),
                             .gtid = xstrdup(l->gtid),
                             .binlog_gtid = xstrdup(l->binlog_gtid),
                             .source_host = xstrdup(l->source_host),
                             .source_port = l->source_port,
                             .held = STEAL(a->held)};
    wire_copy(lease_server_fields, &ret->verify.server, &l->server);
}

static void start_in(Agent *a, OpOrder *from, OperationIn *ret)
{
    const Lease *l = &a->s.durable.lease;
    DbTarget rescuer = agent_config_rescue_target(&a->conf);
    ret->start = (StartIn){.at = at(a),
                           .timeout_ms = a->conf.stop_timeout_ms,
                           .vault_folder = vault_folder(a),
                           .fresh_server = from->fresh_server,
                           .may_end_rescue = from->may_end_rescue,
                           .shut = from->shut,
                           .silent = from->silent,
                           .stalled = l->stalled,
                           .crashed = lease_crashed_boosted(l, clock_boot_id()),
                           .boosted_at = l->boosted_at,
                           .source_position = xstrdup(a->s.known.primary),
                           .account_file = xstrdup(a->conf.server.replication_defaults_file),
                           .original = originals(a),
                           .leaves_semi_sync = str_eq(a->conf.semi_sync, "leave"),
                           .boost = from->boost,
                           .boosted = boosted(from)};
    db_target_copy(&ret->start.rescuer, &rescuer);
}

static void retune_in(Agent *a, OpOrder *from, OperationIn *ret)
{
    ret->retune = (RetuneIn){.at = at_for_stop(a), .boosted = boosted(from)};
}

static void durable_in(Agent *a, OpOrder *from, OperationIn *ret)
{
    const LeaseSettings *own = &a->s.durable.lease.original;
    (void)from;
    ret->durable = (DurableIn){.at = at_for_stop(a),
                               .sync_binlog = xstrdup(own->sync_binlog),
                               .flush_log = xstrdup(own->flush_log),
                               .vault_folder = vault_folder(a)};
}

static void restore_in(Agent *a, OpOrder *from, OperationIn *ret)
{
    const Lease *l = &a->s.durable.lease;
    (void)from;
    ret->restore = (RestoreIn){.at = at_for_stop(a),
                               .vault_folder = vault_folder(a),
                               .original = l->reread ? (LeaseSettings){0} : originals(a),
                               .all_ours = l->boosted && !l->ours.flush_log,
                               .taken_over = l->taken_over,
                               .boosted = l->boosted};
    wire_copy(lease_settings_fields, &ret->restore.ours, &l->ours);
}

static void role_in(Agent *a, OpOrder *from, OperationIn *ret)
{
    ret->role = (RoleIn){.at = at(a),
                         .open = from->open,
                         .cut_off = from->cut_off,
                         .data_folder = xstrdup(a->vault.place.data_folder),
                         .acks = a->s.durable.vote.vote.accepted.acks,
                         .leaves_semi_sync = str_eq(a->conf.semi_sync, "leave")};
    wire_copy(lease_server_fields, &ret->role.server,
              a->s.known.server.ever ? &a->s.known.server.id : &a->s.durable.dealt_with);
}

static void order_in(Agent *a, OpOrder *from, OperationIn *ret)
{
    DbTarget rescuer = agent_config_rescue_target(&a->conf), reader = agent_config_job_target(&a->conf);
    ret->order = (OrderIn){.at = at_for_stop(a),
                           .act = from->act,
                           .order = from->order,
                           .receiver_alone = from->receiver_alone,
                           .delay_s = from->delay_s,
                           .leaves_semi_sync = str_eq(a->conf.semi_sync, "leave"),
                           .node = xstrdup(a->conf.node),
                           .vault_folder = vault_folder(a),
                           .account_file = xstrdup(a->conf.server.replication_defaults_file)};
    from->order = (AgentOrder){0};
    db_target_copy(&ret->order.rescuer, &rescuer);
    db_target_copy(&ret->order.reader, &reader);
    wire_copy(lease_server_fields, &ret->order.server,
              a->s.known.server.ever ? &a->s.known.server.id : &a->s.durable.dealt_with);
    wire_copy(vault_place_fields, &ret->order.place, &a->vault.place);
}

/* ---- an output's report ----------------------------------------------------------------------------------
 */

static const OpEnd ends[] = {
    [OP_DONE] = END_OK,         [OP_FAILED] = END_FAILED,   [OP_UNKNOWN] = END_UNKNOWN,
    [OP_WAITING] = END_WAITING, [OP_STALLED] = END_STALLED, [OP_MOVED] = END_MOVED,
};

static const ReplStatus no_status;
static const LeaseServer no_server;

static void report(OpReport *r, OpResult result, const Err *err, const ServerSeen *seen)
{
    r->end = ends[result];
    r->err = *err;
    r->status = seen ? &seen->status : &no_status;
    r->server = seen ? &seen->server : &no_server;
    r->flavor = seen ? seen->version.flavor : (DbFlavor)0;
}

static void survey_back(Agent *a, Operation *o, OpReport *ret)
{
    const SurveyOut *out = &o->out.survey;
    vault_learn(a, &o->out.survey.place);
    report(ret, out->result, &out->err, &out->seen);
    ret->settings = &out->settings;
    ret->findings = &out->findings;
}

static void stop_back(Agent *a, Operation *o, OpReport *ret)
{
    StopOut *out = &o->out.stop;
    vault_learn(a, &out->place);
    report(ret, out->result, &out->err, &out->seen);
    if (!out->held)
        return;
    sql_drop_held(a);
    a->held = STEAL(out->held);
}

static void align_back(Agent *a, Operation *o, OpReport *ret)
{
    (void)a;
    report(ret, o->out.align.result, &o->out.align.err, &o->out.align.seen);
}

static void take_back_held(Agent *a, Operation *o)
{
    if (o->kind != OP_VERIFY || !o->in.verify.held)
        return;
    sql_drop_held(a);
    a->held = STEAL(o->in.verify.held);
}

static void verify_back(Agent *a, Operation *o, OpReport *ret)
{
    const VerifyOut *out = &o->out.verify;
    take_back_held(a, o);
    report(ret, out->result, &out->err, &out->seen);
}

static void start_back(Agent *a, Operation *o, OpReport *ret)
{
    StartOut *out = &o->out.start;
    vault_learn(a, &out->place);
    report(ret, out->result, &out->err, &out->seen);
    ret->way = out->way;
    ret->from = out->from;
    ret->held_gtid = out->held_gtid;
    ret->backlog = out->backlog;
    ret->ended_well = out->ended_well;
}

static void retune_back(Agent *a, Operation *o, OpReport *ret)
{
    (void)a;
    report(ret, o->out.retune.result, &o->out.retune.err, &o->out.retune.seen);
}

static void durable_back(Agent *a, Operation *o, OpReport *ret)
{
    vault_learn(a, &o->out.durable.place);
    report(ret, o->out.durable.result, &o->out.durable.err, NULL);
}

static void restore_back(Agent *a, Operation *o, OpReport *ret)
{
    vault_learn(a, &o->out.restore.place);
    report(ret, o->out.restore.result, &o->out.restore.err, &o->out.restore.seen);
    ret->left = o->out.restore.left;
}

static void role_back(Agent *a, Operation *o, OpReport *ret)
{
    (void)a;
    report(ret, o->out.role.result, &o->out.role.err, &o->out.role.seen);
    ret->open = o->in.role.open;
}

static void order_back(Agent *a, Operation *o, OpReport *ret)
{
    OrderOut *out = &o->out.order;
    vault_learn(a, &out->place);
    report(ret, out->result, &out->err, &out->seen);
    ret->received = out->received;
    ret->ahead = out->ahead;
    ret->told = out->told;
    ret->closed_for_ms = out->closed_for_ms;
}

/* ---- there and back ---------------------------------------------------------------------------------------
 */

static const struct {
    void (*fill)(Agent *a, OpOrder *from, OperationIn *ret);
    void (*back)(Agent *a, Operation *o, OpReport *ret);
} kinds[OP_KINDS] = {
    [OP_SURVEY] = {survey_in, survey_back},    [OP_STOP] = {stop_in, stop_back},
    [OP_ALIGN] = {align_in, align_back},       [OP_VERIFY] = {verify_in, verify_back},
    [OP_START] = {start_in, start_back},       [OP_RETUNE] = {retune_in, retune_back},
    [OP_DURABLE] = {durable_in, durable_back}, [OP_RESTORE] = {restore_in, restore_back},
    [OP_ROLE] = {role_in, role_back},          [OP_ORDER] = {order_in, order_back},
};

void sql_release(Input *in)
{
    if (in->kind == IN_OP)
        operation_free(STEAL(in->keep));
}

/* The run that it is for is kept in `arg`, until the report has it. */
static Input *input_of(Operation *o)
{
    Input *in = queue_input(IN_OP, NULL);
    OpReport *r = in->op = NEW(OpReport);
    in->owner = STEAL(o->arg);
    *r = (OpReport){.kind = o->kind, .id = o->order, .run = in->owner};
    return in;
}

static void on_done(Agent *a, Operation *o)
{
    Input *in = input_of(o);
    kinds[o->kind].back(a, o, in->op);
    if (a->stopping) {
        input_free(in);
        return;
    }
    in->keep = operation_keep(o);
    queue_post(a, in);
}

static void busy(Agent *a, Operation *o, const Err *err)
{
    Input *in = input_of(o);
    report(in->op, OP_FAILED, err, NULL);
    in->op->end = END_BUSY;
    log_warn("%s", err->text);
    queue_post(a, in);
}

void sql_begin(Agent *a, OpOrder *order)
{
    Err err;
    Operation *o = operation_new(a, order->kind, on_done);
    o->order = order->id;
    o->arg = STEAL(order->run);
    kinds[o->kind].fill(a, order, &o->in);
    if (order->kind == OP_STOP && order->first)
        watcher_begin(a);
    if (operation_submit(o, &err))
        return;
    busy(a, o, &err);
    take_back_held(a, o);
    operation_free(o);
}

void sql_drop_held(Agent *a)
{
    if (a->held)
        db_close(STEAL(a->held));
}
