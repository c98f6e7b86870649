/* SPDX-License-Identifier: Apache-2.0 */
#include "relay_forward.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/log.h"
#include "common/base/str.h"
#include "relay_link.h"
#include "replica-agent/server/source_probe.h"

/* A receiver that is stopped makes a second connection, to end its first one. */
enum { PAIRS_MAX = 4, SLICE_MS = 100, BLOCK_BYTES = 65536 };

typedef struct Pair {
    int here, there;
} Pair;

struct RelayForward {
    char *host;
    int64_t to;
    int listener, port;
    bool runs;
    pthread_t thread;
    atomic_bool stop;
    Pair pairs[PAIRS_MAX];
    size_t n;
};

static void end_pair(RelayForward *f, size_t i)
{
    close(f->pairs[i].here);
    close(f->pairs[i].there);
    f->pairs[i] = f->pairs[--f->n];
}

static void begin_pair(RelayForward *f)
{
    Err err;
    Pair p = {-1, -1};
    if (!relay_accept(f->listener, 0, &p.here, &err)) {
        log_debug("%s", err.text);
        return;
    }
    if (p.here < 0)
        return;
    p.there = source_connect(f->host, f->to);
    if (p.there < 0)
        close(p.here);
    else
        f->pairs[f->n++] = p;
}

static bool send_all(RelayForward *f, int fd, const char *p, size_t n)
{
    while (n && !atomic_load(&f->stop)) {
        struct pollfd wait = {fd, POLLOUT, 0};
        ssize_t sent = send(fd, p, n, MSG_NOSIGNAL);
        if (sent >= 0) {
            p += sent;
            n -= (size_t)sent;
        } else if (errno == EAGAIN) {
            poll(&wait, 1, SLICE_MS);
        } else if (errno != EINTR) {
            return false;
        }
    }
    return true;
}

static bool pass_on(RelayForward *f, int from, int to)
{
    char block[BLOCK_BYTES];
    ssize_t n = recv(from, block, sizeof block, 0);
    if (n < 0)
        return errno == EAGAIN || errno == EINTR;
    return n > 0 && send_all(f, to, block, (size_t)n);
}

static void *run(void *arg)
{
    RelayForward *f = arg;
    while (!atomic_load(&f->stop)) {
        struct pollfd p[1 + 2 * PAIRS_MAX];
        size_t n = f->n;
        for (size_t i = 0; i < n; i++) {
            p[1 + 2 * i] = (struct pollfd){f->pairs[i].here, POLLIN, 0};
            p[2 + 2 * i] = (struct pollfd){f->pairs[i].there, POLLIN, 0};
        }
        p[0] = (struct pollfd){n < PAIRS_MAX ? f->listener : -1, POLLIN, 0};
        if (poll(p, 1 + 2 * n, SLICE_MS) <= 0)
            continue;
        for (size_t i = n; i-- > 0;) {
            const Pair *pair = &f->pairs[i];
            if ((p[1 + 2 * i].revents && !pass_on(f, pair->here, pair->there)) ||
                (p[2 + 2 * i].revents && !pass_on(f, pair->there, pair->here)))
                end_pair(f, i);
        }
        if (p[0].revents)
            begin_pair(f);
    }
    return NULL;
}

bool relay_forward_open(const char *host, int64_t port, RelayForward **ret, Err *err)
{
    RelayForward *f = NEW(RelayForward);
    f->host = xstrdup(host);
    f->to = port;
    f->listener = -1;
    bool ok = relay_listen(&f->listener, &f->port, err);
    int failed = ok ? pthread_create(&f->thread, NULL, run, f) : 0;
    f->runs = ok && !failed;
    if (!f->runs) {
        relay_forward_close(f);
        return ok ? err_errno(err, failed, "start a thread that passes on what a source sends") : false;
    }
    *ret = f;
    return true;
}

void relay_forward_close(RelayForward *f)
{
    if (!f)
        return;
    atomic_store(&f->stop, true);
    if (f->runs)
        pthread_join(f->thread, NULL);
    while (f->n)
        end_pair(f, f->n - 1);
    if (f->listener >= 0)
        close(f->listener);
    free(f->host);
    free(f);
}

int relay_forward_port(const RelayForward *f)
{
    return f->port;
}
