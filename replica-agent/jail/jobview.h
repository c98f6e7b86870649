/* SPDX-License-Identifier: Apache-2.0
 * The files that a job sees: those of the host, without the folders and files that are hidden from it, and in
 * their place its own result folder, its option file and what it is shown. Built in a mount namespace of the
 * job's own. Nothing is ever made outside of the empty file systems that cover what is hidden.
 */
#pragma once

#include <sys/types.h>

#include "message.h"

typedef struct JobUser {
    uid_t uid;
    gid_t gid;
} JobUser;

/* `cnf`: an open file whose text becomes the option file. The caller is alone in its namespace and may mount.
 */
MUST_CHECK bool jobview_build(const JailOrder *o, JobUser user, int cnf, Err *err);
