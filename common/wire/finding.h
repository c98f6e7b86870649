/* SPDX-License-Identifier: Apache-2.0
 * Findings of checks for people: what is wrong, worst last, each with what mends it.
 */
#pragma once

#include "common/base/str.h"
#include "wire.h"

/* `level`: ok, warning, error; `mend` may be NULL. */
void finding_add(WireList *findings, const char *name, const char *level, const char *mend, const char *fmt,
                 ...) PRINTF_LIKE(5, 6);
/* What is well only with `all`; a last line counts all of them. Pure. */
void finding_write(const WireList *findings, bool all, Str *out);
void finding_free(WireList *findings);
size_t finding_count(const WireList *findings, const char *level);
