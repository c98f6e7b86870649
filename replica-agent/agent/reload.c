/* SPDX-License-Identifier: Apache-2.0 */
#include "reload.h"

#include "agent.h"
#include "common/base/log.h"

void reload_log(const AgentConfig *c)
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
                                f->catchup_limit_ms,
                                f->snooze_ms,
                                f->snooze_most};
    }
}

static void fill_peers(const AgentConfig *c, AgentRules *r)
{
    const AgentPeer *peers = c->peers.v;
    r->n_peers = c->peers.n;
    r->peers = xrealloc(r->peers, (r->n_peers + 1) * sizeof *r->peers);
    for (size_t i = 0; i < r->n_peers; i++)
        r->peers[i] = peers[i].name;
}

void reload_rules(Agent *a)
{
    const AgentConfig *c = &a->conf;
    AgentRules *r = &a->s.known.rules;
    JobRules *jobs = r->jobs;
    const char **peers = r->peers;
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
                      .calls_after_promotion = c->hooks.after_promotion != NULL,
                      .calls_after_demotion = c->hooks.after_demotion != NULL,
                      .ignores_failed_hooks = str_eq(c->hooks.on_failure, "ignore"),
                      .jobs = jobs,
                      .peers = peers};
    fill_jobs(&a->jobs, r);
    fill_peers(c, r);
}

static void take(Agent *a, AgentConfig *fresh)
{
    AUTO(strlist_done) StrList taken = STRLIST_INIT, restart = STRLIST_INIT;
    conf_compare(agent_config_options, &a->conf, fresh, &taken, &restart);
    conf_keep(agent_config_options, &a->conf, fresh);
    AgentConfig old = a->conf;
    a->conf = *fresh;
    *fresh = old;
    AUTOFREE char *now = strlist_join(&taken, ", ");
    AUTOFREE char *later = strlist_join(&restart, ", ");
    reload_log(&a->conf);
    if (taken.n)
        log_info("taken over from %s: %s", a->config_path, now);
    if (restart.n)
        log_warn("changed in %s and not taken over, that needs a restart of siding-agent: %s", a->config_path,
                 later);
    free(STEAL(a->reload_trouble));
    if (restart.n)
        a->reload_trouble =
            xasprintf("%s has changes that need a restart of siding-agent: %s", a->config_path, later);
}

/* Files of the same names may have new contents. */
static void renew_certificates(Agent *a)
{
    Err err;
    a->certificate.due_ms = 0;
    if (a->http && tls_is_set(&a->conf.tls) && !http_server_renew_tls(a->http, &a->conf.tls, &err))
        log_error("the certificates stay as they were: %s", err.text);
}

static void renew_roles(Agent *a)
{
    Err err;
    if (api_configure(a, &err))
        return;
    log_error("roles and peers stay as they were: %s", err.text);
    free(STEAL(a->reload_trouble));
    a->reload_trouble = xasprintf("roles and peers were not taken over: %s", err.text);
}

void reload_all(Agent *a)
{
    Err err;
    AgentConfig fresh = {0};
    if (agent_config_load(a->config_path, &fresh, &err)) {
        take(a, &fresh);
        renew_certificates(a);
        renew_roles(a);
    } else {
        log_error("the configuration is not taken over: %s", err.text);
        free(STEAL(a->reload_trouble));
        a->reload_trouble = xasprintf("the configuration was not taken over: %s", err.text);
    }
    job_list_load(&a->conf, &a->jobs);
    reload_rules(a);
    agent_config_free(&fresh); /* rules have borrowed from it until now */
    queue_post(a, queue_input(IN_RULES, NULL));
    log_info("job files read again: %zu jobs, %zu left out", a->jobs.n, a->jobs.warnings.n);
}
