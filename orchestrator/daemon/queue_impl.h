/* SPDX-License-Identifier: Apache-2.0
 * The operations of the queue on its database, one a file; task_queue.c says when.
 */
#pragma once

#include "coord_store.h"
#include "task_queue.h"

enum { QUEUE_RETRY_LEAST_MS = 250, QUEUE_RETRY_MOST_MS = 3000 };

void queue_load(Coord *c);
void queue_poll(Coord *c);
void queue_save_tasks(Coord *c);
void queue_adopt(Coord *c, WireList *tasks); /* takes them */
void queue_free_tasks(WireList *tasks);
