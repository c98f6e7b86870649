/* SPDX-License-Identifier: Apache-2.0
 * What the parts of an agent without a server share. agent_trace.c: its disk, its draining, its life;
 * agent_trace_words.c: words as inputs; agent_trace_show.c: effects, and what is told, as lines.
 */
#pragma once

#include "agent_trace.h"

enum { WALL_BEGIN_S = 1800000000 };

/* ---- agent_trace.c */

Input *trace_new_input(InputKind kind, const char *owner);
bool trace_happens(Trace *t, Input *in);                  /* takes it, and drains. True */
Record *trace_disk_record(TraceDisk *d, const char *key); /* NULL: not there */
void trace_disk_keep(TraceDisk *d, const Record *r, size_t n);
void trace_disk_free(TraceDisk *d);

/* ---- agent_trace_words.c */

void trace_forget_seen(Trace *t);

/* ---- agent_trace_show.c */

extern const char *const trace_op_names[OP_KINDS];
void trace_show(Trace *t, const Effect *e);
void trace_show_records(Trace *t, const Record *r, size_t n);
/* What is told to whoever asks; `silence`: since when its server acknowledges nothing, alone. True. */
bool trace_look(Trace *t, bool silence);
