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
    RestoreStep step;
    bool tsv;
    int64_t bytes;
} RestoreFile;

typedef struct Folder {
    char *path;
    RestoreFile *files; /* by step, then the biggest first */
    size_t n_files;
    StrList prefixes, databases; /* of the same index: name in file names, true name */
    json_t *about;               /* manifest.json or files.json; NULL: neither */
    char *id;                    /* the same for the same dump only */
    int64_t bytes;               /* of rows, compressed */
} Folder;

MUST_CHECK bool folder_open(const char *path, Folder *ret, Err *err);
void folder_done(Folder *f);
const char *folder_database(const Folder *f, const char *prefix);
/* The entry of `about.tables` for the files of a table; NULL: none. */
const json_t *folder_table(const Folder *f, const RestoreFile *file);

/* False: no file of a dump. Pure. */
bool folder_classify(const char *name, RestoreFile *ret);
const char *folder_step_name(RestoreStep step);
/* The first name in back quotes behind "CREATE DATABASE"; owned, NULL: none. Pure. */
char *folder_created_database(const char *text);
