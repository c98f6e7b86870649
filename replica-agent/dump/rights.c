/* SPDX-License-Identifier: Apache-2.0 */
#include "rights.h"

#include <string.h>

#include "common/db/flavor.h"
#include "common/db/servercheck.h"

/* "GRANT role TO …", and "ON `shop%`.*". */
static bool is_unclear(const char *line)
{
    const char *on = strstr(line, " ON "), *to = strstr(line, " TO ");
    if (!on || (to && to < on))
        return true;
    const char *pattern = strchr(on, '%');
    return pattern && to && pattern < to;
}

bool rights_may(const StrList *grants, const char *privilege, const char *database)
{
    AUTOFREE char *on = xasprintf("%s.*", database), *missing = servercheck_missing(grants, privilege, on);
    for (size_t i = 0; missing && i < grants->n; i++)
        if (is_unclear(grants->v[i]))
            return true;
    return !missing;
}

static bool refuse(const char *what, const char *privilege, const char *database, Err *err)
{
    AUTO(str_done) Str name = STR_INIT;
    db_quote_id(&name, database);
    return err_set(
        err, ERR_AUTH, 0,
        "the account may not see the %s of %s, and the dump would lack them: GRANT %s ON %s.*, or leave "
        "triggers, routines and events out by --no-objects",
        what, database, privilege, name.p);
}

static bool read_grants(Db *db, StrList *ret, Err *err)
{
    DbRows *r;
    bool more, ok;
    if (!db_query(db, &r, err, "SHOW GRANTS", ""))
        return false;
    while ((ok = db_next(r, &more, err)) && more)
        strlist_add(ret, db_field(r, 0, NULL));
    db_rows_free(r);
    return ok;
}

static bool may_read_routines(Db *db, const StrList *grants, const char *database)
{
    Err ignored;
    AUTOFREE char *one = NULL;
    const char *sql = flavor_of(db_version(db)->flavor)->routines_probe_sql;
    if (sql)
        return db_value(db, &one, &ignored, sql, "");
    return rights_may(grants, "SHOW_ROUTINE", database) || rights_may(grants, "SELECT", "*");
}

bool rights_check(Db *db, const Catalogue *c, bool whole, Err *err)
{
    AUTO(strlist_done) StrList grants = STRLIST_INIT;
    if (!read_grants(db, &grants, err))
        return false;
    for (size_t i = 0; i < c->n_databases; i++) {
        const char *name = c->databases[i].name;
        if (!rights_may(&grants, "TRIGGER", name))
            return refuse("triggers", "TRIGGER", name, err);
        if (whole && !rights_may(&grants, "EVENT", name))
            return refuse("events", "EVENT", name, err);
        if (whole && !may_read_routines(db, &grants, name))
            return err_set(
                err, ERR_AUTH, 0,
                "the account may not see the routines of %s, and the dump would lack them: grant it %s, or "
                "leave triggers, routines and events out by --no-objects",
                name, flavor_of(db_version(db)->flavor)->routines_grant);
    }
    return true;
}
