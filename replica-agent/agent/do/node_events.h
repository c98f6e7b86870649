/* SPDX-License-Identifier: Apache-2.0
 * What happened on this node, for people: each event is logged and kept in the journal until the coordinator
 * has stored it, so that nothing is lost while it is away or this agent is killed. Whatever is wrong now
 * (node_warnings) is an event when it begins and when it ends.
 */
#pragma once

#include "common/base/log.h"
#include "common/wire/wire.h"

struct Agent;

typedef struct Tell {
    WireList events;  /* AgentEvent, ascending; only those that are not acknowledged, at most TELL_KEPT */
    int64_t last;     /* seq of the newest ever */
    int64_t dropped;  /* pushed out before anybody fetched them */
    int64_t told[3];  /* counters by level since the start: info, warn, error */
    StrList warnings; /* that have been told and are still wrong */
    int64_t checked_ms;
    int64_t given; /* to the store, up to this seq */
    bool changed;  /* last or warnings are ahead of it */
} Tell;

enum { TELL_KEPT = 500, TELL_A_TIME = 100 };

/* `run` may be NULL. */
void tell_event(struct Agent *a, const char *level, const char *kind, const char *run, const char *fmt, ...)
    PRINTF_LIKE(5, 6);
void tell_acknowledge(struct Agent *a, int64_t seq); /* all up to this one are stored elsewhere */
void tell_add(struct Agent *a, LogLevel level, const char *kind, const char *run, const char *text);
/* term: of the failover that it belongs to; 0: none. */
void tell_of_failover(struct Agent *a, LogLevel level, const char *kind, const char *run, const char *text,
                      int64_t term);
void tell_records(struct Agent *a); /* what is new goes to the store */
MUST_CHECK bool tell_restore(struct Agent *a, const json_t *event, Err *err);
MUST_CHECK bool tell_restore_told(struct Agent *a, const json_t *value, Err *err);
MUST_CHECK bool tell_restore_all(struct Agent *a, const json_t *value,
                                 Err *err); /* an older version's file */
void tell_tick(struct Agent *a);
void tell_close(struct Agent *a);
