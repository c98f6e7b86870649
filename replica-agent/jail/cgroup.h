/* SPDX-License-Identifier: Apache-2.0
 * A control group (version 2) of a job's own, where the host lets us make one: whatever a program forks stays
 * in it, and one write ends all. Everything here is an addition: a host without it keeps jobs by namespaces.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Below our own; NULL: none can be made. Owned. Limits of 0 are none; those that the host has no controller
 * for are left out. */
char *cgroup_make(const char *name, int64_t memory_bytes, int64_t tasks);
bool cgroup_enter(const char *path, pid_t pid);
/* Ends all that is in it, waits at most `wait_ms` until nothing is, removes it. True: nothing is left. */
bool cgroup_end(const char *path, int64_t wait_ms);
