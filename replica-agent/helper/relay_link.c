/* SPDX-License-Identifier: Apache-2.0 */
#include "relay_link.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/clock.h"

enum {
    BACKLOG = 8,
    SLICE_MS = 100,
    LOGIN_MS = 2000,
    PASS_BYTES = 1 << 18,
    READ_BYTES = 4096,
    ER_ACCESS_DENIED = 1045,
};

bool relay_listen(int *ret_fd, int *ret_port, Err *err)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return err_errno(err, errno, "make a socket");
    if (bind(fd, (struct sockaddr *)&a, sizeof a) < 0 || listen(fd, BACKLOG) < 0 ||
        getsockname(fd, (struct sockaddr *)&a, &n) < 0) {
        err_errno(err, errno, "listen on a free port of 127.0.0.1");
        close(fd);
        return false;
    }
    *ret_fd = fd;
    *ret_port = ntohs(a.sin_port);
    return true;
}

bool relay_accept(int listener, int64_t timeout_ms, int *ret, Err *err)
{
    struct pollfd p = {listener, POLLIN, 0};
    int one = 1;
    *ret = -1;
    if (poll(&p, 1, (int)timeout_ms) <= 0)
        return true;
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
        bool passes = errno == EAGAIN || errno == EINTR || errno == ECONNABORTED;
        return passes ? true : err_errno(err, errno, "accept a connection");
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    *ret = fd;
    return true;
}

void relay_link_init(RelayLink *l, int fd, const atomic_bool *stop)
{
    *l = (RelayLink){.fd = fd, .stop = stop};
}

void relay_link_done(RelayLink *l)
{
    close(l->fd);
    str_done(&l->in);
    str_done(&l->out.bytes);
}

static bool lost(Err *err)
{
    return err_set(err, ERR_LOST, 0, "the receiver has closed the connection");
}

static bool stopped(const RelayLink *l, Err *err)
{
    return atomic_load(l->stop) && !err_set(err, ERR_CANCELLED, 0, "the source is closed");
}

bool relay_link_flush(RelayLink *l, Err *err)
{
    Str *b = &l->out.bytes;
    for (size_t at = 0; at < b->len;) {
        struct pollfd p = {l->fd, POLLOUT, 0};
        if (stopped(l, err))
            return false;
        ssize_t n = send(l->fd, b->p + at, b->len - at, MSG_NOSIGNAL);
        if (n >= 0)
            at += (size_t)n;
        else if (errno == EAGAIN)
            poll(&p, 1, SLICE_MS);
        else if (errno != EINTR)
            return lost(err);
    }
    b->len = 0;
    return true;
}

bool relay_link_pass(RelayLink *l, Err *err)
{
    return l->out.bytes.len < PASS_BYTES || relay_link_flush(l, err);
}

bool relay_link_is_gone(const RelayLink *l)
{
    char byte;
    ssize_t n = recv(l->fd, &byte, 1, MSG_PEEK);
    return n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
}

static bool read_more(RelayLink *l, Err *err)
{
    char block[READ_BYTES];
    struct pollfd p = {l->fd, POLLIN, 0};
    if (poll(&p, 1, SLICE_MS) <= 0)
        return true;
    ssize_t n = recv(l->fd, block, sizeof block, 0);
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
        return lost(err);
    if (n > 0)
        str_add(&l->in, block, (size_t)n);
    return true;
}

bool relay_link_request(RelayLink *l, int64_t timeout_ms, Str *ret, Err *err)
{
    int64_t until = clock_mono_ms() + timeout_ms;
    for (;;) {
        bool there;
        uint8_t seq = 0;
        if (stopped(l, err) || !packet_take(&l->in, ret, &seq, &there, err))
            return false;
        if (there) {
            l->out.seq = (uint8_t)(seq + 1);
            return true;
        }
        if (clock_mono_ms() > until)
            return err_set(err, ERR_TIMEOUT, 0, "the receiver asks for nothing");
        if (!read_more(l, err))
            return false;
    }
}

/* No byte of it is zero: some clients take it for a text. */
static void make_salt(unsigned char ret[SOURCE_SALT_BYTES])
{
    if (getrandom(ret, SOURCE_SALT_BYTES, 0) != SOURCE_SALT_BYTES)
        abort();
    for (int i = 0; i < SOURCE_SALT_BYTES; i++)
        ret[i] = (unsigned char)(ret[i] % 127 ? ret[i] % 127 : 1);
}

static bool refuse(RelayLink *l, const char *user, Err *err)
{
    Err ignored;
    source_error(&l->out, ER_ACCESS_DENIED, "28000", "access denied");
    (void)!relay_link_flush(l, &ignored);
    return err_set(err, ERR_AUTH, 0, "somebody else, \"%.40s\", asked for the kept transactions", user);
}

bool relay_link_login(RelayLink *l, const char *version, const char *user, const char *password, Err *err)
{
    AUTO(str_done) Str request = STR_INIT;
    unsigned char salt[SOURCE_SALT_BYTES];
    SourceLogin login;
    make_salt(salt);
    source_greeting(&l->out, version, 1, salt);
    if (!relay_link_flush(l, err) || !relay_link_request(l, LOGIN_MS, &request, err) ||
        !source_login_read(&request, &login, err))
        return false;
    if (!login.native) {
        source_switch_auth(&l->out, salt);
        if (!relay_link_flush(l, err) || !relay_link_request(l, LOGIN_MS, &request, err))
            return false;
        login.token_n = request.len;
        if (request.len == sizeof login.token)
            memcpy(login.token, request.p, sizeof login.token);
    }
    if (!str_eq(login.user, user) || !source_token_is(login.token, login.token_n, salt, password))
        return refuse(l, login.user, err);
    source_ok(&l->out);
    return relay_link_flush(l, err);
}
