/* SPDX-License-Identifier: Apache-2.0
 * Requests that wait until an effect answers them, or the pause's news do. Each has a deadline.
 */
#include "common/base/clock.h"
#include "replica-agent/agent/agent.h"

enum { NEWS_WAIT_MS = 90000, TROUBLE_WAIT_MS = 3000 };

typedef struct Answer {
    uint64_t token;
    HttpRequest *req;
    Agent *a;
    json_t *(*make)(Agent *a, const char *run);
    int status;
    bool by_news, resume;
    int64_t since_ms;
    struct Answer *next;
} Answer;

static void drop(Agent *a, Answer *w)
{
    for (Answer **p = &a->answers; *p; p = &(*p)->next)
        if (*p == w) {
            *p = w->next;
            free(w);
            return;
        }
}

static void closed(HttpRequest *req, void *arg)
{
    (void)req;
    Answer *w = arg;
    drop(w->a, w);
}

static Answer *expect(Agent *a, HttpRequest *req)
{
    Answer *w = NEW(Answer);
    *w = (Answer){.token = ++a->last_token, .req = req, .a = a, .status = 200, .since_ms = clock_mono_ms()};
    w->next = a->answers;
    a->answers = w;
    http_on_close(req, closed, w);
    return w;
}

static json_t *lease_of(Agent *a, const char *run)
{
    (void)run;
    return node_lease_json(a);
}

uint64_t answer_expect(Agent *a, HttpRequest *req, json_t *(*make)(Agent *a, const char *run), int status)
{
    Answer *w = expect(a, req);
    w->make = make;
    w->status = status;
    return w->token;
}

uint64_t answer_expect_news(Agent *a, HttpRequest *req, bool resume)
{
    Answer *w = expect(a, req);
    w->make = lease_of;
    w->by_news = true;
    w->resume = resume;
    return w->token;
}

static void give(Agent *a, Answer *w, const char *run, const Err *err)
{
    HttpRequest *req = w->req;
    json_t *(*make)(Agent *, const char *) = w->make;
    int status = w->status;
    http_on_close(req, NULL, NULL);
    drop(a, w);
    if (err && err->kind != ERR_NONE)
        http_reply_error(req, err);
    else
        http_reply_json(req, status, make(a, run));
}

void answer_give(Agent *a, uint64_t token, const char *run, const Err *err)
{
    for (Answer *w = a->answers; w; w = w->next)
        if (w->token == token) {
            give(a, w, run, err);
            return;
        }
}

void answer_text(Agent *a, uint64_t token, int status, const char *json)
{
    for (Answer *w = a->answers; w; w = w->next)
        if (w->token == token) {
            HttpRequest *req = w->req;
            http_on_close(req, NULL, NULL);
            drop(a, w);
            http_reply_json(req, status, json_loads(json, 0, NULL));
            return;
        }
}

static bool is_answered_by(const Answer *w, bool manual, PauseNews news)
{
    if (w->resume)
        return news == PAUSE_NEWS_RESUMED || news == PAUSE_NEWS_RELEASED;
    return manual && (news == PAUSE_NEWS_FROZEN || news == PAUSE_NEWS_FAILED || news == PAUSE_NEWS_VOID);
}

void answer_news(Agent *a, const char *owner, PauseNews news, const Err *err)
{
    bool manual = str_eq(owner, LEASE_MANUAL);
    for (Answer *w = a->answers, *next; w; w = next) {
        next = w->next;
        if (w->by_news && is_answered_by(w, manual, news))
            give(a, w, NULL, w->resume ? NULL : err);
    }
}

/* A resume that cannot get on says why instead of keeping its caller. */
void answers_tick(Agent *a)
{
    int64_t now = clock_mono_ms();
    const char *trouble = a->s.flight.pause.trouble;
    for (Answer *w = a->answers, *next; w; w = next) {
        Err err;
        next = w->next;
        if (w->resume && trouble && now - w->since_ms > TROUBLE_WAIT_MS)
            err_set(&err, ERR_REFUSED, 0, "%s", trouble);
        else if (now - w->since_ms > NEWS_WAIT_MS)
            err_set(&err, ERR_TIMEOUT, 0, "not done within %d s; see the state of %s", NEWS_WAIT_MS / 1000,
                    a->conf.node);
        else
            continue;
        give(a, w, NULL, &err);
    }
}

void answers_close(Agent *a)
{
    while (a->answers)
        drop(a, a->answers);
}
