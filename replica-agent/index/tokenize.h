/* SPDX-License-Identifier: Apache-2.0
 * Text to terms: words by Unicode's boundaries (UAX #29) and ICU's word status, normalised, case and accents
 * folded, short words and stop words left out, stems where a language is named, cut at 64 characters. Bytes
 * that are no UTF-8 separate words. The same text gives the same terms whichever path it takes. One tokenizer
 * a thread.
 */
#pragma once

#include <stdint.h>

#include "common/base/str.h"

enum { TERM_MAX_CHARS = 64, TERM_MAX_BYTES = 4 * TERM_MAX_CHARS };

typedef struct Tokenizer Tokenizer;

/* `language` is "none" or a Snowball language; an unknown one is ERR_CONFIG with the nearest known. */
MUST_CHECK bool tokenizer_new(const char *language, int64_t min_length, const StrList *stop_words,
                              Tokenizer **ret, Err *err);
void tokenizer_free(Tokenizer *t);

/* Terms in the order of the text; `term` is not NUL-terminated and valid during the call only. `word` is the
 * number of the word in the text, from 1; words left out count too. */
typedef void (*TokenSink)(void *arg, const char *term, size_t n, uint32_t word);
/* Returns how many words the text has. */
uint32_t tokenizer_run(Tokenizer *t, const char *text, size_t n, TokenSink sink, void *arg);

/* For tests: no fast path for ASCII. */
void tokenizer_icu_only(Tokenizer *t);
/* "icu 72.1, unicode 15.0, word rules 0c9ffe2a, folding 2", of the libraries that are loaded: terms made by
 * different versions may differ. */
const char *tokenizer_version(void);
