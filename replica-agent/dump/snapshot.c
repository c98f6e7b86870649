/* SPDX-License-Identifier: Apache-2.0 */
#include "snapshot.h"

#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/db/flavor.h"
#include "common/db/gtid.h"
#include "common/db/repl.h"

/* Who waits to hold commits keeps others waiting, and an ALTER that waits for us would never end. */
enum { POSITION_TRIES = 100, HOLD_WAIT_S = 3 };

static const char *const START_SNAPSHOT = "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY";

static const Flavor *flavor(const Snapshot *s)
{
    return flavor_of(db_version(s->control)->flavor);
}

/* A sleeping job keeps its connections idle, and a long chunk its result unread. */
static bool prepare(Db *db, int64_t lock_wait_s, bool reader, Err *err)
{
    AUTOFREE char *waits = xasprintf("SET SESSION wait_timeout=31536000, net_write_timeout=31536000,"
                                     " lock_wait_timeout=%lld",
                                     (long long)lock_wait_s);
    Err ignored; /* needs a privilege that a reader need not have */
    (void)!db_exec(db, &ignored, "SET SESSION sql_log_bin=0", "");
    return db_exec(db, err, waits, "") &&
           db_exec(db, err, flavor_of(db_version(db)->flavor)->reader_session, "") &&
           db_exec(db, err,
                   reader ? "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ"
                          : "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
                   "") &&
           (!reader || db_exec(db, err, "SET SESSION character_set_results=NULL", ""));
}

static bool connect_all(const SnapshotPlan *plan, Snapshot *s, Err *err)
{
    if (!db_connect(plan->target, 0, &s->control, err) ||
        !flavor_check_version(db_version(s->control), err) ||
        !prepare(s->control, plan->lock_wait_s, false, err))
        return false;
    s->readers = xcalloc(plan->threads, sizeof(Db *));
    for (; s->n_readers < plan->threads; s->n_readers++) {
        Db **db = &s->readers[s->n_readers];
        if (!db_connect(plan->target, 0, db, err))
            return false;
        if (!prepare(*db, plan->lock_wait_s, true, err)) {
            s->n_readers++;
            return false;
        }
    }
    return true;
}

static bool start_all(Snapshot *s, Err *err)
{
    for (size_t i = 0; i < s->n_readers; i++)
        if (!db_exec(s->readers[i], err, START_SNAPSHOT, ""))
            return false;
    return true;
}

/* ---- positions ------------------------------------------------------------------------------------ */

static char *joined(const char *text) /* GTID sets hold no newline */
{
    char *out = xstrdup(text), *to = out;
    for (const char *p = out; *p; p++)
        if (*p != '\n' && *p != '\r')
            *to++ = *p;
    *to = 0;
    return out;
}

static bool read_position(Snapshot *s, Err *err)
{
    DbRows *r;
    bool more;
    if (!db_query(s->control, &r, err, flavor(s)->position_sql, ""))
        return false;
    bool ok = db_next(r, &more, err);
    if (ok && more) {
        free(s->applied);
        free(s->binlog_gtid);
        s->applied = joined(db_text(r, "applied"));
        s->binlog_gtid = joined(db_text(r, "binlog"));
    }
    db_rows_free(r);
    return ok;
}

/* File positions need a privilege; a dump is whole without them. */
static void read_coordinates(Snapshot *s)
{
    Err ignored;
    DbRows *r;
    bool more;
    if (db_query(s->control, &r, &ignored, flavor(s)->show_binlog_status, "")) {
        if (db_next(r, &more, &ignored) && more) {
            free(s->binlog_file);
            s->binlog_file = xstrdup(db_text(r, "File"));
            s->binlog_pos = db_int(r, "Position");
        }
        db_rows_free(r);
    }
    ReplStatus st = {0};
    if (repl_read(s->control, &st, &ignored) && st.is_replica) {
        s->source_host = xstrdup(st.source_host);
        s->source_file = xstrdup(st.exec_file);
        s->source_pos = st.exec_pos;
    }
    repl_status_done(&st);
}

static bool check_frozen(Snapshot *s, const char *when, Err *err)
{
    GtidOrder order = gtid_compare_text(db_version(s->control)->flavor, s->frozen_gtid, s->applied);
    if (order == GTID_EQUAL)
        return true;
    return err_set(err, ERR_REFUSED, 0,
                   "the server is not frozen %s: it has applied %s, the run's position is %s", when,
                   *s->applied ? s->applied : "nothing", s->frozen_gtid);
}

/* ---- ways to one moment --------------------------------------------------------------------------- */

static bool open_frozen(const SnapshotPlan *plan, Snapshot *s, Err *err)
{
    s->frozen_gtid = joined(plan->frozen_gtid);
    if (!read_position(s, err) || !check_frozen(s, "at the start", err) || !start_all(s, err))
        return false;
    read_coordinates(s);
    snprintf(s->method, sizeof s->method, "the server is frozen, its position is checked before and after");
    return true;
}

/* ERR_AUTH where the account may not hold commits. */
static bool open_held(const SnapshotPlan *plan, Snapshot *s, Err *err)
{
    const Flavor *f = flavor(s);
    Db *holder;
    if (!db_connect(plan->target, 0, &holder, err))
        return false;
    bool ok = prepare(holder, plan->lock_wait_s < HOLD_WAIT_S ? plan->lock_wait_s : HOLD_WAIT_S, false, err);
    for (const char *const *sql = f->hold_commits; ok && *sql; sql++)
        ok = db_exec(holder, err, *sql, "");
    int64_t from = clock_mono_ms();
    ok = ok && start_all(s, err) && read_position(s, err);
    if (ok)
        read_coordinates(s);
    int64_t held_ms = clock_mono_ms() - from;
    ok = ok && db_exec(holder, err, f->release_commits, "");
    db_close(holder); /* releases whatever is still held */
    if (ok)
        snprintf(s->method, sizeof s->method,
                 "commits were held for %lld ms by %s while %zu snapshots were opened", (long long)held_ms,
                 f->hold_commits_name, s->n_readers);
    return ok;
}

/* "file:position" of a session's snapshot; "" where the server does not tell. */
static bool binlog_place(Snapshot *s, Db *db, Str *ret, Err *err)
{
    AUTOFREE char *file = NULL;
    int64_t pos = 0;
    if (!repl_snapshot_place(db, &file, &pos, err))
        return false;
    str_clear(ret);
    if (file) {
        str_addf(ret, "%s:%lld", file, (long long)pos);
        free(s->binlog_file);
        s->binlog_file = STEAL(file);
        s->binlog_pos = pos;
    }
    return true;
}

/* *ret_same: all snapshots stand at one known place of the binary log. */
static bool same_position(Snapshot *s, bool *ret_same, Err *err)
{
    AUTO(str_done) Str first = STR_INIT, other = STR_INIT;
    if (!binlog_place(s, s->readers[0], &first, err))
        return false;
    bool same = first.len > 0;
    for (size_t i = 1; same && i < s->n_readers; i++) {
        if (!binlog_place(s, s->readers[i], &other, err))
            return false;
        same = str_eq(str_z(&first), str_z(&other));
    }
    *ret_same = same;
    return true;
}

static void name_gtid(Snapshot *s)
{
    Err ignored;
    char *gtid = NULL;
    if (db_value(s->control, &gtid, &ignored, flavor(s)->gtid_of_position_sql, "si", s->binlog_file,
                 s->binlog_pos) &&
        gtid)
        s->binlog_gtid = STEAL(gtid);
    free(gtid);
}

static bool open_by_position(Snapshot *s, bool *ret_done, Err *err)
{
    *ret_done = false;
    if (!flavor(s)->snapshot_position_sql)
        return true;
    for (int i = 1; i <= POSITION_TRIES && !*ret_done; i++) {
        if (!start_all(s, err) || !same_position(s, ret_done, err))
            return false;
        if (*ret_done)
            snprintf(s->method, sizeof s->method,
                     "%zu snapshots at one binary log position, without a lock, at attempt %d", s->n_readers,
                     i);
        else if (!s->binlog_file)
            return true; /* no binary log: trying again tells nothing */
    }
    return true;
}

static bool open_live(const SnapshotPlan *plan, Snapshot *s, Err *err)
{
    if (s->n_readers == 1) {
        Err ignored;
        bool known = false;
        if (!start_all(s, err))
            return false;
        if (flavor(s)->snapshot_position_sql)
            (void)!same_position(s, &known, &ignored);
        if (known)
            name_gtid(s);
        snprintf(s->method, sizeof s->method, "one connection with a consistent snapshot, no lock");
        return true;
    }
    Err held;
    bool done;
    if (open_held(plan, s, &held))
        return true;
    if (held.kind != ERR_AUTH && held.kind != ERR_TIMEOUT) {
        *err = held;
        return false;
    }
    if (!open_by_position(s, &done, err))
        return false;
    if (done) {
        name_gtid(s);
        return true;
    }
    return err_set(err, held.kind, held.code,
                   "cannot open %zu snapshots at one moment (%s: %s): grant %s ON *.* to the account, or use "
                   "--threads 1",
                   s->n_readers, flavor(s)->hold_commits_name, held.text, flavor(s)->hold_commits_privilege);
}

static void forget_places(Snapshot *s)
{
    char **const owned[] = {&s->frozen_gtid, &s->binlog_file, &s->binlog_gtid,
                            &s->source_host, &s->source_file, &s->applied};
    for (size_t i = 0; i < COUNT(owned); i++) {
        free(*owned[i]);
        *owned[i] = NULL;
    }
}

bool snapshot_begin(const SnapshotPlan *plan, Snapshot *s, Err *err)
{
    forget_places(s);
    return plan->frozen_gtid ? open_frozen(plan, s, err) : open_live(plan, s, err);
}

bool snapshot_connect(const SnapshotPlan *plan, Snapshot *ret, Err *err)
{
    Snapshot s = {.started_at = clock_wall_ms()};
    if (!connect_all(plan, &s, err)) {
        snapshot_close(&s);
        return false;
    }
    *ret = s;
    return true;
}

bool snapshot_still_frozen(Snapshot *s, Err *err)
{
    return !s->frozen_gtid || (read_position(s, err) && check_frozen(s, "any more", err));
}

/* Read while commits were held, or frozen. A live server without a binary log changes without a trace. */
char *snapshot_position(const Snapshot *s)
{
    const char *applied = s->applied ? s->applied : "", *own = s->binlog_gtid ? s->binlog_gtid : "";
    if (!s->applied || (s->frozen_gtid ? !*applied : !*own))
        return xstrdup("");
    return str_eq(applied, own) ? xstrdup(own) : xasprintf("%s (own: %s)", *applied ? applied : "none", own);
}

void snapshot_close(Snapshot *s)
{
    for (size_t i = 0; i < s->n_readers; i++)
        db_close(s->readers[i]);
    free(s->readers);
    db_close(s->control);
    forget_places(s);
    *s = (Snapshot){0};
}
