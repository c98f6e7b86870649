/* SPDX-License-Identifier: Apache-2.0
 * Tasklets: the programs of tasklets_dir whose header declares name and parameters. Each is a job of kind
 * command; its program is the file itself, its arguments are "key=value". A file that may be executed, or
 * that has a header, and is no tasklet all the same, is a fault; others in the folder are left alone.
 */
#pragma once

#include "common/wire/tasklet.h"
#include "config.h"

/* Of one file of the folder. True: `ret` is a job, or *ret_other says that it is none of ours. ERR_CONFIG
 * without the file's name. `ret` is zeroed. */
MUST_CHECK bool tasklet_load(const char *dir, const char *file, JobConfig *ret, bool *ret_other, Err *err);
/* Why nothing in the folder may be run; NULL: it may. Owned. */
char *tasklet_folder_trouble(const char *dir);
