/* SPDX-License-Identifier: Apache-2.0
 * siding submit --from FILE: many tasks, an object a line.
 */
#pragma once

#include "cmd.h"

/* `file`: "-" is the standard input; NULL is refused, as words are. Prints an id a line, in the file's order.
 * All lines are tried; those that fail are told with their numbers. */
MUST_CHECK bool submit_many(const Cli *cli, const char *file, const StrList *words, Err *err);
