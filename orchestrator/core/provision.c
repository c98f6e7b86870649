/* SPDX-License-Identifier: Apache-2.0 */
#include "provision.h"

#include <inttypes.h>
#include <stdio.h>

#include "common/base/clock.h"
#include "topology.h"

enum { SILENT_MOST_MS = 120000, PAUSE_MOST_MS = 600000, TRIES_MOST = 3 };

const WireEnum provision_phase_names = WIRE_ENUM_NAMES(PROVISION_PHASE_VALUES);
const WireField provision_try_fields[] = WIRE_FIELDS(ProvisionTry, PROVISION_TRY_LIST);
const WireField provision_record_fields[] = WIRE_FIELDS(ProvisionRecord, PROVISION_RECORD_LIST);

char *provision_reason(const ProvisionRecord *r)
{
    return xasprintf("its data are copied to %s (%s)", r->node, r->id);
}

char *provision_order(const ProvisionRecord *r)
{
    return xasprintf("%s.%" PRId64, r->id, r->tries);
}

bool provision_is_under_way(const ProvisionRecord *r)
{
    return r->phase != PROVISION_NONE && r->phase != PROVISION_DONE && r->phase != PROVISION_FAILED;
}

static void end(ProvisionRecord *r, ProvisionPhase phase, const char *why, int64_t now_ms)
{
    r->phase = phase;
    r->ended_at = now_ms;
    str_set(&r->error, why);
    ProvisionTry *last = r->history.n ? (ProvisionTry *)r->history.v + r->history.n - 1 : NULL;
    if (!last || !str_eq(last->id, r->id))
        return;
    last->ended_at = now_ms;
    str_set(&last->error, why);
}

void provision_refused(ProvisionRecord *r, const char *why, int64_t now_ms)
{
    if (provision_is_under_way(r))
        end(r, PROVISION_FAILED, why, now_ms);
}

/* ---- what the agents say ----------------------------------------------------------------------------- */

static bool is_paused_for(const ProvisionRecord *r, const ProvisionView *v)
{
    if (!v->donor || !v->donor_heard)
        return false;
    const LeaseState *l = &v->donor->agent.lease;
    AUTOFREE char *reason = provision_reason(r);
    return l->owner && str_eq(l->reason, reason);
}

static bool stands(const ProvisionRecord *r, const ProvisionView *v)
{
    const LeaseState *l = v->donor ? &v->donor->agent.lease : NULL;
    return is_paused_for(r, v) && l->phase == PHASE_FROZEN && l->gtid && *l->gtid;
}

/* Once it has ended its own way it is let go by itself. */
static bool can_be_resumed(const ProvisionRecord *r, const ProvisionView *v)
{
    LeasePhase phase = v->donor ? v->donor->agent.lease.phase : PHASE_NONE;
    return is_paused_for(r, v) && (phase == PHASE_PAUSING || phase == PHASE_FROZEN);
}

/* NULL: it has not taken our order. */
static const FillState *filling(const ProvisionRecord *r, const ProvisionView *v)
{
    const FillState *f = v->node ? &v->node->agent.fill : NULL;
    AUTOFREE char *order = provision_order(r);
    return f && r->tries && str_eq(f->order.id, order) ? f : NULL;
}

static bool has_caught_up(const ProvisionView *v)
{
    const ServerState *s = &v->node->agent.server;
    return v->follows && s->up && s->is_replica && s->sql_running && s->io == RECEIVER_YES &&
           !v->node->agent.lease.owner && v->node->lag_ms >= 0 && v->node->lag_ms <= v->max_lag_ms;
}

static bool has_stopped(const ProvisionView *v)
{
    const ServerState *s = &v->node->agent.server;
    return s->up && s->is_replica && !s->sql_running && s->sql_error && *s->sql_error;
}

/* ---- for people -------------------------------------------------------------------------------------- */

static char *donor_waits(const ProvisionRecord *r, const ProvisionView *v)
{
    const LeaseState *l = &v->donor->agent.lease;
    if (!v->donor_heard)
        return xasprintf("waits for the agent of %s, which does not answer", r->donor);
    if (l->owner && !is_paused_for(r, v))
        return xasprintf("waits until %s is let go, which is paused %s%s", r->donor,
                         str_eq(l->owner, "manual") ? "by hand" : "for run ",
                         str_eq(l->owner, "manual") ? "" : l->owner);
    return xasprintf("waits until %s stands", r->donor);
}

static char *follower_waits(const ProvisionView *v)
{
    char lag[CLOCK_TEXT];
    const ServerState *s = &v->node->agent.server;
    if (!s->up)
        return xasprintf("waits for its server: %s", s->error ? s->error : "not seen yet");
    if (!v->follows)
        return xstrdup("waits until it replicates from the primary");
    if (s->io != RECEIVER_YES)
        return xasprintf("waits for its receiver%s%s", s->io_error && *s->io_error ? ": " : "",
                         s->io_error ? s->io_error : "");
    if (!s->sql_running)
        return xstrdup("waits for its applier");
    if (v->node->lag_ms < 0)
        return xstrdup("replication begins");
    clock_format_duration(v->node->lag_ms, lag);
    return xasprintf("catching up, %s behind", lag);
}

char *provision_waits_for(const ProvisionRecord *r, const ProvisionView *v)
{
    char silent[CLOCK_TEXT];
    if (!provision_is_under_way(r) || !v->node || !v->donor)
        return NULL;
    if (r->phase == PROVISION_PAUSING)
        return donor_waits(r, v);
    if (v->node_silent_ms) {
        clock_format_duration(v->node_silent_ms, silent);
        return xasprintf("its agent has not answered for %s", silent);
    }
    if (r->phase == PROVISION_FOLLOWING)
        return follower_waits(v);
    return filling(r, v) ? NULL : xstrdup("waits for its agent to begin");
}

/* ---- phases ------------------------------------------------------------------------------------------ */

static ProvisionAct pausing(ProvisionRecord *r, const ProvisionView *v)
{
    if (!stands(r, v) && v->now_ms - r->started_at > PAUSE_MOST_MS)
        end(r, PROVISION_FAILED, "the donor could not be paused within ten minutes", v->now_ms);
    if (!v->donor_heard || r->phase == PROVISION_FAILED)
        return PROVISION_WAIT;
    if (!stands(r, v))
        return v->donor->agent.lease.owner ? PROVISION_WAIT : PROVISION_PAUSE;
    str_set(&r->gtid, v->donor->agent.lease.gtid);
    r->tries++;
    r->phase = PROVISION_FILLING;
    return PROVISION_WAIT; /* on record first */
}

/* The donor's pause ended before the order came through. */
static ProvisionAct order_again(ProvisionRecord *r, const ProvisionView *v)
{
    if (stands(r, v) && str_eq(v->donor->agent.lease.gtid, r->gtid))
        return PROVISION_FILL;
    if (!v->donor_heard)
        return PROVISION_WAIT;
    if (r->tries >= TRIES_MOST)
        end(r, PROVISION_FAILED, "the pause of the donor ended each time before its data could be copied",
            v->now_ms);
    else
        r->phase = PROVISION_PAUSING;
    return PROVISION_WAIT;
}

static ProvisionAct filling_step(ProvisionRecord *r, const ProvisionView *v)
{
    const FillState *f = filling(r, v);
    if (v->node_silent_ms > SILENT_MOST_MS && (!f || f->phase < FILL_RESTORING)) {
        end(r, PROVISION_FAILED, "its agent has not answered for two minutes; once it does, begin again",
            v->now_ms);
        return PROVISION_WAIT;
    }
    if (v->node_silent_ms)
        return PROVISION_WAIT;
    if (!f)
        return order_again(r, v);
    if (f->phase == FILL_FAILED)
        end(r, PROVISION_FAILED, f->error, v->now_ms);
    else if (f->phase == FILL_FILLED)
        r->phase = PROVISION_FOLLOWING;
    else if (f->phase >= FILL_RESTORING && can_be_resumed(r, v))
        return PROVISION_RESUME;
    return PROVISION_WAIT;
}

ProvisionAct provision_step(ProvisionRecord *r, const ProvisionView *v)
{
    if (provision_is_under_way(r) && (!v->node || !v->donor)) {
        AUTOFREE char *why = xasprintf("%s is not in sidingd.conf any more", v->node ? r->donor : r->node);
        end(r, PROVISION_FAILED, why, v->now_ms);
    }
    switch (r->phase) {
    case PROVISION_PAUSING:
        return pausing(r, v);
    case PROVISION_FILLING:
        return filling_step(r, v);
    case PROVISION_FOLLOWING:
        if (can_be_resumed(r, v))
            return PROVISION_RESUME;
        if (!v->node_silent_ms && has_caught_up(v))
            end(r, PROVISION_DONE, NULL, v->now_ms);
        else if (!v->node_silent_ms && has_stopped(v))
            end(r, PROVISION_FAILED, v->node->agent.server.sql_error, v->now_ms);
        return PROVISION_WAIT;
    case PROVISION_DONE:
    case PROVISION_FAILED:
        return can_be_resumed(r, v) ? PROVISION_RESUME : PROVISION_WAIT;
    default:
        return PROVISION_WAIT;
    }
}

/* ---- before it begins -------------------------------------------------------------------------------- */

/* 10.11 is 1011. */
static int64_t version_number(const char *text)
{
    int major = 0, minor = 0;
    return text && sscanf(text, "%d.%d", &major, &minor) == 2 ? (int64_t)major * 100 + minor : 0;
}

static bool is_seen(const Node *n, Err *err)
{
    if (n->agent_error || !n->agent.node)
        return err_set(err, ERR_UNREACHABLE, 0,
                       "the agent of %s does not answer%s%s: start it, and name it in "
                       "sidingd.conf",
                       n->name, n->agent_error ? ": " : "", n->agent_error ? n->agent_error : "");
    return n->agent.server.up ||
           err_set(err, ERR_UNREACHABLE, 0, "the server of %s does not answer: %s", n->name,
                   n->agent.server.error ? n->agent.server.error : "not seen yet");
}

bool provision_may_begin(const Node *node, const Node *donor, const Node *primary, bool replaces, Err *err)
{
    const ServerState *s = &node->agent.server;
    if (!is_seen(node, err))
        return false;
    if (!primary || node == primary)
        return err_set(err, ERR_REFUSED, 0,
                       primary ? "%s is the primary" : "the primary is not known: %s waits", node->name);
    AUTOFREE char *mixed = topology_mixed(primary, node);
    if (mixed)
        return err_set(err, ERR_REFUSED, 0, "%s %s", node->name, mixed);
    if (version_number(s->version) < version_number(primary->agent.server.version))
        return err_set(err, ERR_REFUSED, 0, "%s is %s and the primary %s: a replica must not be older",
                       node->name, s->version, primary->agent.server.version);
    if (s->is_replica && !replaces)
        return err_set(err, ERR_REFUSED, 0,
                       "%s is a replica already: siding replica reprovision replaces its data", node->name);
    if (!donor)
        return err_set(err, ERR_REFUSED, 0, "no replica serves whose data could be copied");
    if (donor == node || donor == primary)
        return err_set(err, ERR_REFUSED, 0, "%s cannot be the donor: it is %s", donor->name,
                       donor == primary ? "the primary, which is not paused" : "the node itself");
    if (!is_seen(donor, err))
        return false;
    NodeHealth health = topology_node_health(donor, primary->name);
    return health == NODE_SERVING || err_set(err, ERR_REFUSED, 0, "%s cannot be the donor: it is %s",
                                             donor->name, wire_enum_name(&node_health_names, (int)health));
}

bool provision_is_blank(const NodeState *s)
{
    const ServerState *v = &s->server;
    bool fills = s->fill.phase != FILL_NONE && s->fill.phase != FILL_FILLED &&
                 (s->fill.phase != FILL_FAILED || s->fill.touched);
    return fills || (v->up && !v->is_replica && (!v->applied || !*v->applied) && (!v->binlog || !*v->binlog));
}
