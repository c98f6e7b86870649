/* SPDX-License-Identifier: Apache-2.0
 * The programs inside siding-agent that are run below a supervisor, and what they share.
 */
#pragma once

#include "common/base/opts.h"
#include "common/net/resultfetch.h"

int seal_main(int argc, char **argv);
int fetch_main(int argc, char **argv);
int gather_main(int argc, char **argv);
int split_main(int argc, char **argv);

/* Words of `siding-agent fetch`. */
void fetch_words(StrList *to, const char *config, const char *url, const char *run, const char *dir);
/* A result from another agent, however often the connection breaks. */
MUST_CHECK bool fetch_patiently(const ResultSource *from, const char *to, Err *err);

/* Beside the manifest that sealing is given: what it has to know again after a kill. */
#define SEAL_PLAN_FILE "seal-plan.json"
#define SEAL_FACTS_FILE "seal-facts.json"

/* Says the error on stderr and gives the exit status. */
int tool_failed(const char *what, const Err *err);
int tool_help(const Opt *table, const char *usage, const char *intro, OptSpecial special);
