/* SPDX-License-Identifier: Apache-2.0
 * The worker pool: work aside, done in the loop, a full queue refuses, nothing is dropped at the end.
 */
#include "common/db/work.h"

#include "common/base/clock.h"
#include "loop.h"

typedef struct Job {
    pthread_t loop_thread;
    int64_t sleep_ms;
    bool worked_aside, done_in_loop, done;
} Job;

static void work(void *arg)
{
    Job *j = arg;
    clock_sleep_ms(j->sleep_ms);
    j->worked_aside = !pthread_equal(pthread_self(), j->loop_thread);
}

static void done(void *arg)
{
    Job *j = arg;
    j->done_in_loop = pthread_equal(pthread_self(), j->loop_thread);
    j->done = true;
}

static bool submit(WorkPool *p, Job *j, Err *err)
{
    j->loop_thread = pthread_self();
    return work_submit(p, (WorkJob){work, done, j}, err);
}

static void works_aside_and_returns_to_the_loop(void **state)
{
    (void)state;
    Err err;
    Job j = {.sleep_ms = 10};
    struct event_base *base = event_base_new();
    WorkPool *p = work_new(base, "a pool with a name longer than fifteen", 2, 4);
    assert_ok(submit(p, &j, &err), err);
    assert_false(j.done);
    loop_until(base, &j.done);
    assert_true(j.worked_aside);
    assert_true(j.done_in_loop);
    work_free(p);
    event_base_free(base);
}

static void a_full_queue_refuses(void **state)
{
    (void)state;
    Err err;
    Job jobs[6] = {{.sleep_ms = 50}, {.sleep_ms = 50}, {0}};
    int taken = 0;
    struct event_base *base = event_base_new();
    WorkPool *p = work_new(base, "work", 1, 2);
    while (taken < 6 && submit(p, &jobs[taken], &err))
        taken++;
    assert_in_range(taken, 2, 3); /* one may run already */
    assert_int_equal(err.kind, ERR_CONFLICT);
    assert_string_equal(err.text, "the pool \"work\" is busy: 2 jobs are waiting already");
    work_free(p);
    for (int i = 0; i < taken; i++)
        assert_true(jobs[i].done && jobs[i].done_in_loop && jobs[i].worked_aside);
    event_base_free(base);
}

/* However much may wait, there is a worker for what may not. */
static void what_may_not_wait_has_a_worker(void **state)
{
    (void)state;
    Err err;
    Job patient[8], urgent = {.loop_thread = pthread_self()};
    struct event_base *base = event_base_new();
    WorkPool *p = work_new(base, "work", 3, 16);
    int taken = 0;
    for (int i = 0; i < 8; i++)
        patient[i] = (Job){.loop_thread = pthread_self(), .sleep_ms = 400};
    while (taken < 8 && work_submit(p, (WorkJob){work, done, &patient[taken], .waits = true}, &err))
        taken++;
    int64_t begin = clock_mono_ms();
    assert_true(taken >= 8 - 1); /* half of the queue, and those that run already */
    assert_ok(work_submit(p, (WorkJob){work, done, &urgent}, &err), err);
    loop_until(base, &urgent.done);
    assert_true(clock_mono_ms() - begin < 350);
    work_free(p);
    for (int i = 0; i < taken; i++)
        assert_true(patient[i].done);
    event_base_free(base);
}

static void all_workers_work(void **state)
{
    (void)state;
    Err err;
    Job jobs[200] = {{0}};
    struct event_base *base = event_base_new();
    WorkPool *p = work_new(base, "work", 4, 200);
    for (size_t i = 0; i < COUNT(jobs); i++)
        assert_ok(submit(p, &jobs[i], &err), err);
    for (size_t i = 0; i < COUNT(jobs); i++)
        loop_until(base, &jobs[i].done);
    work_free(p);
    work_free(NULL);
    event_base_free(base);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(works_aside_and_returns_to_the_loop),
        cmocka_unit_test(a_full_queue_refuses),
        cmocka_unit_test(what_may_not_wait_has_a_worker),
        cmocka_unit_test(all_workers_work),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
