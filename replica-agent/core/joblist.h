/* SPDX-License-Identifier: Apache-2.0
 * What may be run here. A submitter's words are only ever arguments of a program that the agent's own
 * configuration names, each matched as a whole against that job's patterns; no shell sees them. Pure.
 */
#pragma once

#include "common/base/str.h"

/* Each argument must match one of `allow` (POSIX extended, taken as ^(…)$). ERR_REFUSED names the argument
 * and what would be allowed. */
MUST_CHECK bool joblist_check_args(const char *job, const StrList *args, const StrList *allow, Err *err);
/* Patterns that do not compile are told when the configuration is read. */
MUST_CHECK bool joblist_check_pattern(const char *pattern, Err *err);

/* `arg` with each {NAME} that `env` ("NAME=value", …) has replaced by its value; other braces stay. Owned. */
char *joblist_expand(const char *arg, const StrList *env);

typedef struct ClientCnf {
    char *user, *password, *host, *socket, *port;
} ClientCnf;
void client_cnf_done(ClientCnf *c);
/* The [client] group of an option file's text. */
void client_cnf_parse(const char *text, ClientCnf *ret);
/* An option file for one run's job: these credentials, this server. */
void client_cnf_write(Str *out, const ClientCnf *c);
