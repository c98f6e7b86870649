/* SPDX-License-Identifier: Apache-2.0 */
#include "db.h"

bool db_take_lock(Db *db, const char *name, int64_t wait_s, bool *ret, Err *err)
{
    int64_t got;
    if (!db_value_int(db, &got, err, "SELECT COALESCE(GET_LOCK(?, ?), 0)", "si", name, wait_s))
        return false;
    *ret = got == 1;
    return true;
}

bool db_lock_holder(Db *db, const char *name, int64_t *ret, Err *err)
{
    return db_value_int(db, ret, err, "SELECT COALESCE(IS_USED_LOCK(?), 0)", "s", name);
}
