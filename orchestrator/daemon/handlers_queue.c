/* SPDX-License-Identifier: Apache-2.0
 * What people keep from starting: the queue, a lane, a node.
 */
#include <string.h>

#include "common/base/clock.h"
#include "common/file/json.h"
#include "common/wire/bounds.h"
#include "coord_brakes.h"
#include "handlers.h"

void handle_queue(HttpRequest *req, void *context)
{
    http_reply_json(req, 200, coord_brakes_json(context));
}

static void answered(void *arg, Coord *c, bool ok, const Err *err)
{
    if (ok)
        http_reply_json(arg, 200, coord_brakes_json(c));
    else
        http_reply_error(arg, err);
}

static bool read_body(HttpRequest *req, json_t **body)
{
    Err err;
    if (http_body(req, body, &err) && bounds_check(brake_bounds, DOOR_API, *body, &err))
        return true;
    http_reply_error(req, &err);
    return false;
}

/* The column takes no more: then who it was counts for more than who it is said to be. */
static char *who(HttpRequest *req, const json_t *body)
{
    char *by = http_by(req, json_str(body, "by"));
    if (strlen(by) <= BOUND_BY_CHARS)
        return by;
    free(by);
    return xstrdup(http_who(req));
}

static void put(HttpRequest *req, Coord *c, BrakeKind kind, const char *name)
{
    json_t *body;
    if (!read_body(req, &body))
        return;
    int64_t now = clock_wall_ms(), for_s = json_int(body, "for_s");
    QueueBrake b = {.kind = kind,
                    .name = xstrdup(name),
                    .since = now,
                    .until = for_s > 0 ? now + for_s * 1000 : 0,
                    .by = who(req, body),
                    .reason = xstrdup(json_str(body, "reason"))};
    coord_brakes_put(c, &b, answered, req);
}

static void end(HttpRequest *req, Coord *c, BrakeKind kind, const char *name)
{
    json_t *body;
    if (!read_body(req, &body))
        return;
    AUTOFREE char *by = who(req, body);
    coord_brakes_end(c, kind, name, by, answered, req);
}

void handle_manual(HttpRequest *req, void *context)
{
    put(req, context, BRAKE_QUEUE, "");
}

void handle_auto(HttpRequest *req, void *context)
{
    end(req, context, BRAKE_QUEUE, "");
}

void handle_quiet(HttpRequest *req, void *context)
{
    Err err;
    json_t *body;
    if (!read_body(req, &body))
        return;
    if (coord_brakes_quiet(context, json_int(body, "for_s") * 1000, &err))
        http_reply_json(req, 200, coord_brakes_json(context));
    else
        http_reply_error(req, &err);
}

void handle_hold_lane(HttpRequest *req, void *context)
{
    Err err;
    AUTOJSON json_t *wanted = json_object();
    json_set_str(wanted, "name", http_param(req, "name"));
    if (!bounds_check(task_bounds, DOOR_API, wanted, &err)) /* a lane is a task's name, or a table */
        http_reply_error(req, &err);
    else
        put(req, context, BRAKE_LANE, http_param(req, "name"));
}

void handle_release_lane(HttpRequest *req, void *context)
{
    end(req, context, BRAKE_LANE, http_param(req, "name"));
}

void handle_cordon(HttpRequest *req, void *context)
{
    Coord *c = context;
    const char *name = http_param(req, "name");
    if (state_agent(c, name))
        put(req, c, BRAKE_NODE, name);
    else
        handle_error(req, ERR_NOT_FOUND, "there is no node \"%s\"", name);
}

void handle_uncordon(HttpRequest *req, void *context)
{
    end(req, context, BRAKE_NODE, http_param(req, "name"));
}
