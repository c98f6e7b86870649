/* SPDX-License-Identifier: Apache-2.0
 * What a job program is asked by signals: SIGTERM and SIGINT to stop, SIGTSTP to sleep. The program does
 * both at a point of its own choosing; sleeping is stopping itself by SIGSTOP until SIGCONT.
 */
#pragma once

#include "common/base/err.h"

void jobctl_start(void);
/* Threads made between these take no such signals. */
void jobctl_block(void);
void jobctl_unblock(void);
bool jobctl_stop_asked(void);
bool jobctl_sleep_asked(void);
void jobctl_sleep(void); /* returns when woken */
/* At a safe point: sleeps if asked to; ERR_CANCELLED if asked to stop. */
MUST_CHECK bool jobctl_check(Err *err);
