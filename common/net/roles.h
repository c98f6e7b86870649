/* SPDX-License-Identifier: Apache-2.0
 * Who may do what: roles, and who has them. A caller is known by the unix socket (SO_PEERCRED), by a
 * certificate of the CA, or by a token; a connection over loopback TCP alone is nobody. The decision is pure
 * (roles_of); names of accounts and token files are read once, when the map is made, so that no request waits
 * for a directory service or a disk.
 */
#pragma once

#include <sys/types.h>

#include "common/file/conf.h"

typedef enum Role {
    ROLE_HEALTH = 1,      /* everybody: /healthz and /metrics */
    ROLE_PEER = 2,        /* another agent: fetches results, takes its share of a split job */
    ROLE_COORDINATOR = 4, /* sidingd, at the agents */
    ROLE_VIEWER = 8,      /* reads */
    ROLE_OPERATOR = 16,   /* and submits, ends, pauses, resumes, fetches */
    ROLE_ADMIN = 32,      /* and what cannot be taken back */
} Role;
typedef unsigned RoleSet;

/* Each entry is "cert:NAME", "user:NAME", "group:NAME" or "token:/path". */
typedef struct RoleConfig {
    StrList peer, coordinator, viewer, operators, admin;
} RoleConfig;

extern const ConfOption role_agent_options[], role_coordinator_options[];

/* What the text of the entries alone shows: ERR_CONFIG with file and line. */
MUST_CHECK bool roles_check(const char *path, const RoleConfig *c, Err *err);

typedef struct RoleMap RoleMap;
/* Of the configuration `path`: accounts looked up, tokens read. */
MUST_CHECK bool roles_load(const char *path, const RoleConfig *c, RoleMap **ret, Err *err);
RoleMap *roles_nobody(void); /* only this process's own account and root have a role */
void roles_add_peer(RoleMap *m, const char *certificate);
void roles_free(RoleMap *m);
/* Whether a unix socket is to let in more accounts than its owner. */
bool roles_name_accounts(const RoleMap *m);

enum { ROLE_GROUPS = 64, ROLE_NAME_BYTES = 128 };

typedef struct RoleCaller {
    bool is_unix;
    uid_t uid;
    gid_t groups[ROLE_GROUPS];
    size_t n_groups;
    const char *certificate; /* name; NULL or "": none */
    const char *token;       /* NULL: none */
} RoleCaller;

/* All roles of the caller; `who` gets the name for people, from what proved it. Never waits. */
RoleSet roles_of(const RoleMap *m, const RoleCaller *caller, char who[ROLE_NAME_BYTES]);

/* Text that makes no other sense: "operator", "coordinator or operator". */
void roles_write(RoleSet roles, Str *out);
MUST_CHECK bool token_read(const char *path, char **ret,
                           Err *err); /* a line of 16 bytes or more, mode 0600 */
