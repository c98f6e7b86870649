/* SPDX-License-Identifier: Apache-2.0 */
#include "replica-agent/load/tablesum.h"

#include <pthread.h>
#include <string.h>

#include "common/db/rowsum.h"
#include "common/db/warnings.h"
#include "common/file/gz.h"
#include "replica-agent/index/jobctl.h"
#include "replica-agent/load/tables.h"

enum { HEAD = 4096 };

static bool read_sum(Db *db, const char *schema, const char *table, const StrList *columns, const char *where,
                     char **ret, Err *err)
{
    AUTO(str_done) Str sql = STR_INIT;
    rowsum_sql(&sql, schema, table, columns, where);
    return db_value(db, ret, err, str_z(&sql), "") && warnings_check(db, WARNINGS_READ, table, err);
}

bool tablesum(Db *db, const char *schema, const char *table, const StrList *columns, char **ret, Err *err)
{
    bool exists;
    *ret = NULL;
    if (!tables_exists(db, schema, table, &exists, err))
        return false;
    return !exists || read_sum(db, schema, table, columns, NULL, ret, err);
}

/* ---- halves --------------------------------------------------------------------------------------- */

/* The first term of the middle file. NULL: there is none that can be named as it stands. */
static char *middle_term(const Bundle *b, const StrList *paths)
{
    Err ignored;
    GzReader *reader;
    char head[HEAD];
    size_t n = 0;
    if (!b->layout || !b->columns.n || paths->n < 2 || !gz_open(paths->v[paths->n / 2], &reader, &ignored))
        return NULL;
    bool ok = gz_read(reader, head, sizeof head, &n, &ignored);
    gz_close(reader);
    const char *tab = ok ? memchr(head, '\t', n) : NULL;
    return tab && !memchr(head, '\\', (size_t)(tab - head)) ? xstrndup(head, (size_t)(tab - head)) : NULL;
}

typedef struct Half {
    Db *db;
    const char *schema, *table;
    const StrList *columns;
    Str where;
    char *sum;
    bool ok;
    Err err;
} Half;

static void read_half(Half *h)
{
    h->ok = db_exec(h->db, &h->err, "SET SESSION TRANSACTION ISOLATION LEVEL READ UNCOMMITTED", "") &&
            read_sum(h->db, h->schema, h->table, h->columns, h->where.len ? str_z(&h->where) : NULL, &h->sum,
                     &h->err) &&
            db_exec(h->db, &h->err, "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ", "");
}

static void *half_main(void *arg)
{
    db_thread_begin();
    read_half(arg);
    db_thread_end();
    return NULL;
}

static void set_where(Half *h, const char *compare, const char *term)
{
    db_quote_id(&h->where, h->columns->v[0]);
    str_addf(&h->where, " %s ", compare);
    db_quote_str(&h->where, term, strlen(term));
}

static void read_both(Half halves[2])
{
    pthread_t thread;
    jobctl_block();
    bool started = pthread_create(&thread, NULL, half_main, &halves[1]) == 0;
    jobctl_unblock();
    read_half(&halves[0]);
    if (started)
        pthread_join(thread, NULL);
    else
        read_half(&halves[1]);
}

static bool join_halves(const Half halves[2], char **ret, Err *err)
{
    RowSum sum, other;
    for (int i = 0; i < 2; i++)
        if (!halves[i].ok) {
            *err = halves[i].err;
            return false;
        }
    if (!rowsum_parse(halves[0].sum, &sum) || !rowsum_parse(halves[1].sum, &other))
        return err_set(err, ERR_PROTOCOL, 0, "the server's checksum of %s.%s is none: %s, %s",
                       halves[0].schema, halves[0].table, halves[0].sum, halves[1].sum);
    rowsum_join(&sum, &other);
    *ret = rowsum_text(&sum);
    return true;
}

bool tablesum_alone(Db *db, const DbTarget *target, const Bundle *b, const StrList *paths, const char *schema,
                    const char *table, char **ret, Err *err)
{
    bool exists;
    *ret = NULL;
    if (!tables_exists(db, schema, table, &exists, err))
        return false;
    if (!exists)
        return true;
    AUTOFREE char *term = middle_term(b, paths);
    Half whole = {.db = db, .schema = schema, .table = table, .columns = &b->columns};
    Half halves[2] = {whole, whole};
    if (!term) {
        read_half(&whole);
        *ret = whole.sum;
        if (!whole.ok)
            *err = whole.err;
        return whole.ok;
    }
    if (!db_connect(target, 0, &halves[1].db, err))
        return false;
    set_where(&halves[0], "<", term);
    set_where(&halves[1], ">=", term);
    read_both(halves);
    bool ok = join_halves(halves, ret, err);
    for (int i = 0; i < 2; i++) {
        str_done(&halves[i].where);
        free(halves[i].sum);
    }
    db_close(halves[1].db);
    return ok;
}
