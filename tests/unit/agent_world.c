/* SPDX-License-Identifier: Apache-2.0 */
#include "agent_world.h"

/* ---- inputs ----------------------------------------------------------------------------------------------
 */

void agent_world_happens(AgentWorld *w, Input *in)
{
    str_addf(&w->story, "%s %s %s", input_name(in->kind), in->owner ? in->owner : "",
             in->text ? in->text : "");
    if (in->op)
        str_addf(&w->story, " %d ends %d way %d", (int)in->op->kind, (int)in->op->end, (int)in->op->way);
    str_addf(&w->story, " [up %d sql %d io %d ours %d pid %d disk %d]", w->up, w->sql, w->io, w->ours,
             (int)w->pid, !w->t->disk_fails);
    trace_input(w->t, in);
    str_addf(&w->story, " -> %s, on disk %s\n", pause_state_name(w->t->s.durable.pause),
             agent_world_lease(w));
    agent_world_check(w);
}

Input *agent_world_input(InputKind kind, const char *owner)
{
    Input *in = NEW(Input);
    in->kind = kind;
    in->owner = xstrdup(owner);
    in->token = 1;
    return in;
}

char *agent_world_gtid(int64_t n)
{
    return xasprintf("0-1-%lld", (long long)n);
}

static ReplStatus status_of(const AgentWorld *w)
{
    return (ReplStatus){.is_replica = true,
                        .channels = 1,
                        .io = (ReplIo)w->io,
                        .sql_running = w->sql,
                        .uses_gtid = true,
                        .source_host = xstrdup("db0"),
                        .source_port = 3306,
                        .applied = agent_world_gtid(w->applied),
                        .binlog = agent_world_gtid(w->applied),
                        .received = agent_world_gtid(w->received),
                        .exec_file = xstrdup("bin.1"),
                        .exec_pos = w->applied,
                        .read_file = xstrdup("bin.1"),
                        .read_pos = w->received,
                        .relay_bytes = 1000,
                        .sql_error = xstrdup(""),
                        .read_only = true,
                        .server_id = 2};
}

static LeaseServer server_of(const AgentWorld *w)
{
    return (LeaseServer){
        .pid = w->pid, .pid_start = w->pid, .started_at = w->pid * 1000, .boot_id = xstrdup("boot")};
}

void agent_world_reads(AgentWorld *w, int64_t age_ms)
{
    Input *in = agent_world_input(IN_READING, NULL);
    Reading *r = in->reading = NEW(Reading);
    *r = (Reading){.ok = w->up,
                   .version = {.flavor = DB_MARIADB, .text = "10.11"},
                   .begun_ms = w->t->now_ms - age_ms,
                   .spool_free = 1 << 30,
                   .state_free = 1 << 30,
                   .relay_free = 1 << 30};
    if (w->up) {
        r->status = status_of(w);
        r->id = server_of(w);
    } else {
        err_set(&r->err, ERR_UNREACHABLE, 0, "down");
    }
    agent_world_happens(w, in);
}

/* ---- the server does what it is asked, or not
 * -------------------------------------------------------------- */

static bool nothing_kept(const AgentWorld *w)
{
    return w->applied >= w->received;
}

/* As op_start does: never a START of both with something in the files. */
static OpEnd start(AgentWorld *w, const OpOrder *o, StartWay *way)
{
    *way = START_NOT_NEEDED;
    bool receiver_alone = w->sql && w->io == REPL_IO_NO && o->fresh_server && !o->shut;
    if (w->sql && !receiver_alone)
        return END_OK;
    if (!w->sql && w->io == REPL_IO_NO && !nothing_kept(w)) {
        *way = START_RESCUE;
        return END_WAITING;
    }
    if (w->io == REPL_IO_NO && o->shut) {
        *way = START_SHUT;
        return END_WAITING;
    }
    *way = w->io == REPL_IO_NO ? START_BOTH : START_SQL;
    w->fenced = w->fenced && json_bool(agent_world_vote(w), "shut");
    agent_world_must(w, *way == START_SQL || !w->fenced, "a receiver is started behind a fence");
    if (o->boost)
        w->flush = 2;
    w->io = REPL_IO_YES;
    w->sql = true;
    w->ours = w->by_stop = false;
    return END_OK;
}

static OpEnd restore(AgentWorld *w)
{
    if (!w->sql && w->t->s.durable.lease.taken_over) {
        w->flush = 1;
        return END_OK;
    }
    if (!w->sql && w->io == REPL_IO_NO)
        return END_STALLED;
    w->flush = 1;
    w->sql = true; /* an earlier try may have stopped it */
    w->ours = w->by_stop = false;
    w->applied = w->received;
    return END_OK;
}

/* As op_order does: a START that is under way ends before the STOP. */
static OpEnd stop_receiver(AgentWorld *w)
{
    for (size_t i = 0; i < w->n_pending; i++)
        w->pending[i].taken_effect = w->pending[i].taken_effect || w->pending[i].op.kind == OP_START;
    w->io = REPL_IO_NO;
    return END_OK;
}

OpEnd agent_world_carries_out(AgentWorld *w, const OpOrder *o, StartWay *way)
{
    if (!w->up)
        return o->kind == OP_STOP ? END_UNKNOWN : END_FAILED;
    switch (o->kind) {
    case OP_STOP:
        w->by_stop = w->by_stop || w->sql;
        w->ours = w->ours || w->sql;
        w->sql = false;
        return END_OK;
    case OP_ALIGN:
        w->applied = w->applied < w->received ? w->applied + 1 : w->applied;
        return END_OK;
    case OP_START:
        return start(w, o, way);
    case OP_RETUNE:
        if (w->io != REPL_IO_YES)
            return END_WAITING;
        w->flush = 2;
        w->sql = true;
        return END_OK;
    case OP_RESTORE:
        return restore(w);
    case OP_VERIFY:
        return w->sql ? END_MOVED : END_OK;
    case OP_SURVEY:
    case OP_DURABLE:
    case OP_ORDER:
        return stop_receiver(w);
    case OP_ROLE:
    case OP_KINDS:
        break;
    }
    return END_OK;
}

static void report(AgentWorld *w, const Pending *p, OpEnd end, StartWay way)
{
    ReplStatus status = status_of(w);
    LeaseServer server = server_of(w);
    LeaseSettings own = {.sync_binlog = (char *)"1",
                         .flush_log = (char *)"1",
                         .workers = (char *)"0",
                         .parallel_mode = (char *)"optimistic"};
    WireList findings = {0};
    AUTOFREE char *from = agent_world_gtid(w->applied), *held = agent_world_gtid(w->received);
    Input *in = agent_world_input(IN_OP, NULL);
    in->op = NEW(OpReport);
    *in->op = (OpReport){.kind = p->op.kind,
                         .id = p->op.id,
                         .end = end,
                         .run = p->op.run,
                         .flavor = DB_MARIADB,
                         .status = &status,
                         .server = &server,
                         .settings = &own,
                         .findings = &findings,
                         .way = way,
                         .from = from,
                         .held_gtid = held,
                         .backlog = w->received - w->applied,
                         .open = p->op.open};
    if (end != END_OK)
        err_set(&in->op->err, ERR_DB, 0, "not done");
    agent_world_happens(w, in);
    repl_status_done(&status);
    wire_free(lease_server_fields, &server);
}

void agent_world_drop(Pending *p)
{
    free(p->op.run);
    free(p->op.gtid);
    *p = (Pending){0};
}

Pending agent_world_take(AgentWorld *w, size_t i)
{
    Pending p = w->pending[i];
    memmove(&w->pending[i], &w->pending[i + 1], (w->n_pending - i - 1) * sizeof p);
    w->n_pending--;
    return p;
}

void agent_world_answers(AgentWorld *w, bool badly)
{
    if (!w->n_pending)
        return;
    Pending p = agent_world_take(w, agent_world_below(w, w->n_pending));
    StartWay way = START_NOT_NEEDED;
    OpEnd end = END_FAILED;
    if ((!badly || agent_world_one_in(w, 2)) && !p.taken_effect)
        end = agent_world_carries_out(w, &p.op, &way);
    if (badly)
        end = agent_world_one_in(w, 4)                             ? END_BUSY
              : p.op.kind == OP_SURVEY || agent_world_one_in(w, 2) ? END_FAILED
                                                                   : END_UNKNOWN;
    report(w, &p, end, way);
    if (agent_world_one_in(w, 10))
        report(w, &p, END_OK, way); /* once more, and wrong */
    agent_world_drop(&p);
}
