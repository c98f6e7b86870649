/* SPDX-License-Identifier: Apache-2.0 */
#include "terminal.h"

#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/net/httpc.h"
#include "curses.h"

enum { CONTROL_C = 'C' & 0x1f, CONTROL_L = 'L' & 0x1f, CONTROL_Z = 'Z' & 0x1f, SIGNALS = 5 };

enum { LONGEST_MS = 4000, TOGETHER_MS = 30 };

typedef struct Terminal {
    const TerminalSetup *setup;
    struct event_base *base;
    HttpClient *client;
    Monitor *monitor;
    struct event *keys, *timer, *signals[SIGNALS];
    int width, height;
} Terminal;

typedef struct TerminalAnswer {
    Terminal *t;
    uint64_t id;
} TerminalAnswer;

static void turn_soon(Terminal *t);

/* ---- sidingd --------------------------------------------------------------------------------------------
 */

static void on_answer(void *arg, bool ok, json_t *body, const Err *err)
{
    TerminalAnswer *a = arg;
    Terminal *t = a->t;
    /* Calls that the end of the program cancels are nobody's any more. */
    if (ok || err->kind != ERR_CANCELLED) {
        monitor_answer(t->monitor, a->id, ok, body, err, clock_wall_ms());
        turn_soon(t);
    }
    free(a);
}

static void start_calls(Terminal *t)
{
    MonitorCall call;
    while (monitor_next_call(t->monitor, &call, clock_wall_ms())) {
        TerminalAnswer *a = NEW(TerminalAnswer);
        *a = (TerminalAnswer){t, call.id};
        HttpCall http = {.base_url = t->setup->url,
                         .method = call.method,
                         .path = call.path,
                         .body = call.body,
                         .timeout_ms = call.timeout_ms,
                         .tls = t->setup->tls,
                         .as_text = call.text};
        httpc_start(t->client, &http, on_answer, a);
    }
}

/* ---- the screen -----------------------------------------------------------------------------------------
 */

static void draw(Terminal *t)
{
    AUTO(cells_done) Cells c;
    cells_init(&c, t->width, t->height);
    monitor_draw(t->monitor, &c, clock_wall_ms());
    curses_show(&c);
    if (monitor_take_bell(t->monitor))
        curses_bell();
}

static void set_timer(Terminal *t)
{
    int64_t now = clock_wall_ms(), ms = monitor_next_tick(t->monitor, now) - now;
    ms = ms < 10 ? 10 : ms > LONGEST_MS ? LONGEST_MS : ms; /* also where the clock was set back */
    const struct timeval tv = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
    evtimer_add(t->timer, &tv);
}

/* After each input: what is due is asked, what changed is shown. */
static void turn(Terminal *t)
{
    if (monitor_is_over(t->monitor)) {
        event_base_loopbreak(t->base);
        return;
    }
    monitor_tick(t->monitor, clock_wall_ms());
    start_calls(t);
    draw(t);
    set_timer(t);
}

/* Answers that come together are drawn together. */
static void turn_soon(Terminal *t)
{
    const struct timeval tv = {.tv_usec = TOGETHER_MS * 1000};
    evtimer_add(t->timer, &tv);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    turn(arg);
}

static void stand_aside(Terminal *t)
{
    curses_suspend();
    kill(0, SIGSTOP);
    curses_resume();
    turn(t);
}

static void take_key(Terminal *t, int key)
{
    if (key == CONTROL_C)
        event_base_loopbreak(t->base);
    else if (key == CONTROL_Z)
        stand_aside(t);
    else
        monitor_key(t->monitor, key, clock_wall_ms());
    if (key == CONTROL_L)
        curses_redraw();
}

static void on_keys(evutil_socket_t fd, short what, void *arg)
{
    Terminal *t = arg;
    (void)fd;
    (void)what;
    int key = curses_key();
    /* Readable and yet nothing: the terminal is gone. */
    if (key == MONKEY_NONE && !curses_is_there()) {
        event_base_loopbreak(t->base);
        return;
    }
    for (; key != MONKEY_NONE; key = curses_key())
        take_key(t, key);
    turn(t);
}

static void on_resize(evutil_socket_t number, short what, void *arg)
{
    Terminal *t = arg;
    (void)number;
    (void)what;
    curses_read_size(&t->width, &t->height);
    monitor_resize(t->monitor, t->width, t->height);
    turn(t);
}

static void on_end(evutil_socket_t number, short what, void *arg)
{
    Terminal *t = arg;
    (void)number;
    (void)what;
    event_base_loopbreak(t->base);
}

/* ---- beginning and end -----------------------------------------------------------------------------------
 */

static void watch(Terminal *t)
{
    static const int ends[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
    t->keys = event_new(t->base, STDIN_FILENO, EV_READ | EV_PERSIST, on_keys, t);
    t->timer = evtimer_new(t->base, on_timer, t);
    t->signals[0] = evsignal_new(t->base, SIGWINCH, on_resize, t);
    for (size_t i = 0; i < COUNT(ends); i++)
        t->signals[i + 1] = evsignal_new(t->base, ends[i], on_end, t);
    event_add(t->keys, NULL);
    for (size_t i = 0; i < SIGNALS; i++)
        event_add(t->signals[i], NULL);
}

static void terminal_free(Terminal *t)
{
    httpc_free(t->client);
    for (size_t i = 0; i < SIGNALS; i++)
        event_free(t->signals[i]);
    event_free(t->timer);
    event_free(t->keys);
    monitor_free(t->monitor);
    event_base_free(t->base);
}

bool terminal_run(const TerminalSetup *setup, Err *err)
{
    Terminal t = {.setup = setup};
    MonitorSetup model = {setup->url,       setup->user,         setup->parse_time,
                          setup->read_only, setup->by_hand_only, curses_is_utf8()};
    if (!curses_open(err))
        return false;
    t.base = event_base_new();
    if (!t.base)
        abort();
    t.client = httpc_new(t.base);
    t.monitor = monitor_new(&model, clock_wall_ms());
    watch(&t);
    on_resize(0, 0, &t);
    event_base_dispatch(t.base);
    curses_close();
    terminal_free(&t);
    return true;
}
