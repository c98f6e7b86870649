/* SPDX-License-Identifier: Apache-2.0 */
#include "wait.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/text.h"
#include "view.h"

enum { POLL_MS = 250, LOST_MS = 120000 };

typedef struct Watch {
    const Cli *cli;
    bool bar;
    char *said; /* last line, so that a script's log gets changes only */
    int64_t lost_at;
} Watch;

static void say(Watch *w, const char *line)
{
    if (w->bar) {
        size_t width = out_width(STDERR_FILENO);
        AUTO(str_done) Str clean = STR_INIT;
        AUTO(str_done) Str shown = STR_INIT;
        text_clean(&clean, line);
        text_cut(&shown, str_z(&clean), width > 1 ? width - 1 : 100);
        text_print(stderr, "\r\033[K%s", str_z(&shown));
        fflush(stderr);
        return;
    }
    if (w->said && strcmp(w->said, line) == 0)
        return;
    free(w->said);
    w->said = xstrdup(line);
    text_print(stderr, "%s\n", line);
}

static void say_state(Watch *w, const Task *t)
{
    AUTO(str_done) Str line = STR_INIT;
    const Run *r = view_last_run(t);
    str_addf(&line, "task %lld %s", (long long)t->id, WIRE_TEXT(task_state_names, t, state));
    if (r)
        str_addf(&line, ", run %s %s", r->id, WIRE_TEXT(coord_run_state_names, r, state));
    if (!r && t->why && *t->why)
        str_addf(&line, ": %s", t->why);
    if (r && w->bar) {
        str_adds(&line, "  ");
        view_progress(r, clock_wall_ms(), &line);
    }
    say(w, str_z(&line));
}

/* A coordinator that does not answer for a while is restarting; the task goes on without it. */
static bool may_wait_on(Watch *w, const Err *err)
{
    if (!err_is_transient(err))
        return false;
    if (!w->lost_at)
        w->lost_at = clock_mono_ms();
    say(w, "sidingd does not answer; the task goes on, waiting for sidingd");
    return clock_mono_ms() - w->lost_at < LOST_MS;
}

static void end_line(Watch *w)
{
    if (w->bar)
        fputs("\r\033[K", stderr);
    free(w->said);
}

static bool watch(Watch *w, int64_t id, int64_t deadline, Task *ret, json_t **ret_json, Err *err)
{
    for (;;) {
        if (client_task(w->cli, id, ret, ret_json, err)) {
            w->lost_at = 0;
            say_state(w, ret);
            if (task_state_is_final(ret->state))
                return true;
            wire_free(task_fields, ret);
            json_decref(*ret_json);
            *ret_json = NULL;
        } else if (!may_wait_on(w, err)) {
            return false;
        }
        if (deadline && clock_mono_ms() >= deadline)
            return err_set(err, ERR_TIMEOUT, 0, "task %lld has not ended in time; it goes on", (long long)id);
        clock_sleep_ms(POLL_MS);
    }
}

bool wait_for_task(const Cli *cli, int64_t id, int64_t timeout_ms, Task *ret, json_t **ret_json, Err *err)
{
    Watch w = {.cli = cli, .bar = out_is_smart(STDERR_FILENO)};
    bool ok = watch(&w, id, timeout_ms ? clock_mono_ms() + timeout_ms : 0, ret, ret_json, err);
    end_line(&w);
    return ok;
}

bool wait_outcome(const Task *t, Err *err)
{
    if (t->state == TASK_DONE)
        return true;
    return err_set(err, ERR_CANCELLED, 0, "task %lld ended as %s%s%s", (long long)t->id,
                   WIRE_TEXT(task_state_names, t, state), t->error && *t->error ? ": " : "",
                   t->error ? t->error : "");
}

static bool has_done(const Task *t, const char *action)
{
    if (str_eq(action, "sleep"))
        return t->state == TASK_SLEEPING || task_state_is_final(t->state);
    if (str_eq(action, "stop") || str_eq(action, "kill"))
        return task_state_is_final(t->state) || (t->state == TASK_WAITING && !t->request);
    return t->state != TASK_SLEEPING; /* wake; the others are done with their answer */
}

bool wait_acknowledged(const Cli *cli, const StrList *ids, const char *action, int64_t within_ms, Err *err)
{
    int64_t until = clock_mono_ms() + within_ms;
    for (size_t i = 0; i < ids->n;) {
        Task t = {0};
        int64_t id;
        Err ignored;
        if (!cli_task_id(ids->v[i], &id, NULL, err))
            return false;
        if (str_eq(action, "delete") || !client_task(cli, id, &t, NULL, &ignored)) {
            i++;
            continue;
        }
        bool done = has_done(&t, action);
        AUTOFREE char *state = xstrdup(WIRE_TEXT(task_state_names, &t, state));
        wire_free(task_fields, &t);
        if (done)
            i++;
        else if (clock_mono_ms() > until)
            return err_set(err, ERR_TIMEOUT, 0,
                           "task %s has not done it: it is %s; \"siding task kill\" ends it at once",
                           ids->v[i], state);
        else
            clock_sleep_ms(200);
    }
    return true;
}
