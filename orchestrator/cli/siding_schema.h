/* SPDX-License-Identifier: Apache-2.0
 * Schema `siding` as forward migrations. Every statement can run twice: a bootstrap that was cut off is
 * simply run again. The statements are the common subset of both servers.
 */
#pragma once

#include <stddef.h>

typedef struct SchemaStep {
    int version; /* siding.meta schema_version once all steps of this number are done */
    const char *sql;
    const char *is_done; /* a query: greater than 0, and the statement is left out; NULL: it can run twice */
} SchemaStep;

extern const SchemaStep schema_steps[];
extern const size_t schema_steps_count;
int schema_version_latest(void);

/* Procedures and views, made anew where their hash differs from siding.meta's `routines`. The coordinator's
 * account is the definer: %DEFINER% stands for it. */
char *schema_routine(size_t i); /* owned */
extern const size_t schema_routines_count;
char *schema_routines_hash(const char *definer); /* owned */
