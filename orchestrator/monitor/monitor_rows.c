/* SPDX-License-Identifier: Apache-2.0
 * The lines of a view: which there are, in which order, where the cursor stands. The cursor stays with its
 * task while lines move around it; where its task is gone it stays at its place, after a moment on no line.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "common/base/text.h"
#include "monitor_impl.h"

enum {
    WHOLE = 4000, /* columns: nothing is cut */
    /* What changes its state may be in no list for a moment, as each list is asked for by itself. So long no
     * other line takes its place under the cursor, where a key would be meant for the one that was there. */
    LOST_MS = 1500
};

ViewState *rows_view(Monitor *m)
{
    return &m->views[m->view];
}

const MonitorRow *rows_chosen(const Monitor *m)
{
    const ViewState *v = &m->views[m->view];
    return v->index < m->n_rows && !v->lost_ms ? &m->rows[v->index] : NULL;
}

const MonitorRow *rows_find(const Monitor *m, const char *key)
{
    for (size_t i = 0; i < m->n_rows; i++)
        if (strcmp(m->rows[i].key, key) == 0)
            return &m->rows[i];
    return NULL;
}

/* ---- which lines ------------------------------------------------------------------------------------- */

static char *row_text(const Monitor *m, const MonitorRow *r)
{
    Str s = STR_INIT;
    for (const MonitorColumn *c = columns_of(m); c->head; c++) {
        c->write(m, r, WHOLE, &s);
        str_addc(&s, ' ');
    }
    return str_take(&s);
}

/* Every word is there, none that has a "!" before it. */
static bool fits(const Monitor *m, const MonitorRow *r, const StrList *words)
{
    if (!words->n)
        return true;
    AUTOFREE char *text = row_text(m, r);
    for (size_t i = 0; i < words->n; i++) {
        const char *w = words->v[i];
        bool without = w[0] == '!' && w[1];
        if ((strcasestr(text, w + without) != NULL) == without)
            return false;
    }
    return true;
}

typedef struct RowsBuild {
    Monitor *m;
    StrList words;
    size_t cap;
} RowsBuild;

static void add_row(RowsBuild *b, const MonitorRow *r)
{
    Monitor *m = b->m;
    if (!fits(m, r, &b->words)) {
        m->n_hidden++;
        return;
    }
    if (m->n_rows == b->cap) {
        b->cap = b->cap ? 2 * b->cap : 64;
        m->rows = xrealloc(m->rows, b->cap * sizeof *m->rows);
    }
    m->rows[m->n_rows++] = *r;
}

/* sidingd gives the newest first. */
static bool has_task(const WireList *l, int64_t id)
{
    size_t from = 0, to = l->n;
    while (from < to) {
        size_t middle = (from + to) / 2;
        int64_t there = ((const Task *)l->v)[middle].id;
        if (there == id)
            return true;
        if (there > id)
            from = middle + 1;
        else
            to = middle;
    }
    return false;
}

/* What changes its state may be in two lists for a moment, as each is asked for by itself: the later answer
 * counts. */
static bool is_elsewhere(const Monitor *m, Feed f, int64_t id)
{
    for (int other = FEED_ACTIVE; other <= FEED_WAITING; other++)
        if (other != (int)f && m->feeds[other].answer > m->feeds[f].answer && has_task(&m->tasks[other], id))
            return true;
    return false;
}

static void add_tasks(RowsBuild *b, Feed f, bool (*only)(const Task *))
{
    const WireList *l = &b->m->tasks[f];
    for (size_t i = 0; i < l->n; i++) {
        const Task *t = (const Task *)l->v + i;
        MonitorRow r = {.task = t};
        snprintf(r.key, sizeof r.key, "%" PRId64, t->id);
        bool stale = f <= FEED_WAITING && is_elsewhere(b->m, f, t->id);
        if (!stale && (!only || only(t)))
            add_row(b, &r);
    }
}

static bool is_once(const Task *t)
{
    return !task_recurs(t);
}

static bool is_listed(const Monitor *m, const Task *t, bool live)
{
    for (int f = live ? FEED_ACTIVE : FEED_ARCHIVE; f <= (live ? FEED_WAITING : FEED_ARCHIVE); f++)
        if (has_task(&m->tasks[f], t->id))
            return true;
    return false;
}

/* One that a person has named, where its list does not reach so far. */
static void add_found(RowsBuild *b, bool live, bool (*only)(const Task *))
{
    const Task *t = &b->m->found;
    MonitorRow r = {.task = t};
    bool belongs = live == (!task_state_is_final(t->state) || columns_is_failed(t));
    if (!t->id || !belongs || (only && !only(t)) || is_listed(b->m, t, live))
        return;
    snprintf(r.key, sizeof r.key, "%" PRId64, t->id);
    add_row(b, &r);
}

static void add_live(RowsBuild *b, bool (*only)(const Task *))
{
    add_found(b, true, only);
    add_tasks(b, FEED_FAILED, only);
    add_tasks(b, FEED_ACTIVE, only);
    add_tasks(b, FEED_WAITING, only);
}

static void add_nodes(RowsBuild *b)
{
    for (size_t i = 0; i < b->m->nodes.n; i++) {
        const Node *n = (const Node *)b->m->nodes.v + i;
        MonitorRow r = {.node = n};
        snprintf(r.key, sizeof r.key, "%.60s", n->name ? n->name : "");
        add_row(b, &r);
    }
}

/* The newest event comes last and is shown first. */
static void add_json(RowsBuild *b, const json_t *list, const char *key, bool backwards)
{
    size_t n = json_array_size(list);
    for (size_t i = 0; i < n; i++) {
        MonitorRow r = {.json = json_array_get(list, backwards ? n - 1 - i : i)};
        const json_t *k = json_object_get(r.json, key);
        if (json_is_string(k))
            snprintf(r.key, sizeof r.key, "%.60s", json_string_value(k));
        else
            snprintf(r.key, sizeof r.key, "%" JSON_INTEGER_FORMAT, json_integer_value(k));
        add_row(b, &r);
    }
}

static void collect(RowsBuild *b)
{
    Monitor *m = b->m;
    switch (m->view) {
    case VIEW_DONE:
        add_tasks(b, FEED_DONE, NULL);
        break;
    case VIEW_ARCHIVE:
        add_tasks(b, FEED_ARCHIVE, NULL);
        add_found(b, false, NULL);
        break;
    case VIEW_ONCE:
        add_live(b, is_once);
        break;
    case VIEW_REPLICAS:
        add_nodes(b);
        break;
    case VIEW_SCHEDULES:
        if (m->no_schedules)
            add_live(b, task_recurs);
        else
            add_json(b, m->schedules, "name", false);
        break;
    case VIEW_EVENTS:
        add_json(b, m->events, "seq", true);
        break;
    default:
        add_live(b, NULL);
    }
}

/* ---- their order --------------------------------------------------------------------------------------- */

typedef struct RowsOrder {
    const Monitor *m;
    const MonitorColumn *column; /* NULL: the view's own order */
    bool reversed;
} RowsOrder;

static int by_number(int64_t a, int64_t b)
{
    return a < b ? -1 : a > b;
}

/* Live tasks by the time they are to run at, as one reads a queue; the rest as sidingd gave it. */
static int own_order(const Monitor *m, const MonitorRow *a, const MonitorRow *b)
{
    bool live = m->view == VIEW_LIVE || m->view == VIEW_ONCE;
    if (!live || !a->task || !b->task)
        return 0;
    int64_t at_a = a->task->run_at ? a->task->run_at : a->task->submitted_at;
    int64_t at_b = b->task->run_at ? b->task->run_at : b->task->submitted_at;
    int by_time = by_number(at_a, at_b);
    return by_time ? by_time : by_number(a->task->id, b->task->id);
}

static int by_text(const RowsOrder *o, const MonitorRow *a, const MonitorRow *b)
{
    AUTO(str_done) Str x = STR_INIT;
    AUTO(str_done) Str y = STR_INIT;
    o->column->write(o->m, a, WHOLE, &x);
    o->column->write(o->m, b, WHOLE, &y);
    return strcasecmp(str_z(&x), str_z(&y));
}

static int compare(const RowsOrder *o, const MonitorRow *a, const MonitorRow *b)
{
    int d = !o->column         ? own_order(o->m, a, b)
            : o->column->order ? by_number(o->column->order(a), o->column->order(b))
                               : by_text(o, a, b);
    return o->reversed ? -d : d;
}

/* By merging, which keeps equal lines in their order. */
static void merge_sort(Monitor *m, const RowsOrder *o)
{
    size_t n = m->n_rows;
    MonitorRow *from = m->rows, *to = xcalloc(n ? n : 1, sizeof *to);
    for (size_t width = 1; width < n; width *= 2) {
        for (size_t at = 0; at < n; at += 2 * width) {
            size_t i = at, middle = at + width < n ? at + width : n, j = middle;
            size_t end = at + 2 * width < n ? at + 2 * width : n;
            for (size_t k = at; k < end; k++)
                to[k] =
                    i < middle && (j >= end || compare(o, &from[i], &from[j]) <= 0) ? from[i++] : from[j++];
        }
        EXCHANGE(from, to);
    }
    m->rows = from;
    free(to);
}

static void sort_rows(Monitor *m)
{
    const ViewState *v = rows_view(m);
    RowsOrder o = {.m = m, .column = v->sort ? &columns_of(m)[v->sort - 1] : NULL, .reversed = v->reversed};
    merge_sort(m, &o);
    if (!o.column && o.reversed && m->view != VIEW_LIVE && m->view != VIEW_ONCE)
        for (size_t i = 0; i < m->n_rows / 2; i++)
            EXCHANGE(m->rows[i], m->rows[m->n_rows - 1 - i]);
}

/* ---- the cursor ---------------------------------------------------------------------------------------- */

/* What one was woken for; 0 where nothing failed. */
static size_t first_failed(const Monitor *m)
{
    for (size_t i = 0; i < m->n_rows; i++)
        if (m->rows[i].task && columns_is_failed(m->rows[i].task))
            return i;
    return 0;
}

static void settle_cursor(Monitor *m, bool wait)
{
    ViewState *v = rows_view(m);
    const MonitorRow *r = v->chosen[0] ? rows_find(m, v->chosen) : NULL;
    /* Who stands at the top of the events reads on there, while new ones come in above. */
    bool stays_on_top = !v->moved || (m->view == VIEW_EVENTS && v->index == 0);
    if (r || !v->moved)
        v->lost_ms = 0;
    else if (!v->lost_ms)
        v->lost_ms = m->now_ms;
    if (stays_on_top)
        v->index = m->view == VIEW_EVENTS ? 0 : first_failed(m);
    else if (r)
        v->index = (size_t)(r - m->rows);
    else if (v->index >= m->n_rows)
        v->index = m->n_rows ? m->n_rows - 1 : 0;
    if (wait && !stays_on_top && !r && v->chosen[0] && m->now_ms < v->lost_ms + LOST_MS)
        return;
    v->lost_ms = 0;
    snprintf(v->chosen, sizeof v->chosen, "%s", m->n_rows ? m->rows[v->index].key : "");
}

static void build(Monitor *m, bool wait)
{
    RowsBuild b = {.m = m};
    const ViewState *v = rows_view(m);
    free(m->rows);
    m->rows = NULL;
    m->n_rows = m->n_hidden = 0;
    if (v->filter)
        strlist_split(&b.words, v->filter, ' ');
    collect(&b);
    sort_rows(m);
    settle_cursor(m, wait);
    strlist_done(&b.words);
}

void rows_build(Monitor *m)
{
    build(m, false);
}

void rows_build_anew(Monitor *m)
{
    build(m, true);
}

void rows_choose(Monitor *m, size_t index)
{
    ViewState *v = rows_view(m);
    if (!m->n_rows)
        return;
    v->moved = true;
    v->lost_ms = 0;
    v->index = index < m->n_rows ? index : m->n_rows - 1;
    snprintf(v->chosen, sizeof v->chosen, "%s", m->rows[v->index].key);
    m->feeds[FEED_TASK].stale = m->feeds[FEED_WHY].stale = true;
    if (m->view == VIEW_ARCHIVE && v->index + 1 == m->n_rows)
        m->archive_wanted = true;
}

void rows_move(Monitor *m, long by)
{
    long to = (long)rows_view(m)->index + by;
    rows_choose(m, to < 0 ? 0 : (size_t)to);
}

bool rows_choose_key(Monitor *m, const char *key)
{
    const MonitorRow *r = rows_find(m, key);
    if (r)
        rows_choose(m, (size_t)(r - m->rows));
    return r != NULL;
}

bool rows_search(Monitor *m, int direction)
{
    if (!m->search || !m->n_rows)
        return false;
    size_t n = m->n_rows, from = rows_view(m)->index;
    for (size_t i = 1; i <= n; i++) {
        size_t at = direction > 0 ? (from + i) % n : (from + n - i % n) % n;
        AUTOFREE char *text = row_text(m, &m->rows[at]);
        if (strcasestr(text, m->search)) {
            rows_choose(m, at);
            return true;
        }
    }
    return false;
}

/* ---- tags ---------------------------------------------------------------------------------------------- */

bool rows_is_tagged(const Monitor *m, const MonitorRow *r)
{
    return strlist_has(&m->views[m->view].tags, r->key);
}

void rows_toggle_tag(Monitor *m)
{
    ViewState *v = rows_view(m);
    StrList kept = STRLIST_INIT;
    if (!m->n_rows)
        return;
    bool had = strlist_has(&v->tags, v->chosen);
    for (size_t i = 0; i < v->tags.n; i++)
        if (strcmp(v->tags.v[i], v->chosen) != 0)
            strlist_add(&kept, v->tags.v[i]);
    if (!had)
        strlist_add(&kept, v->chosen);
    strlist_done(&v->tags);
    v->tags = kept;
}

void rows_targets(Monitor *m, StrList *ret)
{
    const ViewState *v = rows_view(m);
    for (size_t i = 0; i < v->tags.n; i++)
        if (rows_find(m, v->tags.v[i]))
            strlist_add(ret, v->tags.v[i]);
    if (!ret->n && m->n_rows)
        strlist_add(ret, v->chosen);
}
