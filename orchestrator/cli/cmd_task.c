/* SPDX-License-Identifier: Apache-2.0
 * siding task …: what is in the queue, and requests to it.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "client.h"
#include "common/base/clock.h"
#include "common/base/text.h"
#include "common/net/httpc.h"
#include "task_pick.h"
#include "view.h"
#include "wait.h"

/* ---- list, show, why -------------------------------------------------------------------------------- */

enum { PAGE = 1000 }; /* tasks that sidingd gives at a time */

typedef struct TaskListing {
    CliCommon common;
    StrList states;
    int64_t limit;
} TaskListing;

static const Opt list_options[] = {
    {"state", 's', OPT_STRS, offsetof(TaskListing, states), .arg = "STATE",
     .doc = "Only tasks in this state (waiting, running, done, error, …); may be repeated."},
    {"limit", 0, OPT_INT, offsetof(TaskListing, limit), .arg = "N", .fallback = "100", .min = 1, .max = 10000,
     .doc = "The newest N."},
    CLI_COMMON_OPTIONS,
};

static bool check_states(const StrList *states, Err *err)
{
    int ignored;
    for (size_t i = 0; i < states->n; i++)
        if (!wire_enum_read(&task_state_names, "state", states->v[i], &ignored, err))
            return err_prefix(err, "option --state");
    return true;
}

/* One answer of sidingd: the newest before a task; 0: from the newest of all. */
static bool get_page(const Cli *cli, const StrList *states, int64_t before, int64_t limit, json_t **ret,
                     Err *err)
{
    AUTO(str_done) Str path = STR_INIT;
    str_addf(&path, "/v1/tasks?limit=%lld", (long long)limit);
    if (before)
        str_addf(&path, "&before=%lld", (long long)before);
    for (size_t i = 0; i < states->n; i++) {
        str_adds(&path, i ? "," : "&state=");
        httpc_encode(&path, states->v[i]);
    }
    return client_get(cli, str_z(&path), ret, err);
}

static bool get_tasks(const Cli *cli, const TaskListing *l, json_t *ret, Err *err)
{
    int64_t before = 0, left = l->limit;
    while (left) {
        AUTOJSON json_t *page = NULL;
        int64_t asked = left < PAGE ? left : PAGE;
        if (!get_page(cli, &l->states, before, asked, &page, err))
            return false;
        int64_t got = (int64_t)json_array_size(page);
        json_array_extend(ret, page);
        left -= got < left ? got : left;
        if (got < asked)
            break;
        before = json_int(json_array_get(page, (size_t)got - 1), "id");
    }
    return true;
}

static CLI_RUN(run_list)
{
    const TaskListing *l = options;
    AUTOJSON json_t *j = json_array();
    WireList tasks;
    (void)words;
    (void)rest;
    if (!check_states(&l->states, err) || !get_tasks(cli, l, j, err))
        return false;
    if (!client_read_list(j, task_fields, sizeof(Task), &tasks, err))
        return false;
    AUTO(str_done) Str text = STR_INIT;
    view_tasks(&tasks, out_width(STDOUT_FILENO), &text);
    if (cli->json)
        out_json(j);
    else
        out_text(str_z(&text));
    client_list_free(task_fields, sizeof(Task), &tasks);
    return true;
}

const CliCommand cmd_task_list = {
    .group = "task",
    .name = "list",
    .summary = "List tasks, the newest first.",
    .options = list_options,
    .size = sizeof(TaskListing),
    .run = run_list,
};

static CLI_RUN(run_show)
{
    Task t;
    int64_t id;
    AUTOJSON json_t *j = NULL;
    (void)options;
    (void)rest;
    if (!cli_task_id(words->v[0], &id, NULL, err) || !client_task(cli, id, &t, &j, err))
        return false;
    AUTO(str_done) Str text = STR_INIT;
    view_task(&t, clock_wall_ms(), out_width(STDOUT_FILENO), &text);
    if (cli->json)
        out_json(j);
    else
        out_text(str_z(&text));
    wire_free(task_fields, &t);
    return true;
}

const CliCommand cmd_task_show = {
    .group = "task",
    .name = "show",
    .args = "ID",
    .summary = "Show a task and its runs.",
    .options = cli_plain_options,
    .size = sizeof(CliPlain),
    .min_words = 1,
    .max_words = 1,
    .run = run_show,
};

static CLI_RUN(run_why)
{
    int64_t id;
    AUTOJSON json_t *j = NULL;
    (void)options;
    (void)rest;
    if (!cli_task_id(words->v[0], &id, NULL, err))
        return false;
    AUTOFREE char *path = xasprintf("/v1/tasks/%lld/why", (long long)id);
    if (!client_get(cli, path, &j, err))
        return false;
    if (cli->json)
        out_json(j);
    else
        text_print(stdout, "%s: %s\n", json_str(j, "state"), json_str(j, "why"));
    return true;
}

const CliCommand cmd_task_why = {
    .group = "task",
    .name = "why",
    .args = "ID",
    .summary = "Say what a task waits for, or does.",
    .options = cli_plain_options,
    .size = sizeof(CliPlain),
    .min_words = 1,
    .max_words = 1,
    .run = run_why,
};

/* ---- log, err --------------------------------------------------------------------------------------- */

typedef struct Log {
    CliCommon common;
    bool follow;
    char *node;
} Log;

static const Opt log_options[] = {
    {"follow", 'f', OPT_FLAG, offsetof(Log, follow),
     .doc = "Go on until the task has ended, over all its runs; of a run, until that has."},
    {"node", 0, OPT_STR, offsetof(Log, node), .arg = "NODE",
     .doc = "Of a job on several replicas: which one's."},
    CLI_COMMON_OPTIONS,
};

typedef struct LogCopy {
    int64_t bytes;
    Str *keep; /* NULL: to stdout at once */
} LogCopy;

static bool copy_out(void *arg, const char *bytes, size_t n)
{
    LogCopy *c = arg;
    c->bytes += (int64_t)n;
    if (c->keep)
        str_add(c->keep, bytes, n);
    if (c->keep)
        return true;
    if (!isatty(STDOUT_FILENO))
        return fwrite(bytes, 1, n, stdout) == n;
    /* Raw only into a pipe or a file: what a job has written could steer the terminal. */
    AUTO(str_done) Str clean = STR_INIT;
    text_clean_lines(&clean, bytes, n);
    return fwrite(str_z(&clean), 1, clean.len, stdout) == clean.len;
}

typedef struct LogSource {
    const Cli *cli;
    const char *stream, *node;
    int64_t task, run, offset;
    bool whole; /* all runs, once */
} LogSource;

static bool copy_part(LogSource *s, Str *keep, int64_t *ret_bytes, Err *err)
{
    LogCopy c = {0, keep};
    int64_t next = -1;
    AUTO(str_done) Str path = STR_INIT;
    str_addf(&path, "/v1/tasks/%lld/log?stream=%s&offset=%lld", (long long)s->task, s->stream,
             (long long)s->offset);
    if (s->whole)
        str_adds(&path, "&whole=1");
    if (s->run)
        str_addf(&path, "&run=%lld", (long long)s->run);
    if (s->node) {
        str_adds(&path, "&node=");
        httpc_encode(&path, s->node);
    }
    HttpCall call = {.base_url = s->cli->url,
                     .method = "GET",
                     .path = str_z(&path),
                     .tls = &s->cli->config.tls,
                     .next = &next};
    if (!httpc_download(&call, NULL, NULL, copy_out, &c, err))
        return client_explain(s->cli, err);
    s->offset = next >= 0 ? next : s->offset + c.bytes;
    *ret_bytes = c.bytes;
    return true;
}

static bool copy_rest(LogSource *s, Str *keep, Err *err)
{
    int64_t n;
    do
        if (!copy_part(s, keep, &n, err))
            return false;
    while (n && !s->whole);
    fflush(stdout);
    return true;
}

static int64_t number_of(const Run *r)
{
    int64_t task, no = 0;
    return r->id && wire_run_id(r->id, &task, &no) ? no : 0;
}

/* The run after one, which has ended then; 0: there is none yet. Those of a task stand in their order. */
static int64_t run_after(const Task *t, int64_t no)
{
    const Run *runs = t->runs.v;
    for (size_t i = 0; i < t->runs.n; i++)
        if (number_of(&runs[i]) > no)
            return number_of(&runs[i]);
    return 0;
}

static bool run_is_over(const Task *t, int64_t no)
{
    const Run *runs = t->runs.v;
    for (size_t i = 0; i < t->runs.n; i++)
        if (number_of(&runs[i]) == no)
            return coord_run_is_final(runs[i].state);
    return task_state_is_final(t->state);
}

static bool copy_what_is_there(LogSource *s, Err *err)
{
    return !s->run || copy_rest(s, NULL, err) || err->kind == ERR_NOT_FOUND;
}

/* From its last run on, or one of them alone. */
static bool follow_look(LogSource *s, bool one, const Task *t, Err *err)
{
    if (!s->run && t->runs.n)
        s->run = number_of((const Run *)t->runs.v + t->runs.n - 1);
    if (!copy_what_is_there(s, err))
        return false;
    for (int64_t next; !one && s->run && (next = run_after(t, s->run));) {
        s->run = next;
        s->offset = 0;
        text_print(stderr, "run %lld.%lld\n", (long long)s->task, (long long)next);
        if (!copy_what_is_there(s, err))
            return false;
    }
    return true;
}

static bool follow(LogSource *s, Err *err)
{
    bool one = s->run != 0;
    for (bool ended = false; !ended; clock_sleep_ms(ended ? 0 : 500)) {
        Task t;
        if (!client_task(s->cli, s->task, &t, NULL, err))
            return false;
        /* asked before the last copy, so that nothing is missed */
        ended = one ? run_is_over(&t, s->run) : task_state_is_final(t.state);
        bool ok = follow_look(s, one, &t, err);
        wire_free(task_fields, &t);
        if (!ok)
            return false;
    }
    return true;
}

static bool print_log(const Cli *cli, const Log *l, const char *word, const char *stream, Err *err)
{
    LogSource s = {.cli = cli, .stream = stream, .node = l->node};
    if (!cli_task_id(word, &s.task, &s.run, err))
        return false;
    s.whole = !l->follow && !s.run;
    if (l->follow)
        return follow(&s, err);
    if (!cli->json)
        return copy_rest(&s, NULL, err);
    AUTO(str_done) Str text = STR_INIT;
    AUTOJSON json_t *j = json_object();
    if (!copy_rest(&s, &text, err))
        return false;
    json_set_int(j, "task", s.task);
    json_set_str(j, "stream", stream);
    json_set_str(j, "text", str_z(&text));
    out_json(j);
    return true;
}

static CLI_RUN(run_log)
{
    (void)rest;
    return print_log(cli, options, words->v[0], "log", err);
}

static CLI_RUN(run_err)
{
    (void)rest;
    return print_log(cli, options, words->v[0], "err", err);
}

const CliCommand cmd_task_log = {
    .group = "task",
    .name = "log",
    .args = "ID",
    .summary = "Print what the job wrote to stdout.",
    .detail =
        "ID is a run's (12.1), or a task's: of one that runs again and again earlier runs stand before the "
        "last, as far as the agents keep them (log_limit_bytes of agent.conf). --follow begins with the last "
        "and goes on with those that come; a line on stderr says where each begins.",
    .options = log_options,
    .size = sizeof(Log),
    .min_words = 1,
    .max_words = 1,
    .run = run_log,
};

const CliCommand cmd_task_err = {
    .group = "task",
    .name = "err",
    .args = "ID",
    .summary = "Print what the job wrote to stderr.",
    .detail =
        "ID is a run's (12.1), or a task's: of one that runs again and again earlier runs stand before the "
        "last, as far as the agents keep them (log_limit_bytes of agent.conf). --follow begins with the last "
        "and goes on with those that come; a line on stderr says where each begins.",
    .options = log_options,
    .size = sizeof(Log),
    .min_words = 1,
    .max_words = 1,
    .run = run_err,
};

/* ---- requests --------------------------------------------------------------------------------------- */

static const Opt request_options[] = {
    TASK_PICK_OPTIONS,
    {"within", 0, OPT_DURATION, offsetof(TaskPick, within_ms), .arg = "D",
     .doc = "Wait until the tasks have done it; it is a failure if one has not by then.",
     .section = "This command"},
    CLI_COMMON_OPTIONS,
};

static bool request(const Cli *cli, const char *word, const char *action, json_t **ret, Err *err)
{
    int64_t id;
    AUTOJSON json_t *body = json_object();
    AUTOFREE char *user = cli_user();
    if (!cli_task_id(word, &id, NULL, err))
        return false;
    json_set_str(body, "action", action);
    json_set_str(body, "by", user);
    AUTOFREE char *path = xasprintf("/v1/tasks/%lld/request", (long long)id);
    return client_call(cli, "POST", path, body, API_TIMEOUT_MS, ret, err);
}

/* All are tried; the first failure decides the exit status, each is told. */
static bool request_all(const Cli *cli, const TaskPick *p, const StrList *words, const char *action, Err *err)
{
    bool ok = true;
    AUTOJSON json_t *all = json_array();
    AUTO(strlist_done) StrList ids = STRLIST_INIT, asked = STRLIST_INIT;
    if (!task_pick(cli, p, words, &ids, err))
        return false;
    for (size_t i = 0; i < ids.n; i++) {
        Err one;
        json_t *answer = NULL;
        if (!request(cli, ids.v[i], action, &answer, &one)) {
            if (ok)
                *err = one;
            else
                text_print(stderr, "siding: %s\n", one.text);
            ok = false;
            continue;
        }
        if (!cli->json)
            text_print(stderr, "task %s: %s asked for, state %s%s%s\n", ids.v[i], action,
                       json_str(answer, "state"), *json_str(answer, "why") ? ": " : "",
                       json_str(answer, "why"));
        json_array_append_new(all, answer);
        strlist_add(&asked, ids.v[i]);
    }
    if (cli->json && json_array_size(all))
        out_json(words->n == 1 ? json_array_get(all, 0) : all);
    return ok && (!p->within_ms || wait_acknowledged(cli, &asked, action, p->within_ms, err));
}

static const char *action_of(const char *verb)
{
    return str_eq(verb, "reinit") ? "retry" : verb;
}

/* clang-format off */
#define REQUEST(verb, text)                                                                                  \
    static CLI_RUN(run_##verb)                                                                               \
    {                                                                                                        \
        (void)rest;                                                                                          \
        return request_all(cli, options, words, action_of(#verb), err);                                                 \
    }                                                                                                        \
    const CliCommand cmd_task_##verb = {                                                                     \
        .group = "task", .name = #verb, .args = "[ID…]", .summary = text, .options = request_options,        \
        .size = sizeof(TaskPick), .max_words = 1000, .run = run_##verb,                                      \
    };
/* clang-format on */
REQUEST(stop, "Ask tasks to stop at a safe point; after a deadline they are made to.")
REQUEST(kill, "End tasks at once; the replica resumes.")
REQUEST(sleep, "Ask tasks to sleep; a sleeping job keeps its replica frozen.")
REQUEST(wake, "Wake sleeping tasks.")
REQUEST(requeue, "Stop tasks at a safe point and let them wait again; the attempt does not count.")
REQUEST(reinit, "Run ended tasks anew: BibSched's word for retry.")
REQUEST(retry, "Run ended tasks once more.")
REQUEST(ack, "Acknowledge failed tasks.")
REQUEST(delete, "Take tasks out of the queue.")
REQUEST(run, "Start waiting tasks by hand, whatever their time, priority and window, and in manual mode.")
