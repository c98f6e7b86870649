/* SPDX-License-Identifier: Apache-2.0 */
#include "subprocess.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static _Noreturn void become(const char *program, const StrList *args, int in, int out)
{
    StrList argv = STRLIST_INIT;
    strlist_add(&argv, program);
    strlist_add_all(&argv, args);
    if ((in < 0 || dup2(in, 0) == 0) && (out < 0 || dup2(out, 1) == 1))
        execv(program, argv.v);
    fprintf(stderr, "%s cannot be started: %s\n", program, strerror(errno));
    _exit(127);
}

bool subprocess_run(const char *program, const StrList *args, int in, int out, Err *err)
{
    int status;
    pid_t pid = fork();
    if (pid < 0)
        return err_errno(err, errno, "start a process");
    if (pid == 0)
        become(program, args, in, out);
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return err_errno(err, errno, "wait for %s", program);
    if (WIFSIGNALED(status))
        return err_set(err, ERR_IO, 0, "%s was killed by signal %d", program, WTERMSIG(status));
    return WEXITSTATUS(status) == 0 ||
           err_set(err, ERR_IO, 0, "%s ended with status %d", program, WEXITSTATUS(status));
}
