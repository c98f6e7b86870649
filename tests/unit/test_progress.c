/* SPDX-License-Identifier: Apache-2.0
 * Progress lines on descriptor 3: the test runs itself with a pipe there and reads what comes.
 */
#include "test.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/wire/progress.h"

extern char **environ;

static int child(void)
{
    progress_start("rows");
    for (int i = 1; i <= 1000; i++)
        progress_set(i, 1000, i == 1000 ? "the \"last\"" : "some");
    clock_sleep_ms(450);
    progress_set(1001, 1002, NULL);
    progress_set(1002, 1002, NULL);
    progress_end();
    return 0;
}

static int run_child(int fd3, int open_flags, const char *file)
{
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    if (file)
        posix_spawn_file_actions_addopen(&actions, 3, file, open_flags, 0600);
    else if (fd3 >= 0)
        posix_spawn_file_actions_adddup2(&actions, fd3, 3);
    else
        posix_spawn_file_actions_addclose(&actions, 3);
    char self[] = "/proc/self/exe", arg[] = "child";
    char *argv[] = {self, arg, NULL};
    pid_t pid;
    int status = -1;
    assert_int_equal(posix_spawn(&pid, self, &actions, NULL, argv, environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static void lines_are_few_and_the_last_comes(void **state)
{
    (void)state;
    int p[2];
    assert_int_equal(pipe2(p, O_CLOEXEC), 0);
    if (p[1] == 3) { /* dup2 onto itself would keep close-on-exec */
        p[1] = fcntl(p[1], F_DUPFD_CLOEXEC, 10);
        close(3);
    }
    assert_int_equal(run_child(p[1], 0, NULL), 0);
    close(p[1]);
    FILE *f = fdopen(p[0], "r");
    char line[500];
    Progress last = {0};
    int lines = 0;
    while (fgets(line, sizeof line, f)) {
        assert_true(progress_parse(line, &last));
        lines++;
    }
    fclose(f);
    assert_in_range(lines, 2, 5);
    assert_int_equal(last.done, 1002);
    assert_int_equal(last.total, 1002);
    assert_string_equal(last.unit, "rows");
}

static void a_reader_that_left_or_sleeps_stops_nothing(void **state)
{
    (void)state;
    int p[2];
    assert_int_equal(pipe2(p, O_CLOEXEC), 0);
    int write_end = fcntl(p[1], F_DUPFD_CLOEXEC, 10);
    close(p[1]);
    close(p[0]);
    assert_int_equal(run_child(write_end, 0, NULL), 0);
    close(write_end);
    assert_int_equal(run_child(-1, 0, NULL), 0);
    assert_int_equal(run_child(-1, O_RDONLY, "/dev/null"), 0);
}

static void parses_its_own_lines_only(void **state)
{
    (void)state;
    Progress p;
    assert_true(progress_parse("{\"done\":5,\"total\":10,\"unit\":\"rows\",\"note\":\"t\"}\n", &p));
    assert_int_equal(p.done, 5);
    assert_int_equal(p.total, 10);
    assert_string_equal(p.note, "t");
    assert_true(progress_parse("{\"done\":5}", &p));
    assert_int_equal(p.total, 0);
    static const char *const bad[] = {"", "5", "{", "[]", "{}", "{\"done\":\"5\"}", "hello"};
    for (size_t i = 0; i < COUNT(bad); i++)
        assert_false(progress_parse(bad[i], &p));
}

int main(int argc, char **argv)
{
    if (argc == 2 && str_eq(argv[1], "child"))
        return child();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_are_few_and_the_last_comes),
        cmocka_unit_test(a_reader_that_left_or_sleeps_stops_nothing),
        cmocka_unit_test(parses_its_own_lines_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
