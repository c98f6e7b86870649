/* SPDX-License-Identifier: Apache-2.0
 * Tasks, runs and nodes as people read them. Pure: the present is given.
 */
#pragma once

#include "common/wire/wire_fill.h"
#include "common/wire/wire_run.h"
#include "common/wire/wire_task.h"
#include "out.h"

/* The run whose end decides: the last; NULL before the first. */
const Run *view_last_run(const Task *t);
/* "[####....]  45%  1.2 M of 2.7 M rows, 34.1 k/s, ETA 1 min 20 s", or what else the run does; may be "". */
void view_progress(const Run *r, int64_t now_ms, Str *out);
/* "dumping 120.4 MiB of 1.2 GiB, 35.1 MiB/s, ETA 31 s": a server that is filled; "" where it is not. */
void view_fill(const FillState *f, int64_t now_ms, Str *out);
void view_tasks(const WireList *tasks, size_t width, Str *out);
void view_task(const Task *t, int64_t now_ms, size_t width, Str *out);
void view_nodes(const WireList *nodes, int64_t now_ms, size_t width, Str *out);
/* What GET /v1/queue answers; false: nobody needs to do anything. */
bool view_brakes(const json_t *queue, int64_t now_ms, Str *out);
/* The whole screen of `siding status`; `status` is the answer of /v1/status, `events` an array or NULL.
 * ERR_PROTOCOL where it cannot be read. */
MUST_CHECK bool view_status(const json_t *status, const json_t *events, int64_t now_ms, size_t width,
                            Str *out, Err *err);
