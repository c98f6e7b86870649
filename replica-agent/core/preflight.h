/* SPDX-License-Identifier: Apache-2.0
 * What speaks against pausing this replica just now, beside what common/servercheck finds in its settings;
 * each with the statement or line that mends it. An "error" refuses the pause, a "warning" is told. Pure.
 */
#pragma once

#include "common/db/flavor.h"
#include "common/db/repl.h"
#include "common/wire/finding.h"
#include "keyless.h"
#include "lease.h"
#include "pause_machine.h"

/* Appends to `ret` (Finding, without node). A server that is no replica gets none. `node`: its name, for what
 * mends it. */
void preflight_threads(const Flavor *f, const ReplStatus *s, const char *node, WireList *ret);

/* What a lease explains is no fault: an applier that Siding stopped, settings that it has changed for a
 * while. Such findings become "ok", with the lease in place of a mend. */
typedef struct PreflightLease {
    PauseState pause;
    char *owner;
    bool boosted, sync_relay; /* durability is relaxed; each relay event is synced, both by the lease */
} PreflightLease;
void preflight_lease_read(const Lease *l, PauseState pause, PreflightLease *ret);
void preflight_lease_done(PreflightLease *l);
void preflight_explain(const PreflightLease *l, WireList *findings);
/* What a server's settings and threads do not tell: other servers, disks, rates. */
typedef struct PreflightFacts {
    bool is_replica;
    int64_t delay_s, log_readers, xa_prepared; /* xa_prepared -1: may not be asked */
    bool allow_delayed, allow_downstream;
    char *sync_relay_log;
    bool semi_sync_on;              /* on the primary */
    int64_t semi_sync_acks;         /* replicas that acknowledge there; -1: not known */
    int64_t log_expire_s;           /* of the primary's binary logs; 0: never; -1: not known */
    char *relay_dir;                /* NULL: not known */
    int64_t relay_free, free_bytes; /* free_bytes: what must stay free there */
    int64_t pause_limit_ms;         /* longest pause */
    int64_t coming;                 /* bytes that may arrive within the longest pause */
    double apply_rate;              /* 0: not measured yet */
    bool coming_known, wants_catchup_estimate;
    Keyless tables;                /* samples of those without a key */
    StrList keyless_changed;       /* the first few */
    int64_t keyless_changed_count; /* -1: not sampled yet */
} PreflightFacts;
void preflight_facts_done(PreflightFacts *f);
void preflight_facts_copy(PreflightFacts *to, const PreflightFacts *from); /* deep; `to` zeroed */
void preflight_judge(const PreflightFacts *f, WireList *ret);

/* The first error as ERR_REFUSED "text; mend"; true if there is none. */
MUST_CHECK bool preflight_allows(const WireList *findings, Err *err);
