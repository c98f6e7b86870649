/* SPDX-License-Identifier: Apache-2.0
 * A password typed on the terminal, unseen: the option -p of our programs. */
#pragma once

#include "common/base/err.h"

/* Owned. ERR_USAGE without a terminal. */
MUST_CHECK bool askpass(char **ret, Err *err);
