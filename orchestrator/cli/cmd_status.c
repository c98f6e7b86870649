/* SPDX-License-Identifier: Apache-2.0
 * siding status [--watch]: nodes, runs and queue on one screen, redrawn in place where the terminal can; or
 * the tasks of some states.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "client.h"
#include "common/base/clock.h"
#include "common/base/text.h"
#include "queue_report.h"
#include "view.h"

typedef struct Status {
    CliCommon common;
    bool watch;
    int64_t interval_ms, count;
    QueueReport report;
} Status;

static const Opt status_options[] = {
    {"watch", 'w', OPT_FLAG, offsetof(Status, watch), .doc = "Go on until interrupted."},
    {"interval", 0, OPT_DURATION, offsetof(Status, interval_ms), .arg = "D", .fallback = "1s", .min = 100,
     .max = 3600000, .doc = "With --watch: time between two looks."},
    {"count", 0, OPT_INT, offsetof(Status, count), .arg = "N", .min = 1, .max = 1000000,
     .doc = "With --watch: end after N looks."},
    {"status", 's', OPT_STR, offsetof(Status, report.states), .arg = "LIST",
     .doc = "Instead of the screen: tasks in these states, with commas between them, in Siding's words or "
            "BibSched's; running,waiting where only -S or -t is given.",
     .section = "A report of tasks"},
    {"since", 'S', OPT_STR, offsetof(Status, report.since), .arg = "AGE",
     .doc = "Only tasks whose time to run is not longer ago than this: 30m, 2h, 1d. A sign before it means "
            "nothing."},
    {"tasks", 't', OPT_STR, offsetof(Status, report.names), .arg = "LIST",
     .doc = "Only tasks of these names, with commas between them."},
    {"task", 0, OPT_STR, offsetof(Status, report.names), .arg = "LIST", .doc = "The same."},
    CLI_COMMON_OPTIONS,
};

static volatile sig_atomic_t interrupted;

static void on_signal(int signal_number)
{
    (void)signal_number;
    interrupted = 1;
}

static bool fetch(const Cli *cli, json_t **ret, json_t **ret_events, Err *err)
{
    Err ignored;
    if (!client_get(cli, "/v1/status", ret, err))
        return false;
    if (!client_get(cli, "/v1/events?limit=6", ret_events, &ignored))
        *ret_events = NULL;
    return true;
}

static bool is_report(const Status *s)
{
    return s->report.states || s->report.since || s->report.names;
}

/* What is shown: a screen, or a report, with what it was made from. */
static bool see(const Cli *cli, const Status *s, size_t width, json_t **ret, Str *out, Err *err)
{
    if (is_report(s))
        return queue_report(cli, &s->report, width, ret, out, err);
    AUTOJSON json_t *status = NULL;
    AUTOJSON json_t *events = NULL;
    if (!fetch(cli, &status, &events, err) ||
        (!cli->json && !view_status(status, events, clock_wall_ms(), width, out, err)))
        return false;
    *ret = STEAL(status);
    return true;
}

static bool look(const Cli *cli, const Status *s, size_t width, Str *out, Err *err)
{
    AUTOJSON json_t *answer = NULL;
    if (!see(cli, s, width, &answer, out, err))
        return false;
    if (!cli->json)
        return true;
    AUTOFREE char *line = json_dumps(answer, JSON_COMPACT);
    str_clear(out);
    str_addf(out, "%s\n", line);
    return true;
}

/* Each line is cleared behind its text and the rest of the screen below: no flicker. */
static void draw(const Str *screen)
{
    fputs("\033[H", stdout);
    for (const char *p = str_z(screen); *p;) {
        size_t n = strcspn(p, "\n");
        out_marked(p, n);
        fputs("\033[K\n", stdout);
        p += n + (p[n] == '\n');
    }
    fputs("\033[J", stdout);
    fflush(stdout);
}

static void sleep_until_next(int64_t ms)
{
    for (int64_t end = clock_mono_ms() + ms; !interrupted && clock_mono_ms() < end;)
        clock_sleep_ms(50);
}

static bool watch(const Cli *cli, const Status *s, bool in_place, Err *err)
{
    for (int64_t i = 0; !interrupted && (!s->count || i < s->count); i++) {
        AUTO(str_done) Str screen = STR_INIT;
        if (i)
            sleep_until_next(s->interval_ms);
        if (interrupted)
            break;
        if (!look(cli, s, out_width(STDOUT_FILENO), &screen, err)) {
            if (!err_is_transient(err))
                return false;
            str_clear(&screen);
            str_addf(&screen, "%s\n", err->text);
        }
        if (in_place) {
            draw(&screen);
        } else {
            out_text(i && !cli->json ? "\n" : "");
            out_text(str_z(&screen));
            if (fflush(stdout) != 0)
                return true;
        }
    }
    return true;
}

static bool watch_on_terminal(const Cli *cli, const Status *s, Err *err)
{
    struct sigaction act = {.sa_handler = on_signal};
    bool in_place = out_is_smart(STDOUT_FILENO) && !cli->json;
    sigaction(SIGINT, &act, NULL);
    sigaction(SIGTERM, &act, NULL);
    if (in_place)
        fputs("\033[?1049h\033[?25l\033[2J", stdout);
    bool ok = watch(cli, s, in_place, err);
    if (in_place)
        fputs("\033[?25h\033[?1049l", stdout);
    return ok;
}

/* Manual mode, or failures that nobody has seen to. */
static bool needs_somebody(const json_t *queue)
{
    return str_eq(json_str(queue, "mode"), "manual") || json_int(queue, "errors") > 0 ||
           json_int(queue, "turns_failed") > 0;
}

/* A report holds tasks alone. */
static bool ask_queue(const Cli *cli, const Status *s, const json_t *seen, json_t **ret, Err *err)
{
    if (is_report(s))
        return client_get(cli, "/v1/queue", ret, err);
    *ret = json_incref(json_object_get(seen, "queue"));
    return true;
}

static CLI_RUN(run)
{
    const Status *s = options;
    AUTO(str_done) Str screen = STR_INIT;
    AUTOJSON json_t *seen = NULL;
    AUTOJSON json_t *queue = NULL;
    (void)words;
    (void)rest;
    if (s->watch)
        return watch_on_terminal(cli, s, err);
    if (!see(cli, s, out_width(STDOUT_FILENO), &seen, &screen, err) || !ask_queue(cli, s, seen, &queue, err))
        return false;
    if (cli->json)
        out_json(seen);
    else
        out_text(str_z(&screen));
    err->text[0] = 0; /* all is said */
    return !needs_somebody(queue);
}

const CliCommand cmd_status = {
    .name = "status",
    .summary = "Show nodes, runs and queue, or tasks by state; with --watch on a screen that is redrawn.",
    .detail = "Exit status 1 in manual mode, and while there are failures that nobody has seen to, also in "
              "the last turn of a recurring task.",
    .options = status_options,
    .size = sizeof(Status),
    .run = run,
};
