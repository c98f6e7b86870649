/* SPDX-License-Identifier: Apache-2.0 */
#include "queue_report.h"

#include "common/base/clock.h"
#include "state_words.h"
#include "view.h"

enum { REPORT_PAGE = 1000 };

typedef struct ReportPick {
    const char *state;
    int64_t since; /* 0: any */
    StrList names;
} ReportPick;

static bool fits(const ReportPick *p, const Task *t)
{
    int64_t at = t->run_at ? t->run_at : t->submitted_at;
    return at >= p->since && (!p->names.n || strlist_has(&p->names, t->name));
}

static bool take_page(const Cli *cli, const ReportPick *p, int64_t *before, bool *ret_more, json_t *ret,
                      Err *err)
{
    WireList tasks;
    AUTOJSON json_t *page = NULL;
    AUTO(str_done) Str path = STR_INIT;
    str_addf(&path, "/v1/tasks?limit=%d&state=%s", REPORT_PAGE, p->state);
    if (*before)
        str_addf(&path, "&before=%lld", (long long)*before);
    if (!client_get(cli, str_z(&path), &page, err) ||
        !client_read_list(page, task_fields, sizeof(Task), &tasks, err))
        return false;
    for (size_t i = 0; i < tasks.n; i++) {
        const Task *t = (const Task *)tasks.v + i;
        *before = t->id;
        if (fits(p, t))
            json_array_append(ret, json_array_get(page, i));
    }
    *ret_more = tasks.n == REPORT_PAGE;
    client_list_free(task_fields, sizeof(Task), &tasks);
    return true;
}

static bool add_state(const Cli *cli, const ReportPick *p, size_t width, json_t *all, Str *out, Err *err)
{
    WireList tasks;
    int64_t before = 0;
    AUTOJSON json_t *found = json_array();
    for (bool more = true; more;)
        if (!take_page(cli, p, &before, &more, found, err))
            return false;
    if (!client_read_list(found, task_fields, sizeof(Task), &tasks, err))
        return false;
    str_addf(out, "\n%s tasks: %zu\n", p->state, tasks.n);
    if (tasks.n)
        view_tasks(&tasks, width, out);
    client_list_free(task_fields, sizeof(Task), &tasks);
    json_array_extend(all, found);
    return true;
}

static bool add_states(const Cli *cli, ReportPick *p, const StrList *states, size_t width, json_t **ret,
                       Str *out, Err *err)
{
    AUTOJSON json_t *all = json_array();
    for (size_t i = 0; i < states->n; i++) {
        p->state = states->v[i];
        if (!add_state(cli, p, width, all, out, err))
            return false;
    }
    *ret = STEAL(all);
    return true;
}

static void add_mode(const json_t *queue, Str *out)
{
    int64_t now = clock_wall_ms();
    char at[OUT_TEXT];
    out_time(now, at);
    str_addf(out, "%s, %s mode\n", at, json_str(queue, "mode"));
    view_brakes(queue, now, out);
}

bool queue_report(const Cli *cli, const QueueReport *r, size_t width, json_t **ret, Str *out, Err *err)
{
    int64_t age = 0;
    ReportPick p = {0};
    AUTOJSON json_t *queue = NULL;
    AUTO(strlist_done) StrList states = STRLIST_INIT;
    if (!state_words_read(r->states ? r->states : "running,waiting", &states, err) ||
        (r->since && !state_words_age(r->since, &age, err)) || !client_get(cli, "/v1/queue", &queue, err))
        return false;
    add_mode(queue, out);
    p.since = age ? clock_wall_ms() - age : 0;
    if (r->names)
        strlist_split(&p.names, r->names, ',');
    bool ok = add_states(cli, &p, &states, width, ret, out, err);
    strlist_done(&p.names);
    return ok;
}
