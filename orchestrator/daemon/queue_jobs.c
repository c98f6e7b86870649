/* SPDX-License-Identifier: Apache-2.0
 * The jobs that agents have told, for the slots and as rows of siding.job, by which a submission is checked
 * where it is made. A job that no agent knows any more stays there as absent: its tasks wait.
 */
#include "queue_impl.h"

typedef struct JobsOp {
    StoreOp op;
    WireList jobs; /* KnownJob, the changed ones */
} JobsOp;

typedef struct KnownJob {
    JobInfo info;
    bool present, written;
} KnownJob;

static bool jobs_work(Db *db, StoreOp *op, Err *err)
{
    const JobsOp *o = (const JobsOp *)op;
    const KnownJob *jobs = o->jobs.v;
    for (size_t i = 0; i < o->jobs.n; i++)
        if (!qdb_set_job(db, &jobs[i].info, jobs[i].present, err))
            return false;
    return true;
}

static void free_jobs(WireList *list)
{
    KnownJob *jobs = list->v;
    for (size_t i = 0; i < list->n; i++)
        wire_free(job_info_fields, &jobs[i].info);
    free(list->v);
    *list = (WireList){NULL, 0};
}

static KnownJob *find(WireList *list, const char *name)
{
    KnownJob *jobs = list->v;
    for (size_t i = 0; i < list->n; i++)
        if (str_eq(jobs[i].info.name, name))
            return &jobs[i];
    return NULL;
}

static void jobs_done(Coord *c, StoreOp *op)
{
    JobsOp *o = (JobsOp *)op;
    const KnownJob *jobs = o->jobs.v;
    c->queue.memory->writing_jobs = false;
    for (size_t i = 0; !op->ok && i < o->jobs.n; i++) {
        KnownJob *k = find(&c->queue.memory->jobs, jobs[i].info.name);
        if (k)
            k->written = false;
    }
    if (!op->ok)
        retry_failed(c, &c->queue.memory->jobs_retry, QUEUE_RETRY_LEAST_MS, QUEUE_RETRY_MOST_MS);
    free_jobs(&o->jobs);
    free(o);
}

static void set(Coord *c, const JobInfo *job, bool present)
{
    KnownJob *k = find(&c->queue.memory->jobs, job->name);
    if (!k) {
        k = wire_list_add(&c->queue.memory->jobs, sizeof *k);
        wire_copy(job_info_fields, &k->info, job);
    } else if (k->present == present && k->info.kind == job->kind && k->info.on == job->on) {
        return;
    }
    k->info.kind = job->kind;
    k->info.on = job->on;
    k->present = present;
    k->written = false;
    slots_job(c->slots, job->name, present, job->on);
}

static const JobInfo *told(const Coord *c, const char *name)
{
    for (size_t i = 0; i < c->n_agents; i++) {
        const JobInfo *jobs = c->agents[i]->node.agent.jobs.v;
        for (size_t k = 0; k < c->agents[i]->node.agent.jobs.n; k++)
            if (str_eq(jobs[k].name, name))
                return &jobs[k];
    }
    return NULL;
}

static void compare(Coord *c)
{
    for (size_t i = 0; i < c->n_agents; i++) {
        const JobInfo *jobs = c->agents[i]->node.agent.jobs.v;
        for (size_t k = 0; k < c->agents[i]->node.agent.jobs.n; k++)
            if (jobs[k].name && told(c, jobs[k].name) == &jobs[k])
                set(c, &jobs[k], true);
    }
    KnownJob *known = c->queue.memory->jobs.v;
    for (size_t i = 0; i < c->queue.memory->jobs.n; i++)
        if (!told(c, known[i].info.name)) {
            JobInfo gone = {.name = known[i].info.name, .kind = known[i].info.kind, .on = known[i].info.on};
            set(c, &gone, false);
        }
}

void queue_tell_jobs(Coord *c)
{
    QueueMemory *m = c->queue.memory;
    KnownJob *known;
    compare(c);
    if (m->writing_jobs || c->fenced || !retry_due(&m->jobs_retry))
        return;
    JobsOp *o = NEW(JobsOp);
    o->op =
        (StoreOp){.kind = STORE_WRITE, .what = "write the jobs down", .work = jobs_work, .done = jobs_done};
    known = m->jobs.v;
    for (size_t i = 0; i < m->jobs.n; i++) {
        if (known[i].written)
            continue;
        KnownJob *copy = wire_list_add(&o->jobs, sizeof *copy);
        copy->present = known[i].present;
        wire_copy(job_info_fields, &copy->info, &known[i].info);
        known[i].written = true;
    }
    if (!o->jobs.n) {
        free(o);
        return;
    }
    m->writing_jobs = true;
    store_start(c, &o->op);
}

void queue_forget_jobs(Coord *c)
{
    free_jobs(&c->queue.memory->jobs);
}
