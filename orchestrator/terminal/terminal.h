/* SPDX-License-Identifier: Apache-2.0
 * The edge of siding monitor: keys, the clock and sidingd's answers to the model (orchestrator/monitor/), its
 * screen to the terminal, its calls to sidingd. One loop that never waits for any of them.
 */
#pragma once

#include "common/net/tls.h"
#include "orchestrator/monitor/monitor.h"

typedef struct TerminalSetup {
    const char *url, *user;
    const Tls *tls;
    MonitorTime *parse_time;
    bool read_only, by_hand_only;
} TerminalSetup;

/* Returns when the person quits; ERR_USAGE where there is no terminal. */
MUST_CHECK bool terminal_run(const TerminalSetup *setup, Err *err);
