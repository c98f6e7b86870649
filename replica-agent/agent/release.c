/* SPDX-License-Identifier: Apache-2.0 */
#include "release.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "agent.h"
#include "common/base/clock.h"
#include "common/base/text.h"
#include "common/net/httpc.h"
#include "replica-agent/agent/api/api_impl.h"
#include "replica-agent/core/release_judge.h"

enum {
    SAY_MS = 2000,
    LOOK_MS = 500,
    CALL_MS = 5000,
    RESUME_MS = 100000,
    PATIENCE_MS = 60000,
    SETTLE_MS = 2000
};

/* ---- what both ways share --------------------------------------------------------------------------- */

static bool differs(char **old, const char *now)
{
    if (str_eq(*old, now))
        return false;
    free(*old);
    *old = xstrdup(now);
    return true;
}

static void say(Release *r, const NodeState *s, const char *text)
{
    int64_t now = clock_mono_ms();
    bool moved = differs(&r->position, s->server.applied);
    if (differs(&r->said, text) || moved)
        r->moved_ms = now;
    if (now - r->said_ms < SAY_MS)
        return;
    r->said_ms = now;
    printf("%s: %s\n", s->node, text);
    fflush(stdout);
}

/* Nothing has moved for long: what the agent says is wrong is the answer. */
static bool gives_up(const Release *r, const NodeState *s)
{
    if (clock_mono_ms() - r->moved_ms < PATIENCE_MS)
        return false;
    text_print(stderr, "siding-agent: %s is not released: nothing has moved for %d s\n", s->node,
               PATIENCE_MS / 1000);
    for (size_t i = 0; i < s->warnings.n; i++)
        text_print(stderr, "siding-agent: %s\n", s->warnings.v[i]);
    return true;
}

/* True at the end, *ret_ok then tells which. */
static bool look(Release *r, const NodeState *s, bool *ret_ok)
{
    AUTOFREE char *text = NULL;
    ReleaseStep step = release_judge(s, &text);
    *ret_ok = step == RELEASE_DONE;
    if (step == RELEASE_GOES_ON) {
        say(r, s, text);
        return gives_up(r, s);
    }
    /* The first reading may be of a moment before the agent has begun. */
    if (clock_mono_ms() - r->begun_ms < SETTLE_MS)
        return false;
    fprintf(step == RELEASE_DONE ? stdout : stderr, "%s: %s\n", s->node, text);
    return true;
}

static void begin(Release *r)
{
    r->begun_ms = r->moved_ms = clock_mono_ms();
}

static void release_done(Release *r)
{
    free(STEAL(r->said));
    free(STEAL(r->position));
}

/* ---- by the running agent --------------------------------------------------------------------------- */

static const char *url_of(const AgentConfig *c)
{
    for (size_t i = 0; i < c->listen.n; i++)
        if (str_starts(c->listen.v[i], "unix:"))
            return c->listen.v[i];
    return c->advertise_url;
}

static bool ask(const AgentConfig *c, const char *method, const char *path, const json_t *body, int64_t ms,
                json_t **ret, Err *err)
{
    HttpCall call = {.base_url = url_of(c),
                     .method = method,
                     .path = path,
                     .body = body,
                     .timeout_ms = ms,
                     .tls = &c->tls};
    return httpc_call(&call, ret, err);
}

static bool request(const AgentConfig *c, Err *err)
{
    AUTOJSON json_t *body = json_object(), *answer = NULL;
    json_set_str(body, "by", "siding-agent --release");
    json_set_str(body, "reason", "released by hand");
    /* "Not paused" is no failure, and one that waits is seen in the state. */
    return ask(c, "POST", "/v1/resume", body, RESUME_MS, &answer, err) || err->kind == ERR_CONFLICT ||
           err->kind == ERR_REFUSED || err->kind == ERR_TIMEOUT;
}

static bool follow(const AgentConfig *c, bool *ret_ok, Err *err)
{
    AUTO(release_done) Release r = {0};
    begin(&r);
    for (;;) {
        AUTOJSON json_t *j = NULL;
        NodeState s = {0};
        if (!ask(c, "GET", "/v1/state", NULL, CALL_MS, &j, err) || !wire_read(node_state_fields, j, &s, err))
            return false;
        bool end = look(&r, &s, ret_ok);
        wire_free(node_state_fields, &s);
        if (end)
            return true;
        poll(NULL, 0, LOOK_MS);
    }
}

int release_by_api(const AgentConfig *c)
{
    Err err;
    bool ok = false;
    printf("%s: its agent runs and is asked, at %s\n", c->node, url_of(c));
    fflush(stdout);
    if (!request(c, &err) || !follow(c, &ok, &err)) {
        text_print(stderr, "siding-agent: the running agent: %s\n", err.text);
        return 1;
    }
    return ok ? 0 : 1;
}

/* ---- as the agent ----------------------------------------------------------------------------------- */

static void ask_once(Agent *a, Release *r)
{
    r->asked = true;
    if (a->s.durable.pause != PAUSE_NONE)
        queue_post(a, api_resume_input("siding-agent --release", "released by hand"));
    else
        queue_post(a, queue_input(IN_START, NULL)); /* whoever stopped it: it is asked for now */
}

void release_tick(Agent *a)
{
    Release *r = &a->release;
    if (!r->wanted)
        return;
    if (!r->begun_ms)
        begin(r);
    if (a->s.flight.boot.seen && a->s.known.server.up && !r->asked)
        ask_once(a, r);
    if (a->s.flight.boot.start_due || a->s.flight.boot.op || (a->vault.clear_due && a->vault.in_flight))
        return;
    AUTOJSON json_t *j = node_state_json(a, INT64_MAX);
    Err err;
    NodeState s = {0};
    if (!wire_read(node_state_fields, j, &s, &err))
        return;
    if ((r->asked || !a->s.known.server.up) && look(r, &s, &r->ok))
        event_base_loopbreak(a->base);
    wire_free(node_state_fields, &s);
}
