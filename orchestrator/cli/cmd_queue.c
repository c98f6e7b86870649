/* SPDX-License-Identifier: Apache-2.0
 * siding queue …, and cordons: what is kept from starting by itself.
 */
#include <stdio.h>
#include <unistd.h>

#include "client.h"
#include "common/base/clock.h"
#include "common/base/text.h"
#include "view.h"

typedef struct Brake {
    CliCommon common;
    int64_t for_ms, timeout_ms;
    char *reason;
} Brake;

#define BRAKE_OPTIONS                                                                                        \
    {"for",                                                                                                  \
     0,                                                                                                      \
     OPT_DURATION,                                                                                           \
     offsetof(Brake, for_ms),                                                                                \
     .arg = "D",                                                                                             \
     .min = 1000,                                                                                            \
     .max = 366 * 86400000LL,                                                                                \
     .doc = "How long; then it ends by itself."},                                                            \
    {                                                                                                        \
        "reason", 0, OPT_STR, offsetof(Brake, reason), .arg = "TEXT", .doc = "Why, for others to read."      \
    }

static const Opt brake_options[] = {
    BRAKE_OPTIONS,
    CLI_COMMON_OPTIONS,
};

static const Opt drain_options[] = {
    BRAKE_OPTIONS,
    {"timeout", 0, OPT_DURATION, offsetof(Brake, timeout_ms), .arg = "D", .fallback = "12h", .min = 1000,
     .max = 14 * 86400000LL, .doc = "How long to wait for what runs there; the cordon stays."},
    CLI_COMMON_OPTIONS,
};

static bool post(const Cli *cli, const char *path, const Brake *b, json_t **ret, Err *err)
{
    AUTOJSON json_t *body = json_object();
    AUTOFREE char *user = cli_user();
    json_set_str(body, "by", user);
    if (b && b->for_ms)
        json_set_int(body, "for_s", (b->for_ms + 999) / 1000);
    if (b && b->reason)
        json_set_str(body, "reason", b->reason);
    return client_call(cli, "POST", path, body, API_TIMEOUT_MS, ret, err);
}

static bool show(const Cli *cli, const json_t *queue)
{
    AUTO(str_done) Str text = STR_INIT;
    view_brakes(queue, clock_wall_ms(), &text);
    if (cli->json)
        out_json(queue);
    else
        out_text(str_z(&text));
    return true;
}

static bool post_and_show(const Cli *cli, const char *path, const Brake *b, Err *err)
{
    AUTOJSON json_t *answer = NULL;
    return post(cli, path, b, &answer, err) && show(cli, answer);
}

static CLI_RUN(run_show)
{
    AUTOJSON json_t *j = NULL;
    (void)options;
    (void)words;
    (void)rest;
    return client_get(cli, "/v1/queue", &j, err) && show(cli, j);
}

const CliCommand cmd_queue_show = {
    .group = "queue",
    .name = "show",
    .summary = "Show the mode, what is held, and failures that nobody has seen to.",
    .options = cli_plain_options,
    .size = sizeof(CliPlain),
    .run = run_show,
};

static CLI_RUN(run_manual)
{
    (void)words;
    (void)rest;
    return post_and_show(cli, "/v1/queue/manual", options, err);
}

const CliCommand cmd_queue_manual = {
    .group = "queue",
    .name = "manual",
    .summary = "Start nothing by itself: only what siding task run names.",
    .detail = "What runs goes on. With --for automatic mode comes back by itself, but not while failures "
              "have not been "
              "seen to.",
    .options = brake_options,
    .size = sizeof(Brake),
    .run = run_manual,
};

static CLI_RUN(run_auto)
{
    (void)options;
    (void)words;
    (void)rest;
    return post_and_show(cli, "/v1/queue/auto", NULL, err);
}

const CliCommand cmd_queue_auto = {
    .group = "queue",
    .name = "auto",
    .summary = "End manual mode; refused until every failure is acknowledged, retried or deleted.",
    .options = cli_plain_options,
    .size = sizeof(CliPlain),
    .run = run_auto,
};

static CLI_RUN(run_hold)
{
    AUTOFREE char *path = client_path("lanes", words->v[0], "hold");
    (void)rest;
    return post_and_show(cli, path, options, err);
}

const CliCommand cmd_queue_hold = {
    .group = "queue",
    .name = "hold",
    .args = "LANE",
    .summary = "Start nothing of one lane.",
    .detail = "A lane is the name of tasks, or the table (schema.table) that uploads load into.",
    .options = brake_options,
    .size = sizeof(Brake),
    .min_words = 1,
    .max_words = 1,
    .run = run_hold,
};

static CLI_RUN(run_release)
{
    AUTOFREE char *path = client_path("lanes", words->v[0], "release");
    (void)options;
    (void)rest;
    return post_and_show(cli, path, NULL, err);
}

const CliCommand cmd_queue_release = {
    .group = "queue",
    .name = "release",
    .args = "LANE",
    .summary = "End the hold of a lane.",
    .options = cli_plain_options,
    .size = sizeof(CliPlain),
    .min_words = 1,
    .max_words = 1,
    .run = run_release,
};

/* ---- nodes ------------------------------------------------------------------------------------------ */

static CLI_RUN(run_cordon)
{
    AUTOFREE char *path = client_path("nodes", words->v[0], "cordon");
    (void)rest;
    return post_and_show(cli, path, options, err);
}

const CliCommand cmd_replica_cordon = {
    .group = "replica",
    .name = "cordon",
    .args = "NODE",
    .summary = "Start nothing on a node; what runs there goes on.",
    .options = brake_options,
    .size = sizeof(Brake),
    .min_words = 1,
    .max_words = 1,
    .run = run_cordon,
};

static CLI_RUN(run_uncordon)
{
    AUTOFREE char *path = client_path("nodes", words->v[0], "uncordon");
    (void)options;
    (void)rest;
    return post_and_show(cli, path, NULL, err);
}

const CliCommand cmd_replica_uncordon = {
    .group = "replica",
    .name = "uncordon",
    .args = "NODE",
    .summary = "End the cordon of a node.",
    .options = cli_plain_options,
    .size = sizeof(CliPlain),
    .min_words = 1,
    .max_words = 1,
    .run = run_uncordon,
};

/* The first run that is under way there; "": none. */
static bool run_on(const Cli *cli, const char *node, Str *ret, Err *err)
{
    AUTOJSON json_t *status = NULL;
    size_t i;
    json_t *t;
    str_clear(ret);
    if (!client_get(cli, "/v1/status", &status, err))
        return false;
    json_array_foreach(json_object_get(status, "tasks"), i, t)
    {
        const json_t *runs = json_object_get(t, "runs");
        Run r = {0};
        if (!json_array_size(runs) ||
            !wire_read(run_fields, json_array_get(runs, json_array_size(runs) - 1), &r, err))
            continue;
        if (!coord_run_is_final(r.state) && strlist_has(&r.nodes, node) && r.state < CRUN_CAUGHT_UP)
            str_adds(ret, r.id);
        wire_free(run_fields, &r);
        if (ret->len)
            return true;
    }
    return true;
}

static CLI_RUN(run_drain)
{
    const Brake *b = options;
    const char *node = words->v[0];
    AUTO(str_done) Str run = STR_INIT;
    AUTO(str_done) Str told = STR_INIT;
    AUTOJSON json_t *answer = NULL;
    AUTOFREE char *path = client_path("nodes", node, "cordon");
    (void)rest;
    if (!post(cli, path, b, &answer, err))
        return false;
    for (int64_t end = clock_mono_ms() + b->timeout_ms;; clock_sleep_ms(500)) {
        if (!run_on(cli, node, &run, err))
            return false;
        if (!run.len)
            return show(cli, answer);
        if (clock_mono_ms() > end)
            return err_set(err, ERR_TIMEOUT, 0, "run %s is still under way on %s, which stays cordoned",
                           str_z(&run), node);
        if (!str_eq(str_z(&run), str_z(&told)))
            text_print(stderr, "waits for run %s on %s\n", str_z(&run), node);
        str_clear(&told);
        str_adds(&told, str_z(&run));
    }
}

const CliCommand cmd_replica_drain = {
    .group = "replica",
    .name = "drain",
    .args = "NODE",
    .summary = "Cordon a node and wait until nothing runs there.",
    .options = drain_options,
    .size = sizeof(Brake),
    .min_words = 1,
    .max_words = 1,
    .run = run_drain,
};
