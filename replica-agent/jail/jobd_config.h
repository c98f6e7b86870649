/* SPDX-License-Identifier: Apache-2.0
 * jobd.conf: root's own list of what siding-jobd may be asked for. Nothing of it comes from the agent.
 */
#pragma once

#include "common/file/conf.h"

typedef struct JobdConfig {
    char *agent_user, *socket, *spool_dir;
    StrList users, programs, hide, show;
    int64_t memory_limit_bytes, tasks_limit;
} JobdConfig;

extern const ConfOption jobd_config_options[];

/* ERR_REFUSED where others than root can change the file. */
MUST_CHECK bool jobd_config_load(const char *path, JobdConfig *ret, Err *err);
void jobd_config_free(JobdConfig *c);
