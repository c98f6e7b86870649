/* SPDX-License-Identifier: Apache-2.0 */
#include "ddl_recovery.h"

#include <string.h>

#include "common/db/binlog_query.h"
#include "common/db/flavor.h"
#include "common/file/fs.h"
#include "replica-agent/core/buffer.h"
#include "replica-agent/core/ddl.h"
#include "replica-agent/core/own_gtids.h"
#include "vault.h"

enum { LOGS_MAX = 16, TOLD_BYTES = 120 };

typedef struct Statement {
    char *gtid;
    BinlogQuery query;
} Statement;

typedef struct Statements {
    const StrList *files;
    DbFlavor flavor;
    const char *position; /* only what is beyond it */
    int64_t server_id;    /* only those of this server; 0: the first of each domain */
    Statement *v;
    size_t n;
} Statements;

void recovered_done(Recovered *r)
{
    free(r->state);
    free(r->position);
    strlist_done(&r->found);
    *r = (Recovered){0};
}

static void statements_done(Statements *s)
{
    for (size_t i = 0; i < s->n; i++) {
        free(s->v[i].gtid);
        binlog_query_done(&s->v[i].query);
    }
    free(s->v);
}

static bool has_domain(const Statements *s, uint32_t domain)
{
    AUTOFREE char *prefix = xasprintf("%u-", domain);
    for (size_t i = 0; i < s->n; i++)
        if (str_starts(s->v[i].gtid, prefix))
            return true;
    return false;
}

static bool take(void *arg, const BinlogGroup *g, Err *err)
{
    Statements *s = arg;
    if (s->server_id ? g->server_id != (uint32_t)s->server_id : has_domain(s, g->domain))
        return true;
    Statement one = {.gtid = binlog_group_gtid(g)};
    if (buffer_reaches(s->flavor, s->position, one.gtid)) {
        free(one.gtid);
        return true;
    }
    s->v = xrealloc(s->v, (s->n + 1) * sizeof *s->v);
    s->v[s->n] = one;
    return binlog_query_read(s->files, g, &s->v[s->n++].query, err);
}

static bool walk(Statements *s, const StrList *files, Err *err)
{
    AUTO(binlog_scan_done) BinlogScan scan = {0};
    s->files = files;
    return binlog_walk(files, take, s, &scan, err);
}

/* The recovery's are in the log that began at a restart; a restart after that began another. */
static bool read_own(Db *db, Statements *own, Err *err)
{
    AUTO(repl_paths_done) ReplPaths paths = {0};
    AUTO(strlist_done) StrList logs = STRLIST_INIT;
    if (!repl_paths_read(db, &paths, err) || !paths.binlog_index ||
        !vault_index_files(paths.binlog_index, paths.data_folder, &logs, err))
        return false;
    for (size_t i = 0; i < logs.n && i < LOGS_MAX; i++) {
        size_t before = own->n;
        AUTO(strlist_done) StrList one = STRLIST_INIT;
        strlist_add(&one, logs.v[logs.n - 1 - i]);
        if (!walk(own, &one, err))
            return false;
        if (before && own->n == before)
            break;
    }
    return true;
}

static const DdlText *texts(const Statements *s)
{
    DdlText *all = xcalloc(s->n + 1, sizeof *all);
    for (size_t i = 0; i < s->n; i++)
        all[i] = (DdlText){s->v[i].query.schema, s->v[i].query.sql};
    return all;
}

static bool judge(const Statements *own, const Statements *next, Recovered *r)
{
    AUTOFREE const DdlText *mine = texts(own), *theirs = texts(next);
    for (size_t i = 0; i < own->n; i++) {
        size_t is = 0;
        DdlVerdict v = ddl_judge(&mine[i], theirs, next->n, &is);
        if (v == DDL_FOREIGN)
            return false;
        strlist_addf(&r->found, "%s is %s, %s: %.*s", own->v[i].gtid, next->v[is].gtid,
                     v == DDL_DONE ? "done" : "to be done again", TOLD_BYTES, theirs[is].sql);
        if (v != DDL_DONE)
            continue;
        char *state = gtids_with(r->state, next->v[is].gtid);
        free(r->state);
        r->state = state;
    }
    return own->n > 0;
}

bool recovered_explain(Db *db, const StrList *relay_files, const ReplStatus *status, bool *ret_explained,
                       Recovered *ret, Err *err)
{
    AUTOFREE char *state = NULL, *position = NULL;
    *ret_explained = false;
    if (!db_value(db, &state, err, "SELECT @@global.gtid_binlog_state", ""))
        return false;
    recovered_done(ret);
    ret->state = gtids_without_own(state, status->applied, status->server_id);
    position = gtids_position(db_version(db)->flavor, ret->state, status->applied);
    if (!position)
        return err_set(err, ERR_CORRUPT, 0, "the state \"%.200s\" cannot be understood", state);
    AUTO(statements_done)
    Statements own = {.flavor = db_version(db)->flavor, .position = position, .server_id = status->server_id};
    AUTO(statements_done) Statements next = {.flavor = db_version(db)->flavor, .position = position};
    if (!read_own(db, &own, err) || !walk(&next, relay_files, err))
        return false;
    *ret_explained = judge(&own, &next, ret);
    ret->position = gtids_position(db_version(db)->flavor, ret->state, status->applied);
    return true;
}

/* ---- taken over ------------------------------------------------------------------------------------ */

/* clang-format off */
static const WireField fields[] = {
    {"state", WIRE_STR, offsetof(Recovered, state), NULL, 0},
    {"position", WIRE_STR, offsetof(Recovered, position), NULL, 0},
    {"found", WIRE_STRS, offsetof(Recovered, found), NULL, 0},
    {NULL, WIRE_STR, 0, NULL, 0},
};
/* clang-format on */

static bool take_over(Db *db, const char *path, const Recovered *r, Err *err)
{
    return db_exec(db, err, flavor_of(db_version(db)->flavor)->refetch_sql, "") &&
           db_exec(db, err, "SET GLOBAL gtid_binlog_state=?", "s", r->state) &&
           db_exec(db, err, "SET GLOBAL gtid_slave_pos=?", "s", r->position) && fs_remove(path, err);
}

bool recovered_adopt(Db *db, const char *path, const Recovered *r, Err *err)
{
    AUTOJSON json_t *j = wire_write(fields, r);
    return json_replace_file(path, j, 0600, err) && take_over(db, path, r, err);
}

bool recovered_finish(Db *db, const char *path, const char *applied, Err *err)
{
    Err why;
    AUTOJSON json_t *j = NULL;
    AUTO(recovered_done) Recovered r = {0};
    if (!json_read_file(path, &j, &why)) {
        *err = why;
        return why.kind == ERR_NOT_FOUND;
    }
    if (!wire_read(fields, j, &r, err))
        return false;
    if (buffer_reaches(db_version(db)->flavor, applied, r.position))
        return fs_remove(path, err);
    return take_over(db, path, &r, err);
}
