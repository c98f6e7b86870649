/* SPDX-License-Identifier: Apache-2.0 */
#include "capture.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

enum { BLOCK = 1 << 18, BLOCKS_A_TURN = 16 };

bool capture_open(Capture *c, const char *path, Err *err)
{
    if (!path)
        return true;
    c->path = xstrdup(path);
    return gz_create(path, "gzip", &c->w, err);
}

bool capture_is_on(const Capture *c)
{
    return c->path != NULL;
}

static void fail(Capture *c, const Err *err)
{
    snprintf(c->trouble, sizeof c->trouble, "its output cannot be written: %.250s", err->text);
}

bool capture_copy(Capture *c, int in)
{
    static char buffer[BLOCK];
    Err err;
    for (int i = 0; i < BLOCKS_A_TURN; i++) {
        ssize_t n = read(in, buffer, sizeof buffer);
        if (n < 0)
            return errno == EAGAIN || errno == EINTR;
        if (n == 0)
            return false;
        if (c->w && !gz_write(c->w, buffer, (size_t)n, &err)) {
            fail(c, &err);
            gz_abandon(STEAL(c->w));
        }
    }
    return true;
}

void capture_finish(Capture *c)
{
    GzTotals totals;
    Err err;
    if (c->w && !gz_finish(STEAL(c->w), &totals, &err))
        fail(c, &err);
    free(c->path);
    c->path = NULL;
}
