/* SPDX-License-Identifier: Apache-2.0
 * A task's log, followed while it grows. Of a long one the last megabytes are kept.
 */
#include <inttypes.h>
#include <string.h>
#include <strings.h>

#include "common/base/text.h"
#include "monitor_impl.h"

enum { MOST_BYTES = 4 << 20, KEPT_BYTES = 2 << 20, SIDE_STEP = 20 };

void logbox_free(LogBuffer *l)
{
    str_done(&l->text);
    free(l->starts);
    free(l->error);
    free(l->search);
    *l = (LogBuffer){0};
}

char *logbox_path(const Monitor *m)
{
    const LogBuffer *l = &m->log;
    return xasprintf("/v1/tasks/%" PRId64 "/log?stream=%s&run=%" PRId64 "&offset=%" PRId64, l->task,
                     l->stream, l->run, l->offset);
}

void logbox_open(Monitor *m, const char *stream)
{
    const MonitorRow *r = rows_chosen(m);
    int64_t task, run = 0;
    const Run *last = r && r->task ? columns_last_run(r->task) : NULL;
    if (!r || !r->task) {
        monitor_say(m, LOOK_PLAIN, "logs are of tasks: press 2 for those that are live");
        return;
    }
    if (!last || !last->nodes.n || !wire_run_id(last->id ? last->id : "", &task, &run)) {
        monitor_say(m, LOOK_PLAIN, "task %" PRId64 " has no log yet: it has not run", r->task->id);
        return;
    }
    logbox_free(&m->log);
    m->log = (LogBuffer){.task = task, .run = run, .follow = true};
    strncpy(m->log.stream, stream, sizeof m->log.stream - 1);
    box_close(m);
    m->box.kind = BOX_LOG;
    m->feeds[FEED_LOG] = (FeedState){.asked = m->feeds[FEED_LOG].asked, .stale = true};
}

/* ---- its lines ----------------------------------------------------------------------------------------- */

static void index_lines(LogBuffer *l)
{
    const char *text = str_z(&l->text);
    l->n_lines = 0;
    for (size_t at = 0; at < l->text.len;) {
        if (l->n_lines == l->cap) {
            l->cap = l->cap ? 2 * l->cap : 1024;
            l->starts = xrealloc(l->starts, l->cap * sizeof *l->starts);
        }
        l->starts[l->n_lines++] = at;
        at += strcspn(text + at, "\n") + 1;
    }
}

/* Cuts at a line's beginning. */
static void keep_the_end(LogBuffer *l)
{
    if (l->text.len <= MOST_BYTES)
        return;
    size_t from = l->text.len - KEPT_BYTES;
    from += strcspn(l->text.p + from, "\n");
    from += l->text.p[from] == '\n';
    Str rest = STR_INIT;
    str_add(&rest, l->text.p + from, l->text.len - from);
    str_done(&l->text);
    l->text = rest;
    l->cut = true;
}

void logbox_take(Monitor *m, const json_t *body)
{
    LogBuffer *l = &m->log;
    const char *text = json_str(body, "text");
    int64_t bytes = json_int(body, "bytes");
    str_set(&l->error, NULL);
    str_adds(&l->text, text);
    l->offset = json_is_integer(json_object_get(body, "next")) ? json_int(body, "next") : l->offset + bytes;
    l->at_end = bytes == 0;
    if (bytes)
        m->feeds[FEED_LOG].stale = true;
    keep_the_end(l);
    index_lines(l);
}

static void line_text(const LogBuffer *l, size_t i, Str *out)
{
    const char *text = str_z(&l->text) + l->starts[i];
    AUTOFREE char *line = xstrndup(text, strcspn(text, "\n"));
    text_clean(out, line);
}

/* ---- keys -----------------------------------------------------------------------------------------------
 */

static size_t page_of(const Monitor *m)
{
    return m->height > 4 ? (size_t)m->height - 2 : 2;
}

static void scroll(Monitor *m, long by)
{
    LogBuffer *l = &m->log;
    size_t page = page_of(m), last = l->n_lines > page ? l->n_lines - page : 0;
    long to = (long)(l->follow ? last : l->top) + by;
    l->top = to < 0 ? 0 : (size_t)to > last ? last : (size_t)to;
    l->follow = by > 0 && l->top == last;
}

static bool find_from(Monitor *m, size_t from)
{
    LogBuffer *l = &m->log;
    for (size_t i = from; i < l->n_lines; i++) {
        AUTO(str_done) Str line = STR_INIT;
        line_text(l, i, &line);
        if (strcasestr(str_z(&line), l->search)) {
            l->top = i;
            l->follow = false;
            return true;
        }
    }
    return false;
}

static void search(Monitor *m, const char *text, int64_t now_ms)
{
    LogBuffer *l = &m->log;
    (void)now_ms;
    m->box.kind = BOX_LOG;
    if (*text)
        str_set(&l->search, text);
    if (l->search && !find_from(m, l->top + !*text) && !find_from(m, 0))
        str_set(&l->error, "the log does not hold this");
}

static void other_keys(Monitor *m, int key)
{
    switch (key) {
    case 'f':
    case 'F':
        m->log.follow = !m->log.follow;
        break;
    case 'l':
        logbox_open(m, "log");
        break;
    case 'L':
        logbox_open(m, "err");
        break;
    case '/':
        box_prompt(m, "search in the log:", NULL, search);
        break;
    case MONKEY_LEFT:
        m->log.left -= m->log.left < SIDE_STEP ? m->log.left : SIDE_STEP;
        break;
    case MONKEY_RIGHT:
        m->log.left += SIDE_STEP;
        break;
    case 'q':
    case 'Q':
    case MONKEY_ESCAPE:
        logbox_free(&m->log);
        box_close(m);
        break;
    default:
        break;
    }
}

void logbox_key(Monitor *m, int key)
{
    switch (key) {
    case MONKEY_UP:
        scroll(m, -1);
        break;
    case MONKEY_DOWN:
    case MONKEY_ENTER:
        scroll(m, 1);
        break;
    case MONKEY_PAGE_UP:
        scroll(m, -(long)page_of(m));
        break;
    case MONKEY_PAGE_DOWN:
    case ' ':
        scroll(m, (long)page_of(m));
        break;
    case MONKEY_HOME:
    case 'g':
        scroll(m, -(long)m->log.n_lines - 1);
        break;
    case MONKEY_END:
    case 'G':
        m->log.follow = true;
        break;
    default:
        other_keys(m, key);
    }
}

/* ---- drawing ---------------------------------------------------------------------------------------------
 */

static void draw_line(const LogBuffer *l, size_t i, Cells *c, int line)
{
    AUTO(str_done) Str text = STR_INIT;
    line_text(l, i, &text);
    const char *shown = str_z(&text) + text_fit(str_z(&text), (size_t)l->left);
    cells_put_cut(c, line, 0, c->width, LOOK_PLAIN, shown);
}

void logbox_draw(Monitor *m, Cells *c)
{
    LogBuffer *l = &m->log;
    size_t page = page_of(m), last = l->n_lines > page ? l->n_lines - page : 0;
    size_t top = l->follow || l->top > last ? last : l->top;
    for (int i = 0; i < c->height; i++)
        cells_blank(c, i, 0, c->width, i == 0 || i == c->height - 1 ? LOOK_BAR : LOOK_PLAIN);
    AUTOFREE char *title =
        xasprintf(" %s of task %" PRId64 ", run %" PRId64 "%s%s", str_eq(l->stream, "err") ? "errors" : "log",
                  l->task, l->run, l->follow ? ", followed" : "", l->cut ? ", its end" : "");
    cells_put_cut(c, 0, 0, c->width, LOOK_BAR, title);
    for (size_t i = 0; i < page && top + i < l->n_lines; i++)
        draw_line(l, top + i, c, 1 + (int)i);
    if (!l->n_lines)
        cells_put_cut(c, 1, 1, c->width - 1, LOOK_DIM, l->at_end ? "it is empty" : "it is being read …");
    AUTO(str_done) Str foot = STR_INIT;
    text_clean(&foot, l->error ? l->error : "q close  f follow  l log  L errors  / search  g G ends  arrows");
    cells_put_cut(c, c->height - 1, 1, c->width - 1, l->error ? LOOK_BAD : LOOK_BAR, str_z(&foot));
}
