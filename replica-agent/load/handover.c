/* SPDX-License-Identifier: Apache-2.0 */
#include "replica-agent/load/handover.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/log.h"
#include "replica-agent/load/ledger.h"

static _Noreturn void become(const Bundle *b, const char *program, const StrList *args)
{
    StrList argv = STRLIST_INIT;
    AUTOFREE char *folder = realpath(b->folder, NULL);
    strlist_add(&argv, program);
    for (size_t i = 0; i < args->n; i++)
        strlist_add(&argv, args->v[i]);
    setenv("SIDING_RESULT_DIR", folder ? folder : b->folder, 1);
    setenv("SIDING_GTID", b->gtid, 1);
    execv(program, argv.v);
    log_error("%s cannot be started: %s", program, strerror(errno));
    _exit(127);
}

/* It is in our process group: whoever stops us stops it. */
static bool run_program(const Bundle *b, const char *program, const StrList *args, Err *err)
{
    int status;
    pid_t pid = fork();
    if (pid < 0)
        return err_errno(err, errno, "start a process");
    if (pid == 0)
        become(b, program, args);
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return err_errno(err, errno, "wait for %s", program);
    if (WIFSIGNALED(status))
        return err_set(err, ERR_IO, 0, "%s was killed by signal %d", program, WTERMSIG(status));
    return WEXITSTATUS(status) == 0 ||
           err_set(err, ERR_IO, 0, "%s ended with status %d", program, WEXITSTATUS(status));
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

bool handover(const DbTarget *target, const Bundle *b, const char *run, const char *program,
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
