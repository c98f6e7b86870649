/* SPDX-License-Identifier: Apache-2.0
 * The keeper of one job: does what a supervisor asks on a socket (message.h), and nothing else. When the
 * supervisor is gone, the job ends; when the keeper is, too. Whatever happens, what is left of the job is
 * ended first, then its folder is handed over to who asked.
 */
#pragma once

#include "cage.h"

/* What may be asked of a keeper that is more than its supervisor; borrowed. */
typedef struct KeeperRules {
    uid_t asker; /* whose folders these are */
    gid_t asker_group;
    const char *spool_dir;
    const StrList *users, *programs, *hide, *show;
    int64_t memory_bytes, tasks; /* most of a job; 0: no limit */
} KeeperRules;

/* Names of levels, from the strongest. */
#define JAIL_LEVEL_HELPER "helper"
#define JAIL_LEVEL_NAMESPACE "namespace"
#define JAIL_LEVEL_PROCESS "process"

/* Serves one supervisor to its end. `rules` NULL: it is what the keeper is, and may ask for anything. */
int keeper_main(int socket, const KeeperRules *rules);

/* Folders of runs that a killed keeper has left to the job's user: back to the asker, where no keeper holds
 * them. */
void keeper_sweep(const KeeperRules *rules);
