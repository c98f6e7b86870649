/* SPDX-License-Identifier: Apache-2.0
 * sidingd.conf, read by sidingd and by siding. What the option table cannot say (unique agents, which
 * addresses need TLS) is checked by coordconf_load too: a loaded configuration is whole. Errors are
 * ERR_CONFIG and name file:line and option.
 */
#pragma once

#include "common/file/conf.h"
#include "tls.h"

typedef struct AgentAddress {
    char *name, *url;
} AgentAddress;

typedef struct SidingConfig {
    char *cluster_name;
    char *state_dir;
    StrList listen;
    char *log_format, *log_level;
    ConfList agents;              /* AgentAddress */
    char *database_defaults_file; /* the coordinator's account */
    char *admin_defaults_file;    /* may create accounts; only for bootstrap and check */
    char *credentials_dir;
    struct {
        StrList hosts, read, load;
    } grants;
    struct {
        StrList to, args;
        char *from, *program, *level;
        int64_t batch_ms, per_hour;
    } mail; /* off without `to` */
    int64_t min_serving;
    bool catch_up_between;
    int64_t max_lag_ms;
    int64_t pause_limit_ms;
    Tls tls;
} SidingConfig;

extern const ConfOption coordconf_options[];

MUST_CHECK bool coordconf_load(const char *path, SidingConfig *ret, Err *err); /* `ret` is zeroed before */
void coordconf_free(SidingConfig *c);
size_t coordconf_agents(const SidingConfig *c);
const AgentAddress *coordconf_agent(const SidingConfig *c, size_t i);
/* Where a client on this host reaches sidingd, by the first that suits: a unix socket, a loopback address,
 * any other; as httpc.h takes it. Owned. */
char *coordconf_url(const SidingConfig *c);
