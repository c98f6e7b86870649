/* SPDX-License-Identifier: Apache-2.0
 * What a dump's folder holds, by the names mydumper gave them, in the order in which it is loaded: all of one
 * step may be loaded at the same time. Pure but for reading the names of databases and the manifest.
 */
#pragma once

#include <jansson.h>

#include "common/base/str.h"

typedef enum RestoreStep {
    STEP_DATABASES,
    STEP_SEQUENCES,
    STEP_TABLES,
    STEP_ROWS,
    STEP_POST,
    STEP_VIEWS, /* which may call functions */
    STEP_TRIGGERS,
    N_STEPS
} RestoreStep;

typedef struct RestoreFile {
    char *name;     /* in the folder */
    char *database; /* as in file names; see Folder.databases */
    char *table;    /* as in file names; NULL: none */
    char *real;     /* the table's true name; NULL: not known, or the same */
    RestoreStep step;
    bool tsv;
    bool stand_in; /* a view's placeholder, which only other loaders need */
    int64_t bytes;
} RestoreFile;

typedef struct Folder {
    char *path;
    RestoreFile *files; /* by step, then the biggest first */
    size_t n_files;
    StrList prefixes, databases; /* of the same index: name in file names, true name */
    json_t *about;               /* manifest.json or files.json; NULL: neither, a dump of somebody else */
    StrList unknown;             /* files that are not loaded; told of a dump of somebody else */
    bool foreign;                /* `about` says nothing of tables: made by another program */
    char *id;                    /* the same for the same dump only */
    int64_t bytes;               /* of rows, compressed */
} Folder;

MUST_CHECK bool folder_open(const char *path, Folder *ret, Err *err);
void folder_done(Folder *f);
const char *folder_database(const Folder *f, const char *prefix);
/* The entry of `about.tables` for the files of a table; NULL: none. */
const json_t *folder_table(const Folder *f, const RestoreFile *file);

/* The table's true name, as far as names and texts of files tell; of a file of a table. */
const char *folder_real_name(const Folder *f, const RestoreFile *file);
/* A file's text behind what `ret` has; no more is read once that is `most` bytes long. */
MUST_CHECK bool folder_read(const Folder *f, const char *name, size_t most, Str *ret, Err *err);
/* The beginning of a file's text, enough to see its first statements. */
MUST_CHECK bool folder_peek(const Folder *f, const char *name, Str *ret, Err *err);

/* False: no file of a dump. Pure. */
bool folder_classify(const char *name, RestoreFile *ret);
