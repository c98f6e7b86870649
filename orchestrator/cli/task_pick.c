/* SPDX-License-Identifier: Apache-2.0 */
#include "task_pick.h"

#include "client.h"
#include "common/base/clock.h"
#include "common/net/httpc.h"

enum { PAGE = 1000 };

bool task_pick_is_filter(const TaskPick *p)
{
    return p->states.n || p->name || p->user || p->older_ms;
}

static bool fits(const TaskPick *p, const Task *t, int64_t now_ms)
{
    bool of_state = !p->states.n;
    for (size_t i = 0; i < p->states.n; i++)
        of_state = of_state || wire_enum_find(&task_state_names, p->states.v[i]) == (int)t->state;
    return of_state && (!p->name || str_eq(p->name, t->name)) && (!p->user || str_eq(p->user, t->user)) &&
           (!p->older_ms || t->submitted_at < now_ms - p->older_ms);
}

static bool take_page(const Cli *cli, const TaskPick *p, int64_t *before, bool *ret_more, StrList *ret,
                      Err *err)
{
    AUTO(str_done) Str path = STR_INIT;
    AUTOJSON json_t *page = NULL;
    WireList tasks;
    str_addf(&path, "/v1/tasks?limit=%d", PAGE);
    if (*before)
        str_addf(&path, "&before=%lld", (long long)*before);
    for (size_t i = 0; i < p->states.n; i++) {
        str_adds(&path, i ? "," : "&state=");
        httpc_encode(&path, p->states.v[i]);
    }
    if (!client_get(cli, str_z(&path), &page, err) ||
        !client_read_list(page, task_fields, sizeof(Task), &tasks, err))
        return false;
    const Task *t = tasks.v;
    for (size_t i = 0; i < tasks.n; i++) {
        *before = t[i].id;
        if (fits(p, &t[i], clock_wall_ms()))
            strlist_addf(ret, "%lld", (long long)t[i].id);
    }
    *ret_more = tasks.n == PAGE;
    client_list_free(task_fields, sizeof(Task), &tasks);
    return true;
}

static void turn_round(StrList *l)
{
    for (size_t i = 0; i < l->n / 2; i++)
        EXCHANGE(l->v[i], l->v[l->n - 1 - i]);
}

bool task_pick(const Cli *cli, const TaskPick *p, const StrList *words, StrList *ret, Err *err)
{
    int ignored;
    int64_t before = 0;
    if (!words->n == !task_pick_is_filter(p))
        return err_set(err, ERR_USAGE, 0,
                       "name tasks either by their ids, or by --name, --state, --user and --older");
    if (words->n) {
        strlist_add_all(ret, words);
        return true;
    }
    for (size_t i = 0; i < p->states.n; i++)
        if (!wire_enum_read(&task_state_names, "state", p->states.v[i], &ignored, err))
            return err_prefix(err, "option --state");
    for (bool more = true; more;)
        if (!take_page(cli, p, &before, &more, ret, err))
            return false;
    turn_round(ret);
    return ret->n || err_set(err, ERR_NOT_FOUND, 0, "no task fits");
}
