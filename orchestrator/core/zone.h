/* SPDX-License-Identifier: Apache-2.0
 * A time zone of the system's database (TZif, RFC 9636), as spans of one offset each. What a file leaves to
 * its rule ("CET-1CEST,M3.5.0,M10.5.0/3") is worked out to the end of 2099. Pure: the file's bytes are given.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"

#define ZONE_END INT64_C(4102444800) /* 2100-01-01, seconds: nothing is known from there on */

typedef struct Zone Zone;

typedef struct ZoneSpan {
    int64_t from, to; /* seconds, half-open */
    int64_t offset;   /* local time less UTC */
    int64_t before;   /* the offset of the span before it; of the first its own */
} ZoneSpan;

/* ERR_CORRUPT: it is no such file. */
MUST_CHECK bool zone_parse(const char *bytes, size_t n, Zone **ret, Err *err);
/* One more owner; each frees it. NULL stays NULL. */
Zone *zone_keep(const Zone *z);
void zone_free(Zone *z);
ZoneSpan zone_span(const Zone *z, int64_t at);
/* A name below the database's folder, and nothing else. */
bool zone_name_is_plain(const char *name);
/* Days since 1970-01-01, and back. */
int64_t zone_days(int64_t year, int month, int day);
void zone_date(int64_t days, int64_t *ret_year, int *ret_month, int *ret_day);
int zone_month_days(int64_t year, int month);
