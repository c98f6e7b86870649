/* SPDX-License-Identifier: Apache-2.0 */
#include "ballast.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/file/fs.h"
#include "replica-agent/agent/agent.h"

enum { BALLAST_CHECK_MS = 5000 };

static char *ballast_path(const Agent *a)
{
    return xasprintf("%s/siding.ballast", a->s.known.relay_dir);
}

static void remove_ballast(Agent *a)
{
    Ballast *b = &a->ballast;
    AUTOFREE char *path = ballast_path(a);
    int64_t size = fs_size(path);
    if (size <= 0)
        return;
    if (unlink(path) < 0) {
        log_error("cannot remove %s: %s", path, strerror(errno));
        return;
    }
    b->bytes = 0;
    b->removed++;
    tell_event(
        a, "error", "guard", NULL,
        "the disk of the relay logs is full (%s): the ballast of %lld bytes has been removed to keep the "
        "server answering; make room there",
        a->s.known.relay_dir, (long long)size);
}

static void make_ballast(Agent *a)
{
    Ballast *b = &a->ballast;
    AUTOFREE char *path = ballast_path(a);
    int64_t size = a->conf.ballast_bytes;
    b->bytes = fs_size(path) > 0 ? fs_size(path) : 0;
    if (b->bytes == size || !guard_ballast_again(a->s.known.relay_free, size, guard_min_free(&a->s)))
        return;
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    int rc = fd < 0 ? errno : posix_fallocate(fd, 0, size);
    if (!rc && ftruncate(fd, size) < 0)
        rc = errno;
    if (fd >= 0)
        close(fd);
    if (rc && !b->trouble)
        log_warn("cannot keep %lld bytes of ballast at %s: %s", (long long)size, path, strerror(rc));
    b->trouble = rc != 0;
    if (!rc)
        b->bytes = size;
}

void ballast_reading(Agent *a)
{
    Ballast *b = &a->ballast;
    if (!a->s.known.relay_dir || a->s.known.relay_free < 0)
        return;
    int64_t now = clock_mono_ms();
    int64_t coming = known_coming(&a->s.known, (int64_t)GUARD_RESERVE_S * 1000, now);
    double rate = a->s.known.server.status.is_replica ? inflow_now(&a->s.known.inflow, now) : 0;
    if (guard_ballast_due(a->s.known.relay_free, rate, a->s.known.hangs,
                          guard_relay_need(a->conf.min_free_bytes, coming))) {
        remove_ballast(a);
        b->checked_ms = now;
    } else if (a->conf.ballast_bytes && a->s.known.server.up && a->s.known.server.status.is_replica &&
               now - b->checked_ms > BALLAST_CHECK_MS) {
        b->checked_ms = now;
        make_ballast(a);
    }
}
