/* SPDX-License-Identifier: Apache-2.0 */
#include "submitters.h"

#include <inttypes.h>
#include <string.h>

#include "common/db/db.h"

static void quote(Str *out, const char *text, size_t n)
{
    db_quote_str(out, text, n);
}

static void add_rights(size_t place, const char *what, const StrList *names, StrList *ret)
{
    for (size_t i = 0; i < names->n; i++) {
        AUTO(str_done) Str sql = STR_INIT;
        str_addf(&sql, "INSERT IGNORE INTO siding.submitter_right (place, what, name) VALUES (%zu, '%s', ",
                 place, what);
        quote(&sql, names->v[i], strlen(names->v[i]));
        str_addc(&sql, ')');
        strlist_add(ret, sql.p);
    }
}

static void add_submitter(size_t place, const SqlSubmitter *s, StrList *ret)
{
    AUTO(str_done) Str sql = STR_INIT;
    const char *at = strrchr(s->account, '@');
    str_addf(&sql,
             "INSERT INTO siding.submitter (place, user, host, least_priority, most_priority, most_waiting)"
             " VALUES (%zu, ",
             place);
    quote(&sql, s->account, (size_t)(at - s->account));
    str_adds(&sql, ", ");
    quote(&sql, at + 1, strlen(at + 1));
    str_addf(&sql, ", %" PRId64 ", %" PRId64 ", %" PRId64 ")", s->least_priority, s->most_priority,
             s->most_waiting);
    strlist_add(ret, sql.p);
    add_rights(place, "job", &s->jobs, ret);
    add_rights(place, "database", &s->databases, ret);
}

void submitters_sql(const ConfList *submitters, StrList *ret)
{
    const SqlSubmitter *s = submitters->v;
    strlist_add(ret, "DELETE FROM siding.submitter_right");
    strlist_add(ret, "DELETE FROM siding.submitter");
    for (size_t i = 0; i < submitters->n; i++)
        add_submitter(i + 1, &s[i], ret);
}
