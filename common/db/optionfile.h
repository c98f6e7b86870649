/* SPDX-License-Identifier: Apache-2.0
 * Option files (my.cnf), by the rules of the servers and their client libraries; and a server's boot options,
 * as its command line and its option files give them: for options that are no variables (MariaDB's
 * skip_slave_start). Later settings win, the command line wins over files.
 */
#pragma once

#include <sys/types.h>

#include "common/base/str.h"

/* One setting. `key` has '_' for '-'; `value` is what its quotes and escapes stand for, NULL for a key alone.
 * Of "!include" and "!includedir", which are such keys too, the value is the path, up to the line's end. A
 * group without its ']', which the servers refuse, is the key "[" of no group. */
typedef struct OptionLine {
    const char *group; /* "client"; "" before the first */
    const char *key, *value;
    int number; /* of the line, from 1 */
} OptionLine;
/* Calls `visit` for each setting of a file's text, in order, until it is false; then false. Pure. */
bool optionfile_each(const char *text, bool (*visit)(void *arg, const OptionLine *line), void *arg);

typedef enum OptionValue { OPTION_ABSENT, OPTION_OFF, OPTION_ON } OptionValue;

/* What the files of an "!include" or "!includedir" line say of the flag. */
typedef OptionValue (*OptionInclude)(void *arg, const OptionLine *line);
/* One file's text: the value of a flag in the server's groups. An included file is asked for where its line
 * stands: what comes after it wins. */
OptionValue optionfile_parse(const char *text, const char *option, OptionInclude include, void *arg);
/* One command line word, "--skip-slave-start=1". Pure. */
OptionValue optionfile_word(const char *word, const char *option);

/* Of the running server `pid`. */
MUST_CHECK bool optionfile_server_has(pid_t pid, const char *option, bool *ret, Err *err);
