/* SPDX-License-Identifier: Apache-2.0
 * A result folder: its manifest, and whether its files are what the manifest says. Nothing of a folder may be
 * used before bundle_verify has passed.
 */
#pragma once

#include "common/file/json.h"

typedef struct BundleFile {
    char *name;
    int64_t rows, bytes, compressed_bytes;
    char *sha256;
    bool data; /* rows of the target */
} BundleFile;

typedef struct Bundle {
    char *folder;
    json_t *json;
    BundleFile *files;
    size_t file_count;
    int64_t rows; /* of the data files */
    int64_t frozen_at;
    int64_t changes_since; /* by the primary's clock: what the frozen state lacks was written later */
    /* Borrowed from json; "" where absent. */
    const char *gtid, *mode, *target, *create, *comment, *checksum, *target_checksum, *on_change, *definition,
        *tokenizer, *layout;
    bool allow_nontransactional;
    StrList columns;
} Bundle;

MUST_CHECK bool bundle_open(const char *folder, Bundle *ret, Err *err);
void bundle_done(Bundle *b);
/* ERR_CORRUPT names every corrupted, truncated, missing or surplus file. */
MUST_CHECK bool bundle_verify(const Bundle *b, Err *err);
