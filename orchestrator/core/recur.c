/* SPDX-License-Identifier: Apache-2.0 */
#include "recur.h"

#include "common/base/retry.h"
#include "cron.h"
#include "decide.h"
#include "numbered.h"

enum {
    ATTEMPT_LEAST_MS = 30000, /* before a failed run's next attempt; doubles with each */
    ATTEMPT_MOST_MS = 3600000,
    ATTEMPT_DEFAULT_MOST_MS = 128 * ATTEMPT_LEAST_MS, /* of a plan that says nothing of it */
    LATE_MS = 60000                                   /* a turn that is late by less is not missed */
};
#define MADE_UP_MS (INT64_C(7) * 86400000) /* turns older than this are not made up */

bool recur_read(const json_t *plan, TaskPlan *ret, Err *err)
{
    return !plan || wire_read(task_plan_fields, plan, ret, err);
}

static bool check_ids(const StrList *after, Err *err)
{
    long long id;
    for (size_t i = 0; i < after->n; i++)
        if (!str_to_i64(after->v[i], 1, INT64_MAX, &id))
            return err_set(err, ERR_USAGE, 0, "\"%s\" of a plan's \"after\" is no task id", after->v[i]);
    return true;
}

bool recur_check(const TaskPlan *p, const Zone *z, Err *err)
{
    Cron c;
    if (!check_ids(&p->after, err))
        return false;
    if (p->post_args.n && !p->post_process)
        return err_set(err, ERR_USAGE, 0, "post_args of a plan go with its post_process");
    if (!p->cron)
        return (!p->missed && !p->not_on.n) ||
               err_set(err, ERR_USAGE, 0, "missed and not_on of a plan go with its cron only");
    if (!cron_parse(p->cron, &p->not_on, &c, err))
        return false;
    return cron_next(&c, z, 0) || err_set(err, ERR_USAGE, 0, "\"%s\" is never: no day fits", p->cron);
}

bool recur_has_cron(const Task *t)
{
    return json_is_string(json_object_get(t->plan, "cron"));
}

bool recur_is(const Task *t)
{
    return t->sleeptime_ms > 0 || recur_has_cron(t);
}

const char *recur_schedule(const Task *t)
{
    return json_string_value(json_object_get(t->plan, "schedule"));
}

const char *recur_post_process(const Task *t)
{
    return json_string_value(json_object_get(t->plan, "post_process"));
}

OrphanPolicy recur_orphan(const Task *t)
{
    return (OrphanPolicy)wire_enum_find(&orphan_policy_names, json_str(t->plan, "orphan"));
}

const char *recur_zone(const Task *t)
{
    return json_string_value(json_object_get(t->plan, "zone"));
}

const char *recur_concurrency_key(const Task *t)
{
    return json_string_value(json_object_get(t->plan, "concurrency_key"));
}

/* By the name, which is known before the id is. */
static uint64_t seed_of(const Task *t)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (const char *p = t->name ? t->name : ""; *p; p++)
        h = (h ^ (unsigned char)*p) * 0x100000001b3u;
    return h;
}

/* The first turn after `after_ms`. */
static bool set_turn(Task *t, const TaskPlan *p, const Zone *z, int64_t after_ms)
{
    Cron c;
    Err ignored;
    int64_t next =
        z && cron_parse(p->cron, &p->not_on, &c, &ignored) ? cron_next(&c, z, after_ms / 1000) * 1000 : 0;
    if (!next)
        return false;
    t->planned_at = next;
    t->run_at = next + cron_jitter(seed_of(t), next, p->jitter_ms);
    return true;
}

bool recur_first(Task *t, const Zone *z, int64_t from_ms)
{
    TaskPlan p = {0};
    Err ignored;
    bool ok = recur_read(t->plan, &p, &ignored) && p.cron && set_turn(t, &p, z, from_ms - 1);
    wire_free(task_plan_fields, &p);
    return ok;
}

/* Turns that came while its run was under way are left out, unless each is made up for. */
static int64_t turns_from(const Task *t, const TaskPlan *p, int64_t now_ms)
{
    if (p->missed != MISSED_RUN_ALL || !t->planned_at || t->planned_at > now_ms)
        return now_ms;
    return t->planned_at > now_ms - MADE_UP_MS ? t->planned_at : now_ms - MADE_UP_MS;
}

bool recur_next(Task *t, const Zone *z, int64_t now_ms)
{
    TaskPlan p = {0};
    Err ignored;
    bool ok = recur_read(t->plan, &p, &ignored);
    if (ok && p.cron) {
        ok = set_turn(t, &p, z, turns_from(t, &p, now_ms));
    } else if (ok && t->sleeptime_ms > 0) {
        int64_t planned = t->planned_at ? t->planned_at : t->run_at;
        t->planned_at = decide_next_run_at(planned, now_ms, t->sleeptime_ms, t->fixed_time);
        t->run_at = t->planned_at + cron_jitter(seed_of(t), t->planned_at, p.jitter_ms);
    }
    wire_free(task_plan_fields, &p);
    return ok;
}

bool recur_is_left_out(const Task *t, int64_t alive_ms, int64_t now_ms)
{
    const char *missed = json_string_value(json_object_get(t->plan, "missed"));
    return missed && wire_enum_find(&missed_runs_names, missed) == MISSED_SKIP && t->attempts == 0 &&
           t->planned_at > alive_ms && now_ms > t->planned_at + LATE_MS;
}

int64_t recur_backoff_ms(const Task *t)
{
    int64_t least = json_int(t->plan, "backoff_ms"), most = json_int(t->plan, "backoff_most_ms");
    if (!least && !most)
        return retry_wait_ms(t->attempts, ATTEMPT_LEAST_MS, ATTEMPT_DEFAULT_MOST_MS);
    uint64_t chance = numbered_mix(seed_of(t) + (uint64_t)(t->attempts + 1) * 0x9e3779b97f4a7c15u);
    return retry_by_chance_ms(
        retry_wait_ms(t->attempts, least ? least : ATTEMPT_LEAST_MS, most ? most : ATTEMPT_MOST_MS), chance);
}

size_t recur_forecast(const Task *t, const Zone *z, int64_t now_ms, int64_t until_ms, int64_t lasts_ms,
                      int64_t *ret, size_t most)
{
    Task turn = *t; /* its texts are borrowed, its times are not */
    size_t n = 0;
    for (int64_t at = t->run_at > now_ms ? t->run_at : now_ms; at < until_ms && n < most;) {
        int64_t end = at + lasts_ms;
        ret[n++] = at;
        if (!recur_is(t) || !recur_next(&turn, z, end > at ? end : at + 1))
            break;
        at = turn.run_at > end ? turn.run_at : end;
    }
    return n;
}

int64_t recur_lasts_ms(const Task *t)
{
    int64_t sum = 0, n = 0;
    const Run *runs = t->runs.v;
    for (size_t i = 0; i < t->runs.n; i++)
        if (runs[i].state == CRUN_DONE && runs[i].finished_at > runs[i].started_at) {
            sum += runs[i].finished_at - runs[i].started_at;
            n++;
        }
    return n ? sum / n : 0;
}
