/* SPDX-License-Identifier: Apache-2.0
 * siding submit: from words and BibSched's options to a TaskSpec.
 */
#include <stdio.h>
#include <string.h>

#include "client.h"
#include "common/base/clock.h"
#include "common/base/text.h"
#include "common/wire/bounds.h"
#include "out.h"
#include "submit_many.h"
#include "submit_plan.h"
#include "tasklet_calls.h"
#include "wait.h"
#include "when.h"

typedef struct Submit {
    CliCommon common;
    StrList databases, allow, arguments;
    char *job, *on, *tasklet;
    char *replicas;
    int64_t priority, sequence, attempts, limit_ms, timeout_ms, relay_limit, catchup_ms, min_free;
    char *at_limit, *on_error, *preempt, *window_end, *runtime, *sleeptime, *window, *name, *user, *unique,
        *host;
    char *key, *profile, *from, *schedule;
    char *verbose;
    bool list, fixed_time, wait, dry_run, unique_existing, stop_on_error, continue_on_error;
    SubmitPlan plan;
} Submit;

static const Opt submit_options[] = {
    {"database", 0, OPT_STRS, offsetof(Submit, databases), .arg = "D",
     .doc = "With dump: a database to dump; may be repeated.", .section = "What to run"},
    {"job", 0, OPT_STR, offsetof(Submit, job), .arg = "NAME", .doc = "With index: the job's name."},
    {"on", 0, OPT_STR, offsetof(Submit, on), .arg = "replica|primary", .doc = "With command: where it runs."},
    {"tasklet", 'T', OPT_STR, offsetof(Submit, tasklet), .arg = "NAME",
     .doc = "With tasklet: which one (siding tasklet list)."},
    {"argument", 'a', OPT_STRS, offsetof(Submit, arguments), .arg = "KEY=VALUE",
     .doc = "With tasklet: a value for one of its parameters; may be repeated."},
    {"list-tasklets", 'l', OPT_FLAG, offsetof(Submit, list), .doc = "With tasklet: list them instead."},
    {"replicas", 0, OPT_STR, offsetof(Submit, replicas), .arg = "N|all",
     .doc = "Split the job over N replicas, all frozen at one GTID; \"all\": over as many as are free."},
    {"pause-limit", 0, OPT_DURATION, offsetof(Submit, limit_ms), .arg = "D",
     .doc = "Longest pause of a replica; the job's or the configuration's pause_limit otherwise.",
     .section = "How far the pause may go"},
    {"relay-limit", 0, OPT_SIZE, offsetof(Submit, relay_limit), .arg = "BYTES", .min = 1, .max = INT64_MAX,
     .doc = "Most that may arrive in the relay logs meanwhile (10G)."},
    {"catchup-limit", 0, OPT_DURATION, offsetof(Submit, catchup_ms), .arg = "D",
     .doc = "Most that catching up may be estimated to take."},
    {"min-free", 0, OPT_SIZE, offsetof(Submit, min_free), .arg = "BYTES", .min = 1, .max = INT64_MAX,
     .doc = "Least free space of result and relay log disk; never less than the agent's."},
    {"allow", 0, OPT_STRS, offsetof(Submit, allow), .arg = "downstream|delayed",
     .doc =
         "Pause a replica although other servers replicate from it, or although it is delayed on purpose."},
    {"at-limit", 0, OPT_STR, offsetof(Submit, at_limit), .arg = "stop|kill|let-finish",
     .doc = "What happens to the job at a limit. The replica resumes in any case."},
    {"priority", 'P', OPT_INT, offsetof(Submit, priority), .arg = "N",
     .doc = "Larger goes first; below -10 never by itself.", .section = "When and in which order"},
    {"runtime", 't', OPT_STR, offsetof(Submit, runtime), .arg = "TIME",
     .doc = "Not before: +15s, 5m, 3h, 22:00 or \"2002-10-27 13:57:26\"."},
    {"sleeptime", 's', OPT_STR, offsetof(Submit, sleeptime), .arg = "D",
     .doc = "Run again so long after: 30m, 2h, 1d."},
    {"sleep", 0, OPT_STR, offsetof(Submit, sleeptime), .arg = "D", .doc = "The same."},
    {"fixed-time", 0, OPT_FLAG, offsetof(Submit, fixed_time),
     .doc = "Count the sleep time from the planned time, not from the end."},
    {"limit", 'L', OPT_STR, offsetof(Submit, window), .arg = "WINDOW",
     .doc = "Start only inside: 22:00-03:00, \"Sunday 01:00-05:00\"; several with \";\" between them."},
    {"at-window-end", 0, OPT_STR, offsetof(Submit, window_end), .arg = "finish|sleep|stop",
     .doc = "What becomes of it if it still runs when its window shuts; what sleeps or is stopped goes on at "
            "the next "
            "opening."},
    {"sequence-id", 'I', OPT_INT, offsetof(Submit, sequence), .arg = "N", .min = 1, .max = INT64_MAX,
     .doc = "Wait for earlier tasks of the same sequence."},
    {"on-error", 0, OPT_STR, offsetof(Submit, on_error), .arg = "continue|block|queue",
     .doc = "What its failure holds until somebody has seen to it: nothing, its sequence or lane, or the "
            "whole queue."},
    {"stop-on-error", 0, OPT_FLAG, offsetof(Submit, stop_on_error), .doc = "The same as --on-error queue."},
    {"continue-on-error", 0, OPT_FLAG, offsetof(Submit, continue_on_error),
     .doc = "The same as --on-error continue."},
    {"preempt", 0, OPT_STR, offsetof(Submit, preempt), .arg = "never|requeue",
     .doc = "What one of a higher priority may do with it while it runs: nothing, or stop it and let it wait "
            "again; left out, "
            "on the primary it sleeps meanwhile."},
    {"name", 'N', OPT_STR, offsetof(Submit, name), .arg = "NAME",
     .doc = "The task's name; two of one name do not run at once."},
    {"unique", 0, OPT_STR, offsetof(Submit, unique), .arg = "NAME",
     .doc = "Refuse while another task of this unique name has not ended."},
    {"unique-existing", 0, OPT_FLAG, offsetof(Submit, unique_existing),
     .doc = "With --unique: do not refuse, print the id of that other task."},
    {"key", 0, OPT_STR, offsetof(Submit, key), .arg = "KEY",
     .doc = "Submitted again with the same key, there is one task: for scripts that try again."},
    {"attempts", 0, OPT_INT, offsetof(Submit, attempts), .arg = "N", .min = 1, .max = INT64_MAX,
     .doc = "Try again after failures, N runs at most."},
    {"host", 0, OPT_STR, offsetof(Submit, host), .arg = "NODE", .doc = "Only on this node."},
    {"verbose", 'v', OPT_STR, offsetof(Submit, verbose), .arg = "LEVEL",
     .doc = "SIDING_VERBOSE of the job: 0 least, 1 as usual, 9 most."},
    {"profile", 0, OPT_STR, offsetof(Submit, profile), .arg = "STATS",
     .doc = "SIDING_PROFILE of the job, which knows what it means."},
    {"user", 'u', OPT_STR, offsetof(Submit, user), .arg = "USER",
     .doc = "In whose name; the one logged in otherwise."},
    SUBMIT_PLAN_OPTIONS(Submit, plan),
    {"schedule", 0, OPT_STR, offsetof(Submit, schedule), .arg = "NAME",
     .doc = "Keep it by this name (siding schedule); one that is there is changed. Goes with --cron or "
            "--sleeptime."},
    {"wait", 'w', OPT_FLAG, offsetof(Submit, wait),
     .doc = "Wait for the end with a progress bar; exit status 0 only if the task is done.",
     .section = "This command"},
    {"timeout", 0, OPT_DURATION, offsetof(Submit, timeout_ms), .arg = "D",
     .doc = "With --wait: no longer than this; the task goes on."},
    {"from", 0, OPT_STR, offsetof(Submit, from), .arg = "FILE",
     .doc = "Submit many: a JSON object a line with the fields of the API; \"-\" is the standard input. "
            "Without JOB."},
    {"dry-run", 'n', OPT_FLAG, offsetof(Submit, dry_run),
     .doc = "Only say what would run, where and when, and what stops it or its upload."},
    CLI_COMMON_OPTIONS,
};

#define TASKLET "tasklet"

/* ---- which job -------------------------------------------------------------------------------------- */

static json_t *options_of(json_t *body)
{
    if (!json_object_get(body, "options"))
        json_object_set_new(body, "options", json_object());
    return json_object_get(body, "options");
}

static bool job_is_dump(const Submit *s, const StrList *words, json_t *body, Err *err)
{
    if (words->n > 1)
        return err_set(err, ERR_USAGE, 0, "submit dump does not take \"%s\"; name databases by --database D",
                       words->v[1]);
    if (s->databases.n == 0)
        return err_set(err, ERR_USAGE, 0, "submit dump needs --database D (it may be repeated)");
    json_set_str(body, "job", "dump");
    json_set_str(body, "kind", wire_enum_name(&task_kind_names, KIND_DUMP));
    json_set_strs(options_of(body), "databases", &s->databases);
    return true;
}

static bool job_is_index(const Submit *s, const StrList *words, json_t *body, Err *err)
{
    if (words->n > 1 || !s->job)
        return err_set(err, ERR_USAGE, 0, "submit index needs --job NAME%s%s",
                       words->n > 1 ? ": write submit index --job " : "", words->n > 1 ? words->v[1] : "");
    json_set_str(body, "job", s->job);
    json_set_str(body, "kind", wire_enum_name(&task_kind_names, KIND_INDEX));
    return true;
}

static bool job_is_command(const Submit *s, const StrList *words, json_t *body, Err *err)
{
    if (words->n != 2 || !s->on)
        return err_set(err, ERR_USAGE, 0,
                       "submit command needs --on replica or --on primary, and the job's name");
    if (!wire_enum_name(&node_role_names, wire_enum_find(&node_role_names, s->on)))
        return err_set(err, ERR_USAGE, 0, "option --on: \"%s\" is neither replica nor primary", s->on);
    json_set_str(body, "job", words->v[1]);
    json_set_str(body, "kind", wire_enum_name(&task_kind_names, KIND_COMMAND));
    json_set_str(body, "on", s->on);
    return true;
}

static bool job_is_tasklet(const Submit *s, const StrList *words, json_t *body, Err *err)
{
    if (words->n > 1 || !s->tasklet)
        return err_set(err, ERR_USAGE, 0, "submit tasklet needs -T NAME%s%s",
                       words->n > 1 ? ": write submit tasklet -T " : "", words->n > 1 ? words->v[1] : "");
    json_set_str(body, "job", s->tasklet);
    json_set_str(body, "kind", wire_enum_name(&task_kind_names, KIND_COMMAND));
    if (s->arguments.n)
        json_set_strs(body, "args", &s->arguments);
    return true;
}

static bool job_is_named(const StrList *words, json_t *body, Err *err)
{
    if (words->n > 1)
        return err_set(err, ERR_USAGE, 0,
                       "submit takes one job, not also \"%s\"; arguments stand behind \"--\"", words->v[1]);
    json_set_str(body, "job", words->v[0]);
    return true;
}

static bool check_job_options(const Submit *s, const char *word, Err *err)
{
    const struct {
        const char *option, *word;
        bool given;
    } rows[] = {{"database", "dump", s->databases.n > 0},  {"job", "index", s->job != NULL},
                {"on", "command", s->on != NULL},          {"tasklet", TASKLET, s->tasklet != NULL},
                {"argument", TASKLET, s->arguments.n > 0}, {"list-tasklets", TASKLET, s->list}};
    for (size_t i = 0; i < COUNT(rows); i++)
        if (rows[i].given && !str_eq(word, rows[i].word))
            return err_set(err, ERR_USAGE, 0, "option --%s goes with submit %s only", rows[i].option,
                           rows[i].word);
    return true;
}

static bool fill_job(const Submit *s, const StrList *words, json_t *body, Err *err)
{
    const char *word = words->v[0];
    if (!check_job_options(s, word, err))
        return false;
    if (str_eq(word, TASKLET))
        return job_is_tasklet(s, words, body, err);
    switch (wire_enum_find(&task_kind_names, word)) {
    case KIND_DUMP:
        return job_is_dump(s, words, body, err);
    case KIND_INDEX:
        return job_is_index(s, words, body, err);
    case KIND_COMMAND:
        return job_is_command(s, words, body, err);
    default:
        return job_is_named(words, body, err);
    }
}

/* ---- the rest --------------------------------------------------------------------------------------- */

static void set_given_str(json_t *body, const char *key, const char *value)
{
    if (value)
        json_set_str(body, key, value);
}

static void set_given_int(json_t *body, const char *key, int64_t value)
{
    if (value)
        json_set_int(body, key, value);
}

static void fill_limits(const Submit *s, json_t *body)
{
    json_t *l = json_object();
    set_given_int(l, "relay_bytes", s->relay_limit);
    set_given_int(l, "catchup_ms", s->catchup_ms);
    set_given_int(l, "free_bytes", s->min_free);
    set_given_str(l, "at_limit", s->at_limit);
    if (json_object_size(l))
        json_object_set(options_of(body), "limits", l);
    if (s->allow.n)
        json_set_strs(options_of(body), "allow", &s->allow);
    json_decref(l);
}

static bool fill_times(const Submit *s, json_t *body, Err *err)
{
    int64_t ms;
    if (s->runtime) {
        if (!when_parse(s->runtime, clock_wall_ms(), &ms, err))
            return err_prefix(err, "option --runtime");
        json_set_time(body, "run_at", ms);
    }
    if (s->sleeptime) {
        if (!when_parse_span(s->sleeptime, &ms, err))
            return err_prefix(err, "option --sleeptime");
        json_set_int(body, "sleeptime_ms", ms);
    }
    if (s->fixed_time && !s->sleeptime)
        return err_set(err, ERR_USAGE, 0, "option --fixed-time goes with --sleeptime only");
    if (s->fixed_time)
        json_set_bool(body, "fixed_time", true);
    return true;
}

static bool fill_replicas(const Submit *s, json_t *body, Err *err)
{
    long long n = REPLICAS_ALL;
    if (!s->replicas)
        return true;
    if (!str_eq(s->replicas, "all") && !str_to_i64(s->replicas, 1, INT64_MAX, &n))
        return err_set(err, ERR_USAGE, 0,
                       "option --replicas: \"%s\" is neither a number from 1 on nor \"all\"", s->replicas);
    json_set_int(body, "replicas", n);
    return true;
}

static bool fill_for_job(const Submit *s, json_t *body, Err *err)
{
    long long level;
    if (s->profile)
        json_set_str(options_of(body), "profile", s->profile);
    if (!s->verbose)
        return true;
    if (!str_to_i64(s->verbose, 0, 9, &level))
        return err_set(err, ERR_USAGE, 0, "option --verbose: \"%s\" is no level from 0 to 9", s->verbose);
    json_set_int(options_of(body), "verbose", level);
    return true;
}

static bool fill_on_error(const Submit *s, json_t *body, Err *err)
{
    if ((s->on_error != NULL) + s->stop_on_error + s->continue_on_error > 1)
        return err_set(
            err, ERR_USAGE, 0,
            "options --on-error, --stop-on-error and --continue-on-error contradict each other: give one");
    OnError asked = s->stop_on_error       ? ON_ERROR_QUEUE
                    : s->continue_on_error ? ON_ERROR_CONTINUE
                                           : ON_ERROR_NONE;
    set_given_str(body, "on_error", asked ? wire_enum_name(&on_error_names, (int)asked) : s->on_error);
    return true;
}

static bool fill(const Submit *s, const StrList *words, const StrList *rest, json_t *body, Err *err)
{
    if (!fill_job(s, words, body, err) || !fill_times(s, body, err) || !fill_replicas(s, body, err))
        return false;
    AUTOFREE char *user = s->user ? xstrdup(s->user) : cli_user();
    json_set_str(body, "user", user);
    if (rest->n && s->tasklet)
        return err_set(err, ERR_USAGE, 0, "a tasklet takes -a KEY=VALUE, no words behind \"--\"");
    if (rest->n)
        json_set_strs(body, "args", rest);
    set_given_int(body, "priority", s->priority);
    set_given_int(body, "sequence_id", s->sequence);
    set_given_int(body, "max_attempts", s->attempts);
    set_given_int(body, "pause_limit_ms", s->limit_ms);
    fill_limits(s, body);
    set_given_str(body, "preempt", s->preempt);
    set_given_str(body, "at_window_end", s->window_end);
    set_given_str(body, "window", s->window);
    set_given_str(body, "name", s->name);
    set_given_str(body, "unique", s->unique);
    set_given_str(body, "host", s->host);
    set_given_str(body, "key", s->key);
    if (s->unique_existing)
        json_set_bool(body, "unique_existing", true);
    if (!fill_for_job(s, body, err) || !fill_on_error(s, body, err))
        return false;
    if (s->dry_run)
        json_set_bool(body, "dry_run", true);
    if (s->attempts && s->plan.retries)
        return err_set(err, ERR_USAGE, 0, "options --attempts and --retry mean the same: give one");
    if (!submit_plan_fill(&s->plan, body, err))
        return false;
    return bounds_check(task_bounds, DOOR_CLI, body, err);
}

static void print_obstacles(const json_t *plan)
{
    size_t i;
    json_t *o;
    json_array_foreach(json_object_get(plan, "obstacles"), i, o)
    {
        text_print(stdout, "stops  %s: %s; %s\n", json_str(o, "node"), json_str(o, "text"),
                   json_str(o, "mend"));
    }
}

static bool check_obstacles(const json_t *plan, Err *err)
{
    const json_t *list = json_object_get(plan, "obstacles"), *first = json_array_get(list, 0);
    return !first || err_set(err, ERR_REFUSED, 0, "job %s cannot be done as things are: %s: %s; %s",
                             json_str(plan, "job"), json_str(first, "node"), json_str(first, "text"),
                             json_str(first, "mend"));
}

static void print_plan(const json_t *plan)
{
    AUTO(str_done) Str nodes = STR_INIT;
    const json_t *list = json_object_get(plan, "nodes");
    for (size_t i = 0; i < json_array_size(list); i++)
        str_addf(&nodes, "%s%s", i ? ", " : "", json_string_value(json_array_get(list, i)));
    text_print(stdout, "job    %s (%s, on the %s)\n", json_str(plan, "job"), json_str(plan, "kind"),
               json_str(plan, "on"));
    text_print(stdout, "nodes  %s\n", nodes.len ? nodes.p : "-");
    text_print(stdout, "starts %s%s%s\n", json_str(plan, "starts"), *json_str(plan, "why") ? ": " : "",
               json_str(plan, "why"));
    print_obstacles(plan);
}

static bool wait_and_print(const Cli *cli, const Submit *s, int64_t id, Err *err)
{
    Task t = {0};
    AUTOJSON json_t *j = NULL;
    text_print(stderr, "task %lld submitted\n", (long long)id);
    if (!wait_for_task(cli, id, s->timeout_ms, &t, &j, err))
        return false;
    if (cli->json)
        out_json(j);
    else
        text_print(stdout, "%lld\n", (long long)id);
    bool ok = wait_outcome(&t, err);
    wire_free(task_fields, &t);
    return ok;
}

static bool apply_schedule(const Cli *cli, const Submit *s, const json_t *body, json_t **ret, Err *err)
{
    AUTOFREE char *path = client_path("schedules", s->schedule, NULL);
    if (s->dry_run || s->wait || s->key || s->unique)
        return err_set(err, ERR_USAGE, 0,
                       "option --schedule goes without --dry-run, --wait, --key and --unique");
    if (!client_call(cli, "POST", path, body, API_TIMEOUT_MS, ret, err))
        return false;
    json_set_int(*ret, "id", json_int(*ret, "task"));
    return true;
}

static CLI_RUN(run)
{
    const Submit *s = options;
    AUTOJSON json_t *body = json_object();
    AUTOJSON json_t *answer = NULL;
    if (s->from || !words->n)
        return submit_many(cli, s->from, words, err);
    if (s->list)
        return check_job_options(s, words->v[0], err) && tasklets_print(cli, err);
    if (!fill(s, words, rest, body, err) || (s->tasklet && !tasklets_know(cli, s->tasklet, err)) ||
        (s->schedule ? !apply_schedule(cli, s, body, &answer, err)
                     : !client_call(cli, "POST", "/v1/tasks", body,
                                    s->dry_run ? API_CHECK_MS : API_TIMEOUT_MS, &answer, err)))
        return false;
    if (!s->dry_run && json_int(answer, "id") <= 0)
        return err_set(err, ERR_PROTOCOL, 0, "sidingd answered without a task's id");
    if (s->wait && !s->dry_run)
        return wait_and_print(cli, s, json_int(answer, "id"), err);
    if (cli->json)
        out_json(answer);
    else if (s->dry_run)
        print_plan(answer);
    else
        text_print(stdout, "%lld\n", (long long)json_int(answer, "id"));
    return !s->dry_run || check_obstacles(answer, err);
}

const CliCommand cmd_submit = {
    .name = "submit",
    .args = "JOB | dump | index | command NAME | tasklet",
    .summary = "Put a task into the queue and print its id.",
    .detail =
        "JOB is a name in the agents' configuration. dump --database D… dumps databases, index --job NAME "
        "builds an index, command --on replica|primary NAME runs a listed program, tasklet -T NAME -a "
        "KEY=VALUE… "
        "a small one that declares its parameters. Words behind \"--\" are arguments of the job.",
    .options = submit_options,
    .size = sizeof(Submit),
    .min_words = 0,
    .max_words = 2,
    .takes_rest = true,
    .run = run,
};
