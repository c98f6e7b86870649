/* SPDX-License-Identifier: Apache-2.0
 * What there is to dump: databases, tables with their columns and the key they are cut by, views, sequences,
 * triggers, routines, events. Read from information_schema, one query a kind and database.
 */
#pragma once

#include "common/db/db.h"
#include "filter.h"

typedef enum ValueKind {
    VALUE_NUMBER, /* exact numbers: bare */
    VALUE_REAL,   /* FLOAT, DOUBLE: read as the shortest text that comes back bit for bit */
    VALUE_TEXT,   /* quoted and escaped, bytes as stored */
    VALUE_WORDS,  /* text that a binary string is not taken for: MySQL's JSON, UUID, INET; named utf8mb4 */
    VALUE_HEX,    /* binary strings, BLOB, BIT, GEOMETRY: 0x… */
} ValueKind;

typedef struct Column {
    char *name;
    char *type;                /* data_type, lower case */
    char *charset, *collation; /* NULL where the type has none */
    bool nullable, generated;
    bool is_period; /* begin or end of a row's version */
    bool by_number; /* an ENUM or SET whose text may mean another member */
    ValueKind kind;
    char *
        lost_if; /* SQL condition on a value that a restore cannot bring back as it is; NULL: all come back */
    const char *read_before, *read_after; /* SQL around the name when it is read; NULL: nothing */
} Column;

typedef struct KeyPart {
    size_t column; /* index into the columns */
    bool descending;
} KeyPart;

/* A key whose parts are NOT NULL, whole, and of types with exact literals: it can bound chunks. */
typedef struct Key {
    char *name;
    KeyPart *parts;
    size_t n_parts;
} Key;

typedef enum TableKind { TABLE_BASE, TABLE_VIEW, TABLE_SEQUENCE } TableKind;

typedef struct DumpTable {
    char *database, *name;
    char *prefix; /* of its files: "db.table" with safe names */
    TableKind kind;
    char *engine;
    bool versioned; /* system-versioned: its history is dumped too */
    bool has_rows;  /* of its own: else only its definition is dumped */
    int64_t rows_estimate, bytes_estimate;
    Column *columns;
    size_t n_columns;
    Key key; /* n_parts 0: none is usable */
} DumpTable;

typedef enum ObjectKind {
    OBJECT_TRIGGER,
    OBJECT_PROCEDURE,
    OBJECT_FUNCTION,
    OBJECT_PACKAGE,
    OBJECT_PACKAGE_BODY,
    OBJECT_EVENT
} ObjectKind;

typedef struct Object {
    ObjectKind kind;
    char *name;
    char *table; /* triggers only */
} Object;

typedef struct Database {
    char *name;
    char *prefix; /* of its files */
    DumpTable *tables;
    size_t n_tables;
    Object *objects; /* in the order they must be created in */
    size_t n_objects;
} Database;

typedef struct Catalogue {
    Database *databases;
    size_t n_databases;
} Catalogue;

/* No database wanted: every one but the server's own. An absent database or table is ERR_NOT_FOUND. */
/* The server's number where it has left a table out that another session is about to change: read it again.
 */
enum { CATALOGUE_SKIPPED = 1684 };
MUST_CHECK bool catalogue_read(Db *db, const Filter *wanted, Catalogue *ret, Err *err);
void catalogue_done(Catalogue *c);

ValueKind catalogue_value_kind(const char *data_type);
/* Whether a key on such a column can bound chunks: its values have exact literals that sort as the key does.
 */
bool catalogue_can_bound(const Column *c);
