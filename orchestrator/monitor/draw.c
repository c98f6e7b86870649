/* SPDX-License-Identifier: Apache-2.0
 * Where what stands on the screen: two lines of header, the views, the list, details where there is room, the
 * last line with keys or with what is to be told.
 */
#include <stdio.h>
#include <string.h>

#include "common/base/outtext.h"
#include "common/base/text.h"
#include "monitor_impl.h"

enum { GAP = 1, TAG_WIDTH = 2, MOST_COLUMNS = 12, LIST_LINE = 4, MOST_MESSAGE = 4, PANE_FROM_HEIGHT = 22 };

static const char *const view_names[VIEWS] = {
    [VIEW_DONE] = "done",    [VIEW_LIVE] = "live",         [VIEW_ARCHIVE] = "archive",
    [VIEW_ONCE] = "once",    [VIEW_REPLICAS] = "replicas", [VIEW_SCHEDULES] = "schedules",
    [VIEW_EVENTS] = "events"};

/* ---- columns ------------------------------------------------------------------------------------------ */

static int sum_of(const MonitorColumn *columns, const int *widths)
{
    int sum = TAG_WIDTH;
    for (int i = 0; columns[i].head; i++)
        if (widths[i])
            sum += widths[i] + GAP;
    return sum;
}

/* The column that is left out next; -1: none may be. */
static int drop_next(const MonitorColumn *columns, const int *widths)
{
    int at = -1;
    for (int i = 0; columns[i].head; i++)
        if (widths[i] && columns[i].rank && (at < 0 || columns[i].rank >= columns[at].rank))
            at = i;
    return at;
}

/* What a column's lines on the screen need, within its bounds. */
static int needed(const Monitor *m, const MonitorColumn *c, size_t top, size_t lines)
{
    int most = (int)strlen(c->head);
    for (size_t i = top; i < top + lines && i < m->n_rows; i++) {
        AUTO(str_done) Str text = STR_INIT;
        c->write(m, &m->rows[i], c->most, &text);
        int n = (int)text_width(str_z(&text), text.len);
        most = n > most ? n : most;
    }
    return most < c->least ? c->least : most > c->most ? c->most : most;
}

/* All at their least; less important ones go until it fits; then they grow to what they need. */
static void column_widths(const Monitor *m, int width, size_t top, size_t lines, int widths[MOST_COLUMNS])
{
    const MonitorColumn *columns = columns_of(m);
    int n = 0;
    for (; columns[n].head; n++)
        widths[n] = columns[n].least;
    while (sum_of(columns, widths) > width && drop_next(columns, widths) >= 0)
        widths[drop_next(columns, widths)] = 0;
    for (int i = 0; i < n - 1; i++) {
        int spare = width - sum_of(columns, widths);
        int more = widths[i] ? needed(m, &columns[i], top, lines) - widths[i] : 0;
        widths[i] += more < spare ? more : spare > 0 ? spare : 0;
    }
    int rest = width - sum_of(columns, widths);
    widths[n - 1] += rest > 0 ? rest : 0;
}

static void draw_head(const Monitor *m, Cells *c, const int *widths)
{
    const MonitorColumn *columns = columns_of(m);
    const ViewState *v = &m->views[m->view];
    int at = TAG_WIDTH;
    cells_blank(c, LIST_LINE - 1, 0, c->width, LOOK_TITLE);
    for (int i = 0; columns[i].head; i++) {
        if (!widths[i])
            continue;
        AUTOFREE char *text =
            xasprintf("%s%s", columns[i].head, v->sort == i + 1 ? v->reversed ? "-" : "+" : "");
        int pad = columns[i].right ? widths[i] - (int)strlen(text) : 0;
        cells_put_cut(c, LIST_LINE - 1, at + (pad > 0 ? pad : 0), widths[i], LOOK_TITLE, text);
        at += widths[i] + GAP;
    }
}

static void draw_row(const Monitor *m, Cells *c, int line, size_t index, const int *widths)
{
    const MonitorRow *r = &m->rows[index];
    const MonitorColumn *columns = columns_of(m);
    bool chosen = r == rows_chosen(m);
    unsigned look = columns_look(r) | (chosen ? LOOK_CHOSEN : 0u);
    int at = TAG_WIDTH;
    cells_blank(c, line, 0, c->width, look);
    cells_put(c, line, 0, TAG_WIDTH, look, chosen ? ">" : " ");
    if (rows_is_tagged(m, r))
        cells_put(c, line, 1, 1, look, "*");
    for (int i = 0; columns[i].head; i++) {
        if (!widths[i])
            continue;
        AUTO(str_done) Str text = STR_INIT;
        columns[i].write(m, r, widths[i], &text);
        int pad = columns[i].right ? widths[i] - (int)text_width(str_z(&text), text.len) : 0;
        cells_put_cut(c, line, at + (pad > 0 ? pad : 0), widths[i], look, str_z(&text));
        at += widths[i] + GAP;
    }
}

/* ---- parts --------------------------------------------------------------------------------------------- */

static void draw_tabs(const Monitor *m, Cells *c)
{
    const ViewState *v = &m->views[m->view];
    int at = 1;
    /* Names of all where they fit, else of the one that is shown. */
    bool all = c->width >= (v->tags.n || v->filter ? 110 : 76);
    for (int i = VIEW_DONE; i < VIEWS; i++) {
        bool here = i == (int)m->view;
        AUTOFREE char *text = xasprintf(here ? "[%d %s] " : all ? "%d %s " : "%d ", i, view_names[i]);
        at = cells_put_cut(c, 2, at, c->width - at, here ? LOOK_KEY : LOOK_DIM, text);
    }
    AUTO(str_done) Str s = STR_INIT;
    AUTO(str_done) Str clean = STR_INIT;
    str_addf(&s, " %zu line%s", m->n_rows, m->n_rows == 1 ? "" : "s");
    int64_t waiting = header_count(m, "waiting");
    if ((m->view == VIEW_LIVE || m->view == VIEW_ONCE) && waiting > (int64_t)m->tasks[FEED_WAITING].n) {
        char count[OUT_TEXT];
        out_count(waiting, count);
        str_addf(&s, ", the newest of %s waiting", count);
    }
    if (v->tags.n)
        str_addf(&s, ", %zu tagged", v->tags.n);
    if (v->filter)
        str_addf(&s, ", %zu hidden by &%s", m->n_hidden, v->filter);
    text_clean(&clean, str_z(&s));
    cells_put_cut(c, 2, at, c->width - at, v->filter || v->tags.n ? LOOK_WARN : LOOK_DIM, str_z(&clean));
}

static const char *nothing_text(const Monitor *m)
{
    if (m->n_hidden)
        return "No line holds the filter's words; Esc shows all.";
    if (!m->status)
        return m->away ? "Nothing is known yet." : "";
    if (m->view < VIEW_REPLICAS && !json_bool(json_object_get(m->status, "database"), "ok"))
        return "The queue cannot be read now.";
    switch (m->view) {
    case VIEW_DONE:
        return "Nothing is done yet.";
    case VIEW_ARCHIVE:
        return "Nothing has ended yet.";
    case VIEW_SCHEDULES:
        return "There is no schedule.";
    case VIEW_REPLICAS:
        return "No node is known.";
    case VIEW_EVENTS:
        return "Nothing happened.";
    default:
        return "Nothing waits, runs or failed.";
    }
}

static void draw_list(Monitor *m, Cells *c, int lines)
{
    ViewState *v = rows_view(m);
    int widths[MOST_COLUMNS];
    size_t shown = lines > 0 ? (size_t)lines : 1;
    m->page = (long)shown;
    if (v->index < v->top)
        v->top = v->index;
    if (v->index >= v->top + shown)
        v->top = v->index - shown + 1;
    if (v->top + shown > m->n_rows)
        v->top = m->n_rows > shown ? m->n_rows - shown : 0;
    column_widths(m, c->width, v->top, shown, widths);
    draw_head(m, c, widths);
    for (size_t i = 0; i < shown && v->top + i < m->n_rows; i++)
        draw_row(m, c, LIST_LINE + (int)i, v->top + i, widths);
    if (!m->n_rows)
        cells_put_cut(c, LIST_LINE, TAG_WIDTH, c->width - TAG_WIDTH, LOOK_DIM, nothing_text(m));
}

static void draw_pane(Monitor *m, Cells *c, const Flow *f, int line, int lines)
{
    (void)m;
    for (int i = 0; i < c->width; i++)
        cells_put(c, line, i, 1, LOOK_DIM, "─");
    for (int i = 0; i < lines - 1 && i < (int)f->lines.n; i++)
        flow_put(c, line + 1 + i, 1, c->width - 1, f->lines.v[i]);
    if ((int)f->lines.n > lines - 1)
        cells_put_cut(c, line, c->width - 18, 17, LOOK_DIM, " o: all of this ");
}

/* What is to be told, on as many lines as it takes: what went wrong must not be cut. */
static void draw_message(const Monitor *m, Cells *c)
{
    AUTO(flow_done) Flow f;
    unsigned look = m->message_look == LOOK_PLAIN ? LOOK_BAR : m->message_look;
    flow_init(&f, c->width - 2);
    flow_text(&f, (CellLook)look, m->message);
    flow_end(&f);
    int n = f.lines.n < MOST_MESSAGE ? (int)f.lines.n : MOST_MESSAGE;
    for (int i = 0; i < n; i++) {
        cells_blank(c, c->height - n + i, 0, c->width, look);
        flow_put(c, c->height - n + i, 1, c->width - 1, f.lines.v[i]);
    }
}

static void draw_last(const Monitor *m, Cells *c)
{
    cells_blank(c, c->height - 1, 0, c->width, LOOK_BAR);
    if (m->message)
        draw_message(m, c);
    else
        hints_draw(m, c);
}

static void draw_small_terminal(const Monitor *m, Cells *c)
{
    AUTOFREE char *text = xasprintf("%dx%d is too small: %dx%d", m->width, m->height, MONITOR_LEAST_WIDTH,
                                    MONITOR_LEAST_HEIGHT);
    cells_put_cut(c, 0, 0, c->width, LOOK_BAD, text);
}

/* What is left of the height goes to the list: at least half of it. */
static void draw_body(Monitor *m, Cells *c, int64_t now_ms)
{
    AUTO(flow_done) Flow f;
    int room = c->height - 1 - LIST_LINE, pane = 0;
    bool shows = m->pane_chosen ? m->show_pane : c->height >= PANE_FROM_HEIGHT;
    m->show_pane = shows;
    flow_init(&f, c->width - 2);
    if (shows) {
        pane_write(m, &f, now_ms);
        flow_end(&f);
        pane = (int)f.lines.n + 1 < room / 2 ? (int)f.lines.n + 1 : room / 2;
        pane = pane < 6 && room >= 12 ? 6 : pane; /* so that the list does not jump from line to line */
    }
    draw_list(m, c, room - pane);
    if (pane > 1)
        draw_pane(m, c, &f, c->height - 1 - pane, pane);
}

void monitor_draw(Monitor *m, Cells *c, int64_t now_ms)
{
    m->now_ms = now_ms;
    if (c->width < MONITOR_LEAST_WIDTH || c->height < MONITOR_LEAST_HEIGHT) {
        draw_small_terminal(m, c);
    } else {
        header_draw(m, c);
        draw_tabs(m, c);
        draw_body(m, c, now_ms);
        draw_last(m, c);
        box_draw(m, c, now_ms);
    }
    if (!m->utf8)
        cells_to_ascii(c);
}
