/* SPDX-License-Identifier: Apache-2.0 */
#include "db_impl.h"

#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"

typedef struct Infile {
    DbFeed feed;
    void *arg;
    Err err;
    bool failed;
} Infile;

static int infile_begin(void **ret, const char *name, void *arg)
{
    (void)name;
    *ret = arg;
    return 0;
}

static int infile_read(void *p, char *buffer, unsigned n)
{
    Infile *in = p;
    ssize_t got = in->feed(in->arg, buffer, n, &in->err);
    in->failed = got < 0;
    return (int)got;
}

static void infile_end(void *p)
{
    (void)p;
}

static int infile_error(void *p, char *text, unsigned n)
{
    Infile *in = p;
    snprintf(text, n, "%s", in ? in->err.text : "LOCAL INFILE is not allowed on this connection");
    return 2000;
}

static int refuse_begin(void **ret, const char *name, void *arg)
{
    (void)name;
    (void)arg;
    *ret = NULL;
    return 1;
}

void db_impl_refuse_infile(Db *db)
{
    mysql_set_local_infile_handler(db->my, refuse_begin, infile_read, infile_end, infile_error, NULL);
}

bool db_load_data(Db *db, const char *sql, DbFeed feed, void *arg, int64_t *ret_rows, Err *err)
{
    Infile in = {.feed = feed, .arg = arg};
    mysql_set_local_infile_handler(db->my, infile_begin, infile_read, infile_end, infile_error, &in);
    db->began_ms = clock_mono_ms();
    bool ok = db->given_up ? db_impl_run_n(db, "", 0, err) : mysql_real_query(db->my, sql, strlen(sql)) == 0;
    if (!ok && in.failed)
        *err = in.err;
    else if (!ok && !db->given_up)
        db_impl_my_error(db, err);
    else if (ok)
        *ret_rows = (int64_t)mysql_affected_rows(db->my);
    db_impl_refuse_infile(db);
    return ok;
}

unsigned db_warnings(const Db *db)
{
    return mysql_warning_count(db->my);
}
