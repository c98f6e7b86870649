/* SPDX-License-Identifier: Apache-2.0
 * Connecting: how a server is reached, what it is, and the session's variables.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

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

static void set_text(MYSQL *my, enum mysql_option option, const char *value)
{
    if (value)
        mysql_options(my, option, value);
}

static bool take_file(MYSQL *my, const DbTarget *t, ClientFile *f, Err *err)
{
    if (!fs_check_private(t->defaults_file, err) || !clientfile_read(t->defaults_file, f, err))
        return false;
    unsigned protocol = f->protocol == CLIENT_PROTOCOL_TCP ? MYSQL_PROTOCOL_TCP : MYSQL_PROTOCOL_SOCKET;
    if (f->protocol != CLIENT_PROTOCOL_ANY && !t->socket && !t->host)
        mysql_options(my, MYSQL_OPT_PROTOCOL, &protocol);
    set_text(my, MYSQL_OPT_BIND, f->bind_address);
    set_text(my, MYSQL_DEFAULT_AUTH, f->default_auth);
    set_text(my, MYSQL_PLUGIN_DIR, f->plugin_dir);
    set_text(my, MYSQL_INIT_COMMAND, f->init_command);
    set_text(my, MYSQL_SERVER_PUBLIC_KEY, f->server_public_key);
    if (f->compress)
        mysql_options(my, MYSQL_OPT_COMPRESS, NULL);
    return t->tls_ca || db_client_set_tls(my, f, err) || err_prefix(err, "%s", t->defaults_file);
}

static bool set_options(Db *db, const DbTarget *t, ClientFile *f, int64_t timeout_ms, Err *err)
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
    if (t->tls_ca)
        demand_tls(db->my, t);
    else
        db_client_allow_key_request(db->my);
    return !t->defaults_file || take_file(db->my, t, f, err);
}

static const char *first_of(const char *given, const char *in_file)
{
    return given ? given : in_file;
}

/* Whatever the library made of it. */
static bool check_tls(Db *db, const DbTarget *t, const ClientFile *f, Err *err)
{
    if (t->tls_ca || f->tls < CLIENT_TLS_REQUIRED || mysql_get_ssl_cipher(db->my))
        return true;
    return err_set(err, ERR_REFUSED, 0, "%s demands TLS, and the connection is not encrypted",
                   t->defaults_file);
}

static bool connect_now(Db *db, const DbTarget *t, const ClientFile *f, Err *err)
{
    const char *host = t->socket
                           ? "localhost"
                           : first_of(t->host, f->protocol == CLIENT_PROTOCOL_SOCKET ? "localhost" : f->host),
               *socket = t->socket || t->host ? t->socket : f->socket;
    socket = t->host && strcasecmp(t->host, "localhost") == 0 ? first_of(socket, f->socket) : socket;
    unsigned port = (unsigned)(t->port ? t->port : f->port);
    if (mysql_real_connect(db->my, host, first_of(t->user, f->user), first_of(t->password, f->password),
                           first_of(t->database, f->database), port,
                           f->protocol == CLIENT_PROTOCOL_TCP && !t->socket ? NULL : socket,
                           CLIENT_MULTI_RESULTS))
        return check_tls(db, t, f, err);
    char where[300];
    describe_target(t, where, sizeof where);
    unsigned code = mysql_errno(db->my);
    ErrKind kind = db_impl_is_auth_error(code) ? ERR_AUTH : code == 1049 ? ERR_DB : ERR_UNREACHABLE;
    return err_set(err, kind, (int)code, "cannot connect to %s: %s", where, mysql_error(db->my));
}

/* A server takes an unknown name for its anonymous account, and no name for the operating system's user. */
static bool check_account(Db *db, const DbTarget *t, const char *meant, Err *err)
{
    DbRows *rows;
    bool more, ok = true;
    if (!meant || !db_query(db, &rows, err, "SELECT CURRENT_USER() AS account, @@proxy_user AS proxy", ""))
        return !meant;
    if (!db_next(rows, &more, err))
        ok = false;
    else if (more && !*db_text(rows, "proxy")) {
        const char *account = db_text(rows, "account"), *at = strrchr(account, '@');
        size_t n = at ? (size_t)(at - account) : 0;
        ok = (strlen(meant) == n && strncmp(account, meant, n) == 0) ||
             err_set(err, ERR_AUTH, 0, "%s means the account \"%s\", the server has taken it for '%.*s'%s",
                     t->defaults_file ? t->defaults_file : "the login", meant, (int)n, account, at ? at : "");
    }
    db_rows_free(rows);
    return ok;
}

static bool check_named(const DbTarget *t, const ClientFile *f, Err *err)
{
    if (!t->named || t->user || f->user)
        return true;
    return err_set(err, ERR_CONFIG, 0, "%s names no account: write \"user = …\" below [client]",
                   t->defaults_file);
}

bool db_connect(const DbTarget *target, int64_t timeout_ms, Db **ret, Err *err)
{
    db_library_begin();
    Db *db = NEW(Db);
    db->my = mysql_init(NULL);
    db->timeout_ms = timeout_ms;
    ClientFile file = {0};
    bool ok = set_options(db, target, &file, timeout_ms, err) && check_named(target, &file, err) &&
              connect_now(db, target, &file, err) && parse_version(db, err);
    AUTOFREE char *meant = xstrdup(first_of(target->user, file.user));
    clientfile_done(&file);
    if (ok) {
        db_client_stay(db->my);
        db_impl_refuse_infile(db);
        /* Oracle's library leaves it to every program that is started. */
        (void)!fcntl(db_client_socket(db->my), F_SETFD, FD_CLOEXEC);
        ok = session_pin(db, !timeout_ms, err) && check_account(db, target, meant, err);
    }
    if (!ok) {
        db_close(db);
        return false;
    }
    *ret = db;
    return true;
}

bool db_is_private(const Db *db)
{
    struct sockaddr_storage peer = {0};
    socklen_t n = sizeof peer;
    if (mysql_get_ssl_cipher(db->my))
        return true;
    if (getpeername(db_client_socket(db->my), (struct sockaddr *)&peer, &n) < 0)
        return false;
    if (peer.ss_family == AF_INET)
        return ntohl(((struct sockaddr_in *)&peer)->sin_addr.s_addr) >> 24 == 127;
    if (peer.ss_family == AF_INET6)
        return IN6_IS_ADDR_LOOPBACK(&((struct sockaddr_in6 *)&peer)->sin6_addr);
    return peer.ss_family == AF_UNIX;
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
