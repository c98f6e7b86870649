/* SPDX-License-Identifier: Apache-2.0
 * One row as text: of an INSERT, "(1,'a\nb',0x00ff,NULL)", or a line of TSV. Every newline in a value is
 * escaped, so that ";\n" ends a statement (and "\n" a TSV line) and nothing else. Bytes are taken as they
 * are: the file says SET NAMES binary. Writes into memory that the caller has measured by format_most: no
 * check, no allocation for each value. A value too big to hold is given in parts. Pure.
 */
#pragma once

#include "catalogue.h"

typedef struct Value {
    const char *p; /* NULL is SQL NULL */
    size_t n;
} Value;

typedef enum FormatKind { FORMAT_SQL, FORMAT_TSV } FormatKind;

typedef struct Format {
    FormatKind kind;
    const ValueKind *kinds; /* of the stored columns */
    size_t n;
} Format;

/* No row of these values is longer. */
size_t format_most(const Value *values, size_t n);
/* The end of what was written. */
char *format_row(const Format *f, char *to, const Value *values);

/* A row in parts: each value with its begin, its bytes, its end; a NULL is format_null. */
/* Longer binary values are written as text, which takes little more than their bytes, not twice as many: a
 * server takes statements up to its max_allowed_packet, which may be hardly more than the value. */
enum { FORMAT_LONGEST_HEX = 1 << 16 };
enum { FORMAT_EDGE = 16 }; /* no begin, end or NULL is longer; bytes take at most twice their number */
char *format_row_begin(const Format *f, char *to);
char *format_value_begin(const Format *f, char *to, size_t column, size_t n);
/* `whole`: bytes of the value, of which these are some. */
char *format_value_bytes(const Format *f, char *to, size_t column, size_t whole, const char *p, size_t n);
char *format_value_end(const Format *f, char *to, size_t column, size_t n);
char *format_null(const Format *f, char *to, size_t column);
char *format_row_end(const Format *f, char *to);

/* "INSERT INTO `t` (`a`,`b`) VALUES\n"; generated columns are left out. */
void format_insert_head(Str *out, const DumpTable *t);
/* LOAD DATA for a TSV file: everything but the file's name, which takes the place of %s. */
void format_load_data(Str *out, const DumpTable *t);
/* What is read of a column: its name, for VALUE_REAL what makes its text exact. */
void format_column_expr(Str *out, const Column *c);
