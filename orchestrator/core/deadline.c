/* SPDX-License-Identifier: Apache-2.0 */
#include "deadline.h"

enum { MOST_JOBS = 1000, SLOW_TIMES = 3, SLOW_LEAST_MS = 60000, MEAN_OF = 8 };

const JobRecord *job_records_find(const JobRecords *r, const char *job)
{
    for (size_t i = 0; i < r->n; i++)
        if (str_eq(r->v[i].job, job))
            return &r->v[i];
    return NULL;
}

static JobRecord *record_of(JobRecords *r, const char *job)
{
    JobRecord *found = (JobRecord *)job_records_find(r, job);
    if (found || r->n == MOST_JOBS)
        return found;
    r->v = xrealloc(r->v, (r->n + 1) * sizeof *r->v);
    r->v[r->n] = (JobRecord){.job = xstrdup(job)};
    return &r->v[r->n++];
}

void job_records_add(JobRecords *r, const char *job, int64_t ended_at, int64_t lasted_ms, int64_t bytes)
{
    JobRecord *j = record_of(r, job);
    if (!j)
        return;
    int64_t of = j->n < MEAN_OF ? j->n + 1 : MEAN_OF;
    j->mean_ms += (lasted_ms - j->mean_ms) / of;
    j->n++;
    if (ended_at < j->ended_at)
        return;
    j->ended_at = ended_at;
    j->lasted_ms = lasted_ms;
    j->bytes = bytes;
}

void job_records_done(JobRecords *r)
{
    for (size_t i = 0; i < r->n; i++)
        free(r->v[i].job);
    free(r->v);
    *r = (JobRecords){0};
}

static bool is_so(const DeadlineTask *t, DeadlineNews news, int64_t now_ms)
{
    switch (news) {
    case DEADLINE_NOT_STARTED:
        return t->start_by_ms > 0 && !t->started_at && now_ms > t->planned_at + t->start_by_ms;
    case DEADLINE_NOT_ENDED:
        return t->finish_by_ms > 0 && now_ms > t->planned_at + t->finish_by_ms;
    case DEADLINE_SLOW:
        return t->started_at && t->usual_ms > 0 && now_ms - t->started_at > SLOW_LEAST_MS &&
               now_ms - t->started_at > SLOW_TIMES * t->usual_ms;
    default:
        return false;
    }
}

DeadlineNews deadline_look(DeadlineTask *t, int64_t now_ms)
{
    for (int news = DEADLINE_NOT_STARTED; news <= DEADLINE_SLOW; news++)
        if (!(t->told & 1u << news) && is_so(t, (DeadlineNews)news, now_ms)) {
            t->told |= 1u << news;
            return (DeadlineNews)news;
        }
    return DEADLINE_NOTHING;
}
