/* SPDX-License-Identifier: Apache-2.0
 * `siding-agent fill`: this host's server gets the data of another, which stands still while they are dumped,
 * with its accounts and position, and is made to replicate from the primary, not started. Killed at any point
 * it goes on: how far it is stands in FILL_STAGE, what siding-dump and siding-restore have done in theirs.
 */
#pragma once

#include "common/wire/wire_fill.h"

#define FILL_FOLDER ".fill"     /* in spool_dir: the dump, while it is needed */
#define FILL_STAGE "stage.json" /* in the program's folder: {"id", "phase"} */
#define FILL_ORDER "order.json" /* beside it: a FillOrder */

enum { FILL_REFUSED_STATUS = 3 }; /* exit status: trying again does not help, a person or a new order does */

/* The phase that the folder's program has reached with that order; FILL_NONE: it has not begun. */
FillPhase fill_stage_read(const char *dir, const char *id);
int fill_main(int argc, char **argv);
