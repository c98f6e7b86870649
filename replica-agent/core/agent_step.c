/* SPDX-License-Identifier: Apache-2.0 */
#include "agent_step.h"

#include <string.h>

#include "common/base/clock.h"
#include "step_parts.h"

/* ---- readings --------------------------------------------------------------------------------------------
 */

/* What a peer wants to hear of at once, against what only moves on. */
static bool differs(const ServerView *v, const Reading *in)
{
    const ReplStatus *a = &v->status, *b = &in->status;
    return !v->up || a->is_replica != b->is_replica || a->io != b->io || a->sql_running != b->sql_running ||
           a->read_only != b->read_only || a->closed != b->closed ||
           !str_eq(a->source_host, b->source_host) || a->source_port != b->source_port ||
           a->sql_errno != b->sql_errno || a->io_errno != b->io_errno ||
           v->semi_sync.acks != in->semi_sync.acks ||
           v->semi_sync.acknowledges != in->semi_sync.acknowledges ||
           v->semi_sync.source_set != in->semi_sync.source_set;
}

static bool moves_on(const ServerView *v, const Reading *in)
{
    return !str_eq(v->status.applied, in->status.applied) ||
           !str_eq(v->status.received, in->status.received) || !str_eq(v->status.binlog, in->status.binlog);
}

static void take_status(Turn *t, Reading *in)
{
    ServerView *v = &t->s->known.server;
    repl_status_done(&v->status);
    wire_free(lease_server_fields, &v->id);
    v->status = in->status;
    v->id = in->id;
    in->status = (ReplStatus){0};
    in->id = (LeaseServer){0};
    wire_free(lease_settings_fields, &v->settings);
    v->settings = in->settings;
    in->settings = (LeaseSettings){0};
    v->version = in->version;
    v->semi_sync = in->semi_sync;
    free(v->log_file);
    v->log_file = STEAL(in->log_file);
    v->log_pos = in->log_pos;
    v->ever = v->up = true;
    v->begun_ms = in->begun_ms;
    v->read_at = t->wall_ms;
}

static void good_reading(Turn *t, Reading *in)
{
    ServerView *v = &t->s->known.server;
    if (!v->up)
        fx_log(t, LOG_LEVEL_INFO, "the server answers: %s, process %lld", in->version.text,
               (long long)in->id.pid);
    if (differs(v, in))
        fx_changed(t);
    else if (moves_on(v, in))
        fx_changed_slightly(t);
    if (v->ever && lease_server_compare(&v->id, &in->id) == SERVER_OTHER) {
        t->s->flight.boot.seen = false;
        t->s->flight.vote.opened_acks = 0; /* of its own it waits for as many as the decision said */
    }
    take_status(t, in);
    lag_sample(&t->s->known.lag, v->version.flavor, v->status.applied, v->status.received, in->begun_ms,
               t->now_ms);
    if (t->s->flight.boot.seen)
        pause_reading(t);
    else
        boot_seen(t);
    role_reading(t);
    run_reading(t);
    vote_reading(t);
}

static void bad_reading(Turn *t, const Reading *in)
{
    ServerView *v = &t->s->known.server;
    if (v->up || !str_eq(v->error.text, in->err.text)) {
        fx_log(t, LOG_LEVEL_WARN, "%s", in->err.text);
        fx_changed(t);
    }
    v->up = false;
    v->error = in->err;
    v->begun_ms = in->begun_ms;
}

/* A lease, a role and a server's own settings belong to one server. Whatever else answers at its address,
 * nothing of that is done there. */
static void check_identity(Turn *t, Reading *in)
{
    BoundRecord *bound = &t->s->durable.bound;
    const char *now = in->status.identity;
    if (!in->ok || !now || str_eq(bound->identity, now))
        return;
    if (!bound->identity) {
        str_put(&bound->identity, now);
        t->s->changed.bound = true;
        return;
    }
    in->ok = false;
    in->foreign = true;
    err_set(&in->err, ERR_CONFLICT, 0,
            "another server answers (%.200s) than the one that %s has worked with (%.200s): nothing is done "
            "on it. Point "
            "server in agent.conf back; or, if it has taken that one's place, stop the agent and run "
            "siding-agent --adopt",
            now, t->s->known.rules.node, bound->identity);
}

/* Without a pause: whoever stopped replication wants it to run again, and a START by hand could throw away
 * what the relay files hold. That it runs is believed only of a reading that began after the request: it may
 * have been stopped a moment ago. */
static void start_by_hand(Turn *t, bool surely)
{
    Err err;
    StartFlight *f = &t->s->flight.start;
    const ServerView *v = &t->s->known.server;
    bool stands = v->up && v->status.is_replica && (!v->status.sql_running || v->status.io == REPL_IO_NO);
    bool free_to = t->s->durable.pause == PAUSE_NONE && !t->s->flight.pause.beginning;
    if (!f->token || (!stands && !surely && v->begun_ms <= f->since_ms))
        return;
    if (stands && free_to) {
        fx_event(t, "info", "pause", NULL, "replication of %s is started by hand by %s: %s",
                 t->s->known.rules.node, *f->by ? f->by : "request", f->reason);
        fx_post(t, IN_START, NULL)->flag = true;
        fx_answer(t, f->token, NULL, NULL);
    } else {
        if (!free_to)
            (void)pause_conflict(t->s, &err); /* it began meanwhile */
        else
            err_set(&err, ERR_CONFLICT, 0, "%s is not paused by Siding, and %s", t->s->known.rules.node,
                    !v->up                  ? "its server does not answer"
                    : !v->status.is_replica ? "replicates from no other server"
                                            : "its replication runs");
        fx_answer(t, f->token, NULL, &err);
    }
    f->token = 0;
}

static void reading(Turn *t, Reading *in)
{
    Known *k = &t->s->known;
    check_identity(t, in);
    k->server.foreign = in->foreign;
    k->spool_free = in->spool_free;
    k->state_free = in->state_free;
    k->relay_free = in->relay_free;
    k->hangs = in->hangs;
    if (in->relay_dir)
        str_put(&k->relay_dir, in->relay_dir);
    if (in->ok)
        good_reading(t, in);
    else
        bad_reading(t, in);
    guard_reading(t);
    start_by_hand(t, false);
}

/* ---- the rest --------------------------------------------------------------------------------------------
 */

static void operation(Turn *t, const OpReport *op)
{
    if (op->kind == OP_START && (op->way == START_BOTH || op->way == START_REFETCH))
        vote_silenced(t);
    if (op->kind == OP_ROLE)
        role_op(t, op);
    else if (op->kind == OP_ORDER && contact_op(t, op))
        return;
    else if (op->kind == OP_ORDER)
        vote_op(t, op);
    else if (op->kind == OP_VERIFY)
        run_verified(t, op);
    else if (op->kind != OP_START || op->id != t->s->flight.boot.op)
        pause_op(t, op);
    else if (boot_op(t, op))
        rescue_found(t, op);
}

static void ask_for_start(Turn *t, const Input *in)
{
    StartFlight *f = &t->s->flight.start;
    start_by_hand(t, true); /* another's who asked before */
    f->token = in->token;
    f->since_ms = t->now_ms;
    str_put(&f->by, in->by ? in->by : "");
    str_put(&f->reason, in->text ? in->text : "");
    start_by_hand(t, false);
}

static void start_tick(Turn *t)
{
    enum { READING_MS = 3000 };
    start_by_hand(t, t->now_ms >= t->s->flight.start.since_ms + READING_MS);
}

static void tick(Turn *t)
{
    pause_tick(t);
    guard_tick(t);
    hook_tick(t);
    role_hook_tick(t);
    run_tick(t);
    boot_tick(t);
    contact_tick(t);
    role_tick(t);
    vote_tick(t);
    fill_tick(t);
    start_tick(t);
}

static void resume_by_hand(Turn *t, Input *in)
{
    const AgentState *s = t->s;
    PauseState state = s->durable.pause;
    const char *by = in->by ? in->by : "", *reason = in->text ? in->text : "";
    if (state == PAUSE_NONE) {
        pause_unwish(t, *by ? by : "request");
        ask_for_start(t, in);
        return;
    }
    fx_event(t, "info", "pause", NULL, "%s is resumed by hand by %s: %s", s->known.rules.node,
             *by ? by : "request", reason);
    if (state == PAUSE_CATCHING_UP || state == PAUSE_RESTORING)
        fx_answer(t, in->token, NULL, NULL); /* others are answered by the news */
    const AgentRunner *r = run_of_pause(s);
    if (!r || !run_is_under_way(r) || r->state == RUN_RESUMING || r->state == RUN_SEALING) {
        fx_post(t, IN_RELEASE, s->durable.lease.owner)->flag = true;
        return;
    }
    Input *cut = fx_post(t, IN_CUT, run_id(r));
    cut->cut = NEW(RunCut);
    *cut->cut = (RunCut){.outcome = OUTCOME_STOPPED,
                         .kind = ERR_CANCELLED,
                         .text = xasprintf("the replica was resumed by hand%s%s%s%s", *by ? " by " : "", by,
                                           *reason ? ": " : "", reason)};
}

/* A state folder from a backup: the pause on record has ended long since, and says nothing of the data. */
static void forget_crash(Turn *t)
{
    Lease *l = &t->s->durable.lease;
    if (!lease_crashed_boosted(l, t->s->known.boot_id))
        return;
    fx_event(
        t, "warn", "pause", NULL,
        "the pause of %.*s on record in %s had ended before: no relay file is kept for it. It is ended, and "
        "nothing is made of its having been under way when the machine went down",
        RUN_TEXT(l->owner), t->s->known.rules.state_dir);
    free(STEAL(l->boost_boot_id));
    t->s->changed.lease = true;
}

static void boot(Turn *t, const Input *in)
{
    const Durable *d = &t->s->durable;
    t->s->drain = 1;
    t->s->known.started_ms = t->now_ms;
    t->s->flight.pause.since_ms = t->now_ms;
    if (d->pause != PAUSE_NONE)
        fx_log(t, LOG_LEVEL_INFO, "found the pause of %.*s, %s", RUN_TEXT(d->lease.owner),
               pause_state_name(d->pause));
    if (in->flag)
        forget_crash(t);
    run_boot(t);
}

static void caught_up(Turn *t, const Input *in)
{
    guard_caught_up(t, in->replay);
    if (!in->flag)
        hook_caught_up(t, in->text);
}

static void not_written(Turn *t, const Input *in)
{
    fx_log(t, LOG_LEVEL_ERROR, "the journal cannot be written: %s", in->err.text);
    t->s->flight.role.unwritten = t->s->flight.role.unwritten || in->flag2;
    t->s->flight.vote.unwritten = t->s->flight.vote.unwritten || in->number;
    pause_not_written(t);
    run_not_written(t);
    fx_changed(t);
}

void agent_step(AgentState *s, Input *in, Effects *out)
{
    Turn turn = {s, in->now_ms, in->wall_ms, out}, *t = &turn;
    switch (in->kind) {
    case IN_BOOT:
        boot(t, in);
        break;
    case IN_ENDING:
        t->s->flight.ending = true;
        pause_tick(t);
        break;
    case IN_TICK:
        tick(t);
        break;
    case IN_READING:
        reading(t, in->reading);
        break;
    case IN_OP:
        operation(t, in->op);
        break;
    case IN_HOOK:
        hook_ended(t, in);
        break;
    case IN_ROLE_HOOK:
        role_hook_ended(t, in);
        break;
    case IN_STANDS:
        contact_answered(t, in);
        break;
    case IN_RESCUE_PROGRESS:
        rescue_progress(t, in);
        break;
    case IN_RESCUE_ENDED:
        rescue_ended(t, in);
        break;
    case IN_FILL:
        fill_order(t, in);
        break;
    case IN_FILL_PROGRESS:
        fill_progress(t, in);
        break;
    case IN_FILL_ENDED:
        fill_ended(t, in);
        break;
    case IN_PROGRAM:
    case IN_PROGRESS:
    case IN_SPLIT:
    case IN_ACCEPT:
    case IN_ALIGN:
    case IN_GO:
    case IN_REQUEST:
    case IN_GATHER:
    case IN_FORGET:
    case IN_FORGOTTEN:
    case IN_CUT:
    case IN_LIMIT_SEALING:
    case IN_NEWS:
        run_input(t, in);
        break;
    case IN_PAUSE:
    case IN_WISH:
        pause_wish(t, in);
        break;
    case IN_RESUME:
        resume_by_hand(t, in);
        break;
    case IN_START:
        boot_start(t, in);
        break;
    case IN_ROLE:
    case IN_TERM:
    case IN_OPEN:
    case IN_HEARD:
        role_input(t, in);
        break;
    case IN_ORDER:
        vote_order(t, in);
        break;
    case IN_RULES:
        fx_changed(t);
        break;
    case IN_NOT_WRITTEN:
        not_written(t, in);
        break;
    case IN_WRITTEN:
        t->s->flight.role.unwritten = t->s->flight.vote.unwritten = false;
        fx_log(t, LOG_LEVEL_INFO, "the journal can be written again");
        fx_changed(t);
        break;
    case IN_RELEASE:
        pause_release(t, in);
        break;
    case IN_MOVE_ON:
        pause_move_on(t, in);
        break;
    case IN_MEETS:
        pause_meets(t, in);
        break;
    case IN_RUNS_SEEN:
        run_seen(t);
        break;
    case IN_BEFORE_PAUSE:
        hook_before_pause(t, in);
        break;
    case IN_TAKE:
        pause_take(t, in);
        break;
    case IN_CAUGHT_UP:
        caught_up(t, in);
        break;
    case IN_KINDS:
        break;
    }
}

/* ---- records ---------------------------------------------------------------------------------------------
 */

typedef struct Records {
    Record *v;
    size_t n;
} Records;

static void add(Records *all, char *key, json_t *value)
{
    all->v = xrealloc(all->v, (all->n + 1) * sizeof *all->v);
    all->v[all->n++] = (Record){key, value};
}

static json_t *lease_value(Durable *d)
{
    if (d->pause == PAUSE_NONE)
        return NULL;
    str_put(&d->lease.state, pause_state_name(d->pause));
    return wire_write(lease_fields, &d->lease);
}

static void add_run(Records *all, AgentRunner *r)
{
    r->changed = false;
    str_put(&r->j.state, run_state_name(r->state));
    r->j.run.state = (AgentRunState)wire_enum_find(&agent_run_state_names, run_state_wire(r->state));
    add(all, xasprintf("run/%s", run_id(r)), wire_write(run_journal_fields, &r->j));
}

Record *agent_records(AgentState *s, size_t *ret_n)
{
    Records all = {0};
    Durable *d = &s->durable;
    Changed *c = &s->changed;
    if (c->lease)
        add(&all, xstrdup("lease"), lease_value(d));
    if (c->role)
        add(&all, xstrdup("role"), wire_write(role_record_fields, &d->role));
    if (c->vote)
        add(&all, xstrdup("vote"), wire_write(vote_record_fields, &d->vote));
    if (c->fill)
        add(&all, xstrdup("fill"), wire_write(fill_state_fields, &d->fill));
    if (c->bound)
        add(&all, xstrdup("bound"), wire_write(bound_record_fields, &d->bound));
    if (c->dealt_with)
        add(&all, xstrdup("server"), wire_write(lease_server_fields, &d->dealt_with));
    if (c->hook)
        add(&all, xstrdup("hook"), d->hook.owner ? wire_write(hook_record_fields, &d->hook) : NULL);
    if (c->role_hook)
        add(&all, xstrdup("role_hook"),
            d->role_hook.term ? wire_write(role_hook_record_fields, &d->role_hook) : NULL);
    if (c->rates)
        add(&all, xstrdup("rates"), wire_write(rates_record_fields, &d->rates));
    if (c->ways)
        add(&all, xstrdup("ways"), wire_write(boost_memory_fields, &d->ways));
    for (size_t i = 0; i < s->n_runs; i++)
        if (s->runs[i]->changed)
            add_run(&all, s->runs[i]);
    for (size_t i = 0; i < c->gone.n; i++)
        add(&all, xasprintf("run/%s", c->gone.v[i]), NULL);
    strlist_done(&c->gone);
    *c = (Changed){0};
    s->drain++;
    *ret_n = all.n;
    return all.v;
}

static bool restore_lease(Durable *d, const json_t *value, int64_t wall_ms, Err *err)
{
    bool ok = wire_read(lease_fields, value, &d->lease, err) &&
              (d->lease.owner || err_set(err, ERR_CORRUPT, 0, "a lease without an owner"));
    if (!ok)
        d->lease = (Lease){.owner = xstrdup(LEASE_MANUAL),
                           .reason = xstrdup("a lease that could not be read"),
                           .lost = true,
                           .taken_at = wall_ms};
    d->pause = pause_state_of_lease(d->lease.state);
    return ok;
}

/* Of another version: whatever it does, its program must end before anything else may begin. */
static void cut_unknown(AgentRunner *r)
{
    RunJournal *j = &r->j;
    r->state = RUN_CUTTING;
    if (j->cut_outcome)
        return;
    str_put(&j->cut_outcome, wire_enum_name(&run_outcome_names, OUTCOME_ERROR));
    str_put(&j->cut_kind, err_kind_name(ERR_CORRUPT));
    j->cut_text = xasprintf("its state on record, \"%s\", is none that this version of the agent knows",
                            j->state ? j->state : "");
}

static bool restore_run(AgentState *s, const json_t *value, Err *err)
{
    RunJournal j = {0};
    if (!wire_read(run_journal_fields, value, &j, err))
        return false;
    AgentRunner *r = NEW(AgentRunner);
    s->runs = xrealloc(s->runs, (s->n_runs + 1) * sizeof *s->runs);
    s->runs[s->n_runs++] = r;
    r->j = j;
    r->side = j.run.spec.on == ROLE_PRIMARY ? RUN_ON_PRIMARY : RUN_ON_REPLICA;
    if (!run_state_from_name(j.state, &r->state))
        cut_unknown(r);
    return true;
}

bool agent_restore(AgentState *s, const char *key, const json_t *value, int64_t wall_ms, Err *err)
{
    Durable *d = &s->durable;
    if (str_eq(key, "lease"))
        return restore_lease(d, value, wall_ms, err);
    if (str_starts(key, "run/"))
        return restore_run(s, value, err) ? true : err_prefix(err, "run %s is left out", key + 4);
    if (str_eq(key, "role"))
        return wire_read(role_record_fields, value, &d->role, err);
    if (str_eq(key, "vote"))
        return wire_read(vote_record_fields, value, &d->vote, err);
    if (str_eq(key, "fill"))
        return wire_read(fill_state_fields, value, &d->fill, err);
    if (str_eq(key, "bound"))
        return wire_read(bound_record_fields, value, &d->bound, err);
    if (str_eq(key, "server"))
        return wire_read(lease_server_fields, value, &d->dealt_with, err);
    if (str_eq(key, "hook"))
        return wire_read(hook_record_fields, value, &d->hook, err);
    if (str_eq(key, "role_hook"))
        return wire_read(role_hook_record_fields, value, &d->role_hook, err);
    if (str_eq(key, "rates"))
        return wire_read(rates_record_fields, value, &d->rates, err);
    if (str_eq(key, "ways"))
        return wire_read(boost_memory_fields, value, &d->ways, err);
    return err_set(err, ERR_CORRUPT, 0, "a record \"%s\" is not one of this agent's", key);
}

void agent_records_lost(AgentState *s)
{
    Lease *l = &s->durable.lease;
    if (s->durable.pause == PAUSE_NONE || l->lost)
        return;
    wire_free(lease_settings_fields, &l->ours);
    l->boosted = true;
    l->reread = false;
    s->changed.lease = true;
}
