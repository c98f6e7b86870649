/* SPDX-License-Identifier: Apache-2.0 */
#include "rescue_channel.h"

/* What a new connection does not take over from the default where it was set at run time. Some are not known
 * to every version. */
static const char copied[] = "'replicate_do_db', 'replicate_ignore_db', 'replicate_do_table', "
                             "'replicate_ignore_table', 'replicate_wild_do_table', "
                             "'replicate_wild_ignore_table', 'replicate_rewrite_db', 'slave_parallel_mode'";

typedef struct Copied {
    StrList names, values;
} Copied;

static void copied_done(Copied *c)
{
    strlist_done(&c->names);
    strlist_done(&c->values);
}

static bool read_copied(Db *db, Copied *ret, Err *err)
{
    DbRows *r;
    bool more, ok;
    AUTOFREE char *sql = xasprintf("SHOW GLOBAL VARIABLES WHERE Variable_name IN (%s)", copied);
    if (!db_query(db, &r, err, sql, ""))
        return false;
    while ((ok = db_next(r, &more, err)) && more) {
        strlist_add(&ret->names, db_text(r, "Variable_name"));
        strlist_add(&ret->values, db_text(r, "Value"));
    }
    db_rows_free(r);
    return ok;
}

static bool copy_settings(Db *db, Err *err)
{
    AUTO(copied_done) Copied c = {0};
    if (!read_copied(db, &c, err))
        return false;
    for (size_t i = 0; i < c.names.n; i++) {
        AUTOFREE char *sql = xasprintf("SET GLOBAL " REPL_PRIVATE_CHANNEL ".%s=?", c.names.v[i]);
        if (!db_exec(db, err, sql, "s", c.values.v[i]))
            return err_prefix(err, "%s of the replica as that of the rescue", c.names.v[i]);
    }
    return true;
}

/* What a person has told the applier to step over. It is taken from the default first: killed in between, it
 * is told once too few, not once too often. */
static bool move_skip_counter(Db *db, Err *err)
{
    int64_t n;
    if (!db_value_int(db, &n, err, "SELECT @@global.sql_slave_skip_counter", ""))
        return false;
    if (n <= 0)
        return true;
    Err ignored;
    bool ok = db_exec(db, err, "SET GLOBAL sql_slave_skip_counter=0", "") &&
              db_exec(db, err, "SET SESSION default_master_connection='" REPL_PRIVATE_CHANNEL "'", "") &&
              db_exec(db, err, "SET GLOBAL sql_slave_skip_counter=?", "i", n);
    return db_exec(db, ok ? err : &ignored, "SET SESSION default_master_connection=''", "") && ok;
}

bool rescue_channel_make(Db *db, const RescueSource *source, Err *err)
{
    return db_exec(db, err,
                   "CHANGE MASTER '" REPL_PRIVATE_CHANNEL "' TO MASTER_HOST='127.0.0.1', MASTER_PORT=?, "
                   "MASTER_USER=?, MASTER_PASSWORD=?, MASTER_USE_GTID=slave_pos, MASTER_CONNECT_RETRY=1, "
                   "MASTER_HEARTBEAT_PERIOD=1, MASTER_DELAY=0, MASTER_SSL=0, MASTER_SSL_VERIFY_SERVER_CERT=0",
                   "iss", (int64_t)source->port, source->user, source->password) &&
           copy_settings(db, err) && move_skip_counter(db, err);
}

bool rescue_channel_start(Db *db, const char *until, Err *err)
{
    return db_exec(db, err, "START SLAVE '" REPL_PRIVATE_CHANNEL "' UNTIL master_gtid_pos=?", "s", until);
}

bool rescue_channel_stop(Db *db, Err *err)
{
    return db_exec(db, err, "STOP SLAVE '" REPL_PRIVATE_CHANNEL "'", "");
}

bool rescue_channel_clear(Db *db, Err *err)
{
    AUTO(repl_status_done) ReplStatus s = {0};
    if (!repl_read_private(db, &s, err))
        return false;
    return !s.is_replica || (rescue_channel_stop(db, err) &&
                             db_exec(db, err, "RESET SLAVE '" REPL_PRIVATE_CHANNEL "' ALL", ""));
}
