/* SPDX-License-Identifier: Apache-2.0
 * Output of the commands; sizes, counts, bars and times are in outtext.h, tables in table.h.
 */
#pragma once

#include <jansson.h>

#include "common/base/outtext.h"
#include "table.h"

void out_json(const json_t *j); /* to stdout, indented, one final newline */
/* Once, before any output: colours where stdout is a terminal and NO_COLOR is not set. */
void out_start(void);
void out_text(const char *text); /* to stdout; states that table.h has marked in colours */
void out_table(const Table *t);  /* to stdout, as wide as the terminal */
void out_marked(const char *text, size_t n);
size_t out_width(int fd);  /* of the terminal, 0 when it is none */
bool out_is_smart(int fd); /* a terminal that can move its cursor */
