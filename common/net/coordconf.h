/* SPDX-License-Identifier: Apache-2.0
 * sidingd.conf, read by sidingd and by siding. What the option table cannot say (unique agents, which
 * addresses need TLS) is checked by coordconf_load too: a loaded configuration is whole. Errors are
 * ERR_CONFIG and name file:line and option.
 */
#pragma once

#include "common/file/conf.h"
#include "roles.h"
#include "tls.h"

typedef struct AgentAddress {
    char *name, *url;
    StrList jobs; /* that its node takes; empty: all */
} AgentAddress;

/* Who may CALL siding.submit, and for what: the first whose account fits decides. */
typedef struct SqlSubmitter {
    char *account; /* "user@host"; the host may hold % and _, the user may be % */
    StrList jobs, databases;
    int64_t least_priority, most_priority, most_waiting;
} SqlSubmitter;

/* Names of tasks of which two are never under way, or with may_sleep never two awake. */
enum { QUEUE_MOST_GROUPS = 32 };
typedef struct QueueGroup {
    StrList names;
    bool may_sleep;
} QueueGroup;

/* Who is mailed of errors as well, at his hours. */
typedef struct MailEmergency {
    StrList to;
    char *window; /* NULL: at any time */
} MailEmergency;

/* What concurrency keys of tasks may. */
typedef struct QueueKey {
    StrList names;
    int64_t at_once;        /* 0: no bound */
    int64_t starts, per_ms; /* 0: no bound */
} QueueKey;

typedef struct SidingConfig {
    char *cluster_name;
    char *state_dir;
    StrList listen;
    char *join_listen;
    char *log_format, *log_level;
    ConfList agents;              /* AgentAddress */
    char *database_defaults_file; /* the coordinator's account */
    char *admin_defaults_file;    /* may create accounts; only for bootstrap and check */
    char *credentials_dir;
    struct {
        StrList hosts, read, load;
        ConfList submit; /* SqlSubmitter */
    } grants;
    struct {
        StrList to, args;
        char *from, *program, *level;
        int64_t batch_ms, per_hour, log_bytes;
        ConfList emergency; /* MailEmergency */
    } mail;                 /* off without `to` */
    struct {
        int64_t done_ms, failed_ms, events_ms;
    } retention; /* of the queue's history */
    struct {
        bool automatic, alone;
        int64_t after_ms, again_after_ms, fence_after_ms, close_ms, acks;
        StrList prefer, avoid, never; /* nodes */
    } failover;
    struct {
        bool automatic;
        int64_t after_ms, per_day, max_rate;
    } provision;
    struct {
        char *on_error;
        StrList alone;
        ConfList groups; /* QueueGroup */
        ConfList keys;   /* QueueKey */
        int64_t slots;
    } queue;
    int64_t min_serving, primary_slots;
    bool catch_up_between;
    int64_t max_lag_ms;
    int64_t pause_limit_ms;
    RoleConfig roles;
    Tls tls;
} SidingConfig;

extern const ConfOption coordconf_options[], coordconf_client_options[];

MUST_CHECK bool coordconf_load(const char *path, SidingConfig *ret, Err *err); /* `ret` is zeroed before */
/* For a client of sidingd: `path` is sidingd.conf, or a small file with the option url (then only `tls` of
 * *ret is set), or an address itself: "unix:/run/siding/siding.sock". *ret_url is owned; *ret_whole: it was
 * sidingd.conf. */
MUST_CHECK bool coordconf_load_client(const char *path, SidingConfig *ret, char **ret_url, bool *ret_whole,
                                      Err *err);
void coordconf_free(SidingConfig *c);
size_t coordconf_agents(const SidingConfig *c);
const AgentAddress *coordconf_agent(const SidingConfig *c, size_t i);
/* Where a client on this host reaches sidingd, by the first that suits: a unix socket, a loopback address,
 * any other; as httpc.h takes it. Owned. */
char *coordconf_url(const SidingConfig *c);
