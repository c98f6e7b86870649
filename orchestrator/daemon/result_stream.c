/* SPDX-License-Identifier: Apache-2.0 */
#include "result_stream.h"

#include <string.h>

#include "common/base/clock.h"
#include "common/net/resultfetch.h"
#include "handlers.h"

enum {
    MOST = 16, /* at a time */
    PART_BYTES = 512 << 10,
    PART_MS = 30000,
    TOLD = 32,
    TOLD_AGAIN_MS = 600000
};

/* Who has begun to read which result: of its many files the trail tells once. */
typedef struct ReadTold {
    char who[128], run[48];
    int64_t ms;
} ReadTold;

typedef struct ResultStreams {
    size_t n; /* under way */
    ReadTold told[TOLD];
    size_t next;
} ResultStreams;

typedef struct ResultStream {
    Coord *c;
    HttpRequest *req; /* NULL: the client is gone */
    char *url, *path, *etag;
    const char *type;
    int64_t size;
    bool asks; /* a part is under way; it comes, or fails within its time, whether the client waits or not */
} ResultStream;

struct ResultStreams *result_streams_new(void)
{
    return NEW(ResultStreams);
}

void result_streams_free(struct ResultStreams *s)
{
    free(s);
}

static void stream_free(ResultStream *s)
{
    s->c->result_streams->n--;
    free(s->url);
    free(s->path);
    free(s->etag);
    free(s);
}

static void ask(ResultStream *s, int64_t from, int64_t bytes, HttpPartDone done)
{
    s->asks = true;
    (void)httpc_start_part(s->c->http,
                           &(HttpCall){.base_url = s->url,
                                       .method = "GET",
                                       .path = s->path,
                                       .timeout_ms = PART_MS,
                                       .owner = s->c->journal.owner,
                                       .tls = &s->c->conf.tls},
                           from, (size_t)bytes, done, s);
}

static void on_closed(HttpRequest *req, void *arg)
{
    ResultStream *s = arg;
    (void)req;
    s->req = NULL;
    if (!s->asks)
        stream_free(s);
}

/* Too late for an answer that says why: the client sees that bytes are missing, and asks again for the rest.
 */
static void part_done(void *arg, const HttpPart *part, const Err *err)
{
    ResultStream *s = arg;
    (void)err;
    s->asks = false;
    bool fits = part && part->n && part->size == s->size && str_eq(part->etag, s->etag);
    if (s->req && fits && http_stream_add(s->req, part->bytes, part->n))
        return;
    if (s->req && !fits)
        http_stream_break(s->req);
    stream_free(s);
}

static void more(HttpRequest *req, void *arg, int64_t at, int64_t left)
{
    (void)req;
    ask(arg, at, left < PART_BYTES ? left : PART_BYTES, part_done);
}

static void probe_done(void *arg, const HttpPart *part, const Err *err)
{
    ResultStream *s = arg;
    s->asks = false;
    if (s->req && !part)
        http_reply_error(s->req, err);
    if (!s->req || !part) {
        stream_free(s);
        return;
    }
    s->size = part->size;
    s->etag = part->etag ? xstrdup(part->etag) : NULL;
    const HttpStream stream = {
        .size = s->size, .content_type = s->type, .etag = s->etag, .more = more, .arg = s};
    if (!http_reply_stream(s->req, &stream))
        stream_free(s);
}

static void tell_once(ResultStreams *all, HttpRequest *req, const char *run)
{
    int64_t now = clock_mono_ms();
    for (size_t i = 0; i < TOLD; i++) {
        const ReadTold *t = &all->told[i];
        if (t->ms && now - t->ms < TOLD_AGAIN_MS && str_eq(t->run, run) && str_eq(t->who, http_who(req))) {
            http_untold(req);
            return;
        }
    }
    ReadTold *t = &all->told[all->next++ % TOLD];
    snprintf(t->who, sizeof t->who, "%s", http_who(req));
    snprintf(t->run, sizeof t->run, "%s", run);
    t->ms = now;
}

void result_stream(Coord *c, HttpRequest *req, const AgentLink *a, const char *run, const char *file)
{
    ResultStreams *all = c->result_streams;
    if (all->n >= MOST) {
        handle_error(req, ERR_UNREACHABLE,
                     "%d files of results are being read through this coordinator already; try again", MOST);
        return;
    }
    tell_once(all, req, run);
    ResultStream *s = NEW(ResultStream);
    *s = (ResultStream){.c = c,
                        .req = req,
                        .url = xstrdup(a->url),
                        .path = resultfetch_path(run, file),
                        .type = str_ends(file, ".json") ? "application/json" : "application/octet-stream"};
    all->n++;
    http_on_close(req, on_closed, s);
    ask(s, 0, 1, probe_done);
}
