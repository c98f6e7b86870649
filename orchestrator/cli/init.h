/* SPDX-License-Identifier: Apache-2.0
 * siding init: from the names and addresses of a cluster's servers to what each host needs: configurations,
 * certificates, an option file for the server, and the order in which they are put to use. The texts are
 * pure; nothing that exists is replaced.
 */
#pragma once

#include "common/db/servercheck.h"

enum { INIT_AGENT_PORT = 3310, INIT_SERVER_PORT = 3306 };

typedef struct InitNode {
    char *name, *host;
    int64_t port;
    char *agent_url; /* NULL: https, its host, the usual port */
    bool is_filled;  /* by siding replica add: its agent needs two accounts more */
    /* as its server says, or as is usual */
    bool seen;
    DbFlavor flavor;
    char *socket;
    char *trouble;     /* why it was not looked at; NULL: it was */
    ServerFacts facts; /* where it was seen */
    WireList findings; /* what is to change on it */
} InitNode;

typedef struct InitPlan {
    const char *cluster, *coordinator; /* coordinator: its host */
    const char *dir;                   /* on this host */
    const char *etc;                   /* of the files on theirs; NULL: /etc/siding */
    const char *state;                 /* of an agent; NULL: /var/lib/siding */
    const char *steered_by;            /* name of sidingd's certificate; NULL: sidingd */
    const StrList *databases;          /* to be read and loaded; none: to be filled in */
    InitNode *nodes;
    size_t n;
} InitPlan;

void init_node_done(InitNode *n);
/* "10.0.0.2:3307", "[fd00::2]"; *port stays where none is said. */
MUST_CHECK bool init_read_address(const char *word, char **ret_host, int64_t *port);
char *init_endpoint(const char *host, int64_t port); /* the other way round; owned */
/* "db1=10.0.0.2:3307". ERR_USAGE. */
MUST_CHECK bool init_read_node(const char *word, InitNode *ret, Err *err);
/* The one that is no replica, when exactly one is; NULL otherwise. */
const InitNode *init_primary(const InitPlan *p);

char *init_entry(const InitNode *n); /* in `agents` and in `peers`; owned */
void init_agent_conf(const InitPlan *p, const InitNode *n, Str *out);
void init_sidingd_conf(const InitPlan *p, Str *out);
/* Lines for the server's option file, replication and TLS. */
void init_option_file(const InitPlan *p, const InitNode *n, Str *out);
/* What was seen, what was written, what is to be done in which order. */
void init_tell(const InitPlan *p, Str *out);
