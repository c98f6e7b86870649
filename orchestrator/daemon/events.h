/* SPDX-License-Identifier: Apache-2.0
 * What happened, for people and programs: a ring in memory that answers GET /v1/events, and rows of
 * siding.event: warnings and errors are written behind, the rest stands in the log. Numbers grow for ever,
 * over restarts too (they start from the clock).
 */
#pragma once

#include "common/net/http.h"
#include "coord_state.h"

/* clang-format off */
#define EVENT_ROW_LIST(F, T)                                       \
    F(T, INT, seq)                                                 \
    F(T, TIME, time)                                               \
    F(T, STR, level) /* info, warn, error */                       \
    F(T, STR, kind) /* task, run, node, cluster, database */       \
    F(T, INT, task)                                                \
    F(T, STR, run)                                                 \
    F(T, STR, node)                                                \
    F(T, STR, text)                                                \
    F(T, LOCAL, bool, stored) /* in the log, or by its transaction */
/* clang-format on */
WIRE_STRUCT(EventRow, EVENT_ROW_LIST);
extern const WireField event_row_fields[];

Events *events_new(void);
void events_free(Events *ev);
/* Logs the text too. `run`, `node` may be NULL, `task` 0. */
void events_add(Coord *c, const char *level, const char *kind, int64_t task, const char *run,
                const char *node, const char *fmt, ...) PRINTF_LIKE(7, 8);
/* What an agent has told since the last time; what it may forget by now is in a->events.stored. */
void events_take(AgentLink *a);
void events_save(Coord *c);                              /* writes behind what is not in the database yet */
int64_t events_last(const Coord *c);                     /* seq of the newest */
const EventRow *events_at(const Coord *c, int64_t seq);  /* NULL: no longer there */
int64_t events_count(const Coord *c, const char *level); /* since the start */
void events_handle_get(HttpRequest *req, void *context);
