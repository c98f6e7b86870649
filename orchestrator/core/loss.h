/* SPDX-License-Identifier: Apache-2.0
 * What a failover would lose if it went on with those that can be asked now, and the command that says so:
 * for people, who decide it. It tells what was seen; what came after that nobody knows. Pure.
 */
#pragma once

#include "common/base/str.h"
#include "common/db/db.h"

typedef struct LossNode {
    const char *name;
    bool old;    /* the primary that is to be replaced */
    bool member; /* it may have acknowledged commits */
    bool asked;  /* it answers, or has promised */
    bool ended;  /* the old primary: its binary log is, or can be, read to its end */
    /* What it has received, or written, and when that was read (wall clock). NULL: it was never heard. */
    const char *position;
    int64_t read_at;
} LossNode;

typedef struct LossFacts {
    DbFlavor flavor;
    const LossNode *nodes;
    size_t n;
    int acks;
    bool strict; /* commits waited for acknowledgements */
} LossFacts;

typedef struct Loss {
    bool majority; /* of the voters can be asked */
    bool complete; /* … and nothing is lost that a client was told of */
    StrList lines; /* sentences */
    char *command; /* that begins the failover, or lets one go on that waits */
} Loss;

void loss_look(const LossFacts *facts, Loss *ret);
void loss_done(Loss *l);
