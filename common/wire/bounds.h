/* SPDX-License-Identifier: Apache-2.0
 * What may be said from outside: one row a field with its type, its bounds and the doors it comes in by. The
 * same rows check a body of the API and what `siding` is about to send, write the procedure siding.submit
 * (orchestrator/cli/submit_sql.c) and the reference page. Pure.
 *
 * Rows are flat: "options.limits.at_limit" is a member of the object "options.limits", whose row stands
 * before it. A table ends with a row without a name.
 */
#pragma once

#include "common/file/json.h"

typedef enum BoundType {
    BOUND_NAME,  /* a text of one line, min to max characters */
    BOUND_WORD,  /* one of `words` */
    BOUND_INT,   /* min to max, or `also` */
    BOUND_BOOL,  /* true, false */
    BOUND_TIME,  /* RFC 3339 UTC, of the years 2000 to 2099 */
    BOUND_TEXTS, /* min to max texts of at most `each` bytes, `bytes` in all */
    BOUND_NAMES, /* min to max names of at most `each` characters */
    BOUND_WORDS, /* any of `words`, at most max */
    BOUND_OBJECT /* its members have rows; at most `bytes` */
} BoundType;

/* DOOR_AGENT: from the coordinator, in the body of an order. DOOR_FILE: an option of a job file. */
enum { DOOR_API = 1, DOOR_SQL = 2, DOOR_CLI = 4, DOOR_AGENT = 8, DOOR_FILE = 16 };

typedef struct Bound {
    const char *name;
    BoundType type;
    unsigned doors;
    int64_t min, max, also;
    int64_t each, bytes;
    const char *const *words; /* NULL-terminated */
    const char *option;       /* of siding; NULL: its name, with - for _; "": a word */
    const char *file;         /* DOOR_FILE: the option of a job file that says the same */
    const char *doc;
} Bound;

enum {
    BOUND_DAY_MS = 86400000,
    BOUND_TIME_FIRST_YEAR = 2000,
    BOUND_TIME_LAST_YEAR = 2099,
    BOUND_NODE_CHARS = 64,
    BOUND_BY_CHARS = 128,
    BOUND_PATH_BYTES = 1024,
    BOUND_LEAST_RATE = 65536, /* bytes a second: less would not end */
};
#define BOUND_MOST_BYTES INT64_C(1000000000000000)        /* a petabyte */
#define BOUND_LONGEST_SLEEP (INT64_C(400) * BOUND_DAY_MS) /* a year and a bit */
#define BOUND_LONGEST_PAUSE (INT64_C(14) * BOUND_DAY_MS)  /* as pause_limit in the configuration */

/* A task as it is submitted. */
extern const Bound task_bounds[];
/* What people ask of a task, of a pause, of a resume. */
extern const Bound request_bounds[];
extern const Bound set_bounds[];      /* what is set of a task */
extern const Bound schedule_bounds[]; /* what people ask of a schedule */
extern const Bound pause_bounds[];
extern const Bound resume_bounds[];
/* A failover or switchover, and maintenance. */
extern const Bound failover_bounds[], provision_bounds[], remove_bounds[];
extern const Bound invite_bounds[], revoke_bounds[], join_bounds[];
extern const Bound maintenance_bounds[];
/* What keeps queue, lane or node from starting anything. */
extern const Bound brake_bounds[];
/* What the coordinator tells an agent of itself and of its primary's binary logs. */
extern const Bound role_bounds[];
extern const Bound purge_hold_bounds[];

/* Every member of `body` has a row for this door and lies within its bounds; null is as good as absent.
 * ERR_USAGE names the field (DOOR_CLI: the option), what it is and what it may be; an unknown one with the
 * nearest known. */
MUST_CHECK bool bounds_check(const Bound *rows, unsigned door, const json_t *body, Err *err);
/* The row of an option of a job file; NULL: a job file alone has it. */
const Bound *bounds_of_option(const Bound *rows, const char *option);
/* Its value: ERR_USAGE says what it is and what it may be; null is as good as absent. */
MUST_CHECK bool bounds_check_option(const Bound *row, const json_t *value, Err *err);
/* The row is a direct member of `parent` ("" is the whole): the member's own name, else NULL. */
const char *bounds_member(const Bound *row, const char *parent);
/* What the row admits, in words: "1 to 128 characters". Owned. */
char *bounds_text(const Bound *row);
void bounds_write_reference(Str *out); /* Markdown tables of all */
