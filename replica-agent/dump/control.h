/* SPDX-License-Identifier: Apache-2.0
 * Stop and sleep. SIGTERM and SIGINT ask the dump to end; SIGTSTP lets every worker come to a safe point and
 * then stops the process itself by SIGSTOP; SIGCONT goes on. The main thread takes the signals, workers ask
 * at their safe points.
 */
#pragma once

#include <stdint.h>

#include "common/base/err.h"

/* Before any thread is started: blocks the signals for the whole process. */
MUST_CHECK bool control_begin(Err *err);

/* Worker: false with ERR_CANCELLED once the dump is to end. Sleeps here while asked to. */
MUST_CHECK bool control_point(Err *err);
void control_worker_begin(void);
void control_worker_end(void); /* wakes control_wait */

/* Main thread: waits until a worker ended, a stop was asked for or the time is over; carries out a sleep
 * meanwhile. */
void control_wait(int64_t timeout_ms);
bool control_stopping(void);
int control_workers(void);
