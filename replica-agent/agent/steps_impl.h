/* SPDX-License-Identifier: Apache-2.0
 * Shared by the files of the steps.
 */
#pragma once

#include "common/db/binlog.h"
#include "steps.h"

static inline void step_close_db(Db **db)
{
    if (*db)
        db_close(*db);
}
#define AUTODB AUTO(step_close_db)

bool step_fails(Step *s, StepResult result); /* false */
bool step_open(Step *s, int64_t statement_ms, Db **ret);
bool step_look(Step *s, Db *db);
bool step_applier_failed(const Step *s);
bool step_is_unanswered(const Err *err);
/* Both threads. An error says what is to be done where the server itself is in the way. */
bool step_stop_both(Step *s, Db *db);
ReplSettings settings_view(const LeaseSettings *l);

/* steps_start.c */
/* More than one replication domain, on a flavour whose applier must not lose its workers then: stopped with
 * workers it goes back to the begin of its relay files, and only with workers it skips what is applied. */
bool step_has_domains(const Step *s);
void step_start(Step *s);
bool step_scan(Step *s, BinlogScan *ret); /* the relay files of s->place; on MySQL the server has done it */
