/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/file/conf.h"
#include "http_impl.h"

/* A crowd before the door must not make the kernel turn others away. */
enum { BACKLOG = 4096 };

bool http_host_is_loopback(const char *host)
{
    struct in_addr v4;
    if (strcasecmp(host, "localhost") == 0 || strcmp(host, "::1") == 0 || strcmp(host, "[::1]") == 0)
        return true;
    return inet_pton(AF_INET, host, &v4) == 1 && (ntohl(v4.s_addr) >> 24) == 127;
}

/* "host:port" or "[v6]:port"; the host without brackets. */
static bool split_address(const char *listen, char **ret_host, const char **ret_port)
{
    const char *colon = strrchr(listen, ':');
    long long port;
    if (!colon || colon == listen || !str_to_i64(colon + 1, 0, 65535, &port))
        return false;
    size_t n = (size_t)(colon - listen);
    bool bracketed = listen[0] == '[' && n > 2 && listen[n - 1] == ']';
    if (!bracketed && memchr(listen, ':', n))
        return false;
    *ret_host = bracketed ? xstrndup(listen + 1, n - 2) : xstrndup(listen, n);
    *ret_port = colon + 1;
    return true;
}

bool http_address_is_local(const char *listen)
{
    AUTOFREE char *host = NULL;
    const char *port;
    if (str_starts(listen, "unix:"))
        return true;
    if (str_starts(listen, "tls:"))
        listen += strlen("tls:");
    return split_address(listen, &host, &port) && http_host_is_loopback(host);
}

bool http_listen_allowed(const char *listen, const Tls *tls, Err *err)
{
    bool local = http_address_is_local(listen);
    if ((local && !str_starts(listen, "tls:")) || tls_is_set(tls))
        return true;
    return err_set(err, ERR_REFUSED, 0, "\"%s\" %s tls with certificate_file, key_file and ca_file", listen,
                   local ? "needs" : "is neither a unix socket nor loopback: it needs");
}

bool http_url_allowed(const char *url, const Tls *tls, Err *err)
{
    bool https = str_starts(url, "https://"), http = str_starts(url, "http://");
    if (!https && !http && !str_starts(url, "unix:/"))
        return err_set(err, ERR_CONFIG, 0,
                       "\"%s\" is no URL; write http://127.0.0.1:port or https://host:port", url);
    if (https && !tls_is_set(tls))
        return err_set(err, ERR_CONFIG, 0, "\"%s\" needs tls with certificate_file, key_file and ca_file",
                       url);
    AUTOFREE char *address =
        http ? xstrndup(url + strlen("http://"), strcspn(url + strlen("http://"), "/")) : NULL;
    return !http || http_address_is_local(address) ||
           err_set(err, ERR_CONFIG, 0, "\"%s\" is not loopback: use https:// and tls", url);
}

bool http_listen_check(const char *path, const StrList *listen, const Tls *tls, const char *example, Err *err)
{
    Err why;
    if (listen->n == 0)
        return conf_error(err, path, "listen", "no address; write for instance [ \"%s\" ]", example);
    for (size_t i = 0; i < listen->n; i++)
        if (!http_listen_allowed(listen->v[i], tls, &why))
            return conf_error(err, path, "listen", "%s", why.text);
    return true;
}

static bool socket_is_alive(const struct sockaddr_un *a)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool alive = fd >= 0 && (connect(fd, (const struct sockaddr *)a, sizeof *a) == 0 || errno == EAGAIN);
    if (fd >= 0)
        close(fd);
    return alive;
}

static bool clear_stale_socket(const struct sockaddr_un *a, Err *err)
{
    struct stat st;
    if (lstat(a->sun_path, &st) < 0)
        return errno == ENOENT ? true : err_errno(err, errno, "look at %s", a->sun_path);
    if (!S_ISSOCK(st.st_mode))
        return err_set(err, ERR_CONFLICT, 0, "listen \"unix:%s\": the path exists and is not a socket",
                       a->sun_path);
    if (socket_is_alive(a))
        return err_set(err, ERR_CONFLICT, 0, "listen \"unix:%s\": another process serves this socket",
                       a->sun_path);
    if (unlink(a->sun_path) < 0 && errno != ENOENT)
        return err_errno(err, errno, "remove the stale socket %s", a->sun_path);
    return true;
}

static bool listen_unix(const char *path, mode_t mode, int *ret, Err *err)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof a.sun_path)
        return err_set(err, ERR_CONFIG, 0,
                       "listen \"unix:%s\": the path has %zu bytes, a unix socket takes at most %zu", path,
                       strlen(path), sizeof a.sun_path - 1);
    strcpy(a.sun_path, path);
    if (!clear_stale_socket(&a, err))
        return false;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return err_errno(err, errno, "create a socket");
    /* The mode is on the socket before it has a name: nobody gets in between. */
    if (fchmod(fd, mode) < 0 || bind(fd, (struct sockaddr *)&a, sizeof a) < 0 || chmod(path, mode) < 0 ||
        listen(fd, BACKLOG) < 0) {
        int e = errno;
        close(fd);
        return err_errno(err, e, "listen on unix:%s", path);
    }
    *ret = fd;
    return true;
}

static int bind_tcp(const struct addrinfo *ai)
{
    int on = 1;
    int fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    if (ai->ai_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    if (bind(fd, ai->ai_addr, ai->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    int e = errno;
    close(fd);
    errno = e;
    return -1;
}

static bool listen_tcp(const char *listen, const char *host, const char *port, int *ret, Err *err)
{
    struct addrinfo *found = NULL;
    struct addrinfo hints = {.ai_family = strchr(host, ':') ? AF_INET6 : AF_INET,
                             .ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    int e = getaddrinfo(strcmp(host, "*") == 0 ? NULL : host, port, &hints, &found);
    if (e)
        return err_set(err, ERR_CONFIG, 0, "listen \"%s\": %s", listen, gai_strerror(e));
    int fd = bind_tcp(found);
    e = errno;
    freeaddrinfo(found);
    if (fd < 0 && e == EADDRINUSE)
        return err_set(err, ERR_CONFLICT, e, "listen \"%s\": another process uses this port", listen);
    if (fd < 0)
        return err_errno(err, e, "listen on %s", listen);
    *ret = fd;
    return true;
}

static int bound_port(int fd)
{
    struct sockaddr_storage a;
    socklen_t n = sizeof a;
    if (getsockname(fd, (struct sockaddr *)&a, &n) < 0)
        return 0;
    return a.ss_family == AF_INET    ? ntohs(((struct sockaddr_in *)&a)->sin_port)
           : a.ss_family == AF_INET6 ? ntohs(((struct sockaddr_in6 *)&a)->sin6_port)
                                     : 0;
}

static bool open_socket(HttpListener *l, const char *listen, const Tls *tls, int *ret, Err *err)
{
    if (str_starts(listen, "unix:/")) {
        l->is_unix = l->is_local = true;
        const RoleMap *roles = l->server->service.roles;
        mode_t mode = roles && roles_name_accounts(roles) ? 0666 : 0660;
        if (!listen_unix(listen + strlen("unix:"), mode, ret, err))
            return false;
        l->path = xstrdup(listen + strlen("unix:"));
        return true;
    }
    AUTOFREE char *host = NULL;
    const char *port;
    bool tls_named = str_starts(listen, "tls:");
    if (!split_address(listen + (tls_named ? strlen("tls:") : 0), &host, &port))
        return err_set(err, ERR_CONFIG, 0,
                       "listen \"%s\" is not an address: write \"unix:/path\", \"127.0.0.1:port\", "
                       "\"[::1]:port\" or, with TLS, \"host:port\"",
                       listen);
    l->is_local = http_host_is_loopback(host);
    l->is_tls = tls_named || !l->is_local;
    return http_listen_allowed(listen, tls, err) && listen_tcp(listen, host, port, ret, err);
}

bool http_listen(HttpListener *l, const char *listen, const Tls *tls, Err *err)
{
    HttpServer *s = l->server;
    if (!open_socket(l, listen, tls, &l->fd, err))
        return false;
    l->port = l->is_unix ? 0 : bound_port(l->fd);
    return !l->is_tls || s->tls || tls_server_context(tls, s->service.anonymous, &s->tls, err);
}
