/* SPDX-License-Identifier: Apache-2.0 */
#include "pause_impl.h"

#include "agent.h"
#include "common/base/clock.h"
#include "common/base/log.h"

enum { RETRIES_SLOWER = 20 };

void pause_note_rescue(Agent *a, const Step *s)
{
    LeaseRescue *r = &a->pause.lease.rescue;
    bool same = str_eq(r->target, s->held_gtid);
    free(r->target);
    r->target = xstrdup(s->held_gtid);
    if (!same || !r->from) {
        free(r->from);
        r->from = xstrdup(s->from);
        r->total = s->backlog;
        r->tries = 0;
    }
    r->done = r->done_before = r->total > s->backlog ? r->total - s->backlog : 0;
    r->started_at = clock_wall_ms();
    r->rate = 0;
    r->eta_s = -1;
    r->tries++;
    log_warn("%lld transactions in the relay files are not applied (%s, up to %s): they are applied before "
             "replication is started",
             (long long)s->backlog, s->from, s->held_gtid);
}

void pause_rescue(Agent *a, const Step *s)
{
    Pause *p = &a->pause;
    if (p->state != PAUSE_NONE || p->beginning)
        return;
    wire_free(lease_fields, &p->lease);
    p->lease = (Lease){.owner = xstrdup(LEASE_RESCUE),
                       .reason = xstrdup("the relay files hold transactions that nobody has applied"),
                       .gtid = xstrdup(s->status.applied),
                       .restarted = true,
                       .boot_id = xstrdup(clock_boot_id()),
                       .taken_mono_ms = clock_mono_ms(),
                       .taken_at = clock_wall_ms()};
    wire_copy(lease_server_fields, &p->lease.server, &s->server);
    pause_note_rescue(a, s);
    pause_apply(a, PAUSE_EV_RESCUE);
}

void pause_rescue_ended(Agent *a, bool ok, const char *why)
{
    Pause *p = &a->pause;
    if (p->state != PAUSE_RESCUING)
        return;
    if (ok) {
        log_info("all that was received is applied, up to %s", p->lease.rescue.target);
        p->lease.stalled = false;
        pause_trouble(a, NULL);
        pause_apply(a, PAUSE_EV_RESCUED);
        return;
    }
    if (a->server.up && a->server.status.io != REPL_IO_NO) {
        log_warn("%s", why);
        pause_apply(a, PAUSE_EV_RESCUE_DISTURBED);
        return;
    }
    pause_apply(a, PAUSE_EV_RESCUE_FAILED);
    pause_again_later(a, why);
    p->retry_ms +=
        PAUSE_RETRY_MS * (p->lease.rescue.tries < RETRIES_SLOWER ? p->lease.rescue.tries++ : RETRIES_SLOWER);
}
