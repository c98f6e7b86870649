/* SPDX-License-Identifier: Apache-2.0 */
#include "rescue_events.h"

#include <string.h>

#include "common/file/fs.h"
#include "common/wire/wire.h"

/* clang-format off */
#define BEFORE_LIST(F, T)                  \
    F(T, BOOL, scheduler) /* it was ON */  \
    F(T, STRS, active) /* "db.name" */
/* clang-format on */
WIRE_STRUCT(Before, BEFORE_LIST);
static const WireField before_fields[] = WIRE_FIELDS(Before, BEFORE_LIST);

static void before_done(Before *b)
{
    wire_free(before_fields, b);
}

static bool read_before(Db *db, Before *ret, Err *err)
{
    DbRows *r;
    bool more, ok;
    AUTOFREE char *scheduler = NULL;
    if (!db_value(db, &scheduler, err, "SELECT @@global.event_scheduler", "") ||
        !db_query(db, &r, err,
                  "SELECT event_schema AS d, event_name AS n FROM information_schema.events WHERE status = "
                  "'ENABLED'",
                  ""))
        return false;
    ret->scheduler = str_eq(scheduler, "ON");
    while ((ok = db_next(r, &more, err)) && more)
        strlist_addf(&ret->active, "%s.%s", db_text(r, "d"), db_text(r, "n"));
    db_rows_free(r);
    return ok;
}

bool rescue_events_begin(Db *db, const char *path, Err *err)
{
    AUTO(before_done) Before b = {0};
    if (!fs_exists(path)) { /* a rescue of before knows better what was before */
        if (!read_before(db, &b, err))
            return false;
        AUTOJSON json_t *j = wire_write(before_fields, &b);
        if (!json_replace_file(path, j, 0600, err))
            return false;
    }
    AUTOFREE char *now = NULL;
    return db_value(db, &now, err, "SELECT @@global.event_scheduler", "") &&
           (!str_eq(now, "ON") || db_exec(db, err, "SET GLOBAL event_scheduler=OFF", ""));
}

/* With its definer: ALTER EVENT would put our own account there. */
static void disable_sql(Str *sql, const char *db, const char *name, const char *definer)
{
    const char *at = strrchr(definer, '@');
    AUTOFREE char *user = xstrndup(definer, at ? (size_t)(at - definer) : strlen(definer));
    str_adds(sql, "ALTER DEFINER=");
    db_quote_id(sql, user);
    str_addc(sql, '@');
    db_quote_id(sql, at ? at + 1 : "%");
    str_adds(sql, " EVENT ");
    db_quote_table(sql, db, name);
    str_adds(sql, " DISABLE ON SLAVE");
}

static bool list_new(Db *db, const Before *b, StrList *ret, Err *err)
{
    DbRows *r;
    bool more, ok;
    if (!db_query(
            db, &r, err,
            "SELECT event_schema AS d, event_name AS n, definer AS u FROM information_schema.events WHERE "
            "status = 'ENABLED'",
            ""))
        return false;
    while ((ok = db_next(r, &more, err)) && more) {
        AUTOFREE char *name = xasprintf("%s.%s", db_text(r, "d"), db_text(r, "n"));
        AUTO(str_done) Str sql = STR_INIT;
        if (strlist_has(&b->active, name))
            continue;
        disable_sql(&sql, db_text(r, "d"), db_text(r, "n"), db_text(r, "u"));
        strlist_add(ret, str_z(&sql));
    }
    db_rows_free(r);
    return ok;
}

bool rescue_events_end(Db *db, const char *path, Err *err)
{
    AUTO(before_done) Before b = {0};
    AUTO(strlist_done) StrList statements = STRLIST_INIT;
    AUTOJSON json_t *j = NULL;
    if (!fs_exists(path))
        return true;
    if (!json_read_file(path, &j, err) || !wire_read(before_fields, j, &b, err) ||
        !list_new(db, &b, &statements, err))
        return false;
    for (size_t i = 0; i < statements.n; i++)
        if (!db_exec(db, err, statements.v[i], ""))
            return false;
    return (!b.scheduler || db_exec(db, err, "SET GLOBAL event_scheduler=ON", "")) && fs_remove(path, err);
}
