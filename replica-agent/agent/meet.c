/* SPDX-License-Identifier: Apache-2.0
 * What the agent does when it meets a server process for the first time, at its own start or after a
 * restart of the server: core/boot.c decides, this acts. server.json keeps which process has been dealt
 * with; a start of replication counts as done only once it runs.
 */
#include <string.h>

#include "agent.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/db/flavor.h"
#include "replica-agent/core/boot.h"
#include "store.h"

enum { RETRY_MS = 1000 };

static void remember(Agent *a)
{
    Err err;
    wire_free(lease_server_fields, &a->known);
    wire_copy(lease_server_fields, &a->known, &a->server.id);
    if (!store_write(a, "server.json", lease_server_fields, &a->known, &err))
        log_warn("%s", err.text);
}

static BootOwner owner_of(Agent *a)
{
    const char *owner = a->pause.lease.owner;
    if (a->pause.state == PAUSE_NONE)
        return BOOT_OWNER_GONE;
    if (str_eq(owner, LEASE_MANUAL))
        return pause_left_ms(a) > 0 ? BOOT_OWNER_ALIVE : BOOT_OWNER_GONE;
    const Runner *r = run_find(a, owner);
    if (!r || !run_is_under_way(r))
        return BOOT_OWNER_GONE;
    return r->state == RUN_RESUMING ? BOOT_OWNER_ENDING : BOOT_OWNER_ALIVE;
}

static BootServer same_server(Agent *a)
{
    bool leased = a->pause.state != PAUSE_NONE && a->pause.lease.server.boot_id;
    if (!leased && !a->known.boot_id)
        return BOOT_OTHER; /* never seen: ours to start */
    const LeaseServer *before = leased ? &a->pause.lease.server : &a->known;
    return lease_server_compare(before, &a->server.id) == SERVER_OTHER ? BOOT_OTHER : BOOT_SAME;
}

static void server_restarted(Agent *a, PauseEvent ev, const char *why)
{
    Lease *l = &a->pause.lease;
    wire_free(lease_server_fields, &l->server);
    wire_copy(lease_server_fields, &l->server, &a->server.id);
    l->restarted = true;
    pause_void(a, ev, why);
}

static void act(Agent *a, BootAction action)
{
    switch (action) {
    case BOOT_NOTHING:
    case BOOT_LEAVE_ALONE:
        break;
    case BOOT_START:
        a->start_due = true;
        a->start_retry_ms = 0;
        return; /* remembered once it runs */
    case BOOT_CONTINUE:
        pause_again(a);
        break;
    case BOOT_RELEASE:
        pause_event(a, PAUSE_EV_RELEASE);
        break;
    case BOOT_GIVE_UP:
        pause_void(a, PAUSE_EV_RELEASE,
                   "the agent was started anew while the replica was brought to the common GTID");
        break;
    case BOOT_MOVED:
        pause_void(a, PAUSE_EV_MOVED,
                   "the applier was started by somebody else during the pause: the frozen state is lost");
        break;
    case BOOT_RESTARTED:
        server_restarted(a, PAUSE_EV_RESTARTED,
                         "the server restarted under the job: the frozen state is lost");
        break;
    case BOOT_RESTARTED_HELD:
        server_restarted(a, PAUSE_EV_RESTARTED_HELD,
                         "the server restarted; the pause is held, replication stays stopped");
        break;
    }
    remember(a);
}

void meet_server(Agent *a)
{
    const ReplStatus *st = &a->server.status;
    a->met = true;
    a->start_due = false;
    a->role.confirmed = a->role.settled = false;
    if (st->is_replica || a->pause.state != PAUSE_NONE) {
        const BootRow *row =
            boot_decide(a->pause.state, same_server(a), boot_threads(st->io, st->sql_running), owner_of(a),
                        a->pause.lease.hold);
        log_info("met the server: %s", row->reason);
        act(a, row->action);
    } else {
        remember(a);
    }
    if (!a->runs_met)
        run_met(a);
    a->runs_met = true;
}

/* ---- replication is ours to start, without a lease ------------------------------------------------- */

static void set_trouble(Agent *a, const char *text)
{
    if (str_eq(a->start_trouble, text))
        return;
    if (text)
        log_error("%s", text);
    free(a->start_trouble);
    a->start_trouble = xstrdup(text);
    agent_changed(a);
}

static void on_started(Agent *a, Step *s)
{
    a->start_in_flight = false;
    vault_learn(a, &s->place);
    if (!a->start_due)
        return;
    if (s->way == START_RESCUE && s->result == STEP_WAITING) {
        a->start_due = false;
        set_trouble(a, NULL);
        pause_rescue(a, s);
        remember(a); /* the lease goes on from here */
        return;
    }
    if (s->result == STEP_OK) {
        log_info("replication is running (%s)",
                 s->way == START_NOT_NEEDED ? "it ran already" : "started by this agent");
        a->start_due = false;
        set_trouble(a, NULL);
        remember(a);
        return;
    }
    set_trouble(a, s->err.text);
    a->start_retry_ms = clock_mono_ms() + RETRY_MS;
}

void meet_tick(Agent *a)
{
    Err err;
    if (!a->start_due || a->start_in_flight || !a->server.up || clock_mono_ms() < a->start_retry_ms)
        return;
    Step *s = step_new(a, STEP_START, on_started);
    s->fresh_server = s->may_end_rescue = true;
    if (step_submit(s, &err))
        a->start_in_flight = true;
    else
        log_warn("%s", err.text);
}

/* ---- role ------------------------------------------------------------------------------------------ */

/* clang-format off */
#define ROW(f, type) {#f, type, offsetof(Role, f), NULL, 0}
static const WireField role_fields[] = {
    ROW(role, WIRE_STR), ROW(term, WIRE_INT), ROW(seen_term, WIRE_INT), {NULL, WIRE_STR, 0, NULL, 0},
};
/* clang-format on */

void role_load(Agent *a)
{
    Err err;
    if (!store_read(a, "role.json", role_fields, &a->role, &err) && err.kind != ERR_NOT_FOUND)
        log_error("%s", err.text);
    if (!store_read(a, "server.json", lease_server_fields, &a->known, &err) && err.kind != ERR_NOT_FOUND)
        log_error("%s", err.text);
}

static bool save_role(Agent *a, Err *err)
{
    return store_write(a, "role.json", role_fields, &a->role, err);
}

bool role_heard_term(Agent *a, int64_t term, Err *err)
{
    if (term <= 0)
        return true;
    a->coordinator_ms = clock_mono_ms();
    if (term < a->role.seen_term)
        return err_set(err, ERR_STALE_TERM, 0, "term %lld has passed: %s has heard of term %lld",
                       (long long)term, a->conf.node, (long long)a->role.seen_term);
    if (term > a->role.seen_term) {
        a->role.seen_term = term;
        agent_changed(a);
        if (!save_role(a, err))
            return false;
    }
    if (a->role.role && term == a->role.term)
        a->role.confirmed = true;
    return true;
}

bool role_set(Agent *a, const char *role, int64_t term, Err *err)
{
    if (!str_eq(role, "primary") && !str_eq(role, "replica"))
        return err_set(err, ERR_USAGE, 0, "role \"%s\" is neither primary nor replica", role);
    if (term <= 0)
        return err_set(err, ERR_USAGE, 0, "a role needs a term");
    if (!role_heard_term(a, term, err))
        return false;
    if (!str_eq(a->role.role, role) || a->role.term != term) {
        log_info("role: %s in term %lld", role, (long long)term);
        free(a->role.role);
        a->role.role = xstrdup(role);
        a->role.term = term;
        a->role.settled = false;
        if (!save_role(a, err))
            return false;
    }
    a->role.confirmed = true;
    a->role.retry_ms = 0;
    agent_changed(a);
    return true;
}

static void on_role(Agent *a, Step *s)
{
    a->role.in_flight = false;
    if (s->result == STEP_OK) {
        log_info("the server is %s now, as the %s's should be", s->open ? "writable" : "read-only",
                 a->role.role);
        a->server.status.read_only = !s->open;
        a->role.settled = s->open == str_eq(a->role.role, "primary");
        agent_changed(a);
        return;
    }
    log_error("read_only could not be set: %s", s->err.text);
    a->role.retry_ms = clock_mono_ms() + RETRY_MS;
}

/* A server is opened only on a role that the coordinator has repeated since the server started. */
void role_tick(Agent *a)
{
    Err err;
    Role *r = &a->role;
    bool primary = str_eq(r->role, "primary");
    if (!r->role || !r->confirmed || r->in_flight || !a->server.up || !a->met ||
        clock_mono_ms() < r->retry_ms)
        return;
    if (primary != a->server.status.read_only && r->settled)
        return; /* as it should be */
    if (primary && a->server.status.is_replica)
        return; /* it still replicates: promotion is not done by opening it */
    if (primary && a->pause.state != PAUSE_NONE && a->pause.lease.boosted)
        return; /* not with relaxed settings: the end of the lease puts them back */
    Step *s = step_new(a, STEP_ROLE, on_role);
    s->open = primary;
    if (step_submit(s, &err))
        r->in_flight = true;
    else
        log_warn("%s", err.text);
}
