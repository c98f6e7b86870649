/* SPDX-License-Identifier: Apache-2.0
 * agent.conf and the job files of jobs_dir. A broken job file is a warning, never the agent's end: the
 * replica it may have paused matters more.
 */
#pragma once

#include "common/db/db.h"
#include "common/file/conf.h"
#include "common/net/roles.h"
#include "common/net/tls.h"
#include "common/wire/tasklet.h"
#include "replica-agent/index/definition.h"

typedef struct ResultConfig {
    StrList destinations;
    int64_t spool_limit_bytes; /* 0: none */
} ResultConfig;

typedef struct AgentConfig {
    char *node, *cluster_name;
    StrList listen;
    char *advertise_url, *state_dir, *spool_dir, *jobs_dir, *tasklets_dir;
    struct {
        char *socket, *address, *defaults_file, *rescue_defaults_file, *replication_defaults_file,
            *provision_defaults_file, *donor_defaults_file, *vault_dir;
        int64_t port;
    } server;
    char *job_defaults_file, *load_defaults_file;
    char *jobd_socket, *separation;
    char *log_format, *log_level, *buffer_sync;
    int64_t min_free_bytes, log_limit_bytes;
    int64_t keep, keep_for_ms;
    ResultConfig result;
    Encryption dump_encryption;
    char *relay_log_dir;
    int64_t ballast_bytes;
    int64_t relay_limit_bytes, catchup_limit_ms, limit_warn_percent, renew_ms;
    char *at_limit;
    bool allow_delayed, allow_downstream;
    char *semi_sync; /* "manage", "leave" */
    struct {
        char *before_pause, *after_caught_up, *on_failure, *after_promotion, *after_demotion;
        int64_t timeout_ms;
    } hooks;
    bool allow_dump, boost, boost_trials, boost_last_acknowledger;
    int64_t boost_workers, boost_queue_bytes, boost_trials_above_ms;
    int64_t probe_interval_ms, statement_timeout_ms, stop_timeout_ms, applied_timeout_ms, barrier_timeout_ms,
        split_silence_ms;
    int64_t pause_limit_ms, stop_grace_ms, sleep_grace_ms;
    ConfList peers; /* AgentPeer */
    RoleConfig roles;
    Tls tls;
} AgentConfig;

typedef struct AgentPeer {
    char *name, *url;
} AgentPeer;

extern const ConfOption agent_config_options[];

MUST_CHECK bool agent_config_load(const char *path, AgentConfig *ret, Err *err); /* `ret` zeroed before */
void agent_config_free(AgentConfig *c);
/* Where results of a node are fetched from: a configured peer, or this node itself. ERR_REFUSED otherwise. */
MUST_CHECK bool agent_config_peer_url(const AgentConfig *c, const char *node, const char **ret, Err *err);
/* The accounts and certificates of `roles`, the peers' included. */
MUST_CHECK bool agent_config_roles(const char *path, const AgentConfig *c, RoleMap **ret, Err *err);
/* Where the agent's own account connects; strings are borrowed from `c`. */
DbTarget agent_config_target(const AgentConfig *c);
/* The same with the account that may replay everything. */
DbTarget agent_config_rescue_target(const AgentConfig *c);
/* … with the jobs' account, which may read. */
DbTarget agent_config_job_target(const AgentConfig *c);

typedef struct JobConfig {
    JobFile f;
    char *path;       /* the file it came from; NULL: built in */
    char digest[65];  /* of all values of the file, of all of a tasklet; "": built in */
    Tasklet *tasklet; /* what its program's header declares; NULL: it is none */
} JobConfig;

typedef struct JobList {
    JobConfig *v;
    size_t n;
    StrList warnings; /* broken files, one sentence each */
    WireList faults;  /* TaskletFault: of these, the tasklets */
} JobList;

void job_list_load(const AgentConfig *c, JobList *ret); /* frees what `ret` held */
void job_list_done(JobList *l);
const JobConfig *job_list_find(const JobList *l, const char *name);
