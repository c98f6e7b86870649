/* SPDX-License-Identifier: Apache-2.0 */
#include "failover.h"

#include <string.h>

typedef struct FailoverLook {
    Failover *f;
    const FailoverRules *r;
    FailoverCovers *covers;
    const void *arg;
    int64_t now_ms;
    FailoverOrders *out;
} FailoverLook;

static NodeSet one(int node)
{
    return node == FAILOVER_NOBODY ? 0 : (NodeSet)1 << node;
}

static int count(NodeSet s)
{
    return __builtin_popcount(s);
}

static bool majority(const FailoverRules *r, NodeSet s)
{
    return 2 * count(s & r->voters) > count(r->voters);
}

/* A person has seen that the old primary's host is off, and answers for it that no other coordinator is at
 * work: after a while those that answer are enough. */
static bool forced(const FailoverLook *l)
{
    return l->r->old_is_off && l->r->forced_after_ms && l->now_ms >= l->f->phase_ms + l->r->forced_after_ms;
}

static bool later(const Decision *a, const Decision *b)
{
    return a->ballot.term > b->ballot.term || (a->ballot.term == b->ballot.term && a->version > b->version);
}

/* ---- the fence -------------------------------------------------------------------------------------- */

static bool members_suffice(const Failover *f, const FailoverRules *r)
{
    const Decision *b = &f->base;
    return !r->loose && b->acks > 0 && count(f->fenced & b->members) >= count(b->members) - b->acks + 1;
}

static bool old_primary_ended(const Failover *f)
{
    return (f->fenced & one(f->base.held_by)) && f->nodes[f->base.held_by].ended;
}

/* It does not open by itself any more. */
static bool old_primary_held(const Failover *f)
{
    return f->held || old_primary_ended(f) ||
           ((f->fenced & one(f->base.held_by)) && f->nodes[f->base.held_by].closed);
}

/* What nobody who has promised holds is lost, as a person has decided. */
static bool loss_is_taken(const FailoverLook *l)
{
    return l->r->loss_after_ms && l->now_ms >= l->f->phase_ms + l->r->loss_after_ms;
}

/* Promises are enough to know all that was acknowledged, or all that will be kept. */
static bool is_fenced(const FailoverLook *l)
{
    const Failover *f = l->f;
    if (f->clean && !old_primary_held(f))
        return false;
    return (majority(l->r, f->promised) || forced(l)) && f->base.version &&
           (members_suffice(f, l->r) || old_primary_ended(f) || loss_is_taken(l));
}

/* Those whose positions together hold all that was acknowledged, or all that is known. */
static NodeSet witnesses(const FailoverLook *l)
{
    const Failover *f = l->f;
    if (members_suffice(f, l->r))
        return f->fenced & f->base.members;
    if (old_primary_ended(f) && !loss_is_taken(l))
        return one(f->base.held_by);
    return f->fenced & l->r->servers & ~one(f->base.held_by);
}

static bool holds(const FailoverLook *l, int node, int of)
{
    return l->covers(l->arg, l->f->nodes[node].received, l->f->nodes[of].received);
}

static bool holds_all(const FailoverLook *l, int node, int donor)
{
    NodeSet need = witnesses(l);
    for (int i = 0; i < FAILOVER_NODES; i++)
        if ((need & one(i)) && !holds(l, node, i) && (donor == FAILOVER_NOBODY || !holds(l, donor, i)))
            return false;
    return true;
}

/* A donor whose position and the candidate's are comparable: one goes on where the other ends. Its server
 * runs: nobody fetches from the old primary's, which has been killed. */
static int donor_for(const FailoverLook *l, int node)
{
    int best = node; /* there is none */
    NodeSet donors = l->f->fenced & ~one(l->f->base.held_by) & ~one(node) & ~l->r->partial;
    if (holds_all(l, node, FAILOVER_NOBODY))
        return FAILOVER_NOBODY;
    for (int i = 0; i < FAILOVER_NODES; i++)
        if ((donors & one(i)) && holds(l, i, node) && holds_all(l, node, i) &&
            (best == node || (l->r->slow & one(best) & ~one(i))))
            best = i;
    return best;
}

static bool waits_for_slow(const FailoverLook *l, int donor)
{
    return donor != FAILOVER_NOBODY && (l->r->slow & one(donor));
}

/* Whether `a` is the better of two that hold, or can fetch, all. */
static bool better(const FailoverLook *l, int a, int b)
{
    const FailoverRules *r = l->r;
    int donor_a = donor_for(l, a), donor_b = donor_for(l, b);
    if (waits_for_slow(l, donor_a) != waits_for_slow(l, donor_b))
        return waits_for_slow(l, donor_b);
    if (!(r->avoid & one(a)) != !(r->avoid & one(b)))
        return !(r->avoid & one(a));
    bool helped_a = donor_a != FAILOVER_NOBODY, helped_b = donor_b != FAILOVER_NOBODY;
    if (helped_a != helped_b)
        return helped_b;
    if (!(r->prefer & one(a)) != !(r->prefer & one(b)))
        return r->prefer & one(a);
    return holds(l, a, b) && !holds(l, b, a);
}

/* Whom the fence's positions make the primary; FAILOVER_NOBODY: nobody that may be promoted holds all, even
 * with one donor's help. */
static int winner(const FailoverLook *l, int *ret_donor)
{
    const Failover *f = l->f;
    int best = FAILOVER_NOBODY;
    *ret_donor = FAILOVER_NOBODY;
    NodeSet candidates = f->fenced & ~l->r->never & ~one(f->base.held_by);
    for (int i = 0; i < FAILOVER_NODES; i++)
        if ((candidates & one(i)) && donor_for(l, i) != i && (best == FAILOVER_NOBODY || better(l, i, best)))
            best = i;
    if (best != FAILOVER_NOBODY)
        *ret_donor = donor_for(l, best);
    return best;
}

/* ---- phases ----------------------------------------------------------------------------------------- */

static void enter(FailoverLook *l, FailoverPhase phase)
{
    l->f->phase = phase;
    l->f->phase_ms = l->now_ms;
    l->f->told = false;
}

static void order(FailoverLook *l, FailoverOrderKind kind, NodeSet to)
{
    if (!to)
        return;
    FailoverOrder *o = &l->out->v[l->out->n++];
    *o = (FailoverOrder){.kind = kind,
                         .to = to,
                         .ballot = l->f->mine,
                         .decision = l->f->chosen,
                         .donor = l->f->donor,
                         .clean = l->f->clean};
}

static void wake(FailoverLook *l, int64_t at_ms)
{
    if (!l->out->wake_ms || at_ms < l->out->wake_ms)
        l->out->wake_ms = at_ms;
}

static void put(FailoverLook *l, FailoverPhase phase, bool open, NodeSet members, int acks)
{
    Failover *f = l->f;
    f->chosen.ballot = f->mine;
    f->chosen.version++;
    f->chosen.open = open;
    f->chosen.members = members;
    f->chosen.acks = acks;
    f->accepted = 0;
    enter(l, phase);
}

static void begin(FailoverLook *l, Ballot ballot, FailoverPhase phase)
{
    Failover *f = l->f;
    Decision base = f->base;
    int64_t heard = f->heard;
    memset(f, 0, sizeof *f);
    f->heard = heard;
    f->mine = ballot;
    f->base = base;
    f->chosen.primary = f->donor = FAILOVER_NOBODY;
    enter(l, phase);
}

/* A switchover that another coordinator has left after its decision goes on without closing again. */
static void begin_replacing(FailoverLook *l, const FailoverEvent *ev)
{
    bool closes = ev->clean && l->f->base.open;
    begin(l, ev->ballot, closes ? FAILOVER_CLOSING : FAILOVER_FENCING);
    l->f->clean = ev->clean;
    l->f->closed = ev->clean && !closes;
    l->f->closed_ms = l->now_ms;
}

/* What was found is put in our ballot, with `primary`. */
static void put_base(FailoverLook *l, FailoverPhase phase, bool open, int primary)
{
    Failover *f = l->f;
    f->chosen = f->base;
    f->chosen.version = 0;
    f->chosen.primary = primary;
    put(l, phase, open, f->base.members, f->base.acks);
}

static bool on_to(FailoverLook *l, FailoverPhase phase, bool over)
{
    if (over)
        enter(l, phase);
    return over;
}

/* Each returns true when the next phase has begun. */

/* A coordinator that takes over, or one that gives up: what was decided stands. */
static bool asking(FailoverLook *l)
{
    const Failover *f = l->f;
    bool enough = majority(l->r, f->promised) || (forced(l) && f->promised);
    if (!enough || !f->base.version)
        return false;
    put_base(l, FAILOVER_CONFIRM, f->base.open, f->base.primary);
    return true;
}

/* Its own vote is what lets the winner open. */
static bool is_accepted(const FailoverLook *l)
{
    const Failover *f = l->f;
    return majority(l->r, f->accepted) || (forced(l) && (f->accepted & one(f->chosen.primary)));
}

static bool confirming(FailoverLook *l)
{
    if (!is_accepted(l))
        return false;
    l->f->base = l->f->chosen;
    enter(l, FAILOVER_IDLE);
    return true;
}

/* It is as open as it was, or opens again by the decision that is confirmed. */
static bool given_up(FailoverLook *l, int64_t until)
{
    if (l->now_ms < until) {
        wake(l, until);
        return false;
    }
    enter(l, FAILOVER_ASKING);
    return true;
}

static bool closing(FailoverLook *l)
{
    if (!l->f->closed)
        return given_up(l, l->f->phase_ms + l->r->close_wait_ms);
    enter(l, FAILOVER_FENCING);
    return true;
}

/* One that was decided before must be finished: there the old primary is killed as in a failover. */
static bool too_long(FailoverLook *l)
{
    Failover *f = l->f;
    int64_t until = f->closed_ms + l->r->closed_most_ms;
    if (!f->clean)
        return false;
    if (f->base.open)
        return given_up(l, until);
    if (l->now_ms < until)
        wake(l, until);
    else
        f->clean = false;
    return false;
}

/* Where its agent answers, the old primary is killed within a moment: nobody then waits until it has closed
 * by itself. That wait goes on meanwhile. */
static bool waits_for_the_old(FailoverLook *l)
{
    enum { MOMENT_MS = 500 };
    Failover *f = l->f;
    if (!f->fenced_ms)
        f->fenced_ms = l->now_ms;
    int64_t until = f->fenced_ms + (l->r->fence_wait_ms < MOMENT_MS ? l->r->fence_wait_ms : MOMENT_MS);
    if (old_primary_held(f) || l->r->old_is_off || l->now_ms >= until)
        return false;
    wake(l, until);
    return true;
}

static bool fencing(FailoverLook *l)
{
    Failover *f = l->f;
    int donor;
    if (l->r->loss_after_ms && !loss_is_taken(l))
        wake(l, f->phase_ms + l->r->loss_after_ms);
    int node = is_fenced(l) ? winner(l, &donor) : FAILOVER_NOBODY;
    if (node == FAILOVER_NOBODY)
        return too_long(l);
    if (waits_for_the_old(l))
        return false;
    f->donor = donor;
    put_base(l, FAILOVER_DECIDING, false, node);
    return true;
}

static bool deciding(FailoverLook *l)
{
    return on_to(l, FAILOVER_DRAINING, is_accepted(l));
}

static bool draining(FailoverLook *l)
{
    return on_to(l, FAILOVER_FOLLOWING, l->f->drained);
}

/* What was killed comes back later: nobody waits for it, but where it does in time it counts like any other.
 */
static NodeSet comes_later(const Failover *f)
{
    return f->clean ? 0 : one(f->base.held_by);
}

/* Before it is known to be ended it may be open, and its commits wait. */
static NodeSet may_be_open(const Failover *f)
{
    return comes_later(f) & ~(old_primary_ended(f) ? one(f->base.held_by) : 0);
}

static NodeSet followers(const FailoverLook *l)
{
    return l->f->follows & ~one(l->f->chosen.primary);
}

static bool following(FailoverLook *l)
{
    Failover *f = l->f;
    int n = count(followers(l));
    NodeSet others = l->r->servers & ~one(f->chosen.primary) & ~comes_later(f);
    bool all = (others & ~followers(l)) == 0;
    int64_t until = f->phase_ms + l->r->follow_wait_ms;
    if (!all && l->now_ms < until) {
        wake(l, until);
        return false;
    }
    bool alone = l->r->alone || (forced(l) && !(f->fenced & others & ~followers(l)));
    if (n < l->r->acks && !alone)
        return false;
    put(l, FAILOVER_RECORDING, true, followers(l), n < l->r->acks ? n : l->r->acks);
    f->chosen.held_by = f->chosen.primary;
    return true;
}

static bool recording(FailoverLook *l)
{
    return on_to(l, FAILOVER_WAITING, is_accepted(l));
}

static bool waiting(FailoverLook *l)
{
    const Failover *f = l->f;
    int64_t until = f->fenced_ms + l->r->fence_wait_ms;
    if (!old_primary_held(f) && !l->r->old_is_off && l->now_ms < until) {
        wake(l, until);
        return false;
    }
    enter(l, FAILOVER_ARMING);
    return true;
}

static bool arming(FailoverLook *l)
{
    const Failover *f = l->f;
    return on_to(l, FAILOVER_OPENING, count(f->armed & f->chosen.members) >= f->chosen.acks);
}

static bool opening(FailoverLook *l)
{
    return on_to(l, FAILOVER_PROBING, l->f->opened);
}

/* What a phase asks for while it is not over, of whom. */
static void ask(FailoverLook *l)
{
    Failover *f = l->f;
    NodeSet winner_only = one(f->chosen.primary);
    switch (f->phase) {
    case FAILOVER_ASKING:
        order(l, FAILOVER_PROMISE, l->r->voters & ~f->promised);
        break;
    case FAILOVER_CLOSING:
        order(l, FAILOVER_CLOSE, one(f->base.held_by));
        break;
    case FAILOVER_FENCING:
        /* As long as it may open by itself, nobody else is asked: that cannot be undone without a
         * coordinator. */
        order(l, FAILOVER_FENCE,
              f->clean && !old_primary_held(f) ? one(f->base.held_by) : l->r->voters & ~f->fenced);
        break;
    case FAILOVER_CONFIRM:
    case FAILOVER_DECIDING:
    case FAILOVER_RECORDING:
        order(l, FAILOVER_ACCEPT, l->r->voters & ~f->accepted);
        break;
    case FAILOVER_DRAINING:
        /* What the donor has not applied is in no binary log of it. */
        order(l, FAILOVER_DRAIN,
              winner_only | (f->donor == FAILOVER_NOBODY || f->donated ? 0 : one(f->donor)));
        break;
    case FAILOVER_FOLLOWING:
        order(l, FAILOVER_FOLLOW, l->r->servers & ~f->follows & ~winner_only & ~may_be_open(f));
        break;
    case FAILOVER_OPENING:
        order(l, FAILOVER_OPEN, winner_only);
        break;
    case FAILOVER_PROBING:
        order(l, FAILOVER_PROBE, winner_only);
        break;
    case FAILOVER_IDLE:
    case FAILOVER_WAITING:
    case FAILOVER_ARMING:
    case FAILOVER_DEPOSED:
    case FAILOVER_PHASES:
        break;
    }
    if (f->phase >= FAILOVER_ARMING &&
        f->phase <= FAILOVER_PROBING) /* it shall not hang on the quickest alone */
        order(l, FAILOVER_ARM, f->chosen.members & ~f->armed);
}

static void look(FailoverLook *l)
{
    static bool (*const over[FAILOVER_PHASES])(FailoverLook *) = {
        [FAILOVER_ASKING] = asking,       [FAILOVER_CONFIRM] = confirming,  [FAILOVER_CLOSING] = closing,
        [FAILOVER_FENCING] = fencing,     [FAILOVER_DECIDING] = deciding,   [FAILOVER_DRAINING] = draining,
        [FAILOVER_FOLLOWING] = following, [FAILOVER_RECORDING] = recording, [FAILOVER_WAITING] = waiting,
        [FAILOVER_ARMING] = arming,       [FAILOVER_OPENING] = opening,
    };
    Failover *f = l->f;
    while (over[f->phase] && over[f->phase](l))
        ;
    if (l->r->old_is_off && l->r->forced_after_ms && !forced(l))
        wake(l, f->phase_ms + l->r->forced_after_ms);
    ask(l);
    if (f->phase == FAILOVER_IDLE || f->phase == FAILOVER_DEPOSED || f->told)
        return;
    if (l->now_ms < f->phase_ms + l->r->phase_limit_ms) {
        wake(l, f->phase_ms + l->r->phase_limit_ms);
        return;
    }
    f->told = true;
    order(l, FAILOVER_TELL, l->r->voters);
}

/* ---- events ----------------------------------------------------------------------------------------- */

static void promised(FailoverLook *l, const FailoverEvent *ev)
{
    Failover *f = l->f;
    bool asks = f->phase == FAILOVER_ASKING, fences = f->phase == FAILOVER_FENCING;
    if ((!asks && !fences) || (fences && !ev->stopped))
        return;
    if (later(&ev->accepted, &f->base))
        f->base = ev->accepted;
    f->promised |= one(ev->node);
    if (fences) {
        f->fenced |= one(ev->node);
        f->nodes[ev->node] = ev->reading;
    }
}

static void give_up(FailoverLook *l)
{
    Failover *f = l->f;
    bool killed = !f->clean && old_primary_ended(f);
    if (f->phase == FAILOVER_CLOSING || (f->phase == FAILOVER_FENCING && !killed))
        enter(l, FAILOVER_ASKING); /* a majority's promises tell what stands, and it is confirmed */
}

static bool stands(const Failover *f)
{
    return f->phase == FAILOVER_IDLE && ballot_same(f->base.ballot, f->mine);
}

/* Of a decision that stands. */
static void amend(FailoverLook *l, NodeSet members, int acks)
{
    l->f->chosen = l->f->base;
    put(l, FAILOVER_CONFIRM, l->f->base.open, members, acks);
}

/* A majority knows of it before it acknowledges anything: from then on it is counted among those that must
 * promise. One that was silenced since it was counted in may have been counted out without hearing of it, by
 * whoever is in charge by now: a majority says that this is not so. */
static void grow(FailoverLook *l, int node, int64_t silence)
{
    Failover *f = l->f;
    if (node == FAILOVER_NOBODY)
        return;
    bool anew = silence && silence != f->silence[node];
    bool arms = f->phase >= FAILOVER_ARMING && f->phase <= FAILOVER_PROBING;
    if (stands(f) && (anew || !(f->base.members & one(node)))) {
        f->silence[node] = silence;
        amend(l, f->base.members | one(node), f->base.acks);
    } else if (arms && anew && (f->chosen.members & one(node))) {
        f->silence[node] = silence;
        f->armed &= ~one(node);
        put(l, FAILOVER_RECORDING, true, f->chosen.members, f->chosen.acks);
    }
}

/* As many as a commit waits for must be left, or it would wait for ever. */
static void shrink(FailoverLook *l, int node)
{
    const Decision *b = &l->f->base;
    NodeSet rest = b->members & ~one(node);
    if (stands(l->f) && b->open && rest != b->members && count(rest) >= b->acks)
        amend(l, rest, b->acks);
}

static void raise_acks(FailoverLook *l, int acks)
{
    const Decision *b = &l->f->base;
    if (stands(l->f) && b->open && acks > b->acks && count(b->members) >= acks)
        amend(l, b->members, acks);
}

static void take(FailoverLook *l, const FailoverEvent *ev)
{
    Failover *f = l->f;
    if (ev->ballot.term > f->heard)
        f->heard = ev->ballot.term;
    if (ev->kind == FAILOVER_EV_TAKE_OVER || ev->kind == FAILOVER_EV_BEGIN) {
        if (ev->ballot.term <= f->mine.term || ev->ballot.term <= f->base.ballot.term)
            return;
        if (ev->kind == FAILOVER_EV_BEGIN)
            begin_replacing(l, ev);
        else
            begin(l, ev->ballot, FAILOVER_ASKING);
        return;
    }
    if (ev->kind == FAILOVER_EV_REFUSED) {
        if (f->mine.term && f->phase != FAILOVER_DEPOSED && ev->ballot.term >= f->mine.term &&
            !ballot_same(ev->ballot, f->mine))
            enter(l, FAILOVER_DEPOSED);
        return;
    }
    if (ev->kind != FAILOVER_EV_TICK && ev->kind != FAILOVER_EV_GIVE_UP && !ballot_same(ev->ballot, f->mine))
        return;
    bool by_winner = ev->node == f->chosen.primary;
    switch (ev->kind) {
    case FAILOVER_EV_HELD:
        f->held |= ev->node == f->base.held_by && !f->clean;
        break;
    case FAILOVER_EV_PROMISED:
        promised(l, ev);
        break;
    case FAILOVER_EV_CLOSED:
        if (f->phase == FAILOVER_CLOSING && ev->node == f->base.held_by) {
            f->closed = true;
            f->closed_ms = l->now_ms;
        }
        break;
    case FAILOVER_EV_ACCEPTED:
        if (ev->version == f->chosen.version)
            f->accepted |= one(ev->node);
        break;
    case FAILOVER_EV_DRAINED:
        f->drained |= by_winner && f->phase == FAILOVER_DRAINING;
        f->donated |= ev->node == f->donor && f->phase == FAILOVER_DRAINING;
        break;
    case FAILOVER_EV_FOLLOWS:
        if (f->phase == FAILOVER_FOLLOWING) {
            f->follows |= one(ev->node);
            f->silence[ev->node] = ev->silence;
        }
        break;
    case FAILOVER_EV_ARMED:
        if (f->phase >= FAILOVER_ARMING)
            f->armed |= one(ev->node);
        break;
    case FAILOVER_EV_OPENED:
        f->opened |= by_winner && f->phase == FAILOVER_OPENING;
        break;
    case FAILOVER_EV_PROBED:
        if (by_winner && f->phase == FAILOVER_PROBING) {
            f->base = f->chosen;
            enter(l, FAILOVER_IDLE);
        }
        break;
    case FAILOVER_EV_GROW:
        grow(l, ev->node, ev->silence);
        break;
    case FAILOVER_EV_SHRINK:
        shrink(l, ev->node);
        break;
    case FAILOVER_EV_RAISE:
        raise_acks(l, ev->acks);
        break;
    case FAILOVER_EV_GIVE_UP:
        give_up(l);
        break;
    default:
        break;
    }
}

void failover_init(Failover *f, const Decision *known)
{
    *f = (Failover){.base = *known, .chosen.primary = FAILOVER_NOBODY, .donor = FAILOVER_NOBODY};
}

void failover_step(Failover *f, const FailoverRules *r, const FailoverEvent *ev, FailoverCovers *covers,
                   const void *arg, FailoverOrders *ret)
{
    *ret = (FailoverOrders){0};
    FailoverLook l = {.f = f, .r = r, .covers = covers, .arg = arg, .now_ms = ev->now_ms, .out = ret};
    take(&l, ev);
    look(&l);
}
