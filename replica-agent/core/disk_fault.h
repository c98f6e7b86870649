/* SPDX-License-Identifier: Apache-2.0
 * What the rounds of a look at a disk say of it. Pure.
 */
#pragma once

#include "common/wire/wire_node.h"

/* `error`: errno of the last round, 0 for none; `silent_ms`: since it ended. */
DiskFault disk_fault(int error, int64_t silent_ms);
