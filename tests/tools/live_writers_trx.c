/* SPDX-License-Identifier: Apache-2.0
 * The transactions of the live load. Whatever changes what is indexed of a record touches its changed_at;
 * whatever deletes a record leaves its id in deleted_record (a trigger does that).
 */
#include "live_writers.h"

#include <stdio.h>
#include <string.h>

/* Words that edits bring into summaries, so that the index changes while a reindex runs. */
static const char *const vocabulary[] = {"annotated", "illustrated", "revised",  "abridged", "facsimile",
                                         "digitised", "catalogued",  "reviewed", "borrowed", "returned"};

void counts_add(Counts *to, const Counts *more)
{
    to->transactions += more->transactions;
    to->errors += more->errors;
    to->deadlocks += more->deadlocks;
    to->inserted += more->inserted;
    to->updated += more->updated;
    to->deleted += more->deleted;
    to->queued += more->queued;
    to->taken += more->taken;
}

bool bounds_read(Db *db, Bounds *ret, Err *err)
{
    return db_value_int(db, &ret->records, err, "SELECT GREATEST(COALESCE(MAX(id), 0), ?) FROM record", "i",
                        (int64_t)RESERVED_RECORDS + 1) &&
           db_value_int(db, &ret->people, err, "SELECT COALESCE(MAX(id),1) FROM person", "") &&
           db_value_int(db, &ret->keywords, err, "SELECT COALESCE(MAX(id),1) FROM keyword", "");
}

void work_init(Work *w, const Bounds *bounds, uint64_t seed)
{
    *w = (Work){.bounds = *bounds, .random = seed * 0x9E3779B97F4A7C15u};
}

/* xorshift64* */
uint64_t work_random(Work *w)
{
    uint64_t x = w->random;
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    w->random = x;
    return (x * 0x2545F4914F6CDD1Du) >> 16;
}

static int64_t pick(Work *w, int64_t highest)
{
    return 1 + (int64_t)(work_random(w) % (uint64_t)highest);
}

/* The first records are left alone, for whoever runs the load. */
static int64_t pick_record(Work *w)
{
    return RESERVED_RECORDS + pick(w, w->bounds.records - RESERVED_RECORDS);
}

static const struct {
    const char *name;
    unsigned share; /* of 100 */
} kinds[] = {
    [TRX_EDIT] = {"edit", 34},    [TRX_TAG] = {"tag", 8},    [TRX_INSERT] = {"insert", 8},
    [TRX_DELETE] = {"delete", 6}, [TRX_PUSH] = {"push", 22}, [TRX_TAKE] = {"take", 22},
};

TrxKind trx_pick(Work *w)
{
    unsigned r = (unsigned)(work_random(w) % 100);
    for (size_t i = 0; i < COUNT(kinds); i++) {
        if (r < kinds[i].share)
            return (TrxKind)i;
        r -= kinds[i].share;
    }
    return TRX_EDIT;
}

const char *trx_name(TrxKind kind)
{
    return kinds[kind].name;
}

static bool edit(Db *db, Work *w, Counts *counts, Err *err)
{
    int64_t changed = 0, unused = 0;
    AUTOFREE char *note =
        xasprintf("%s %u", vocabulary[work_random(w) % COUNT(vocabulary)], (unsigned)(work_random(w) % 1000));
    if (!db_exec_affected(
            db, &changed, &unused, err,
            "UPDATE record SET summary = CONCAT(LEFT(SUBSTRING_INDEX(summary, ' [', 1), 400), ' [', "
            "?, ']') WHERE id = ?",
            "si", note, pick_record(w)))
        return false;
    counts->updated += changed;
    return true;
}

static bool tag(Db *db, Work *w, Counts *counts, Err *err)
{
    int64_t record = pick_record(w), keyword = pick(w, w->bounds.keywords), changed = 0, unused = 0;
    if (!db_exec_affected(db, &changed, &unused, err,
                          "UPDATE record SET changed_at = CURRENT_TIMESTAMP(3) WHERE id = ?", "i", record))
        return false;
    counts->updated += changed;
    return !changed ||
           (db_exec(db, err, "DELETE FROM record_keyword WHERE record_id = ? LIMIT 1", "i", record) &&
            db_exec(db, err, "INSERT IGNORE INTO record_keyword (record_id, keyword_id) VALUES (?, ?)", "ii",
                    record, keyword));
}

static bool insert(Db *db, Work *w, Counts *counts, Err *err)
{
    int64_t rows = 0, id = 0;
    unsigned n = (unsigned)(work_random(w) % 1000000);
    AUTOFREE char *name = xasprintf("new-arrival-%06u", n);
    AUTOFREE char *summary =
        xasprintf("New arrival %s on shelf %u", vocabulary[n % COUNT(vocabulary)], n % 97);
    if (!db_exec_affected(
            db, &rows, &id, err,
            "INSERT INTO record (name, version, section, summary, description, size) VALUES (?, "
            "'1.0', 'arrivals', ?, 'Arrived while the long job was running.', ?)",
            "ssi", name, summary, (int64_t)n) ||
        !db_exec(db, err,
                 "INSERT INTO record_person (record_id, person_id, role) VALUES (?, ?, 'maintainer')", "ii",
                 id, pick(w, w->bounds.people)) ||
        !db_exec(db, err, "INSERT INTO record_keyword (record_id, keyword_id) VALUES (?, ?)", "ii", id,
                 pick(w, w->bounds.keywords)))
        return false;
    counts->inserted++;
    return db_exec(db, err,
                   "INSERT INTO link (record_id, kind, target_id) SELECT ?, 'suggests', id FROM record WHERE "
                   "id = ?",
                   "ii", id, pick_record(w));
}

static bool delete (Db *db, Work *w, Counts *counts, Err *err)
{
    int64_t id = pick_record(w), changed = 0, unused = 0;
    AUTOFREE char *there = NULL;
    if (!db_value(db, &there, err, "SELECT MAX(id) FROM record WHERE id = ? FOR UPDATE", "i", id))
        return false;
    if (!there)
        return true;
    if (!db_exec(db, err, "DELETE FROM link WHERE record_id = ?", "i", id) ||
        !db_exec(db, err, "DELETE FROM link WHERE target_id = ?", "i", id) ||
        !db_exec(db, err, "DELETE FROM record_keyword WHERE record_id = ?", "i", id) ||
        !db_exec(db, err, "DELETE FROM record_person WHERE record_id = ?", "i", id) ||
        !db_exec_affected(db, &changed, &unused, err, "DELETE FROM record WHERE id = ?", "i", id))
        return false;
    counts->deleted += changed;
    return true;
}

static bool push(Db *db, Work *w, Counts *counts, Err *err)
{
    counts->queued++;
    return db_exec(db, err, "INSERT INTO work_queue (kind, record_id) VALUES ('display', ?)", "i",
                   pick_record(w));
}

static bool take(Db *db, Counts *counts, Err *err)
{
    DbRows *rows = NULL;
    bool more = false;
    if (!db_query(db, &rows, err, "SELECT id FROM work_queue ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED", ""))
        return false;
    bool ok = db_next(rows, &more, err);
    int64_t id = ok && more ? db_int(rows, "id") : 0;
    db_rows_free(rows);
    if (!ok || !id)
        return ok;
    counts->taken++;
    return db_exec(db, err, "DELETE FROM work_queue WHERE id = ?", "i", id);
}

bool trx_run(Db *db, Work *w, TrxKind kind, Counts *counts, Err *err)
{
    switch (kind) {
    case TRX_EDIT:
        return edit(db, w, counts, err);
    case TRX_TAG:
        return tag(db, w, counts, err);
    case TRX_INSERT:
        return insert(db, w, counts, err);
    case TRX_DELETE:
        return delete (db, w, counts, err);
    case TRX_PUSH:
        return push(db, w, counts, err);
    case TRX_TAKE:
        return take(db, counts, err);
    }
    return false;
}
