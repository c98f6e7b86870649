/* SPDX-License-Identifier: Apache-2.0 */
#include "clean_end.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/file/fs.h"
#include "replica-agent/core/le.h"

enum {
    MAGIC = 4,
    HEADER = 19, /* of an event: time 4, type 1, server 4, length 4, end 4, flags 2 */
    CREATED = MAGIC + HEADER + 2 + 50,
    FORMAT_DESCRIPTION = 15,
    STOP = 3,
    CHECKSUM = 4
};

typedef struct BinlogEnds {
    int64_t opened_ms;
    bool first;   /* of its process */
    bool stopped; /* it ends with a Stop event */
} BinlogEnds;

static bool is_stop(const unsigned char *e, size_t length, int64_t size)
{
    return e[4] == STOP && le_get((const char *)e + 9, 4) == length &&
           (int64_t)le_get((const char *)e + 13, 4) == (size & 0xffffffff);
}

static bool read_ends(const char *path, BinlogEnds *ret, char **ret_why)
{
    struct stat st;
    unsigned char head[CREATED + 4], tail[HEADER + CHECKSUM];
    AUTOFD int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0) {
        *ret_why = xasprintf("%s: %s", path, strerror(errno));
        return false;
    }
    if (pread(fd, head, sizeof head, 0) != (ssize_t)sizeof head ||
        memcmp(head,
               "\xfe"
               "bin",
               MAGIC) != 0 ||
        head[MAGIC + 4] != FORMAT_DESCRIPTION) {
        *ret_why = xasprintf("%s is no binary log that can be read here", path);
        return false;
    }
    ret->opened_ms = (int64_t)le_get((const char *)head + MAGIC, 4) * 1000;
    ret->first = le_get((const char *)head + CREATED, 4) != 0;
    ret->stopped = pread(fd, tail, sizeof tail, st.st_size - (off_t)sizeof tail) == (ssize_t)sizeof tail &&
                   (is_stop(tail, sizeof tail, st.st_size) || is_stop(tail + CHECKSUM, HEADER, st.st_size));
    return true;
}

bool clean_end_since(const StrList *binlogs, int64_t since_ms, char **ret_why)
{
    size_t ends = 0;
    bool newer_began = false; /* the file after this one is the first of its process */
    for (size_t i = binlogs->n; i-- > 0;) {
        BinlogEnds e;
        if (!read_ends(binlogs->v[i], &e, ret_why))
            return false;
        if (newer_began && !e.stopped) {
            *ret_why = xasprintf("%s does not end in order", binlogs->v[i]);
            return false;
        }
        ends += newer_began;
        /* Logs are dated by the second. A process has begun since, or nobody would ask: where it is no newer
         * one, it is that of this second. */
        bool this_second = !ends && !newer_began && since_ms - e.opened_ms < 1000;
        if (e.opened_ms <= since_ms && !this_second) {
            *ret_why = ends ? NULL : xstrdup("no server process has begun since");
            return ends > 0;
        }
        newer_began = e.first;
    }
    *ret_why = xstrdup("the binary logs do not reach back to before");
    return false;
}
