/* SPDX-License-Identifier: Apache-2.0
 * What a configuration names must be there: folders, option files, programs, certificates of this host. Looks
 * only, at files of this host, no server is asked. Blocking: in workers and in `siding-agent --check-config`.
 */
#pragma once

#include "config.h"

/* Everything but jobs. Findings as of siding check, those that are well too. */
void confcheck_files(const AgentConfig *c, WireList *findings);
/* The programs of one job file. */
void confcheck_job(const JobFile *f, const char *path, WireList *findings);
/* NULL: the program can be run; else why not: "there is no such file". Owned. `by_us`: this process is to run
 * it. */
char *confcheck_program(const char *path, bool by_us);
