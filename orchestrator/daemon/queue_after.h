/* SPDX-License-Identifier: Apache-2.0
 * Tasks that come after others (`after` of their plan): they wait until all of those are done, or a person
 * has acknowledged that they are not.
 */
#pragma once

#include "coord_state.h"

/* What a task waits for, a sentence (owned); NULL: nothing. One that waits is looked at again when a task has
 * ended or is gone. */
char *queue_after_why(Coord *c, const Task *t);
void queue_after_step(Coord *c);
void queue_after_free(Coord *c);
