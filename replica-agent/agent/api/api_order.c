/* SPDX-License-Identifier: Apache-2.0
 * Orders of a failover, and to fill the server: checked here, carried out by the core, which answers.
 */
#include <string.h>

#include "api_impl.h"
#include "common/wire/bounds.h"
#include "replica-agent/agent/agent.h"
#include "replica-agent/core/term.h"

enum { OWNER_DIGITS = 16 };

static bool check_owner(const char *what, const char *owner, Err *err)
{
    if (!owner || strlen(owner) != OWNER_DIGITS || strspn(owner, "0123456789abcdef") != OWNER_DIGITS)
        return err_set(err, ERR_USAGE, 0, "%s must be %d digits of hex, in small letters", what,
                       OWNER_DIGITS);
    return true;
}

static bool check_ballot(const Agent *a, const WireBallot *b, Err *err)
{
    if (b->term < 1)
        return err_set(err, ERR_USAGE, 0, "field \"ballot.term\" is %lld, it must be at least 1",
                       (long long)b->term);
    return check_owner("field \"ballot.owner\"", b->owner, err) &&
           term_may_follow(a->s.durable.vote.vote.promised.term, b->term, err);
}

static bool check_server(const OrderServer *s, bool needed, Err *err)
{
    if (needed && (!s->host || !*s->host))
        return err_set(err, ERR_USAGE, 0,
                       "field \"source.host\" is missing: where the new primary is reached");
    return (!needed && !s->node) || (s->port > 0 && s->port < 65536) ||
           err_set(err, ERR_USAGE, 0, "field \"source.port\" is %lld, it must lie between 1 and 65535",
                   (long long)s->port);
}

static bool check_decision(const AgentOrder *o, Err *err)
{
    const WireDecision *d = &o->decision;
    if (o->kind < ORDER_ACCEPT)
        return true;
    if (d->version < 1 || !d->primary || !d->held_by || d->acks < 0)
        return err_set(err, ERR_USAGE, 0,
                       "field \"decision\" needs a version from 1 on, primary, held_by and acks");
    if (d->ballot.term != o->ballot.term || !str_eq(d->ballot.owner, o->ballot.owner))
        return err_set(err, ERR_USAGE, 0, "the decision's ballot is another than the order's");
    return check_server(&o->source, o->kind == ORDER_FOLLOW, err);
}

static bool read_order(HttpRequest *req, const Agent *a, AgentOrder *ret, Err *err)
{
    json_t *body;
    return http_body(req, &body, err) && wire_read_asked(agent_order_fields, body, ret, err) &&
           (ret->kind != ORDER_NONE || err_set(err, ERR_USAGE, 0, "field \"kind\" is missing")) &&
           check_ballot(a, &ret->ballot, err) && check_decision(ret, err);
}

/* Of the agent of a primary; what is told is no secret. */
void api_get_standing(HttpRequest *req, void *context)
{
    Err err;
    Agent *a = context;
    WireBallot asked = {.owner = (char *)http_query(req, "owner")}; /* borrowed */
    const char *primary = http_query(req, "primary");
    if (!http_query_int(req, "term", 1, INT64_MAX, 0, &asked.term, &err) ||
        !check_owner("query \"owner\"", asked.owner, &err) ||
        (!primary && !err_set(&err, ERR_USAGE, 0, "query \"primary\" is missing: whose agent asks"))) {
        http_reply_error(req, &err);
        return;
    }
    json_t *o = json_object();
    json_object_set_new(o, "node", json_string(a->conf.node));
    json_object_set_new(o, "stands",
                        json_boolean(contact_stands(&a->s.durable.vote.vote, primary, ballot_read(&asked))));
    http_reply_json(req, 200, o);
}

void api_post_order(HttpRequest *req, void *context)
{
    Agent *a = context;
    Err err;
    AgentOrder o = {0};
    if (!read_order(req, a, &o, &err)) {
        wire_free(agent_order_fields, &o);
        http_reply_error(req, &err);
        return;
    }
    Input *in = queue_input(IN_ORDER, NULL);
    in->order = NEW(AgentOrder);
    *in->order = o;
    in->token = answer_expect(a, req, NULL, 200);
    queue_post(a, in);
}

/* ---- filling ---------------------------------------------------------------------------------------- */

enum { LONGEST_ID = 64 };

static bool check_where(const OrderServer *s, const char *what, Err *err)
{
    return (s->node && s->host && *s->host && s->port > 0 && s->port < 65536) ||
           err_set(err, ERR_USAGE, 0, "field \"%s\" needs node, host, and port from 1 to 65535", what);
}

static bool read_fill(HttpRequest *req, Agent *a, FillOrder *ret, Err *err)
{
    json_t *body;
    if (!api_body_term(req, a, &body, err))
        return false;
    json_object_del(body, "term");
    if (!wire_read_asked(fill_order_fields, body, ret, err))
        return false;
    if (!ret->id || !*ret->id || strlen(ret->id) > LONGEST_ID || !ret->gtid || !*ret->gtid)
        return err_set(err, ERR_USAGE, 0, "fields \"id\" (at most %d bytes) and \"gtid\" are needed",
                       LONGEST_ID);
    if (ret->max_rate && ret->max_rate < BOUND_LEAST_RATE)
        return err_set(err, ERR_USAGE, 0, "field \"max_rate\" is 0 or at least %d bytes a second",
                       BOUND_LEAST_RATE);
    return check_where(&ret->donor, "donor", err) && check_where(&ret->source, "source", err);
}

static json_t *fill_json(Agent *a, const char *run)
{
    (void)run;
    return wire_write(fill_state_fields, &a->s.durable.fill);
}

void api_post_fill(HttpRequest *req, void *context)
{
    Agent *a = context;
    Err err;
    FillOrder o = {0};
    if (!read_fill(req, a, &o, &err)) {
        wire_free(fill_order_fields, &o);
        http_reply_error(req, &err);
        return;
    }
    Input *in = queue_input(IN_FILL, NULL);
    in->fill = NEW(FillOrder);
    *in->fill = o;
    in->token = answer_expect(a, req, fill_json, 200);
    queue_post(a, in);
}
