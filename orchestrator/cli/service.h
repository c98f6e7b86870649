/* SPDX-License-Identifier: Apache-2.0
 * The coordinator's process as siding start, stop, halt and restart handle it: through systemd where a unit
 * runs it with the same configuration, else as a daemon of whoever asks. No shell anywhere.
 */
#pragma once

#include "cmd.h"

#define SERVICE_UNIT "sidingd.service"

typedef struct Service {
    const Cli *cli;
    char *config;    /* absolute */
    char *systemctl; /* NULL: no unit runs it */
} Service;

/* What `systemctl show` says of the unit: it is there, and runs sidingd with that file. Pure. */
bool service_unit_is_of(const char *shown, const char *config);

MUST_CHECK bool service_open(const Cli *cli, Service *ret, Err *err);
void service_done(Service *s);
/* *ret: a sentence, owned. One that runs already is fine. Returns once it answers. */
MUST_CHECK bool service_start(const Service *s, char **ret, Err *err);
/* One that does not run is fine. Returns once it has ended; no job ends by it. */
MUST_CHECK bool service_end(const Service *s, char **ret, Err *err);
MUST_CHECK bool service_restart(const Service *s, char **ret, Err *err);
