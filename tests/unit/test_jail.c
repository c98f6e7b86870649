/* SPDX-License-Identifier: Apache-2.0
 * Jobs that try: each story runs a shell script under a keeper, as root (where the test is) and as a user
 * without any rights, who gets user namespaces.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/proc.h"
#include "common/file/fs.h"
#include "replica-agent/jail/keeper.h"
#include "test.h"

enum { NOBODY = 65534, WAIT_MS = 20000 };

static struct {
    char *top, *spool, *result, *other, *state, *cnf;
    pid_t keeper;
    int socket, out, progress, pid;
    JailEnd end;
    char said[65536];
} f;

/* A story may run in a process of its own: cmocka's failures are for the first one. */
#define must(what)                                                                                           \
    do {                                                                                                     \
        if (!(what)) {                                                                                       \
            fprintf(stderr, "# %s:%d as %u: %s\n# %s\n", __FILE__, __LINE__, geteuid(), #what, f.said);      \
            exit(1);                                                                                         \
        }                                                                                                    \
    } while (0)

static void put(const char *path, const char *text)
{
    Err err;
    AUTOFREE char *above = fs_dirname(path);
    must(fs_mkdirs(above, 0700, &err) && fs_replace(path, text, strlen(text), 0600, &err));
}

static void set_up(void)
{
    Err err;
    char top[] = "/tmp/siding-jail-XXXXXX"; /* 0700: what others may not pass */
    must(mkdtemp(top));
    f.top = xstrdup(top);
    f.spool = xasprintf("%s/spool", top);
    f.result = xasprintf("%s/1.1", f.spool);
    f.other = xasprintf("%s/2.1/rows", f.spool);
    f.state = xasprintf("%s/state", top);
    f.cnf = xasprintf("%s/runs/1.1/client.cnf", f.state);
    must(fs_mkdirs(f.result, 0700, &err));
    put(f.other, "rows of others");
    put(f.cnf, "[client]\nuser=job\n");
    AUTOFREE char *secret = xasprintf("%s/secret", f.state), *key = xasprintf("%s/key.pem", top);
    put(secret, "s3cret");
    put(key, "s3cret");
}

static void tear_down(void)
{
    Err err;
    must(fs_remove_tree(f.top, &err));
    char *const owned[] = {f.top, f.spool, f.result, f.other, f.state, f.cnf};
    for (size_t i = 0; i < COUNT(owned); i++)
        free(owned[i]);
    memset(&f, 0, sizeof f);
}

/* ---- a supervisor's side -------------------------------------------------------------------------- */

static void keep(const KeeperRules *rules)
{
    int ends[2];
    must(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0);
    f.keeper = fork();
    must(f.keeper >= 0);
    if (f.keeper == 0) {
        close(ends[0]);
        _exit(keeper_main(ends[1], rules));
    }
    close(ends[1]);
    f.socket = ends[0];
}

static JailType receive(JailMessage *m)
{
    Err err;
    if (!jail_receive(f.socket, WAIT_MS, m, &err)) {
        fprintf(stderr, "# %s\n", err.text);
        return JAIL_TYPES_N;
    }
    snprintf(f.said, sizeof f.said, "%s", m->text);
    jail_message_done(m); /* what is looked at below is not owned */
    return m->type;
}

static void order(const char *script, const char *user, const char *program)
{
    Err err;
    int out[2], progress[2];
    must(pipe2(out, O_CLOEXEC) == 0 && pipe2(progress, O_CLOEXEC) == 0);
    JailMessage m = {.type = JAIL_SPAWN,
                     .fds = {out[1], out[1], progress[1], open(f.cnf, O_RDONLY | O_CLOEXEC), -1}};
    JailOrder *o = &m.order;
    *o = (JailOrder){.run = xstrdup("1.1"),
                     .user = xstrdup(user),
                     .program = xstrdup(program),
                     .result = xstrdup(f.result),
                     .cnf = xstrdup(f.cnf)};
    if (script) {
        strlist_add(&o->args, "-c");
        strlist_add(&o->args, script);
    }
    strlist_addf(&o->env, "SIDING_RESULT_DIR=%s", f.result);
    strlist_addf(&o->env, "CNF=%s", f.cnf);
    strlist_addf(&o->env, "TOP=%s", f.top);
    strlist_add(&o->env, "PATH=/usr/bin:/bin");
    AUTOFREE char *key = xasprintf("%s/key.pem", f.top);
    const char *const hidden[] = {f.state, f.spool, key};
    for (size_t i = 0; i < COUNT(hidden); i++)
        strlist_add(&o->hide, hidden[i]);
    must(jail_send(f.socket, &m, &err));
    f.out = out[0];
    f.progress = progress[0];
    jail_message_done(&m); /* our ends of theirs, too */
}

static void begin(const char *script, const char *user)
{
    Err err;
    JailMessage m;
    order(script, user, "/bin/bash");
    must(receive(&m) == JAIL_READY);
    f.pid = (int)m.number;
    must(proc_start_time(f.pid));
    must(jail_send_plain(f.socket, JAIL_GO, 0, NULL, &err));
    must(receive(&m) == JAIL_STARTED);
}

static void read_output(void)
{
    size_t n = 0;
    ssize_t r;
    while (n + 1 < sizeof f.said && (r = read(f.out, f.said + n, sizeof f.said - 1 - n)) > 0)
        n += (size_t)r;
    f.said[n] = 0;
    close(f.out);
}

static void finish(void)
{
    int status;
    close(f.socket);
    close(f.progress);
    must(waitpid(f.keeper, &status, 0) == f.keeper);
}

/* Its exit status; what it wrote is in f.said. */
static int run(const char *script, const char *user)
{
    JailMessage m;
    JailType t;
    keep(NULL);
    begin(script, user);
    do
        t = receive(&m);
    while (t == JAIL_STOPPED || t == JAIL_CONTINUED);
    must(t == JAIL_ENDED);
    f.end = m.end;
    read_output();
    finish();
    return WIFEXITED(f.end.status) ? WEXITSTATUS(f.end.status) : 128 + WTERMSIG(f.end.status);
}

/* Once as we are, once as nobody: what it says goes to our stderr. */
static void both(void (*story)(void))
{
    for (int as_nobody = 0; as_nobody < (geteuid() == 0 ? 2 : 1); as_nobody++) {
        pid_t pid = fork();
        if (pid == 0) {
            if (as_nobody && (setgid(NOBODY) < 0 || setuid(NOBODY) < 0))
                exit(2);
            set_up();
            story();
            tear_down();
            exit(0);
        }
        int status;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
    }
}

/* ---- stories -------------------------------------------------------------------------------------- */

static void works(void)
{
    must(run("cd / && echo here; echo kept >\"$(dirname $CNF)/note\" && echo HOME; echo x "
             ">\"$SIDING_RESULT_DIR/f\"; cat \"$CNF\"; echo '{\"done\":1}' >&3; "
             "exit "
             "7",
             "") == 7);
    must(strstr(f.said, "user=job") && strstr(f.said, "HOME\n"));
    AUTOFREE char *note = xasprintf("%s/runs/1.1/note", f.state);
    must(!fs_exists(note));
    AUTOFREE char *path = xasprintf("%s/f", f.result);
    must(fs_size(path) == 2);
    must(run("kill -9 $$", "") == 128 + 9);
}

static void a_job_does_its_work(void **state)
{
    (void)state;
    both(works);
}

static void sees_nothing(void)
{
    must(run("cat $TOP/state/secret $TOP/spool/2.1/rows $TOP/key.pem /proc/1/root$TOP/state/secret; ls -A "
             "$TOP/state "
             "$TOP/state/runs $TOP/spool; : >$TOP/spool/new && echo WROTE; ls /proc | grep -c '^[0-9]'; true",
             "") == 0);
    must(!strstr(f.said, "s3cret") && !strstr(f.said, "rows of others") && !strstr(f.said, "WROTE"));
    must(!strstr(f.said, "2.1\n") && strstr(f.said, "1.1\n"));
}

static void it_does_not_see_what_is_hidden(void **state)
{
    (void)state;
    both(sees_nothing);
}

/* The shell looks itself: a child would see the pipe to it, or one end of it, as the shell comes to close the
 * other. */
static void has_nothing(void)
{
    must(run("grep -E '^(Cap|NoNew)' /proc/self/status; echo oom $(cat /proc/self/oom_score_adj); for f in "
             "/proc/$$/fd/*; do fds=\"$fds ${f##*/}\"; done; echo \"fds:$fds \"; umount "
             "$TOP/state && "
             "echo OFF; mount -t tmpfs x /mnt && echo ON; unshare -Urm umount $TOP/state && echo NESTED; "
             "mknod $SIDING_RESULT_DIR/n b 8 0 && echo DEVICE; true",
             "") == 0);
    static const char *const sets[] = {"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"};
    for (size_t i = 0; i < COUNT(sets); i++) {
        AUTOFREE char *none = xasprintf("%s:\t0000000000000000", sets[i]);
        must(strstr(f.said, none));
    }
    must(strstr(f.said, "NoNewPrivs:\t1") && strstr(f.said, "oom 500\n"));
    must(strstr(f.said, "fds: 0 1 2 3 "));
    static const char *const never[] = {"OFF", "ON\n", "NESTED", "DEVICE", "fds: 0 1 2 3 4 5"};
    for (size_t i = 0; i < COUNT(never); i++)
        must(!strstr(f.said, never[i]));
}

static void it_has_no_capabilities_and_no_other_descriptors(void **state)
{
    (void)state;
    both(has_nothing);
}

/* Processes with this word in their command line. */
static int count_of(const char *word)
{
    AUTOFREE char *command = xasprintf("grep -lz -- '%s' /proc/[0-9]*/cmdline 2>/dev/null | wc -l", word);
    FILE *p = popen(command, "r");
    int n = -1;
    must(p && fscanf(p, "%d", &n) == 1);
    pclose(p);
    return n;
}

static void leaves_daemons(void)
{
    AUTOFREE char *word = xasprintf("9%d%d", (int)getpid(), (int)geteuid());
    AUTOFREE char *script = xasprintf(
        "for i in 1 2 3 4 5 6 7 8; do (setsid bash -c 'exec -a x%s sleep 60' "
        "</dev/null >/dev/null 2>&1 3>&- & disown) & done; "
        "while [ $(grep -lz x%s /proc/[0-9]*/cmdline 2>/dev/null | wc -l) -lt 8 ]; do sleep 0.01; done",
        word, word);
    AUTOFREE char *sleeper = xasprintf("^x%s", word);
    must(run(script, "") == 0);
    must(count_of(sleeper) == 0);
}

static void daemons_end_with_it(void **state)
{
    (void)state;
    both(leaves_daemons);
}

static void dies_with(bool supervisor)
{
    keep(NULL);
    begin("trap '' TERM; (setsid sleep 60 &) ; sleep 60", "");
    if (supervisor) {
        finish();
    } else {
        int status;
        kill(f.keeper, SIGKILL);
        must(waitpid(f.keeper, &status, 0) == f.keeper);
        close(f.socket);
    }
    int64_t until = clock_mono_ms() + 5000;
    while (proc_start_time(f.pid) && clock_mono_ms() < until)
        clock_sleep_ms(10);
    must(!proc_start_time(f.pid));
    read_output(); /* whoever held the other end is gone */
}

static void dies_with_its_supervisor(void)
{
    dies_with(true);
}

static void dies_with_its_keeper(void)
{
    dies_with(false);
}

static void it_does_not_outlive_those_who_watch_it(void **state)
{
    (void)state;
    both(dies_with_its_supervisor);
    both(dies_with_its_keeper);
}

static void sleeps(void)
{
    Err err;
    JailMessage m;
    keep(NULL);
    begin("sleep 60", "");
    must(jail_send_plain(f.socket, JAIL_SIGNAL, SIGSTOP, NULL, &err) && receive(&m) == JAIL_STOPPED);
    must(jail_send_plain(f.socket, JAIL_SIGNAL, SIGCONT, NULL, &err) && receive(&m) == JAIL_CONTINUED);
    must(jail_send_plain(f.socket, JAIL_SIGNAL, SIGTERM, NULL, &err) && receive(&m) == JAIL_ENDED);
    must(WIFSIGNALED(m.end.status) && WTERMSIG(m.end.status) == SIGTERM);
    finish();
}

static void signals_reach_it(void **state)
{
    (void)state;
    both(sleeps);
}

static void fails(void)
{
    Err err;
    JailMessage m;
    keep(NULL);
    order(NULL, "", "/nonexistent/program");
    must(receive(&m) == JAIL_READY && jail_send_plain(f.socket, JAIL_GO, 0, NULL, &err));
    must(receive(&m) == JAIL_FAILED && strstr(m.text, "No such file"));
    finish();
    keep(NULL);
    order("true", "no-such-user", "/bin/bash");
    must(receive(&m) == JAIL_FAILED && strstr(m.text, "no-such-user"));
    finish();
}

static void what_cannot_be_started_is_told(void **state)
{
    (void)state;
    both(fails);
}

/* ---- as another user ------------------------------------------------------------------------------ */

static void other_user(void)
{
    struct stat st;
    if (geteuid() != 0)
        return;
    must(run("id -u; mkdir $SIDING_RESULT_DIR/d && echo x >$SIDING_RESULT_DIR/d/f && chmod 4755 "
             "$SIDING_RESULT_DIR/d/f; cat $CNF; "
             "ln $SIDING_RESULT_DIR/d/f $SIDING_RESULT_DIR/g",
             "nobody") == 0);
    must(str_starts(f.said, "65534\n") && strstr(f.said, "user=job"));
    AUTOFREE char *path = xasprintf("%s/d", f.result), *file = xasprintf("%s/d/f", f.result);
    must(stat(path, &st) == 0 && st.st_uid == 0);
    must(stat(f.result, &st) == 0 && st.st_uid == 0);
    must(stat(file, &st) == 0 && st.st_uid == NOBODY); /* it has a second name: sealing tells it */
}

static void its_folder_is_handed_over_and_back(void **state)
{
    (void)state;
    both(other_user);
}

static void by_rules(void)
{
    Err err;
    JailMessage m;
    StrList users = STRLIST_INIT, programs = STRLIST_INIT, hide = STRLIST_INIT, show = STRLIST_INIT;
    if (geteuid() != 0)
        return;
    strlist_add(&users, "nobody");
    strlist_add(&programs, "/bin/bash");
    strlist_add(&hide, f.state);
    KeeperRules r = {.asker = 0,
                     .spool_dir = f.spool,
                     .users = &users,
                     .programs = &programs,
                     .hide = &hide,
                     .show = &show};
    static const struct {
        const char *user, *program, *why;
    } bad[] = {{"", "/usr/bin/env", "programs"}, {"daemon", "/bin/bash", "users"}};
    for (size_t i = 0; i < COUNT(bad); i++) {
        keep(&r);
        order("true", bad[i].user, bad[i].program);
        must(receive(&m) == JAIL_FAILED && strstr(m.text, bad[i].why));
        finish();
    }
    keep(&r);
    order("echo u$(id -u) cnf$CNF $PATH", "", "/bin/bash");
    must(receive(&m) == JAIL_READY && jail_send_plain(f.socket, JAIL_GO, 0, NULL, &err));
    must(receive(&m) == JAIL_STARTED && receive(&m) == JAIL_ENDED);
    read_output();
    must(str_starts(f.said, "u65534 cnf ") &&
         strstr(f.said, "/usr/sbin")); /* CNF is no name of the contract */
    finish();

    /* One that is killed hands nothing over: the sweep does. */
    struct stat st;
    int status;
    keep(&r);
    order("mkdir $SIDING_RESULT_DIR/left; echo; sleep 60", "", "/bin/bash");
    must(receive(&m) == JAIL_READY && jail_send_plain(f.socket, JAIL_GO, 0, NULL, &err));
    must(receive(&m) == JAIL_STARTED && read(f.out, f.said, 1) == 1);
    must(stat(f.result, &st) == 0 && st.st_uid == NOBODY && st.st_gid == 0);
    keeper_sweep(&r); /* not while it is kept */
    must(stat(f.result, &st) == 0 && st.st_uid == NOBODY);
    kill(f.keeper, SIGKILL);
    must(waitpid(f.keeper, &status, 0) == f.keeper);
    close(f.socket);
    read_output();
    keeper_sweep(&r);
    AUTOFREE char *left = xasprintf("%s/left", f.result);
    must(stat(f.result, &st) == 0 && st.st_uid == 0);
    must(stat(left, &st) == 0 && st.st_uid == 0);
    StrList *const lists[] = {&users, &programs, &hide, &show};
    for (size_t i = 0; i < COUNT(lists); i++)
        strlist_done(lists[i]);
}

static void a_keeper_with_rules_does_what_they_name_only(void **state)
{
    (void)state;
    both(by_rules);
}

/* ---- messages ------------------------------------------------------------------------------------- */

static void a_message_that_is_none_is_refused(void **state)
{
    (void)state;
    Err err;
    JailMessage m = {.type = JAIL_SPAWN, .order = {.nice = 3}}, got;
    int ends[2];
    char bytes[4096];
    strlist_add(&m.order.args, "a");
    m.order.run = xstrdup("1.1");
    for (size_t i = 0; i < JAIL_FDS; i++)
        m.fds[i] = -1;
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    assert_ok(jail_send(ends[0], &m, &err), err);
    ssize_t n = recv(ends[1], bytes, sizeof bytes, 0);
    assert_true(n > 0);
    assert_ok(jail_parse(bytes, (size_t)n, &got, &err), err);
    assert_string_equal(got.order.args.v[0], "a");
    jail_message_done(&got);
    for (size_t cut = 0; cut < (size_t)n; cut++)
        assert_false(jail_parse(bytes, cut, &got, &err));
    for (size_t at = 0; at < (size_t)n; at++) {
        char kept = bytes[at];
        bytes[at] ^= (char)0xff;
        if (jail_parse(bytes, (size_t)n, &got, &err))
            jail_message_done(&got);
        bytes[at] = kept;
    }
    AUTOFREE char *much = xcalloc(JAIL_BYTES + 1, 1);
    memset(much, 'x', JAIL_BYTES);
    strlist_add(&m.order.args, much);
    assert_false(jail_send(ends[0], &m, &err));
    assert_non_null(strstr(err.text, "may have"));
    close(ends[0]);
    assert_false(jail_receive(ends[1], 1000, &got, &err));
    close(ends[1]);
    jail_order_done(&m.order);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_job_does_its_work),
        cmocka_unit_test(it_does_not_see_what_is_hidden),
        cmocka_unit_test(it_has_no_capabilities_and_no_other_descriptors),
        cmocka_unit_test(daemons_end_with_it),
        cmocka_unit_test(it_does_not_outlive_those_who_watch_it),
        cmocka_unit_test(signals_reach_it),
        cmocka_unit_test(what_cannot_be_started_is_told),
        cmocka_unit_test(its_folder_is_handed_over_and_back),
        cmocka_unit_test(a_keeper_with_rules_does_what_they_name_only),
        cmocka_unit_test(a_message_that_is_none_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
