/* SPDX-License-Identifier: Apache-2.0 */
#include "release_judge.h"

#include "common/base/clock.h"

static char *rescuing(const RescueState *r)
{
    char left[CLOCK_TEXT];
    if (r->rate <= 0 || r->eta_s < 0)
        return xasprintf("applying what the relay files hold: %lld of %lld transactions", (long long)r->done,
                         (long long)r->total);
    clock_format_duration((int64_t)(r->eta_s * 1000), left);
    return xasprintf("applying what the relay files hold: %lld of %lld transactions, %.0f/s, %s left",
                     (long long)r->done, (long long)r->total, r->rate, left);
}

static const char *or_none(const char *s)
{
    return s && *s ? s : "none";
}

static ReleaseStep without_lease(const ServerState *v, char **ret_text)
{
    bool receives = v->io && v->io != RECEIVER_NO;
    if (v->sql_running && receives) {
        *ret_text = xasprintf("replication runs, applied up to %s%s", or_none(v->applied),
                              v->io == RECEIVER_YES ? "" : "; its source does not answer");
        return RELEASE_DONE;
    }
    *ret_text = xasprintf("no pause of Siding is in force, and the %s does not run%s%s",
                          v->sql_running ? "receiver" : "applier", v->sql_error && *v->sql_error ? ": " : "",
                          v->sql_error ? v->sql_error : "");
    return RELEASE_NOT_OURS;
}

ReleaseStep release_judge(const NodeState *s, char **ret_text)
{
    if (!s->server.up) {
        *ret_text =
            xasprintf("waiting for the server: %s", s->server.error ? s->server.error : "not seen yet");
        return RELEASE_GOES_ON;
    }
    if (!s->server.is_replica && !s->lease.owner) {
        *ret_text = xstrdup("this server is not a replica");
        return RELEASE_NOT_OURS;
    }
    if (!s->lease.owner)
        return without_lease(&s->server, ret_text);
    if (s->lease.phase == PHASE_RESCUING)
        *ret_text = rescuing(&s->rescue);
    else if (s->lease.phase == PHASE_CATCHING_UP)
        *ret_text = xasprintf("catching up, applied up to %s", or_none(s->server.applied));
    else
        *ret_text = xstrdup(WIRE_TEXT(lease_phase_names, &s->lease, phase));
    return RELEASE_GOES_ON;
}
