/* SPDX-License-Identifier: Apache-2.0
 * A server's boot options, as its command line and option files give them: for options that are no
 * variables (MariaDB's skip_slave_start). Later settings win, the command line wins over files.
 */
#pragma once

#include <sys/types.h>

#include "common/base/str.h"

typedef enum OptionValue { OPTION_ABSENT, OPTION_OFF, OPTION_ON } OptionValue;

/* One file's text: the value of a flag in the server's groups; !include and !includedir lines are added to
 * `includes` ("f:path" or "d:path"). Pure. */
OptionValue optionfile_parse(const char *text, const char *option, StrList *includes);
/* One command line word, "--skip-slave-start=1". Pure. */
OptionValue optionfile_word(const char *word, const char *option);

/* Of the running server `pid`. */
MUST_CHECK bool optionfile_server_has(pid_t pid, const char *option, bool *ret, Err *err);
