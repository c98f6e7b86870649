/* SPDX-License-Identifier: Apache-2.0
 * A node that serves, as its agent tells of it: what the tests of the choice change one thing of.
 */
#pragma once

#include "common/wire/wire_node.h"

/* Borrows all that it is given. */
Node serving_node(const char *name, bool is_replica, JobInfo *jobs, size_t n_jobs);
