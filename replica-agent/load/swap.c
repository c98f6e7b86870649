/* SPDX-License-Identifier: Apache-2.0
 * The swap and what stands around it: changes since the freeze, the RENAME, changes during it.
 */
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/retry.h"
#include "common/wire/progress.h"
#include "replica-agent/index/jobctl.h"
#include "replica-agent/index/target.h"
#include "replica-agent/load/ledger.h"
#include "replica-agent/load/load.h"
#include "replica-agent/load/tablesum.h"

enum { FIRST_PAUSE_MS = 500, LONGEST_PAUSE_MS = 5000 };

static bool is_delta(const Load *l)
{
    return str_eq(l->bundle->on_change, "delta");
}

/* ---- changes ------------------------------------------------------------------------------------- */

static bool first_round(Load *l, Err *err)
{
    DeltaKeys keys = {NULL, 0};
    int64_t begun;
    bool ok = delta_now(l->db, &begun, err) &&
              delta_find(l->db, l->definition, l->bundle->changes_since, &keys, err) &&
              delta_apply(l->db, l->definition, l->tables.schema, l->tables.fresh, DELTA_SHADOW, &keys, err);
    if (ok) {
        log_info("%s: %zu records changed since the freeze are indexed in the new table", l->bundle->target,
                 keys.n);
        l->second_round_from = begun;
        delta_keys_done(&l->first_round);
        l->first_round = keys;
        return true;
    }
    delta_keys_done(&keys);
    return false;
}

static bool second_round(Load *l, Err *err)
{
    DeltaKeys keys = {NULL, 0};
    /* After a crash the first round's time is not known: going back to the freeze is right too. */
    int64_t from = l->second_round_from ? l->second_round_from : l->bundle->changes_since;
    bool ok = delta_find(l->db, l->definition, from, &keys, err) &&
              delta_apply(l->db, l->definition, l->tables.schema, l->tables.target, DELTA_LIVE, &keys, err);
    if (ok) {
        log_info("%s: %zu records changed since are indexed in the live table", l->bundle->target, keys.n);
        l->outcome.delta_keys = (int64_t)delta_keys_union(&l->first_round, &keys);
    }
    delta_keys_done(&keys);
    return ok;
}

/* ---- refuse, discard ----------------------------------------------------------------------------- */

static const char *shown(const char *checksum)
{
    return checksum && *checksum ? checksum : "no table";
}

static bool is_as_frozen(const Load *l, const char *checksum)
{
    return str_eq(checksum ? checksum : "", l->bundle->target_checksum);
}

static bool refuse_changed(Load *l, Err *err)
{
    AUTOFREE char *live = NULL;
    progress_set(l->bundle->rows, l->bundle->rows, "comparing the live table with the frozen one");
    if (!tablesum(l->db, l->tables.schema, l->tables.target, &l->bundle->columns, &live, err))
        return false;
    if (is_as_frozen(l, live))
        return true;
    if (!load_abandon(l, err))
        return false;
    return err_set(
        err, ERR_REFUSED, 0,
        "%s has changed since it was frozen at GTID %s (then %s, now %s) and a swap would undo that: "
        "nothing was swapped. Declare on_change = \"delta\" or \"discard\" in the job",
        l->bundle->target, *l->bundle->gtid ? l->bundle->gtid : "unknown", shown(l->bundle->target_checksum),
        shown(live));
}

/* The old table stands still now: did it hold changes that the new one does not? */
static bool note_stale(Load *l, Err *err)
{
    AUTOFREE char *old = NULL;
    progress_set(l->bundle->rows, l->bundle->rows, "comparing the old table with the frozen one");
    if (!tablesum_alone(l->db, &l->o->target, l->bundle, &l->paths, l->tables.schema, l->tables.old, &old,
                        err))
        return false;
    l->outcome.stale_swap = !is_as_frozen(l, old);
    if (l->outcome.stale_swap)
        log_warn(
            "%s had changed since it was frozen (then %s, at the swap %s); the changes are in %s.%s only",
            l->bundle->target, shown(l->bundle->target_checksum), shown(old), l->tables.schema,
            l->tables.old);
    return true;
}

/* ---- the RENAME ---------------------------------------------------------------------------------- */

static void tell_who_blocks(Load *l, int try)
{
    AUTOFREE char *who = NULL;
    AUTOFREE char *reason = NULL;
    Err ignored;
    /* Most likely a transaction that is open, idle ones included; the longest first. */
    if (!db_value(
            l->db, &who, &ignored,
            "SELECT CONCAT('connection ', ID, ' of ', USER, ' (', TIME, ' s)') FROM"
            " information_schema.PROCESSLIST WHERE ID <> CONNECTION_ID() AND ID IN"
            " (SELECT trx_mysql_thread_id FROM information_schema.INNODB_TRX) ORDER BY TIME DESC LIMIT 1",
            ""))
        who = NULL;
    reason = xasprintf("waiting to rename, try %d: %s is in use; perhaps by %s", try, l->bundle->target,
                       who ? who : "a transaction");
    progress_set(l->bundle->rows, l->bundle->rows, reason);
    log_info("%s", reason);
}

static bool rename_patiently(Load *l, Err *err)
{
    int64_t deadline = clock_mono_ms() + l->o->rename_wait_ms;
    for (int try = 1; !tables_rename(l->db, &l->tables, l->target_exists, err); try++) {
        if (err->code != 1205)
            return false;
        tell_who_blocks(l, try);
        if (clock_mono_ms() > deadline)
            return err_set(
                err, ERR_REFUSED, 0,
                "%s was in use without a pause for %lld s, so it was not swapped; the new table is "
                "ready: the same run tries again",
                l->bundle->target, (long long)l->o->rename_wait_ms / 1000);
        if (!jobctl_check(err))
            return false;
        clock_sleep_ms(retry_wait_ms(try, FIRST_PAUSE_MS, LONGEST_PAUSE_MS));
    }
    return true;
}

/* ---- the definition ------------------------------------------------------------------------------- */

static bool same_definition(Load *l, const char *one, const char *other, bool *ret, Err *err)
{
    AUTOFREE char *a = NULL;
    AUTOFREE char *b = NULL;
    if (!target_definition(l->db, l->tables.schema, one, &a, err) ||
        !target_definition(l->db, l->tables.schema, other, &b, err))
        return false;
    *ret = !a || !b || str_eq(a, b);
    return true;
}

static bool refuse_altered(Load *l, Err *err)
{
    Err dropping;
    if (!load_abandon(l, &dropping))
        log_warn("%s", dropping.text);
    return err_set(
        err, ERR_REFUSED, 0,
        "the definition of %s was changed while the new table was loaded: it is as it was, the new "
        "table is dropped. Run the job again",
        l->bundle->target);
}

static bool check_before(Load *l, Err *err)
{
    bool same = true;
    if (l->target_exists && (!target_check_columns(l->db, &(TargetName){l->tables.schema, l->tables.target},
                                                   &l->bundle->columns, err) ||
                             !same_definition(l, l->tables.target, l->tables.fresh, &same, err)))
        return false;
    return same ? target_check_swap(l->db, &(TargetName){l->tables.schema, l->tables.target}, err)
                : refuse_altered(l, err);
}

/* What was renamed is what was compared: an ALTER between the two is seen in the old table. */
static bool check_after(Load *l, Err *err)
{
    bool same = true;
    if (!l->target_exists)
        return true;
    if (!same_definition(l, l->tables.old, l->tables.target, &same, err))
        return false;
    return same || (tables_rename_back(l->db, &l->tables, err) && refuse_altered(l, err));
}

bool load_swap(Load *l, Err *err)
{
    bool ready = is_delta(l)                               ? first_round(l, err)
                 : str_eq(l->bundle->on_change, "discard") ? true
                                                           : refuse_changed(l, err);
    return ready && check_before(l, err) && tables_prepare_rename(l->db, &l->tables, err) &&
           rename_patiently(l, err) && check_after(l, err);
}

bool load_finish_swap(Load *l, Err *err)
{
    l->outcome.swapped = true;
    if (!(is_delta(l) ? second_round(l, err) : note_stale(l, err)))
        return false;
    return !l->o->drop_old || tables_drop_old(l->db, &l->tables, err);
}
