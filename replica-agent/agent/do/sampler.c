/* SPDX-License-Identifier: Apache-2.0 */
#include "sampler.h"

#include "common/base/clock.h"
#include "common/base/log.h"
#include "replica-agent/agent/agent.h"
#include "replica-agent/server/op_sample.h"

enum { SAMPLE_MS = 60000 };

void facts_own(const Agent *a, PreflightFacts *ret)
{
    const Known *k = &a->s.known;
    int64_t now = clock_mono_ms();
    *ret =
        (PreflightFacts){.xa_prepared = -1,
                         .semi_sync_acks = -1,
                         .log_expire_s = -1,
                         .allow_delayed = a->conf.allow_delayed,
                         .allow_downstream = a->conf.allow_downstream,
                         .relay_dir = xstrdup(k->relay_dir),
                         .relay_free = k->relay_free,
                         .free_bytes = guard_relay_need(
                             a->conf.min_free_bytes, known_coming(k, (int64_t)GUARD_RESERVE_S * 1000, now)),
                         .pause_limit_ms = a->conf.pause_limit_ms,
                         .coming = known_coming(k, a->conf.pause_limit_ms, now),
                         .coming_known = inflow_is_known(&k->inflow),
                         .apply_rate = a->s.durable.rates.apply_rate,
                         .wants_catchup_estimate = a->conf.catchup_limit_ms > 0,
                         .keyless_changed_count = -1};
    keyless_copy(&ret->tables, &a->sampler.tables);
}

/* ---- tables without a key ---------------------------------------------------------------------------- */

typedef struct Sample {
    Agent *a;
    SampleIn in;
    SampleOut out;
} Sample;

static void sample_free(Sample *s)
{
    sample_in_done(&s->in);
    sample_out_done(&s->out);
    free(s);
}

static void sample_in_worker(void *arg)
{
    Sample *s = arg;
    op_sample(&s->in, NULL, &s->out);
}

static void sample_in_loop(void *arg)
{
    Sample *s = arg;
    const Keyless *new = &s->out.tables;
    Keyless *k = &s->a->sampler.tables;
    s->a->sampler.in_flight = false;
    if (s->out.result == OP_DONE) {
        keyless_begin(k);
        for (size_t i = 0; i < new->n; i++)
            keyless_add(k, new->v[i].name, new->v[i].rows, new->v[i].counter, clock_wall_ms());
        keyless_end(k);
    } else {
        log_debug("tables without a key are not looked at: %s", s->out.err.text);
    }
    sample_free(s);
}

/* Not while it is paused: a sample reads InnoDB's dictionary, and nothing changes then. */
void sampler_tick(Agent *a)
{
    Err err;
    int64_t now = clock_mono_ms();
    if (a->sampler.in_flight || now < a->sampler.next_ms || !a->s.known.server.up ||
        !a->s.known.server.status.is_replica || a->s.durable.pause != PAUSE_NONE)
        return;
    a->sampler.next_ms = now + SAMPLE_MS;
    Sample *s = NEW(Sample);
    s->a = a;
    DbTarget t = agent_config_target(&a->conf);
    db_target_copy(&s->in.at.target, &t);
    s->in.at.statement_ms = a->conf.statement_timeout_ms;
    s->in.wall_ms = 1; /* only the counters count */
    a->sampler.in_flight =
        work_submit(a->work, (WorkJob){sample_in_worker, sample_in_loop, s, .waits = true}, &err);
    if (!a->sampler.in_flight)
        sample_free(s);
}

void sampler_close(Agent *a)
{
    keyless_done(&a->sampler.tables);
}
