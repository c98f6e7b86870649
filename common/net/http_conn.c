/* SPDX-License-Identifier: Apache-2.0
 * A connection, from its handshake over any number of requests to its end. Each phase has a deadline; a
 * handler that keeps a request has its own. What may not be done is refused before its body is read.
 */
#include <event2/bufferevent_ssl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http_impl.h"

enum {
    HANDSHAKE_MS = 5000,
    HEAD_MS = 2000,
    BODY_MS = 10000,
    BODY_BYTES_PER_MS = 64, /* more for a long one */
    IDLE_MS = 60000,
    STALL_S = 60,
    BLOCK_MS = 60000, /* for a block of a stream, besides its bytes */
    LINGER_MS = 2000,
    /* of those without a role */
    STRANGER_IDLE_MS = 5000,
    STRANGER_STALL_S = 10,
};

static bool is_stranger(const HttpConn *c)
{
    return (c->roles | c->last) == ROLE_HEALTH;
}

static void enter(HttpConn *c, HttpPhase phase, int64_t ms)
{
    struct timeval tv = {ms / 1000, ms % 1000 * 1000};
    c->phase = phase;
    if (ms)
        event_add(c->deadline, &tv);
    else
        event_del(c->deadline);
}

void http_conn_free(HttpConn *c)
{
    if (c->share != HTTP_SHARES)
        http_gate_leave(c);
    http_gate_forget_body(c);
    if (c->req)
        http_request_gone(STEAL(c->req));
    event_free(c->deadline);
    bufferevent_free(c->bev);
    free(c);
}

/* ---- who it is -------------------------------------------------------------------------------------------
 */

static const RoleMap *map_of(const HttpServer *s)
{
    return s->service.roles ? s->service.roles : s->nobody;
}

static void fill_account(int fd, RoleCaller *ret)
{
    struct ucred peer;
    gid_t others[ROLE_GROUPS - 1];
    socklen_t n = sizeof peer, bytes = sizeof others;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &n) < 0)
        return;
    ret->is_unix = true;
    ret->uid = peer.uid;
    ret->groups[ret->n_groups++] = peer.gid;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, others, &bytes) < 0)
        return;
    for (size_t i = 0; i < bytes / sizeof others[0]; i++)
        ret->groups[ret->n_groups++] = others[i];
}

static const char *token_of(const HttpRequest *req)
{
    const char *value = http_header(req, "Authorization");
    return value && strncasecmp(value, "Bearer ", 7) == 0 ? value + 7 + strspn(value + 7, " ") : NULL;
}

/* By what the connection shows; the map may be another one at its next request. */
static void identify(HttpConn *c, const char *token, char who[ROLE_NAME_BYTES], RoleSet *ret)
{
    RoleCaller caller = c->caller;
    caller.certificate = c->certificate;
    caller.token = token;
    *ret = roles_of(map_of(c->server), &caller, who);
}

static void set_pace(HttpConn *c)
{
    struct timeval stall = {is_stranger(c) ? STRANGER_STALL_S : STALL_S, 0};
    bufferevent_set_timeouts(c->bev, NULL, &stall);
}

void http_conn_pace(HttpConn *c, size_t n)
{
    enter(c, HTTP_ANSWERING, n ? BLOCK_MS + (int64_t)n / BODY_BYTES_PER_MS : 0);
}

/* ---- reading a request -----------------------------------------------------------------------------------
 */

static void refuse(HttpConn *c, int status, const Err *err)
{
    c->closes = c->unread = true; /* what follows on this connection is not read as a request */
    enter(c, HTTP_ANSWERING, 0);
    http_reply_status_error(c->req, status, err);
}

static void begin_body(HttpConn *c)
{
    Err err;
    HttpRequest *req = c->req;
    size_t n = (size_t)req->head.body_bytes, own = c->server->service.most_body,
           most = own ? own : HTTP_MAX_BODY_BYTES;
    if (n > most) {
        err_set(&err, ERR_USAGE, 0, "the body has %lld bytes, at most %zu are taken",
                (long long)req->head.body_bytes, most);
        refuse(c, 413, &err);
        return;
    }
    if (!http_gate_takes_body(c, n)) {
        err_set(&err, ERR_UNREACHABLE, 0, "too many requests are being read just now; try again");
        refuse(c, 503, &err);
        return;
    }
    if (req->head.expects_continue && n)
        bufferevent_write(c->bev, "HTTP/1.1 100 Continue\r\n\r\n", 25);
    bufferevent_setwatermark(c->bev, EV_READ, 0, n + HTTP_MAX_HEAD_BYTES);
    enter(c, HTTP_BODY, BODY_MS + (int64_t)n / BODY_BYTES_PER_MS);
}

static void take_query(HttpRequest *req, Err *err, bool *ret_ok)
{
    const char *query = req->head.query;
    *ret_ok = !query || evhttp_parse_query_str(query, &req->query) == 0 ||
              err_set(err, ERR_USAGE, 0, "the query of the URL cannot be read");
}

static void judge(HttpConn *c)
{
    Err err;
    bool ok;
    HttpRequest *req = c->req;
    c->closes = !req->head.keeps_alive;
    identify(c, token_of(req), req->who, &req->roles);
    c->last = req->roles;
    take_query(req, &err, &ok);
    if (!ok) {
        refuse(c, 400, &err);
        return;
    }
    /* A refused body is not read: then this is the connection's last answer. */
    bool closes = c->closes;
    c->unread = req->head.body_bytes > 0;
    c->closes = closes || c->unread;
    enter(c, HTTP_ANSWERING, 0);
    if (!http_route(req))
        return;
    c->unread = false;
    c->closes = closes;
    if (!http_gate_move(c, req->roles, req->route->roles & ROLE_HEALTH)) {
        err_set(&err, ERR_UNREACHABLE, 0, "too many connections; try again");
        refuse(c, 503, &err);
        return;
    }
    bufferevent_priority_set(c->bev, is_stranger(c) ? HTTP_STRANGER_PRIORITY : 1);
    set_pace(c);
    begin_body(c);
}

static bool is_whole(struct evbuffer *in, size_t *ret_bytes)
{
    struct evbuffer_ptr end = evbuffer_search(in, "\r\n\r\n", 4, NULL);
    *ret_bytes = end.pos < 0 ? 0 : (size_t)end.pos + 4;
    return end.pos >= 0;
}

static void skip_blank_lines(struct evbuffer *in)
{
    char two[2];
    while (evbuffer_copyout(in, two, 2) == 2 && two[0] == '\r' && two[1] == '\n')
        evbuffer_drain(in, 2);
}

/* False: the rest of it has not come yet. */
static bool read_head(HttpConn *c)
{
    Err err;
    size_t n;
    int status = 400;
    struct evbuffer *in = bufferevent_get_input(c->bev);
    bool whole = is_whole(in, &n),
         too_long = whole ? n > HTTP_MAX_HEAD_BYTES : evbuffer_get_length(in) >= HTTP_MAX_HEAD_BYTES;
    if (!whole && !too_long)
        return false;
    HttpRequest *req = c->req = http_request_new(c);
    snprintf(req->who, sizeof req->who, "nobody known");
    if (too_long)
        status = 431;
    bool ok = !too_long || err_set(&err, ERR_USAGE, 0, "the head of the request has more than %d bytes",
                                   HTTP_MAX_HEAD_BYTES);
    if (ok) {
        ok = http_head_read((const char *)evbuffer_pullup(in, (ev_ssize_t)n), n, &req->head, &status, &err);
        evbuffer_drain(in, n);
    }
    if (ok)
        judge(c);
    else
        refuse(c, status, &err);
    return true;
}

static bool read_body(HttpConn *c)
{
    HttpRequest *req = c->req;
    size_t n = (size_t)req->head.body_bytes;
    struct evbuffer *in = bufferevent_get_input(c->bev);
    if (evbuffer_get_length(in) < n)
        return false;
    req->text = xcalloc(1, n + 1);
    req->text_bytes = n;
    evbuffer_remove(in, req->text, n);
    http_gate_forget_body(c);
    /* What a client may pile up behind its request. */
    bufferevent_setwatermark(c->bev, EV_READ, 0, HTTP_MAX_HEAD_BYTES);
    enter(c, HTTP_ANSWERING, 0);
    req->route->handle(req, c->server->service.context);
    return true;
}

static void advance(HttpConn *c)
{
    for (bool more = true; more;) {
        more = false;
        if (c->phase == HTTP_IDLE || c->phase == HTTP_HEAD)
            skip_blank_lines(bufferevent_get_input(c->bev));
        if (c->phase == HTTP_IDLE && evbuffer_get_length(bufferevent_get_input(c->bev)))
            enter(c, HTTP_HEAD, HEAD_MS);
        if (c->phase == HTTP_HEAD)
            more = read_head(c);
        else if (c->phase == HTTP_BODY)
            more = read_body(c);
    }
}

/* ---- after the answer ------------------------------------------------------------------------------------
 */

/* The client gets to read the answer before the end: a close with unread bytes would take it away. */
static void linger(HttpConn *c)
{
    if (!c->listener->is_tls)
        shutdown(bufferevent_getfd(c->bev), SHUT_WR);
    evbuffer_drain(bufferevent_get_input(c->bev), SIZE_MAX);
    bufferevent_setwatermark(c->bev, EV_READ, 0, 0);
    enter(c, HTTP_LINGERING, LINGER_MS);
}

static void written(HttpConn *c)
{
    if (c->closes && c->unread) {
        linger(c);
        return;
    }
    if (c->closes) {
        http_conn_free(c);
        return;
    }
    enter(c, HTTP_IDLE, is_stranger(c) ? STRANGER_IDLE_MS : IDLE_MS);
    advance(c);
}

/* ---- events ----------------------------------------------------------------------------------------------
 */

static void on_read(struct bufferevent *bev, void *arg)
{
    HttpConn *c = arg;
    if (c->phase == HTTP_LINGERING)
        evbuffer_drain(bufferevent_get_input(bev), SIZE_MAX);
    else
        advance(c);
}

static void send_more(HttpConn *c)
{
    if (!http_file_more(c->req))
        http_conn_free(c);
    else if (c->phase == HTTP_WRITING)
        written(c);
}

static void on_write(struct bufferevent *bev, void *arg)
{
    HttpConn *c = arg;
    if (evbuffer_get_length(bufferevent_get_output(bev)))
        return;
    if (c->phase == HTTP_WRITING)
        written(c);
    else if (c->phase == HTTP_ANSWERING && http_is_sent_by_blocks(c->req))
        send_more(c);
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
    HttpConn *c = arg;
    bool is_being_told =
        c->phase == HTTP_WRITING || (c->phase == HTTP_ANSWERING && http_is_sent_by_blocks(c->req));
    if ((what & BEV_EVENT_EOF) && is_being_told) { /* it has said all; the answer still goes out */
        c->closes = true;
        c->unread = false;
        return;
    }
    if (!(what & BEV_EVENT_CONNECTED)) {
        http_conn_free(c);
        return;
    }
    char who[ROLE_NAME_BYTES];
    tls_peer_name(bufferevent_openssl_get_ssl(bev), c->certificate, sizeof c->certificate);
    identify(c, NULL, who, &c->roles);
    if (http_gate_move(c, c->roles, false))
        enter(c, HTTP_HEAD, HEAD_MS);
    else
        http_conn_free(c);
}

static void on_deadline(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    http_conn_free(arg);
}

static struct bufferevent *make_bev(HttpListener *l, int fd)
{
    struct event_base *base = l->server->base;
    if (!l->is_tls)
        return bufferevent_socket_new(base, fd, BEV_OPT_CLOSE_ON_FREE);
    struct ssl_st *session = tls_session_new(l->server->tls);
    return session ? bufferevent_openssl_socket_new(base, fd, session, BUFFEREVENT_SSL_ACCEPTING,
                                                    BEV_OPT_CLOSE_ON_FREE)
                   : NULL;
}

void http_conn_new(HttpListener *l, int fd)
{
    HttpServer *s = l->server;
    struct bufferevent *bev = make_bev(l, fd);
    char who[ROLE_NAME_BYTES];
    if (!bev) {
        close(fd);
        return;
    }
    HttpConn *c = NEW(HttpConn);
    *c = (HttpConn){.server = s, .listener = l, .share = HTTP_SHARES, .bev = bev, .last = ROLE_HEALTH};
    c->deadline = evtimer_new(s->base, on_deadline, c);
    if (l->is_unix)
        fill_account(fd, &c->caller);
    identify(c, NULL, who, &c->roles);
    if (!http_gate_admit(c)) {
        http_conn_free(c);
        return;
    }
    bufferevent_priority_set(bev, is_stranger(c) ? HTTP_STRANGER_PRIORITY : 1);
    bufferevent_setcb(bev, on_read, on_write, on_event, c);
    bufferevent_setwatermark(bev, EV_READ, 0, HTTP_MAX_HEAD_BYTES);
    set_pace(c);
    enter(c, l->is_tls ? HTTP_HANDSHAKE : HTTP_HEAD, l->is_tls ? HANDSHAKE_MS : HEAD_MS);
    bufferevent_enable(bev, EV_READ | EV_WRITE);
}
