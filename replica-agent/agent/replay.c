/* SPDX-License-Identifier: Apache-2.0 */
#include "replay.h"

#include "agent.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/db/flavor.h"
#include "store.h"

enum { TRUST_MS = 86400000 }; /* so long what was found counts without another look */

void replay_load(Agent *a)
{
    Err err;
    if (!store_read(a, "replay.json", boost_memory_fields, &a->replaying.memory, &err) &&
        err.kind != ERR_NOT_FOUND)
        log_warn("%s", err.text);
}

void replay_close(Agent *a)
{
    Replaying *r = &a->replaying;
    catchup_done(&r->catchup);
    wire_free(boost_memory_fields, &r->memory);
    free(STEAL(r->primary));
}

static const Flavor *flavor(const Agent *a)
{
    return flavor_of(a->server.version.flavor);
}

static size_t way_by_name(const Agent *a, const char *name)
{
    for (size_t i = 0; i < FLAVOR_WAYS && flavor(a)->ways[i].name; i++)
        if (str_eq(flavor(a)->ways[i].name, name))
            return i;
    return 0;
}

static size_t ways(const Agent *a)
{
    size_t n = 0;
    while (n < FLAVOR_WAYS && flavor(a)->ways[n].name)
        n++;
    return n;
}

static bool is_boosted(const Agent *a)
{
    return a->pause.lease.boosted && a->pause.lease.replay.way;
}

static void begin(Agent *a, const char *applied)
{
    Replaying *r = &a->replaying;
    Lease *l = &a->pause.lease;
    int64_t now = clock_mono_ms();
    catchup_start(&r->catchup, a->server.version.flavor, l->gtid ? l->gtid : applied, now);
    bool try = is_boosted(a) && !r->given_up && a->conf.boost_trials;
    r->durable_ms = 0;
    boost_start(&r->boost, try ? ways(a) : 1, try ? way_by_name(a, l->replay.way) : 0,
                a->conf.boost_trials_above_ms, now);
    double known =
        l->durable ? 0
                   : boost_known_rate(&r->memory, r->size_class, l->replay.way, clock_wall_ms() - TRUST_MS);
    if (known > 0)
        boost_trust(&r->boost, known);
}

const FlavorWay *replay_first_way(Agent *a)
{
    const ReplStatus *st = &a->server.status;
    Replaying *r = &a->replaying;
    Replay *p = &a->pause.lease.replay;
    int64_t bytes = catchup_backlog_bytes(st);
    int64_t trx = st->received ? gtid_behind_text(a->server.version.flavor, st->applied, st->received) : 0;
    r->size_class = boost_class((double)bytes, (double)trx);
    const FlavorWay *way = &flavor(a)->ways[boost_first(&r->memory, r->size_class, flavor(a))];
    free(p->way);
    p->way = xstrdup(way->name);
    return way;
}

void replay_started(Agent *a, const char *applied)
{
    begin(a, applied);
}

static CatchupReading reading(const Agent *a)
{
    const ReplStatus *st = &a->server.status;
    return (CatchupReading){.now_ms = clock_mono_ms(),
                            .applied = st->applied,
                            .received = st->received ? st->received : "",
                            .primary = a->replaying.primary,
                            .primary_ms = a->replaying.primary_ms,
                            .connected = st->io == REPL_IO_YES,
                            .coordinates_equal =
                                str_eq(st->exec_file, st->read_file) && st->exec_pos == st->read_pos,
                            .exec_file = st->exec_file,
                            .exec_pos = st->exec_pos,
                            .backlog_bytes = catchup_backlog_bytes(st)};
}

static BoostReading boost_reading(const Agent *a)
{
    const Catchup *c = &a->replaying.catchup;
    bool bytes = flavor(a)->exec_pos_exact && c->backlog_bytes >= 0;
    return (BoostReading){clock_mono_ms(), bytes ? c->bytes : (double)c->applied,
                          bytes ? (double)c->backlog_bytes : (double)c->backlog, c->applied};
}

static void show(Agent *a)
{
    const Catchup *c = &a->replaying.catchup;
    BoostReading now = boost_reading(a);
    Replay *r = &a->pause.lease.replay;
    r->backlog_trx = c->backlog > 0 ? c->backlog : 0;
    r->backlog_bytes = c->backlog_bytes;
    r->applied_trx = c->applied;
    r->rate = c->rate;
    r->byte_rate = c->byte_rate;
    r->eta_s = boost_eta(&a->replaying.boost, &now, c->eta_s);
    r->seconds = (double)(clock_wall_ms() - a->pause.lease.resumed_at) / 1000;
    agent_changed_slightly(a);
}

static void try_ways(Agent *a)
{
    Replaying *r = &a->replaying;
    size_t before = r->boost.now;
    BoostState state = r->boost.state;
    BoostReading now = boost_reading(a);
    size_t way = boost_sample(&r->boost, &now);
    if (state == BOOST_TRYING && r->boost.state == BOOST_KEPT && r->boost.why)
        log_info("catching up by way \"%s\": %s", flavor(a)->ways[way].name, r->boost.why);
    if (way != before && !pause_retune(a, &flavor(a)->ways[way]))
        replay_changed(a, false);
}

static void finish(Agent *a)
{
    Replaying *r = &a->replaying;
    Replay *p = &a->pause.lease.replay;
    Err err;
    p->backlog_trx = p->backlog_bytes = 0;
    p->eta_s = 0;
    p->rate = p->seconds > 0 ? (double)p->applied_trx / p->seconds : 0;
    if (!r->boost.compared || r->boost.state != BOOST_KEPT || a->pause.lease.durable)
        return;
    boost_remember(&r->memory, r->size_class, flavor(a)->ways[r->boost.now].name, r->boost.rate[r->boost.now],
                   clock_wall_ms());
    if (!store_write(a, "replay.json", boost_memory_fields, &r->memory, &err))
        log_warn("%s", err.text);
}

bool replay_probe(Agent *a)
{
    Replaying *r = &a->replaying;
    if (!r->catchup.start_applied) /* the agent restarted meanwhile */
        begin(a, a->server.status.applied);
    CatchupReading now = reading(a);
    bool done = catchup_sample(&r->catchup, &now);
    show(a);
    if (done)
        finish(a);
    else if (r->boost.n > 1)
        try_ways(a);
    return done;
}

void replay_changed(Agent *a, bool ok)
{
    Replaying *r = &a->replaying;
    Replay *p = &a->pause.lease.replay;
    if (!ok) {
        r->given_up = true;
        r->boost.n = 1;
        return;
    }
    free(p->way);
    p->way = xstrdup(flavor(a)->ways[r->boost.now].name);
    catchup_rates_anew(&r->catchup);
    boost_changed(&r->boost, clock_mono_ms());
}

void replay_ended(Agent *a)
{
    catchup_done(&a->replaying.catchup);
    a->replaying.boost = (Boost){0};
    a->replaying.given_up = false;
}

bool replay_is_trying(const Agent *a)
{
    return a->pause.state == PAUSE_CATCHING_UP && a->replaying.boost.n > 1 &&
           a->replaying.boost.state == BOOST_TRYING;
}

void replay_told(Agent *a, const char *primary)
{
    free(a->replaying.primary);
    a->replaying.primary = xstrdup(primary);
    a->replaying.primary_ms = clock_mono_ms();
}

void replay_told_sole(Agent *a, bool sole)
{
    a->replaying.sole = sole;
}

bool replay_must_be_durable(const Agent *a)
{
    return a->replaying.sole && !a->conf.boost_last_acknowledger;
}

void replay_durable(Agent *a)
{
    Replaying *r = &a->replaying;
    catchup_rates_anew(&r->catchup);
    boost_start(&r->boost, r->boost.n, r->boost.now, r->boost.worth_ms, clock_mono_ms());
}
