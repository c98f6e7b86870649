/* SPDX-License-Identifier: Apache-2.0
 * What a job has left, read once and checked: its files, what it says of them, and the names they get. Kept
 * in the agent's state before the folder is touched, so that sealing can be cut off anywhere and done again.
 */
#pragma once

#include "common/file/json.h"
#include "seal_folder.h"

typedef struct SealPlan {
    bool sealed_by_job;
    json_t *told;   /* what files.json says of each file, by name */
    json_t *upload; /* what it says of its upload; NULL: nothing */
    json_t *more;   /* what else it says; NULL: nothing */
    StrList from, to;
} SealPlan;

typedef struct SealNames {
    const char *codec;  /* "none": files stay as they are */
    const char *suffix; /* of encrypted ones, NULL: not encrypted */
} SealNames;

/* From `path` if an earlier try wrote it there; else made and written. ERR_REFUSED tells of names that a
 * result cannot have, of two files that would get one name, and of what the job said wrongly. */
MUST_CHECK bool seal_plan_open(const SealFolder *f, const char *path, const SealNames *names, SealPlan *ret,
                               Err *err);
void seal_plan_done(SealPlan *p);
/* NULL: nothing. */
const json_t *seal_plan_told(const SealPlan *p, const char *name);
