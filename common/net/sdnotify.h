/* SPDX-License-Identifier: Apache-2.0
 * What a daemon tells the service manager (sd_notify(3)): that it is ready, that its loop turns, what it
 * does, that it ends. Without NOTIFY_SOCKET all of this does nothing. One loop a process.
 */
#pragma once

#include <event2/event.h>

#include "common/base/err.h"

/* Says READY=1, and from then on WATCHDOG=1 from the loop at half of WATCHDOG_USEC. Takes the variables out
 * of the environment: a program that we start is not the service. */
void sdnotify_begin(struct event_base *base);
/* The line that `systemctl status` shows; sent where it differs from the last one. */
void sdnotify_status(const char *fmt, ...) PRINTF_LIKE(1, 2);
void sdnotify_end(void); /* STOPPING=1; before the loop is freed */
