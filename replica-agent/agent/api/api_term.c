/* SPDX-License-Identifier: Apache-2.0
 * The term that a request carries: one that has passed is refused; hearing of one is a sign of life of the
 * coordinator.
 */
#include "api_impl.h"
#include "replica-agent/agent/agent.h"

bool api_hear_term(Agent *a, int64_t term, Err *err)
{
    const RoleRecord *r = &a->s.durable.role;
    if (term <= 0)
        return true;
    if (term < r->seen_term)
        return err_set(err, ERR_STALE_TERM, 0, "term %lld has passed: %s has heard of term %lld",
                       (long long)term, a->conf.node, (long long)r->seen_term);
    Input *in = queue_input(IN_HEARD, NULL);
    in->number = term;
    queue_post(a, in);
    return true;
}

bool api_heard(HttpRequest *req, Agent *a)
{
    Err err;
    int64_t term;
    if (http_query_int(req, "term", 0, INT64_MAX, 0, &term, &err) && api_hear_term(a, term, &err))
        return true;
    http_reply_error(req, &err);
    return false;
}

bool api_hear_poll(Agent *a, const AgentPoll *p, Err *err)
{
    if (p->term < a->s.durable.role.seen_term)
        return api_hear_term(a, p->term, err);
    Input *in = queue_input(IN_HEARD, NULL);
    in->number = p->term;
    in->text = xstrdup(p->primary);
    in->flag2 = p->acknowledger != ACKNOWLEDGER_NONE;
    in->flag = p->acknowledger == ACKNOWLEDGER_SOLE;
    queue_post(a, in);
    return true;
}

bool api_body_term(HttpRequest *req, Agent *a, json_t **ret, Err *err)
{
    int64_t term;
    return http_body(req, ret, err) && json_opt_int(*ret, "term", 0, INT64_MAX, 0, &term, err) &&
           api_hear_term(a, term, err);
}

bool api_has_space(const Agent *a, Err *err)
{
    int64_t left;
    const char *folder = short_of_space(&a->s, &left);
    return !folder || err_set(err, ERR_REFUSED, 0,
                              "%s has %lld bytes free, less than min_free_bytes (%lld); make room there",
                              folder, (long long)left, (long long)a->conf.min_free_bytes);
}
