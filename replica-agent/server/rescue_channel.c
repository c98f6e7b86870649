/* SPDX-License-Identifier: Apache-2.0 */
#include "rescue_channel.h"

#include <string.h>

#include "common/db/clientfile.h"
#include "op_impl.h"

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

/* "7, 12" of the status, as the statement takes it. */
static bool add_numbers(Str *sql, const char *name, const char *list)
{
    if (!*list)
        return true;
    str_addf(sql, ", %s=(%s)", name, list);
    return !list[strspn(list, "0123456789, ")];
}

static void add_text(Str *sql, const char *name, const char *value)
{
    if (!*value)
        return;
    str_addf(sql, ", %s=", name);
    db_quote_str(sql, value, strlen(value));
}

/* How the default connection reaches its source, and what it leaves out of what that sends. */
static bool add_as_default(const DbRows *r, Str *sql)
{
    static const char *const texts[][2] = {
        {"MASTER_SSL_CA", "Master_SSL_CA_File"},      {"MASTER_SSL_CAPATH", "Master_SSL_CA_Path"},
        {"MASTER_SSL_CERT", "Master_SSL_Cert"},       {"MASTER_SSL_KEY", "Master_SSL_Key"},
        {"MASTER_SSL_CIPHER", "Master_SSL_Cipher"},   {"MASTER_SSL_CRL", "Master_SSL_Crl"},
        {"MASTER_SSL_CRLPATH", "Master_SSL_Crlpath"},
    };
    str_addf(sql, ", MASTER_SSL=%d, MASTER_SSL_VERIFY_SERVER_CERT=%d",
             str_eq(db_text(r, "Master_SSL_Allowed"), "Yes"),
             str_eq(db_text(r, "Master_SSL_Verify_Server_Cert"), "Yes"));
    for (size_t i = 0; i < COUNT(texts); i++)
        add_text(sql, texts[i][0], db_text(r, texts[i][1]));
    return add_numbers(sql, "IGNORE_SERVER_IDS", db_text(r, "Replicate_Ignore_Server_Ids")) &&
           add_numbers(sql, "DO_DOMAIN_IDS", db_text(r, "Replicate_Do_Domain_Ids")) &&
           add_numbers(sql, "IGNORE_DOMAIN_IDS", db_text(r, "Replicate_Ignore_Domain_Ids"));
}

static bool read_default(Db *db, Str *sql, Err *err)
{
    DbRows *r;
    bool more, ok, found = false;
    if (!db_query(db, &r, err, op_flavor(db)->show_replica_status, ""))
        return false;
    while ((ok = db_next(r, &more, err)) && more)
        if (!found && !repl_row_is_private(db, r) &&
            !(ok = (found = add_as_default(r, sql)) ||
                   err_set(err, ERR_CORRUPT, 0,
                           "what the default connection leaves out cannot be understood")))
            break;
    db_rows_free(r);
    return ok && (found || err_set(err, ERR_NOT_FOUND, 0, "it is no replica any more"));
}

bool rescue_channel_follow(Db *db, int port, const char *account_file, Err *err)
{
    ClientFile account = {0};
    AUTO(str_done) Str sql = STR_INIT;
    str_addf(&sql,
             "CHANGE MASTER '" REPL_PRIVATE_CHANNEL "' TO MASTER_HOST='127.0.0.1', MASTER_PORT=%d, "
             "MASTER_USE_GTID=slave_pos, MASTER_CONNECT_RETRY=1, MASTER_HEARTBEAT_PERIOD=1, MASTER_DELAY=0",
             port);
    bool ok = clientfile_read(account_file, &account, err) &&
              ((account.user && account.password) ||
               err_set(err, ERR_CONFIG, 0, "%s names no user and password to receive as", account_file));
    if (ok) {
        add_text(&sql, "MASTER_USER", account.user);
        add_text(&sql, "MASTER_PASSWORD", account.password);
    }
    clientfile_done(&account);
    return ok && read_default(db, &sql, err) && db_exec(db, err, str_z(&sql), "") && copy_settings(db, err) &&
           move_skip_counter(db, err);
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
