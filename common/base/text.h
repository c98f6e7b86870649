/* SPDX-License-Identifier: Apache-2.0
 * UTF-8 as a terminal shows it: how many columns a text takes, where it may be cut. Combining characters take
 * none, East Asian wide ones and emoji two.
 */
#pragma once

#include <stdio.h>

#include "str.h"

/* Whether it is UTF-8 throughout. */
bool text_is_utf8(const char *text, size_t n);
/* Whether it is UTF-8 of one line: no control characters, no marks that turn the direction of writing.
 * `ret_chars` are its characters, counted in any case. */
bool text_is_plain(const char *text, size_t n, size_t *ret_chars);
/* Columns of a text that text_clean has been over. */
size_t text_width(const char *text, size_t n);
/* Bytes of `text` that take at most `columns`, whole characters with what combines with them. */
size_t text_fit(const char *text, size_t columns);
/* The one place where texts of others are made fit for a terminal and a log: tabs and line ends become
 * spaces; other control characters (C0, C1), marks that turn the direction of writing, with which a name can
 * look like another, and bytes that are no UTF-8 are shown as escapes, "\x1b", "\u202e". */
void text_clean(Str *out, const char *text);
/* The same of a text of several lines: line ends and tabs stay. */
void text_clean_lines(Str *out, const char *text, size_t n);
/* Formats, cleans by lines, and writes in one piece. */
void text_print(FILE *to, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Why a text is none that may be kept as it is: bytes that are no UTF-8, control characters; NULL: it may. */
const char *text_wrong(const char *text);
/* At most `columns` of it, with "…" at the end where something is left out. */
void text_cut(Str *out, const char *text, size_t columns);
