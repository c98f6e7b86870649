/* SPDX-License-Identifier: Apache-2.0
 * What would make a job or its upload fail, found before a replica stands still for it: its programs must be
 * there, its queries and changed_since are tried on a replica, its target and who may load it are looked at
 * where the server is. Of a whole check also the files that agent.conf names, and the accounts that read and
 * load.
 */
#pragma once

#include "replica-agent/host/config.h"

struct Agent;

typedef struct JobProof {
    StrList files;         /* of jobs */
    char *config;          /* of a whole check: the path of agent.conf; NULL: only jobs */
    DbTarget reader, load; /* the accounts that would do it; no defaults file: not configured */
} JobProof;
void jobproof_done(JobProof *p);

/* Of one job, or of all (NULL); loop thread. */
void jobproof_of(const struct Agent *a, const char *job, JobProof *ret);
/* Adds an error for each obstacle; blocking, in a worker. */
void jobproof_run(const JobProof *p, bool is_replica, WireList *findings);
