/* SPDX-License-Identifier: Apache-2.0
 * siding monitor, all but the terminal: keys, answers of sidingd and the present go in; a screen and calls
 * to be made come out. Pure: no clock is read and nothing is waited for, so that every screen can be tested
 * as text. orchestrator/terminal/ is its edge.
 */
#pragma once

#include <jansson.h>
#include <stdint.h>

#include "cells.h"

/* Characters are their code points. */
enum {
    MONKEY_NONE,
    MONKEY_TAB = '\t',
    MONKEY_ENTER = '\n',
    MONKEY_ESCAPE = 0x1b,
    MONKEY_UP = 0x110000,
    MONKEY_DOWN,
    MONKEY_LEFT,
    MONKEY_RIGHT,
    MONKEY_PAGE_UP,
    MONKEY_PAGE_DOWN,
    MONKEY_HOME,
    MONKEY_END,
    MONKEY_BACKSPACE,
    MONKEY_DELETE,
    MONKEY_BACK_TAB,
    MONKEY_HELP,
};

enum { MONITOR_LEAST_WIDTH = 60, MONITOR_LEAST_HEIGHT = 16 };

/* Reads a moment that a person wrote: "+15m", "22:00", "2002-10-27 13:57:26". */
typedef bool MonitorTime(const char *text, int64_t now_ms, int64_t *ret_ms, Err *err);

typedef struct MonitorSetup {
    const char *url;  /* of sidingd, shown where it cannot be reached */
    const char *user; /* said to be who asks */
    MonitorTime *parse_time;
    bool read_only;    /* asked for; else as the caller's roles are */
    bool by_hand_only; /* in automatic mode nothing is changed but the mode */
    bool utf8;
} MonitorSetup;

typedef struct Monitor Monitor;
Monitor *monitor_new(const MonitorSetup *setup, int64_t now_ms);
void monitor_free(Monitor *m);

void monitor_resize(Monitor *m, int width, int height);
void monitor_key(Monitor *m, int key, int64_t now_ms);
/* Time has passed: what is due is put among the calls. */
void monitor_tick(Monitor *m, int64_t now_ms);
/* When the next tick is wanted at the latest. */
int64_t monitor_next_tick(const Monitor *m, int64_t now_ms);

typedef struct MonitorCall {
    uint64_t id;
    const char *method, *path;
    const json_t *body; /* NULL: none */
    int64_t timeout_ms;
    bool text; /* the answer is no JSON but text: {"text", "bytes"} */
} MonitorCall;

/* The next call to be made, its members valid until the answer; false: none now. */
bool monitor_next_call(Monitor *m, MonitorCall *ret, int64_t now_ms);
/* What came of it, once for each call. `body` is borrowed. */
void monitor_answer(Monitor *m, uint64_t id, bool ok, const json_t *body, const Err *err, int64_t now_ms);

/* Draws all; `c` is of the size that was told. */
void monitor_draw(Monitor *m, Cells *c, int64_t now_ms);
bool monitor_is_over(const Monitor *m); /* q was pressed */
bool monitor_take_bell(Monitor *m);     /* something wants a person: once each time */
