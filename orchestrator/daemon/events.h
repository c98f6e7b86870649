/* SPDX-License-Identifier: Apache-2.0
 * What happened, for people and programs: a ring in memory that answers GET /v1/events, and rows of
 * siding.event, written behind. Numbers grow for ever, over restarts too (they start from the clock).
 */
#pragma once

#include "common/net/http.h"
#include "state.h"

typedef struct EventRow {
    int64_t seq, time;
    char *level; /* info, warn, error */
    char *kind;  /* task, run, node, cluster, database */
    int64_t task;
    char *run, *node, *text;
    bool stored; /* by the transaction that it tells of */
} EventRow;
extern const WireField event_row_fields[];

Events *events_new(void);
void events_free(Events *ev);
/* Logs the text too. `run`, `node` may be NULL, `task` 0. */
void events_add(Coord *c, const char *level, const char *kind, int64_t task, const char *run,
                const char *node, const char *fmt, ...) PRINTF_LIKE(7, 8);
/* What an agent has told since the last time; what it may forget by now is in a->events.stored. */
void events_take(Agent *a);
void events_stored(Coord *c); /* the newest is in the database already */
/* Rows not yet in the database, at most `max`, as a list of EventRow; they stay until events_saved. */
WireList events_unsaved(const Coord *c, size_t max, int64_t *ret_last);
void events_saved(Coord *c, int64_t last);
int64_t events_count(const Coord *c, const char *level); /* since the start */
void events_handle_get(HttpRequest *req, void *context);
