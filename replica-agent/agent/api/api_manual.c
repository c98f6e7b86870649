/* SPDX-License-Identifier: Apache-2.0
 * Pause and resume by hand: kept requests, answered once the replica is frozen, or applies again.
 */
#include <string.h>

#include "api_impl.h"
#include "common/wire/limits.h"
#include "replica-agent/agent/agent.h"

enum { MAX_REASON = 500 };

static bool read_wish(json_t *body, PauseWish *ret, Err *err)
{
    int64_t for_s;
    const char *reason, *by;
    if (!json_req_int(body, "for_s", 1, 14 * 86400, &for_s, err) ||
        !json_opt_str(body, "reason", "", &reason, err) || !json_opt_str(body, "by", "", &by, err) ||
        !json_opt_bool(body, "hold", false, &ret->hold, err) ||
        !limits_read_allow(body, &ret->allow_downstream, &ret->allow_delayed, err))
        return false;
    if (strlen(reason) > MAX_REASON || strlen(by) > MAX_REASON)
        return err_set(err, ERR_USAGE, 0, "reason and by may have %d bytes each", MAX_REASON);
    ret->limit_ms = for_s * 1000;
    ret->owner = xstrdup(LEASE_MANUAL);
    ret->reason = xstrdup(reason);
    ret->by = xstrdup(by);
    return true;
}

void api_post_pause(HttpRequest *req, void *context)
{
    Agent *a = context;
    Err err;
    json_t *body;
    PauseWish wish = {.term = a->s.durable.role.seen_term};
    if (!api_body_term(req, a, &body, &err) || !read_wish(body, &wish, &err)) {
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

void api_post_resume(HttpRequest *req, void *context)
{
    Agent *a = context;
    Err err;
    json_t *body;
    const char *by, *reason;
    if (!api_body_term(req, a, &body, &err) || !json_opt_str(body, "by", "", &by, &err) ||
        !json_opt_str(body, "reason", "", &reason, &err)) {
        http_reply_error(req, &err);
        return;
    }
    Input *in = api_resume_input(by, reason);
    in->token = answer_expect_news(a, req, true);
    queue_post(a, in);
}
