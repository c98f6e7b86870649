/* SPDX-License-Identifier: Apache-2.0
 * One row as the text of an INSERT: "(1,'a\nb',0x00ff,NULL)". Every newline in a value is escaped, so that
 * ";\n" ends a statement and nothing else. Bytes are taken as they are: the file says SET NAMES binary. Pure.
 */
#pragma once

#include "catalogue.h"

typedef struct Value {
    const char *p; /* NULL is SQL NULL */
    size_t n;
} Value;

void format_value(Str *out, ValueKind kind, const char *p, size_t n);
void format_row(Str *out, const ValueKind *kinds, const Value *values, size_t n);
/* "INSERT INTO `t` (`a`,`b`) VALUES\n"; generated columns are left out. */
void format_insert_head(Str *out, const Table *t);
/* What is read of a column: its name, for VALUE_REAL what makes its text exact. */
void format_column_expr(Str *out, const Column *c);
/* Columns that are read and inserted. */
size_t format_stored_columns(const Table *t);
