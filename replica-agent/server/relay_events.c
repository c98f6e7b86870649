/* SPDX-License-Identifier: Apache-2.0 */
#include "relay_events.h"

#include <string.h>
#include <sys/stat.h>

#include "common/db/gtid.h"

static bool same_file(const char *a, const char *b)
{
    struct stat x, y;
    return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

/* A link to a file that the server has removed. */
static bool all_are_present(const StrList *all, const StrList *present, Err *err)
{
    for (size_t i = 0; i < all->n; i++) {
        size_t k = 0;
        while (k < present->n && !same_file(all->v[i], present->v[k]))
            k++;
        if (k == present->n)
            return err_set(err, ERR_REFUSED, 0, "%s is encrypted, and the server does not list it any more",
                           all->v[i]);
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

static bool read_file(Db *db, const char *path, char **last, Err *err)
{
    DbRows *r;
    bool more, ok;
    const char *slash = strrchr(path, '/');
    if (!db_query(db, &r, err, "SHOW RELAYLOG EVENTS IN ?", "s", slash ? slash + 1 : path))
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
    AUTO(strlist_done) StrList all = STRLIST_INIT, present = STRLIST_INIT;
    AUTOFREE char *last = xstrdup("");
    if (!vault_files(place, &all, err) ||
        !vault_index_files(place->index, place->data_folder, &present, err) ||
        !all_are_present(&all, &present, err))
        return false;
    for (size_t i = 0; i < present.n; i++)
        if (!read_file(db, present.v[i], &last, err))
            return false;
    *ret = STEAL(last);
    return true;
}
