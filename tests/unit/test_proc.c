/* SPDX-License-Identifier: Apache-2.0
 * Which processes live.
 */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/base/clock.h"
#include "common/base/proc.h"

enum { TRIES = 1000, PAUSE_MS = 10 };

static char state_of(pid_t pid)
{
    char path[40], state = 0;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *f = fopen(path, "re");
    if (f && fscanf(f, "%*d (%*[^)]) %c", &state) != 1)
        state = 0;
    if (f)
        fclose(f);
    return state;
}

static void await_zombie(pid_t pid)
{
    for (int i = 0; state_of(pid) != 'Z' && i < TRIES; i++)
        clock_sleep_ms(PAUSE_MS);
    assert_int_equal(state_of(pid), 'Z');
}

static void *stays(void *arg)
{
    for (;;)
        pause();
    return arg;
}

/* As a server is that was killed and has threads that wait for a disk. */
static pid_t without_its_first_thread(void)
{
    pid_t pid = fork();
    if (pid)
        return pid;
    pthread_t thread;
    if (pthread_create(&thread, NULL, stays, NULL) != 0)
        _exit(1);
    pthread_exit(NULL);
}

static void test_threads_that_are_left(void **state)
{
    (void)state;
    pid_t pid = without_its_first_thread();
    assert_true(pid > 0);
    await_zombie(pid);
    int64_t start = proc_start_time(pid);
    assert_true(proc_is(pid, start));
    assert_int_equal(kill(pid, SIGKILL), 0);
    for (int i = 0; proc_is(pid, start) && i < TRIES; i++)
        clock_sleep_ms(PAUSE_MS);
    assert_false(proc_is(pid, start));
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void test_a_zombie_is_gone(void **state)
{
    (void)state;
    pid_t pid = fork();
    if (pid == 0)
        _exit(0);
    assert_true(pid > 0);
    await_zombie(pid);
    assert_int_equal(proc_start_time(pid), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_int_equal(proc_start_time(pid), 0);
    assert_true(proc_start_time(getpid()) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_threads_that_are_left),
        cmocka_unit_test(test_a_zombie_is_gone),
    };
    return cmocka_run_group_tests_name("processes", tests, NULL, NULL);
}
