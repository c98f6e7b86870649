/* SPDX-License-Identifier: Apache-2.0
 * The agents of a primary's members are asked whether they stand by it; what is made of that is
 * core/contact_step's.
 */
#include <inttypes.h>

#include "common/net/httpc.h"
#include "replica-agent/agent/agent.h"

typedef struct Question {
    Agent *a;
    char *node;
} Question;

static void post(Agent *a, const char *node, bool stands)
{
    Input *in = queue_input(IN_STANDS, node);
    in->flag = stands;
    queue_post(a, in);
}

static void answered(void *arg, bool ok, json_t *body, const Err *err)
{
    Question *q = arg;
    if (!ok)
        log_debug("%s was asked whether it stands by this primary: %s", q->node, err->text);
    if (!q->a->stopping)
        post(q->a, q->node, ok && json_is_true(json_object_get(body, "stands")));
    free(q->node);
    free(q);
}

void contact_ask(Agent *a, const Effect *e)
{
    Err err;
    const char *url;
    const WireBallot *b = &a->s.durable.vote.vote.accepted.ballot;
    if (!agent_config_peer_url(&a->conf, e->owner, &url, &err)) {
        post(a, e->owner, false);
        return;
    }
    if (!a->peers)
        a->peers = httpc_new(a->base);
    AUTO(str_done) Str path = STR_INIT;
    str_adds(&path, "/v1/standing?primary=");
    httpc_encode(&path, a->conf.node);
    str_addf(&path, "&term=%" PRId64 "&owner=%s", b->term, b->owner ? b->owner : "");
    HttpCall call = {
        .base_url = url, .method = "GET", .path = str_z(&path), .timeout_ms = e->number, .tls = &a->conf.tls};
    Question *q = NEW(Question);
    *q = (Question){a, xstrdup(e->owner)};
    httpc_start(a->peers, &call, answered, q);
}

void contact_close(Agent *a)
{
    httpc_free(STEAL(a->peers));
}
