/* SPDX-License-Identifier: Apache-2.0 */
#include "rescue_create.h"

#include <poll.h>

#include "replica-agent/core/ddl.h"

#define ASIDE "siding_rescue_aside"

enum { LOOK_MS = 20 };

bool rescue_create_is(const BinlogGroup *g, const BinlogQuery *q)
{
    AUTOFREE char *schema = NULL, *name = NULL;
    return !g->standalone && ddl_created_table(q->sql, &schema, &name);
}

static bool wait_for(RescuePipe *p, bool fed, Err *err)
{
    Err end;
    rescue_pipe_end(p);
    while (!rescue_pipe_is_done(p))
        poll(NULL, 0, LOOK_MS);
    if (rescue_pipe_close(p, &end))
        return fed;
    *err = end;
    return false;
}

static bool make_aside(const AgentConfig *conf, const StrList *files, const BinlogGroup *g,
                       const BinlogQuery *q, Err *err)
{
    RescuePipe *p;
    AUTOFREE char *again = ddl_again(q->sql);
    if (!rescue_pipe_open(conf, files, false, &p, err))
        return false;
    return wait_for(p, rescue_pipe_feed(p, g, again ? q : NULL, again, err), err);
}

static bool create_from_aside(const AgentConfig *conf, const StrList *files, const BinlogGroup *g,
                              const BinlogQuery *q, const char *sql, Err *err)
{
    RescuePipe *p;
    if (!rescue_pipe_open(conf, files, true, &p, err))
        return false;
    return wait_for(p, rescue_pipe_feed_statement(p, g, q, sql, err), err);
}

static bool exec(Db *db, Err *err, const Str *sql)
{
    return db_exec(db, err, str_z(sql), "");
}

static bool drop_aside(Db *db, const char *schema, Err *err)
{
    AUTO(str_done) Str sql = STR_INIT;
    str_adds(&sql, "DROP TABLE IF EXISTS ");
    db_quote_table(&sql, schema, ASIDE);
    return exec(db, err, &sql);
}

static bool move_aside(Db *db, const char *schema, const char *name, Err *err)
{
    AUTO(str_done) Str sql = STR_INIT;
    str_adds(&sql, "RENAME TABLE ");
    db_quote_table(&sql, schema, name);
    str_adds(&sql, " TO ");
    db_quote_table(&sql, schema, ASIDE);
    return exec(db, err, &sql);
}

/* The columns by name. One that is generated would have to be left out, and would change its place. */
static bool select_aside(Db *db, const char *schema, const char *create, Str *ret, Err *err)
{
    DbRows *r;
    bool more, ok, generated = false;
    if (!db_query(db, &r, err,
                  "SELECT column_name AS c, is_generated = 'ALWAYS' AS g FROM information_schema.columns "
                  "WHERE table_schema = ? AND table_name = '" ASIDE "' ORDER BY ordinal_position",
                  "s", schema))
        return false;
    str_adds(ret, create);
    const char *before = " SELECT ";
    while ((ok = db_next(r, &more, err)) && more) {
        generated = generated || db_int(r, "g");
        str_adds(ret, before);
        db_quote_id(ret, db_text(r, "c"));
        before = ", ";
    }
    db_rows_free(r);
    if (ok && generated)
        return err_set(err, ERR_REFUSED, 0,
                       "CREATE TABLE … SELECT with a generated column cannot be applied from the relay "
                       "files: %.200s",
                       create);
    str_adds(ret, " FROM ");
    db_quote_table(ret, schema, ASIDE);
    return ok;
}

bool rescue_create(const AgentConfig *conf, Db *db, const StrList *files, const BinlogGroup *g,
                   const BinlogQuery *q, Err *err)
{
    AUTO(str_done) Str sql = STR_INIT;
    AUTOFREE char *named = NULL, *name = NULL;
    if (!ddl_created_table(q->sql, &named, &name))
        return err_set(err, ERR_CORRUPT, 0, "no CREATE TABLE: %.200s", q->sql);
    const char *schema = named ? named : q->schema;
    return drop_aside(db, schema, err) && make_aside(conf, files, g, q, err) &&
           move_aside(db, schema, name, err) && select_aside(db, schema, q->sql, &sql, err) &&
           create_from_aside(conf, files, g, q, str_z(&sql), err) && drop_aside(db, schema, err);
}

bool rescue_create_clean(Db *db, Err *err)
{
    DbRows *r;
    bool more, ok;
    AUTO(strlist_done) StrList schemas = STRLIST_INIT;
    if (!db_query(db, &r, err,
                  "SELECT table_schema AS s FROM information_schema.tables WHERE table_name = '" ASIDE "'",
                  ""))
        return false;
    while ((ok = db_next(r, &more, err)) && more)
        strlist_add(&schemas, db_text(r, "s"));
    db_rows_free(r);
    for (size_t i = 0; ok && i < schemas.n; i++)
        ok = drop_aside(db, schemas.v[i], err);
    return ok;
}
