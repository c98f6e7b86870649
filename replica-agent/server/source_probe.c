/* SPDX-License-Identifier: Apache-2.0 */
#include "source_probe.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "op_impl.h"
#include "replica-agent/core/buffer.h"

enum { SOURCE_TIMEOUT_MS = 2000 };

static int connect_to(const struct addrinfo *a)
{
    int fd = socket(a->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    bool ok = connect(fd, a->ai_addr, a->ai_addrlen) == 0;
    if (!ok && errno == EINPROGRESS) {
        struct pollfd p = {fd, POLLOUT, 0};
        int error = 1;
        socklen_t n = sizeof error;
        ok = poll(&p, 1, SOURCE_TIMEOUT_MS) == 1 && getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &n) == 0 &&
             !error;
    }
    if (ok)
        return fd;
    close(fd);
    return -1;
}

int source_connect(const char *host, int64_t port)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list = NULL;
    char text[24];
    snprintf(text, sizeof text, "%lld", (long long)port);
    if (!host || getaddrinfo(host, text, &hints, &list) != 0)
        return -1;
    int fd = -1;
    for (const struct addrinfo *a = list; a && fd < 0; a = a->ai_next)
        fd = connect_to(a);
    freeaddrinfo(list);
    return fd;
}

bool source_answers(const char *host, int64_t port)
{
    int fd = source_connect(host, port);
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

bool source_has(const char *account_file, const ReplStatus *replica, const char *held, Err *err)
{
    AUTODB Db *db = NULL;
    AUTOFREE char *has = NULL;
    DbTarget source = {
        .defaults_file = (char *)account_file, .host = replica->source_host, .port = replica->source_port};
    if (!source_answers(replica->source_host, replica->source_port))
        return err_set(err, ERR_UNREACHABLE, 0, "%s:%lld does not answer",
                       replica->source_host ? replica->source_host : "?", (long long)replica->source_port);
    if (!db_connect(&source, SOURCE_TIMEOUT_MS, &db, err) ||
        !db_value(db, &has, err, "SELECT @@GLOBAL.gtid_binlog_pos", ""))
        return false;
    return buffer_reaches(db_version(db)->flavor, has, held) ||
           err_set(err, ERR_NOT_FOUND, 0, "%s:%lld has them up to %.200s", source.host,
                   (long long)source.port, has && *has ? has : "none");
}
