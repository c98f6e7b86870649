/* SPDX-License-Identifier: Apache-2.0 */
#include "copies.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/base/log.h"
#include "common/file/fs.h"
#include "program.h"
#include "replica-agent/agent/agent.h"
#include "replica-agent/host/tools.h"

typedef struct Copy {
    struct Copy *next;
    Agent *a;
    char *run, *node, *place; /* whose result, from where; the folder it comes into */
    char *dir;                /* of the supervised fetch */
    Program *program;
} Copy;

static void copy_free(Copy *c)
{
    program_free(c->program);
    free(c->run);
    free(c->node);
    free(c->place);
    free(c->dir);
    free(c);
}

static void forget(Copy *c)
{
    for (Copy **p = &c->a->copies; *p; p = &(*p)->next)
        if (*p == c) {
            *p = c->next;
            break;
        }
    copy_free(c);
}

static Copy *find(const Agent *a, const char *run, const char *place)
{
    for (Copy *c = a->copies; c; c = c->next)
        if (str_eq(c->run, run) && str_eq(c->place, place))
            return c;
    return NULL;
}

static bool is_there(const char *place, const char *run)
{
    AUTOFREE char *manifest = xasprintf("%s/%s/manifest.json", place, run);
    return fs_exists(manifest);
}

/* ---- the end of one ------------------------------------------------------------------------------- */

static bool take_name(const Copy *c, Err *err)
{
    AUTOFREE char *part = xasprintf("%s/.copy-%s", c->place, c->run),
                  *whole = xasprintf("%s/%s", c->place, c->run);
    /* What is left of a killed run of this id is no result. */
    if (!fs_remove_tree(whole, err))
        return false;
    if (rename(part, whole) < 0)
        return err_errno(err, errno, "rename %s", part);
    return fs_sync_dir(c->place, err);
}

static void ended(void *arg, const ProgramExit *e)
{
    Copy *c = arg;
    Err err;
    bool ok = e && e->started && !e->signal && !e->exit_code && !e->ended_by && take_name(c, &err);
    if (ok) {
        tell_event(c->a, "info", "result", c->run, "a copy of the result of run %.*s on %s is in %s",
                   RUN_TEXT(c->run), c->node, c->place);
    } else {
        AUTOFREE char *said = program_log_tail(c->dir, "err", 400);
        tell_event(c->a, "warn", "result", c->run,
                   "the result of run %.*s on %s could not be copied to %s: %s", RUN_TEXT(c->run), c->node,
                   c->place, *said ? said : "its supervisor was killed");
    }
    if (!fs_remove_tree(c->dir, &err))
        log_warn("%s", err.text);
    forget(c);
}

/* ---- the beginning -------------------------------------------------------------------------------- */

static void make_spec(Agent *a, const RunSource *from, const char *place, ProgramSpec *ret)
{
    AUTOFREE char *bin = fs_program_dir(), *part = xasprintf("%s/.copy-%s", place, from->run);
    ret->program = xasprintf("%s/siding-agent", bin);
    fetch_words(&ret->args, a->config_path, from->url, from->run, part);
    strlist_add(&ret->env, "LANG=C.UTF-8");
    ret->nice = 10;
    ret->stop_grace_ms = a->conf.stop_grace_ms;
}

/* Names of folders become one name below state_dir. */
static char *work_dir(const Agent *a, const char *run, const char *place)
{
    char *dir = xasprintf("%s/copies/%s-%s", a->conf.state_dir, run,
                          str_eq(place, a->conf.spool_dir) ? "spool" : place);
    for (char *p = dir + strlen(a->conf.state_dir) + strlen("/copies/"); *p; p++)
        *p = *p == '/' ? '_' : *p;
    return dir;
}

static bool start(Agent *a, const RunSource *from, const char *place, Err *err)
{
    ProgramSpec spec = {0};
    Copy *c = NEW(Copy);
    *c = (Copy){.a = a,
                .run = xstrdup(from->run),
                .node = xstrdup(from->node),
                .place = xstrdup(place),
                .dir = work_dir(a, from->run, place)};
    make_spec(a, from, place, &spec);
    /* One that ended while no agent was there to see it is begun again: what it fetched is kept. */
    bool ok = (!program_has_run(c->dir) || program_reset(c->dir, err)) && fs_mkdirs(c->dir, 0700, err) &&
              program_start(a->base, c->dir, &spec, ended, c, &c->program, err);
    wire_free(program_spec_fields, &spec);
    if (!ok) {
        copy_free(c);
        return false;
    }
    c->next = a->copies;
    a->copies = c;
    return true;
}

static bool is_destination(const Agent *a, const char *folder)
{
    if (strlist_has(&a->conf.result.destinations, folder))
        return true;
    for (size_t i = 0; i < a->jobs.n; i++)
        if (strlist_has(&a->jobs.v[i].f.destinations, folder))
            return true;
    return false;
}

bool copies_begin(Agent *a, const RunSource *from, const char *to, Err *err)
{
    int64_t task, no;
    const char *place = to ? to : a->conf.spool_dir;
    if (!wire_run_id(from->run, &task, &no) || !no || !from->url)
        return err_set(err, ERR_USAGE, 0, "a copy needs run and url");
    if (to && !is_destination(a, to))
        return err_set(err, ERR_REFUSED, 0, "%s is no destination of %s: result.destinations names them", to,
                       a->conf.node);
    AgentRunner *r = run_find(&a->s, from->run);
    if (!to && r && run_is_under_way(r))
        return err_set(err, ERR_CONFLICT, 0, "run %.*s is still under way on %s", RUN_TEXT(from->run),
                       a->conf.node);
    if (is_there(place, from->run) || find(a, from->run, place))
        return true;
    return start(a, from, place, err);
}

/* ---- what there is -------------------------------------------------------------------------------- */

const StrList *copies_destinations(const Agent *a, const char *job)
{
    const JobConfig *j = job_list_find(&a->jobs, job);
    return j && j->f.destinations.n ? &j->f.destinations : &a->conf.result.destinations;
}

void copies_done(const char *run, const StrList *destinations, StrList *ret)
{
    for (size_t i = 0; i < destinations->n; i++)
        if (destinations->v[i][0] == '/' && is_there(destinations->v[i], run))
            strlist_add(ret, destinations->v[i]);
}

void copies_remove(Agent *a, const char *run, const char *job)
{
    const StrList *list = copies_destinations(a, job);
    for (size_t i = 0; i < list->n; i++) {
        Err err;
        AUTOFREE char *dir = xasprintf("%s/%s", list->v[i], run);
        if (list->v[i][0] == '/' && is_there(list->v[i], run) && !fs_remove_tree(dir, &err))
            log_warn("the expired copy of run %s: %s", run, err.text);
    }
}

void copies_close(Agent *a)
{
    while (a->copies)
        forget(a->copies);
}
