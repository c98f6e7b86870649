/* SPDX-License-Identifier: Apache-2.0
 * `siding-agent watch`: a dead man's switch. A process of its own beside each pause, which the agent starts
 * before it stops the applier. It reads the journal, and a minute after the pause's limit it has
 * `siding-agent --release` end it, whether an agent lives or not. It needs nothing of the agent but the
 * journal, and ends with the pause.
 */
#pragma once

#include <stdbool.h>

int lease_watch_main(int argc, char **argv);
/* One watches already. Only for a moment, others may begin or end. */
bool lease_watch_lives(const char *state_dir);
