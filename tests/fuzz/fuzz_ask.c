/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz_ask.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/file/fs.h"

static int connect_to(const char *path)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    MUST(strlen(path) < sizeof to.sun_path);
    memcpy(to.sun_path, path, strlen(path) + 1);
    MUST(fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof to) == 0);
    MUST(fcntl(fd, F_SETFL, O_NONBLOCK) == 0);
    return fd;
}

/* A program or a file that fails us is our own trouble; whatever else is one is a request that was not
 * understood. */
static void check_head(const FuzzAsk *a, const char *got, size_t n)
{
    static const char ours[] = "\"kind\":\"io\"";
    bool well = n >= 12 && memcmp(got, "HTTP/1.", 7) == 0 && got[9] >= a->least && got[9] <= '5' &&
                (memcmp(got + 9, "500", 3) != 0 || memmem(got, n, ours, strlen(ours)));
    if (!well)
        fprintf(stderr, "%.*s\n\nis answered by\n\n%.*s\n", (int)a->n, a->bytes, (int)n, got);
    MUST(well);
}

enum { KEPT_MS = 10 }; /* by then what needs no more than the journal is answered */

void fuzz_ask(struct event_base *base, const FuzzAsk *a)
{
    AUTOFD int fd = connect_to(a->path);
    char got[4096];
    size_t sent = 0, received = 0;
    bool shut = !a->says_all;
    int64_t begun = clock_mono_ms(), end = begun + a->patience_ms;
    for (;;) {
        ssize_t some = sent < a->n ? send(fd, a->bytes + sent, a->n - sent, MSG_NOSIGNAL) : 0;
        sent = some < 0 && errno != EAGAIN ? a->n : sent + (size_t)(some > 0 ? some : 0);
        if (sent == a->n && !shut)
            shut = shutdown(fd, SHUT_WR) == 0 || true;
        event_base_loop(base, EVLOOP_NONBLOCK);
        some = recv(fd, got, sizeof got, 0);
        if (some > 0 && !received)
            check_head(a, got, (size_t)some);
        if (some > 0 && a->secret)
            MUST(!memmem(got, (size_t)some, a->secret, strlen(a->secret)));
        received += (size_t)(some > 0 ? some : 0);
        if (some == 0 || (some < 0 && errno != EAGAIN))
            break;
        int64_t now = clock_mono_ms();
        if (a->is_kept && sent == a->n && !received && now >= begun + KEPT_MS && a->is_kept(a->arg))
            break;
        MUST(now < end);
    }
    event_base_loop(base, EVLOOP_NONBLOCK);
}
