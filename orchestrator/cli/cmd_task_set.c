/* SPDX-License-Identifier: Apache-2.0
 * siding task set: some of what was asked for, anew.
 */
#include <stdio.h>

#include "client.h"
#include "common/base/clock.h"
#include "common/base/text.h"
#include "common/wire/bounds.h"
#include "out.h"
#include "task_pick.h"
#include "when.h"

typedef struct TaskSet {
    TaskPick pick;
    char *priority, *time, *new_name, *sleeptime, *window, *attempts;
} TaskSet;

static const Opt set_options[] = {
    {"priority", 'P', OPT_STR, offsetof(TaskSet, priority), .arg = "N", .doc = "Larger goes first.",
     .section = "What is set"},
    {"time", 't', OPT_STR, offsetof(TaskSet, time), .arg = "TIME",
     .doc = "Not before: +15s, 5m, 22:00, \"2026-10-27 13:57:26\" or now; of a recurring task this turn."},
    {"set-name", 'N', OPT_STR, offsetof(TaskSet, new_name), .arg = "NAME", .doc = "The task's name."},
    {"sleeptime", 's', OPT_STR, offsetof(TaskSet, sleeptime), .arg = "D",
     .doc = "Run again so long after; 0: not again."},
    {"limit", 'L', OPT_STR, offsetof(TaskSet, window), .arg = "WINDOW", .doc = "Start only inside."},
    {"attempts", 0, OPT_STR, offsetof(TaskSet, attempts), .arg = "N",
     .doc = "Runs before it ends with an error."},
    TASK_PICK_OPTIONS,
    CLI_COMMON_OPTIONS,
};

static bool set_int(json_t *body, const char *key, const char *option, const char *text, Err *err)
{
    long long n;
    if (text && !str_to_i64(text, INT64_MIN, INT64_MAX, &n))
        return err_set(err, ERR_USAGE, 0, "option --%s: \"%s\" is no number", option, text);
    if (text)
        json_set_int(body, key, n);
    return true;
}

static bool fill(const TaskSet *s, json_t *body, Err *err)
{
    int64_t ms;
    if (!set_int(body, "priority", "priority", s->priority, err) ||
        !set_int(body, "max_attempts", "attempts", s->attempts, err))
        return false;
    if (s->time) {
        if (!when_parse(s->time, clock_wall_ms(), &ms, err))
            return err_prefix(err, "option --time");
        json_set_time(body, "run_at", ms);
    }
    if (s->sleeptime) {
        if (!when_parse_span(s->sleeptime, &ms, err))
            return err_prefix(err, "option --sleeptime");
        json_set_int(body, "sleeptime_ms", ms);
    }
    if (s->new_name)
        json_set_str(body, "name", s->new_name);
    if (s->window)
        json_set_str(body, "window", s->window);
    return json_object_size(body) ||
           err_set(err, ERR_USAGE, 0, "task set needs something to set, such as --priority 5");
}

static CLI_RUN(run_set)
{
    const TaskSet *s = options;
    AUTO(strlist_done) StrList ids = STRLIST_INIT;
    AUTOJSON json_t *body = json_object();
    AUTOJSON json_t *all = json_array();
    AUTOFREE char *user = cli_user();
    (void)rest;
    if (!fill(s, body, err) || !bounds_check(set_bounds, DOOR_API, body, err) ||
        !task_pick(cli, &s->pick, words, &ids, err))
        return false;
    json_set_str(body, "by", user);
    for (size_t i = 0; i < ids.n; i++) {
        int64_t id;
        json_t *answer = NULL;
        if (!cli_task_id(ids.v[i], &id, NULL, err))
            return false;
        AUTOFREE char *path = xasprintf("/v1/tasks/%lld/set", (long long)id);
        if (!client_call(cli, "POST", path, body, API_TIMEOUT_MS, &answer, err))
            return false;
        if (!cli->json)
            text_print(stderr, "task %s: set\n", ids.v[i]);
        json_array_append_new(all, answer);
    }
    if (cli->json)
        out_json(all);
    return true;
}

const CliCommand cmd_task_set = {
    .group = "task",
    .name = "set",
    .args = "[ID…]",
    .summary = "Change priority, time, name, sleep time or window of tasks.",
    .detail = "Of a task under way it counts from its next turn or attempt on.",
    .options = set_options,
    .size = sizeof(TaskSet),
    .max_words = 1000,
    .run = run_set,
};
