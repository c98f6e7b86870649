/* SPDX-License-Identifier: Apache-2.0
 * Runs over time: found again after a restart of the agent, watched by the tick.
 */
#include "agent.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/file/fs.h"
#include "run_impl.h"
#include "store.h"

enum { KEEP_DAYS = 30 };

static bool load_one(Agent *a, const char *id)
{
    Err err;
    RunJournal j = {0};
    AUTOFREE char *name = xasprintf("runs/%s/run.json", id);
    if (!store_read(a, name, run_journal_fields, &j, &err)) {
        log_error("run %s is left out: %s", id, err.text);
        return false;
    }
    Runner *r = run_add(a);
    r->j = j;
    r->side = j.run.spec.on == ROLE_PRIMARY ? RUN_ON_PRIMARY : RUN_ON_REPLICA;
    if (!run_state_from_name(j.state, &r->state))
        r->state = RUN_RESUMING;
    return true;
}

/* Needs nothing of the server. */
static bool done_at_load(RunState s)
{
    return s == RUN_RUNNING || s == RUN_SLEEPING || s == RUN_CUTTING || s == RUN_GATHERING;
}

void run_load_all(Agent *a)
{
    Err err;
    AUTO(strlist_done) StrList names = STRLIST_INIT;
    AUTOFREE char *dir = xasprintf("%s/runs", a->conf.state_dir);
    if (!fs_list(dir, &names, &err))
        return;
    for (size_t i = 0; i < names.n; i++)
        load_one(a, names.v[i]);
    for (size_t i = 0; i < a->n_runs; i++) {
        Runner *r = a->runs[i];
        if (run_is_under_way(r))
            log_info("run %s: found in state %s", run_id(r), run_state_name(r->state));
        if (done_at_load(r->state))
            run_act(a, r, run_machine_again(r->state));
    }
}

static void met_one(Agent *a, Runner *r)
{
    Err err;
    bool needs_lease = r->side == RUN_ON_REPLICA &&
                       (r->state == RUN_FROZEN || r->state == RUN_RUNNING || r->state == RUN_SLEEPING);
    if (needs_lease && !pause_is_held_by(a, run_id(r))) {
        err_set(&err, ERR_CORRUPT, 0, "the pause of this run was found ended when the agent started");
        run_void(a, r, &err);
        return;
    }
    if (!done_at_load(r->state) && run_is_under_way(r) && !r->program && !r->step)
        run_act(a, r, run_machine_again(r->state));
}

void run_met(Agent *a)
{
    for (size_t i = 0; i < a->n_runs; i++)
        met_one(a, a->runs[i]);
}

static void check_space(Agent *a, Runner *r)
{
    bool writes = r->state == RUN_RUNNING || r->state == RUN_SLEEPING || r->state == RUN_SEALING ||
                  r->state == RUN_GATHERING;
    if (pause_is_held_by(a, run_id(r)))
        return; /* the guard of the pause watches its disks */
    bool spool = a->spool_free >= 0 && a->spool_free < a->conf.min_free_bytes;
    bool state = a->state_free >= 0 && a->state_free < a->conf.min_free_bytes;
    if (!writes || (!spool && !state))
        return;
    AUTOFREE char *text = xasprintf(
        "the disk is full: %s has %lld bytes free, min_free_bytes is %lld; the partial result was removed",
        spool ? a->conf.spool_dir : a->conf.state_dir, (long long)(spool ? a->spool_free : a->state_free),
        (long long)a->conf.min_free_bytes);
    RunEnd end = {.outcome = "error", .kind = ERR_NO_SPACE, .text = text};
    run_cut(a, r, &end);
}

static void check_barrier(Agent *a, Runner *r)
{
    int64_t now = clock_mono_ms(),
            heard = a->coordinator_ms > r->barrier_ms ? a->coordinator_ms : r->barrier_ms;
    if (r->state != RUN_FROZEN || !r->barrier_ms || now - heard < a->conf.barrier_timeout_ms)
        return;
    RunEnd end = {.outcome = "error",
                  .kind = ERR_TIMEOUT,
                  .text = "the coordinator was lost while the replica waited frozen for the others"};
    run_cut(a, r, &end);
}

/* A coordinator that never says it has recorded the end does not fill the folder. */
static void forget_old(Agent *a)
{
    Err err;
    int64_t before = clock_wall_ms() - (int64_t)KEEP_DAYS * 86400000;
    for (size_t i = 0; i < a->n_runs; i++) {
        Runner *r = a->runs[i];
        if (run_is_under_way(r) || r->j.run.finished_at > before)
            continue;
        if (!run_forget(a, r, &err)) {
            log_warn("%s", err.text);
            r->j.run.finished_at = clock_wall_ms();
        }
        return; /* one a tick: the list has changed */
    }
}

void run_tick(Agent *a)
{
    Err err;
    forget_old(a);
    for (size_t i = 0; i < a->n_runs; i++) {
        Runner *r = a->runs[i];
        if (r->dirty)
            (void)!run_save(a, r, &err);
        run_take_progress(a, r);
        check_space(a, r);
        check_barrier(a, r);
        run_split_tick(a, r);
        bool stuck = !r->step && !r->program &&
                     ((r->state == RUN_SEALING && r->j.run.outcome == OUTCOME_NONE) ||
                      (r->state == RUN_ACCEPTED && r->side == RUN_ON_REPLICA));
        if (stuck && a->met)
            run_act(a, r, run_machine_again(r->state)); /* its step was refused by a full pool */
    }
}

void run_close_all(Agent *a)
{
    while (a->n_runs)
        run_discard(a, a->runs[a->n_runs - 1]);
    free(STEAL(a->runs));
}
