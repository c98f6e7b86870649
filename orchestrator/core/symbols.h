/* SPDX-License-Identifier: Apache-2.0
 * Texts that many tasks share, each kept once and counted: number 0 is none. Pure.
 */
#pragma once

#include "common/base/str.h"

typedef struct Symbols Symbols;

Symbols *symbols_new(void);
void symbols_free(Symbols *s);
/* The number of a text, one use more of it; 0 for NULL and "". */
uint32_t symbols_take(Symbols *s, const char *text);
/* The same without a use; 0: nobody uses it. */
uint32_t symbols_find(const Symbols *s, const char *text);
void symbols_keep(Symbols *s, uint32_t n);              /* one use more */
void symbols_drop(Symbols *s, uint32_t n);              /* one less; the last frees it */
const char *symbols_text(const Symbols *s, uint32_t n); /* NULL for 0 */
