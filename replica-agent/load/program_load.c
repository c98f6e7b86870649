/* SPDX-License-Identifier: Apache-2.0 */
#include "replica-agent/load/program_load.h"

#include <stdlib.h>

#include "common/base/log.h"
#include "common/base/subprocess.h"
#include "replica-agent/load/ledger.h"

static bool run_program(const Bundle *b, const char *program, const StrList *args, Err *err)
{
    AUTOFREE char *folder = realpath(b->folder, NULL);
    setenv("SIDING_RESULT_DIR", folder ? folder : b->folder, 1);
    setenv("SIDING_GTID", b->gtid, 1);
    return subprocess_do(&(Subprocess){.program = program, .args = args, .kept = true}, err);
}

static bool is_done(const DbTarget *target, const char *run, bool *ret, Err *err)
{
    Db *db = NULL;
    Ledger ledger = {0};
    bool ok = db_connect(target, 0, &db, err) && ledger_read(db, run, &ledger, err);
    db_close(db);
    *ret = ledger.finished;
    return ok;
}

bool program_load(const DbTarget *target, const Bundle *b, const char *run, const char *program,
                  const StrList *args, Err *err)
{
    bool done;
    if (!is_done(target, run, &done, err))
        return false;
    if (done) {
        log_info("run %s was handed over before: nothing to do", run);
        return true;
    }
    if (!run_program(b, program, args, err))
        return false;
    Db *db = NULL;
    bool ok = db_connect(target, 0, &db, err) && ledger_finish(db, run, b->rows, err);
    db_close(db);
    return ok;
}
