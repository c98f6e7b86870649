/* SPDX-License-Identifier: Apache-2.0
 * Compression by name: "gzip" (igzip where it was built in, else zlib:1), "igzip:0" to "igzip:3", "zlib:1" to
 * "zlib:9", "zstd:1" to "zstd:19", "none". One compressor makes one member after the other; every gzip reads
 * what igzip and zlib make. No files here.
 */
#pragma once

#include <stdint.h>

#include "common/base/str.h"

typedef struct Codec Codec;
typedef struct Decoder Decoder;

typedef struct CodecBytes {
    const unsigned char *in;
    size_t in_n;
    unsigned char *out;
    size_t out_n;
} CodecBytes;

bool codec_known(const char *name);
const char *codec_names(void);              /* for people: what this build knows */
const char *codec_suffix(const char *name); /* ".gz", ".zst" or "" */
bool codec_is_none(const char *name);
char *codec_resolved(const char *name); /* what "gzip" means here: "igzip:1". Owned. */

/* NULL for "none"; the name must be known. */
Codec *codec_new(const char *name);
void codec_free(Codec *c);
/* Takes from `in` and gives to `out`, advancing both; with `end` the member is finished. True when all input
 * is taken (and the member complete), false when more room is needed. */
bool codec_run(Codec *c, CodecBytes *b, bool end);
void codec_next_member(Codec *c); /* after a run with `end` that was true */

typedef enum DecodeResult { DECODE_OK, DECODE_MEMBER_END, DECODE_BROKEN } DecodeResult;

/* By the first bytes of a file; NULL: it is not compressed. */
Decoder *decoder_new(const unsigned char *head, size_t n);
void decoder_free(Decoder *d);
DecodeResult decoder_run(Decoder *d, CodecBytes *b);

/* A zlib stream of the bytes, added to `out`: meant for lists of numbers. */
void codec_zlib(const void *bytes, size_t n, Str *out);
/* False unless `in` is a zlib stream of exactly `out_n` bytes; `out` has room for one more. */
bool codec_unzlib(const void *in, size_t n, void *out, size_t out_n);
