/* SPDX-License-Identifier: Apache-2.0
 * What a request claims and its role must bear out: the term of a coordinator (one that has passed is
 * refused; hearing of one is a sign of its life), who asks, and from where results are fetched.
 */
#include "api_impl.h"
#include "replica-agent/agent/agent.h"
#include "replica-agent/core/term.h"

bool api_may_take_term(const HttpRequest *req, const Agent *a, int64_t term, Err *err)
{
    if (!(http_roles(req) & ROLE_COORDINATOR))
        return err_set(err, ERR_AUTH, 0, "%s takes a term only from the role coordinator; %s leaves it out",
                       a->conf.node, http_who(req));
    return term_may_follow(a->s.durable.role.seen_term, term, err);
}

/* The coordinator that asks: its uuid. */
static const char *owner_of(const HttpRequest *req)
{
    return http_header(req, "X-Siding-Owner");
}

bool api_hear_term(const HttpRequest *req, Agent *a, int64_t term, Err *err)
{
    const RoleRecord *r = &a->s.durable.role;
    if (term <= 0)
        return true;
    if (!api_may_take_term(req, a, term, err))
        return false;
    if (!term_is_of(r->seen_term, r->seen_owner, term, owner_of(req), a->conf.node, err))
        return false;
    Input *in = queue_input(IN_HEARD, NULL);
    in->number = term;
    in->by = xstrdup(owner_of(req));
    queue_post(a, in);
    return true;
}

bool api_heard(HttpRequest *req, Agent *a)
{
    Err err;
    int64_t term;
    if (http_query_int(req, "term", 0, INT64_MAX, 0, &term, &err) && api_hear_term(req, a, term, &err))
        return true;
    http_reply_error(req, &err);
    return false;
}

bool api_hear_poll(const HttpRequest *req, Agent *a, const AgentPoll *p, Err *err)
{
    const RoleRecord *r = &a->s.durable.role;
    if (p->term < r->seen_term)
        return api_hear_term(req, a, p->term, err);
    if (!api_may_take_term(req, a, p->term, err) ||
        !term_is_of(r->seen_term, r->seen_owner, p->term, owner_of(req), a->conf.node, err))
        return false;
    Input *in = queue_input(IN_HEARD, NULL);
    in->by = xstrdup(owner_of(req));
    in->number = p->term;
    in->total = p->after;
    in->role = p->role;
    in->text = xstrdup(p->primary);
    if (p->written.file) {
        in->written = NEW(Written);
        wire_copy(written_fields, in->written, &p->written);
    }
    in->flag2 = p->acknowledger != ACKNOWLEDGER_NONE;
    in->flag = p->acknowledger == ACKNOWLEDGER_SOLE;
    queue_post(a, in);
    return true;
}

bool api_body_term(HttpRequest *req, Agent *a, json_t **ret, Err *err)
{
    int64_t term;
    return http_body(req, ret, err) && json_opt_int(*ret, "term", 0, INT64_MAX, 0, &term, err) &&
           api_hear_term(req, a, term, err);
}

bool api_has_space(const Agent *a, Err *err)
{
    AUTOFREE char *full = short_of_space(&a->s);
    return !full || err_set(err, ERR_REFUSED, 0, "%s; make room there", full);
}

char *api_by(const HttpRequest *req, const char *by)
{
    return http_roles(req) & ROLE_COORDINATOR ? xstrdup(by) : http_by(req, by);
}

bool api_settle_source(const Agent *a, RunSource *from, Err *err)
{
    const char *url;
    if (!agent_config_peer_url(&a->conf, from->node, &url, err))
        return false;
    free(from->url);
    from->url = xstrdup(url);
    return true;
}
