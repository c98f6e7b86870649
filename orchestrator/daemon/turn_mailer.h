/* SPDX-License-Identifier: Apache-2.0
 * Logs of tasks by mail, one at a time, through the program that events go out by. What waits stands in
 * state_dir/logmail.queue and is sent by the next coordinator if this one is killed; one that was under way
 * is sent again then.
 */
#pragma once

#include "coord_state.h"

void turn_mailer_open(Coord *c);
void turn_mailer_close(Coord *c);
/* The task's last run has ended its turn. */
void turn_mailer_add(Coord *c, const Task *t, bool well);
