/* SPDX-License-Identifier: Apache-2.0
 * The role that the coordinator gives, and the term it speaks in. A term that was heard is on disk before
 * anything that was asked in it happens; a server is opened only on a role that the coordinator has repeated
 * since the server started.
 */
#include "step_parts.h"

enum { RETRY_MS = 1000 };

static RoleRecord *record(Turn *t)
{
    return &t->s->durable.role;
}

static void hear(Turn *t, int64_t term)
{
    RoleRecord *r = record(t);
    if (term <= 0)
        return;
    t->s->known.coordinator_ms = t->now_ms;
    if (term > r->seen_term) {
        r->seen_term = term;
        t->s->changed.role = true;
        fx_changed(t);
    }
    if (r->role && term == r->term)
        t->s->flight.role.confirmed = true;
}

static void heard(Turn *t, Input *in)
{
    Known *k = &t->s->known;
    if (in->number && in->number < record(t)->seen_term)
        return; /* the request was answered so; nothing it says counts */
    hear(t, in->number);
    if (in->text) {
        free(k->primary);
        k->primary = STEAL(in->text);
        k->primary_ms = t->now_ms;
    }
    if (in->flag2)
        k->sole = in->flag;
}

static void give(Turn *t, Input *in)
{
    Err err;
    RoleRecord *r = record(t);
    RoleFlight *f = &t->s->flight.role;
    if (in->number < r->seen_term) {
        err_set(&err, ERR_STALE_TERM, 0, "term %lld has passed: %s has heard of term %lld",
                (long long)in->number, t->s->known.rules.node, (long long)r->seen_term);
        fx_answer(t, in->token, NULL, &err);
        return;
    }
    hear(t, in->number);
    NodeRole role = (NodeRole)wire_enum_find(&node_role_names, in->text);
    if (r->role != role || r->term != in->number) {
        fx_log(t, LOG_LEVEL_INFO, "role: %s in term %lld", in->text, (long long)in->number);
        r->role = role;
        r->term = in->number;
        f->settled = false;
        t->s->changed.role = true;
    }
    f->confirmed = true;
    f->retry_ms = 0;
    fx_changed(t);
    fx_answer(t, in->token, NULL, NULL);
}

void role_input(Turn *t, Input *in)
{
    if (in->kind == IN_ROLE)
        give(t, in);
    else
        heard(t, in);
}

void role_op(Turn *t, const OpReport *op)
{
    RoleFlight *f = &t->s->flight.role;
    if (op->id != f->op)
        return;
    f->op = 0;
    if (op->end != END_OK) {
        if (op->end != END_BUSY)
            fx_log(t, LOG_LEVEL_ERROR, "read_only could not be set: %s", op->err.text);
        f->retry_ms = t->now_ms + RETRY_MS;
        return;
    }
    fx_log(t, LOG_LEVEL_INFO, "the server is %s now, as the %s's should be",
           op->open ? "writable" : "read-only", WIRE_TEXT(node_role_names, record(t), role));
    t->s->known.server.status.read_only = !op->open;
    f->settled = op->open == (record(t)->role == ROLE_PRIMARY);
    fx_changed(t);
}

void role_tick(Turn *t)
{
    const AgentState *s = t->s;
    const RoleRecord *r = &s->durable.role;
    RoleFlight *f = &t->s->flight.role;
    bool primary = r->role == ROLE_PRIMARY;
    if (!r->role || !f->confirmed || f->op || f->unwritten || s->changed.role || !s->known.server.up ||
        !s->flight.boot.seen || t->now_ms < f->retry_ms)
        return;
    if (primary != s->known.server.status.read_only && f->settled)
        return; /* as it should be */
    if (primary && s->known.server.status.is_replica)
        return; /* it still replicates: promotion is not done by opening it */
    if (primary && s->durable.pause != PAUSE_NONE && s->durable.lease.boosted)
        return; /* not with relaxed settings: the end of the lease puts them back */
    OpOrder *o = fx_sql(t, OP_ROLE, false);
    o->open = primary;
    f->op = o->id;
}
