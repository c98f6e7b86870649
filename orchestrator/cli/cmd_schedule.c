/* SPDX-License-Identifier: Apache-2.0
 * siding schedule …: recurring tasks that are kept by name, in a file or one by one.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "client.h"
#include "common/base/clock.h"
#include "common/base/text.h"
#include "out.h"
#include "when.h"

static void time_cell(const json_t *o, const char *key, char ret[OUT_TEXT])
{
    int64_t ms = 0;
    snprintf(ret, OUT_TEXT, "-");
    if (clock_parse(json_str(o, key), &ms))
        out_time(ms, ret);
}

static const char *or_dash(const char *text)
{
    return *text ? text : "-";
}

/* ---- list, show, dump ------------------------------------------------------------------------------- */

static void print_list(const json_t *list)
{
    AUTO(table_done) Table t = TABLE_INIT;
    size_t i;
    json_t *s;
    table_head(&t, "xlllllxw",
               (const char *[]){"NAME", "JOB", "STATE", "NEXT", "LAST", "ENDED", "TASK", "ERROR", NULL});
    json_array_foreach((json_t *)list, i, s)
    {
        char next[OUT_TEXT], last[OUT_TEXT];
        time_cell(s, "next", next);
        time_cell(s, "last_started", last);
        AUTOFREE char *task = xasprintf("%lld", (long long)json_int(s, "task"));
        table_row(&t, (const char *[]){json_str(s, "name"), json_str(s, "job"),
                                       json_bool(s, "enabled") ? json_str(s, "state") : "disabled", next,
                                       last, or_dash(json_str(s, "last_state")), task,
                                       or_dash(json_str(s, "error")), NULL});
    }
    out_table(&t);
}

static CLI_RUN(run_list)
{
    AUTOJSON json_t *list = NULL;
    (void)options;
    (void)words;
    (void)rest;
    if (!client_get(cli, "/v1/schedules", &list, err))
        return false;
    if (cli->json)
        out_json(list);
    else
        print_list(list);
    return true;
}

static CLI_RUN(run_show)
{
    AUTOJSON json_t *s = NULL;
    AUTOFREE char *path = client_path("schedules", words->v[0], NULL);
    (void)options;
    (void)rest;
    if (!client_get(cli, path, &s, err))
        return false;
    out_json(s);
    return true;
}

static CLI_RUN(run_dump)
{
    AUTOJSON json_t *list = NULL;
    AUTOJSON json_t *file = json_object();
    size_t i;
    json_t *s;
    (void)options;
    (void)words;
    (void)rest;
    if (!client_get(cli, "/v1/schedules", &list, err))
        return false;
    json_array_foreach(list, i, s)
    {
        json_object_set(file, json_str(s, "name"), json_object_get(s, "spec"));
    }
    out_json(file);
    return true;
}

/* ---- diff, apply ------------------------------------------------------------------------------------ */

typedef struct Apply {
    CliCommon common;
    bool prune;
} Apply;

static const Opt apply_options[] = {
    {"prune", 0, OPT_FLAG, offsetof(Apply, prune), .doc = "Take out those that the file does not name."},
    CLI_COMMON_OPTIONS,
};

static bool read_schedules(const char *path, json_t **ret, Err *err)
{
    const char *key;
    json_t *v;
    if (!json_read_file(path, ret, err))
        return false;
    bool ok = json_is_object(*ret);
    json_object_foreach(*ret, key, v) ok = ok && json_is_object(v);
    return ok || err_set(err, ERR_USAGE, 0,
                         "%s: it must be a JSON object of schedules: {\"nightly\": {\"job\": …, \"plan\": "
                         "{\"cron\": …}}}",
                         path);
}

static bool send_schedule(const Cli *cli, const char *name, const json_t *spec, bool dry_run, json_t **ret,
                          Err *err)
{
    AUTOJSON json_t *body = json_deep_copy(spec);
    AUTOFREE char *user = cli_user(), *path = client_path("schedules", name, NULL);
    if (!json_object_get(body, "user"))
        json_set_str(body, "user", user);
    if (dry_run)
        json_set_bool(body, "dry_run", true);
    return client_call(cli, "POST", path, body, API_TIMEOUT_MS, ret, err) ||
           err_prefix(err, "schedule %s", name);
}

static void print_value(const char *sign, const char *field, const json_t *v)
{
    AUTOFREE char *text = json_is_null(v) || !v ? NULL : json_dumps(v, JSON_ENCODE_ANY | JSON_COMPACT);
    if (text)
        text_print(stdout, "  %s %s: %s\n", sign, field, text);
}

static void print_change(const json_t *change)
{
    size_t i;
    json_t *f;
    if (str_eq(json_str(change, "change"), "none"))
        return;
    text_print(stdout, "%s: %s\n", json_str(change, "name"), json_str(change, "change"));
    json_array_foreach(json_object_get(change, "fields"), i, f)
    {
        print_value("-", json_str(f, "field"), json_object_get(f, "old"));
        print_value("+", json_str(f, "field"), json_object_get(f, "new"));
    }
}

/* What there is and the file does not name. */
static bool find_surplus(const Cli *cli, const json_t *file, json_t **ret, Err *err)
{
    AUTOJSON json_t *list = NULL;
    size_t i;
    json_t *s;
    if (!client_get(cli, "/v1/schedules", &list, err))
        return false;
    *ret = json_array();
    json_array_foreach(list, i, s)
    {
        if (!json_object_get(file, json_str(s, "name")))
            json_array_append(*ret, s);
    }
    return true;
}

/* All are checked before the first is changed. */
static bool get_changes(const Cli *cli, const json_t *file, json_t **ret, Err *err)
{
    const char *name;
    json_t *spec;
    *ret = json_array();
    json_object_foreach((json_t *)file, name, spec)
    {
        json_t *change = NULL;
        if (!send_schedule(cli, name, spec, true, &change, err))
            return false;
        json_array_append_new(*ret, change);
    }
    return true;
}

static bool take_out(const Cli *cli, const json_t *surplus, Err *err)
{
    size_t i;
    json_t *s;
    AUTOFREE char *user = cli_user();
    json_array_foreach((json_t *)surplus, i, s)
    {
        AUTOJSON json_t *answer = NULL;
        AUTOJSON json_t *body = json_pack("{s:s, s:s}", "action", "delete", "by", user);
        AUTOFREE char *path = xasprintf("/v1/tasks/%lld/request", (long long)json_int(s, "task"));
        if (!client_call(cli, "POST", path, body, API_TIMEOUT_MS, &answer, err))
            return err_prefix(err, "schedule %s", json_str(s, "name"));
        text_print(stderr, "%s: taken out\n", json_str(s, "name"));
    }
    return true;
}

static bool put_in(const Cli *cli, const json_t *file, const json_t *all, Err *err)
{
    size_t i;
    json_t *change;
    json_array_foreach((json_t *)all, i, change)
    {
        const char *name = json_str(change, "name");
        AUTOJSON json_t *answer = NULL;
        if (str_eq(json_str(change, "change"), "none"))
            continue;
        if (!send_schedule(cli, name, json_object_get(file, name), false, &answer, err))
            return false;
        text_print(stderr, "%s: %s, task %lld\n", name, json_str(change, "change"),
                   (long long)json_int(answer, "task"));
    }
    return true;
}

static CLI_RUN(run_diff)
{
    AUTOJSON json_t *file = NULL;
    AUTOJSON json_t *all = NULL;
    AUTOJSON json_t *surplus = NULL;
    size_t i;
    json_t *v;
    (void)options;
    (void)rest;
    if (!read_schedules(words->v[0], &file, err) || !get_changes(cli, file, &all, err) ||
        !find_surplus(cli, file, &surplus, err))
        return false;
    if (cli->json) {
        out_json(all);
        return true;
    }
    json_array_foreach(all, i, v) print_change(v);
    json_array_foreach(surplus, i, v) text_print(stdout, "%s: not in the file\n", json_str(v, "name"));
    return true;
}

static CLI_RUN(run_apply)
{
    const Apply *a = options;
    AUTOJSON json_t *file = NULL;
    AUTOJSON json_t *all = NULL;
    AUTOJSON json_t *surplus = NULL;
    (void)rest;
    if (!read_schedules(words->v[0], &file, err) || !get_changes(cli, file, &all, err) ||
        (a->prune && !find_surplus(cli, file, &surplus, err)) || !put_in(cli, file, all, err))
        return false;
    if (cli->json)
        out_json(all);
    return !a->prune || take_out(cli, surplus, err);
}

/* ---- enable, disable, run-now, delete --------------------------------------------------------------- */

static bool change_all(const Cli *cli, const StrList *names, const char *action, Err *err)
{
    AUTOFREE char *user = cli_user();
    for (size_t i = 0; i < names->n; i++) {
        AUTOJSON json_t *answer = NULL;
        AUTOJSON json_t *body = json_pack("{s:s, s:s}", "action", action, "by", user);
        AUTOFREE char *path = client_path("schedules", names->v[i], "request");
        if (!client_call(cli, "POST", path, body, API_TIMEOUT_MS, &answer, err))
            return err_prefix(err, "schedule %s", names->v[i]);
        text_print(stderr, "%s: %s, task %lld\n", names->v[i], action, (long long)json_int(answer, "task"));
    }
    return true;
}

/* clang-format off */
#define SCHEDULE_REQUEST(ident, word, text)                                                                  \
    static CLI_RUN(run_##ident)                                                                              \
    {                                                                                                        \
        (void)options;                                                                                       \
        (void)rest;                                                                                          \
        return change_all(cli, words, word, err);                                                            \
    }                                                                                                        \
    const CliCommand cmd_schedule_##ident = {                                                                \
        .group = "schedule", .name = word, .args = "NAME…", .summary = text, .options = cli_plain_options,   \
        .size = sizeof(CliPlain), .min_words = 1, .max_words = 1000, .run = run_##ident,                     \
    };
/* clang-format on */
SCHEDULE_REQUEST(enable, "enable", "Let schedules start again; what passed meanwhile is left out.")
SCHEDULE_REQUEST(disable, "disable", "Keep schedules from starting; a run under way goes on.")
SCHEDULE_REQUEST(run_now, "run-now", "Run schedules once now; their next turns stay.")

/* ---- forecast --------------------------------------------------------------------------------------- */

typedef struct Forecast {
    CliCommon common;
    char *until;
} Forecast;

static const Opt forecast_options[] = {
    {"until", 0, OPT_STR, offsetof(Forecast, until), .arg = "TIME", .fallback = "24h",
     .doc = "What starts before: 08:00, 12h, \"2026-10-27 13:57:26\"."},
    CLI_COMMON_OPTIONS,
};

static bool read_until(const Forecast *f, int64_t *ret, Err *err)
{
    int64_t now = clock_wall_ms();
    if (!when_parse(f->until, now, ret, err))
        return err_prefix(err, "option --until");
    if (*ret <= now && strchr(f->until, ':') && strlen(f->until) <= 8)
        *ret += INT64_C(86400000); /* 08:00, and it is 22:00 */
    return true;
}

static void print_turns(const json_t *list)
{
    AUTO(table_done) Table t = TABLE_INIT;
    size_t i;
    json_t *f;
    table_head(&t, "lxllxl", (const char *[]){"AT", "NAME", "JOB", "TAKES", "TASK", "WINDOW", NULL});
    json_array_foreach((json_t *)list, i, f)
    {
        char at[OUT_TEXT], lasts[CLOCK_TEXT] = "-";
        time_cell(f, "at", at);
        if (json_int(f, "lasts_ms"))
            clock_format_duration(json_int(f, "lasts_ms"), lasts);
        AUTOFREE char *task = xasprintf("%lld", (long long)json_int(f, "task"));
        table_row(&t, (const char *[]){at, json_str(f, "name"), json_str(f, "job"), lasts, task,
                                       or_dash(json_str(f, "window")), NULL});
    }
    out_table(&t);
}

static CLI_RUN(run_forecast)
{
    int64_t until;
    char text[CLOCK_TEXT];
    AUTOJSON json_t *list = NULL;
    (void)words;
    (void)rest;
    if (!read_until(options, &until, err))
        return false;
    clock_format(until, text);
    AUTOFREE char *path = xasprintf("/v1/forecast?until=%s", text);
    if (!client_get(cli, path, &list, err))
        return false;
    if (cli->json)
        out_json(list);
    else
        print_turns(list);
    return true;
}

/* clang-format off */
#define SCHEDULE_COMMAND(ident, shown, text, more, opts, struct_, words_)                                    \
    const CliCommand cmd_schedule_##ident = {.group = "schedule", .name = #ident, .args = shown,             \
        .summary = text, .detail = more, .options = opts, .size = sizeof(struct_), .min_words = words_,      \
        .max_words = words_, .run = run_##ident};
SCHEDULE_COMMAND(list, NULL, "List schedules with their next and last run.", NULL, cli_plain_options, CliPlain, 0)
SCHEDULE_COMMAND(show, "NAME", "Show one schedule.", NULL, cli_plain_options, CliPlain, 1)
SCHEDULE_COMMAND(dump, NULL, "Print all schedules as a file for apply.", NULL, cli_plain_options, CliPlain, 0)
SCHEDULE_COMMAND(diff, "FILE", "Say what apply would change.", NULL, cli_plain_options, CliPlain, 1)
SCHEDULE_COMMAND(apply, "FILE", "Make schedules as a file says.",
    "A JSON object: each schedule's name, and the fields of a task as the API has them. All are checked before "
    "the first is changed. One that is there keeps its task, its runs and its logs.", apply_options, Apply, 1)
SCHEDULE_COMMAND(forecast, NULL, "What starts until a time, and how long it has taken so far.",
    "Tasks with a time or a rhythm. Those that wait for a window, a slot or another task start later.",
    forecast_options, Forecast, 0)
/* clang-format on */
