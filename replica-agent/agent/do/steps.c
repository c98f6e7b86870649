/* SPDX-License-Identifier: Apache-2.0 */
#include "steps.h"

#include <string.h>

#include "common/base/clock.h"
#include "common/db/servercheck.h"
#include "replica-agent/agent/agent.h"
#include "replica-agent/server/op_align.h"
#include "replica-agent/server/op_durable.h"
#include "replica-agent/server/op_restore.h"
#include "replica-agent/server/op_retune.h"
#include "replica-agent/server/op_role.h"
#include "replica-agent/server/op_start.h"
#include "replica-agent/server/op_stop.h"
#include "replica-agent/server/op_survey.h"
#include "replica-agent/server/op_verify.h"

/* Each op's In borrows from the step, which keeps what it owns; its Out is moved into the step. */

static OpServer at(const Step *s, int64_t statement_ms)
{
    return (OpServer){s->target, statement_ms};
}

#define MOVE(to, from)                                                                                       \
    do {                                                                                                     \
        (to) = (from);                                                                                       \
        memset(&(from), 0, sizeof(from));                                                                    \
    } while (0)

static void take_seen(Step *s, ServerSeen *seen)
{
    s->version = seen->version;
    MOVE(s->status, seen->status);
    MOVE(s->server, seen->server);
}

static void survey(Step *s)
{
    SurveyIn in = {.at = at(s, s->statement_ms),
                   .rescuer = s->rescuer,
                   .has_rescuer = s->has_rescuer,
                   .vault_folder = s->vault_folder,
                   .thorough = s->thorough,
                   .known = s->facts};
    SurveyOut out = {0};
    op_survey(&in, &s->cancel, &out);
    s->result = (StepResult)out.result;
    s->err = out.err;
    take_seen(s, &out.seen);
    MOVE(s->settings, out.settings);
    MOVE(s->place, out.place);
    MOVE(s->findings, out.findings);
    jobproof_run(&s->proof, s->status.is_replica, &s->findings);
    survey_out_done(&out);
}

static void stop(Step *s)
{
    StopIn in = {.at = at(s, s->statement_ms),
                 .timeout_ms = s->timeout_ms,
                 .first = s->first,
                 .sync_relay = s->sync_relay,
                 .hold = !s->held,
                 .vault_folder = s->vault_folder};
    StopOut out = {0};
    op_stop(&in, &s->cancel, &out);
    s->result = (StepResult)out.result;
    s->err = out.err;
    take_seen(s, &out.seen);
    MOVE(s->place, out.place);
    if (in.hold)
        s->held = STEAL(out.held);
    stop_out_done(&out);
}

static void align(Step *s)
{
    AlignIn in = {.at = at(s, s->statement_ms),
                  .timeout_ms = s->timeout_ms,
                  .gtid = s->gtid,
                  .source_file = s->file,
                  .source_pos = s->pos};
    AlignOut out = {0};
    op_align(&in, &s->cancel, &out);
    s->result = (StepResult)out.result;
    s->err = out.err;
    take_seen(s, &out.seen);
}

static void verify(Step *s)
{
    const Lease *l = &s->lease;
    VerifyIn in = {.at = at(s, s->statement_ms),
                   .gtid = l->gtid,
                   .binlog_gtid = l->binlog_gtid,
                   .source_host = l->source_host,
                   .source_port = l->source_port,
                   .server = l->server,
                   .held = s->held};
    VerifyOut out = {0};
    op_verify(&in, &s->cancel, &out);
    s->result = (StepResult)out.result;
    s->err = out.err;
    take_seen(s, &out.seen);
}

static void start(Step *s)
{
    StartIn in = {.at = at(s, s->statement_ms),
                  .rescuer = s->rescuer,
                  .timeout_ms = s->timeout_ms,
                  .vault_folder = s->vault_folder,
                  .fresh_server = s->fresh_server,
                  .may_end_rescue = s->may_end_rescue,
                  .stalled = s->lease.stalled,
                  .crashed = lease_crashed_boosted(&s->lease, clock_boot_id()),
                  .original = s->lease.original,
                  .boost = s->boost,
                  .boosted = s->boosted};
    StartOut out = {0};
    op_start(&in, &s->cancel, &out);
    s->result = (StepResult)out.result;
    s->err = out.err;
    s->way = out.way;
    take_seen(s, &out.seen);
    MOVE(s->place, out.place);
    MOVE(s->from, out.from);
    MOVE(s->held_gtid, out.held_gtid);
    MOVE(s->errant, out.errant);
    s->backlog = out.backlog;
}

static void retune(Step *s)
{
    RetuneIn in = {.at = at(s, s->timeout_ms), .boosted = s->boosted};
    RetuneOut out = {0};
    op_retune(&in, &s->cancel, &out);
    s->result = (StepResult)out.result;
    s->err = out.err;
    take_seen(s, &out.seen);
}

static void durable(Step *s)
{
    DurableIn in = {.at = at(s, s->timeout_ms),
                    .sync_binlog = s->lease.original.sync_binlog,
                    .flush_log = s->lease.original.flush_log,
                    .vault_folder = s->vault_folder};
    DurableOut out = {0};
    op_durable(&in, &s->cancel, &out);
    s->result = (StepResult)out.result;
    s->err = out.err;
    MOVE(s->place, out.place);
}

static void restore(Step *s)
{
    RestoreIn in = {.at = at(s, s->timeout_ms),
                    .vault_folder = s->vault_folder,
                    .original = s->lease.original,
                    .taken_over = s->lease.taken_over,
                    .boosted = s->lease.boosted};
    RestoreOut out = {0};
    op_restore(&in, &s->cancel, &out);
    s->result = (StepResult)out.result;
    s->err = out.err;
    take_seen(s, &out.seen);
    MOVE(s->place, out.place);
}

static void set_role(Step *s)
{
    RoleIn in = {.at = at(s, s->statement_ms), .open = s->open};
    RoleOut out = {0};
    op_role(&in, &s->cancel, &out);
    s->result = (StepResult)out.result;
    s->err = out.err;
    take_seen(s, &out.seen);
}

/* ---- pool ----------------------------------------------------------------------------------------- */

static void (*const work[])(Step *s) = {
    [STEP_SURVEY] = survey,   [STEP_STOP] = stop,       [STEP_ALIGN] = align,
    [STEP_VERIFY] = verify,   [STEP_START] = start,     [STEP_RETUNE] = retune,
    [STEP_DURABLE] = durable, [STEP_RESTORE] = restore, [STEP_ROLE] = set_role,
};

static Step *in_flight; /* the loop's thread alone */

static void in_worker(void *arg)
{
    Step *s = arg;
    work[s->kind](s);
}

static void forget(const Step *s)
{
    for (Step **p = &in_flight; *p; p = &(*p)->next)
        if (*p == s) {
            *p = s->next;
            return;
        }
}

static void in_loop(void *arg)
{
    Step *s = arg;
    forget(s);
    s->done(s->agent, s);
    if (!s->taken)
        step_free(s);
    else
        s->taken = false;
}

void step_cancel(uint64_t order)
{
    for (Step *s = in_flight; s; s = s->next)
        if (order && s->order == order)
            cancel_ask(&s->cancel);
}

void step_cancel_all(void)
{
    for (Step *s = in_flight; s; s = s->next)
        cancel_ask(&s->cancel);
}

Step *step_new(struct Agent *a, StepKind kind, void (*done)(struct Agent *, Step *))
{
    static uint64_t ids;
    Step *s = NEW(Step);
    s->kind = kind;
    s->id = ++ids;
    s->agent = a;
    s->done = done;
    DbTarget t = agent_config_target(&a->conf), rescuer = agent_config_rescue_target(&a->conf);
    db_target_copy(&s->target, &t);
    db_target_copy(&s->rescuer, &rescuer);
    s->has_rescuer = a->conf.server.rescue_defaults_file != NULL;
    if (kind == STEP_SURVEY)
        facts_own(a, &s->facts);
    s->vault_folder = xstrdup(a->conf.server.vault_dir);
    s->statement_ms = a->conf.statement_timeout_ms;
    s->timeout_ms = a->conf.stop_timeout_ms;
    return s;
}

bool step_submit(Step *s, Err *err)
{
    if (work_submit(s->agent->work, (WorkJob){in_worker, in_loop, s}, err)) {
        s->next = in_flight;
        in_flight = s;
        return true;
    }
    step_free(s);
    return false;
}

Step *step_keep(Step *s)
{
    s->taken = true;
    return s;
}

void step_free(Step *s)
{
    if (!s)
        return;
    if (s->held)
        db_close(s->held);
    db_target_done(&s->target);
    db_target_done(&s->rescuer);
    wire_free(lease_fields, &s->lease);
    wire_free(lease_settings_fields, &s->boosted);
    wire_free(lease_settings_fields, &s->settings);
    wire_free(lease_server_fields, &s->server);
    repl_status_done(&s->status);
    servercheck_free(&s->findings);
    preflight_facts_done(&s->facts);
    jobproof_done(&s->proof);
    wire_free(vault_place_fields, &s->place);
    free(s->vault_folder);
    free(s->errant);
    free(s->held_gtid);
    free(s->from);
    free(s->gtid);
    free(s->file);
    free(s->run);
    free(s);
}
