/* SPDX-License-Identifier: Apache-2.0
 * The first process of a job's namespaces: starts the program, hands signals on, tells how it ends, and ends
 * then itself, which the kernel takes as the end of everything in there.
 */
#pragma once

#include "message.h"

/* `fds`: standard output and error, progress, requests of split work (-1: none). */
_Noreturn void cage_init(const JailOrder *o, int channel, const int fds[4]);
