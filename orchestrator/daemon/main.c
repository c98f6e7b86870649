/* SPDX-License-Identifier: Apache-2.0
 * sidingd: reads its configuration, takes its folder, opens the listeners and turns the loop. The loop's body
 * is a list of named steps, each of which may be done again at any time.
 */
#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "agents.h"
#include "cluster.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/opts.h"
#include "common/base/proc.h"
#include "common/net/coordcheck.h"
#include "common/net/sdnotify.h"
#include "common/wire/bounds.h"
#include "common/wire/finding.h"
#include "coord_brakes.h"
#include "coord_journal.h"
#include "coord_parts.h"
#include "coord_runs.h"
#include "deadlines.h"
#include "events.h"
#include "history.h"
#include "holds.h"
#include "invitations.h"
#include "mail.h"
#include "orchestrator/core/mail_plan.h"
#include "provisions.h"
#include "retention.h"
#include "routes.h"
#include "takeover.h"
#include "task_queue.h"

enum { TICK_MS = 500, HEAR_AGENTS_MS = 2000 };

typedef struct SidingdOptions {
    char *config;
    bool print_machine, print_sample, print_fields, check_config;
} SidingdOptions;

static const Opt options[] = {
    {"config", 'c', OPT_STR, offsetof(SidingdOptions, config), "FILE", NULL, 0, 0,
     "Configuration file; SIDING_CONFIG otherwise.", NULL},
    {"check-config", 0, OPT_FLAG, offsetof(SidingdOptions, check_config), NULL, NULL, 0, 0,
     "Read the configuration and the files it names, say what is wrong and what mends it, and end; run it as "
     "the user of "
     "sidingd.",
     NULL},
    {"print-machine", 0, OPT_FLAG, offsetof(SidingdOptions, print_machine), NULL, NULL, 0, 0,
     "Print the state machine of a run as a Mermaid diagram and end.", NULL},
    {"print-sample", 0, OPT_FLAG, offsetof(SidingdOptions, print_sample), NULL, NULL, 0, 0,
     "Print a sample sidingd.conf and end.", NULL},
    {"print-fields", 0, OPT_FLAG, offsetof(SidingdOptions, print_fields), NULL, NULL, 0, 0,
     "Print the reference page of what may be submitted and end.", NULL},
    {0},
};

static void tell_status(const Coord *c)
{
    const AgentLink *primary = state_primary_agent(c);
    sdnotify_status("cluster %s, term %lld, primary %s; %lld tasks wait, %zu are under way",
                    c->conf.cluster_name, (long long)c->journal.term, primary ? primary->name : "not known",
                    (long long)queue_count(c, TASK_WAITING), slots_count(c->slots, SLOT_ACTIVE));
}

static void step(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    Coord *c = arg;
    c->wake_ms = 0;
    c->count.steps++;
    agents_step(c);
    failover_step_all(c);
    provisions_step(c);
    invitations_step(c);
    cluster_step(c);
    holds_step(c);
    queue_step(c);
    runs_step(c);
    coord_brakes_step(c);
    queue_plan(c);
    runs_step(c);
    deadlines_step(c);
    retention_step(c);
    history_step(c);
    mail_step(c);
    queue_save(c);
    tell_status(c);
    if (cert_watch(&c->certificate, &c->conf.tls))
        events_add(c, "warn", "certificate", 0, NULL, NULL, "%s", c->certificate.warning);
}

static void tick(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    coord_step_soon(arg);
    coord_journal_alive(arg);
    log_tick();
}

static void apply_log(const Coord *c)
{
    LogFormat format = LOG_FORMAT_TEXT;
    LogLevel level = LOG_LEVEL_INFO;
    (void)log_format_from_name(c->conf.log_format, &format);
    (void)log_level_from_name(c->conf.log_level, &level);
    log_setup("sidingd", format, level);
}

/* Each option that differs is taken over, or needs a restart and is told. */
static void take(Coord *c, SidingConfig *fresh)
{
    AUTO(strlist_done) StrList taken = STRLIST_INIT, restart = STRLIST_INIT;
    conf_compare(coordconf_options, &c->conf, fresh, &taken, &restart);
    conf_keep(coordconf_options, &c->conf, fresh);
    SidingConfig old = c->conf;
    c->conf = *fresh;
    coordconf_free(&old);
    AUTOFREE char *now = strlist_join(&taken, ", ");
    AUTOFREE char *later = strlist_join(&restart, ", ");
    log_info("configuration read again%s%s",
             taken.n ? ", taken over: " : ", nothing has changed for this process", now);
    if (restart.n)
        log_warn("changed and not taken over, that needs a restart of sidingd: %s", later);
    str_set(&c->reload_trouble, NULL);
    if (restart.n)
        c->reload_trouble =
            xasprintf("%s has changes that need a restart of sidingd: %s", c->config_path, later);
}

/* What the option table cannot say, as its libraries know no windows. */
static bool load(const char *path, SidingConfig *ret, Err *err)
{
    if (!coordconf_load(path, ret, err))
        return false;
    if (mail_check(path, &ret->mail.emergency, err))
        return true;
    coordconf_free(ret);
    *ret = (SidingConfig){0};
    return false;
}

static void reload(Coord *c)
{
    SidingConfig fresh;
    Err err;
    if (!load(c->config_path, &fresh, &err)) {
        log_error("the configuration is not taken over: %s", err.text);
        str_set(&c->reload_trouble, err.text);
        return;
    }
    take(c, &fresh);
    c->certificate.due_ms = 0;
    if (tls_is_set(&c->conf.tls) && !http_server_renew_tls(c->server, &c->conf.tls, &err))
        log_error("the certificates stay as they were: %s", err.text);
    invitations_renew(c);
    apply_log(c);
    agents_configure(c);
    if (!routes_configure(c, &err)) {
        log_error("the roles stay as they were: %s", err.text);
        str_set(&c->reload_trouble, err.text);
    }
}

static void on_signal(evutil_socket_t signal_number, short what, void *arg)
{
    (void)what;
    Coord *c = arg;
    if (signal_number == SIGHUP) {
        reload(c);
        return;
    }
    log_info("stopping on signal %d; jobs go on under their agents", (int)signal_number);
    event_base_loopbreak(c->base);
}

static void watch_signals(Coord *c)
{
    static const int signals[] = {SIGHUP, SIGTERM, SIGINT};
    for (size_t i = 0; i < COUNT(signals); i++) {
        c->signals[i] = evsignal_new(c->base, signals[i], on_signal, c);
        event_add(c->signals[i], NULL);
    }
    signal(SIGPIPE, SIG_IGN);
}

static bool open_all(Coord *c, Err *err)
{
    if (!coord_open(c, step, tick, err))
        return false;
    watch_signals(c);
    struct timeval tv = {0, TICK_MS * 1000};
    event_add(c->tick, &tv);
    log_info("sidingd %s: cluster \"%s\", term %lld, %zu agents", SIDING_VERSION, c->conf.cluster_name,
             (long long)c->journal.term, c->n_agents);
    return true;
}

static int fail(const Err *err)
{
    log_error("%s", err->text);
    return err_exit_status(err);
}

static int serve(Coord *c)
{
    Err err;
    apply_log(c);
    c->started_at = clock_wall_ms();
    c->hear_until_ms = clock_mono_ms() + HEAR_AGENTS_MS;
    if (!open_all(c, &err)) {
        int status = fail(&err);
        coord_close(c);
        return status;
    }
    sdnotify_begin(c->base);
    event_base_dispatch(c->base);
    sdnotify_end();
    coord_close(c);
    return 0;
}

static int check_config(const char *path, SidingConfig *conf)
{
    WireList findings = {0};
    AUTO(str_done) Str text = STR_INIT;
    coordcheck_files(conf, &findings);
    finding_write(&findings, false, &text);
    bool fine = !finding_count(&findings, "error");
    str_addf(&text, "%s: cluster \"%s\", %zu agents%s\n", path, conf->cluster_name, coordconf_agents(conf),
             fine ? "" : ": sidingd would not work");
    fputs(str_z(&text), stdout);
    finding_free(&findings);
    coordconf_free(conf);
    return fine ? 0 : 1;
}

static int run(const SidingdOptions *o)
{
    static Coord c;
    Err err;
    if (o->print_machine) {
        AUTO(str_done) Str out = STR_INIT;
        coord_run_diagram(&out);
        return fputs(str_z(&out), stdout) < 0;
    }
    if (o->print_sample) {
        AUTO(str_done) Str out = STR_INIT;
        conf_write_sample(coordconf_options, &out);
        return fputs(str_z(&out), stdout) < 0;
    }
    if (o->print_fields) {
        AUTO(str_done) Str out = STR_INIT;
        bounds_write_reference(&out);
        return fputs(str_z(&out), stdout) < 0;
    }
    const char *path = o->config ? o->config : getenv("SIDING_CONFIG");
    if (!path)
        return err_set(&err, ERR_USAGE, 0, "no configuration: give --config FILE or set SIDING_CONFIG"),
               fail(&err);
    if (!load(path, &c.conf, &err))
        return fail(&err);
    if (o->check_config)
        return check_config(path, &c.conf);
    c.config_path = xstrdup(path);
    return serve(&c);
}

int main(int argc, char **argv)
{
    SidingdOptions o = {0};
    AUTO(strlist_done) StrList words = STRLIST_INIT;
    OptSpecial special;
    Err err;
    proc_no_core();
    umask(077);
    log_setup("sidingd", LOG_FORMAT_TEXT, LOG_LEVEL_INFO);
    if (!opts_parse(options, argc, argv, false, &o, &words, NULL, &special, &err))
        return fail(&err);
    int status = 0;
    if (special == OPT_HELP) {
        AUTO(str_done) Str out = STR_INIT;
        opts_write_help(
            options, "sidingd [--config FILE]",
            "The coordinator of a Siding cluster. It runs in the foreground; SIGHUP reads the configuration "
            "again, SIGTERM ends it and no job.",
            &out);
        fputs(str_z(&out), stdout);
    } else if (special == OPT_VERSION) {
        printf("sidingd %s\n", SIDING_VERSION);
    } else if (words.n) {
        err_set(&err, ERR_USAGE, 0, "unexpected word \"%s\"", words.v[0]);
        status = fail(&err);
    } else {
        status = run(&o);
    }
    opts_free(options, &o);
    return status;
}
