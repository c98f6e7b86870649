/* SPDX-License-Identifier: Apache-2.0 */
#include "catchup.h"

#include <string.h>

enum { RECENT_MS = 2000, RECENT_SAMPLES = 6 };

void catchup_start(Catchup *c, DbFlavor flavor, const char *applied, int64_t now_ms)
{
    catchup_done(c);
    c->flavor = flavor;
    c->start_applied = xstrdup(applied ? applied : "");
    c->started_ms = now_ms;
    c->backlog_bytes = c->end_ms = -1;
}

void catchup_done(Catchup *c)
{
    free(c->start_applied);
    free(c->target);
    free(c->exec_file);
    *c = (Catchup){0};
}

void catchup_rates_anew(Catchup *c)
{
    c->n = 0;
    c->end_ms = -1;
}

int64_t catchup_backlog_bytes(const ReplStatus *s)
{
    if (!s->exec_file || !*s->exec_file)
        return -1;
    bool same = str_eq(s->exec_file, s->read_file);
    int64_t left = same ? s->read_pos - s->exec_pos : s->relay_bytes - s->relay_pos;
    return left > 0 ? left : 0;
}

/* ---- rates ---------------------------------------------------------------------------------------- */

/* At a change of file the rest of the old one is not counted: a reading's worth of it. */
static void count_bytes(Catchup *c, const CatchupReading *r)
{
    int64_t from = str_eq(c->exec_file, r->exec_file) ? c->exec_pos : 0;
    if (c->exec_file && r->exec_pos > from)
        c->bytes += (double)(r->exec_pos - from);
    if (!str_eq(c->exec_file, r->exec_file)) {
        free(c->exec_file);
        c->exec_file = xstrdup(r->exec_file);
    }
    c->exec_pos = r->exec_pos;
}

/* A full row loses every second sample: it goes on to span the whole time, coarser. */
static void thin_out(Catchup *c)
{
    size_t kept = 0;
    for (size_t i = 0; i < c->n; i += 2)
        c->samples[kept++] = c->samples[i];
    c->n = kept;
}

/* The later half of the time: what came first was applied with cold caches. */
static const CatchupSample *oldest_that_counts(const Catchup *c, int64_t now_ms)
{
    int64_t half = (now_ms - c->samples[0].at_ms) / 2;
    int64_t from = now_ms - (half > RECENT_MS ? half : RECENT_MS);
    size_t i = 0;
    while (i + RECENT_SAMPLES < c->n && c->samples[i].at_ms < from)
        i++;
    return &c->samples[i];
}

/* Seconds until nothing is left, -1 if it does not get less. What arrives meanwhile has to be applied too:
 * the backlog shrinks by the difference. */
static double time_left(double left, double before, double seconds)
{
    double shrink = seconds > 0 ? (before - left) / seconds : 0;
    return left <= 0 ? 0 : shrink > 0 ? left / shrink : -1;
}

static void add_sample(Catchup *c, const CatchupSample *s)
{
    if (c->n == CATCHUP_WINDOW)
        thin_out(c);
    c->samples[c->n++] = *s;
    const CatchupSample *from = oldest_that_counts(c, s->at_ms);
    double seconds = (double)(s->at_ms - from->at_ms) / 1000;
    if (seconds > 0) {
        c->rate = (double)(s->trx - from->trx) / seconds;
        c->byte_rate = (s->bytes - from->bytes) / seconds;
    }
    bool in_bytes = c->backlog_bytes >= 0 && s->bytes > from->bytes;
    double eta = in_bytes ? time_left(s->bytes_left, from->bytes_left, seconds)
                          : time_left((double)s->trx_left, (double)from->trx_left, seconds);
    c->end_ms = eta < 0 ? -1 : s->at_ms + (int64_t)(eta * 1000);
}

/* Large transactions end rarely: what counts is the time from one end to another, and what it says holds
 * until the next. */
static void measure(Catchup *c, int64_t now_ms)
{
    CatchupSample s = {now_ms, c->applied, c->backlog > 0 ? c->backlog : 0, c->bytes,
                       c->backlog_bytes > 0 ? (double)c->backlog_bytes : 0};
    if (!c->n || s.trx != c->samples[c->n - 1].trx || !s.trx_left)
        add_sample(c, &s);
    c->eta_s = c->end_ms < 0 ? -1 : c->end_ms > now_ms ? (double)(c->end_ms - now_ms) / 1000 : 0;
}

/* ---- the end -------------------------------------------------------------------------------------- */

static bool reached(const Catchup *c, const char *applied)
{
    GtidOrder o = gtid_compare_text(c->flavor, applied, c->target);
    return o == GTID_EQUAL || o == GTID_AFTER;
}

static bool is_told(const CatchupReading *r)
{
    return r->primary && *r->primary && r->connected && r->now_ms - r->primary_ms <= CATCHUP_FRESH_MS;
}

static void set_target(Catchup *c, const CatchupReading *r)
{
    c->target_told = is_told(r);
    free(c->target);
    c->target = xstrdup(c->target_told ? r->primary : r->received);
    c->target_ms = r->now_ms;
}

static bool near_the_end(Catchup *c, const CatchupReading *r)
{
    /* A position that was told and is told no more may never be reached: its primary is gone. */
    if (!c->target || (c->target_told && !is_told(r)))
        set_target(c, r);
    if (reached(c, r->applied)) {
        if (r->now_ms - c->target_ms > CATCHUP_LAG_MS)
            c->near_ms = 0;
        else if (!c->near_ms)
            c->near_ms = r->now_ms;
        set_target(c, r);
    } else if (r->now_ms - c->target_ms > CATCHUP_LAG_MS) {
        c->near_ms = 0;
    }
    return c->near_ms && r->now_ms - c->near_ms >= CATCHUP_HOLD_MS;
}

/* Between two waits it applies what has become due. */
static bool waits_for_delay(Catchup *c, const CatchupReading *r)
{
    if (!r->waits_for_delay)
        return false;
    if (!c->due_ms || r->now_ms - c->due_last_ms > CATCHUP_LAG_MS)
        c->due_ms = r->now_ms;
    c->due_last_ms = r->now_ms;
    return r->now_ms - c->due_ms >= CATCHUP_HOLD_MS;
}

bool catchup_sample(Catchup *c, const CatchupReading *r)
{
    int64_t done = gtid_behind_text(c->flavor, c->start_applied, r->applied);
    bool known = *r->received;
    c->applied = done > 0 ? done : 0;
    c->backlog = known ? gtid_behind_text(c->flavor, r->applied, r->received) : r->coordinates_equal ? 0 : -1;
    c->backlog_bytes = r->backlog_bytes;
    count_bytes(c, r);
    measure(c, r->now_ms);
    bool due = waits_for_delay(c, r);
    return (known ? near_the_end(c, r) : r->coordinates_equal) || due;
}

void lag_done(Lag *l)
{
    free(l->target);
    *l = (Lag){.lag_ms = -1};
}

void lag_sample(Lag *l, DbFlavor flavor, const char *applied, const char *received, int64_t begun_ms,
                int64_t now_ms)
{
    if (!applied || !received || !*received) {
        lag_done(l);
        return;
    }
    GtidOrder o = gtid_compare_text(flavor, applied, l->target ? l->target : received);
    bool reached = o == GTID_EQUAL || o == GTID_AFTER;
    /* Under load the target is never met at the instant it is set: reached by the next reading counts as
     * none. */
    if (reached || !l->target)
        l->lag_ms = 0;
    else
        l->lag_ms = now_ms - l->target_ms;
    if (!reached && l->target)
        return;
    free(l->target);
    l->target = xstrdup(received);
    l->target_ms = begun_ms;
}
