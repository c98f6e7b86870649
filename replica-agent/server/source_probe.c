/* SPDX-License-Identifier: Apache-2.0 */
#include "source_probe.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SOURCE_TIMEOUT_MS = 2000 };

static bool connects(const struct addrinfo *a)
{
    int fd = socket(a->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    bool ok = connect(fd, a->ai_addr, a->ai_addrlen) == 0;
    if (!ok && errno == EINPROGRESS) {
        struct pollfd p = {fd, POLLOUT, 0};
        int error = 1;
        socklen_t n = sizeof error;
        ok = poll(&p, 1, SOURCE_TIMEOUT_MS) == 1 && getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &n) == 0 &&
             !error;
    }
    close(fd);
    return ok;
}

bool source_answers(const char *host, int64_t port)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list = NULL;
    char text[24];
    snprintf(text, sizeof text, "%lld", (long long)port);
    if (!host || getaddrinfo(host, text, &hints, &list) != 0)
        return false;
    bool ok = false;
    for (const struct addrinfo *a = list; a && !ok; a = a->ai_next)
        ok = connects(a);
    freeaddrinfo(list);
    return ok;
}
