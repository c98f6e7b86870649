/* SPDX-License-Identifier: Apache-2.0
 * siding-agent join: a new host fetches by its token what its agent needs, and makes its server ready to be
 * filled. join.c fetches, join_files.c puts the files where they belong, join_server.c asks the server.
 */
#pragma once

#include <sys/types.h>

#include "common/db/flavor.h"
#include "common/file/json.h"

int join_main(int argc, char **argv);

typedef struct JoinPlace {
    const char *dir, *state, *socket; /* state: the agent's folder; socket: of the server */
    uid_t uid;                        /* who shall own the files */
    gid_t gid;
} JoinPlace;

/* ---- join_files.c: all of the files or none. They are staged in DIR/.joining, complete once its join.json
 * is there, then moved one by one, agent.conf last; a kill at any point leaves what the next call goes on
 * with. */

/* *ret: they are staged already, by the proof of this hash; nothing is to be fetched. Refuses where the
 * folder holds other files of ours. */
MUST_CHECK bool join_files_look(const JoinPlace *p, const char *hash, bool *ret, Err *err);
/* `bundle`: as siding replica invite makes it. Refused as a whole where a name is odd or one is there. */
MUST_CHECK bool join_files_stage(const JoinPlace *p, const char *hash, const json_t *bundle, Err *err);
/* *ret: what kind of servers the cluster has. */
MUST_CHECK bool join_files_move(const JoinPlace *p, DbFlavor *ret, Err *err);
MUST_CHECK bool join_files_finish(const JoinPlace *p, Err *err); /* nothing is left of the staging */

/* ---- join_server.c */

/* Of the cluster; `admin`: option file of an account with all rights here; NULL: root by the socket. Makes
 * the two accounts past the binary log, and tells what the server lacks; where it cannot be asked, what is to
 * be done by hand. Appends numbered steps from *step on. */
void join_server(const JoinPlace *p, DbFlavor flavor, const char *admin, int *step, Str *out);
