/* SPDX-License-Identifier: Apache-2.0
 * `siding-agent rescue`: applies what the relay files of a stopped replica hold, below a supervisor. It may
 * be killed and started again any number of times: it always goes on from the server's own positions. It
 * ends well only when the last whole transaction of the files is applied.
 */
#pragma once

#include "common/db/db.h"

int rescue_main(int argc, char **argv);

/* The connection that applies kept transactions; 0: none. No START while there is one. */
MUST_CHECK bool rescue_holder(Db *db, int64_t *ret, Err *err);
/* The programs it runs are installed. ERR_REFUSED names the one missing and its package. */
MUST_CHECK bool rescue_check_programs(Err *err);
