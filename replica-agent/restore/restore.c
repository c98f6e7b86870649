/* SPDX-License-Identifier: Apache-2.0 */
#include "restore.h"

#include <stdio.h>

#include "accounts.h"
#include "common/base/clock.h"
#include "common/db/flavor.h"
#include "common/file/json.h"
#include "connect.h"
#include "journal_table.h"
#include "loader.h"
#include "prove.h"
#include "replica-agent/dump/control.h"
#include "views.h"

enum { WAIT_MS = 500 };

/* ---- threads -------------------------------------------------------------------------------------- */

static void fail(Restore *r, const Err *err)
{
    pthread_mutex_lock(&r->lock);
    if (!r->failed)
        r->err = *err;
    r->failed = true;
    pthread_mutex_unlock(&r->lock);
}

static const RestoreFile *next_file(Restore *r)
{
    pthread_mutex_lock(&r->lock);
    const RestoreFile *file = r->failed || r->next == r->end ? NULL : &r->f->files[r->next++];
    pthread_mutex_unlock(&r->lock);
    return file;
}

static bool work(RestoreWorker *w, Err *err)
{
    const RestoreFile *file;
    if (!connect_worker(w, err))
        return false;
    while ((file = next_file(w->r)))
        if (!control_point(err) || !loader_load(w, file, err))
            return false;
    return true;
}

static void *worker_main(void *arg)
{
    RestoreWorker *w = arg;
    Err err;
    db_thread_begin();
    if (!work(w, &err))
        fail(w->r, &err);
    db_close(w->db);
    w->db = NULL;
    lines_done(&w->lines);
    db_thread_end();
    control_worker_end();
    return NULL;
}

static bool run_step(Restore *r, size_t from, size_t end, Err *err)
{
    size_t threads = (size_t)r->o->threads < end - from ? (size_t)r->o->threads : end - from;
    RestoreWorker *workers = xcalloc(threads + 1, sizeof(RestoreWorker));
    r->next = from;
    r->end = end;
    for (size_t i = 0; i < threads; i++) {
        workers[i] = (RestoreWorker){.r = r, .number = i};
        control_worker_begin();
        if (pthread_create(&workers[i].thread, NULL, worker_main, &workers[i]) != 0)
            abort();
    }
    while (control_workers() > 0) {
        Err lost;
        control_wait(WAIT_MS);
        if (control_stopping())
            fail(r, &(Err){.kind = ERR_CANCELLED, .text = "stopped by a signal"});
        if (!restore_failed(r) && !connect_keep_main(r, &lost))
            fail(r, &lost);
    }
    for (size_t i = 0; i < threads; i++)
        pthread_join(workers[i].thread, NULL);
    free(workers);
    if (r->failed)
        *err = r->err;
    return !r->failed && connect_check_main(r, err);
}

/* ---- all ------------------------------------------------------------------------------------------ */

static bool run_steps(Restore *r, RestoreOutcome *out, StrList *unmade_files, Err *err)
{
    size_t from = 0;
    for (RestoreStep step = 0; step < N_STEPS; step++) {
        size_t end = from;
        while (end < r->f->n_files && r->f->files[end].step == step)
            end++;
        if ((step == STEP_ROWS && !loader_empty_unbound(r, r->db, err)) ||
            (step == STEP_VIEWS && !accounts_grant(r->accounts, r->db, true, err)))
            return false;
        if (!(step == STEP_VIEWS ? views_load(r, from, end, &out->unmade, unmade_files, err)
                                 : run_step(r, from, end, err)))
            return false;
        from = end;
    }
    return true;
}

/* Last, since nothing can be changed in such a database. */
static bool close_databases(const Restore *r, Db *db, Err *err)
{
    size_t i;
    json_t *d;
    json_array_foreach(json_object_get(r->f->about, "databases"), i, d)
    {
        AUTO(str_done) Str sql = STR_INIT;
        if (!json_bool(d, "read_only"))
            continue;
        str_adds(&sql, "ALTER DATABASE ");
        db_quote_id(&sql, json_str(d, "name"));
        str_adds(&sql, " READ ONLY=1");
        if (!db_exec(db, err, sql.p, ""))
            return false;
    }
    return true;
}

/* Views that could not be made leave the ledger where it is, so that the same command goes on with them. */
static bool finish(const Restore *r, Db *db, RestoreOutcome *out, const StrList *unmade_files, Err *err)
{
    if (!prove(db, r, &out->unmade, out, err))
        return false;
    if (out->unmade.n && r->o->defer_views && !views_defer(r, unmade_files, r->o->defer_views, err))
        return false;
    return (out->unmade.n && !r->o->defer_views) ||
           (close_databases(r, db, err) && journal_table_drop(db, err));
}

static void describe(const Restore *r, RestoreOutcome *out)
{
    out->resumed = r->target.resumed;
    out->kept_bytes = r->kept_bytes;
    out->become_replica = flavor_of(db_version(r->db)->flavor)->become_replica;
}

bool restore_run(const RestoreOptions *o, const Folder *f, RestoreOutcome *ret, Err *err)
{
    Restore r = {.o = o, .f = f};
    AUTO(strlist_done) StrList unmade_files = STRLIST_INIT;
    pthread_mutex_init(&r.lock, NULL);
    pthread_mutex_init(&r.objects, NULL);
    restore_options_target(o, &r.where);
    *ret = (RestoreOutcome){.files = f->n_files};
    Accounts accounts = {0};
    RateLimit rate_limit;
    rate_limit_init(&rate_limit, o->max_rate);
    r.rate_limit = o->max_rate ? &rate_limit : NULL;
    r.accounts = &accounts;
    bool ok = (!o->users || accounts_open(f, &accounts, err)) && connect_main(&r, err) &&
              restore_target_prepare(r.db, f, o->overwrite, &r.target, err) &&
              accounts_make(&accounts, &r, r.db, err) && run_steps(&r, ret, &unmade_files, err) &&
              accounts_grant(&accounts, r.db, false, err) && finish(&r, r.db, ret, &unmade_files, err);
    if (ok)
        describe(&r, ret);
    ret->accounts_made = accounts.n_made;
    accounts_done(&accounts);
    db_close(r.db);
    db_target_done(&r.where);
    restore_target_done(&r.target);
    strlist_done(&r.left_out);
    rate_limit_done(&rate_limit);
    pthread_mutex_destroy(&r.lock);
    pthread_mutex_destroy(&r.objects);
    return ok;
}

void restore_outcome_done(RestoreOutcome *out)
{
    strlist_done(&out->unmade);
}
