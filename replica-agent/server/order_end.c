/* SPDX-License-Identifier: Apache-2.0
 * The end of a replaced primary's server: SIGKILL, which no answer has to come to, and its binary log read. A
 * SHUTDOWN would acknowledge commits that wait; a port that accepts, or does not, proves nothing.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/proc.h"
#include "common/db/binlog_end.h"
#include "order_impl.h"

enum { GONE_MS = 500, PAUSE_MS = 20 };

/* The process whose working folder is `data`, which a server enters when it starts. */
static bool works_in(pid_t pid, const struct stat *data)
{
    char path[40];
    struct stat st;
    snprintf(path, sizeof path, "/proc/%d/cwd", (int)pid);
    return stat(path, &st) == 0 && st.st_dev == data->st_dev && st.st_ino == data->st_ino;
}

/* Whoever holds the lock that InnoDB takes on its first file. 0: nobody, or no such file. */
static pid_t holder(const char *folder)
{
    struct stat file, data;
    AUTOFREE char *path = xasprintf("%s/ibdata1", folder);
    char line[200];
    pid_t found = 0;
    if (stat(path, &file) < 0 || stat(folder, &data) < 0)
        return 0;
    FILE *locks = fopen("/proc/locks", "re");
    while (locks && !found && fgets(line, sizeof line, locks)) {
        int pid;
        unsigned major, minor;
        unsigned long long inode;
        if (sscanf(line, "%*s POSIX %*s %*s %d %x:%x:%llu", &pid, &major, &minor, &inode) == 4 &&
            inode == (unsigned long long)file.st_ino && pid > 0 && works_in((pid_t)pid, &data))
            found = (pid_t)pid;
    }
    if (locks)
        fclose(locks);
    return found;
}

static bool same_boot(const LeaseServer *s)
{
    return s->boot_id && str_eq(s->boot_id, clock_boot_id());
}

static bool end_process(pid_t pid, Err *err)
{
    if (kill(pid, SIGKILL) == 0 || errno == ESRCH)
        return true;
    return err_set(
        err, ERR_REFUSED, errno,
        "process %d, the server, cannot be killed: %s; let the agent run as the server's operating system "
        "user",
        (int)pid, strerror(errno));
}

OpResult order_kill_server(const OrderIn *in, OrderOut *out)
{
    const LeaseServer *s = &in->server;
    if (!in->place.data_folder) {
        err_set(&out->err, ERR_CONFLICT, 0, "the agent has never seen where the server has its data");
        return OP_FAILED;
    }
    for (int64_t until = clock_mono_ms() + GONE_MS;;) {
        bool known = same_boot(s) && s->pid > 0 && proc_is((pid_t)s->pid, s->pid_start);
        pid_t other = holder(in->place.data_folder);
        if (!known && !other)
            return OP_DONE;
        if ((known && !end_process((pid_t)s->pid, &out->err)) || (other && !end_process(other, &out->err)))
            return OP_FAILED;
        if (clock_mono_ms() >= until) {
            err_set(&out->err, ERR_TIMEOUT, 0,
                    "the server does not end, although it was killed: its disk hangs");
            return OP_UNKNOWN;
        }
        clock_sleep_ms(PAUSE_MS);
    }
}

OpResult order_read_log(const OrderIn *in, OrderOut *out)
{
    AUTO(strlist_done) StrList files = STRLIST_INIT;
    const VaultPlace *p = &in->place;
    if (!p->binlog_index || !*p->binlog_index) {
        err_set(&out->err, ERR_CONFLICT, 0, "the agent has never seen where the server has its binary log");
        return OP_FAILED;
    }
    if (!vault_index_files(p->binlog_index, p->data_folder, &files, &out->err) ||
        !binlog_end(&files, &out->received, &out->err))
        return OP_FAILED;
    log_info("the server is ended; its binary log ends at %.300s", out->received);
    return OP_DONE;
}
