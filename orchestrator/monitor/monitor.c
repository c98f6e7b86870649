/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor_impl.h"

enum { AT_ONCE = 6, TICK_MS = 1000, QUIET_TICK_MS = 4000 };

Monitor *monitor_new(const MonitorSetup *setup, int64_t now_ms)
{
    Monitor *m = NEW(Monitor);
    m->url = xstrdup(setup->url);
    m->user = xstrdup(setup->user);
    m->parse_time = setup->parse_time;
    m->read_only = setup->read_only;
    m->asked_read_only = setup->read_only;
    m->by_hand_only = setup->by_hand_only;
    m->utf8 = setup->utf8;
    m->now_ms = now_ms;
    m->view = VIEW_LIVE;
    m->page = 1;
    return m;
}

void monitor_free(Monitor *m)
{
    if (!m)
        return;
    feed_free(m);
    box_close(m);
    act_free(&m->plan);
    logbox_free(&m->log);
    for (int v = 0; v < VIEWS; v++) {
        strlist_done(&m->views[v].tags);
        free(m->views[v].filter);
    }
    free(m->rows);
    free(m->search);
    free(m->message);
    free(m->url);
    free(m->user);
    free(m);
}

void monitor_resize(Monitor *m, int width, int height)
{
    m->width = width;
    m->height = height;
}

void monitor_key(Monitor *m, int key, int64_t now_ms)
{
    m->now_ms = now_ms;
    str_set(&m->message, NULL);
    if (m->box.kind != BOX_NONE) {
        box_key(m, key, now_ms);
        return;
    }
    /* From now on the cursor stays: what is asked for is asked for the line that was seen. */
    rows_view(m)->moved = true;
    const MonitorKey *k = keymap_find(key);
    if (k && k->changes && k->run != act_mode && !monitor_may_change(m))
        return;
    if (k)
        k->run(m, now_ms);
    else if (key > ' ' && key < 0x7f)
        monitor_say(m, LOOK_PLAIN, "%c does nothing here; ? lists the keys", key);
}

void monitor_tick(Monitor *m, int64_t now_ms)
{
    feed_tick(m, now_ms);
    /* What went wrong stays until a key is pressed. */
    if (m->message && m->message_look != LOOK_BAD && now_ms >= m->message_until)
        str_set(&m->message, NULL);
}

int64_t monitor_next_tick(const Monitor *m, int64_t now_ms)
{
    /* Where nothing is counted on the screen it need not be drawn each second. */
    bool quiet =
        !m->away && !m->message && m->box.kind == BOX_NONE && m->view != VIEW_REPLICAS && !feed_is_busy(m);
    int64_t next = feed_next(m), soon = now_ms + (quiet ? QUIET_TICK_MS : TICK_MS);
    return next < soon ? next : soon;
}

bool monitor_next_call(Monitor *m, MonitorCall *ret, int64_t now_ms)
{
    int under_way = 0;
    (void)now_ms;
    for (Ask *a = m->asks; a; a = a->next)
        under_way += a->sent && a->feed == FEED_ACTION;
    for (Ask *a = m->asks; a; a = a->next) {
        if (a->sent || (a->feed == FEED_ACTION && under_way >= AT_ONCE))
            continue;
        a->sent = true;
        *ret = (MonitorCall){a->id, a->method, a->path, a->body, a->timeout_ms, a->feed == FEED_LOG};
        return true;
    }
    return false;
}

void monitor_answer(Monitor *m, uint64_t id, bool ok, const json_t *body, const Err *err, int64_t now_ms)
{
    m->now_ms = now_ms;
    for (Ask *a = m->asks; a; a = a->next) {
        if (a->id != id)
            continue;
        if (a->feed == FEED_ACTION)
            act_answered(m, a, ok, err);
        else
            feed_answer(m, a, ok, body, err);
        feed_drop_ask(m, a);
        return;
    }
}

bool monitor_is_over(const Monitor *m)
{
    return m->over;
}

bool monitor_take_bell(Monitor *m)
{
    bool bell = m->bell;
    m->bell = false;
    return bell;
}
