/* SPDX-License-Identifier: Apache-2.0
 * siding-agent: the daemon, and the small programs inside it.
 */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent_parts.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/proc.h"
#include "common/base/text.h"
#include "common/db/servercheck.h"
#include "common/net/sdnotify.h"
#include "common/wire/finding.h"
#include "join.h"
#include "reload.h"
#include "replica-agent/agent/do/store.h"
#include "replica-agent/helper/disk_look.h"
#include "replica-agent/helper/fill.h"
#include "replica-agent/helper/lease_watch.h"
#include "replica-agent/helper/rescue.h"
#include "replica-agent/helper/supervise.h"
#include "replica-agent/host/confcheck.h"
#include "replica-agent/host/tools.h"

enum { ENDING_MS = 10000, TICK_MS = 100 };

typedef struct MainArgs {
    char *config;
    bool check_config, release, adopt, allow_root, print_journal, print_machine, print_config, print_sample;
} MainArgs;

#define FIELD(name) offsetof(MainArgs, name)
static const Opt options[] = {
    {"config", 'c', OPT_STR, FIELD(config), .arg = "FILE", .doc = "The configuration, agent.conf."},
    {"check-config", 0, OPT_FLAG, FIELD(check_config),
     .doc = "Reads configuration, job files, certificates, and what they name on this host, says what is "
            "wrong and what "
            "mends it, and ends; run it as the agent's user. No server is asked: siding check does that."},
    {"release", 0, OPT_FLAG, FIELD(release),
     .doc =
         "Releases this replica without a coordinator: asks the running agent, or, where none runs, ends the "
         "pause itself, applies what the relay files hold, starts replication, waits until it has caught up "
         "and "
         "puts the settings back. Exit status 0 only if replication runs."},
    {"adopt", 0, OPT_FLAG, FIELD(adopt),
     .doc = "Forgets the server that this agent has worked with, its pause, its role and the settings noted "
            "of it, so that "
            "the agent takes the one that is configured now for its own. Prints what is forgotten. The agent "
            "must not run."},
    {"allow-root", 0, OPT_FLAG, FIELD(allow_root),
     .doc = "Lets root start it, which is refused otherwise. Where state_dir belongs to another user it goes "
            "on as that "
            "user, so that nothing is left there which the agent could not read."},
    {"print-journal", 0, OPT_FLAG, FIELD(print_journal),
     .doc = "Prints what the agent has written down (its pause with the server's own settings, its runs, its "
            "role) as one JSON object, and ends. It may run meanwhile."},
    {"print-machine", 0, OPT_FLAG, FIELD(print_machine),
     .doc = "Prints the state machines as Mermaid diagrams.", .section = "For the documentation"},
    {"print-config", 0, OPT_FLAG, FIELD(print_config),
     .doc = "Prints the reference of agent.conf and of job files."},
    {"print-sample", 0, OPT_FLAG, FIELD(print_sample), .doc = "Prints a sample agent.conf."},
    {0},
};

static void end_soon(Agent *a);

/* ---- loop ------------------------------------------------------------------------------------------ */

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    Agent *a = arg;
    agent_tick(a);
    if (a->ending_ms)
        end_soon(a);
}

/* Whoever ends the agent may be about to end the machine. */
static bool is_relaxed(const Agent *a)
{
    const Lease *l = &a->s.durable.lease;
    return a->s.durable.pause != PAUSE_NONE && l->boosted && !l->durable && !l->reread;
}

static void on_stop(evutil_socket_t signo, short what, void *arg)
{
    (void)signo;
    (void)what;
    Agent *a = arg;
    size_t under_way;
    if (is_relaxed(a) && !a->ending_ms && !a->release.wanted) {
        log_info("asked to end: the server gets its own durability first");
        a->ending_ms = clock_mono_ms();
        queue_post(a, queue_input(IN_ENDING, NULL));
        return;
    }
    (void)programs_are_under_way(a, &under_way);
    log_info("ending; %zu program(s) go on below their supervisors%s", under_way,
             a->s.durable.pause == PAUSE_NONE
                 ? ""
                 : ", the pause stays in force until an agent takes it up again");
    event_base_loopbreak(a->base);
}

static void end_soon(Agent *a)
{
    bool written = !store_waits_for(a, "lease");
    if ((is_relaxed(a) || !written) && clock_mono_ms() - a->ending_ms < ENDING_MS)
        return;
    if (is_relaxed(a))
        log_warn("the server does not take its own durability back within %d s", ENDING_MS / 1000);
    on_stop(-1, 0, a);
}

static void on_hangup(evutil_socket_t signo, short what, void *arg)
{
    (void)signo;
    (void)what;
    reload_all(arg);
}

static void take_signals(Agent *a)
{
    const struct {
        int signo;
        event_callback_fn call;
    } taken[] = {{SIGTERM, on_stop}, {SIGINT, on_stop}, {SIGHUP, on_hangup}};
    for (size_t i = 0; i < COUNT(taken); i++) {
        a->signals[i] = evsignal_new(a->base, taken[i].signo, taken[i].call, a);
        event_add(a->signals[i], NULL);
    }
}

static void run_loop(Agent *a)
{
    struct timeval tick = {0, TICK_MS * 1000};
    take_signals(a);
    event_add(a->tick, &tick);
    probe_begin(a);
    log_info("siding-agent " SIDING_VERSION " of %s in cluster %s, %zu jobs", a->conf.node,
             a->conf.cluster_name, a->jobs.n);
    sdnotify_begin(a->base);
    event_base_dispatch(a->base);
    sdnotify_end();
}

static int check_config(const Agent *a)
{
    JobList jobs = {0};
    WireList findings = {0};
    AUTO(str_done) Str text = STR_INIT;
    confcheck_files(&a->conf, &findings);
    job_list_load(&a->conf, &jobs);
    for (size_t i = 0; i < jobs.n; i++)
        confcheck_job(&jobs.v[i].f, jobs.v[i].path, &findings);
    for (size_t i = 0; i < jobs.warnings.n; i++)
        finding_add(&findings, "jobs", "error", NULL, "%s", jobs.warnings.v[i]);
    finding_write(&findings, false, &text);
    bool fine = !servercheck_first_error(&findings);
    str_addf(&text, "%s: node %s of cluster \"%s\", %zu jobs%s\n", a->config_path, a->conf.node,
             a->conf.cluster_name, jobs.n, fine ? "" : ": the agent would not work");
    fputs(str_z(&text), stdout);
    servercheck_free(&findings);
    job_list_done(&jobs);
    return fine ? 0 : 1;
}

/* ---- whose process it is ---------------------------------------------------------------------------- */

static bool become(uid_t uid, gid_t gid, const char *folder, Err *err)
{
    const struct passwd *p = getpwuid(uid);
    if ((p ? initgroups(p->pw_name, gid) : setgroups(0, NULL)) < 0 || setgid(gid) < 0 || setuid(uid) < 0)
        return err_errno(err, errno, "become the owner of %s", folder);
    return true;
}

/* What root writes into state and spool, the agent cannot read when it runs as its own user again. */
static bool check_user(const AgentConfig *c, bool allow_root, Err *err)
{
    struct stat st = {0};
    bool there = stat(c->state_dir, &st) == 0;
    if (geteuid() != 0)
        return true;
    if (!allow_root) {
        const struct passwd *p = there && st.st_uid ? getpwuid(st.st_uid) : NULL;
        return err_set(err, ERR_REFUSED, 0,
                       "it is not meant to be run by root: run it as the user of the server (%s%s), or give "
                       "--allow-root",
                       p ? "runuser -u " : "User= of its unit", p ? p->pw_name : "");
    }
    return !there || !st.st_uid || become(st.st_uid, st.st_gid, c->state_dir, err);
}

/* Steps that outlast this process run in other folders. */
static int daemon_main(const char *path, bool check, bool release, bool allow_root)
{
    Err err;
    AUTOFREE char *config = realpath(path, NULL);
    Agent a = {.config_path = config ? config : path, .lock_fd = -1, .release = {.wanted = release}};
    if (!agent_config_load(a.config_path, &a.conf, &err)) {
        text_print(stderr, "siding-agent: %s\n", err.text);
        return 1;
    }
    if (check) {
        int status = check_config(&a);
        agent_config_free(&a.conf);
        return status;
    }
    reload_log(&a.conf);
    if (!check_user(&a.conf, allow_root, &err)) {
        log_error("%s", err.text);
        agent_config_free(&a.conf);
        return 1;
    }
    umask(077);
    if (!release)
        apart_look(&a);
    bool ok = agent_open(&a, on_tick, &err), taken = !ok && err.kind == ERR_CONFLICT;
    if (ok)
        run_loop(&a);
    else if (!(release && taken))
        log_error("%s", err.text);
    agent_close(&a);
    int status = ok && (!release || a.release.ok) ? 0 : 1;
    if (release && taken)
        status = release_by_api(&a.conf);
    agent_config_free(&a.conf);
    return status;
}

/* ---- command line ---------------------------------------------------------------------------------- */

static void print_machines(Str *out)
{
    str_adds(out, "A run on a replica:\n\n```mermaid\n");
    run_machine_draw(RUN_ON_REPLICA, out);
    str_adds(out, "```\n\nA run on the primary:\n\n```mermaid\n");
    run_machine_draw(RUN_ON_PRIMARY, out);
    str_adds(out, "```\n\nThe pause lease:\n\n```mermaid\n");
    pause_machine_draw(out);
    str_adds(out, "```\n");
}

static int print(const MainArgs *args)
{
    AUTO(str_done) Str out = STR_INIT;
    if (args->print_machine)
        print_machines(&out);
    if (args->print_config) {
        str_adds(&out, "## agent.conf\n\n");
        conf_write_reference(agent_config_options, &out);
        str_adds(&out, "\n## Job files\n\n");
        conf_write_reference(job_file_options, &out);
    }
    if (args->print_sample)
        conf_write_sample(agent_config_options, &out);
    fputs(str_z(&out), stdout);
    return 0;
}

static void add_record(void *arg, const char *key, const json_t *value)
{
    json_object_set((json_t *)arg, key, (json_t *)value);
}

static int print_journal(const char *path)
{
    Err err;
    AgentConfig conf = {0};
    RecordLog *log = NULL;
    AUTOFREE char *damage = NULL;
    AUTOJSON json_t *all = json_object();
    bool ok = agent_config_load(path, &conf, &err) &&
              recordlog_read(conf.state_dir, "journal", &log, &damage, &err);
    if (ok) {
        recordlog_each(log, add_record, all);
        json_dumpf(all, stdout, JSON_INDENT(2) | JSON_SORT_KEYS);
        putchar('\n');
    }
    if (!ok || damage)
        text_print(stderr, "siding-agent: %s\n", ok ? damage : err.text);
    recordlog_close(log);
    agent_config_free(&conf);
    return ok && !damage ? 0 : 1;
}

/* ---- another server ---------------------------------------------------------------------------------- */

static const char *const of_server[] = {"bound", "lease", "role",  "server", "hook",     "rates",
                                        "ways",  "purge", "relay", "fill",   "role_hook"};

static void print_forgotten(void *arg, const char *key, const json_t *value)
{
    for (size_t i = 0; i < COUNT(of_server); i++)
        if (str_eq(key, of_server[i]))
            json_object_set((json_t *)arg, key, (json_t *)value);
}

static bool forget_server(const AgentConfig *conf, Err *err)
{
    RecordLog *log = NULL;
    Record gone[COUNT(of_server)] = {{0}};
    AUTOFREE char *damage = NULL;
    AUTOJSON json_t *all = json_object();
    for (size_t i = 0; i < COUNT(gone); i++)
        gone[i].key = (char *)of_server[i];
    bool ok = recordlog_open(conf->state_dir, "journal", &log, &damage, err);
    if (ok) {
        recordlog_each(log, print_forgotten, all);
        json_dumpf(all, stdout, JSON_INDENT(2) | JSON_SORT_KEYS);
        putchar('\n');
        ok = recordlog_append(log, gone, COUNT(gone), err);
    }
    recordlog_close(log);
    return ok;
}

static int adopt(const char *path, bool allow_root)
{
    Err err;
    Agent a = {.config_path = path, .lock_fd = -1};
    bool ok = agent_config_load(path, &a.conf, &err) && check_user(&a.conf, allow_root, &err) &&
              agent_take_folders(&a, &err) && forget_server(&a.conf, &err);
    if (!ok)
        text_print(stderr, "siding-agent: %s\n", err.text);
    agent_config_free(&a.conf);
    return ok ? 0 : 1;
}

static int main_with_options(int argc, char **argv)
{
    Err err;
    MainArgs args = {0};
    OptSpecial special;
    AUTO(strlist_done) StrList words = STRLIST_INIT;
    if (!opts_parse(options, argc, argv, false, &args, &words, NULL, &special, &err)) {
        text_print(stderr, "siding-agent: %s\n", err.text);
        return err_exit_status(&err);
    }
    int status;
    if (special != OPT_RUN) {
        status = tool_help(
            options, "siding-agent --config FILE",
            "Watches and steers the server of this host, runs jobs on it, keeps and serves their results.",
            special);
    } else if (args.print_machine || args.print_config || args.print_sample) {
        status = print(&args);
    } else if (!args.config || words.n) {
        text_print(stderr, "siding-agent: --config FILE is needed%s; try --help\n",
                   words.n ? ", and no other words" : "");
        status = 2;
    } else if (args.print_journal) {
        status = print_journal(args.config);
    } else if (args.adopt) {
        status = adopt(args.config, args.allow_root);
    } else {
        status = daemon_main(args.config, args.check_config, args.release, args.allow_root);
    }
    opts_free(options, &args);
    return status;
}

int main(int argc, char **argv)
{
    const char *tool = argc > 1 ? argv[1] : "";
    proc_no_core();
    if (str_eq(tool, "fetch"))
        return fetch_main(argc - 1, argv + 1);
    if (str_eq(tool, "gather"))
        return gather_main(argc - 1, argv + 1);
    if (str_eq(tool, "split"))
        return split_main(argc - 1, argv + 1);
    if (str_eq(tool, "fill"))
        return fill_main(argc - 1, argv + 1);
    if (str_eq(tool, "disk-look"))
        return disk_look_main(argc - 1, argv + 1);
    if (str_eq(tool, "rescue"))
        return rescue_main(argc - 1, argv + 1);
    if (str_eq(tool, "join"))
        return join_main(argc - 1, argv + 1);
    if (str_eq(tool, "watch"))
        return lease_watch_main(argc - 1, argv + 1);
    return main_with_options(argc, argv);
}
