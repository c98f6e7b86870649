/* SPDX-License-Identifier: Apache-2.0
 * Programs that are run to their end: what comes back, what is left of them.
 */
#include "test.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/proc.h"
#include "common/base/subprocess.h"
#include "common/file/fs.h"

static char folder[64];

static const char *in_folder(const char *name)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

/* /bin/sh with a script, and with $D as our folder. */
static bool run_sh(Subprocess p, const char *script, SubprocessEnd *end, Err *err)
{
    AUTO(strlist_done) StrList args = STRLIST_INIT;
    char dir[80];
    snprintf(dir, sizeof dir, "D=%s", folder);
    const char *const env[] = {dir, "PATH=/usr/bin:/bin", NULL};
    strlist_add(&args, "-c");
    strlist_add(&args, script);
    p.program = "/bin/sh";
    p.args = &args;
    p.env = p.env ? p.env : env;
    return subprocess_run(&p, end, err) && subprocess_succeeded(&p, end, err);
}

static int64_t pid_in(const char *name)
{
    Err err;
    AUTO(str_done) Str text = STR_INIT;
    assert_ok(fs_read(in_folder(name), 100, &text, &err), err);
    int64_t pid = atoll(str_z(&text));
    assert_true(pid > 1);
    return pid;
}

static void what_it_said_comes_back(void **state)
{
    (void)state;
    Err err;
    SubprocessEnd end;
    assert_ok(run_sh((Subprocess){0}, "echo fine", &end, &err), err);
    assert_string_equal(end.words, "fine");
    assert_false(run_sh((Subprocess){0}, "printf 'one\\ntwo\\n\\n' >&2; exit 3", &end, &err));
    assert_int_equal(err.kind, ERR_REFUSED);
    assert_string_equal(err.text, "/bin/sh ended with status 3: one two");
    assert_false(run_sh((Subprocess){0}, "kill -TERM $$", &end, &err));
    assert_string_equal(err.text, "/bin/sh was killed by signal 15");
    assert_int_equal(end.how, SUBPROCESS_SIGNALLED);
    Subprocess none = {.program = "/nonexistent/program"};
    assert_false(subprocess_run(&none, &end, &err));
    assert_string_equal(err.text, "cannot start /nonexistent/program: No such file or directory");
}

static void nothing_of_ours_goes_along(void **state)
{
    (void)state;
    Err err;
    SubprocessEnd end;
    const char *const env[] = {"ONLY=this", NULL};
    assert_int_equal(dup2(0, 50), 50); /* not close-on-exec */
    signal(SIGPIPE, SIG_IGN);
    setenv("SECRET", "x", 1);
    assert_ok(run_sh((Subprocess){.env = env},
                     "[ \"$ONLY$SECRET\" = this ] && [ ! -e /proc/$$/fd/50 ] && ! read line", &end, &err),
              err);
    assert_ok(run_sh((Subprocess){0}, "grep -q '^SigIgn:.*0000$' /proc/self/status", &end, &err), err);
    close(50);
}

static void input_is_a_file(void **state)
{
    (void)state;
    Err err;
    SubprocessEnd end;
    AUTOFREE char *input = xstrdup(in_folder("input"));
    assert_ok(fs_replace(input, "a letter", 8, 0600, &err), err);
    assert_ok(run_sh((Subprocess){.input = input}, "exec cat", &end, &err), err);
    assert_string_equal(end.words, "a letter");
}

/* A program that starts another in the background and one that ignores signals: none outlives the deadline.
 */
static void the_deadline_ends_all_of_it(void **state)
{
    (void)state;
    Err err;
    SubprocessEnd end;
    assert_false(run_sh((Subprocess){.timeout_ms = 700},
                        "sh -c 'trap \"\" TERM; echo $$ >$D/child; while :; do sleep 5; done' & "
                        "echo waiting; wait",
                        &end, &err));
    assert_int_equal(err.kind, ERR_TIMEOUT);
    assert_string_equal(err.text, "/bin/sh did not end within 0 s: waiting");
    assert_int_equal(proc_start_time((pid_t)pid_in("child")), 0);
}

/* Its process group and its output are another's then; without the kill the call would never return. */
static void what_it_leaves_behind_is_ended(void **state)
{
    (void)state;
    Err err;
    SubprocessEnd end;
    assert_ok(run_sh((Subprocess){.timeout_ms = 60000},
                     "set -m; sh -c 'echo $$ >$D/left; exec sleep 600' & "
                     "while [ ! -s $D/left ]; do sleep 0.01; done; echo done",
                     &end, &err),
              err);
    assert_true(str_ends(end.words, "done"));
    assert_int_equal(proc_start_time((pid_t)pid_in("left")), 0);
}

static void logs_are_bounded(void **state)
{
    (void)state;
    Err err;
    SubprocessEnd end;
    struct stat st;
    AUTOFREE char *log = xstrdup(in_folder("log"));
    assert_ok(run_sh((Subprocess){.log = log, .timeout_ms = 60000},
                     "head -c 3000000 /dev/zero | tr '\\0' x; echo; echo the end", &end, &err),
              err);
    assert_int_equal(stat(log, &st), 0);
    assert_in_range(st.st_size, SUBPROCESS_LOG_MAX, SUBPROCESS_LOG_MAX + 100);
    assert_true(str_ends(end.words, "xx the end"));
    assert_int_equal(strlen(end.words), SUBPROCESS_WORDS - 1);
    assert_ok(run_sh((Subprocess){.log = log}, "echo short", &end, &err), err);
    AUTO(str_done) Str text = STR_INIT;
    assert_ok(fs_read(log, 100, &text, &err), err);
    assert_string_equal(str_z(&text), "short\n");
    assert_false(run_sh((Subprocess){.log = "/nonexistent/log"}, "exit 0", &end, &err));
    assert_string_equal(err.text, "cannot write /nonexistent/log: No such file or directory");
}

static void it_is_cancelled(void **state)
{
    (void)state;
    Err err;
    SubprocessEnd end;
    atomic_bool cancel = true;
    assert_false(run_sh((Subprocess){.cancel = &cancel}, "exec sleep 600", &end, &err));
    assert_int_equal(err.kind, ERR_CANCELLED);
}

static void a_kept_one_is_part_of_us(void **state)
{
    (void)state;
    Err err;
    SubprocessEnd end;
    AUTOFREE char *input = xstrdup(in_folder("clear")), *output = xstrdup(in_folder("secret"));
    assert_ok(fs_replace(input, "abc", 3, 0600, &err), err);
    int in = open(input, O_RDONLY | O_CLOEXEC), out = open(output, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_ok(run_sh((Subprocess){.kept = true, .in = in, .out = out},
                     "tr a-c x-z; cut -d' ' -f6 /proc/$$/stat >$D/session", &end, &err),
              err);
    close(in);
    close(out);
    AUTO(str_done) Str text = STR_INIT;
    assert_ok(fs_read(output, 100, &text, &err), err);
    assert_string_equal(str_z(&text), "xyz");
    assert_int_equal(pid_in("session"), getsid(0));
    assert_false(run_sh((Subprocess){.kept = true, .timeout_ms = 300}, "exec sleep 600", &end, &err));
    assert_int_equal(err.kind, ERR_TIMEOUT);
}

static int make_folder(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/test-subprocess-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    Err err;
    return fs_remove_tree(folder, &err) ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_it_said_comes_back),
        cmocka_unit_test(nothing_of_ours_goes_along),
        cmocka_unit_test(input_is_a_file),
        cmocka_unit_test(the_deadline_ends_all_of_it),
        cmocka_unit_test(what_it_leaves_behind_is_ended),
        cmocka_unit_test(logs_are_bounded),
        cmocka_unit_test(it_is_cancelled),
        cmocka_unit_test(a_kept_one_is_part_of_us),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
