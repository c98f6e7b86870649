/* SPDX-License-Identifier: Apache-2.0 */
#include "queue_brakes.h"

#include <inttypes.h>

#include "common/base/clock.h"

enum { SOON_MS = 60000 };

QueueBrake *brakes_find(const WireList *brakes, BrakeKind kind, const char *name)
{
    QueueBrake *v = brakes->v;
    for (size_t i = 0; i < brakes->n; i++)
        if (v[i].kind == kind && str_eq(v[i].name, name))
            return &v[i];
    return NULL;
}

void brakes_free(WireList *brakes)
{
    for (size_t i = 0; i < brakes->n; i++)
        wire_free(queue_brake_fields, (QueueBrake *)brakes->v + i);
    free(brakes->v);
    *brakes = (WireList){NULL, 0};
}

static bool errors_keep(const QueueBrake *b, const QueueErrors *errors)
{
    return b->kind == BRAKE_QUEUE && errors->n;
}

bool brakes_may_end(const QueueBrake *b, const QueueErrors *errors, Err *err)
{
    char since[CLOCK_TEXT];
    if (!errors_keep(b, errors))
        return true;
    clock_format(errors->since, since);
    return err_set(err, ERR_CONFLICT, 0,
                   "the queue stays in manual mode: %" PRId64
                   " failed task%s not been seen to, the first is task "
                   "%" PRId64 " since %s; acknowledge, retry or delete (siding task list --state error)",
                   errors->n, errors->n == 1 ? " has" : "s have", errors->first, since);
}

BrakeNews brakes_look(QueueBrake *b, const QueueErrors *errors, int64_t now_ms)
{
    if (!b->until || b->ending)
        return BRAKE_AS_IT_WAS;
    if (now_ms < b->until) {
        bool soon = now_ms >= b->until - SOON_MS && b->until - b->since > 2 * SOON_MS && !b->told_end;
        b->told_end = b->told_end || soon;
        return soon ? BRAKE_ENDS_SOON : BRAKE_AS_IT_WAS;
    }
    if (!errors_keep(b, errors))
        return BRAKE_IS_OVER;
    bool told = b->told_stay;
    b->told_stay = true;
    return told ? BRAKE_AS_IT_WAS : BRAKE_STAYS;
}

int64_t brakes_next_ms(const WireList *brakes, int64_t now_ms)
{
    const QueueBrake *v = brakes->v;
    int64_t next = 0;
    for (size_t i = 0; i < brakes->n; i++) {
        int64_t at = v[i].until - SOON_MS > now_ms && !v[i].told_end ? v[i].until - SOON_MS : v[i].until;
        if (at > now_ms && (!next || at < next))
            next = at;
    }
    return next;
}

char *brakes_text(const QueueBrake *b)
{
    char since[CLOCK_TEXT], until[CLOCK_TEXT];
    Str s = STR_INIT;
    clock_format(b->since, since);
    clock_format(b->until, until);
    if (b->kind == BRAKE_QUEUE)
        str_adds(&s, "the queue is in manual mode");
    else
        str_addf(&s, "%s \"%s\" is %s", WIRE_TEXT(brake_kind_names, b, kind), b->name,
                 b->kind == BRAKE_NODE ? "cordoned" : "held");
    str_addf(&s, " since %s by %s", since, b->by && *b->by ? b->by : "somebody");
    if (b->reason && *b->reason)
        str_addf(&s, " (%s)", b->reason);
    if (b->until)
        str_addf(&s, ", until %s", until);
    return str_take(&s);
}

/* Uploads keep their order whatever they are told. */
SlotHolds brakes_held_by(const Task *t, const char *setting)
{
    if (t->kind == KIND_UPLOAD)
        return SLOT_HOLDS_LANE;
    if (t->on_error == ON_ERROR_CONTINUE)
        return SLOT_HOLDS_NOTHING;
    if (t->sequence_id)
        return SLOT_HOLDS_SEQUENCE;
    return t->on_error || !str_eq(setting, "task") ? SLOT_HOLDS_LANE : SLOT_HOLDS_NOTHING;
}

bool brakes_stop_queue(const Task *t, const char *setting)
{
    return t->on_error == ON_ERROR_QUEUE || (!t->on_error && str_eq(setting, "queue"));
}
