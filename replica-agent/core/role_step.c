/* SPDX-License-Identifier: Apache-2.0
 * The role that the coordinator gives, and the term it speaks in. A term that was heard is on disk before
 * anything that was asked in it happens; a server is opened only on a role that the coordinator has repeated
 * since the server started. A primary is opened once in a server process and term: who closes it later means
 * it, and a verb opens it again; a replica is closed whenever it is found open.
 */
#include "step_parts.h"
#include "term.h"

enum { RETRY_MS = 1000, CUT_AGAIN_MS = 3000 };

static RoleRecord *record(Turn *t)
{
    return &t->s->durable.role;
}

/* A coordinator speaks in one term before a failover and after it. A node that was away meanwhile knows
 * nothing of it: as the primary it opens only where it was called that since. */
static bool is_repeated(const Turn *t, int64_t term, NodeRole said)
{
    const RoleRecord *r = &t->s->durable.role;
    bool was_decided = t->s->durable.vote.vote.accepted.version;
    return r->role && term == r->term && (r->role != ROLE_PRIMARY || !was_decided || said == ROLE_PRIMARY);
}

static void hear(Turn *t, int64_t term, const char *owner, NodeRole said)
{
    RoleRecord *r = record(t);
    if (term <= 0)
        return;
    t->s->known.coordinator_ms = t->now_ms;
    if (term > r->seen_term) {
        r->seen_term = term;
        free(STEAL(r->seen_owner));
        t->s->changed.role = true;
        fx_changed(t);
    }
    if (term == r->seen_term && owner && *owner && !r->seen_owner) {
        str_put(&r->seen_owner, owner);
        t->s->changed.role = true;
    }
    if (is_repeated(t, term, said))
        t->s->flight.role.confirmed = true;
}

static void heard(Turn *t, Input *in)
{
    Known *k = &t->s->known;
    Err ignored;
    if (in->number && !term_is_of(record(t)->seen_term, record(t)->seen_owner, in->number, in->by,
                                  t->s->known.rules.node, &ignored))
        return; /* the request was answered so; nothing it says counts */
    hear(t, in->number, in->by, in->role);
    run_heard(t, in->total);
    if (in->text) {
        free(k->primary);
        k->primary = STEAL(in->text);
        k->primary_ms = t->now_ms;
    }
    if (in->written) {
        wire_free(written_fields, &k->source.written);
        wire_copy(written_fields, &k->source.written, in->written);
        k->source.at_ms = t->now_ms;
    }
    if (in->flag2)
        k->sole = in->flag;
}

static void give(Turn *t, Input *in)
{
    Err err;
    RoleRecord *r = record(t);
    RoleFlight *f = &t->s->flight.role;
    if (!term_is_of(r->seen_term, r->seen_owner, in->number, in->by, t->s->known.rules.node, &err)) {
        fx_answer(t, in->token, NULL, &err);
        return;
    }
    NodeRole role = (NodeRole)wire_enum_find(&node_role_names, in->text);
    const WireDecision *d = &t->s->durable.vote.vote.accepted;
    if (d->version && (role == ROLE_PRIMARY) != str_eq(d->primary, t->s->known.rules.node)) {
        err_set(&err, ERR_CONFLICT, 0,
                "%s cannot be the %s: the agents have accepted %s as the primary in term %lld",
                t->s->known.rules.node, in->text, d->primary, (long long)d->ballot.term);
        fx_answer(t, in->token, NULL, &err);
        return;
    }
    hear(t, in->number, in->by, role);
    if (r->role != role || r->term != in->number) {
        fx_log(t, LOG_LEVEL_INFO, "role: %s in term %lld", in->text, (long long)in->number);
        r->role = role;
        r->term = in->number;
        r->opened = r->closed_by_hand = false;
        f->settled = false;
        t->s->changed.role = true;
    }
    f->confirmed = true;
    f->retry_ms = 0;
    fx_changed(t);
    fx_answer(t, in->token, NULL, NULL);
}

/* The role is the coordinator's to give again, in the new term. */
static void set_term(Turn *t, Input *in)
{
    RoleRecord *r = record(t);
    fx_log(t, LOG_LEVEL_WARN, "the term is %lld by hand, it was %lld", (long long)in->number,
           (long long)r->seen_term);
    r->seen_term = in->number;
    free(STEAL(r->seen_owner));
    r->term = 0;
    r->opened = r->closed_by_hand = false;
    t->s->flight.role.confirmed = false;
    t->s->changed.role = true;
    fx_changed(t);
    fx_answer(t, in->token, NULL, NULL);
}

/* ---- opened once ---------------------------------------------------------------------------------------
 */

static bool was_opened(const AgentState *s)
{
    const RoleRecord *r = &s->durable.role;
    return r->role == ROLE_PRIMARY && r->opened &&
           lease_server_compare(&r->opened_on, &s->known.server.id) != SERVER_OTHER;
}

bool role_is_closed_by_hand(const AgentState *s)
{
    return s->durable.role.closed_by_hand && was_opened(s);
}

void role_note_opened(Turn *t)
{
    RoleRecord *r = record(t);
    if (r->role != ROLE_PRIMARY)
        return;
    wire_free(lease_server_fields, &r->opened_on);
    wire_copy(lease_server_fields, &r->opened_on, &t->s->known.server.id);
    r->opened = true;
    r->closed_by_hand = false;
    t->s->changed.role = true;
    t->s->flight.role.since_ms = t->now_ms;
}

void role_reading(Turn *t)
{
    RoleRecord *r = record(t);
    const ServerView *v = &t->s->known.server;
    const RoleFlight *f = &t->s->flight.role;
    if (r->opened && !vote_decides_open(t->s)) { /* closed by a failover: opened again once that allows it */
        r->opened = r->closed_by_hand = false;
        t->s->changed.role = true;
    }
    const VoteFlight *vote = &t->s->flight.vote; /* what it closes, it notes as not opened */
    if (v->status.is_replica || f->op || vote->order.kind || vote->op || v->begun_ms <= f->since_ms ||
        !was_opened(t->s) || v->status.closed == r->closed_by_hand)
        return;
    r->closed_by_hand = v->status.closed;
    t->s->changed.role = true;
    fx_changed(t);
    if (v->status.closed)
        fx_event(t, "warn", "role", NULL,
                 "%s, the primary, was closed to writes (read_only) by somebody else: it stays so; siding "
                 "cluster open opens it",
                 t->s->known.rules.node);
    else
        fx_event(t, "info", "role", NULL, "%s, the primary, is open to writes again", t->s->known.rules.node);
}

static bool may_open(const AgentState *s, Err *err)
{
    const char *node = s->known.rules.node;
    if (!server_is_ours(s, err))
        return false;
    if (s->durable.role.role != ROLE_PRIMARY || !vote_lets_open(s))
        return err_set(err, ERR_REFUSED, 0, "%s is not the primary%s: it stays read-only", node,
                       s->durable.role.role == ROLE_PRIMARY ? " that the agents have agreed on" : "");
    if (!s->known.server.up)
        return err_set(err, ERR_CONFLICT, 0, "the server of %s does not answer", node);
    if (s->known.server.status.is_replica)
        return err_set(err, ERR_REFUSED, 0,
                       "%s still replicates from another server: it is not promoted by being opened", node);
    if (!s->flight.role.confirmed)
        return err_set(err, ERR_CONFLICT, 0,
                       "the coordinator has not repeated the role of %s since its server or agent started: "
                       "is sidingd running?",
                       node);
    if (s->durable.pause != PAUSE_NONE && s->durable.lease.boosted)
        return err_set(err, ERR_CONFLICT, 0, "%s still has the settings of its catch-up; wait for its end",
                       node);
    if (s->flight.role.wanted || !s->known.server.status.closed)
        return err_set(err, ERR_CONFLICT, 0, "%s is open to writes%s", node,
                       s->flight.role.wanted ? " in a moment: that was asked already" : "");
    return true;
}

static void open_by_hand(Turn *t, const Input *in)
{
    Err err;
    RoleFlight *f = &t->s->flight.role;
    if (!may_open(t->s, &err)) {
        fx_answer(t, in->token, NULL, &err);
        return;
    }
    fx_event(t, "info", "role", NULL, "%s is opened to writes by hand by %s: %s", t->s->known.rules.node,
             in->by && *in->by ? in->by : "request", in->text ? in->text : "");
    f->wanted = true;
    f->asked = in->token;
    f->retry_ms = 0;
}

void role_input(Turn *t, Input *in)
{
    if (in->kind == IN_ROLE)
        give(t, in);
    else if (in->kind == IN_TERM)
        set_term(t, in);
    else if (in->kind == IN_OPEN)
        open_by_hand(t, in);
    else
        heard(t, in);
}

/* ---- the server ----------------------------------------------------------------------------------------
 */

static void answer_opener(Turn *t, const Err *err)
{
    RoleFlight *f = &t->s->flight.role;
    if (!f->wanted)
        return;
    f->wanted = false;
    fx_answer(t, f->asked, NULL, err);
}

void role_op(Turn *t, const OpReport *op)
{
    RoleFlight *f = &t->s->flight.role;
    if (op->id != f->op)
        return;
    f->op = 0;
    f->since_ms = t->now_ms;
    if (op->end != END_OK) {
        if (op->end != END_BUSY) {
            fx_log(t, LOG_LEVEL_ERROR, "read_only could not be set: %s", op->err.text);
            answer_opener(t, &op->err);
        }
        f->retry_ms = t->now_ms + (f->cuts ? CUT_AGAIN_MS : RETRY_MS);
        return;
    }
    if (f->cuts)
        fx_log(t, LOG_LEVEL_INFO, "the server is closed until its members answer");
    else
        fx_log(t, LOG_LEVEL_INFO, "the server is %s now, as the %s's should be",
               op->open ? "writable" : "read-only", WIRE_TEXT(node_role_names, record(t), role));
    f->cut_off = f->cuts;
    t->s->known.server.status.read_only = t->s->known.server.status.closed = !op->open;
    f->settled = op->open == (record(t)->role == ROLE_PRIMARY);
    if (op->open)
        role_note_opened(t);
    answer_opener(t, NULL);
    fx_changed(t);
}

static bool is_as_it_should(const AgentState *s)
{
    const RoleFlight *f = &s->flight.role;
    if (contact_is_lost(s))
        return (f->cut_off || s->durable.role.closed_by_hand) && s->known.server.status.closed;
    if (s->durable.role.role == ROLE_PRIMARY)
        return was_opened(s) && !f->wanted;
    return s->known.server.status.read_only && f->settled;
}

void role_tick(Turn *t)
{
    const AgentState *s = t->s;
    const RoleRecord *r = &s->durable.role;
    RoleFlight *f = &t->s->flight.role;
    bool primary = r->role == ROLE_PRIMARY;
    /* To close one that the agents have decided against, nobody has to be heard. */
    bool cuts = primary && contact_is_lost(s);
    bool sure = f->confirmed || cuts || (!primary && s->durable.vote.vote.accepted.version);
    if (!r->role || !sure || f->op || s->flight.vote.order.kind || s->flight.vote.op || f->unwritten ||
        s->changed.role || fill_is_under_way(s) || !s->known.server.up || t->now_ms < f->retry_ms ||
        is_as_it_should(s))
        return;
    if (primary && !cuts &&
        (!vote_lets_open(s) || s->flight.vote.closed)) /* closed for a switchover: it has a time of its own */
        return;
    if (primary && s->known.server.status.is_replica)
        return; /* it still replicates: promotion is not done by opening it */
    if (primary && !cuts && s->durable.pause != PAUSE_NONE && s->durable.lease.boosted)
        return; /* not with relaxed settings: the end of the lease puts them back */
    OpOrder *o = fx_sql(t, OP_ROLE, false);
    o->open = primary && !cuts;
    o->cut_off = f->cuts = cuts;
    if (cuts && r->opened && !r->closed_by_hand) { /* however far that comes, it is ours to open again */
        t->s->durable.role.opened = false;
        t->s->changed.role = true;
    }
    f->op = o->id;
}
