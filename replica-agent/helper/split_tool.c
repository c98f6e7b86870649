/* SPDX-License-Identifier: Apache-2.0
 * `siding-agent split`: between a program, whose requests come as JSON lines on the socket that is its
 * standard input, and the agent that holds the list of the run's work. It numbers them, sends them again
 * where the connection broke, and says every few seconds that the program lives; what went wrong is answered
 * as {"error": …}. Ends with the program.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/file/json.h"
#include "common/net/httpc.h"
#include "replica-agent/host/config.h"
#include "replica-agent/host/tools.h"

enum {
    BEAT_MS = 1000,
    CALL_MS = 10000,
    LAST_CALL_MS = 3000,
    PATIENCE_MS = 60000,
    AGAIN_MS = 500,
    LONGEST_LINE = 4 << 20
};

typedef struct SplitArgs {
    char *config, *url, *run;
    int64_t shard;
} SplitArgs;

#define FIELD(name) offsetof(SplitArgs, name)
static const Opt options[] = {
    {"config", 0, OPT_STR, FIELD(config), .arg = "FILE", .doc = "agent.conf, for its certificates."},
    {"url", 0, OPT_STR, FIELD(url), .arg = "URL", .doc = "The agent of the run's first replica."},
    {"run", 0, OPT_STR, FIELD(run), .arg = "RUN", .doc = "The run, such as 12.1."},
    {"shard", 0, OPT_INT, FIELD(shard), .arg = "N", .fallback = "0", .max = 1000, .doc = "This shard."},
    {0},
};

typedef struct Helper {
    const SplitArgs *args;
    const Tls *tls;
    char *path;
    int64_t seq;
    Str in;
    bool too_long; /* the line that is being read: its rest is dropped */
} Helper;

static bool call_once(const Helper *h, const json_t *request, int64_t timeout_ms, json_t **ret, Err *err)
{
    HttpCall call = {.base_url = h->args->url,
                     .method = "POST",
                     .path = h->path,
                     .body = request,
                     .timeout_ms = timeout_ms,
                     .tls = h->tls};
    return httpc_call(&call, ret, err);
}

static bool program_is_gone(void)
{
    struct pollfd p = {0, POLLIN, 0};
    return poll(&p, 1, 0) > 0 && (p.revents & POLLHUP);
}

/* The request keeps its number, so that it counts once however often it arrives. */
static bool call(Helper *h, json_t *request, json_t **ret, Err *err)
{
    int64_t until = clock_mono_ms() + PATIENCE_MS;
    json_set_int(request, "shard", h->args->shard);
    json_set_int(request, "seq", ++h->seq);
    for (;;) {
        if (call_once(h, request, CALL_MS, ret, err))
            return true;
        bool may_pass = err->kind == ERR_UNREACHABLE || err->kind == ERR_TIMEOUT || err->kind == ERR_LOST;
        if (!may_pass || clock_mono_ms() >= until || program_is_gone())
            return false;
        clock_sleep_ms(AGAIN_MS);
    }
}

/* Of itself, not the program's; whether it arrives is not waited for. */
static void tell(Helper *h, const char *op, int64_t timeout_ms)
{
    Err ignored;
    AUTOJSON json_t *request = json_object(), *answer = NULL;
    json_set_str(request, "op", op);
    json_set_int(request, "shard", h->args->shard);
    json_set_int(request, "seq", ++h->seq);
    (void)!call_once(h, request, timeout_ms, &answer, &ignored);
}

static bool write_all(const char *p, size_t n)
{
    while (n) {
        ssize_t done = write(0, p, n);
        if (done < 0 && errno != EINTR)
            return false;
        p += done > 0 ? done : 0;
        n -= done > 0 ? (size_t)done : 0;
    }
    return true;
}

static bool parse(const Helper *h, const char *line, size_t n, json_t **ret, Err *err)
{
    if (h->too_long || n > LONGEST_LINE)
        return err_set(err, ERR_USAGE, 0, "a request of more than %d bytes", LONGEST_LINE);
    if (!json_parse(line, n, ret, err))
        return false;
    return json_is_object(*ret) || err_set(err, ERR_USAGE, 0, "a request is a JSON object");
}

static bool answer_line(Helper *h, const char *line, size_t n)
{
    Err err;
    AUTOJSON json_t *request = NULL, *answer = NULL;
    bool ok = parse(h, line, n, &request, &err);
    h->too_long = false;
    if (!ok || !call(h, request, &answer, &err)) {
        json_decref(answer);
        answer = json_object();
        json_set_str(answer, "error", err.text);
        json_set_str(answer, "kind", err_kind_name(err.kind));
    }
    AUTOFREE char *text = json_text(answer), *whole = xasprintf("%s\n", text);
    return write_all(whole, strlen(whole));
}

/* False: the program has ended. */
static bool take(Helper *h)
{
    char buffer[65536];
    ssize_t n = read(0, buffer, sizeof buffer);
    if (n < 0)
        return errno == EINTR;
    if (n == 0)
        return false;
    str_add(&h->in, buffer, (size_t)n);
    for (const char *end; (end = memchr(str_z(&h->in), '\n', h->in.len));) {
        size_t line = (size_t)(end - h->in.p);
        if (!answer_line(h, h->in.p, line))
            return false;
        memmove(h->in.p, h->in.p + line + 1, h->in.len - line - 1);
        h->in.len -= line + 1;
    }
    if (h->in.len > LONGEST_LINE) {
        h->too_long = true;
        str_clear(&h->in);
    }
    return true;
}

static void serve(Helper *h)
{
    for (;;) {
        struct pollfd p = {0, POLLIN, 0};
        int n = poll(&p, 1, BEAT_MS);
        if (n == 0)
            tell(h, "beat", CALL_MS);
        else if (n > 0 && !take(h))
            break;
    }
    tell(h, "leave", LAST_CALL_MS);
}

int split_main(int argc, char **argv)
{
    Err err;
    SplitArgs args = {0};
    AgentConfig conf = {0};
    OptSpecial special;
    AUTO(strlist_done) StrList words = STRLIST_INIT;
    if (!opts_parse(options, argc, argv, false, &args, &words, NULL, &special, &err))
        return tool_failed("split", &err);
    if (special != OPT_RUN)
        return tool_help(options, "siding-agent split --url URL --run RUN --shard N",
                         "Passes a program's requests for work on to the agent that holds the list.",
                         special);
    bool ok = args.config && args.url && args.run;
    if (!ok)
        err_set(&err, ERR_USAGE, 0, "--config, --url and --run are needed");
    ok = ok && agent_config_load(args.config, &conf, &err);
    if (ok) {
        Helper h = {.args = &args,
                    .tls = &conf.tls,
                    .path = xasprintf("/v1/runs/%s/split", args.run),
                    .in = STR_INIT};
        httpc_keep_connections();
        serve(&h);
        free(h.path);
        str_done(&h.in);
    }
    agent_config_free(&conf);
    opts_free(options, &args);
    return ok ? 0 : tool_failed("split", &err);
}
