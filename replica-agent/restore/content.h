/* SPDX-License-Identifier: Apache-2.0
 * What a statement of a dump makes or fills, read off its head: other people's files are believed by what
 * they hold, not by their names. Pure.
 */
#pragma once

#include "common/base/str.h"

typedef enum ContentKind {
    CONTENT_OTHER,
    CONTENT_DATABASE,
    CONTENT_TABLE,
    CONTENT_SEQUENCE,
    CONTENT_VIEW,
    CONTENT_TRIGGER,
    CONTENT_FUNCTION,
    CONTENT_PROCEDURE,
    CONTENT_PACKAGE,
    CONTENT_PACKAGE_BODY,
    CONTENT_EVENT,
    CONTENT_ROWS,
    CONTENT_LOAD_DATA,
} ContentKind;

typedef struct Content {
    ContentKind kind;
    char *name;                   /* unquoted, without its database; NULL: none */
    size_t definer_at, definer_n; /* of the clause DEFINER=…; n 0: it has none */
    size_t options_at;            /* of a database: behind its name */
} Content;

void content_parse(const char *sql, Content *ret);
void content_done(Content *c);
/* Of the first statement in a file's text that makes or fills something. */
void content_of_file(const char *text, Content *ret);
/* "FUNCTION" and the like, as information_schema has it; NULL for what makes no object. */
const char *content_kind_name(ContentKind kind);
/* The statement with another definer; NULL leaves the clause out, so that who restores becomes it. Owned. */
char *content_with_definer(const char *sql, const Content *c, const char *definer);
/* The text between the quotes of a literal as db_quote_str writes it; *ret_end behind it. NULL: it does not
 * end. Owned. */
char *content_unquoted(const char *literal, const char **ret_end);
