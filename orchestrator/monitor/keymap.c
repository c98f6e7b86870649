/* SPDX-License-Identifier: Apache-2.0
 * The one table of keys: what is called and what the help says, with what changes something first. The
 * letters are those of BibSched; where its guide and its program differ, the guide's are taken.
 */
#include "monitor_impl.h"

#define CONTROL(letter) ((letter)&0x1f)

/* ---- moving ------------------------------------------------------------------------------------------- */

static void key_up(Monitor *m, int64_t now_ms)
{
    (void)now_ms;
    rows_move(m, -1);
}

static void key_down(Monitor *m, int64_t now_ms)
{
    (void)now_ms;
    rows_move(m, 1);
}

static void key_page_up(Monitor *m, int64_t now_ms)
{
    (void)now_ms;
    rows_move(m, -m->page);
}

static void key_page_down(Monitor *m, int64_t now_ms)
{
    (void)now_ms;
    rows_move(m, m->page);
}

static void key_first(Monitor *m, int64_t now_ms)
{
    (void)now_ms;
    rows_choose(m, 0);
}

static void key_last(Monitor *m, int64_t now_ms)
{
    (void)now_ms;
    rows_choose(m, SIZE_MAX);
}

/* ---- views --------------------------------------------------------------------------------------------- */

static void show_view(Monitor *m, MonitorView view)
{
    m->view = view;
    feed_soon(m);
    m->archive_wanted = m->archive_wanted || !m->tasks[FEED_ARCHIVE].n;
    rows_build(m);
}

#define VIEW_KEY(name, v)                                                                                    \
    static void name(Monitor *m, int64_t now_ms)                                                             \
    {                                                                                                        \
        (void)now_ms;                                                                                        \
        show_view(m, v);                                                                                     \
    }
VIEW_KEY(key_done, VIEW_DONE)
VIEW_KEY(key_live, VIEW_LIVE)
VIEW_KEY(key_archive, VIEW_ARCHIVE)
VIEW_KEY(key_once, VIEW_ONCE)
VIEW_KEY(key_replicas, VIEW_REPLICAS)
VIEW_KEY(key_schedules, VIEW_SCHEDULES)
VIEW_KEY(key_events, VIEW_EVENTS)

static void key_next_view(Monitor *m, int64_t now_ms)
{
    (void)now_ms;
    show_view(m, m->view + 1 < VIEWS ? m->view + 1 : VIEW_DONE);
}

static void key_view_before(Monitor *m, int64_t now_ms)
{
    (void)now_ms;
    show_view(m, m->view > VIEW_DONE ? m->view - 1 : VIEWS - 1);
}

/* ---- looking ------------------------------------------------------------------------------------------- */

static void key_options(Monitor *m, int64_t now_ms)
{
    (void)now_ms;
    if (!rows_chosen(m))
        return;
    m->feeds[FEED_TASK].stale = m->feeds[FEED_WHY].stale = true;
    box_text(m, "details", pane_write_all);
}

static void key_pane(Monitor *m, int64_t now_ms)
{
    (void)now_ms;
    m->show_pane = !m->show_pane;
    m->pane_chosen = true;
    m->feeds[FEED_TASK].stale = m->feeds[FEED_WHY].stale = true;
}

static void key_log(Monitor *m, int64_t now_ms)
{
    (void)now_ms;
    logbox_open(m, "log");
}

static void key_errors(Monitor *m, int64_t now_ms)
{
    (void)now_ms;
    logbox_open(m, "err");
}

static void key_help(Monitor *m, int64_t now_ms)
{
    (void)now_ms;
    box_text(m, "keys", keymap_write_help);
}

/* ---- finding ------------------------------------------------------------------------------------------- */

static void took_search(Monitor *m, const char *text, int64_t now_ms)
{
    (void)now_ms;
    if (*text)
        str_set(&m->search, text);
    if (m->search && !rows_search(m, 1))
        monitor_say(m, LOOK_PLAIN, "no line here holds \"%s\"", m->search);
}

static void key_search(Monitor *m, int64_t now_ms)
{
    (void)now_ms;
    box_prompt(m, "search:", NULL, took_search);
}

static void search_on(Monitor *m, int direction)
{
    if (!m->search)
        monitor_say(m, LOOK_PLAIN, "/ searches first");
    else if (!rows_search(m, direction))
        monitor_say(m, LOOK_PLAIN, "no line here holds \"%s\"", m->search);
}

static void key_search_next(Monitor *m, int64_t now_ms)
{
    (void)now_ms;
    search_on(m, 1);
}

static void key_search_before(Monitor *m, int64_t now_ms)
{
    (void)now_ms;
    search_on(m, -1);
}

static void took_filter(Monitor *m, const char *text, int64_t now_ms)
{
    (void)now_ms;
    str_set(&rows_view(m)->filter, *text ? text : NULL);
    rows_build(m);
}

static void key_filter(Monitor *m, int64_t now_ms)
{
    (void)now_ms;
    box_prompt(m, "only lines with (empty: all):", rows_view(m)->filter, took_filter);
}

static void sort_by(Monitor *m, int step)
{
    ViewState *v = rows_view(m);
    const MonitorColumn *columns = columns_of(m);
    int n = 0;
    while (columns[n].head)
        n++;
    v->sort = (v->sort + step + n + 1) % (n + 1);
    if (v->sort)
        monitor_say(m, LOOK_PLAIN, "by %s", columns[v->sort - 1].head);
    else
        monitor_say(m, LOOK_PLAIN, "in the view's own order");
    rows_build(m);
}

static void key_sort_left(Monitor *m, int64_t now_ms)
{
    (void)now_ms;
    sort_by(m, -1);
}

static void key_sort_right(Monitor *m, int64_t now_ms)
{
    (void)now_ms;
    sort_by(m, 1);
}

static void key_reverse(Monitor *m, int64_t now_ms)
{
    (void)now_ms;
    rows_view(m)->reversed = !rows_view(m)->reversed;
    rows_build(m);
}

static void key_tag(Monitor *m, int64_t now_ms)
{
    (void)now_ms;
    rows_toggle_tag(m);
    rows_move(m, 1);
}

static void key_untag(Monitor *m, int64_t now_ms)
{
    (void)now_ms;
    strlist_done(&rows_view(m)->tags);
}

static void key_tag_all(Monitor *m, int64_t now_ms)
{
    (void)now_ms;
    ViewState *v = rows_view(m);
    strlist_done(&v->tags);
    for (size_t i = 0; i < m->n_rows; i++)
        strlist_add(&v->tags, m->rows[i].key);
}

static void key_escape(Monitor *m, int64_t now_ms)
{
    (void)now_ms;
    ViewState *v = rows_view(m);
    if (v->tags.n) {
        strlist_done(&v->tags);
    } else if (v->filter) {
        str_set(&v->filter, NULL);
        rows_build(m);
    }
}

static void key_command(Monitor *m, int64_t now_ms)
{
    (void)now_ms;
    box_prompt(m, ":", NULL, act_command);
}

static void key_refresh(Monitor *m, int64_t now_ms)
{
    (void)now_ms;
    feed_soon(m);
}

static void key_quit(Monitor *m, int64_t now_ms)
{
    (void)now_ms;
    m->over = true;
}

/* ---- the table ------------------------------------------------------------------------------------------
 */

/* clang-format off */
static const MonitorKey keymap[] = {
    {{'r', 'R'}, "r", "run now what waits", true, act_run},
    {{'s', 'S'}, "s", "put to sleep what runs; pause a replica", true, act_sleep},
    {{'w', 'W'}, "w", "wake what sleeps; resume a replica", true, act_wake},
    {{'t', 'T'}, "t", "stop what runs, cleanly", true, act_stop},
    {{'k', 'K'}, "k", "kill what runs; acknowledge what failed", true, act_kill},
    {{'n', 'N'}, "n", "the priority of what waits", true, act_priority},
    {{'j'}, "j", "the time it runs at", true, act_runtime},
    {{'f'}, "f", "the time after which it runs again", true, act_sleeptime},
    {{'c'}, "c", "its name", true, act_name},
    {{'a', 'A'}, "a", "manual mode, where nothing starts by itself; automatic again", true, act_mode},
    {{'x', 'X'}, "x", "a node: nothing new starts there; again: it may", true, act_cordon},
    {{'i', 'I'}, "i", "start anew what has ended or failed", true, act_retry},
    {{'d', 'D', MONKEY_DELETE}, "d", "delete what does not run", true, act_delete},
    {{'p', 'P'}, "p", "purge: delete what is done and old", true, act_purge},
    {{'o', 'O', MONKEY_ENTER}, "o Enter", "all details of the line", false, key_options},
    {{'e', 'E'}, "e", "what waits for you; what is held, by whom and why", false, act_brakes},
    {{'v', 'V'}, "v", "details below the list: shown or not", false, key_pane},
    {{'l'}, "l", "the task's log, followed", false, key_log},
    {{'L'}, "L", "the task's errors (stderr)", false, key_errors},
    {{'1'}, "1", "what is done", false, key_done},
    {{'2'}, "2", "what is live: waits, runs, sleeps, failed", false, key_live},
    {{'3'}, "3", "the archive: all that has ended", false, key_archive},
    {{'4'}, "4", "what is live and not periodic", false, key_once},
    {{'5'}, "5", "the replicas and the primary", false, key_replicas},
    {{'6'}, "6", "schedules", false, key_schedules},
    {{'7', 'b', 'B'}, "7 b", "events: what was done and by whom", false, key_events},
    {{MONKEY_TAB}, "Tab", "the next view", false, key_next_view},
    {{MONKEY_BACK_TAB}, "Shift-Tab", "the view before", false, key_view_before},
    {{'/'}, "/", "search; empty: the same again", false, key_search},
    {{'.'}, ".", "search on", false, key_search_next},
    {{','}, ",", "search back", false, key_search_before},
    {{'&'}, "&", "filter: only lines with these words; !word: without it", false, key_filter},
    {{'<'}, "<", "sort by the column to the left", false, key_sort_left},
    {{'>'}, ">", "sort by the column to the right", false, key_sort_right},
    {{'!'}, "!", "the other way round", false, key_reverse},
    {{' '}, "Space", "tag the line; what is asked then is asked for all tagged", false, key_tag},
    {{'*'}, "*", "tag all lines", false, key_tag_all},
    {{'u', 'U'}, "u", "untag all", false, key_untag},
    {{MONKEY_ESCAPE}, "Esc", "untag; show all lines again", false, key_escape},
    {{':'}, ":", "a command: a task's number, warnings, stop, …", false, key_command},
    {{CONTROL('L')}, "Ctrl-L", "ask sidingd again, draw all anew", false, key_refresh},
    {{'?', 'h', 'H', MONKEY_HELP}, "? h", "this help", false, key_help},
    {{'q', 'Q'}, "q", "quit", false, key_quit},
    {{MONKEY_UP}, "Up", "the line above", false, key_up},
    {{MONKEY_DOWN}, "Down", "the line below", false, key_down},
    {{MONKEY_PAGE_UP}, "PgUp", "a page up", false, key_page_up},
    {{MONKEY_PAGE_DOWN}, "PgDn", "a page down", false, key_page_down},
    {{'g', MONKEY_HOME}, "g Home", "the first line", false, key_first},
    {{'G', MONKEY_END}, "G End", "the last line", false, key_last},
    {{0}, NULL, NULL, false, NULL},
};
/* clang-format on */

const MonitorKey *keymap_find(int key)
{
    for (const MonitorKey *k = keymap; k->run; k++)
        for (size_t i = 0; i < COUNT(k->keys) && k->keys[i]; i++)
            if (k->keys[i] == key)
                return k;
    return NULL;
}

void keymap_write_help(Monitor *m, Flow *f, int64_t now_ms)
{
    (void)now_ms;
    for (const MonitorKey *k = keymap; k->run; k++) {
        bool off = k->changes && m->read_only;
        flow_pairf(f, k->shown, off ? LOOK_DIM : LOOK_PLAIN, "%s%s", k->text,
                   off ? " (not for viewers)" : "");
    }
    flow_text(f, LOOK_DIM, "Letters that change something are asked about where something would be lost.");
}
