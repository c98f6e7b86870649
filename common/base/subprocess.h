/* SPDX-License-Identifier: Apache-2.0
 * One program run to its end, without a shell, in our process group and environment: whoever stops us stops
 * it.
 */
#pragma once

#include "str.h"

/* `in` and `out` become its standard input and output; -1: ours. ERR_IO unless it ends with status 0. */
MUST_CHECK bool subprocess_run(const char *program, const StrList *args, int in, int out, Err *err);
