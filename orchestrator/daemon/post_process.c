/* SPDX-License-Identifier: Apache-2.0 */
#include "post_process.h"

#include <inttypes.h>

#include "common/base/clock.h"
#include "events.h"
#include "orchestrator/core/recur.h"
#include "orchestrator/core/tasklets.h"

bool post_process_check(const Coord *c, const Task *t, Err *err)
{
    TaskPlan p = {0};
    AUTOFREE const Node **nodes = state_nodes(c);
    bool ok = recur_read(t->plan, &p, err) &&
              (!p.post_process || tasklets_check(nodes, c->n_agents, p.post_process, &p.post_args, err) ||
               err_prefix(err, "post-process"));
    wire_free(task_plan_fields, &p);
    return ok;
}

/* In the name of who submitted the first, and as urgent. Where it runs is its header's word, as with rows
 * that SQL has made. */
void post_process_make(const TaskEntry *e, Task *ret)
{
    Err ignored;
    TaskPlan p = {0};
    int64_t now = clock_wall_ms();
    if (!e->post_run || !recur_read(e->t.plan, &p, &ignored))
        return;
    if (p.post_process)
        *ret = (Task){.job = xstrdup(p.post_process),
                      .kind = KIND_COMMAND,
                      .name = xstrdup(p.post_process),
                      .user = xstrdup(e->t.user),
                      .state = TASK_WAITING,
                      .priority = e->t.priority,
                      .replicas = 1,
                      .max_attempts = 1,
                      .submitted_at = now,
                      .run_at = now,
                      .key = xasprintf("post-process of %s", e->post_run),
                      .parent_task = e->t.id};
    if (p.post_process)
        strlist_add_all(&ret->args, &p.post_args);
    wire_free(task_plan_fields, &p);
}

bool post_process_store(Db *db, const Task *t, int64_t *ret_id, Err *err)
{
    int64_t there;
    *ret_id = 0;
    return qdb_find_submitted(db, t->key, NULL, &there, err) &&
           (there || qdb_insert_task(db, t, ret_id, err));
}

void post_process_stored(Coord *c, TaskEntry *parent, Task *t, int64_t id)
{
    if (parent)
        str_set(&parent->post_run, NULL);
    if (!id) {
        wire_free(task_fields, t);
        return;
    }
    t->id = id;
    c->count.submitted++;
    events_add(c, "info", "task", id, NULL, NULL, "submitted as post-process of task %" PRId64 ": %s",
               t->parent_task, t->job);
    queue_take(c, t, true);
}
