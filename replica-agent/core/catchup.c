/* SPDX-License-Identifier: Apache-2.0 */
#include "catchup.h"

#include <string.h>

void catchup_start(Catchup *c, DbFlavor flavor, const char *applied, int64_t now_ms)
{
    catchup_done(c);
    c->flavor = flavor;
    c->start_applied = xstrdup(applied ? applied : "");
    c->started_ms = now_ms;
}

void catchup_done(Catchup *c)
{
    free(c->start_applied);
    free(c->target);
    *c = (Catchup){0};
}

/* Rate of the last few seconds: the whole run's average would lag behind every change of load. */
static void measure(Catchup *c, int64_t applied, int64_t backlog, int64_t now_ms)
{
    c->samples[c->next] = (CatchupSample){now_ms, backlog, applied};
    c->next = (c->next + 1) % CATCHUP_WINDOW;
    c->n += c->n < CATCHUP_WINDOW;
    const CatchupSample *oldest = &c->samples[c->n < CATCHUP_WINDOW ? 0 : c->next];
    double seconds = (double)(now_ms - oldest->at_ms) / 1000;
    if (seconds > 0)
        c->rate = (double)(applied - oldest->applied) / seconds;
    /* What arrives meanwhile has to be applied too: the backlog shrinks by the difference. */
    double shrink = seconds > 0 ? (double)(oldest->backlog - backlog) / seconds : 0;
    c->eta_s = backlog <= 0 ? 0 : shrink > 0 ? (double)backlog / shrink : -1;
}

static bool reached(const Catchup *c, const char *applied)
{
    GtidOrder o = gtid_compare_text(c->flavor, applied, c->target);
    return o == GTID_EQUAL || o == GTID_AFTER;
}

bool catchup_sample(Catchup *c, const char *applied, const char *received, bool coordinates_equal,
                    int64_t now_ms)
{
    int64_t done = gtid_behind_text(c->flavor, c->start_applied, applied);
    int64_t backlog = *received ? gtid_behind_text(c->flavor, applied, received) : coordinates_equal ? 0 : -1;
    c->applied = done > 0 ? done : 0;
    c->backlog = backlog;
    measure(c, c->applied, backlog > 0 ? backlog : 0, now_ms);
    if (!*received)
        return coordinates_equal;
    if (c->target && reached(c, applied)) {
        if (now_ms - c->target_ms <= CATCHUP_LAG_MS)
            return true;
        free(STEAL(c->target));
    }
    if (!c->target) {
        c->target = xstrdup(received);
        c->target_ms = now_ms;
        return reached(c, applied);
    }
    return false;
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
