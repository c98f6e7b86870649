/* SPDX-License-Identifier: Apache-2.0 */
#include "replica-agent/load/load.h"
#include "replica-agent/load/lineage.h"

#include <string.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/retry.h"
#include "common/file/sha256.h"
#include "common/wire/progress.h"
#include "replica-agent/index/jobctl.h"
#include "replica-agent/index/target.h"
#include "replica-agent/load/ledger.h"
#include "replica-agent/load/marker.h"
#include "replica-agent/load/tablesum.h"

enum { FIRST_PAUSE_MS = 1000, LONGEST_PAUSE_MS = 8000 };

/* ---- connection ---------------------------------------------------------------------------------- */

/* Any account can take a lock whose name it can guess, and keep the uploads waiting: the name has a part that
 * only Siding's accounts can read. */
static bool lock_name(Db *db, const char *target, int number, char **ret, Err *err)
{
    AUTOFREE char *secret = NULL;
    if (!db_value(db, &secret, err, "SELECT value FROM siding.meta WHERE name = 'load_lock'", ""))
        return err_prefix(err, "siding.meta (run \"siding bootstrap\" again)");
    char hex[65];
    AUTOFREE char *all = xasprintf("%s %s", secret, target);
    Sha256 *sha = sha256_new();
    sha256_add(sha, all, strlen(all));
    sha256_finish(sha, hex);
    *ret = xasprintf("siding_load%s_%.40s", number == 1 ? "" : "2", hex);
    return true;
}

static bool held_elsewhere(Db *db, const char *target, const char *lock, Err *err)
{
    int64_t holder = 0;
    if (!db_lock_holder(db, lock, &holder, err))
        return false;
    return err_set(
        err, ERR_CONFLICT, 0,
        "another siding-load works on %s, or the server still runs a statement of a killed one: its "
        "connection has the number %lld there (SHOW PROCESSLIST)",
        target, (long long)holder);
}

/* One loader a target, ever: a killed one may leave a statement running in the server, and its lock is freed
 * only when that has ended. */
static bool take_lock(Load *l, Db *db, int number, Err *err)
{
    AUTOFREE char *target = xasprintf("%s.%s", l->tables.schema, l->tables.target);
    AUTOFREE char *lock = NULL;
    int64_t deadline = clock_mono_ms() + l->o->lock_wait_ms;
    if (!lock_name(db, target, number, &lock, err))
        return false;
    for (;;) {
        bool got;
        if (!db_take_lock(db, lock, 1, &got, err))
            return false;
        if (got)
            return true;
        if (!jobctl_check(err))
            return false;
        if (clock_mono_ms() > deadline)
            return held_elsewhere(db, l->bundle->target, lock, err);
        progress_set(0, l->bundle->rows, "waiting: another load works on the target");
    }
}

static bool check_local_infile(Db *db, Err *err)
{
    int64_t on;
    if (!db_value_int(db, &on, err, "SELECT @@global.local_infile", ""))
        return false;
    return on ||
           err_set(err, ERR_REFUSED, 0,
                   "the primary refuses LOAD DATA LOCAL: SET GLOBAL local_infile=ON and put it into its "
                   "option file");
}

bool load_connect(Load *l, int number, Db **ret, Err *err)
{
    /* Who waits for a row holds those that it has written: not for long. */
    static const char waits[] = "SET SESSION lock_wait_timeout=60, innodb_lock_wait_timeout=10";
    Db *db;
    if (!db_connect(&l->o->target, 0, &db, err))
        return false;
    bool ok = (!l->o->same_history || lineage_holds(db, l->bundle->gtid, err)) &&
              check_local_infile(db, err) && tables_settle_names(db, &l->tables, err) &&
              db_exec(db, err, waits, "") && take_lock(l, db, number, err);
    if (ok)
        *ret = db;
    else
        db_close(db);
    return ok;
}

/* ---- facts --------------------------------------------------------------------------------------- */

static bool read_facts(Load *l, LoadFacts *f, Err *err)
{
    Ledger ledger;
    if (!ledger_read(l->db, l->o->run, &ledger, err))
        return false;
    *f = (LoadFacts){.swap = l->swap,
                     .finished = ledger.finished,
                     .rows_loaded = ledger.rows,
                     .rows_total = l->bundle->rows,
                     .verified = ledger.verified};
    if (!tables_read(l->db, &l->tables, f, &l->target_exists, err))
        return false;
    l->shadow_stays = f->swap && f->shadow && f->marker == MARKER_TODO && f->marker_ours;
    return true;
}

/* ---- steps --------------------------------------------------------------------------------------- */

/* The primary's definition is what the new table gets; where it is not the frozen one, the job says whether.
 */
static bool check_definition(Load *l, Err *err)
{
    AUTOFREE char *live = NULL;
    AUTOFREE char *frozen = target_plain_definition(l->bundle->create);
    if (!target_definition(l->db, l->tables.schema, l->tables.target, &live, err))
        return false;
    if (!live || str_eq(live, frozen))
        return true;
    if (!str_eq(l->bundle->on_change, "delta") && !str_eq(l->bundle->on_change, "discard"))
        return err_set(err, ERR_REFUSED, 0,
                       "%s is defined otherwise on the primary than when the replica was frozen: nothing was "
                       "swapped. Run the job again, or declare on_change = \"delta\" or \"discard\", and the "
                       "primary's definition is kept. Then: %s Now: %s",
                       l->bundle->target, frozen, live);
    log_info("%s: the primary's definition is kept, it is another than the frozen one", l->bundle->target);
    return true;
}

static bool begin(Load *l, Err *err)
{
    l->begun_here = true;
    return target_check_swap(l->db, &(TargetName){l->tables.schema, l->tables.target}, err) &&
           target_check_columns(l->db, &(TargetName){l->tables.schema, l->tables.target}, &l->bundle->columns,
                                err) &&
           check_definition(l, err) && ledger_clear(l->db, l->o->run, err) &&
           tables_begin(l->db, &l->tables, l->bundle, l->target_exists, err);
}

/* A replace that is tried again must not bring back what a later one has replaced. */
static bool check_state(Load *l, Err *err)
{
    const LoadTables *t = &l->tables;
    AUTOFREE char *target = xasprintf("%s.%s", t->schema, t->target);
    AUTOFREE char *now = NULL;
    AUTOFREE char *ours = marker_text(t->run, t->frozen_at, t->gtid);
    free(l->state);
    l->state = NULL;
    if (!l->o->replace || l->swap)
        return true;
    if (!ledger_read_state(l->db, target, &now, err))
        return false;
    if (now && !str_eq(now, ours) && !l->o->allow_older &&
        marker_forbids(db_version(l->db)->flavor, now, t->frozen_at, t->gtid))
        return err_set(err, ERR_REFUSED, 0,
                       "%s holds the rows of a run that was frozen later, or in another history (%s): this "
                       "result would bring the old ones back. --allow-older replaces all the same",
                       target, now);
    l->state = str_eq(now, ours) ? NULL : STEAL(ours);
    return true;
}

/* Rows of an engine without transactions may be there without their row of the ledger: then from the start.
 */
static bool rows(Load *l, Err *err)
{
    bool whole = true;
    if (!l->swap &&
        !target_check_rows(l->db, &(TargetName){l->tables.schema, l->tables.target},
                           l->o->allow_nontransactional || l->bundle->allow_nontransactional, err))
        return false;
    if (!check_state(l, err))
        return false;
    if (l->swap && !l->begun_here &&
        !target_is_transactional(l->db, l->tables.schema, l->tables.fresh, &whole, err))
        return false;
    if (!whole && !begin(l, err))
        return false;
    return load_rows(l, err);
}

bool load_abandon(Load *l, Err *err)
{
    l->shadow_stays = false;
    return tables_abandon(l->db, &l->tables, err) && ledger_clear(l->db, l->o->run, err);
}

static bool verify(Load *l, Err *err)
{
    const Bundle *b = l->bundle;
    AUTOFREE char *sum = NULL;
    progress_set(b->rows, b->rows, "verifying the new table");
    if (!tablesum_alone(l->db, &l->o->target, b, &l->paths, l->tables.schema, l->tables.fresh, &sum, err))
        return false;
    if (sum && str_eq(sum, b->checksum))
        return ledger_set_verified(l->db, l->o->run, b->rows, err);
    Err dropping;
    if (!load_abandon(l, &dropping))
        log_warn("%s", dropping.text);
    return err_set(
        err, ERR_CORRUPT, 0,
        "the new table of %s does not hold what was loaded (checksum %s, the manifest says %s): nothing "
        "was swapped, the new table is dropped",
        b->target, sum ? sum : "none", b->checksum);
}

static bool finish(Load *l, Err *err)
{
    l->outcome.rows = l->bundle->rows;
    if (l->swap && !load_finish_swap(l, err))
        return false;
    return ledger_finish(l->db, l->o->run, l->bundle->rows, err);
}

static bool do_step(Load *l, LoadStep step, const char *reason, Err *err)
{
    switch (step) {
    case LOAD_REFUSE:
        return err_set(err, ERR_REFUSED, 0, "%s: %s", l->bundle->target, reason);
    case LOAD_BEGIN:
        return begin(l, err);
    case LOAD_ROWS:
        return rows(l, err);
    case LOAD_VERIFY:
        return verify(l, err);
    case LOAD_SWAP:
        return load_swap(l, err);
    case LOAD_FINISH:
        return finish(l, err);
    case LOAD_NOTHING:
        break;
    }
    return true;
}

static const char *step_name(LoadStep step)
{
    static const char *const names[] = {"nothing to do", "refuse", "begin", "load rows",
                                        "verify",        "swap",   "finish"};
    return names[step];
}

/* Every step changes what is found; one that does not would be done for ever. */
static bool check_progress(Load *l, LoadStep step, const LoadFacts *facts, const char *reason, Err *err)
{
    bool same = l->has_last && l->last_step == step && load_facts_equal(&l->last_facts, facts);
    l->has_last = true;
    l->last_step = step;
    l->last_facts = *facts;
    return !same || err_set(err, ERR_CONFLICT, 0,
                            "%s: \"%s\" was done and nothing is different (%s): somebody else changes the "
                            "same tables, or the server names them otherwise",
                            l->bundle->target, step_name(step), reason);
}

static bool next(Load *l, bool *ret_done, Err *err)
{
    LoadFacts facts;
    const char *reason;
    if (!jobctl_check(err) || (!l->db && !load_connect(l, 1, &l->db, err)) || !read_facts(l, &facts, err))
        return false;
    LoadStep step = load_next_step(&facts, &reason);
    log_info("%s: %s, so: %s", l->bundle->target, reason, step_name(step));
    if (!check_progress(l, step, &facts, reason, err) || !do_step(l, step, reason, err))
        return false;
    *ret_done = step == LOAD_NOTHING || step == LOAD_FINISH;
    if (step == LOAD_NOTHING)
        l->outcome = (LoadOutcome){.rows = facts.rows_total, .swapped = l->swap};
    return true;
}

/* A primary that has just started is read-only until its agent opens it. */
static bool may_pass(const Err *err)
{
    enum { READ_ONLY = 1290 };
    return err_is_transient(err) || err->code == READ_ONLY || db_locked_out(err);
}

/* What a lost connection has left is found out by looking again. */
static bool try_again(Load *l, const Err *err)
{
    if (!may_pass(err) || clock_mono_ms() - l->progress_ms > l->o->retry_ms)
        return false;
    l->pause_ms = retry_longer_ms(l->pause_ms, FIRST_PAUSE_MS, LONGEST_PAUSE_MS);
    log_warn("%s; looking again in %.0f s", err->text, (double)l->pause_ms / 1000);
    progress_set(0, l->bundle->rows, err->text);
    db_close(l->db);
    l->db = NULL;
    l->txn_rows = 0;
    l->begun_here = l->has_last = false;
    clock_sleep_ms(l->pause_ms);
    return true;
}

bool load_run(Load *l, Err *err)
{
    bool done = false, ok = true;
    l->progress_ms = clock_mono_ms();
    l->pause_ms = 0;
    while (ok && !done) {
        if (next(l, &done, err)) {
            l->progress_ms = clock_mono_ms();
            l->pause_ms = 0;
        } else {
            ok = try_again(l, err);
        }
    }
    db_close(l->db);
    l->db = NULL;
    if (!ok && l->shadow_stays)
        log_warn("%s.%s stays: the same run goes on with it, a later one of the job replaces it",
                 l->tables.schema, l->tables.fresh);
    return ok;
}
