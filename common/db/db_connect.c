/* SPDX-License-Identifier: Apache-2.0
 * Connecting: how a server is reached, what it is, and the session's variables.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "common/file/fs.h"
#include "db_client.h"
#include "db_impl.h"
#include "flavor.h"
#include "session.h"

/* With a CA there is no connection but one that is encrypted, to the server of that name. */
static void demand_tls(MYSQL *my, const DbTarget *t)
{
    mysql_options(my, MYSQL_OPT_SSL_CA, t->tls_ca);
    if (t->tls_cert) {
        mysql_options(my, MYSQL_OPT_SSL_CERT, t->tls_cert);
        mysql_options(my, MYSQL_OPT_SSL_KEY, t->tls_key);
    }
    db_client_demand_tls(my);
}

static void describe_target(const DbTarget *t, char *ret, size_t n)
{
    if (t->socket)
        snprintf(ret, n, "the server at socket %s", t->socket);
    else if (t->host)
        snprintf(ret, n, "the server at %s:%lld", t->host, (long long)(t->port ? t->port : 3306));
    else
        snprintf(ret, n, "the server named in %s", t->defaults_file ? t->defaults_file : "no option");
}

static bool parse_version(Db *db, Err *err)
{
    const char *text = mysql_get_server_info(db->my);
    DbVersion *v = &db->version;
    snprintf(v->text, sizeof v->text, "%s", text);
    /* MariaDB before 11 sends "5.5.5-10.11…" for the sake of old replicas. */
    if (str_starts(text, "5.5.5-"))
        text += 6;
    if (sscanf(text, "%d.%d.%d", &v->major, &v->minor, &v->patch) < 2)
        return err_set(err, ERR_PROTOCOL, 0, "cannot read the server's version \"%s\"", text);
    v->flavor = flavor_of_text(v->text);
    return true;
}

static bool set_options(Db *db, const DbTarget *t, int64_t timeout_ms, Err *err)
{
    unsigned connect_s = DB_CONNECT_TIMEOUT_MS / 1000, io_s = (unsigned)((timeout_ms + 999) / 1000);
    unsigned on = 1;
    mysql_options(db->my, MYSQL_OPT_CONNECT_TIMEOUT, &connect_s);
    if (timeout_ms) {
        mysql_options(db->my, MYSQL_OPT_READ_TIMEOUT, &io_s);
        mysql_options(db->my, MYSQL_OPT_WRITE_TIMEOUT, &io_s);
    }
    mysql_options(db->my, MYSQL_OPT_LOCAL_INFILE, &on);
    mysql_options(db->my, MYSQL_SET_CHARSET_NAME, "utf8mb4");
    if (t->defaults_file) {
        if (!fs_check_private(t->defaults_file, err))
            return false;
        mysql_options(db->my, MYSQL_READ_DEFAULT_FILE, t->defaults_file);
        mysql_options(db->my, MYSQL_READ_DEFAULT_GROUP, "client");
    }
    if (t->tls_ca)
        demand_tls(db->my, t);
    else
        db_client_allow_key_request(db->my);
    return true;
}

static bool connect_now(Db *db, const DbTarget *t, Err *err)
{
    const char *host = t->socket ? "localhost" : t->host;
    if (mysql_real_connect(db->my, host, t->user, t->password, t->database, (unsigned)t->port, t->socket,
                           CLIENT_MULTI_RESULTS))
        return true;
    char where[300];
    describe_target(t, where, sizeof where);
    unsigned code = mysql_errno(db->my);
    ErrKind kind = db_impl_is_auth_error(code) ? ERR_AUTH : code == 1049 ? ERR_DB : ERR_UNREACHABLE;
    return err_set(err, kind, (int)code, "cannot connect to %s: %s", where, mysql_error(db->my));
}

bool db_connect(const DbTarget *target, int64_t timeout_ms, Db **ret, Err *err)
{
    db_library_begin();
    Db *db = NEW(Db);
    db->my = mysql_init(NULL);
    db->timeout_ms = timeout_ms;
    bool ok =
        set_options(db, target, timeout_ms, err) && connect_now(db, target, err) && parse_version(db, err);
    if (ok) {
        db_impl_refuse_infile(db);
        /* Oracle's library leaves it to every program that is started. */
        (void)!fcntl(db_client_socket(db->my), F_SETFD, FD_CLOEXEC);
        ok = session_pin(db, !timeout_ms, err);
    }
    if (!ok) {
        db_close(db);
        return false;
    }
    *ret = db;
    return true;
}

bool db_kill(const DbTarget *target, uint64_t connection_id, Err *err)
{
    Db *db;
    if (!db_connect(target, DB_CONNECT_TIMEOUT_MS, &db, err))
        return false;
    AUTOFREE char *sql = xasprintf("KILL %llu", (unsigned long long)connection_id);
    bool ok = db_exec(db, err, sql, "");
    db_close(db);
    return ok || err->code == 1094; /* no such connection: gone already */
}
