/* SPDX-License-Identifier: Apache-2.0
 * UTF-8 as a terminal shows it: how many columns a text takes, where it may be cut. Combining characters take
 * none, East Asian wide ones and emoji two.
 */
#pragma once

#include "str.h"

/* Columns of a text that text_clean has been over. */
size_t text_width(const char *text, size_t n);
/* Bytes of `text` that take at most `columns`, whole characters with what combines with them. */
size_t text_fit(const char *text, size_t columns);
/* What a terminal can be given: control characters become spaces, bytes that are no UTF-8 the replacement
 * character; marks that turn the direction of writing, with which a name can look like another, go. */
void text_clean(Str *out, const char *text);
/* At most `columns` of it, with "…" at the end where something is left out. */
void text_cut(Str *out, const char *text, size_t columns);
