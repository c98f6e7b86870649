/* SPDX-License-Identifier: Apache-2.0
 * siding-agent: the daemon, and the small programs inside it.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/file/fs.h"
#include "common/net/sdnotify.h"
#include "replica-agent/agent/do/copies.h"
#include "replica-agent/agent/do/spool.h"
#include "replica-agent/agent/do/steps.h"
#include "replica-agent/agent/do/store.h"
#include "replica-agent/helper/rescue.h"
#include "replica-agent/helper/supervise.h"
#include "replica-agent/host/tools.h"

enum { TICK_MS = 100, WORKERS = 4, MAX_QUEUED = 16 };

typedef struct MainArgs {
    char *config;
    bool check, release, print_journal, print_machine, print_config, print_sample;
} MainArgs;

#define FIELD(name) offsetof(MainArgs, name)
static const Opt options[] = {
    {"config", 'c', OPT_STR, FIELD(config), .arg = "FILE", .doc = "The configuration, agent.conf."},
    {"check", 0, OPT_FLAG, FIELD(check),
     .doc = "Reads configuration and job files, says what is wrong with them, and ends."},
    {"release", 0, OPT_FLAG, FIELD(release),
     .doc =
         "Releases this replica without a coordinator: asks the running agent, or, where none runs, ends the "
         "pause itself, applies what the relay files hold, starts replication, waits until it has caught up "
         "and "
         "puts the settings back. Exit status 0 only if replication runs."},
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

/* ---- loop ------------------------------------------------------------------------------------------ */

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    Agent *a = arg;
    vault_tick(a);
    rescue_tick(a);
    programs_tick(a);
    splits_tick(a);
    sampler_tick(a);
    purge_tick(a);
    if (!a->loop.held_since_ms)
        queue_post(a, queue_input(IN_TICK, NULL));
    api_tick(a);
    release_tick(a);
    tell_tick(a);
}

static void on_probe_timer(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    probe_begin(arg);
}

static void on_stop(evutil_socket_t signo, short what, void *arg)
{
    (void)signo;
    (void)what;
    Agent *a = arg;
    size_t under_way;
    (void)programs_are_under_way(a, &under_way);
    log_info("ending; %zu program(s) go on below their supervisors%s", under_way,
             a->s.durable.pause == PAUSE_NONE
                 ? ""
                 : ", the pause stays in force until an agent takes it up again");
    event_base_loopbreak(a->base);
}

static void apply_log(const AgentConfig *c)
{
    LogFormat format = LOG_FORMAT_TEXT;
    LogLevel level = LOG_LEVEL_INFO;
    if (!log_format_from_name(c->log_format, &format) || !log_level_from_name(c->log_level, &level))
        log_warn("log_format and log_level stay as they are");
    log_setup("siding-agent", format, level);
}

/* What of the configuration decisions depend on; strings are borrowed. */
static void fill_jobs(const JobList *jobs, AgentRules *r)
{
    free(r->jobs);
    r->jobs = xcalloc(jobs->n + 1, sizeof *r->jobs);
    r->n_jobs = jobs->n;
    for (size_t i = 0; i < jobs->n; i++) {
        const JobFile *f = &jobs->v[i].f;
        r->jobs[i] = (JobRules){f->name,
                                f->kind,
                                f->on,
                                f->at_limit,
                                f->pause_limit_ms,
                                f->min_free_bytes,
                                f->relay_limit_bytes,
                                f->catchup_limit_ms};
    }
}

static void fill_rules(Agent *a)
{
    const AgentConfig *c = &a->conf;
    AgentRules *r = &a->s.known.rules;
    JobRules *jobs = r->jobs;
    *r = (AgentRules){.node = c->node,
                      .state_dir = c->state_dir,
                      .spool_dir = c->spool_dir,
                      .at_limit = c->at_limit,
                      .pause_limit_ms = c->pause_limit_ms,
                      .applied_timeout_ms = c->applied_timeout_ms,
                      .barrier_timeout_ms = c->barrier_timeout_ms,
                      .renew_ms = c->renew_ms,
                      .stop_grace_ms = c->stop_grace_ms,
                      .min_free_bytes = c->min_free_bytes,
                      .relay_limit_bytes = c->relay_limit_bytes,
                      .catchup_limit_ms = c->catchup_limit_ms,
                      .limit_warn_percent = c->limit_warn_percent,
                      .boost = c->boost,
                      .boost_trials = c->boost_trials,
                      .boost_last_acknowledger = c->boost_last_acknowledger,
                      .sync_relay_log = str_eq(c->buffer_sync, "server"),
                      .boost_workers = c->boost_workers,
                      .boost_queue_bytes = c->boost_queue_bytes,
                      .boost_trials_above_ms = c->boost_trials_above_ms,
                      .calls_before_pause = c->hooks.before_pause != NULL,
                      .calls_after_caught_up = c->hooks.after_caught_up != NULL,
                      .ignores_failed_hooks = str_eq(c->hooks.on_failure, "ignore"),
                      .jobs = jobs};
    fill_jobs(&a->jobs, r);
}

static void on_hangup(evutil_socket_t signo, short what, void *arg)
{
    (void)signo;
    (void)what;
    Agent *a = arg;
    Err err;
    AgentConfig fresh = {0};
    if (agent_config_load(a->config_path, &fresh, &err))
        apply_log(&fresh);
    else
        log_error("%s", err.text);
    agent_config_free(&fresh);
    job_list_load(&a->conf, &a->jobs);
    fill_rules(a);
    queue_post(a, queue_input(IN_RULES, NULL));
    log_info("job files read again: %zu jobs, %zu left out", a->jobs.n, a->jobs.warnings.n);
}

static bool lock_state(Agent *a, Err *err)
{
    AUTOFREE char *path = store_path(a, "lock");
    a->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (a->lock_fd < 0)
        return err_errno(err, errno, "open %s", path);
    if (flock(a->lock_fd, LOCK_EX | LOCK_NB) < 0)
        return err_set(err, ERR_CONFLICT, 0, "another agent works with %s", a->conf.state_dir);
    return true;
}

static bool make_folders(Agent *a, Err *err)
{
    AUTOFREE char *runs = store_path(a, "runs");
    return fs_mkdirs(a->conf.state_dir, 0700, err) && fs_mkdirs(runs, 0700, err) &&
           fs_mkdirs(a->conf.spool_dir, 0700, err);
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

static bool set_up(Agent *a, Err *err)
{
    umask(077);
    if (!make_folders(a, err) || !lock_state(a, err))
        return false;
    db_library_begin();
    a->base = event_base_new();
    a->probes = work_new(a->base, "probe", 1, 2);
    a->work = work_new(a->base, "work", WORKERS, MAX_QUEUED);
    kept_sweep(a);
    a->seq = clock_wall_ms();
    a->s.known.spool_free = a->s.known.state_free = a->s.known.relay_free = -1;
    a->s.known.boot_id = clock_boot_id();
    lag_done(&a->s.known.lag);
    a->tick = event_new(a->base, -1, EV_PERSIST, on_tick, a);
    a->probe_timer = evtimer_new(a->base, on_probe_timer, a);
    job_list_load(&a->conf, &a->jobs);
    for (size_t i = 0; i < a->jobs.warnings.n; i++)
        log_warn("%s", a->jobs.warnings.v[i]);
    fill_rules(a);
    loop_open(a);
    vault_open(a);
    if (!store_open(a, err))
        return false;
    queue_post(a, queue_input(IN_BOOT, NULL));
    return a->release.wanted || api_open(a, err);
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
    a->stopping = true;
}

static void free_events(Agent *a)
{
    struct event *const all[] = {a->tick,       a->probe_timer, a->news,
                                 a->signals[0], a->signals[1],  a->signals[2]};
    for (size_t i = 0; i < COUNT(all); i++)
        if (all[i])
            event_free(all[i]);
    if (a->base)
        event_base_free(a->base);
}

static void tear_down(Agent *a)
{
    if (a->http)
        api_close(a);
    step_cancel_all();
    if (a->probes)
        work_free(a->probes);
    if (a->work)
        work_free(a->work);
    vault_close(a);
    probe_close(a);
    rescue_close(a);
    programs_close(a);
    splits_close(a);
    sql_drop_held(a);
    copies_close(a);
    sampler_close(a);
    tell_close(a);
    store_close(a);
    purge_close(a);
    loop_close(a);
    agent_state_done(&a->s);
    job_list_done(&a->jobs);
    free(a->release.said);
    free(a->release.position);
    free_events(a);
}

/* Steps that outlast this process run in other folders. */
static int daemon_main(const char *path, bool check, bool release)
{
    Err err;
    AUTOFREE char *config = realpath(path, NULL);
    Agent a = {.config_path = config ? config : path, .lock_fd = -1, .release = {.wanted = release}};
    if (!agent_config_load(a.config_path, &a.conf, &err)) {
        fprintf(stderr, "siding-agent: %s\n", err.text);
        return 1;
    }
    if (check) {
        job_list_load(&a.conf, &a.jobs);
        for (size_t i = 0; i < a.jobs.warnings.n; i++)
            fprintf(stderr, "siding-agent: %s\n", a.jobs.warnings.v[i]);
        bool fine = a.jobs.warnings.n == 0;
        job_list_done(&a.jobs);
        agent_config_free(&a.conf);
        return fine ? 0 : 1;
    }
    apply_log(&a.conf);
    bool ok = set_up(&a, &err), taken = !ok && err.kind == ERR_CONFLICT;
    if (ok)
        run_loop(&a);
    else if (!(release && taken))
        log_error("%s", err.text);
    tear_down(&a);
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
        fprintf(stderr, "siding-agent: %s\n", ok ? damage : err.text);
    recordlog_close(log);
    agent_config_free(&conf);
    return ok && !damage ? 0 : 1;
}

static int main_with_options(int argc, char **argv)
{
    Err err;
    MainArgs args = {0};
    OptSpecial special;
    AUTO(strlist_done) StrList words = STRLIST_INIT;
    if (!opts_parse(options, argc, argv, false, &args, &words, NULL, &special, &err)) {
        fprintf(stderr, "siding-agent: %s\n", err.text);
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
        fprintf(stderr, "siding-agent: --config FILE is needed%s; try --help\n",
                words.n ? ", and no other words" : "");
        status = 2;
    } else if (args.print_journal) {
        status = print_journal(args.config);
    } else {
        status = daemon_main(args.config, args.check, args.release);
    }
    opts_free(options, &args);
    return status;
}

int main(int argc, char **argv)
{
    const char *tool = argc > 1 ? argv[1] : "";
    if (str_eq(tool, "supervise") && argc == 3)
        return supervise_main(argv[2]);
    if (str_eq(tool, "seal"))
        return seal_main(argc - 1, argv + 1);
    if (str_eq(tool, "fetch"))
        return fetch_main(argc - 1, argv + 1);
    if (str_eq(tool, "gather"))
        return gather_main(argc - 1, argv + 1);
    if (str_eq(tool, "split"))
        return split_main(argc - 1, argv + 1);
    if (str_eq(tool, "rescue"))
        return rescue_main(argc - 1, argv + 1);
    return main_with_options(argc, argv);
}
