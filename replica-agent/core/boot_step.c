/* SPDX-License-Identifier: Apache-2.0
 * A server process that is met for the first time, at the agent's own start or after a restart of the server:
 * core/boot decides, this orders. Which process has been dealt with is on record; a start of replication
 * counts as done only once it runs.
 */
#include "step_parts.h"

enum { RETRY_MS = 1000 };

static void remember(Turn *t)
{
    Durable *d = &t->s->durable;
    wire_free(lease_server_fields, &d->dealt_with);
    wire_copy(lease_server_fields, &d->dealt_with, &t->s->known.server.id);
    t->s->changed.dealt_with = true;
}

static BootOwner owner_of(const Turn *t)
{
    const Durable *d = &t->s->durable;
    if (d->pause == PAUSE_NONE)
        return BOOT_OWNER_GONE;
    if (str_eq(d->lease.owner, LEASE_MANUAL))
        return pause_left_ms(t->s, t->now_ms, t->wall_ms) > 0 ? BOOT_OWNER_ALIVE : BOOT_OWNER_GONE;
    const AgentRunner *r = run_of_pause(t->s);
    if (!r || !run_is_under_way(r))
        return BOOT_OWNER_GONE;
    return r->state == RUN_RESUMING ? BOOT_OWNER_ENDING : BOOT_OWNER_ALIVE;
}

static BootServer same_server(const Turn *t)
{
    const Durable *d = &t->s->durable;
    bool leased = d->pause != PAUSE_NONE && d->lease.server.boot_id;
    if (!leased && !d->dealt_with.boot_id)
        return BOOT_OTHER; /* never seen: ours to start */
    const LeaseServer *before = leased ? &d->lease.server : &d->dealt_with;
    return lease_server_compare(before, &t->s->known.server.id) == SERVER_OTHER ? BOOT_OTHER : BOOT_SAME;
}

static void tell_pause(Turn *t, int64_t event, const char *why)
{
    Input *in = fx_post(t, IN_MEETS, NULL);
    in->number = event;
    in->text = xstrdup(why);
}

static void act(Turn *t, BootAction action)
{
    BootFlight *f = &t->s->flight.boot;
    switch (action) {
    case BOOT_NOTHING:
    case BOOT_LEAVE_ALONE:
        break;
    case BOOT_START:
        f->start_due = true;
        f->retry_ms = 0;
        return; /* remembered once it runs */
    case BOOT_CONTINUE:
        tell_pause(t, MEETS_AGAIN, NULL);
        break;
    case BOOT_RELEASE:
        tell_pause(t, PAUSE_EV_RELEASE, NULL);
        break;
    case BOOT_GIVE_UP:
        tell_pause(t, PAUSE_EV_RELEASE,
                   "the agent was started anew while the replica was brought to the common GTID");
        break;
    case BOOT_MOVED:
        tell_pause(t, PAUSE_EV_MOVED,
                   "the applier was started by somebody else during the pause: the frozen state is lost");
        break;
    case BOOT_RESTARTED:
        tell_pause(t, PAUSE_EV_RESTARTED,
                   pause_is_in_force(t->s)
                       ? "the server restarted under the job: the frozen state is lost"
                       : "the server restarted before the pause was over: replication is started again");
        break;
    case BOOT_RESTARTED_HELD:
        tell_pause(t, PAUSE_EV_RESTARTED_HELD,
                   "the server restarted; the pause is held, replication stays stopped");
        break;
    }
    remember(t);
}

void boot_seen(Turn *t)
{
    AgentState *s = t->s;
    const ReplStatus *st = &s->known.server.status;
    s->flight.boot.seen = true;
    s->flight.boot.start_due = false;
    s->flight.role.confirmed = s->flight.role.settled = false;
    vote_silenced(t);
    if (st->is_replica || s->durable.pause != PAUSE_NONE) {
        const BootRow *row =
            boot_decide(s->durable.pause, same_server(t), boot_threads(st->io, st->sql_running), owner_of(t),
                        s->durable.lease.hold);
        fx_log(t, LOG_LEVEL_INFO, "met the server: %s", row->reason);
        act(t, row->action);
    } else {
        remember(t);
    }
    if (!s->flight.boot.runs_seen)
        fx_post(t, IN_RUNS_SEEN, NULL);
}

/* ---- replication is ours to start, without a lease --------------------------------------------------------
 */

static void trouble(Turn *t, const char *text)
{
    char **now = &t->s->flight.boot.trouble;
    if (str_eq(*now, text))
        return;
    if (text)
        fx_log(t, LOG_LEVEL_ERROR, "%s", text);
    free(*now);
    *now = xstrdup(text);
    fx_changed(t);
}

/* No pause can have begun meanwhile: pause_wish waits while this is under way. */
bool boot_op(Turn *t, const OpReport *op)
{
    BootFlight *f = &t->s->flight.boot;
    f->op = 0;
    if (!f->start_due)
        return false;
    if (op->way == START_RESCUE && op->end == END_WAITING) {
        f->start_due = false;
        trouble(t, NULL);
        remember(t); /* the lease goes on from here */
        return true;
    } else if (op->way == START_SHUT && op->end == END_WAITING) {
        f->start_due = false; /* it is owed: see boot_tick */
        vote_owes_start(t);
        trouble(t, NULL);
        remember(t);
    } else if (op->end == END_OK) {
        vote_started(t, op);
        fx_log(t, LOG_LEVEL_INFO, "replication is running (%s)",
               op->way == START_NOT_NEEDED ? "it ran already" : "started by this agent");
        fx_add(t, FX_CLEAR_VAULT); /* the START looked at what the relay files hold, and kept them for that */
        f->start_due = false;
        trouble(t, NULL);
        remember(t);
    } else {
        if (op->end != END_BUSY)
            trouble(t, op->err.text);
        f->retry_ms = t->now_ms + RETRY_MS;
    }
    return false;
}

/* By hand (`flag`): also a receiver alone, and at once. */
void boot_start(Turn *t, const Input *in)
{
    const ReplStatus *st = &t->s->known.server.status;
    bool stands = !st->sql_running || (in->flag && st->io == REPL_IO_NO);
    if (t->s->durable.pause != PAUSE_NONE || !st->is_replica || !stands)
        return;
    t->s->flight.boot.start_due = true;
    if (in->flag)
        t->s->flight.boot.retry_ms = 0;
}

/* A pause that began meanwhile has the server, and its end starts replication. */
void boot_tick(Turn *t)
{
    BootFlight *f = &t->s->flight.boot;
    bool taken = t->s->durable.pause != PAUSE_NONE || t->s->flight.pause.beginning;
    /* A failover has stopped it, and does not any more. */
    if (t->s->durable.vote.owed && vote_lets_receive(t->s) && f->seen && t->s->known.server.status.is_replica)
        f->start_due = true;
    if (!f->start_due || taken || f->op || !t->s->known.server.up || t->now_ms < f->retry_ms)
        return;
    OpOrder *o = fx_sql(t, OP_START, false);
    o->fresh_server = o->may_end_rescue = true;
    f->op = o->id;
}
