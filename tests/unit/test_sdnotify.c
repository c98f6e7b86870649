/* SPDX-License-Identifier: Apache-2.0
 * What the service manager hears (sd_notify(3)): the module alone, and both daemons as processes with a
 * socket in the manager's place. They need no database to be ready: they serve and say what is missing.
 */
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "common/base/clock.h"
#include "common/file/fs.h"
#include "common/net/sdnotify.h"
#include "loop.h"

extern char **environ;

enum { DEADLINE_MS = 20000 };

static char folder[64], heard[65536];
static int manager;

/* What has come so far, a line a message. */
static void listen_on(void)
{
    char message[2048];
    for (ssize_t n; (n = recv(manager, message, sizeof message - 2, MSG_DONTWAIT)) > 0;) {
        message[n] = '\n';
        message[n + 1] = '\0';
        if (strlen(heard) + strlen(message) < sizeof heard)
            strcat(heard, message);
    }
}

static int count(const char *line)
{
    int n = 0;
    listen_on();
    for (const char *p = heard; (p = strstr(p, line)); p += strlen(line))
        n++;
    return n;
}

static void await(const char *line, int times)
{
    int64_t end = clock_mono_ms() + DEADLINE_MS;
    while (count(line) < times) {
        if (clock_mono_ms() > end)
            fail_msg("not heard %d times: %s; but: %s", times, line, heard);
        clock_sleep_ms(10);
    }
}

static int open_manager(void **state)
{
    (void)state;
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    snprintf(folder, sizeof folder, "/tmp/test-sdnotify-XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    snprintf(to.sun_path, sizeof to.sun_path, "%s/notify", folder);
    manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    heard[0] = '\0';
    setenv("NOTIFY_SOCKET", to.sun_path, 1);
    return bind(manager, (struct sockaddr *)&to, sizeof to);
}

static int close_manager(void **state)
{
    (void)state;
    Err err;
    close(manager);
    unsetenv("NOTIFY_SOCKET");
    return fs_remove_tree(folder, &err) ? 0 : -1;
}

static void turn(struct event_base *base, int64_t ms)
{
    struct timeval tv = {ms / 1000, ms % 1000 * 1000};
    event_base_loopexit(base, &tv);
    event_base_dispatch(base);
}

static void the_lines(void **state)
{
    (void)state;
    struct event_base *base = event_base_new();
    setenv("WATCHDOG_USEC", "40000", 1);
    sdnotify_begin(base);
    assert_null(getenv("NOTIFY_SOCKET"));
    assert_null(getenv("WATCHDOG_USEC"));
    turn(base, 100);
    sdnotify_status("%d tasks\nREADY=0", 3);
    sdnotify_status("3 tasks READY=0");
    sdnotify_status("4 tasks");
    sdnotify_end();
    sdnotify_status("5 tasks");
    assert_int_equal(count("READY=1\n"), 1);
    assert_true(count("WATCHDOG=1\n") >= 2);
    assert_int_equal(count("STATUS=3 tasks READY=0\n"), 1);
    assert_int_equal(count("STATUS=4 tasks\n"), 1);
    assert_true(str_ends(heard, "STOPPING=1\n"));
    event_base_free(base);
}

/* A watchdog that is another process's, as of a wrapper: none of ours. */
static void anothers_watchdog(void **state)
{
    (void)state;
    struct event_base *base = event_base_new();
    setenv("WATCHDOG_USEC", "10000", 1);
    setenv("WATCHDOG_PID", "1", 1);
    sdnotify_begin(base);
    turn(base, 50);
    sdnotify_end();
    assert_string_equal((listen_on(), heard), "READY=1\nSTOPPING=1\n");
    event_base_free(base);
}

/* ---- the daemons ------------------------------------------------------------------------------------ */

static char *write_file(const char *name, const char *text)
{
    Err err;
    char *path = xasprintf("%s/%s", folder, name);
    assert_ok(fs_replace(path, text, strlen(text), 0600, &err), err);
    return path;
}

static void run_daemon(const char *program, const char *conf_text)
{
    free(write_file("login.cnf", "[client]\nuser=nobody\npassword=x\n"));
    AUTOFREE char *text = xasprintf(conf_text, folder);
    AUTOFREE char *conf = write_file("daemon.conf", text);
    AUTOFREE char *path = xasprintf("%s/%s", getenv("SIDING_BUILD_DIR"), program);
    char *root = geteuid() == 0 && str_eq(program, "siding-agent") ? (char *)"--allow-root" : NULL;
    char *argv[] = {path, (char *)"--config", conf, root, NULL};
    pid_t pid;
    int status;
    setenv("WATCHDOG_USEC", "200000", 1);
    assert_int_equal(posix_spawn(&pid, path, NULL, NULL, argv, environ), 0);
    unsetenv("WATCHDOG_USEC");
    await("READY=1\n", 1);
    await("WATCHDOG=1\n", 3);
    await("STATUS=", 1);
    kill(pid, SIGTERM);
    await("STOPPING=1\n", 1);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_true(str_starts(heard, "READY=1\n"));
    assert_true(str_ends(heard, "STOPPING=1\n"));
}

static void the_coordinator(void **state)
{
    (void)state;
    run_daemon("sidingd",
               "cluster_name = \"c\"; state_dir = \"%1$s/state\"; listen = [ \"unix:%1$s/api\" ];\n"
               "agents = ( { name = \"db1\"; url = \"unix:%1$s/nobody\"; } );\n"
               "database_defaults_file = \"%1$s/login.cnf\";\n");
}

static void the_agent(void **state)
{
    (void)state;
    run_daemon(
        "siding-agent",
        "node = \"db1\"; cluster_name = \"c\"; state_dir = \"%1$s/state\"; spool_dir = \"%1$s/spool\";\n"
        "listen = [ \"unix:%1$s/api\" ]; advertise_url = \"http://127.0.0.1:1\";\n"
        "server = { socket = \"%1$s/no-server\"; defaults_file = \"%1$s/login.cnf\"; };\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_lines, open_manager, close_manager),
        cmocka_unit_test_setup_teardown(anothers_watchdog, open_manager, close_manager),
        cmocka_unit_test_setup_teardown(the_coordinator, open_manager, close_manager),
        cmocka_unit_test_setup_teardown(the_agent, open_manager, close_manager),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
