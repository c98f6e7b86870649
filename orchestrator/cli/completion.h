/* SPDX-License-Identifier: Apache-2.0
 * What shells and man read, made from the table of commands: what is not in the table cannot be in them.
 * Pure.
 */
#pragma once

#include "cmd.h"

/* "bash", "zsh" or "fish"; ERR_USAGE otherwise. */
MUST_CHECK bool completion_write(const char *shell, Str *out, Err *err);
/* The page siding(1) in roff. */
void manpage_write(Str *out);
