/* SPDX-License-Identifier: Apache-2.0
 * The protocol is a datagram of lines to a unix socket (sd_notify(3)), here without libsystemd.
 */
#include "sdnotify.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/base/log.h"
#include "common/base/str.h"

static struct {
    int fd;
    socklen_t n;
    struct sockaddr_un to;
    struct event *watchdog;
    char status[200];
} self = {.fd = -1};

/* Never waits: the loop has other things to do than to be asked after. */
static void send_line(const char *line)
{
    if (self.fd >= 0 && sendto(self.fd, line, strlen(line), MSG_DONTWAIT | MSG_NOSIGNAL,
                               (const struct sockaddr *)&self.to, self.n) < 0)
        log_debug("cannot send %s to the service manager: %s", line, strerror(errno));
}

static void on_watchdog(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    (void)arg;
    send_line("WATCHDOG=1");
}

/* A path, or "@name" in the abstract space. */
static bool find_socket(const char *name)
{
    size_t n = name ? strlen(name) : 0;
    if (n < 2 || n >= sizeof self.to.sun_path || (*name != '/' && *name != '@'))
        return false;
    self.to.sun_family = AF_UNIX;
    memcpy(self.to.sun_path, name, n);
    if (*name == '@')
        self.to.sun_path[0] = '\0';
    self.n = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
    return true;
}

static int64_t watchdog_us(void)
{
    const char *text = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
    long long us = 0, whose = getpid();
    if (!text || !str_to_i64(text, 1, INT64_MAX, &us) || (pid && !str_to_i64(pid, 1, INT32_MAX, &whose)))
        return 0;
    return whose == getpid() ? us : 0;
}

static void arm_watchdog(struct event_base *base)
{
    int64_t half = watchdog_us() / 2;
    struct timeval tv = {half / 1000000, half % 1000000};
    if (!half)
        return;
    self.watchdog = event_new(base, -1, EV_PERSIST, on_watchdog, NULL);
    event_add(self.watchdog, &tv);
    send_line("WATCHDOG=1");
}

void sdnotify_begin(struct event_base *base)
{
    if (find_socket(getenv("NOTIFY_SOCKET")))
        self.fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    send_line("READY=1");
    if (self.fd >= 0)
        arm_watchdog(base);
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
}

void sdnotify_status(const char *fmt, ...)
{
    char text[sizeof self.status];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    for (char *p = text; *p; p++)
        if (*p == '\n')
            *p = ' ';
    if (strcmp(text, self.status) == 0)
        return;
    memcpy(self.status, text, sizeof text);
    AUTOFREE char *line = xasprintf("STATUS=%s", text);
    send_line(line);
}

void sdnotify_end(void)
{
    send_line("STOPPING=1");
    if (self.watchdog)
        event_free(STEAL(self.watchdog));
    if (self.fd >= 0)
        close(self.fd);
    self.fd = -1;
}
