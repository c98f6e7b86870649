/* SPDX-License-Identifier: Apache-2.0
 * What Siding needs of a server: a reader that collects facts and a pure judgement of them, used by the agent
 * (preflight, GET /v1/preflight) and by `siding bootstrap`. Every rule gives one Finding (wire.h): level ok,
 * warning, or error, which means that a replica must not be paused or a queue not be kept there.
 */
#pragma once

#include "common/wire/wire.h"
#include "repl.h"

typedef struct ServerFacts {
    DbVersion version;
    StrList names, values; /* global variables and status, lower case names */
    ReplStatus repl;
    StrList filters;                        /* "Replicate_Do_DB=a,b": those that are set */
    bool boot_known;                        /* the next two are true answers, not guesses */
    bool skips_start, read_only_in_options; /* what the server does when it starts */
    char *account;                          /* CURRENT_USER(), "siding_agent@localhost" */
    StrList grants;                         /* SHOW GRANTS */
    int64_t keyless_count;
    StrList keyless; /* "db.table", the first few */
} ServerFacts;
void server_facts_done(ServerFacts *f);

/* Over a unix socket also the option files; over TCP what they say is not known. `ret` is zeroed. */
MUST_CHECK bool servercheck_read(Db *db, ServerFacts *ret, Err *err);

/* Appends one Finding a rule to `findings` (elements of sizeof(Finding), node left NULL). With `account`
 * ("siding_agent"; NULL: none) the grants that the connection's account must have. Pure. */
void servercheck_judge(const ServerFacts *f, const char *account, WireList *findings);
/* The grants alone, of another account's connection. */
void servercheck_judge_grants(const ServerFacts *f, const char *account, WireList *findings);

/* The first finding of level error, NULL if there is none; borrowed. */
const Finding *servercheck_first_error(const WireList *findings);
void servercheck_free(WireList *findings);

/* Privileges of the comma list `wanted` on `on` ("*.*") that SHOW GRANTS lines do not give, as a comma list;
 * NULL if none is missing. Owned. Pure. */
char *servercheck_missing(const StrList *grants, const char *wanted, const char *on);
