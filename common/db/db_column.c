/* SPDX-License-Identifier: Apache-2.0 */
#include "db.h"

bool db_column(Db *db, const char *sql, int column, StrList *ret, Err *err)
{
    DbRows *r;
    bool more, ok;
    if (!db_query(db, &r, err, sql, ""))
        return false;
    while ((ok = db_next(r, &more, err)) && more)
        if (db_field(r, column, NULL))
            strlist_add(ret, db_field(r, column, NULL));
    db_rows_free(r);
    return ok;
}
