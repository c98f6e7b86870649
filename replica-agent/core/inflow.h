/* SPDX-License-Identifier: Apache-2.0
 * How much a binary log grows, by its coordinates: the primary's own, or what a receiver fetches. A burst is
 * not a rate: what is still to come is bounded by what the primary has and by how it wrote over a long time.
 * Pure.
 */
#pragma once

#include "common/wire/wire_node.h"

enum { INFLOW_MS = 300000, INFLOW_LONG_MS = 28800000, INFLOW_FRESH_MS = 60000 };

typedef struct InflowMark {
    int64_t at_ms;
    double total;
} InflowMark;

/* A mean over INFLOW_MS counts the time before the first mark as silence: what is measured since a moment is
 * not known to have lasted. The long one is of the time that is known, an hour at least. */
typedef struct Inflow {
    char *source, *file; /* of the last coordinates */
    int64_t pos, at_ms;
    double total;                    /* bytes since the beginning */
    InflowMark fine[64], coarse[64]; /* rings: one in 5 s, one in 10 min */
    size_t n_fine, n_coarse;         /* marks ever made */
} Inflow;

/* `source`: whose log it is; NULL or another file name's stem: the coordinates begin anew, nothing came. */
void inflow_add(Inflow *f, const char *source, const char *file, int64_t pos, int64_t now_ms);
void inflow_done(Inflow *f);
bool inflow_is_known(const Inflow *f);
double inflow_now(const Inflow *f, int64_t now_ms);  /* bytes/s of the last ten seconds or so */
double inflow_rate(const Inflow *f, int64_t now_ms); /* over INFLOW_MS */
double inflow_rate_long(const Inflow *f, int64_t now_ms);

/* What the primary says of its binary log, with its rates, through the coordinator. */
typedef struct InflowTold {
    Written written; /* file NULL: never */
    int64_t at_ms;
} InflowTold;

/* Bytes that may still arrive within `ms`. */
int64_t inflow_expected(const Inflow *own, const InflowTold *told, int64_t ms, int64_t now_ms);
