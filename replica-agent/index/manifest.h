/* SPDX-License-Identifier: Apache-2.0
 * The papers of a result: files.json and .siding-sealed for the agent, which seals it; where no agent runs
 * the program, SHA256SUMS and manifest.json as the agent would write them. The manifest comes last.
 */
#pragma once

#include "common/file/json.h"

typedef struct Manifest {
    const char *job;
    char *gtid; /* outside the agent: where the server stood at the start */
    const char *flavor;
    char *server_version;
    int64_t shard, shards, started_at, frozen_at;
    json_t *files, *upload;
    const char *target, *checksum; /* of the one table */
    int64_t rows;
} Manifest;

MUST_CHECK bool manifest_write(const char *folder, const Manifest *m, Err *err);
