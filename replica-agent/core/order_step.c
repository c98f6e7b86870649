/* SPDX-License-Identifier: Apache-2.0 */
#include "order_step.h"

bool order_vote(Voter *v, const Order *o)
{
    if (o->kind < ORDER_ACCEPT)
        return voter_promise(v, o->ballot, o->kind == ORDER_FENCE);
    /* An older version of a decision that has gone on since is not accepted again, but its order may stand.
     */
    return voter_accept(v, o->ballot, o->version) || (o->kind != ORDER_ACCEPT && voter_obeys(v, o->ballot));
}

static OrderAct fence(const Voter *v, const Order *o, const OrderView *view)
{
    if (!v->shut)
        return ORDER_REFUSE; /* decided since: it comes too late */
    if (o->clean && !view->server_up)
        return ORDER_WAIT;
    if (o->clean)
        return view->closed ? ORDER_ANSWER : ORDER_SET_CLOSED;
    if (view->was_primary) {
        if (view->server_up)
            return ORDER_KILL_SERVER;
        return view->log_read ? ORDER_ANSWER : ORDER_READ_LOG;
    }
    return view->receiver_runs ? ORDER_STOP_RECEIVER : ORDER_ANSWER;
}

/* Before a fence was promised: what it does can be undone without anybody. */
static OrderAct close_it(const Voter *v, const OrderView *view)
{
    if (v->shut || !view->server_up)
        return ORDER_REFUSE;
    if (view->closed)
        return ORDER_ANSWER;
    return view->writable ? ORDER_SET_CLOSED : ORDER_REFUSE;
}

bool order_may_reopen(const Voter *v, Ballot closed_in)
{
    return !v->shut && ballot_same(v->promised, closed_in) && !ballot_same(v->accepted, closed_in);
}

static OrderAct follow(const Order *o, const OrderView *view)
{
    if (view->ahead || o->primary)
        return ORDER_REFUSE;
    if (!view->follows)
        return ORDER_REPOINT;
    return view->has_all ? ORDER_ANSWER : ORDER_WAIT;
}

static OrderAct arm(const Voter *v, const Order *o, const OrderView *view)
{
    if (!o->member || o->version < v->version)
        return ORDER_REFUSE;
    if (!view->follows || view->silent_anew)
        return ORDER_WAIT;
    return view->armed ? ORDER_ANSWER : ORDER_SET_ARMED;
}

static OrderAct open_it(const Voter *v, const Order *o, const OrderView *view)
{
    if (!o->primary || !o->open || !view->drained || o->version < v->version)
        return ORDER_REFUSE;
    return view->writable && view->strict ? ORDER_ANSWER : ORDER_SET_OPEN;
}

OrderAct order_next(const Voter *v, const Order *o, const OrderView *view)
{
    if (!ballot_same(v->promised, o->ballot))
        return ORDER_REFUSE;
    if (!view->recorded)
        return ORDER_RECORD;
    if (o->kind == ORDER_PROMISE)
        return ORDER_ANSWER;
    if (o->kind == ORDER_FENCE)
        return fence(v, o, view);
    if (o->kind == ORDER_CLOSE)
        return close_it(v, view);
    if (!voter_obeys(v, o->ballot))
        return ORDER_REFUSE;
    if (o->kind == ORDER_ACCEPT)
        return ORDER_ANSWER;
    if (!view->server_up)
        return ORDER_WAIT;
    switch (o->kind) {
    case ORDER_DRAIN:
        return !(o->primary || o->donor) || view->writable ? ORDER_REFUSE
               : view->drained                             ? ORDER_ANSWER
                                                           : ORDER_APPLY_ALL;
    case ORDER_FOLLOW:
        return follow(o, view);
    case ORDER_ARM:
        return arm(v, o, view);
    case ORDER_OPEN:
        return open_it(v, o, view);
    case ORDER_PROBE:
        return !o->primary || !view->writable ? ORDER_REFUSE
               : view->probed                 ? ORDER_ANSWER
                                              : ORDER_WRITE_PROBE;
    default:
        return ORDER_REFUSE;
    }
}
