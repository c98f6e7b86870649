/* SPDX-License-Identifier: Apache-2.0
 * Compressed files. A writer keeps counts and the SHA-256 of the compressed bytes, so that sealing needs
 * no second read. Codecs: codec.h.
 */
#pragma once

#include <stdint.h>

#include "common/base/str.h"

typedef struct GzWriter GzWriter;
typedef struct GzReader GzReader;

typedef struct GzTotals {
    int64_t bytes, compressed_bytes;
    char sha256[65]; /* of the file as written */
} GzTotals;

bool gz_codec_known(const char *codec);
const char *gz_codec_suffix(const char *codec); /* ".gz" or "" */

MUST_CHECK bool gz_create(const char *path, const char *codec, GzWriter **ret, Err *err);
MUST_CHECK bool gz_write(GzWriter *w, const void *bytes, size_t n, Err *err);
MUST_CHECK bool gz_new_member(GzWriter *w, Err *err); /* ends a gzip member; the next write begins another */
MUST_CHECK bool gz_finish(GzWriter *w, GzTotals *ret,
                          Err *err); /* flush, fsync, close, free, also on failure */
/* The same without waiting for the disk, which is set to work: the caller syncs the file later. */
MUST_CHECK bool gz_finish_unsynced(GzWriter *w, GzTotals *ret, Err *err);
void gz_abandon(GzWriter *w); /* closes and removes the file; NULL is fine */

/* Reads plain files as they are and gzip (or zstd, where built in) of any number of members; a truncated or
 * damaged stream is ERR_CORRUPT. */
MUST_CHECK bool gz_open(const char *path, GzReader **ret, Err *err);
MUST_CHECK bool gz_read(GzReader *r, void *buffer, size_t n, size_t *ret_n, Err *err); /* 0 bytes: end */
void gz_close(GzReader *r);
