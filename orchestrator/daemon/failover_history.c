/* SPDX-License-Identifier: Apache-2.0
 * failovers.json in the state folder: what each failover did and when, the newest last. Written in each turn
 * of the loop; that it cannot be written stops no failover.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/file/json.h"
#include "events.h"
#include "failover_impl.h"

enum { KEPT = 100, STEPS_MOST = 200 };

static char *path_of(const Coord *c)
{
    return xasprintf("%s/failovers.json", c->conf.state_dir);
}

json_t *failover_history_read(const Coord *c)
{
    Err err;
    json_t *list = NULL;
    AUTOFREE char *path = path_of(c);
    if (json_read_file(path, &list, &err) && json_is_array(list))
        return list;
    if (err.kind != ERR_NOT_FOUND)
        log_warn("%s", err.text);
    json_decref(list);
    return json_array();
}

int64_t failover_record_id(const Coord *c)
{
    return json_int(c->failover->record, "id");
}

static void write_history(const Coord *c, const json_t *list)
{
    Err err;
    AUTOFREE char *path = path_of(c);
    if (!json_replace_file(path, list, 0640, &err))
        log_error("%s", err.text);
}

/* The record takes its own place, or a new one. */
void failover_record_save(Coord *c)
{
    if (!c->failover->unsaved || !c->failover->record)
        return;
    c->failover->unsaved = false;
    AUTOJSON json_t *list = failover_history_read(c);
    size_t n = json_array_size(list);
    json_t *mine = c->failover->record;
    if (n && json_int(json_array_get(list, n - 1), "id") == json_int(mine, "id"))
        json_array_remove(list, n - 1);
    json_array_append(list, mine);
    while (json_array_size(list) > KEPT)
        json_array_remove(list, 0);
    write_history(c, list);
}

json_t *failover_record_left(const Coord *c)
{
    AUTOJSON json_t *list = failover_history_read(c);
    size_t n = json_array_size(list);
    json_t *last = n ? json_array_get(list, n - 1) : NULL;
    bool open = last && !*json_str(last, "outcome") && json_int(last, "id") != failover_record_id(c);
    return open ? json_incref(last) : NULL;
}

void failover_record_close(Coord *c, int64_t id, const char *outcome, const char *to)
{
    AUTOJSON json_t *list = failover_history_read(c);
    for (size_t i = 0; i < json_array_size(list); i++) {
        json_t *o = json_array_get(list, i);
        if (json_int(o, "id") != id)
            continue;
        json_set_str(o, "outcome", outcome);
        json_set_str(o, "to", to);
    }
    write_history(c, list);
}

/* What a person takes upon himself: who, when, what. */
void failover_record_decision(Coord *c, const FailoverWish *w)
{
    const struct {
        bool taken;
        const char *what;
    } all[] = {{w->old_is_off, "old_primary_is_off"}, {w->takes_loss, "accept_data_loss"}};
    for (size_t i = 0; i < COUNT(all); i++) {
        if (!all[i].taken)
            continue;
        json_t *o = json_object();
        json_set_str(o, "what", all[i].what);
        json_set_str(o, "by", w->by);
        json_set_time(o, "at", clock_wall_ms());
        json_array_append_new(json_object_get(c->failover->record, "decisions"), o);
        c->failover->unsaved = true;
    }
}

void failover_record_begin(Coord *c, const FailoverWish *w)
{
    FailoverEdge *e = c->failover;
    AUTOJSON json_t *left = failover_record_left(c);
    if (left)
        failover_record_close(c, json_int(left, "id"), "interrupted", NULL);
    AUTOJSON json_t *list = failover_history_read(c);
    size_t n = json_array_size(list);
    json_t *o = json_object();
    json_set_int(o, "id", n ? json_int(json_array_get(list, n - 1), "id") + 1 : 1);
    json_set_str(o, "kind", w->kind);
    json_set_str(o, "by", w->by);
    json_set_str(o, "cause", w->cause);
    json_set_str(o, "only", w->only);
    json_set_bool(o, "clean", w->clean);
    json_set_str(o, "from", c->journal.primary);
    json_set_str(o, "to", NULL);
    json_set_str(o, "outcome", NULL);
    json_set_time(o, "began_at", clock_wall_ms());
    json_object_set_new(o, "decisions", json_array());
    json_object_set_new(o, "steps", json_array());
    json_decref(e->record);
    e->record = o;
    e->begun_ms = clock_mono_ms();
    e->unwritten_ms = w->since_ms;
    failover_record(c, "%s: %s", w->kind, w->cause);
    failover_record_decision(c, w);
    failover_record_save(c);
}

void failover_record(Coord *c, const char *fmt, ...)
{
    FailoverEdge *e = c->failover;
    json_t *steps = json_object_get(e->record, "steps");
    va_list ap;
    va_start(ap, fmt);
    AUTOFREE char *text = xvasprintf(fmt, ap);
    va_end(ap);
    log_info("failover: %s", text);
    if (!steps || json_array_size(steps) >= STEPS_MOST)
        return;
    json_t *step = json_object();
    json_set_int(step, "ms", clock_mono_ms() - e->begun_ms);
    json_set_time(step, "at", clock_wall_ms());
    json_set_str(step, "text", text);
    json_array_append_new(steps, step);
    e->unsaved = true;
}

static bool has_step(const json_t *steps, int64_t at, const char *text)
{
    char when[CLOCK_TEXT];
    clock_format(at, when);
    for (size_t i = 0; i < json_array_size(steps); i++) {
        const json_t *s = json_array_get(steps, i);
        if (str_eq(json_str(s, "at"), when) && str_eq(json_str(s, "text"), text))
            return true;
    }
    return false;
}

/* By the clock of the node, as far as that goes on from the failover's begin. */
static bool add_late(json_t *o, int64_t term, int64_t at, const char *text)
{
    int64_t began = 0;
    json_t *steps = json_object_get(o, "steps");
    if (json_int(o, "term") != term)
        return false;
    if (has_step(steps, at, text) || json_array_size(steps) >= STEPS_MOST)
        return true; /* an agent tells it until this coordinator has said that it knows */
    json_t *step = json_object();
    (void)clock_parse(json_str(o, "began_at"), &began);
    json_set_int(step, "ms", at > began ? at - began : 0);
    json_set_time(step, "at", at);
    json_set_str(step, "text", text);
    json_array_append_new(steps, step);
    return true;
}

void failover_record_late(Coord *c, int64_t term, int64_t at, const char *node, const char *text)
{
    FailoverEdge *e = c->failover;
    AUTOFREE char *said = xasprintf("%s: %s", node, text ? text : "");
    if (e->record && add_late(e->record, term, at, said)) {
        e->unsaved = true;
        return;
    }
    AUTOJSON json_t *list = failover_history_read(c);
    for (size_t i = json_array_size(list); i-- > 0;)
        if (add_late(json_array_get(list, i), term, at, said)) {
            write_history(c, list);
            return;
        }
}

void failover_record_end(Coord *c, const char *outcome, const char *to)
{
    FailoverEdge *e = c->failover;
    if (!e->record)
        return;
    int64_t now = clock_mono_ms();
    json_set_str(e->record, "outcome", outcome);
    json_set_str(e->record, "to", to);
    json_set_time(e->record, "ended_at", clock_wall_ms());
    json_set_int(e->record, "took_ms", now - e->begun_ms);
    json_set_str(e->record, "why", e->refused);
    json_set_int(e->record, "without_writes_ms", to && e->unwritten_ms ? now - e->unwritten_ms : -1);
    e->unsaved = true;
    failover_record_save(c);
    json_decref(e->record);
    e->record = NULL;
}
