/* SPDX-License-Identifier: Apache-2.0 */
#include "pane_stages.h"

#include "common/base/clock.h"

enum { STAGES = 6 };

/* A stage begins where the one before ended. */
typedef struct Stage {
    const char *name;
    int64_t from, to; /* 0: not known, or not reached */
    bool now;
} Stage;

/* Which stage a state belongs to. */
static int stage_of(CoordRunState s)
{
    switch (s) {
    case CRUN_WAITING:
    case CRUN_NONE:
        return 0;
    case CRUN_CLAIMED:
    case CRUN_PAUSING:
        return 1;
    case CRUN_RUNNING:
    case CRUN_SLEEPING:
        return 2;
    case CRUN_SEALING:
        return 3;
    case CRUN_RESUMING:
        return 4;
    case CRUN_CAUGHT_UP:
    case CRUN_UPLOADING:
        return 5;
    default:
        return STAGES;
    }
}

static int64_t first_of(int64_t a, int64_t b)
{
    return a ? a : b;
}

/* An upload, and a job on the primary, pauses nothing. */
static bool pauses(const Task *t)
{
    return t->kind != KIND_UPLOAD && t->on != ROLE_PRIMARY;
}

static void times_of(const Task *t, const Run *r, Stage s[STAGES])
{
    int64_t due = t->run_at > t->submitted_at ? t->run_at : t->submitted_at;
    int64_t begun = first_of(r->frozen_at, pauses(t) ? 0 : r->started_at);
    s[0] = (Stage){"wait", due < r->started_at ? due : r->started_at, r->started_at, false};
    s[1] = (Stage){pauses(t) ? "pause" : NULL, r->started_at, r->frozen_at, false};
    s[2] = (Stage){t->kind == KIND_UPLOAD ? "load" : "job", begun, first_of(r->resumed_at, r->finished_at),
                   false};
    s[3] = (Stage){t->kind == KIND_UPLOAD ? NULL : "seal", 0, 0, false}; /* its times are not told */
    s[4] = (Stage){pauses(t) ? "replay" : NULL, r->resumed_at, r->caught_up_at, false};
    s[5] = (Stage){r->upload_task ? "upload" : NULL, first_of(r->caught_up_at, r->resumed_at), r->finished_at,
                   false};
}

/* Where a run that ended badly came to. */
static int reached(const Stage s[STAGES])
{
    int last = 0;
    for (int i = 0; i < STAGES; i++)
        if (s[i].name && s[i].from)
            last = i;
    return last;
}

/* A run that ended badly has no stage that was well or not: how long each took is all that is known. */
static void write_stage(const Stage *s, int64_t now_ms, bool bad, bool passed, Flow *f)
{
    char spent[CLOCK_TEXT] = "";
    bool done = passed && !bad;
    if (s->from && (s->to || s->now))
        clock_format_duration((s->now ? now_ms : s->to) - s->from, spent);
    AUTOFREE char *text = xasprintf("%s%s%s%s%s%s", s->now ? "[" : "", done ? "✓ " : "", s->name,
                                    *spent ? " " : "", spent, s->now ? "]" : "");
    flow_piece(f, s->now ? LOOK_BUSY : done ? LOOK_GOOD : bad ? LOOK_PLAIN : LOOK_DIM, text);
}

static void write_between(Flow *f)
{
    f->after_space = true;
    flow_piece(f, LOOK_DIM, "▸");
    f->after_space = true;
}

static void write_end(const Run *r, Flow *f)
{
    bool good = r->state == CRUN_DONE;
    write_between(f);
    flow_piece(f, good ? LOOK_GOOD : LOOK_BAD, WIRE_TEXT(coord_run_state_names, r, state));
}

void pane_stages(const Task *t, const Run *r, int64_t now_ms, Flow *f)
{
    Stage s[STAGES];
    bool over = coord_run_is_final(r->state);
    times_of(t, r, s);
    bool bad = over && r->state != CRUN_DONE;
    int at = bad ? reached(s) : stage_of(r->state);
    AUTOFREE char *name = xasprintf("run %s", r->id ? r->id : "?");
    flow_label(f, name);
    for (int i = 0; i < STAGES; i++) {
        if (!s[i].name || (over && i > at))
            continue;
        s[i].now = !over && i == at;
        if (i)
            write_between(f);
        write_stage(&s[i], now_ms, bad, i < at, f);
    }
    if (over)
        write_end(r, f);
    flow_end(f);
}
