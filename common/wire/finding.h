/* SPDX-License-Identifier: Apache-2.0
 * Findings of checks for people: what is wrong, worst last, each with what mends it.
 */
#pragma once

#include "common/base/str.h"
#include "wire.h"

/* clang-format off */

/* A finding of a check: what is wrong, and the statement or line that mends it. */
#define FINDING_LIST(F, T)                    \
    F(T, STR, node)                           \
    F(T, STR, name)                           \
    F(T, STR, level) /* ok, warning, error */ \
    F(T, STR, text)                           \
    F(T, STR, mend)
WIRE_STRUCT(Finding, FINDING_LIST);
extern const WireField finding_fields[];
/* clang-format on */

/* `level`: ok, warning, error; `mend` may be NULL. */
void finding_add(WireList *findings, const char *name, const char *level, const char *mend, const char *fmt,
                 ...) PRINTF_LIKE(5, 6);
/* What is well only with `all`; a last line counts all of them. Pure. */
void finding_write(const WireList *findings, bool all, Str *out);
void finding_free(WireList *findings);
size_t finding_count(const WireList *findings, const char *level);
