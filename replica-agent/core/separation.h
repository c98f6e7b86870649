/* SPDX-License-Identifier: Apache-2.0
 * How far a job is kept apart from the agent that runs it: what the host gives, what is asked. A job is never
 * run with less than was asked. Pure.
 */
#pragma once

#include "common/base/err.h"

typedef enum Separation {
    SEPARATION_PROCESS,   /* the agent's user, in a process group of its own */
    SEPARATION_NAMESPACE, /* the agent's user, in user, mount and process namespaces of its own */
    SEPARATION_HELPER     /* a user of its own, set up by root: siding-jobd, or an agent that is root */
} Separation;

#define SEPARATION_CHOICES "best|helper|namespace|process"

const char *separation_name(Separation s);
/* ERR_USAGE for a name of none. */
MUST_CHECK bool separation_from_name(const char *name, Separation *ret, Err *err);
/* `wanted`: of the job file, else of agent.conf; "best": what there is. `names_user`: the job runs as a user
 * that it names. ERR_REFUSED says what is missing. */
MUST_CHECK bool separation_choose(Separation have, const char *wanted, bool names_user, Separation *ret,
                                  Err *err);
