/* SPDX-License-Identifier: Apache-2.0
 * The monitor without a terminal, in one night of a small shop: keys and the answers of a sidingd in, screens
 * and calls out. A screen is compared with a file of tests/unit/screens/, which somebody has looked at;
 * SIDING_SCREENS_WRITE=1 writes those that differ.
 */
#pragma once

#include "test.h"

#include "orchestrator/monitor/monitor.h"

extern int64_t now; /* 2026-11-28 02:10:00 UTC, and what has passed since */

typedef struct Night {
    Monitor *m;
    int width, height;
    StrList posted; /* "POST /v1/tasks/12/request {…}" */
    Err refuse;     /* kind not none: actions are answered with it */
    bool away;
    const char *queue;     /* of the status, where this sidingd has it */
    const char *schedules; /* the same */
    const char *waiting;   /* in place of those that wait */
    bool no_active;        /* what runs is in no list */
} Night;

Night night(int width, int height);
Night night_with(int width, int height, bool utf8, bool read_only);
void night_over(Night *n);

void press(Night *n, const char *keys); /* '\n': enter */
void press_key(Night *n, int key);
void resize(Night *n, int width, int height);
void pass(Night *n, int64_t ms);
void turn(Night *n); /* what is asked now is answered */
void answer_one(Night *n, const MonitorCall *c);
/* Knows "+1h". The command line's own is tested in test_when.c. */
bool parse_time(const char *text, int64_t now_ms, int64_t *ret_ms, Err *err);

void expect_screen(Night *n, const char *name); /* of screens/NAME */
void expect_seen(Night *n, const char *text, bool there);
/* All that was posted since the last time, a line each. */
void expect_posted(Night *n, const char *wanted);
/* The lines as they are seen, then the looks of each that has some. */
void write_screen(Night *n, Str *out);
char *read_whole(const char *path); /* owned */
