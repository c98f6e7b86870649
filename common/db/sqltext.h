/* SPDX-License-Identifier: Apache-2.0
 * Text of a statement cut into what matters to those who must not mistake a string for code: quoted texts,
 * comments, the rest. As the servers read it under the sql_mode of session.h: a backslash escapes inside '…'
 * and "…", "…" is a string. Pure.
 */
#pragma once

#include "common/base/err.h"
#include "common/base/str.h"

typedef enum SqlTokenKind {
    SQL_END,
    SQL_CODE,    /* one word (letters, digits, _ $ @ : and bytes above 127), or one character */
    SQL_BLANK,   /* white space */
    SQL_QUOTED,  /* '…', "…" or `…` */
    SQL_COMMENT, /* -- …, #…, or a block; not what is executed or a hint, which is code */
} SqlTokenKind;

typedef struct SqlToken {
    SqlTokenKind kind;
    const char *p;
    size_t n;
} SqlToken;

/* The token at p; SQL_END at the end. A quoted text or comment without end is ERR_CONFIG. */
MUST_CHECK bool sqltext_next(const char *p, SqlToken *ret, Err *err);
/* One SELECT, WITH or VALUES, without comments, in no more parentheses than it closes and without a semicolon
 * outside its texts. Owned. ERR_CONFIG says what it is instead. */
MUST_CHECK bool sqltext_select(const char *text, char **ret, Err *err);
/* Appends the text with each `word`, such as ":frozen_at", that is code replaced; *ret counts them. */
void sqltext_replace(const char *text, const char *word, const char *by, Str *out, size_t *ret);
