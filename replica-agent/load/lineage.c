/* SPDX-License-Identifier: Apache-2.0 */
#include "replica-agent/load/lineage.h"

#include "common/base/str.h"
#include "common/db/flavor.h"
#include "common/db/gtid.h"

/* What the server has written and replicated: MariaDB's binary log knows the last of each server, its
 * position only the greatest number, which another server may have given to something else. */
static bool read_lacking(Db *db, const char *gtid, char **ret, Err *err)
{
    DbRows *r;
    bool more = false;
    DbFlavor flavor = db_version(db)->flavor;
    if (!db_query(db, &r, err, flavor_of(flavor)->position_sql, ""))
        return false;
    bool ok = db_next(r, &more, err);
    if (ok && more) {
        const char *logged = db_text(r, "logged");
        *ret =
            gtid_lacking_text(flavor, gtid, *logged ? logged : db_text(r, "binlog"), db_text(r, "applied"));
        ok = *ret || err_set(err, ERR_CORRUPT, 0,
                             "the position \"%.200s\" of the result, or that of the primary, "
                             "cannot be understood",
                             gtid);
    }
    db_rows_free(r);
    return ok;
}

bool lineage_holds(Db *db, const char *gtid, Err *err)
{
    AUTOFREE char *lacking = NULL;
    if (!gtid || !*gtid)
        return true;
    if (!read_lacking(db, gtid, &lacking, err))
        return false;
    return !lacking || !*lacking ||
           err_set(err, ERR_REFUSED, 0,
                   "the result is ahead of the primary: it was made at %.200s, and this primary never had "
                   "%.200s, which a failover lost. Run the job again; --allow-ahead loads it all the same",
                   gtid, lacking);
}
