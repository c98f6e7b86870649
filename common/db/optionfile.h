/* SPDX-License-Identifier: Apache-2.0
 * Option files (my.cnf), by the rules of the servers and their client libraries; and a server's boot options,
 * as its command line and its option files give them: for options that are no variables (MariaDB's
 * skip_slave_start). Later settings win, the command line wins over files.
 */
#pragma once

#include <sys/types.h>

#include "common/base/str.h"

/* One setting. `key` has '_' for '-'; `value` is what its quotes and escapes stand for, NULL for a key alone.
 * Of
 * "!include" and "!includedir", which are such keys too, the value is the path. */
typedef struct OptionLine {
    const char *group; /* "client"; "" before the first */
    const char *key, *value;
} OptionLine;
/* Calls `visit` for each setting of a file's text, in order. Pure. */
void optionfile_each(const char *text, void (*visit)(void *arg, const OptionLine *line), void *arg);

typedef enum OptionValue { OPTION_ABSENT, OPTION_OFF, OPTION_ON } OptionValue;

/* One file's text: the value of a flag in the server's groups; !include and !includedir lines are added to
 * `includes` ("f:path" or "d:path"). Pure. */
OptionValue optionfile_parse(const char *text, const char *option, StrList *includes);
/* One command line word, "--skip-slave-start=1". Pure. */
OptionValue optionfile_word(const char *word, const char *option);

/* Of the running server `pid`. */
MUST_CHECK bool optionfile_server_has(pid_t pid, const char *option, bool *ret, Err *err);
