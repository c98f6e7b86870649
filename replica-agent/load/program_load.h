/* SPDX-License-Identifier: Apache-2.0
 * Mode "program": a verified result folder is handed to a program instead of being loaded: a search engine's
 * files, say, that are copied and rotated. The ledger says when it is done. A crash between the program's end
 * and the ledger's row runs it once more.
 */
#pragma once

#include "common/db/db.h"
#include "replica-agent/load/bundle.h"

MUST_CHECK bool program_load(const DbTarget *target, const Bundle *b, const char *run, const char *program,
                             const StrList *args, Err *err);
