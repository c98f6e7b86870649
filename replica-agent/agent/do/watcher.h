/* SPDX-License-Identifier: Apache-2.0
 * Keeps a `siding-agent watch` beside each pause: it outlives the agent, and is started anew where it has
 * ended.
 */
#pragma once

struct Agent;

/* At once, before the applier is stopped. */
void watcher_begin(struct Agent *a);
void watcher_tick(struct Agent *a);
