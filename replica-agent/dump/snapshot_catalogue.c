/* SPDX-License-Identifier: Apache-2.0 */
#include "snapshot_catalogue.h"

#include "chunkplan.h"
#include "common/base/clock.h"
#include "control.h"

typedef struct SnapshotCatalogue {
    const SnapshotPlan *plan;
    const Filter *filter;
    Snapshot *snapshot;
    Catalogue *catalogue;
} SnapshotCatalogue;

/* A transaction that has touched a table keeps others from altering, dropping or renaming it. Were it READ
 * ONLY, MariaDB would list no columns of a view that calls NEXTVAL(), nor show its definition. */
static bool hold_definitions(SnapshotCatalogue *m, Err *err)
{
    if (!db_exec(m->snapshot->control, err, "START TRANSACTION", ""))
        return false;
    for (size_t i = 0; i < m->catalogue->n_databases; i++) {
        const Database *db = &m->catalogue->databases[i];
        for (size_t t = 0; t < db->n_tables; t++) {
            if (db->tables[t].kind != TABLE_BASE || !db->tables[t].has_rows)
                continue;
            AUTO(str_done) Str sql = STR_INIT;
            str_adds(&sql, "SELECT 1 FROM ");
            db_quote_table(&sql, db->name, db->tables[t].name);
            str_adds(&sql, " LIMIT 0");
            if (!db_exec(m->snapshot->control, err, sql.p, ""))
                return err_prefix(err, "%s.%s", db->name, db->tables[t].name);
        }
    }
    return true;
}

static bool same_catalogue(SnapshotCatalogue *m, bool *ret, Err *err)
{
    Catalogue now = {0};
    char before[65], after[65];
    if (!catalogue_read(m->snapshot->control, m->filter, &now, err))
        return false;
    chunkplan_digest(m->catalogue, before);
    chunkplan_digest(&now, after);
    catalogue_done(&now);
    *ret = str_eq(before, after);
    return true;
}

static bool try_moment(SnapshotCatalogue *m, bool *ret_same, Err *err)
{
    catalogue_done(m->catalogue);
    return catalogue_read(m->snapshot->control, m->filter, m->catalogue, err) && hold_definitions(m, err) &&
           snapshot_begin(m->plan, m->snapshot, err) && same_catalogue(m, ret_same, err);
}

/* Names of the server for a table that has gone or changed since it was listed. */
static bool has_changed(const Err *err)
{
    enum { NO_DATABASE = 1049, NO_TABLE = 1146, DEFINITION_CHANGED = 1412 };
    return err->code == NO_DATABASE || err->code == NO_TABLE || err->code == DEFINITION_CHANGED ||
           err->code == CATALOGUE_SKIPPED;
}

/* Tables are held first, so that each is the same one in all snapshots; and listed again afterwards, so that
 * none was made or dropped between the list and the snapshots. */
static bool open_live(SnapshotCatalogue *m, Err *err)
{
    enum { TRIES = 20 };
    int64_t until = clock_mono_ms() + m->plan->lock_wait_s * 1000;
    for (int i = 0; i < TRIES; i++) {
        bool same = false;
        if (!try_moment(m, &same, err) && !has_changed(err) &&
            (err->kind != ERR_TIMEOUT || clock_mono_ms() > until))
            return false;
        if (same)
            return true;
        if (!control_point(err) || !db_exec(m->snapshot->control, err, "ROLLBACK", ""))
            return false;
    }
    return err_set(
        err, ERR_CONFLICT, 0,
        "tables were made, dropped or renamed during each of %d attempts to list them and to open snapshots: "
        "leave such tables out, or dump a frozen replica",
        TRIES);
}

bool snapshot_catalogue_open(const SnapshotPlan *plan, const Filter *filter, Snapshot *s, Catalogue *ret,
                             Err *err)
{
    SnapshotCatalogue m = {plan, filter, s, ret};
    if (!plan->frozen_gtid)
        return open_live(&m, err);
    return snapshot_begin(plan, s, err) && catalogue_read(s->control, filter, ret, err);
}
