/* SPDX-License-Identifier: Apache-2.0
 * SIGHUP: agent.conf, job files and certificates are read again. Each option that differs is taken over, or
 * it is told that it needs a restart; a file that is wrong changes nothing. Loop thread.
 */
#pragma once

#include "replica-agent/host/config.h"

struct Agent;

void reload_all(struct Agent *a);
void reload_log(const AgentConfig *c); /* form and level of the log */
void reload_rules(struct Agent *a);    /* what decisions depend on, from configuration and jobs */
