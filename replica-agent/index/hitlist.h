/* SPDX-License-Identifier: Apache-2.0
 * The column `hits` of layout "hitlist": all entries of a term, sorted by record and field, as numbers,
 * compressed. Each entry is: record less the one before (the first: less the row's `first`), field, frequency
 * and, where positions are kept, min(frequency, ENTRY_MAX_POSITIONS) positions, each less the one before it
 * (the first: as it is). A number is written in base 128, low digits first, all bytes but its last with bit 7
 * set (LEB128). The bytes are what UNCOMPRESS() of either server takes: their length in 4 bytes, low first,
 * and a zlib stream. Pure.
 */
#pragma once

#include "replica-agent/index/entries.h"

/* A row ends before the first record at which it has so many bytes before compression. */
enum { HITLIST_ROW_BYTES = 1 << 20 };

typedef struct Hitlist {
    bool positions;
    int64_t first, last; /* records */
    int64_t records;
    Str raw;
} Hitlist;

void hitlist_done(Hitlist *h);
bool hitlist_is_empty(const Hitlist *h);
/* Is the row to end before this entry? */
bool hitlist_is_full(const Hitlist *h, const Entry *e);
void hitlist_add(Hitlist *h, const Entry *e);
/* The compressed bytes are added to `out`; the list is empty afterwards but for first and records, until the
 * next hitlist_add. */
void hitlist_pack(Hitlist *h, Str *out);

typedef bool (*HitSink)(void *arg, const Entry *e, Err *err);
/* ERR_CORRUPT where the bytes are no such list; false also with what the sink put into err. */
MUST_CHECK bool hitlist_unpack(const char *p, size_t n, int64_t first, bool positions, HitSink sink,
                               void *arg, Err *err);
