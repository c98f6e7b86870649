/* SPDX-License-Identifier: Apache-2.0 */
#include "relay_events.h"

#include <string.h>
#include <sys/stat.h>

#include "common/db/binlog.h"
#include "common/db/gtid.h"

static bool same_file(const char *a, const char *b)
{
    struct stat x, y;
    return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

/* The number of "relay.000007", or of a link to it; 0 for what has none. */
static long long number_of(const char *path)
{
    long long n = 0;
    const char *dot = strrchr(path, '.');
    return dot && str_to_i64(dot + 1, 1, INT64_MAX, &n) ? n : 0;
}

/* The applier removes a file when it has passed it, in their order, and nobody else removes the first and
 * leaves the later ones. */
static bool is_passed(const char *link, const StrList *present)
{
    long long n = number_of(link), first = present->n ? number_of(present->v[0]) : 0;
    return n && n < first;
}

/* The server's own path of what may be a link. */
static const char *own_path(const char *path, const StrList *present)
{
    for (size_t i = 0; i < present->n; i++)
        if (same_file(path, present->v[i]))
            return present->v[i];
    return NULL;
}

/* Links to files that the server has removed, and may not have applied: they can be read here, or nobody
 * reads them. */
static bool removed_files(const StrList *all, const StrList *present, StrList *ret, Err *err)
{
    for (size_t i = 0; i < all->n; i++) {
        if (own_path(all->v[i], present) || is_passed(all->v[i], present))
            continue;
        if (binlog_is_encrypted(all->v[i]))
            return err_set(err, ERR_REFUSED, 0, "%s is encrypted, and the server does not list it any more",
                           all->v[i]);
        strlist_add(ret, all->v[i]);
    }
    return true;
}

/* "BEGIN GTID 0-1-270 cid=7", "GTID 0-1-271" */
static bool take_event(DbFlavor flavor, const char *info, char **last, Err *err)
{
    const char *at = strstr(info, "GTID ");
    AUTOFREE char *gtid = at ? xstrndup(at + strlen("GTID "), strcspn(at + strlen("GTID "), " ")) : NULL;
    char *next = gtid ? gtid_max_text(flavor, *last, gtid) : NULL;
    if (!next)
        return err_set(err, ERR_CORRUPT, 0, "the event \"%.100s\" cannot be understood", info);
    free(*last);
    *last = next;
    return true;
}

/* Asked for what a kill has cut off, the server says nothing but an error. */
static bool read_file(Db *db, const char *path, char **last, Err *err)
{
    DbRows *r;
    bool more, ok;
    int64_t whole;
    const char *slash = strrchr(path, '/');
    if (!binlog_whole_events(path, &whole, err))
        return false;
    if (!whole)
        return true;
    if (!db_query(db, &r, err, "SHOW RELAYLOG EVENTS IN ? LIMIT ?", "si", slash ? slash + 1 : path, whole))
        return false;
    while ((ok = db_next(r, &more, err)) && more)
        if (strcmp(db_text(r, "Event_type"), "Gtid") == 0 &&
            !(ok = take_event(db_version(db)->flavor, db_text(r, "Info"), last, err)))
            break;
    db_rows_free(r);
    return ok;
}

bool relay_events_last(Db *db, const VaultPlace *place, char **ret, Err *err)
{
    AUTO(strlist_done) StrList all = STRLIST_INIT, present = STRLIST_INIT, removed = STRLIST_INIT;
    AUTO(binlog_scan_done) BinlogScan scan = {0};
    if (!vault_files(place, &all, err) ||
        !vault_index_files(place->index, place->data_folder, &present, err) ||
        !removed_files(&all, &present, &removed, err) || !binlog_scan(&removed, &scan, err))
        return false;
    AUTOFREE char *last = xstrdup(scan.last ? scan.last : "");
    for (size_t i = 0; i < present.n; i++)
        if (!read_file(db, present.v[i], &last, err))
            return false;
    *ret = STEAL(last);
    return true;
}

static bool is_empty(Db *db, const char *path, const StrList *present)
{
    Err err;
    const char *own = binlog_is_encrypted(path) ? own_path(path, present) : NULL;
    AUTOFREE char *last = xstrdup("");
    return own && read_file(db, own, &last, &err) && !*last;
}

static bool some_are_encrypted(const StrList *files)
{
    for (size_t i = 0; i < files->n; i++)
        if (binlog_is_encrypted(files->v[i]))
            return true;
    return false;
}

bool relay_events_some_encrypted(const VaultPlace *place)
{
    Err err;
    AUTO(strlist_done) StrList files = STRLIST_INIT;
    return vault_files(place, &files, &err) && some_are_encrypted(&files);
}

static void leave_empty(Db *db, const VaultPlace *place, StrList *files)
{
    Err err;
    AUTO(strlist_done) StrList present = STRLIST_INIT, left = STRLIST_INIT;
    if (!some_are_encrypted(files) || !vault_index_files(place->index, place->data_folder, &present, &err))
        return;
    for (size_t i = 0; i < files->n; i++)
        if (!is_empty(db, files->v[i], &present))
            strlist_add(&left, files->v[i]);
    strlist_done(files);
    *files = left;
    left = (StrList)STRLIST_INIT;
}

bool relay_events_files(Db *db, const VaultPlace *place, StrList *ret, Err *err)
{
    if (!vault_files(place, ret, err))
        return false;
    leave_empty(db, place, ret);
    return true;
}
