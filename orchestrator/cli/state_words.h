/* SPDX-License-Identifier: Apache-2.0
 * States of tasks as people write them: Siding's words, and BibSched's in any case. Pure.
 */
#pragma once

#include "common/base/str.h"

/* "DONE, ABOUT TO STOP" → done, stopping; each once. ERR_USAGE names a word that is neither. */
MUST_CHECK bool state_words_read(const char *list, StrList *ret, Err *err);
/* "2h", "-2h": an age, whatever its sign. */
MUST_CHECK bool state_words_age(const char *text, int64_t *ret_ms, Err *err);
