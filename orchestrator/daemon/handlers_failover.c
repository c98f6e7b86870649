/* SPDX-License-Identifier: Apache-2.0
 * What people ask of failovers: begin one, what it would do, what it did; maintenance; who is the primary.
 */
#include <inttypes.h>
#include <stdio.h>

#include "common/base/clock.h"
#include "common/file/json.h"
#include "common/wire/bounds.h"
#include "events.h"
#include "failover_impl.h"
#include "handlers.h"

enum { SWITCH_LAG_MS = 2000 };

/* ---- what would be done ----------------------------------------------------------------------------- */

static json_t *candidate_json(Coord *c, const AgentLink *a)
{
    AUTO(strlist_done) StrList never = STRLIST_INIT, avoid = STRLIST_INIT;
    failover_candidates(c, a, c->conf.failover.alone, &never, &avoid);
    json_t *o = json_object();
    json_set_str(o, "name", a->name);
    json_set_bool(o, "can", never.n == 0);
    json_set_strs(o, "never", &never);
    json_set_strs(o, "avoid", &avoid);
    json_set_bool(o, "preferred", strlist_has(&c->conf.failover.prefer, a->name));
    json_set_str(o, "received", a->node.agent.server.received);
    json_set_str(o, "applied", a->node.agent.server.applied);
    return o;
}

static json_t *loss_json(Coord *c)
{
    AUTO(loss_done) Loss loss;
    json_t *o = json_object();
    failover_loss(c, &loss);
    json_set_bool(o, "majority", loss.majority);
    json_set_bool(o, "nothing", loss.complete);
    json_set_strs(o, "lines", &loss.lines);
    json_set_str(o, "command", loss.command);
    return o;
}

static json_t *plan_json(Coord *c)
{
    const FailoverEdge *e = c->failover;
    json_t *o = json_object(), *nodes = json_array();
    AUTO(strlist_done) StrList obstacles = STRLIST_INIT;
    AUTOFREE char *members = failover_names(c, e->f.base.members);
    failover_obstacles(c, &obstacles);
    json_set_str(o, "primary", c->journal.primary);
    json_set_str(o, "analysis", wire_enum_name(&detect_kind_names, (int)e->detect.kind));
    json_set_bool(o, "automatic", obstacles.n == 0);
    json_set_strs(o, "obstacles", &obstacles);
    json_set_str(o, "members", members);
    json_set_int(o, "acks", e->f.base.acks);
    json_set_bool(o, "strict", failover_was_strict(c));
    json_set_int(o, "under_way", failover_record_id(c));
    json_set_time(o, "maintenance_until", failover_maintenance_until(c));
    for (size_t i = 0; i < c->n_agents; i++)
        if (!str_eq(c->agents[i]->name, c->journal.primary))
            json_array_append_new(nodes, candidate_json(c, c->agents[i]));
    json_object_set_new(o, "nodes", nodes);
    json_object_set_new(o, "loss", loss_json(c));
    return o;
}

void handle_failover_plan(HttpRequest *req, void *context)
{
    http_reply_json(req, 200, plan_json(context));
}

/* ---- begin, give up --------------------------------------------------------------------------------- */

static bool may_be(Coord *c, const char *name, const FailoverWish *w, Err *err)
{
    AUTO(strlist_done) StrList never = STRLIST_INIT, avoid = STRLIST_INIT;
    const AgentLink *a = state_agent(c, name);
    if (!a)
        return err_set(err, ERR_NOT_FOUND, 0, "there is no node \"%s\"", name);
    failover_candidates(c, a, !w->clean && (c->conf.failover.alone || w->old_is_off), &never, &avoid);
    AUTOFREE char *why = strlist_join(&never, "; ");
    return !never.n || err_set(err, ERR_REFUSED, 0, "%s cannot become the primary: %s", name, why);
}

static bool any_may_be(Coord *c, Err *err)
{
    FailoverRules rules;
    failover_rules(c, &rules);
    return (rules.servers & ~rules.never) ||
           err_set(err, ERR_REFUSED, 0,
                   "no replica can become the primary; siding cluster failover --dry-run says why");
}

/* It has applied all within a moment of the primary's closing. */
static bool is_quick(const AgentLink *a, Err *err)
{
    char lag[CLOCK_TEXT];
    if (a->node.agent.lease.owner)
        return err_set(err, ERR_REFUSED, 0, "%s is paused (%.*s): wait for its end, or move to another",
                       a->name, RUN_TEXT(a->node.agent.lease.owner));
    if (a->node.lag_ms <= SWITCH_LAG_MS)
        return true;
    clock_format_duration(a->node.lag_ms, lag);
    return err_set(err, ERR_REFUSED, 0, "%s is %s behind: let it catch up first", a->name, lag);
}

static bool any_is_quick(Coord *c, Err *err)
{
    err_set(err, ERR_REFUSED, 0, "no replica can become the primary");
    for (size_t i = 0; i < c->n_agents; i++) {
        AUTO(strlist_done) StrList never = STRLIST_INIT, avoid = STRLIST_INIT;
        failover_candidates(c, c->agents[i], false, &never, &avoid);
        if (!never.n && is_quick(c->agents[i], err))
            return true;
    }
    return false;
}

/* Nothing is closed before these hold. */
static bool may_switch(Coord *c, const char *to, Err *err)
{
    const AgentLink *primary = state_primary_agent(c), *a = to ? state_agent(c, to) : NULL;
    if (!primary || !primary->fresh || !primary->node.agent.server.up)
        return err_set(
            err, ERR_REFUSED, 0,
            "the primary cannot be asked: a switchover needs both; siding cluster failover replaces "
            "a dead one");
    return a ? is_quick(a, err) : any_is_quick(c, err);
}

static bool may_fail_over(Coord *c, const FailoverWish *w, Err *err)
{
    const FailoverEdge *e = c->failover;
    if (w->old_is_off)
        return failover_primary_is_silent(c, err);
    if (e->detect.kind != DETECT_WELL || w->takes_loss)
        return true;
    return err_set(err, ERR_REFUSED, 0,
                   "the primary %s is well: siding cluster switchover moves it in good order",
                   c->journal.primary);
}

static bool begin(Coord *c, HttpRequest *req, int64_t *ret_id, Err *err)
{
    json_t *body;
    if (!http_body(req, &body, err) || !bounds_check(failover_bounds, DOOR_API, body, err))
        return false;
    const char *to = *json_str(body, "to") ? json_str(body, "to") : NULL;
    bool switches = json_bool(body, "switchover");
    AUTOFREE char *by = http_by(req, json_str(body, "by"));
    AUTOFREE char *cause = xasprintf(
        "asked for by %s%s%s", by, json_bool(body, "accept_data_loss") ? ", who accepts a loss" : "",
        json_bool(body, "old_primary_is_off") ? ", who says that the old primary is off" : "");
    FailoverWish w = {.kind = switches ? "switchover" : "manual",
                      .cause = cause,
                      .by = by,
                      .only = to,
                      .takes_loss = json_bool(body, "accept_data_loss"),
                      .old_is_off = json_bool(body, "old_primary_is_off"),
                      .clean = switches,
                      .kill_after_ms = switches ? json_int(body, "kill_after_ms") : 0,
                      .since_ms = switches                        ? clock_mono_ms()
                                  : c->failover->detect.failed_ms ? c->failover->detect.failed_ms
                                                                  : clock_mono_ms()};
    return (to ? may_be(c, to, &w, err) : any_may_be(c, err)) &&
           (switches ? may_switch(c, to, err) : may_fail_over(c, &w, err)) &&
           failover_begin(c, &w, ret_id, err);
}

void handle_failover(HttpRequest *req, void *context)
{
    Coord *c = context;
    int64_t id = 0;
    Err err;
    if (!begin(c, req, &id, &err))
        http_reply_error(req, &err);
    else
        http_reply_json(req, 200, json_pack("{s:I}", "id", (json_int_t)id));
}

void handle_failover_give_up(HttpRequest *req, void *context)
{
    Coord *c = context;
    FailoverEvent ev = {.kind = FAILOVER_EV_GIVE_UP};
    if (c->failover->f.phase != FAILOVER_FENCING && c->failover->f.phase != FAILOVER_CLOSING) {
        handle_error(req, ERR_CONFLICT, "%s",
                     failover_is_under_way(c) ? "a new primary has been decided: it can only be finished"
                                              : "no failover is under way");
        return;
    }
    failover_feed(c, &ev);
    if (c->failover->f.phase == FAILOVER_FENCING)
        handle_error(req, ERR_REFUSED, "the old primary's server has been ended: it can only be finished");
    else
        http_reply_json(req, 200, json_object());
}

/* ---- what was done ---------------------------------------------------------------------------------- */

void handle_failover_list(HttpRequest *req, void *context)
{
    json_t *list = failover_history_read(context);
    for (size_t i = 0; i < json_array_size(list); i++)
        json_object_del(json_array_get(list, i), "steps");
    http_reply_json(req, 200, list);
}

void handle_failover_show(HttpRequest *req, void *context)
{
    AUTOJSON json_t *list = failover_history_read(context);
    const char *id = http_param(req, "id");
    for (size_t i = 0; i < json_array_size(list); i++) {
        json_t *o = json_array_get(list, i);
        char text[24];
        snprintf(text, sizeof text, "%" PRId64, json_int(o, "id"));
        if (str_eq(text, id)) {
            http_reply_json(req, 200, json_incref(o));
            return;
        }
    }
    handle_error(req, ERR_NOT_FOUND, "there is no failover %s", id);
}

/* ---- maintenance, the primary ----------------------------------------------------------------------- */

void handle_maintenance(HttpRequest *req, void *context)
{
    Coord *c = context;
    json_t *body;
    Err err;
    char text[CLOCK_TEXT];
    if (!http_body(req, &body, &err) || !bounds_check(maintenance_bounds, DOOR_API, body, &err)) {
        http_reply_error(req, &err);
        return;
    }
    int64_t until = json_bool(body, "on") ? clock_wall_ms() + json_int(body, "for_ms") : 0;
    if (!failover_journal(c, "maintenance_until", json_integer(until), &err)) {
        http_reply_error(req, &err);
        return;
    }
    c->failover->detect = (Detect){0}; /* the evidence begins anew */
    clock_format(until, text);
    if (until)
        events_add(c, "info", "failover", 0, NULL, NULL, "maintenance until %s: no failover begins by itself",
                   text);
    else
        events_add(c, "info", "failover", 0, NULL, NULL, "maintenance has ended");
    json_t *o = json_object();
    json_set_time(o, "maintenance_until", until);
    http_reply_json(req, 200, o);
}

void handle_primary(HttpRequest *req, void *context)
{
    const Coord *c = context;
    if (!c->journal.primary || !c->journal.address) {
        handle_error(req, ERR_NOT_FOUND, "no primary is known; siding check says why");
        return;
    }
    json_t *o = json_object();
    json_set_str(o, "name", c->journal.primary);
    json_set_str(o, "host", c->journal.address);
    json_set_int(o, "port", c->journal.port);
    json_set_int(o, "term", c->failover->f.base.ballot.term);
    json_set_bool(o, "failover", failover_is_under_way(c) || c->failover->opens);
    http_reply_json(req, 200, o);
}
