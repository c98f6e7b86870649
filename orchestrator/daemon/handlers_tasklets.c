/* SPDX-License-Identifier: Apache-2.0 */
#include "handlers.h"
#include "orchestrator/core/tasklets.h"

void handle_list_tasklets(HttpRequest *req, void *context)
{
    const Coord *c = context;
    AUTOFREE const Node **nodes = state_nodes(c);
    http_reply_json(req, 200, tasklets_list(nodes, c->n_agents));
}

void handle_get_tasklet(HttpRequest *req, void *context)
{
    Err err;
    json_t *found;
    const Coord *c = context;
    AUTOFREE const Node **nodes = state_nodes(c);
    if (tasklets_find(nodes, c->n_agents, http_param(req, "name"), &found, &err))
        http_reply_json(req, 200, found);
    else
        handle_error(req, ERR_NOT_FOUND, "%s", err.text);
}
