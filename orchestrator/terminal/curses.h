/* SPDX-License-Identifier: Apache-2.0
 * The one place that knows ncurses: a grid of cells onto the terminal, and its keys. Only what changed is
 * sent. One screen a process.
 */
#pragma once

#include "orchestrator/monitor/cells.h"

/* Colours where the terminal has them and NO_COLOR is not set. ERR_USAGE where there is no such terminal. */
MUST_CHECK bool curses_open(Err *err);
void curses_close(void);
bool curses_is_utf8(void); /* of the locale; also before curses_open */
/* After the terminal's size has changed, and at the beginning. */
void curses_read_size(int *ret_width, int *ret_height);
/* A key that waits, as monitor.h names it; MONKEY_NONE: none. */
int curses_key(void);
void curses_show(const Cells *c);
void curses_redraw(void); /* all of it with the next show: something else has written to the terminal */
void curses_bell(void);
bool curses_is_there(void); /* the terminal has not been closed */
void curses_suspend(void);  /* gives the terminal back for a while */
void curses_resume(void);
