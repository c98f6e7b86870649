/* SPDX-License-Identifier: Apache-2.0
 * A program's standard output as a compressed result file. What cannot be written ends the program: the rest
 * is read and dropped, so that it does not wait for a reader.
 */
#pragma once

#include "common/file/gz.h"

typedef struct Capture {
    GzWriter *w; /* NULL: none, finished, or failed */
    char *path;
    char trouble[300]; /* "" as long as all is written */
} Capture;

/* `path` NULL: nothing is captured. */
MUST_CHECK bool capture_open(Capture *c, const char *path, Err *err);
bool capture_is_on(const Capture *c);
/* False at the end of the stream. */
bool capture_copy(Capture *c, int in);
/* On the disk afterwards, or `trouble` says why not. */
void capture_finish(Capture *c);
