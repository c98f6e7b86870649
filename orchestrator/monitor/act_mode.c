/* SPDX-License-Identifier: Apache-2.0
 * What keeps the queue, a lane or a node from starting anything: the manual mode and its like, set and ended.
 */
#include <string.h>

#include "common/base/outtext.h"
#include "monitor_impl.h"

enum { SHORT_S = 300, HOUR_S = 3600 };

static const char short_while[] = "for 5 minutes", an_hour[] = "for an hour",
                  for_ever[] = "until it is ended by hand";

static void plan_queue(Monitor *m, const char *mode)
{
    act_free(&m->plan);
    m->plan.kind = PLAN_QUEUE;
    m->plan.verb = xstrdup(mode);
    m->plan.body = json_object();
    strlist_add(&m->plan.keys, mode);
}

static void took_reason(Monitor *m, const char *text, int64_t now_ms)
{
    (void)now_ms;
    if (!*text) {
        act_refuse(m, "manual mode for longer than minutes needs a reason, for those who find it");
        return;
    }
    json_set_str(m->plan.body, "reason", text);
    act_send(m);
}

static void took_span(Monitor *m, const char *text, int64_t now_ms)
{
    (void)now_ms;
    plan_queue(m, "manual");
    if (str_eq(text, short_while) || str_eq(text, an_hour))
        json_set_int(m->plan.body, "for_s", str_eq(text, an_hour) ? HOUR_S : SHORT_S);
    if (str_eq(text, short_while))
        act_send(m);
    else
        box_prompt(m, "reason, for others to read:", NULL, took_reason);
}

void act_mode(Monitor *m, int64_t now_ms)
{
    static const char *const spans[] = {short_while, an_hour, for_ever, NULL};
    (void)now_ms;
    if (m->read_only)
        (void)monitor_may_change(m); /* says why not */
    else if (!m->status || !monitor_queue(m)) {
        monitor_say(m, LOOK_PLAIN, "this sidingd knows no manual mode");
    } else if (monitor_is_manual(m)) {
        plan_queue(m, "auto");
        act_send(m);
    } else
        box_choice(m, "manual mode: nothing starts by itself", spans, took_span);
}

/* ---- nodes
 * ------------------------------------------------------------------------------------------------- */

static void took_cordon(Monitor *m, const char *text, int64_t now_ms)
{
    (void)now_ms;
    m->plan.body = json_object();
    json_set_str(m->plan.body, "reason", text);
    act_send(m);
}

void act_cordon(Monitor *m, int64_t now_ms)
{
    (void)now_ms;
    if (m->view != VIEW_REPLICAS) {
        monitor_say(m, LOOK_PLAIN, "x is for nodes: press 5 first");
        return;
    }
    if (!act_plan(m, "cordon"))
        return;
    if (monitor_brake(m, "node", m->plan.keys.v[0])) {
        str_set(&m->plan.verb, "uncordon");
        act_send(m);
    } else
        box_prompt(m, "nothing new starts there; reason:", NULL, took_cordon);
}

/* ---- what there is
 * ----------------------------------------------------------------------------------------- */

static void write_brake(const json_t *b, Flow *f)
{
    char since[OUT_TEXT], until[OUT_TEXT];
    out_time(columns_time(b, "since"), since);
    out_time(columns_time(b, "until"), until);
    AUTOFREE char *name = xasprintf("%s %s", json_str(b, "kind"), json_str(b, "name"));
    flow_pairf(f, name, LOOK_WARN, " since %s%s%s%s%s%s%s", since, *until ? " until " : "", until,
               *json_str(b, "by") ? " by " : "", json_str(b, "by"), *json_str(b, "reason") ? ": " : "",
               json_str(b, "reason"));
}

static void write_brakes(Monitor *m, Flow *f, int64_t now_ms)
{
    const json_t *q = monitor_queue(m), *brakes = json_object_get(q, "brakes");
    const json_t *failures = json_object_get(q, "failures"), *v;
    const json_t *turns = json_object_get(q, "failed_turns");
    size_t i;
    AUTO(str_done) Str waits = STR_INIT;
    (void)now_ms;
    header_waits(m, &waits);
    if (m->away)
        flow_pairf(
            f, "away", LOOK_BAD,
            "%s. Jobs and replicas go on without sidingd; nothing new starts. On its host siding start "
            "starts it, and its log says why it ended; this screen then goes on by itself.",
            m->away);
    flow_pair(f, "for you", LOOK_BAD, str_z(&waits));
    const json_t *warnings = json_object_get(m->status, "warnings");
    json_array_foreach(warnings, i, v) if (json_array_size(warnings) > 1)
        flow_pair(f, "warning", LOOK_WARN, json_string_value(v));
    flow_pair(f, "mode", LOOK_PLAIN,
              monitor_is_manual(m) ? "manual: nothing starts by itself; a ends it" : "automatic");
    json_array_foreach(brakes, i, v) write_brake(v, f);
    if (!json_array_size(brakes))
        flow_pair(f, "held", LOOK_PLAIN, "nothing");
    json_array_foreach(turns, i, v) flow_pairf(f, "failed", LOOK_BAD, "task %lld %s, in its last turn",
                                               (long long)json_int(v, "task"), json_str(v, "name"));
    json_array_foreach(failures, i, v)
    {
        char since[OUT_TEXT];
        out_time(columns_time(v, "since"), since);
        flow_pairf(f, "failed", LOOK_BAD, "task %lld %s since %s; %lld wait for it",
                   (long long)json_int(v, "task"), json_str(v, "name"), since,
                   (long long)json_int(v, "waiting"));
    }
}

void act_brakes(Monitor *m, int64_t now_ms)
{
    (void)now_ms;
    box_text(m, "what waits for you, what is held", write_brakes);
}
