/* SPDX-License-Identifier: Apache-2.0
 * The catch-up of a replica that was paused: measured from readings, ways of applying compared (core/boost),
 * its end found (core/catchup). What touches the applier is pause_step.c's.
 */
#include "common/db/flavor.h"
#include "common/db/gtid.h"
#include "step_parts.h"

enum { TRUST_MS = 86400000 }; /* so long what was found counts without another look */

static const Flavor *flavor(const Turn *t)
{
    return flavor_of(t->s->known.server.version.flavor);
}

static size_t ways(const Turn *t)
{
    size_t n = 0;
    while (n < FLAVOR_WAYS && flavor(t)->ways[n].name)
        n++;
    return n;
}

static size_t way_by_name(const Turn *t, const char *name)
{
    size_t n = ways(t);
    for (size_t i = 0; i < n; i++)
        if (str_eq(flavor(t)->ways[i].name, name))
            return i;
    return 0;
}

static void begin(Turn *t, const char *applied)
{
    ReplayFlight *r = &t->s->flight.replay;
    const AgentRules *rules = &t->s->known.rules;
    const Lease *l = &t->s->durable.lease;
    catchup_start(&r->catchup, t->s->known.server.version.flavor, l->gtid ? l->gtid : applied, t->now_ms);
    bool compares = l->boosted && l->replay.way && !r->given_up && rules->boost_trials;
    r->durable_ms = 0;
    boost_start(&r->boost, compares ? ways(t) : 1, compares ? way_by_name(t, l->replay.way) : 0,
                rules->boost_trials_above_ms, t->now_ms);
    double known = l->durable ? 0
                              : boost_known_rate(&t->s->durable.ways, r->size_class, l->replay.way,
                                                 t->wall_ms - TRUST_MS);
    if (known > 0)
        boost_trust(&r->boost, known);
}

const FlavorWay *replay_first_way(Turn *t)
{
    const ServerView *v = &t->s->known.server;
    ReplayFlight *r = &t->s->flight.replay;
    int64_t bytes = catchup_backlog_bytes(&v->status);
    int64_t trx =
        v->status.received ? gtid_behind_text(v->version.flavor, v->status.applied, v->status.received) : 0;
    r->size_class = boost_class((double)bytes, (double)trx);
    const FlavorWay *way = &flavor(t)->ways[boost_first(&t->s->durable.ways, r->size_class, flavor(t))];
    str_put(&t->s->durable.lease.replay.way, way->name);
    return way;
}

void replay_started(Turn *t, const char *applied)
{
    begin(t, applied);
}

static CatchupReading reading(const Turn *t)
{
    const Known *k = &t->s->known;
    const ReplStatus *st = &k->server.status;
    return (CatchupReading){.now_ms = t->now_ms,
                            .applied = st->applied,
                            .received = st->received ? st->received : "",
                            .primary = k->primary,
                            .primary_ms = k->primary_ms,
                            .connected = st->io == REPL_IO_YES,
                            .waits_for_delay = st->waits_for_delay,
                            .coordinates_equal =
                                str_eq(st->exec_file, st->read_file) && st->exec_pos == st->read_pos,
                            .exec_file = st->exec_file,
                            .exec_pos = st->exec_pos,
                            .backlog_bytes = catchup_backlog_bytes(st)};
}

static BoostReading boost_reading(const Turn *t)
{
    const Catchup *c = &t->s->flight.replay.catchup;
    bool bytes = flavor(t)->exec_pos_exact && c->backlog_bytes >= 0;
    return (BoostReading){t->now_ms, bytes ? c->bytes : (double)c->applied,
                          bytes ? (double)c->backlog_bytes : (double)c->backlog, c->applied};
}

static void show(Turn *t)
{
    const ReplayFlight *f = &t->s->flight.replay;
    const Catchup *c = &f->catchup;
    BoostReading now = boost_reading(t);
    Replay *r = &t->s->durable.lease.replay;
    r->backlog_trx = c->backlog > 0 ? c->backlog : 0;
    r->backlog_bytes = c->backlog_bytes;
    r->applied_trx = c->applied;
    r->rate = c->rate;
    r->byte_rate = c->byte_rate;
    r->eta_s = boost_eta(&f->boost, &now, c->eta_s);
    r->seconds = (double)(t->wall_ms - t->s->durable.lease.resumed_at) / 1000;
    fx_changed_slightly(t);
}

static const FlavorWay *another_way(Turn *t)
{
    ReplayFlight *r = &t->s->flight.replay;
    size_t before = r->boost.now;
    BoostState state = r->boost.state;
    BoostReading now = boost_reading(t);
    size_t way = boost_sample(&r->boost, &now);
    if (state == BOOST_TRYING && r->boost.state == BOOST_KEPT && r->boost.why)
        fx_log(t, LOG_LEVEL_INFO, "catching up by way \"%s\": %s", flavor(t)->ways[way].name, r->boost.why);
    return way == before ? NULL : &flavor(t)->ways[way];
}

static void finish(Turn *t)
{
    ReplayFlight *r = &t->s->flight.replay;
    Replay *p = &t->s->durable.lease.replay;
    p->backlog_trx = p->backlog_bytes = 0;
    p->eta_s = 0;
    p->rate = p->seconds > 0 ? (double)p->applied_trx / p->seconds : 0;
    if (!r->boost.compared || r->boost.state != BOOST_KEPT || t->s->durable.lease.durable)
        return;
    boost_remember(&t->s->durable.ways, r->size_class, flavor(t)->ways[r->boost.now].name,
                   r->boost.rate[r->boost.now], t->wall_ms);
    t->s->changed.ways = true;
}

bool replay_reading(Turn *t, const FlavorWay **ret_way)
{
    ReplayFlight *r = &t->s->flight.replay;
    if (!r->catchup.start_applied) /* the agent restarted meanwhile */
        begin(t, t->s->known.server.status.applied);
    CatchupReading now = reading(t);
    bool done = catchup_sample(&r->catchup, &now);
    show(t);
    if (done)
        finish(t);
    else if (r->boost.n > 1)
        *ret_way = another_way(t);
    return done;
}

void replay_changed(Turn *t, bool ok)
{
    ReplayFlight *r = &t->s->flight.replay;
    if (!ok) {
        r->given_up = true;
        r->boost.n = 1;
        return;
    }
    str_put(&t->s->durable.lease.replay.way, flavor(t)->ways[r->boost.now].name);
    catchup_rates_anew(&r->catchup);
    boost_changed(&r->boost, t->now_ms);
}

void replay_durable(Turn *t)
{
    ReplayFlight *r = &t->s->flight.replay;
    catchup_rates_anew(&r->catchup);
    boost_start(&r->boost, r->boost.n, r->boost.now, r->boost.worth_ms, t->now_ms);
}

void replay_over(Turn *t)
{
    ReplayFlight *r = &t->s->flight.replay;
    catchup_done(&r->catchup);
    r->boost = (Boost){0};
    r->given_up = false;
}
