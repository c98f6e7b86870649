/* SPDX-License-Identifier: Apache-2.0
 * What must be so before a server is filled, and how one is emptied.
 */
#include <string.h>
#include <sys/stat.h>

#include "common/base/clock.h"
#include "common/db/gtid.h"
#include "common/file/fs.h"
#include "fill_impl.h"

enum { DONOR_MS = 60000, CATCH_UP_MS = 20000, LOOK_MS = 100 };

#define SYSTEM_SCHEMAS "('mysql', 'information_schema', 'performance_schema', 'sys')"

/* ---- the donor ------------------------------------------------------------------------------------ */

static bool check_version(const Db *local, const Db *donor, Err *err)
{
    const DbVersion *to = db_version(local), *from = db_version(donor);
    if (to->flavor != from->flavor)
        return err_set(err, ERR_REFUSED, 0,
                       "the donor is %s %s and this server %s %s: a replica is of the same kind",
                       flavor_of(from->flavor)->name, from->text, flavor_of(to->flavor)->name, to->text);
    if (to->major > from->major || (to->major == from->major && to->minor >= from->minor))
        return true;
    return err_set(err, ERR_REFUSED, 0, "this server is %s and the donor %s: a replica must not be older",
                   to->text, from->text);
}

static bool check_stands(Fill *f, Db *donor, Err *err)
{
    ReplStatus s = {0};
    if (!repl_read(donor, &s, err))
        return false;
    bool stands = s.is_replica && !s.sql_running &&
                  gtid_compare_text(f->flavor->flavor, s.applied, f->order.gtid) == GTID_EQUAL;
    if (!stands)
        err_set(err, ERR_REFUSED, 0, "the donor %s does not stand at %.200s any more, but at %.200s",
                f->order.donor.node, f->order.gtid, s.applied ? s.applied : "?");
    str_set(&f->logged, s.logged && *s.logged ? s.logged : NULL);
    repl_status_done(&s);
    return stands;
}

/* ---- room ----------------------------------------------------------------------------------------- */

static bool is_same_disk(const char *a, const char *b)
{
    struct stat x, y;
    return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev;
}

static bool check_free(const char *path, int64_t needs, const char *what, Err *err)
{
    int64_t is;
    if (!fs_free_bytes(path, &is, err))
        return false;
    return is >= needs ||
           err_set(err, ERR_REFUSED, 0, "%s may need %lld MB in %s, which has %lld MB free: make room there",
                   what, (long long)(needs >> 20) + 1, path, (long long)(is >> 20));
}

/* A dump takes about half of what its tables take, at most all of it. */
static bool check_room(const Fill *f, Db *donor, Err *err)
{
    int64_t bytes, spare = f->conf.min_free_bytes;
    AUTOFREE char *data = NULL;
    if (!db_value_int(donor, &bytes, err,
                      "SELECT CAST(COALESCE(SUM(data_length + index_length), 0) AS SIGNED) FROM "
                      "information_schema.tables WHERE table_schema NOT IN " SYSTEM_SCHEMAS,
                      "") ||
        !db_value(f->db, &data, err, "SELECT @@GLOBAL.datadir", ""))
        return false;
    bool seen = fs_exists(data); /* the folder may be closed to this user, or another host's */
    if (seen && is_same_disk(data, f->conf.spool_dir))
        return check_free(data, 2 * bytes + spare, "the data and their dump", err);
    return check_free(f->conf.spool_dir, bytes + spare, "the dump", err) &&
           (!seen || check_free(data, bytes + spare, "the data", err));
}

/* ---- this server ---------------------------------------------------------------------------------- */

static bool read_databases(Db *db, StrList *ret, Err *err)
{
    DbRows *r;
    bool more, ok;
    if (!db_query(
            db, &r, err,
            "SELECT schema_name FROM information_schema.schemata WHERE schema_name NOT IN " SYSTEM_SCHEMAS
            " ORDER BY 1",
            ""))
        return false;
    while ((ok = db_next(r, &more, err)) && more)
        strlist_add(ret, db_field(r, 0, NULL));
    db_rows_free(r);
    return ok;
}

static bool check_nothing_is_lost(const Fill *f, Err *err)
{
    AUTO(strlist_done) StrList databases = STRLIST_INIT;
    ReplStatus s = {0};
    if (!read_databases(f->db, &databases, err) || !repl_read(f->db, &s, err))
        return false;
    AUTOFREE char *names = strlist_join(&databases, ", ");
    bool open = !s.read_only && !s.closed, replica = s.is_replica;
    repl_status_done(&s);
    if (open)
        return err_set(err, ERR_REFUSED, 0,
                       "this server takes writes: a replica that is filled is read-only");
    if (f->order.replaces || f->ours)
        return true;
    if (databases.n)
        return err_set(
            err, ERR_REFUSED, 0,
            "this server is not empty, it holds %.300s: drop what is not needed, or replace all of it by "
            "siding replica reprovision",
            names);
    return !replica || err_set(err, ERR_REFUSED, 0, "this server replicates from another already");
}

/* ---- what only this server has -------------------------------------------------------------------- */

static char *all_of(const Fill *f, const ReplStatus *s)
{
    DbFlavor flavor = f->flavor->flavor;
    AUTOFREE char *own = gtid_max_text(flavor, s->applied ? s->applied : "", s->binlog ? s->binlog : "");
    return own ? gtid_max_text(flavor, own, s->received ? s->received : "") : NULL;
}

/* On MariaDB a position is one number a domain: what this server has written itself may be missing on one
 * that is further on, as the tail of an old primary is. */
static bool has_own(const Fill *f, const ReplStatus *donor, const ReplStatus *mine)
{
    DbFlavor flavor = f->flavor->flavor;
    if (!mine->logged || !*mine->logged)
        return true;
    AUTOFREE char *own = gtid_own_text(flavor, mine->logged, mine->server_id);
    AUTOFREE char *lacks =
        own ? gtid_lacking_text(flavor, own, donor->logged ? donor->logged : "", NULL) : NULL;
    return lacks && !*lacks;
}

static bool donor_has(const Fill *f, Db *donor, const ReplStatus *mine, const char *all, bool *ret, Err *err)
{
    ReplStatus s = {0};
    if (!repl_read(donor, &s, err))
        return false;
    AUTOFREE char *its = all_of(f, &s);
    GtidOrder order = its ? gtid_compare_text(f->flavor->flavor, its, all) : GTID_DIVERGED;
    *ret = (order == GTID_EQUAL || order == GTID_AFTER) && has_own(f, &s, mine);
    repl_status_done(&s);
    return true;
}

/* With its receiver stopped it promises nothing more. What it has acknowledged may be nowhere else but on the
 * primary, until the donor has received it too. */
static bool await_donor(const Fill *f, Db *donor, Err *err)
{
    ReplStatus s = {0};
    bool there = false, ok;
    if (!repl_read(f->db, &s, err))
        return false;
    AUTOFREE char *all = all_of(f, &s);
    int64_t until = clock_mono_ms() + CATCH_UP_MS;
    ok = all || err_set(err, ERR_CORRUPT, 0, "this server's positions cannot be understood");
    while (ok && (ok = donor_has(f, donor, &s, all, &there, err)) && !there) {
        if (clock_mono_ms() >= until)
            ok = err_set(
                err, ERR_REFUSED, 0,
                "this server holds transactions that the donor has not received (it has %.300s): they would "
                "be lost; --discard-its-transactions gives them up",
                s.logged && *s.logged ? s.logged : all);
        clock_sleep_ms(LOOK_MS);
    }
    repl_status_done(&s);
    return ok;
}

bool fill_donor_stands(Fill *f, Err *err)
{
    Db *donor = NULL;
    if (!db_connect(&f->donor, DONOR_MS, &donor, err))
        return err_prefix(err, "the donor %s", f->order.donor.node);
    bool ok = check_stands(f, donor, err);
    db_close(donor);
    return ok;
}

bool fill_check(Fill *f, Err *err)
{
    Db *donor = NULL;
    if (!check_nothing_is_lost(f, err))
        return false;
    if (!db_connect(&f->donor, DONOR_MS, &donor, err))
        return err_prefix(err, "the donor %s", f->order.donor.node);
    bool ok = check_version(f->db, donor, err) && check_stands(f, donor, err) && check_room(f, donor, err) &&
              (!f->order.replaces || f->order.discards || f->ours || f->phase >= FILL_EMPTYING ||
               (db_exec(f->db, err, f->flavor->stop_both, "") && await_donor(f, donor, err)));
    db_close(donor);
    return ok;
}

/* ---- emptying ------------------------------------------------------------------------------------- */

static bool drop_databases(Fill *f, Err *err)
{
    AUTO(strlist_done) StrList databases = STRLIST_INIT;
    bool ok = read_databases(f->db, &databases, err);
    for (size_t i = 0; ok && i < databases.n; i++) {
        AUTO(str_done) Str sql = STR_INIT;
        str_adds(&sql, "DROP DATABASE ");
        db_quote_id(&sql, databases.v[i]);
        ok = db_exec(f->db, err, sql.p, "");
    }
    return ok;
}

/* They come back from the donor, with its passwords. */
static bool read_accounts(Fill *f, StrList *users, StrList *drops, Err *err)
{
    DbRows *r;
    bool more, ok;
    if (!db_query(f->db, &r, err, f->flavor->users_sql, ""))
        return false;
    while ((ok = db_next(r, &more, err)) && more) {
        const char *user = db_field(r, 0, NULL), *host = db_field(r, 1, NULL);
        bool role = *db_field(r, 2, NULL) == '1';
        AUTO(str_done) Str sql = STR_INIT;
        str_adds(&sql, role ? "DROP ROLE IF EXISTS " : "DROP USER IF EXISTS ");
        db_quote_str(&sql, user, strlen(user));
        if (!role) {
            str_addc(&sql, '@');
            db_quote_str(&sql, host, strlen(host));
        }
        strlist_add(users, user);
        strlist_add(drops, str_z(&sql));
    }
    db_rows_free(r);
    return ok;
}

static bool drop_accounts(Fill *f, Err *err)
{
    static const char *const kept[] = {"root", "mysql", "PUBLIC"};
    AUTO(strlist_done) StrList users = STRLIST_INIT, drops = STRLIST_INIT;
    AUTOFREE char *mine = NULL;
    bool ok = db_value(f->db, &mine, err, "SELECT SUBSTRING_INDEX(CURRENT_USER(), '@', 1)", "") &&
              read_accounts(f, &users, &drops, err);
    for (size_t i = 0; ok && i < users.n; i++) {
        bool keep = str_eq(users.v[i], mine) || flavor_is_siding(f->flavor, users.v[i]);
        for (size_t k = 0; k < COUNT(kept); k++)
            keep = keep || str_eq(users.v[i], kept[k]);
        ok = keep || db_exec(f->db, err, drops.v[i], "");
    }
    return ok;
}

bool fill_empty(Fill *f, Err *err)
{
    return (!f->flavor->admins_write || db_exec(f->db, err, f->flavor->admins_write, "")) &&
           db_exec(f->db, err, f->flavor->stop_both, "") &&
           db_exec(f->db, err, f->flavor->forget_source, "") &&
           db_exec(f->db, err, "SET SESSION foreign_key_checks=0", "") && drop_databases(f, err) &&
           (!f->order.replaces || drop_accounts(f, err));
}
