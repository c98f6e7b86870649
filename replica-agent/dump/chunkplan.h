/* SPDX-License-Identifier: Apache-2.0
 * Cutting tables into chunks. A chunk is a range of a key, its bounds found by walking the index N rows at a
 * time: no arithmetic on values, so gaps, skew and types do not matter, and every row is in exactly one
 * chunk. Pure: text in, text out.
 */
#pragma once

#include "catalogue.h"

/* Values of the key's parts in the last row of a chunk, as literals; empty: before the first or after the
 * last row. */
typedef StrList Bound;

typedef struct ChunkSize {
    int64_t bytes; /* about */
    int64_t rows;  /* exactly; 0: by bytes */
} ChunkSize;

/* Rows of the next chunk. By bytes they become fewer when what is left of the table, `walked` rows being
 * taken, is no more than a few chunks for each thread: so all threads end at about the same time. */
int64_t chunkplan_rows(const DumpTable *t, const ChunkSize *size, int64_t walked, size_t threads);
/* False: the table is read in one piece. No estimate decides it: they may be far off. */
bool chunkplan_is_cut(const DumpTable *t);

/* A value of a key part as a literal that compares as the key does. */
void chunkplan_literal(Str *out, const Column *c, const char *p, size_t n);
/* SELECT of the key of the row `chunk_rows` behind `after`, i.e. the next chunk's last row. */
void chunkplan_walk_sql(Str *out, const DumpTable *t, const Bound *after, int64_t chunk_rows,
                        const char *where);
/* "(where) AND (… > after) AND (… <= upto)"; nothing where all are empty; `where` may be NULL. */
void chunkplan_where(Str *out, const DumpTable *t, const Bound *after, const Bound *upto, const char *where);
/* SELECT of all stored columns of a chunk; `summed`: and of rowcheck_add_sql. */
void chunkplan_select_sql(Str *out, const DumpTable *t, const Bound *after, const Bound *upto,
                          const char *where, bool summed);
/* How many values of a chunk a restore cannot bring back as they are: one number for each column with
 * lost_if. */
bool chunkplan_has_losses(const DumpTable *t);
void chunkplan_losses_sql(Str *out, const DumpTable *t, const Bound *after, const Bound *upto,
                          const char *where);
/* SELECT of the checksum (rowcheck.h) of a chunk. */
void chunkplan_sum_sql(Str *out, const DumpTable *t, const Bound *after, const Bound *upto,
                       const char *where);

/* SELECT of the number of rows of a chunk: the same condition once more. */
void chunkplan_count_sql(Str *out, const DumpTable *t, const Bound *after, const Bound *upto,
                         const char *where);

/* Pointers to the base tables in the order in which they are begun: the biggest first. Owned array. */
DumpTable **chunkplan_order(Catalogue *c, size_t *ret_n);
/* SHA-256 of names, kinds, columns and keys of all tables, as hex. */
void chunkplan_digest(const Catalogue *c, char ret[65]);
