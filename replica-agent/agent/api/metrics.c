/* SPDX-License-Identifier: Apache-2.0
 * Prometheus text: one row a metric, with the text that describes it.
 */
#include <string.h>

#include "common/base/clock.h"
#include "common/base/prom.h"
#include "replica-agent/agent/agent.h"

static double server_up(const Agent *a)
{
    return a->s.known.server.up;
}

static double sql_running(const Agent *a)
{
    return a->s.known.server.up && a->s.known.server.status.sql_running;
}

static double io_running(const Agent *a)
{
    return a->s.known.server.up && a->s.known.server.status.io == REPL_IO_YES;
}

static double is_replica(const Agent *a)
{
    return a->s.known.server.up && a->s.known.server.status.is_replica;
}

static double read_only(const Agent *a)
{
    return a->s.known.server.up && a->s.known.server.status.read_only;
}

static double lag_trx(const Agent *a)
{
    return (double)lag_in_transactions(&a->s);
}

static double lag_s(const Agent *a)
{
    return a->s.known.lag.lag_ms < 0 ? -1 : (double)a->s.known.lag.lag_ms / 1000;
}

static double relay_bytes(const Agent *a)
{
    return (double)a->s.known.server.status.relay_bytes;
}

static double paused(const Agent *a)
{
    return pause_is_in_force(&a->s);
}

static double catching_up(const Agent *a)
{
    return a->s.durable.pause >= PAUSE_RESUMING;
}

static double pause_seconds(const Agent *a)
{
    return a->s.durable.pause == PAUSE_NONE ? 0
                                            : (double)(clock_wall_ms() - a->s.durable.lease.taken_at) / 1000;
}

static double pause_left(const Agent *a)
{
    return a->s.durable.pause == PAUSE_NONE
               ? 0
               : (double)pause_left_ms(&a->s, clock_mono_ms(), clock_wall_ms()) / 1000;
}

static double replay_rate(const Agent *a)
{
    return a->s.durable.pause == PAUSE_CATCHING_UP ? a->s.durable.lease.replay.rate : 0;
}

static double trouble(const Agent *a)
{
    AUTO(strlist_done) StrList l = STRLIST_INIT;
    node_warnings(a, &l);
    return (double)l.n;
}

static double runs(const Agent *a)
{
    double n = 0;
    for (size_t i = 0; i < a->s.n_runs; i++)
        n += run_is_under_way(a->s.runs[i]);
    return n;
}

static double spool_free(const Agent *a)
{
    return (double)a->s.known.spool_free;
}

static double state_free(const Agent *a)
{
    return (double)a->s.known.state_free;
}

static double term(const Agent *a)
{
    return (double)a->s.durable.role.seen_term;
}

static double coordinator_age(const Agent *a)
{
    return a->s.known.coordinator_ms ? (double)(clock_mono_ms() - a->s.known.coordinator_ms) / 1000 : -1;
}

static double relay_free(const Agent *a)
{
    return (double)a->s.known.relay_free;
}

static double relay_rate(const Agent *a)
{
    return a->s.known.server.status.is_replica ? inflow_now(&a->s.known.inflow, clock_mono_ms()) : 0;
}

static double pause_relay_bytes(const Agent *a)
{
    return a->s.durable.pause == PAUSE_FROZEN ? (double)a->s.flight.guard.reading.value[GUARD_RELAY] : 0;
}

static double catchup_estimate(const Agent *a)
{
    return a->s.durable.pause == PAUSE_FROZEN && a->s.flight.guard.reading.value[GUARD_CATCHUP] >= 0
               ? (double)a->s.flight.guard.reading.value[GUARD_CATCHUP] / 1000
               : -1;
}

static double ballast_bytes(const Agent *a)
{
    return (double)a->ballast.bytes;
}

static double events_waiting(const Agent *a)
{
    return (double)a->tell.events.n;
}

static const struct {
    const char *name, *help;
    double (*value)(const Agent *a);
} rows[] = {
    {"siding_server_up", "1 while the server answers.", server_up},
    {"siding_server_replica", "1 if the server replicates from another.", is_replica},
    {"siding_server_read_only", "1 while the server is read-only.", read_only},
    {"siding_applier_running", "1 while the applier (SQL thread) runs.", sql_running},
    {"siding_receiver_running", "1 while the receiver (IO thread) is connected.", io_running},
    {"siding_lag_transactions", "Transactions received and not applied; -1: not known.", lag_trx},
    {"siding_lag_seconds", "Age of the oldest received position that is not applied; -1: not known.", lag_s},
    {"siding_relay_log_bytes", "Size of the relay logs.", relay_bytes},
    {"siding_paused", "1 from the beginning of a pause until replication is started again.", paused},
    {"siding_catching_up", "1 from then until it has caught up and its settings are back.", catching_up},
    {"siding_pause_seconds", "Age of the present pause.", pause_seconds},
    {"siding_pause_left_seconds", "What is left of its limit.", pause_left},
    {"siding_pause_relay_bytes", "Arrived in the relay logs since the freeze; -1: not known.",
     pause_relay_bytes},
    {"siding_catchup_estimate_seconds", "What catching up would take now; -1: not known.", catchup_estimate},
    {"siding_relay_free_bytes", "Free space of the relay logs' disk; -1: not known.", relay_free},
    {"siding_relay_bytes_per_second", "What arrives from the source.", relay_rate},
    {"siding_ballast_bytes", "Size of the ballast beside the relay logs.", ballast_bytes},
    {"siding_events_waiting", "Events that the coordinator has not stored yet.", events_waiting},
    {"siding_replay_rate", "Transactions applied per second while catching up.", replay_rate},
    {"siding_runs", "Runs under way.", runs},
    {"siding_warnings", "Things that are wrong on this node now.", trouble},
    {"siding_spool_free_bytes", "Free space of the spool folder.", spool_free},
    {"siding_state_free_bytes", "Free space of the state folder.", state_free},
    {"siding_term", "Greatest term heard of.", term},
    {"siding_coordinator_silence_seconds", "Time since the coordinator was heard; -1: never.",
     coordinator_age},
};

static void counters(const Agent *a, Prom *m)
{
    static const char *const levels[] = {"info", "warn", "error"};
    const char *node = a->conf.node;
    for (GuardCause c = 0; c < GUARD_CAUSES; c++)
        prom_one(m, "siding_guard_hits_total", PROM_COUNTER, "Limits reached, since the start.",
                 (double)a->s.flight.guard.hits[c], PROM_LABELS("node", node, "limit", guard_cause_name(c)));
    for (size_t i = 0; i < COUNT(levels); i++)
        prom_one(m, "siding_events_total", PROM_COUNTER, "Events by level, since the start.",
                 (double)a->tell.told[i], PROM_LABELS("node", node, "level", levels[i]));
    prom_one(m, "siding_events_dropped_total", PROM_COUNTER,
             "Events pushed out before the coordinator fetched them.", (double)a->tell.dropped,
             PROM_LABELS("node", node));
    prom_one(m, "siding_ballast_removed_total", PROM_COUNTER, "Times the ballast had to go.",
             (double)a->ballast.removed, PROM_LABELS("node", node));
}

char *metrics_text(const Agent *a)
{
    AUTO(prom_done) Prom m = {0};
    for (size_t i = 0; i < COUNT(rows); i++)
        prom_one(&m, rows[i].name, PROM_GAUGE, rows[i].help, rows[i].value(a),
                 PROM_LABELS("node", a->conf.node));
    counters(a, &m);
    return str_take(&m.text);
}
