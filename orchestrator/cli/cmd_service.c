/* SPDX-License-Identifier: Apache-2.0
 * siding start, stop, halt, restart: the coordinator, with the meaning that BibSched gave these words.
 */
#include <stdio.h>

#include "client.h"
#include "common/base/clock.h"
#include "common/base/text.h"
#include "common/wire/queue_unread.h"
#include "out.h"
#include "service.h"

/* Nothing starts for QUIET_S after each time it was asked for: who is interrupted leaves no trace. */
enum {
    QUIET_S = 30,
    QUIET_AGAIN_MS = 10000,
    STOP_LOOK_MS = 300,
    EMPTY_LOOKS = 2,
    STOP_TASKS = 1000,
    BEGINS_MS = 10000, /* how long one that has just been started may take to read its queue */
    BEGINS_LOOK_MS = 100
};

typedef struct ServiceStop {
    CliCommon common;
    int64_t within_ms;
    bool finish;
} ServiceStop;

static const Opt stop_options[] = {
    {"within", 0, OPT_DURATION, offsetof(ServiceStop, within_ms), .arg = "D", .fallback = "10m", .min = 1000,
     .max = 14 * 86400000LL,
     .doc = "How long to wait for tasks. Those that have not ended then go on, and the coordinator too."},
    {"finish", 0, OPT_FLAG, offsetof(ServiceStop, finish),
     .doc = "Ask no task to stop: wait until those that run have ended."},
    CLI_COMMON_OPTIONS,
};

typedef bool (*ServiceVerb)(const Service *s, char **ret, Err *err);

static void say(const Cli *cli, const char *text)
{
    AUTOJSON json_t *answer = json_pack("{s:s}", "sidingd", text);
    if (cli->json)
        out_json(answer);
    else
        text_print(stderr, "%s\n", text);
}

static bool act(const Cli *cli, ServiceVerb verb, Err *err)
{
    Service s;
    AUTOFREE char *text = NULL;
    bool ok = service_open(cli, &s, err) && verb(&s, &text, err);
    service_done(&s);
    if (ok)
        say(cli, text);
    return ok;
}

/* ---- stop: tasks first ------------------------------------------------------------------------------ */

/* `seconds` 0: it is over. */
static bool ask_quiet(const Cli *cli, int64_t seconds, Err *err)
{
    AUTOJSON json_t *answer = NULL;
    AUTOJSON json_t *body = json_object();
    AUTOFREE char *user = cli_user();
    json_set_str(body, "by", user);
    if (seconds)
        json_set_int(body, "for_s", seconds);
    return client_call(cli, "POST", "/v1/queue/quiet", body, API_TIMEOUT_MS, &answer, err);
}

/* One that has just been started answers before it has read its queue. */
static bool keep_quiet(const Cli *cli, int64_t seconds, Err *err)
{
    int64_t end = clock_mono_ms() + BEGINS_MS;
    while (!ask_quiet(cli, seconds, err)) {
        if (!queue_is_unread(err) || clock_mono_ms() >= end)
            return false;
        clock_sleep_ms(BEGINS_LOOK_MS);
    }
    return true;
}

/* One that has ended meanwhile, or cannot be asked in its state, is only waited for. */
static bool ask_to_stop(const Cli *cli, const Task *t, StrList *asked, Err *err)
{
    AUTOFREE char *id = xasprintf("%lld", (long long)t->id), *user = cli_user();
    AUTOFREE char *path = xasprintf("/v1/tasks/%s/request", id);
    AUTOJSON json_t *answer = NULL;
    AUTOJSON json_t *body = json_pack("{s:s, s:s}", "action", "stop", "by", user);
    if (t->state == TASK_STOPPING || strlist_has(asked, id))
        return true;
    if (client_call(cli, "POST", path, body, API_TIMEOUT_MS, &answer, err)) {
        strlist_add(asked, id);
        text_print(stderr, "task %s \"%s\": stop asked for\n", id, t->name);
        return true;
    }
    return err->kind == ERR_CONFLICT || err->kind == ERR_NOT_FOUND || err->kind == ERR_REFUSED;
}

/* Those under way; *ret_ids says which. */
static bool look(const Cli *cli, const ServiceStop *o, StrList *asked, StrList *ret_ids, Err *err)
{
    WireList tasks;
    AUTOJSON json_t *list = NULL;
    AUTOFREE char *path =
        xasprintf("/v1/tasks?limit=%d&state=scheduled,running,sleeping,stopping", STOP_TASKS);
    if (!client_get(cli, path, &list, err) || !client_read_list(list, task_fields, sizeof(Task), &tasks, err))
        return false;
    bool ok = true;
    for (size_t i = 0; ok && i < tasks.n; i++) {
        const Task *t = (const Task *)tasks.v + i;
        strlist_addf(ret_ids, "%lld", (long long)t->id);
        ok = o->finish || ask_to_stop(cli, t, asked, err);
    }
    client_list_free(task_fields, sizeof(Task), &tasks);
    return ok;
}

static bool too_long(const Cli *cli, const StrList *ids, Err *err)
{
    AUTOFREE char *names = strlist_join(ids, ", ");
    if (!keep_quiet(cli, 0, err))
        return false;
    return err_set(err, ERR_TIMEOUT, 0,
                   "not ended in time: tasks %s. The coordinator goes on; siding task kill ends them, siding "
                   "halt ends the coordinator alone",
                   names);
}

/* What was claimed a moment ago may not be seen yet: nothing must be there twice. */
static bool await_tasks(const Cli *cli, const ServiceStop *o, Err *err)
{
    int64_t start = clock_mono_ms(), quiet_at = start;
    AUTO(strlist_done) StrList asked = STRLIST_INIT;
    for (int empty = 0; empty < EMPTY_LOOKS;) {
        AUTO(strlist_done) StrList ids = STRLIST_INIT;
        int64_t now = clock_mono_ms();
        if (now >= quiet_at && !keep_quiet(cli, QUIET_S, err))
            return false;
        quiet_at = now >= quiet_at ? now + QUIET_AGAIN_MS : quiet_at;
        if (!look(cli, o, &asked, &ids, err))
            return false;
        if (ids.n && now - start > o->within_ms)
            return too_long(cli, &ids, err);
        empty = ids.n ? 0 : empty + 1;
        if (empty < EMPTY_LOOKS)
            clock_sleep_ms(STOP_LOOK_MS);
    }
    return true;
}

static CLI_RUN(run_stop)
{
    (void)words;
    (void)rest;
    return await_tasks(cli, options, err) && act(cli, service_end, err);
}

static CLI_RUN(run_start)
{
    (void)options;
    (void)words;
    (void)rest;
    return act(cli, service_start, err);
}

static CLI_RUN(run_halt)
{
    (void)options;
    (void)words;
    (void)rest;
    return act(cli, service_end, err);
}

static CLI_RUN(run_restart)
{
    (void)options;
    (void)words;
    (void)rest;
    return act(cli, service_restart, err);
}

const CliCommand cmd_start = {
    .name = "start",
    .summary = "Start the coordinator in the background.",
    .detail =
        "Through systemctl where the unit " SERVICE_UNIT
        " runs it with this configuration; else as a daemon of "
        "who asks, whose log is sidingd.log in state_dir. Returns once it answers. One that runs already is "
        "left alone.",
    .options = cli_plain_options,
    .size = sizeof(CliPlain),
    .needs = CLI_NEEDS_CONFIG,
    .run = run_start,
};

const CliCommand cmd_stop = {
    .name = "stop",
    .summary = "Stop the tasks that run, safely, and then the coordinator.",
    .detail =
        "Nothing starts any more, each task that runs or sleeps is asked to stop at a safe point (siding "
        "task stop), and once all have ended the coordinator ends. A recurring task goes on with its next "
        "turn after siding start; siding task retry runs another one again. The mode, automatic or manual, "
        "stays.",
    .options = stop_options,
    .size = sizeof(ServiceStop),
    .needs = CLI_NEEDS_CONFIG,
    .run = run_stop,
};

const CliCommand cmd_halt = {
    .name = "halt",
    .summary = "End the coordinator; tasks that run go on under their agents.",
    .detail =
        "What has ended meanwhile is told to the coordinator that is started next. Nothing new starts until "
        "then, and no failover is decided.",
    .options = cli_plain_options,
    .size = sizeof(CliPlain),
    .needs = CLI_NEEDS_CONFIG,
    .run = run_halt,
};

const CliCommand cmd_restart = {
    .name = "restart",
    .summary = "Halt the coordinator and start it again; tasks that run go on.",
    .detail = "One that does not run is started.",
    .options = cli_plain_options,
    .size = sizeof(CliPlain),
    .needs = CLI_NEEDS_CONFIG,
    .run = run_restart,
};
