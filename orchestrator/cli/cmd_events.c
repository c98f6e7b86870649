/* SPDX-License-Identifier: Apache-2.0
 * siding events: what happened, the audit trail among it.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "client.h"
#include "common/base/clock.h"
#include "common/base/text.h"
#include "out.h"
#include "when.h"

typedef struct EventsCommand {
    CliCommon common;
    bool follow;
    char *since, *kind;
    int64_t limit;
} EventsCommand;

enum { WAIT_MS = 20000, AT_ONCE = 2000, AGAIN_MS = 1000 };

static const Opt events_options[] = {
    {"follow", 'f', OPT_FLAG, offsetof(EventsCommand, follow), .doc = "Go on with what happens from now on."},
    {"since", 0, OPT_STR, offsetof(EventsCommand, since), .arg = "T",
     .doc = "Only what happened since then: \"-2h\", or a time as --runtime takes it."},
    {"kind", 0, OPT_STR, offsetof(EventsCommand, kind), .arg = "KIND",
     .doc = "Only of this kind, such as audit, run, node, cluster."},
    {"limit", 'n', OPT_INT, offsetof(EventsCommand, limit), .arg = "N", .fallback = "50", .min = 1,
     .max = AT_ONCE, .doc = "The newest so many, where --since is not given."},
    CLI_COMMON_OPTIONS,
};

static bool read_since(const EventsCommand *o, int64_t *ret_ms, Err *err)
{
    int64_t span;
    *ret_ms = 0;
    if (!o->since)
        return true;
    if (o->since[0] != '-')
        return when_parse(o->since, clock_wall_ms(), ret_ms, err);
    if (!when_parse_span(o->since + 1, &span, err))
        return false;
    *ret_ms = clock_wall_ms() - span;
    return true;
}

static void print_event(const Cli *cli, const json_t *e, int64_t time)
{
    char when[OUT_TEXT];
    if (cli->json) {
        AUTOFREE char *line = json_text(e);
        printf("%s\n", line);
        return;
    }
    out_time(time, when);
    printf("%s  %-5s  %-8s  %s%s%s\n", when, json_str(e, "level"), json_str(e, "kind"), json_str(e, "run"),
           *json_str(e, "run") ? ": " : "", json_str(e, "text"));
}

static void print_new(const Cli *cli, const EventsCommand *o, const json_t *list, int64_t since,
                      int64_t *after)
{
    size_t i;
    const json_t *e;
    json_array_foreach((json_t *)list, i, e)
    {
        int64_t time = 0;
        *after = json_int(e, "seq");
        if (!clock_parse(json_str(e, "time"), &time))
            time = 0;
        if (time >= since && (!o->kind || str_eq(json_str(e, "kind"), o->kind)))
            print_event(cli, e, time);
    }
    fflush(stdout);
}

/* Goes on over a restart of sidingd: its numbers go on too. */
static bool follow(const Cli *cli, const EventsCommand *o, int64_t since, int64_t after, Err *err)
{
    bool told = false;
    for (;;) {
        AUTOJSON json_t *more = NULL;
        AUTOFREE char *next = xasprintf("/v1/events?after=%" PRId64 "&wait_ms=%d&limit=%d",
                                        after < 0 ? 0 : after, WAIT_MS, AT_ONCE);
        if (client_call(cli, "GET", next, NULL, WAIT_MS + API_TIMEOUT_MS, &more, err)) {
            told = false;
            print_new(cli, o, more, since, &after);
            if (ferror(stdout))
                return true;
        } else if (err_is_transient(err)) {
            if (!told)
                text_print(stderr, "siding: %s; it is tried again\n", err->text);
            told = true;
            clock_sleep_ms(AGAIN_MS);
        } else
            return false;
    }
}

static CLI_RUN(run)
{
    const EventsCommand *o = options;
    int64_t since, after = -1;
    (void)words;
    (void)rest;
    if (!read_since(o, &since, err))
        return false;
    AUTOFREE char *first = xasprintf("/v1/events?limit=%" PRId64, since ? (int64_t)AT_ONCE : o->limit);
    AUTOJSON json_t *list = NULL;
    if (!client_get(cli, first, &list, err))
        return false;
    print_new(cli, o, list, since, &after);
    return !o->follow || follow(cli, o, since, after, err);
}

const CliCommand cmd_events = {
    .name = "events",
    .summary = "Show what happened: tasks, runs, nodes, the cluster, and who changed what (kind audit).",
    .detail = "The coordinator keeps the newest 2,048 in memory; older ones are rows of siding.event. With "
              "--json one object a line.",
    .options = events_options,
    .size = sizeof(EventsCommand),
    .run = run,
};
