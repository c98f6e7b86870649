/* SPDX-License-Identifier: Apache-2.0
 * The CREATE of a routine, trigger or event as one statement for every loader, and for the server the same
 * text. A client ends a statement at any semicolon outside of quotes, myloader at one that ends a line. So
 * two comments that the server throws away hold a quote each, which encloses the text for the client, and a
 * third kind stands between a semicolon and the end of its line: CREATE [!999999 "] PROCEDURE p() BEGIN DO
 * 1;[!999999 ] END[!999999 "]; where brackets stand for the marks of a comment. Pure.
 */
#pragma once

#include "common/base/str.h"

/* False, and nothing added: a line of a quoted text ends in a semicolon, or the client's idea of quotes and
 * the server's cannot be brought together. Such a text needs DELIMITER. */
bool portable_create(Str *out, const char *sql, bool backslash_escapes);
