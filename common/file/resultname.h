/* SPDX-License-Identifier: Apache-2.0
 * Names of the files of a result, relative to its folder. Checked when a result is sealed; whoever verifies,
 * fetches, copies, gathers, serves or loads one takes exactly what was sealed. Pure.
 */
#pragma once

#include "common/base/err.h"
#include "common/base/str.h"

enum {
    RESULTNAME_PART_BYTES = 240, /* what is added while a file is worked on still fits a file system */
    RESULTNAME_BYTES = 1000,
    RESULTNAME_DEPTH = 16
};

#define RESULTNAME_TMP ".siding-tmp" /* behind the name of a file that is being made */
#define RESULTNAME_MARK ".siding-sealed"
#define RESULTNAME_TOLD "files.json"

/* UTF-8 without control characters, parts that are neither empty nor "." nor "..", no reserved name.
 * ERR_REFUSED says what is wrong with it. */
MUST_CHECK bool resultname_check(const char *name, Err *err);
/* Of one part: nothing that resultname_check would refuse for its bytes. */
bool resultname_part_is_plain(const char *part);
/* The papers of a sealed folder, which are served and compared beside its files. */
bool resultname_is_paper(const char *name);

/* What the names of a target's files begin with: "db.table" with odd characters replaced. Owned. */
char *resultname_stem(const char *target);
/* "db.table.00000.tsv.gz" and its kind: rows for the table that `stem` stands for. */
bool resultname_is_rows_of(const char *name, const char *stem);
