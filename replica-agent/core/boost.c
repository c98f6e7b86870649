/* SPDX-License-Identifier: Apache-2.0 */
#include "boost.h"

#include <stdlib.h>

enum {
    SOON_MS = 700,  /* after the first start, before it is measured, where it seems slow */
    COLD_MS = 2000, /* and where it does not, or much is left: the server's caches are cold */
    WARM_MS = 60,   /* after a change */
    TRIAL_MIN_MS = 600,
    TRIAL_MAX_MS = 1500,
    HOPELESS_MS = 300, /* after this, half as fast as the best is enough to know */
    TRIAL_SHARE = 200, /* a trial lasts 1/200 of the time that is left */
    TRIAL_TRX = 20,    /* and counts at least so many transactions */
    LARGE_MS = 2000,   /* fewer in this time: they are too large to stop in the middle */
    SLOW_MS = 30000,   /* with more left, half a second more of a slow way is too much */
    AGAIN_MS = 300000, /* what is applied changes: look again after this */
    SETTLED_MS = 3000, /* after this, progress itself tells */
    SLOWER_MS = 1000,  /* so long half as fast as it was found to be: look again */
};
static const double BETTER = 1.1;     /* a change back costs a restart of the applier */
static const double COLD_RATE = 1.15; /* what is measured first is still understated by about so much */

/* ---- settings ------------------------------------------------------------------------------------- */

static long long number(const char *text)
{
    return text ? strtoll(text, NULL, 10) : 0;
}

static char *at_least(const char *own, int64_t wanted)
{
    return number(own) < wanted ? xasprintf("%lld", (long long)wanted) : xstrdup(own);
}

void boost_settings(const Flavor *f, const LeaseSettings *own, const BoostWish *wish, const FlavorWay *way,
                    LeaseSettings *ret)
{
    wire_free(lease_settings_fields, ret);
    bool as_it_is = wish->durable || number(own->flush_log) == 2 || number(own->flush_log) == 0;
    ret->sync_binlog = xstrdup(wish->durable ? own->sync_binlog : "0");
    ret->flush_log = xstrdup(as_it_is ? own->flush_log : "2");
    ret->workers = way->parallel ? at_least(own->workers, wish->workers) : xstrdup(f->workers_none);
    ret->parallel_mode = xstrdup(way->parallel && way->mode ? way->mode : own->parallel_mode);
    ret->queue_bytes = own->queue_bytes ? at_least(own->queue_bytes, wish->queue_bytes) : NULL;
}

/* ---- choosing ------------------------------------------------------------------------------------- */

void boost_start(Boost *b, size_t n, size_t first, int64_t worth_ms, int64_t now_ms)
{
    *b = (Boost){.n = n, .now = first, .worth_ms = worth_ms, .state = n > 1 ? BOOST_TRYING : BOOST_KEPT};
    boost_changed(b, now_ms);
}

void boost_changed(Boost *b, int64_t now_ms)
{
    b->changed_ms = now_ms;
    b->marked = false;
}

void boost_trust(Boost *b, double rate)
{
    b->state = BOOST_KEPT;
    b->expected = rate;
}

static size_t best(const Boost *b)
{
    size_t k = b->now;
    for (size_t i = 0; i < b->n; i++)
        if (b->rate[i] > b->rate[k])
            k = i;
    return k;
}

static size_t keep(Boost *b, size_t way, const char *why)
{
    b->state = BOOST_KEPT;
    b->why = why;
    b->now = way;
    return way;
}

static size_t next_untried(const Boost *b)
{
    for (size_t i = 0; i < b->n; i++)
        if (b->rate[i] <= 0 && i != b->now)
            return i;
    return b->n;
}

static size_t trial_over(Boost *b, double rate, double left_ms)
{
    b->rate[b->now] = b->warm ? rate : rate * COLD_RATE;
    rate = b->rate[b->now];
    b->warm = true;
    size_t fastest = best(b), next = next_untried(b);
    if (b->rate[fastest] < rate * BETTER)
        fastest = b->now;
    if (next == b->n) {
        b->compared = true;
        return keep(b, fastest, "it was the fastest of all that were tried");
    }
    if (left_ms < (double)b->worth_ms)
        return keep(b, fastest, "too little is left to try more");
    b->now = next;
    return next;
}

/* What is applied may have changed since the ways were compared, in this replay or in an earlier one. */
static size_t kept(Boost *b, const BoostReading *r, double rate, double left_ms)
{
    int64_t ms = r->now_ms - b->mark.now_ms;
    bool slower =
        b->expected > 0 && ms >= SLOWER_MS && rate < b->expected / 2 && left_ms >= (double)b->worth_ms;
    bool long_ago = ms >= AGAIN_MS && left_ms >= AGAIN_MS;
    if (b->n < 2 || (!slower && !long_ago))
        return b->now;
    size_t now = b->now;
    boost_start(b, b->n, now, b->worth_ms, r->now_ms);
    b->warm = true;
    b->rate[now] = rate;
    b->now = next_untried(b);
    return b->now;
}

/* The first way of all is measured late, so that the caches are in use; not so late that a bad one costs
 * much. */
static bool is_too_cold(Boost *b, const BoostReading *r, double left_ms)
{
    int64_t since = r->now_ms - b->changed_ms;
    if (b->warm || since >= COLD_MS + TRIAL_MIN_MS || (left_ms > SLOW_MS && left_ms < AGAIN_MS))
        return false;
    if (since >= COLD_MS && b->mark.now_ms < b->changed_ms + COLD_MS)
        b->mark = *r;
    return true;
}

size_t boost_sample(Boost *b, const BoostReading *r)
{
    if (r->now_ms - b->changed_ms < (b->warm ? WARM_MS : SOON_MS))
        return b->now;
    if (!b->marked) {
        b->marked = true;
        b->mark = *r;
        return b->now;
    }
    double ms = (double)(r->now_ms - b->mark.now_ms), fastest = b->rate[best(b)];
    double rate = ms > 0 ? (r->work - b->mark.work) / ms * 1000 : 0;
    double left_ms = rate > 0 ? r->left / (rate > fastest ? rate : fastest) * 1000 : 0;
    int64_t trx = r->trx - b->mark.trx;
    if (b->state == BOOST_KEPT)
        return kept(b, r, rate, left_ms);
    if (is_too_cold(b, r, left_ms))
        return b->now;
    double wanted_ms = left_ms / TRIAL_SHARE;
    wanted_ms = wanted_ms < TRIAL_MIN_MS ? TRIAL_MIN_MS : wanted_ms > TRIAL_MAX_MS ? TRIAL_MAX_MS : wanted_ms;
    if (ms >= LARGE_MS && trx < TRIAL_TRX)
        return keep(b, b->now, "its transactions are large: stopping would throw away a half-applied one");
    if (trx < TRIAL_TRX)
        return b->now;
    bool hopeless = ms >= HOPELESS_MS && rate < fastest / 2;
    return ms >= wanted_ms || hopeless ? trial_over(b, rate, left_ms) : b->now;
}

double boost_eta(const Boost *b, const BoostReading *r, double measured_s)
{
    double fastest = b->n ? b->rate[best(b)] : 0;
    if (fastest <= 0)
        fastest = b->expected;
    bool settled = b->state == BOOST_KEPT && b->marked && r->now_ms - b->mark.now_ms >= SETTLED_MS;
    if (fastest <= 0 || settled || r->left <= 0)
        return measured_s;
    double at_best = r->left / fastest;
    bool tells = b->state == BOOST_TRYING && r->now_ms - b->changed_ms >= HOPELESS_MS && measured_s > 0;
    return tells && measured_s < at_best ? measured_s : at_best; /* the way on trial is faster */
}

/* ---- memory --------------------------------------------------------------------------------------- */

static const WireField found_fields[] = WIRE_FIELDS(BoostFound, BOOST_FOUND_LIST);
const WireField boost_memory_fields[] = WIRE_FIELDS(BoostMemory, BOOST_MEMORY_LIST);

int64_t boost_class(double bytes, double trx)
{
    int64_t k = 0;
    for (double mean = trx > 0 ? bytes / trx : 0; mean >= 4; mean /= 4)
        k++;
    return k;
}

void boost_remember(BoostMemory *m, int64_t size_class, const char *way, double rate, int64_t at)
{
    BoostFound *v = m->found.v, *f = NULL;
    for (size_t i = 0; i < m->found.n; i++)
        if (v[i].size_class == size_class)
            f = &v[i];
    if (!f)
        f = wire_list_add(&m->found, sizeof *f);
    free(f->way);
    *f = (BoostFound){size_class, xstrdup(way), rate, at};
}

double boost_known_rate(const BoostMemory *m, int64_t size_class, const char *way, int64_t since)
{
    const BoostFound *v = m->found.v;
    for (size_t i = 0; i < m->found.n; i++)
        if (v[i].size_class == size_class && v[i].at >= since && str_eq(v[i].way, way))
            return v[i].rate;
    return 0;
}

size_t boost_first(const BoostMemory *m, int64_t size_class, const Flavor *f)
{
    const BoostFound *v = m->found.v, *nearest = NULL;
    for (size_t i = 0; i < m->found.n; i++)
        if (!nearest || llabs(v[i].size_class - size_class) < llabs(nearest->size_class - size_class))
            nearest = &v[i];
    for (size_t i = 0; nearest && i < BOOST_WAYS && f->ways[i].name; i++)
        if (str_eq(f->ways[i].name, nearest->way))
            return i;
    return 0;
}
