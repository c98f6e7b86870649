/* SPDX-License-Identifier: Apache-2.0
 * A program in mount and process namespaces of its own, below an init of ours: with its end ends everything
 * that it has started, however often it has forked. It has no capabilities, gains none, and inherits the
 * descriptors of the contract only.
 */
#pragma once

#include "jobview.h"
#include "message.h"

typedef enum CageKind {
    CAGE_ROOT,   /* we are root: the program becomes `user` */
    CAGE_USERNS, /* a user namespace, with our own user */
} CageKind;

typedef struct CageOrder {
    CageKind kind;
    const JailOrder *job;
    JobUser user;
    const char *user_name; /* of CAGE_ROOT, for its groups; NULL: none but its own */
    int fds[JAIL_FDS];
} CageOrder;

typedef struct Cage {
    pid_t init;
    int channel; /* to the init: JAIL_GO, JAIL_SIGNAL; from it JAIL_READY to JAIL_ENDED */
} Cage;

/* Begins one; it goes on only when cage_begin has been called. */
MUST_CHECK bool cage_open(const CageOrder *o, Cage *ret, Err *err);
MUST_CHECK bool cage_begin(const Cage *c, Err *err);
/* Ends all that is in it and waits until nothing is; the status of the init. */
int cage_close(Cage *c);
/* Whether this host lets us: does all but the program. */
MUST_CHECK bool cage_probe(CageKind kind, Err *err);
