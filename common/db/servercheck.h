/* SPDX-License-Identifier: Apache-2.0
 * What Siding needs of a server: a reader that collects facts and a pure judgement of them, used by the agent
 * (preflight, GET /v1/preflight) and by `siding bootstrap`. Every rule gives one Finding (wire.h): level ok,
 * warning, or error, which means that a replica must not be paused or a queue not be kept there.
 */
#pragma once

#include "common/wire/finding.h"
#include "flavor.h"
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

/* The replication filters that are set, "Replicate_Do_DB=a,b". */
MUST_CHECK bool servercheck_filters(Db *db, StrList *ret, Err *err);
bool servercheck_hides_siding(
    const char *filter); /* the queue's own database does not come through it. Pure */

/* Appends one Finding a rule to `findings` (elements of sizeof(Finding), node left NULL). With `account`
 * ("siding_agent"; NULL: none) the grants that the connection's account must have. Pure. */
void servercheck_judge(const ServerFacts *f, const char *account, WireList *findings);
/* Its settings alone, whether it is closed at boot apart: of a server that is not set up yet. */
void servercheck_judge_settings(const ServerFacts *f, WireList *findings);
/* Lines of an option file that make a server pass, a comment with each; of one that was `seen` only what it
 * lacks (NULL: it was not). Pure. */
void servercheck_options(DbFlavor flavor, const ServerFacts *seen, Str *out);
/* Of these, whether it replicates by more than the default connection, or by another than that. */
void servercheck_judge_channels(const Flavor *f, const ReplStatus *s, WireList *findings);
/* The grants alone, of another account's connection. */
void servercheck_judge_grants(const ServerFacts *f, const char *account, WireList *findings);

/* What the connection's account lacks of what `account` needs to load into a database; NULL: nothing. Owned.
 */
MUST_CHECK bool servercheck_load_lacks(Db *db, const char *account, const char *database, char **ret,
                                       Err *err);

/* The first finding of level error, NULL if there is none; borrowed. */
const Finding *servercheck_first_error(const WireList *findings);
void servercheck_free(WireList *findings);

/* Privileges of the comma list `wanted` on `on` ("*.*") that SHOW GRANTS lines do not give, as a comma list;
 * NULL if none is missing. Owned. Pure. */
char *servercheck_missing(const StrList *grants, const char *wanted, const char *on);
