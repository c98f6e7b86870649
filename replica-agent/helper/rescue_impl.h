/* SPDX-License-Identifier: Apache-2.0
 * What the rescue_*.c files share.
 */
#pragma once

#include "common/db/flavor.h"
#include "common/db/repl.h"
#include "relay_forward.h"
#include "relay_source.h"
#include "replica-agent/host/config.h"
#include "replica-agent/server/vault.h"

typedef struct Rescue {
    AgentConfig conf;
    int64_t window_bytes;
    VaultPlace place;
    StrList files;
    Db *db; /* holds the lock that keeps every START away */
    const Flavor *flavor;
    ReplStatus status;
    char *from, *held; /* where the server stands; the last whole transactions of the files */
    int64_t total, reported_ms;
    char *recovered; /* path */
    bool needs_person, look_again;
    bool silent;  /* what is received is not acknowledged */
    bool fetches; /* from the source of the default connection: only the server reads the files */

    /* rescue_replay.c */
    RelaySource *source;
    RelayForward *forward; /* of what `fetches` */
    int64_t stopped_ms;    /* since when a thread of the private connection stands still; 0: none does */
    int tries;             /* starts since the position moved */
    char *tried_at;
} Rescue;

MUST_CHECK bool rescue_look(Rescue *r, Err *err);
bool rescue_has_reached(const Rescue *r);
void rescue_report(Rescue *r);

/* By a source of our own and a private connection of the server (rescue_replay.c). */
MUST_CHECK bool rescue_replay(Rescue *r, Err *err);
