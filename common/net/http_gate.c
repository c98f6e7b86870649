/* SPDX-License-Identifier: Apache-2.0
 * Who gets in. Connections are counted in three shares, so that a crowd in one cannot keep the others out:
 * those that command, those that ask for health, and all others. In a full share one goes that has no role,
 * one with a certificate last: the oldest of the address that has most of the share, if that is more than an
 * eighth of it, else the oldest of all. So whoever holds connections only makes room for the next, one that
 * says at once what it wants gets its answer, and one at another address than the crowd's may take its time.
 * Descriptors beyond the shares stay free for the program's own work.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/log.h"
#include "http_impl.h"

enum {
    AT_ONCE = 16, /* those that have come are read before more are taken */
    AGAIN_MS = 100,
    RESERVED = 256, /* descriptors for files, servers, programs */
    MOST_COMMANDING = 192,
    MOST_HEALTHY = 64,
    MOST_OTHERS = 256,
    CROWD_PART = 8, /* of a share: more than this part of one address is a crowd */
    NETWORK_BYTES = 8,
};

/* Of bodies that are being read, all together. */
static const size_t most_body_bytes[HTTP_SHARES] = {
    [HTTP_COMMANDING] = 64 << 20, [HTTP_HEALTHY] = HTTP_MAX_BODY_BYTES, [HTTP_OTHERS] = 32 << 20};

/* ---- shares ----------------------------------------------------------------------------------------------
 */

static size_t raise_file_limit(void)
{
    struct rlimit r;
    if (getrlimit(RLIMIT_NOFILE, &r) < 0)
        return 256;
    r.rlim_cur = r.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &r);
    (void)getrlimit(RLIMIT_NOFILE, &r);
    return r.rlim_cur < 1 << 20 ? (size_t)r.rlim_cur : 1 << 20;
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static void put(HttpConn *c, HttpShare share)
{
    c->share = share;
    TAILQ_INSERT_TAIL(&c->server->conns[share], c, next);
    c->server->count[share]++;
    c->server->from[share][c->place]++;
}

static uint16_t place_of(const void *bytes, size_t n)
{
    uint32_t h = 2166136261; /* FNV-1a: two addresses seldom have the same */
    for (const unsigned char *b = bytes; n--; b++)
        h = (h ^ *b) * 16777619;
    return (uint16_t)((h ^ h >> 16) % HTTP_PLACES);
}

/* IPv6 by its network, as one host may have all the addresses of it; on a unix socket by account. */
static uint16_t find_place(const HttpConn *c)
{
    struct sockaddr_storage a = {0};
    const struct sockaddr_in *v4 = (void *)&a;
    const struct in6_addr *v6 = &((struct sockaddr_in6 *)(void *)&a)->sin6_addr;
    socklen_t n = sizeof a;
    if (c->listener->is_unix)
        return place_of(&c->caller.uid, sizeof c->caller.uid);
    (void)getpeername(bufferevent_getfd(c->bev), (struct sockaddr *)&a, &n);
    if (a.ss_family == AF_INET)
        return place_of(&v4->sin_addr, sizeof v4->sin_addr);
    return IN6_IS_ADDR_V4MAPPED(v6) ? place_of(v6->s6_addr + 12, 4) : place_of(v6->s6_addr, NETWORK_BYTES);
}

static bool commands(RoleSet roles)
{
    return roles & (ROLE_COORDINATOR | ROLE_OPERATOR | ROLE_ADMIN);
}

/* May another take its place? */
static bool may_go(const HttpConn *c)
{
    if (c->share == HTTP_COMMANDING)
        return c->phase == HTTP_IDLE;
    return (c->roles | c->last) == ROLE_HEALTH && c->phase != HTTP_ANSWERING;
}

/* Who has shown a certificate of the CA, as no crowd can, only after all who have shown nothing. */
static HttpConn *first_to_go(const HttpServer *s, HttpShare share)
{
    HttpConn *c, *first[2] = {NULL, NULL};
    size_t most[2] = {0, 0}, part = s->most[share] / CROWD_PART;
    TAILQ_FOREACH(c, &s->conns[share], next)
    {
        bool shown = *c->certificate;
        size_t n = s->from[share][c->place], beyond = n > part ? n : 0;
        if (!may_go(c) || (first[shown] && beyond <= most[shown]))
            continue;
        first[shown] = c;
        most[shown] = beyond;
    }
    return first[0] ? first[0] : first[1];
}

static bool make_room(HttpServer *s, HttpShare share)
{
    if (s->count[share] < s->most[share])
        return true;
    HttpConn *c = first_to_go(s, share);
    if (c)
        http_conn_free(c);
    return c != NULL;
}

bool http_gate_admit(HttpConn *c)
{
    HttpServer *s = c->server;
    c->place = find_place(c);
    HttpShare share = commands(c->roles) && make_room(s, HTTP_COMMANDING) ? HTTP_COMMANDING : HTTP_OTHERS;
    if (share == HTTP_OTHERS && !make_room(s, HTTP_OTHERS))
        return false;
    put(c, share);
    return true;
}

void http_gate_leave(HttpConn *c)
{
    TAILQ_REMOVE(&c->server->conns[c->share], c, next);
    c->server->count[c->share]--;
    c->server->from[c->share][c->place]--;
}

bool http_gate_move(HttpConn *c, RoleSet roles, bool asks_health)
{
    HttpShare to = commands(roles)                       ? HTTP_COMMANDING
                   : asks_health && roles == ROLE_HEALTH ? HTTP_HEALTHY
                                                         : HTTP_OTHERS;
    if (to == c->share)
        return true;
    if (!make_room(c->server, to))
        return false;
    http_gate_leave(c);
    put(c, to);
    return true;
}

bool http_gate_takes_body(HttpConn *c, size_t bytes)
{
    size_t *all = &c->server->body_bytes[c->share];
    if (bytes && *all + bytes > most_body_bytes[c->share])
        return false;
    *all += bytes;
    c->promised_bytes = bytes;
    c->promised_to = c->share;
    return true;
}

void http_gate_forget_body(HttpConn *c)
{
    c->server->body_bytes[c->promised_to] -= c->promised_bytes;
    c->promised_bytes = 0;
}

/* ---- accepting -------------------------------------------------------------------------------------------
 */

static void listen_again(evutil_socket_t fd, short what, void *arg)
{
    HttpServer *s = arg;
    (void)fd;
    (void)what;
    for (size_t i = 0; i < s->n; i++)
        if (s->listeners[i].event)
            event_add(s->listeners[i].event, NULL);
}

/* The program, or the machine, has no more descriptors: whoever waits at the door must not make it spin. */
static void put_off(HttpServer *s, int error)
{
    struct timeval tv = {0, AGAIN_MS * 1000};
    log_warn("connections wait: %s", strerror(error));
    for (size_t i = 0; i < s->n; i++)
        if (s->listeners[i].event)
            event_del(s->listeners[i].event);
    event_add(s->again, &tv);
}

static void on_accept(evutil_socket_t listener, short what, void *arg)
{
    HttpListener *l = arg;
    (void)what;
    for (int i = 0; i < AT_ONCE; i++) {
        int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            http_conn_new(l, fd);
            continue;
        }
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
            put_off(l->server, errno);
        else if (errno == EINTR || errno == ECONNABORTED)
            continue;
        return;
    }
}

void http_gate_open(HttpServer *s)
{
    size_t limit = raise_file_limit(), left = limit > 2 * RESERVED ? limit - RESERVED : limit / 2;
    s->most[HTTP_COMMANDING] = least(MOST_COMMANDING, left / 4);
    s->most[HTTP_HEALTHY] = least(MOST_HEALTHY, left / 8);
    s->most[HTTP_OTHERS] = least(MOST_OTHERS, left / 2);
    for (size_t i = 0; i < HTTP_SHARES; i++)
        TAILQ_INIT(&s->conns[i]);
    s->again = evtimer_new(s->base, listen_again, s);
}

void http_gate_listen(HttpListener *l)
{
    l->event = event_new(l->server->base, l->fd, EV_READ | EV_PERSIST, on_accept, l);
    event_priority_set(l->event, HTTP_STRANGER_PRIORITY);
    event_add(l->event, NULL);
}

static void close_listener(HttpListener *l)
{
    if (l->event)
        event_free(l->event);
    if (l->fd >= 0)
        close(l->fd);
    if (l->path)
        unlink(l->path);
    free(l->path);
}

void http_gate_close(HttpServer *s)
{
    for (size_t i = 0; i < s->n; i++)
        close_listener(&s->listeners[i]);
    for (size_t i = 0; i < HTTP_SHARES; i++)
        while (!TAILQ_EMPTY(&s->conns[i]))
            http_conn_free(TAILQ_FIRST(&s->conns[i]));
    event_free(s->again);
}
