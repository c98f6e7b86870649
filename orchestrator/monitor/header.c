/* SPDX-License-Identifier: Apache-2.0
 * The first two lines: cluster, mode, health, primary; and what waits for a person, which is what one looks
 * for when woken at night. Whatever is well is not named.
 */
#include "common/base/clock.h"
#include "common/base/outtext.h"
#include "common/base/text.h"
#include "monitor_impl.h"

int64_t header_count(const Monitor *m, const char *state)
{
    return json_int(json_object_get(m->status, "counts"), state);
}

static void add_part(Str *s, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    AUTOFREE char *text = xvasprintf(fmt, ap);
    va_end(ap);
    str_addf(s, "%s%s", s->len ? "; " : "", text);
}

static const char *plural(int64_t n)
{
    return n == 1 ? "" : "s";
}

static void add_nodes(const Monitor *m, Str *out)
{
    for (size_t i = 0; i < m->nodes.n; i++) {
        const Node *n = (const Node *)m->nodes.v + i;
        if (columns_over_limit(n, m->now_ms))
            add_part(out, "%s paused past its limit", n->name);
        else if (n->state == NODE_UNREACHABLE || n->state == NODE_DOWN || n->state == NODE_ERRORS ||
                 n->state == NODE_STOPPED || n->state == NODE_DETACHED)
            add_part(out, "%s %s", n->name,
                     n->state == NODE_ERRORS ? "has errors" : WIRE_TEXT(node_health_names, n, state));
    }
}

/* Since when something failed that nobody has acknowledged; 0: not known. */
static int64_t failed_since(const Monitor *m)
{
    int64_t first = 0;
    for (size_t i = 0; i < m->tasks[FEED_FAILED].n; i++) {
        const Task *t = (const Task *)m->tasks[FEED_FAILED].v + i;
        if (columns_is_failed(t) && t->finished_at && (!first || t->finished_at < first))
            first = t->finished_at;
    }
    return first;
}

/* Manual mode, since when, by whom and why: found on Monday it has stood since Friday. */
static void add_mode(const Monitor *m, Str *out)
{
    const json_t *b = monitor_brake(m, "queue", NULL);
    char since[OUT_TEXT], until[OUT_TEXT];
    if (!monitor_is_manual(m))
        return;
    out_time(columns_time(b, "since"), since);
    out_time(columns_time(b, "until"), until);
    since[16] = until[16] = 0;
    add_part(out, "manual mode%s%s%s%s%s%s%s%s", *since ? " since " : "", since, *until ? " until " : "",
             *until ? until + 11 : "", *json_str(b, "by") ? " by " : "", json_str(b, "by"),
             *json_str(b, "reason") ? ": " : "", json_str(b, "reason"));
}

void header_waits(const Monitor *m, Str *out)
{
    int64_t failed = header_count(m, "error") + header_count(m, "done_with_errors"), since = failed_since(m);
    int64_t turns = json_int(monitor_queue(m), "turns_failed");
    const json_t *database = json_object_get(m->status, "database");
    const json_t *warnings = json_object_get(m->status, "warnings");
    char at[OUT_TEXT];
    out_time(since, at);
    add_mode(m, out);
    if (m->status && !json_bool(database, "ok"))
        add_part(out, "the queue's database cannot be used");
    if (failed)
        add_part(out, "%lld failed task%s%s%.5s", (long long)failed, plural(failed), since ? " since " : "",
                 since ? at + 11 : "");
    if (turns == 1)
        add_part(out, "%s failed in its last turn",
                 json_str(json_array_get(json_object_get(monitor_queue(m), "failed_turns"), 0), "name"));
    else if (turns)
        add_part(out, "%lld recurring tasks failed in their last turn", (long long)turns);
    add_nodes(m, out);
    if (json_array_size(warnings) == 1)
        add_part(out, "warning: %s", json_string_value(json_array_get(warnings, 0)));
    else if (json_array_size(warnings))
        add_part(out, "%zu warning%s (:warnings)", json_array_size(warnings),
                 plural((int64_t)json_array_size(warnings)));
}

/* "3 running, 12 waiting" */
static void queue_counts(const Monitor *m, Str *out)
{
    static const char *const states[] = {"running", "sleeping", "stopping", "waiting"};
    for (size_t i = 0; i < COUNT(states); i++) {
        int64_t n = header_count(m, states[i]);
        char text[OUT_TEXT];
        out_count(n, text);
        if (n)
            str_addf(out, "%s%s %s", out->len ? ", " : "", text, states[i]);
    }
    if (!out->len)
        str_adds(out, "nothing in the queue");
}

static void draw_away(const Monitor *m, Cells *c)
{
    AUTO(str_done) Str s = STR_INIT;
    AUTO(str_done) Str clean = STR_INIT;
    char gone[CLOCK_TEXT], at[OUT_TEXT];
    clock_format_duration(m->now_ms - m->away_since, gone);
    out_time(m->away_since, at);
    cells_blank(c, 1, 0, c->width, LOOK_BAD);
    text_clean(&clean, m->away);
    str_addf(&s, " AWAY %s: %s%s", gone, str_z(&clean), m->seen_once ? "; what is shown is older" : "");
    if (cells_put_cut(c, 1, 0, c->width, LOOK_BAD, str_z(&s)) >= c->width)
        cells_put(c, 1, c->width - 9, 9, LOOK_KEY, "… e: all ");
}

static void draw_first(const Monitor *m, Cells *c)
{
    AUTO(str_done) Str left = STR_INIT;
    AUTO(str_done) Str clean = STR_INIT;
    AUTO(str_done) Str counts = STR_INIT;
    char now[OUT_TEXT];
    const char *primary = json_str(m->status, "primary");
    text_clean(&clean, m->status ? json_str(m->status, "cluster_name") : m->url);
    queue_counts(m, &counts);
    out_time(m->now_ms, now);
    cells_blank(c, 0, 0, c->width, LOOK_BAR);
    str_addf(&left, " Siding %s  %s  primary ", str_z(&clean), monitor_is_manual(m) ? "MANUAL" : "AUTO");
    text_clean(&left, *primary ? primary : "?");
    if (m->read_only)
        str_adds(&left, "  READ ONLY");
    str_addf(&left, "  %s", m->status ? str_z(&counts) : "");
    cells_put_cut(c, 0, 0, c->width - 7, LOOK_BAR, str_z(&left));
    if (now[0])
        now[16] = 0;
    cells_put(c, 0, c->width - 6, 5, LOOK_BAR, now[0] ? now + 11 : "");
}

void header_draw(const Monitor *m, Cells *c)
{
    AUTO(str_done) Str waits = STR_INIT;
    draw_first(m, c);
    if (m->away) {
        draw_away(m, c);
        return;
    }
    header_waits(m, &waits);
    if (!m->status) {
        cells_put_cut(c, 1, 1, c->width - 1, LOOK_DIM, "asking sidingd …");
    } else if (!waits.len) {
        cells_put_cut(c, 1, 1, c->width - 1, LOOK_GOOD, "all is well: nothing waits for you");
    } else {
        AUTO(str_done) Str clean = STR_INIT;
        text_clean(&clean, str_z(&waits));
        int at = cells_put(c, 1, 1, c->width - 1, LOOK_BAD, "waits for you: ");
        at = cells_put_cut(c, 1, at, c->width - at, LOOK_BAD, str_z(&clean));
        if (at >= c->width)
            cells_put(c, 1, c->width - 9, 9, LOOK_KEY, "… e: all ");
    }
}
