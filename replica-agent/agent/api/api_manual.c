/* SPDX-License-Identifier: Apache-2.0
 * Pause and resume by hand, and a primary opened again: kept requests, answered once the replica is frozen,
 * applies again, or the primary is open.
 */
#include <string.h>

#include "api_impl.h"
#include "common/wire/bounds.h"
#include "common/wire/limits.h"
#include "replica-agent/agent/agent.h"

static bool read_wish(const HttpRequest *req, json_t *body, PauseWish *ret, Err *err)
{
    int64_t for_s;
    const char *reason, *by;
    if (!bounds_check(pause_bounds, DOOR_AGENT, body, err) ||
        !json_req_int(body, "for_s", 1, 14 * 86400, &for_s, err) ||
        !json_opt_str(body, "reason", "", &reason, err) || !json_opt_str(body, "by", "", &by, err) ||
        !json_opt_bool(body, "hold", false, &ret->hold, err) ||
        !limits_read_allow(body, &ret->allow_downstream, &ret->allow_delayed, err))
        return false;
    ret->limit_ms = for_s * 1000;
    ret->owner = xstrdup(LEASE_MANUAL);
    ret->reason = xstrdup(reason);
    ret->by = api_by(req, by);
    return true;
}

void api_post_pause(HttpRequest *req, void *context)
{
    Agent *a = context;
    Err err;
    json_t *body;
    PauseWish wish = {.term = a->s.durable.role.seen_term};
    if (!api_body_term(req, a, &body, &err) || !read_wish(req, body, &wish, &err)) {
        http_reply_error(req, &err);
        return;
    }
    Input *in = queue_input(IN_PAUSE, LEASE_MANUAL);
    in->wish = NEW(PauseWish);
    *in->wish = wish;
    in->token = answer_expect_news(a, req, false);
    queue_post(a, in);
}

Input *api_resume_input(const char *by, const char *reason)
{
    Input *in = queue_input(IN_RESUME, NULL);
    in->by = xstrdup(by);
    in->text = xstrdup(reason);
    return in;
}

/* Who wants it and why; NULL: answered. */
static Input *by_hand(HttpRequest *req, Agent *a, InputKind kind)
{
    Err err;
    json_t *body;
    const char *by, *reason;
    if (!api_body_term(req, a, &body, &err) || !bounds_check(resume_bounds, DOOR_AGENT, body, &err) ||
        !json_opt_str(body, "by", "", &by, &err) || !json_opt_str(body, "reason", "", &reason, &err)) {
        http_reply_error(req, &err);
        return NULL;
    }
    Input *in = queue_input(kind, NULL);
    in->by = api_by(req, by);
    in->text = xstrdup(reason);
    return in;
}

void api_post_resume(HttpRequest *req, void *context)
{
    Agent *a = context;
    Input *in = by_hand(req, a, IN_RESUME);
    if (!in)
        return;
    in->token = answer_expect_news(a, req, true);
    queue_post(a, in);
}

void api_post_open(HttpRequest *req, void *context)
{
    Agent *a = context;
    Input *in = by_hand(req, a, IN_OPEN);
    if (!in)
        return;
    in->token = answer_expect(a, req, api_state_json, 200);
    queue_post(a, in);
}
