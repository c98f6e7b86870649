/* SPDX-License-Identifier: Apache-2.0
 * What names a run. People read and type "12.1". A queue that was restored, or that has lost its newest
 * transactions, gives the same number again: so coordinator and agents call it "12.1-k3x9qz07ab", where
 * behind the dash stands the incarnation of the queue that has claimed it. All that is kept under a run's
 * name (orders, leases, journals, folders, ledger) is kept under this key, and keys are compared whole.
 */
#pragma once

#include <string.h>

#include "common/file/json.h"

enum { RUNKEY_INCARNATION = 10 }; /* letters and digits */

/* "12.1-k3x9qz07ab" and "12.1" → 12, 1; "12" → 12, 0 (the last run). */
bool wire_run_id(const char *text, int64_t *ret_task, int64_t *ret_no);

/* For people: printf("run %.*s", RUN_TEXT(key)). */
#define RUN_TEXT(key) (int)strcspn((key), "-"), (key)
char *runkey_short(const char *key);             /* NULL for NULL; what is no key as it is */
const char *runkey_incarnation(const char *key); /* borrowed; "": none */
char *runkey_make(const char *run, const char *incarnation);
/* `text` is the key itself, or what people type for it. */
bool runkey_is(const char *key, const char *text);
/* A new one. */
void runkey_draw(char ret[RUNKEY_INCARNATION + 1]);

/* A manifest says `run` and `incarnation`. "" where it names no run. */
char *runkey_of_manifest(const json_t *manifest);
void runkey_to_manifest(json_t *manifest, const char *key);
/* For clients: each key in what stands under names of runs becomes what people type; a run of a task, and
 * what has a run, says its incarnation beside. */
void runkey_show(json_t *o);
