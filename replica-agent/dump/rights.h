/* SPDX-License-Identifier: Apache-2.0
 * What an account may not see is left out of information_schema without a word: a dump says so instead of
 * being incomplete.
 */
#pragma once

#include "catalogue.h"
#include "common/db/db.h"

/* `whole`: of events and routines too. ERR_AUTH names what is missing and the grant. */
MUST_CHECK bool rights_check(Db *db, const Catalogue *c, bool whole, Err *err);
/* The privilege of these SHOW GRANTS lines on a database; true also where they cannot tell (roles, patterns).
 * Pure. */
bool rights_may(const StrList *grants, const char *privilege, const char *database);
