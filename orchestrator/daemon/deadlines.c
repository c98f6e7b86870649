/* SPDX-License-Identifier: Apache-2.0 */
#include "deadlines.h"

#include <string.h>

#include "common/base/clock.h"
#include "common/file/json.h"
#include "events.h"
#include "orchestrator/core/recur.h"
#include "queue_memory.h"

enum { LOOK_MS = 5000 };

typedef struct Watched {
    int64_t task;
    DeadlineTask d;
} Watched;

struct Deadlines {
    Watched *v; /* ascending by task */
    size_t n, cap;
    JobRecords jobs;
    int64_t looked_ms;
};

static struct Deadlines *deadlines_of(Coord *c)
{
    if (!c->queue.memory->deadlines)
        c->queue.memory->deadlines = NEW(struct Deadlines);
    return c->queue.memory->deadlines;
}

static size_t place_of(const struct Deadlines *d, int64_t task)
{
    size_t low = 0, high = d->n;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (d->v[middle].task < task)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static Watched *watched(struct Deadlines *d, int64_t task)
{
    size_t i = place_of(d, task);
    if (i < d->n && d->v[i].task == task)
        return &d->v[i];
    if (d->n == d->cap) {
        d->cap = d->cap ? d->cap * 2 : 16;
        d->v = xrealloc(d->v, d->cap * sizeof *d->v);
    }
    memmove(&d->v[i + 1], &d->v[i], (d->n++ - i) * sizeof *d->v);
    d->v[i] = (Watched){.task = task};
    return &d->v[i];
}

static void drop(struct Deadlines *d, size_t i)
{
    memmove(&d->v[i], &d->v[i + 1], (--d->n - i) * sizeof *d->v);
}

/* A new turn is told of anew. */
void deadlines_watch(Coord *c, const Task *t)
{
    int64_t start_by = json_int(t->plan, "start_by_ms"), finish_by = json_int(t->plan, "finish_by_ms");
    int64_t planned = t->planned_at                 ? t->planned_at
                      : t->submitted_at > t->run_at ? t->submitted_at
                                                    : t->run_at;
    if ((!start_by && !finish_by) || task_state_is_final(t->state) || !t->id)
        return;
    DeadlineTask *d = &watched(deadlines_of(c), t->id)->d;
    if (d->planned_at != planned)
        d->told = 0;
    d->planned_at = planned;
    d->start_by_ms = start_by;
    d->finish_by_ms = finish_by;
}

static void tell(Coord *c, int64_t task, const TaskEntry *e, const DeadlineTask *d, DeadlineNews news,
                 int64_t now)
{
    char usual[CLOCK_TEXT], so_far[CLOCK_TEXT], planned[CLOCK_TEXT];
    const char *run = e && entry_run(e) ? entry_run(e)->id : NULL;
    clock_format_duration(d->usual_ms, usual);
    clock_format_duration(now - d->started_at, so_far);
    clock_format(d->planned_at, planned);
    if (news == DEADLINE_SLOW)
        events_add(c, "warn", "deadline", task, run, NULL, "it runs for %s now; usually its job takes %s",
                   so_far, usual);
    else
        events_add(c, "warn", "deadline", task, run, NULL, "its turn of %s should have %s by now", planned,
                   news == DEADLINE_NOT_STARTED ? "started" : "ended");
}

static void look_at(Coord *c, int64_t task, const TaskEntry *e, DeadlineTask *d, int64_t now)
{
    const JobRecord *usual = e ? job_records_find(&deadlines_of(c)->jobs, e->t.job) : NULL;
    DeadlineNews news;
    int64_t started = e && entry_is_active(e) ? entry_run(e)->started_at : 0;
    if (started != d->started_at)
        d->told &= ~(1u << DEADLINE_SLOW);
    d->started_at = started;
    d->usual_ms = usual ? usual->mean_ms : e ? recur_lasts_ms(&e->t) : 0;
    while ((news = deadline_look(d, now)))
        tell(c, task, e, d, news, now);
}

/* Whatever is under way may be slow, with a deadline or without. */
static void watch_active(Coord *c, struct Deadlines *d)
{
    for (size_t i = 0; i < c->n_entries; i++) {
        const TaskEntry *e = c->entries[i];
        if (!entry_is_active(e))
            continue;
        deadlines_watch(c, &e->t); /* one that began with its submission has waited nowhere */
        watched(d, e->t.id);
    }
}

void deadlines_step(Coord *c)
{
    struct Deadlines *d = deadlines_of(c);
    if (!c->loaded || clock_mono_ms() < d->looked_ms + LOOK_MS)
        return;
    d->looked_ms = clock_mono_ms();
    watch_active(c, d);
    for (size_t i = 0; i < d->n;) {
        SlotPlace place;
        Watched *w = &d->v[i];
        if (!slots_find(c->slots, w->task, &place) || place == SLOT_FAILED) {
            drop(d, i);
            continue;
        }
        look_at(c, w->task, state_find(c, w->task), &w->d, clock_wall_ms());
        i++;
    }
}

void deadlines_ended_well(Coord *c, const Task *t)
{
    const Run *r = t->runs.n ? (const Run *)t->runs.v + (t->runs.n - 1) : NULL;
    if (r && r->finished_at > r->started_at && t->kind != KIND_UPLOAD)
        job_records_add(&deadlines_of(c)->jobs, t->job, r->finished_at, r->finished_at - r->started_at,
                        json_int(r->detail, "result_bytes"));
}

const JobRecords *deadlines_jobs(const Coord *c)
{
    static const JobRecords none = {0};
    return c->queue.memory->deadlines ? &c->queue.memory->deadlines->jobs : &none;
}

void deadlines_free(Coord *c)
{
    struct Deadlines *d = c->queue.memory ? c->queue.memory->deadlines : NULL;
    if (!d)
        return;
    job_records_done(&d->jobs);
    free(d->v);
    free(d);
    c->queue.memory->deadlines = NULL;
}
