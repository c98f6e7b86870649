/* SPDX-License-Identifier: Apache-2.0
 * Progress of a job program: JSON lines on file descriptor 3 when it is open and a pipe or file, else a
 * bar with rate and ETA when stderr is a terminal, else nothing. At most five times a second.
 * May be called from any thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* There is a descriptor for it, which a program that we run may have. */
bool progress_is_given(void);

void progress_start(const char *unit);
void progress_set(int64_t done, int64_t total, const char *note); /* total 0: not known; note may be NULL */
void progress_end(void);                                          /* writes the last values */

/* Parses one line `{"done":N,"total":M,"unit":"rows","note":"…"}`; false if it is none. */
typedef struct Progress {
    int64_t done, total;
    char unit[24];
    char note[200];
} Progress;
bool progress_parse(const char *line, Progress *ret);
