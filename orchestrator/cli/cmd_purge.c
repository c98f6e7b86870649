/* SPDX-License-Identifier: Apache-2.0
 * siding queue purge: ended tasks go, by BibSched's options.
 */
#include <stdio.h>

#include "client.h"
#include "common/base/clock.h"
#include "common/base/text.h"
#include "out.h"
#include "state_words.h"

enum { PAGE = 1000 };

typedef struct QueuePurge {
    CliCommon common;
    char *status, *since, *tasks;
    bool dry_run;
} QueuePurge;

static const Opt purge_options[] = {
    {"status", 's', OPT_STR, offsetof(QueuePurge, status), .arg = "LIST", .fallback = "done",
     .doc =
         "Tasks in these states, with commas between them: done, killed, stopped, acknowledged and so on."},
    {"since", 'S', OPT_STR, offsetof(QueuePurge, since), .arg = "AGE", .fallback = "30d",
     .doc = "Those that ended longer ago than this: 30m, 2h, 1d. A sign before it means nothing."},
    {"tasks", 't', OPT_STR, offsetof(QueuePurge, tasks), .arg = "LIST",
     .doc = "Only tasks of these names; all otherwise."},
    {"task", 0, OPT_STR, offsetof(QueuePurge, tasks), .arg = "LIST", .doc = "The same."},
    {"dry-run", 'n', OPT_FLAG, offsetof(QueuePurge, dry_run), .doc = "Only say which."},
    CLI_COMMON_OPTIONS,
};

static bool read_states(const char *text, Str *ret_query, Err *err)
{
    AUTO(strlist_done) StrList states = STRLIST_INIT;
    if (!state_words_read(text, &states, err))
        return false;
    for (size_t i = 0; i < states.n; i++) {
        if (!task_state_is_final((TaskState)wire_enum_find(&task_state_names, states.v[i])))
            return err_set(err, ERR_USAGE, 0,
                           "option --status: tasks that are %s are not purged; stop or delete them",
                           states.v[i]);
        str_addf(ret_query, "%s%s", i ? "," : "", states.v[i]);
    }
    return true;
}

static bool is_old(const Task *t, int64_t before, const StrList *names)
{
    return t->finished_at && t->finished_at < before && (!names->n || strlist_has(names, t->name));
}

static bool delete_task(const Cli *cli, int64_t id, Err *err)
{
    AUTOJSON json_t *answer = NULL;
    AUTOFREE char *user = cli_user(), *path = xasprintf("/v1/tasks/%lld/request", (long long)id);
    AUTOJSON json_t *body = json_pack("{s:s, s:s}", "action", "delete", "by", user);
    return client_call(cli, "POST", path, body, API_TIMEOUT_MS, &answer, err) || err->kind == ERR_NOT_FOUND;
}

typedef struct PurgeWork {
    const Cli *cli;
    const char *states;
    int64_t age_before, before, n;
    StrList names;
    bool dry_run, more;
} PurgeWork;

static bool purge_page(PurgeWork *w, Err *err)
{
    WireList tasks;
    AUTOJSON json_t *page = NULL;
    AUTO(str_done) Str path = STR_INIT;
    str_addf(&path, "/v1/tasks?limit=%d&state=%s", PAGE, w->states);
    if (w->before)
        str_addf(&path, "&before=%lld", (long long)w->before);
    if (!client_get(w->cli, str_z(&path), &page, err) ||
        !client_read_list(page, task_fields, sizeof(Task), &tasks, err))
        return false;
    const Task *t = tasks.v;
    bool ok = true;
    for (size_t i = 0; ok && i < tasks.n; i++) {
        w->before = t[i].id;
        if (!is_old(&t[i], w->age_before, &w->names))
            continue;
        if (w->dry_run)
            text_print(stdout, "%lld %s %s\n", (long long)t[i].id, t[i].name,
                       WIRE_TEXT(task_state_names, &t[i], state));
        ok = w->dry_run || delete_task(w->cli, t[i].id, err);
        w->n += ok;
    }
    w->more = tasks.n == PAGE;
    client_list_free(task_fields, sizeof(Task), &tasks);
    return ok;
}

static CLI_RUN(run)
{
    const QueuePurge *p = options;
    int64_t age;
    AUTO(str_done) Str states = STR_INIT;
    PurgeWork w = {.cli = cli, .dry_run = p->dry_run, .more = true};
    (void)words;
    (void)rest;
    if (!read_states(p->status, &states, err) || !state_words_age(p->since, &age, err))
        return false;
    w.states = str_z(&states);
    w.age_before = clock_wall_ms() - age;
    if (p->tasks)
        strlist_split(&w.names, p->tasks, ',');
    bool ok = true;
    while (ok && w.more)
        ok = purge_page(&w, err);
    strlist_done(&w.names);
    AUTOJSON json_t *answer = json_pack("{s:I}", "purged", (json_int_t)w.n);
    if (cli->json)
        out_json(answer);
    else
        text_print(stderr, "%lld tasks%s\n", (long long)w.n, p->dry_run ? " would go" : " are gone");
    return ok;
}

const CliCommand cmd_queue_purge = {
    .group = "queue",
    .name = "purge",
    .summary =
        "Take ended tasks out of the queue; those that are done and 30 days old, unless told otherwise.",
    .detail = "Old tasks go by themselves as well (retention in sidingd.conf). Results are not touched.",
    .options = purge_options,
    .size = sizeof(QueuePurge),
    .run = run,
};
