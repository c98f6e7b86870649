/* SPDX-License-Identifier: Apache-2.0 */
#include "warnings.h"

#include <stdatomic.h>
#include <string.h>

#include "common/base/log.h"
#include "flavor.h"

static const struct {
    int first, last;
} losses[] = {
    {1256, 1259}, /* UNCOMPRESS() */
    {1260, 1260}, /* cut by GROUP_CONCAT() */
    {1261, 1265}, /* too few or many fields, NULL for NOT NULL, out of range, data truncated */
    {1292, 1292}, /* truncated or incorrect value */
    {1300, 1301}, /* invalid characters; a function's result beyond max_allowed_packet */
    {1366, 1367}, /* incorrect value of a column; illegal value */
    {1406, 1406}, /* too long */
    {1411, 1411}, /* incorrect value for a function */
    {1441, 1441}, /* DATETIME overflow */
};

enum { DEPRECATED = 1287, DEPRECATED_WITHOUT_OTHER = 1681 };

bool warnings_is_loss(DbFlavor flavor, int64_t code)
{
    for (size_t i = 0; i < COUNT(losses); i++)
        if (code >= losses[i].first && code <= losses[i].last)
            return true;
    for (const int *own = flavor_of(flavor)->loss_warnings; *own; own++)
        if (code == *own)
            return true;
    return false;
}

static bool is_deprecation(int64_t code, const char *text)
{
    return code == DEPRECATED || code == DEPRECATED_WITHOUT_OTHER || strstr(text, "deprecated");
}

static unsigned hash(const char *text)
{
    unsigned h = 2166136261u;
    for (; *text; text++)
        h = (h ^ (unsigned char)*text) * 16777619u;
    return h ? h : 1;
}

/* One and the same may come with each of ten thousand statements. */
static void tell_once(const char *what, int64_t code, const char *text)
{
    static atomic_uint told[16];
    unsigned ours = hash(text);
    for (size_t i = 0; i < COUNT(told); i++) {
        unsigned there = 0;
        if (atomic_compare_exchange_strong(&told[i], &there, ours)) {
            log_warn("%s: the server warns: %s (%lld)", what, text, (long long)code);
            return;
        }
        if (there == ours)
            return;
    }
}

static bool judge(Db *db, WarningsOf of, const char *what, DbRows *r, Err *err)
{
    int64_t code = db_int(r, "Code");
    const char *text = db_text(r, "Message");
    bool note = str_eq(db_text(r, "Level"), "Note"), loss = warnings_is_loss(db_version(db)->flavor, code);
    /* MariaDB says of functions by a note that they are deprecated. */
    if (!loss && (is_deprecation(code, text) || (!note && of != WARNINGS_LOAD))) {
        if (of != WARNINGS_OWN)
            tell_once(what, code, text);
        return true;
    }
    return (!loss && note) ||
           err_set(err, ERR_DB, (int)code, "%s: %s (server warning %lld): data would be lost", what, text,
                   (long long)code);
}

/* Also those beyond max_error_count, which are not shown. */
static bool count_all(Db *db, int64_t *ret, Err *err)
{
    return db_value_int(db, ret, err, "SHOW COUNT(*) WARNINGS", "");
}

bool warnings_check(Db *db, WarningsOf of, const char *what, Err *err)
{
    int64_t all = 0, shown = 0;
    DbRows *rows;
    bool more = false;
    if (!count_all(db, &all, err))
        return false;
    if (!all)
        return true;
    if (!db_query(db, &rows, err, "SHOW WARNINGS", ""))
        return false;
    bool ok = true;
    for (; ok && (ok = db_next(rows, &more, err)) && more; shown++)
        ok = judge(db, of, what, rows, err);
    db_rows_free(rows);
    return ok && (shown >= all ||
                  err_set(err, ERR_REFUSED, 0,
                          "%s: the server warns of %lld things and shows %lld: what is not shown may be lost "
                          "data. Mend those that are shown (SHOW WARNINGS), or raise max_error_count",
                          what, (long long)all, (long long)shown));
}
