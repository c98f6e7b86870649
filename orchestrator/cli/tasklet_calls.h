/* SPDX-License-Identifier: Apache-2.0
 * Tasklets for the commands that list and submit them (cmd_tasklet.c).
 */
#pragma once

#include "cmd.h"

MUST_CHECK bool tasklets_print(const Cli *cli, Err *err);
/* There is one of this name, and it is whole; the error says which is meant, or why it is broken. */
MUST_CHECK bool tasklets_know(const Cli *cli, const char *name, Err *err);
