/* SPDX-License-Identifier: Apache-2.0 */
#include "tasklets.h"

#include <string.h>

#include "choose.h"
#include "common/file/json.h"

/* ---- the list --------------------------------------------------------------------------------------- */

static json_t *entry_of(json_t *list, const char *name)
{
    size_t i;
    json_t *o;
    json_array_foreach(list, i, o)
    {
        if (str_eq(json_str(o, "name"), name))
            return o;
    }
    return NULL;
}

static json_t *add_entry(json_t *list, const JobInfo *job)
{
    json_t *o = json_object();
    json_set_str(o, "name", job->name);
    json_set_str(o, "text", *json_str(job->tasklet, "text") ? json_str(job->tasklet, "text") : NULL);
    json_set_str(o, "on", WIRE_TEXT(node_role_names, job, on));
    json_object_set(o, "params", json_object_get(job->tasklet, "params"));
    json_object_set_new(o, "nodes", json_array());
    json_array_append_new(list, o);
    return o;
}

static void add_of_node(const Node *node, json_t *list, json_t *broken)
{
    const JobInfo *jobs = node->agent.jobs.v;
    const TaskletFault *faults = node->agent.tasklet_faults.v;
    for (size_t i = 0; i < node->agent.jobs.n; i++) {
        if (!json_is_object(jobs[i].tasklet) || !jobs[i].name)
            continue;
        json_t *o = entry_of(list, jobs[i].name);
        json_array_append_new(json_object_get(o ? o : add_entry(list, &jobs[i]), "nodes"),
                              json_string(node->name));
    }
    for (size_t i = 0; i < node->agent.tasklet_faults.n; i++) {
        json_t *o = json_object();
        json_set_str(o, "name", faults[i].name);
        json_set_str(o, "node", node->name);
        json_set_str(o, "error", faults[i].error);
        json_array_append_new(broken, o);
    }
}

json_t *tasklets_list(const Node *const *nodes, size_t n)
{
    json_t *list = json_array(), *broken = json_array();
    for (size_t i = 0; i < n; i++)
        add_of_node(nodes[i], list, broken);
    return json_pack("{s:o, s:o}", "tasklets", list, "broken", broken);
}

/* ---- checks ----------------------------------------------------------------------------------------- */

/* Of a broken one only its file has a name. */
static bool is_file_of(const char *file, const char *name)
{
    size_t n = strlen(name);
    return file && strncmp(file, name, n) == 0 &&
           (!file[n] || (file[n] == '.' && !strchr(file + n + 1, '.')));
}

bool tasklets_not_broken(const Node *const *nodes, size_t n, const char *name, Err *err)
{
    for (size_t i = 0; i < n; i++) {
        const TaskletFault *f = nodes[i]->agent.tasklet_faults.v;
        for (size_t k = 0; k < nodes[i]->agent.tasklet_faults.n; k++)
            if (is_file_of(f[k].name, name))
                return err_set(err, ERR_REFUSED, 0, "the tasklet %s of %s is broken: %s", f[k].name,
                               nodes[i]->name, f[k].error ? f[k].error : "?");
    }
    return true;
}

static bool unknown(const Node *const *nodes, size_t n, const char *name, Err *err)
{
    size_t i;
    json_t *o;
    AUTO(strlist_done) StrList names = STRLIST_INIT;
    AUTOJSON json_t *all = tasklets_list(nodes, n);
    json_array_foreach(json_object_get(all, "tasklets"), i, o)
    {
        strlist_add(&names, json_str(o, "name"));
    }
    const char *near = names.n ? str_nearest(name, (const char *const *)names.v) : NULL;
    return err_set(err, ERR_REFUSED, 0, "no agent knows a tasklet \"%.100s\"%s%s%s; see siding tasklet list",
                   name, near ? " (did you mean \"" : "", near ? near : "", near ? "\"?)" : "");
}

bool tasklets_check_job(const JobInfo *job, const StrList *args, Err *err)
{
    Tasklet t = {0};
    if (!tasklet_of(job, &t))
        return true;
    bool ok = tasklet_check(job->name, &t, args, err);
    tasklet_done(&t);
    return ok;
}

bool tasklets_find(const Node *const *nodes, size_t n, const char *name, json_t **ret, Err *err)
{
    AUTO(strlist_done) StrList none = STRLIST_INIT;
    AUTOJSON json_t *all = tasklets_list(nodes, n);
    *ret = json_incref(entry_of(json_object_get(all, "tasklets"), name));
    return *ret || (tasklets_check(nodes, n, name, &none, err) && unknown(nodes, n, name, err));
}

bool tasklets_check(const Node *const *nodes, size_t n, const char *name, const StrList *args, Err *err)
{
    const JobInfo *job = choose_job(nodes, n, name);
    if (job && !json_is_object(job->tasklet))
        return err_set(err, ERR_REFUSED, 0, "the job \"%s\" is no tasklet", name);
    return job ? tasklets_check_job(job, args, err)
               : tasklets_not_broken(nodes, n, name, err) && unknown(nodes, n, name, err);
}
