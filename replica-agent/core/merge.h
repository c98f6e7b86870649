/* SPDX-License-Identifier: Apache-2.0
 * One result of those of a run's shards: files side by side, rows and checksums added up. Pure.
 */
#pragma once

#include "common/file/json.h"

typedef struct MergeFile {
    size_t part;
    char *from, *to; /* its name in the part, and in the whole: another where two parts use one name */
} MergeFile;

typedef struct Merge {
    json_t *manifest;
    MergeFile *files; /* as the manifest lists them */
    size_t n;
} Merge;

/* Manifests in the order of their shards. ERR_CORRUPT names what they do not have in common. */
MUST_CHECK bool merge_manifests(const json_t *const *parts, size_t n, Merge *ret, Err *err);
void merge_done(Merge *m);
