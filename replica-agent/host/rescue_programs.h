/* SPDX-License-Identifier: Apache-2.0
 * The programs that a rescue runs. They must be there before a replica is paused, not only when it is needed.
 */
#pragma once

#include "common/base/err.h"

char *rescue_program(const char *name); /* its path; owned, NULL if it is not installed */
/* ERR_REFUSED names the one missing and its package. */
MUST_CHECK bool rescue_check_programs(Err *err);
