/* SPDX-License-Identifier: Apache-2.0
 * Holds on the binary logs of this primary, over HTTP.
 */
#include "api_impl.h"
#include "common/base/clock.h"
#include "common/wire/bounds.h"
#include "replica-agent/agent/agent.h"

void api_post_purge_hold(HttpRequest *req, void *context)
{
    Agent *a = context;
    Err err;
    json_t *body;
    const char *owner;
    int64_t keep_s, for_s;
    bool ok = api_body_term(req, a, &body, &err) && bounds_check(purge_hold_bounds, DOOR_AGENT, body, &err) &&
              json_req_str(body, "owner", &owner, &err) &&
              json_req_int(body, "keep_s", 1, INT64_MAX, &keep_s, &err) &&
              json_req_int(body, "for_s", 1, INT64_MAX, &for_s, &err);
    if (ok && a->s.known.server.up && a->s.known.server.status.is_replica)
        ok = err_set(&err, ERR_REFUSED, 0, "%s is a replica: binary logs are held on the primary",
                     a->conf.node);
    if (ok) {
        purge_hold(&a->purge.state, owner, keep_s, for_s * 1000, clock_boot_id(), clock_mono_ms(),
                   clock_wall_ms());
        purge_save(a);
        a->purge.batch = 0;
        a->purge.next_ms = 0;
        agent_changed(a);
    }
    if (ok)
        http_reply_json(req, 200, purge_json(a));
    else
        http_reply_error(req, &err);
}

void api_delete_purge_hold(HttpRequest *req, void *context)
{
    Agent *a = context;
    if (!api_heard(req, a))
        return;
    purge_release(&a->purge.state, http_param(req, "owner"));
    a->purge.next_ms = 0;
    a->purge.batch = 0;
    agent_changed(a);
    purge_save(a);
    http_reply_json(req, 200, purge_json(a));
}
