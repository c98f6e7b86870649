/* SPDX-License-Identifier: Apache-2.0 */
#include "message.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LISTS = 4 };

typedef struct Header {
    uint32_t type, bytes; /* of all */
    int64_t number;
    JailEnd end;
    int64_t nice, memory_bytes, tasks;
    uint32_t counts[LISTS];
} Header;

void jail_order_done(JailOrder *o)
{
    char *const owned[] = {o->run, o->user, o->program, o->result, o->cnf};
    StrList *const lists[] = {&o->args, &o->env, &o->hide, &o->show};
    for (size_t i = 0; i < COUNT(owned); i++)
        free(owned[i]);
    for (size_t i = 0; i < COUNT(lists); i++)
        strlist_done(lists[i]);
    *o = (JailOrder){0};
}

void jail_message_done(JailMessage *m)
{
    for (size_t i = 0; i < JAIL_FDS; i++) {
        if (m->fds[i] >= 0)
            close(m->fds[i]);
        m->fds[i] = -1;
    }
    jail_order_done(&m->order);
}

/* ---- bytes ---------------------------------------------------------------------------------------- */

static void add_text(Str *out, const char *text)
{
    str_add(out, text ? text : "", text ? strlen(text) : 0);
    str_add(out, "", 1);
}

static bool write_bytes(const JailMessage *m, Str *out, Err *err)
{
    const JailOrder *o = &m->order;
    const StrList *lists[LISTS] = {&o->args, &o->env, &o->hide, &o->show};
    Header h = {.type = m->type,
                .number = m->number,
                .end = m->end,
                .nice = o->nice,
                .memory_bytes = o->memory_bytes,
                .tasks = o->tasks};
    for (size_t i = 0; i < LISTS; i++)
        h.counts[i] = (uint32_t)lists[i]->n;
    str_add(out, (const char *)&h, sizeof h);
    const char *const texts[] = {m->text, o->run, o->user, o->program, o->result, o->cnf};
    for (size_t i = 0; i < COUNT(texts); i++)
        add_text(out, texts[i]);
    for (size_t i = 0; i < LISTS; i++)
        for (size_t k = 0; k < lists[i]->n; k++)
            add_text(out, lists[i]->v[k]);
    if (out->len > JAIL_BYTES)
        return err_set(err, ERR_REFUSED, 0,
                       "program, arguments and environment take %zu bytes, a job that is kept apart may have "
                       "%d",
                       out->len, JAIL_BYTES);
    ((Header *)(void *)out->p)->bytes = (uint32_t)out->len;
    return true;
}

/* The next string, NULL where its end is not in the message. */
static const char *next_text(const char **at, const char *end)
{
    const char *text = *at, *zero = memchr(text, 0, (size_t)(end - text));
    if (!zero)
        return NULL;
    *at = zero + 1;
    return text;
}

static bool read_list(const char **at, const char *end, uint32_t n, StrList *ret)
{
    if (n > JAIL_LIST)
        return false;
    for (uint32_t i = 0; i < n; i++) {
        const char *text = next_text(at, end);
        if (!text)
            return false;
        strlist_add(ret, text);
    }
    return true;
}

static bool read_texts(const char *at, const char *end, const Header *h, JailMessage *m)
{
    JailOrder *o = &m->order;
    char **const texts[] = {&o->run, &o->user, &o->program, &o->result, &o->cnf};
    StrList *lists[LISTS] = {&o->args, &o->env, &o->hide, &o->show};
    const char *text = next_text(&at, end);
    if (!text || strlen(text) >= sizeof m->text)
        return false;
    memcpy(m->text, text, strlen(text) + 1);
    for (size_t i = 0; i < COUNT(texts); i++) {
        if (!(text = next_text(&at, end)))
            return false;
        *texts[i] = xstrdup(text);
    }
    for (size_t i = 0; i < LISTS; i++)
        if (!read_list(&at, end, h->counts[i], lists[i]))
            return false;
    return at == end;
}

bool jail_parse(const void *bytes, size_t n, JailMessage *ret, Err *err)
{
    Header h;
    JailMessage m = {.fds = {-1, -1, -1, -1, -1}};
    bool ok = n >= sizeof h && n <= JAIL_BYTES;
    if (ok) {
        memcpy(&h, bytes, sizeof h);
        ok = h.bytes == n && h.type < JAIL_TYPES_N &&
             read_texts((const char *)bytes + sizeof h, (const char *)bytes + n, &h, &m);
    }
    if (!ok) {
        jail_message_done(&m);
        return err_set(err, ERR_PROTOCOL, 0, "a message of %zu bytes is none of ours", n);
    }
    m.type = (JailType)h.type;
    m.number = h.number;
    m.end = h.end;
    m.order.nice = h.nice;
    m.order.memory_bytes = h.memory_bytes;
    m.order.tasks = h.tasks;
    *ret = m;
    return true;
}

/* ---- sockets -------------------------------------------------------------------------------------- */

typedef union Ancillary {
    struct cmsghdr head;
    char room[CMSG_SPACE(sizeof(int) * JAIL_FDS) + CMSG_SPACE(sizeof(struct ucred))];
} Ancillary;

static void add_fds(struct msghdr *msg, Ancillary *a, const JailMessage *m)
{
    int fds[JAIL_FDS];
    size_t n = 0;
    while (n < JAIL_FDS && m->fds[n] >= 0) {
        fds[n] = m->fds[n];
        n++;
    }
    if (!n)
        return;
    msg->msg_control = a;
    msg->msg_controllen = CMSG_SPACE(sizeof(int) * n);
    struct cmsghdr *c = CMSG_FIRSTHDR(msg);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int) * n);
    memcpy(CMSG_DATA(c), fds, sizeof(int) * n);
}

bool jail_send(int socket, const JailMessage *m, Err *err)
{
    AUTO(str_done) Str out = STR_INIT;
    if (!write_bytes(m, &out, err))
        return false;
    Ancillary a = {0};
    struct iovec v = {out.p, out.len};
    struct msghdr msg = {.msg_iov = &v, .msg_iovlen = 1};
    if (m->type == JAIL_SPAWN)
        add_fds(&msg, &a, m);
    ssize_t n;
    do
        n = sendmsg(socket, &msg, MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    if (n == (ssize_t)out.len)
        return true;
    return err_set(err, ERR_LOST, errno, "the keeper of a job does not listen: %s", strerror(errno));
}

bool jail_send_plain(int socket, JailType type, int64_t number, const char *text, Err *err)
{
    JailMessage m = {.type = type, .number = number};
    if (text)
        snprintf(m.text, sizeof m.text, "%s", text);
    return jail_send(socket, &m, err);
}

static void take_ancillary(struct msghdr *msg, int *fds, pid_t *sender)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
        if (c->cmsg_level != SOL_SOCKET)
            continue;
        if (c->cmsg_type == SCM_RIGHTS)
            memcpy(fds, CMSG_DATA(c), c->cmsg_len - CMSG_LEN(0));
        if (c->cmsg_type == SCM_CREDENTIALS) {
            struct ucred who;
            memcpy(&who, CMSG_DATA(c), sizeof who);
            *sender = who.pid;
        }
    }
}

static bool await(int socket, int timeout_ms, Err *err)
{
    struct pollfd p = {socket, POLLIN, 0};
    int n;
    do
        n = poll(&p, 1, timeout_ms);
    while (n < 0 && errno == EINTR);
    return n > 0 || err_set(err, ERR_TIMEOUT, 0, "no answer within %d ms", timeout_ms);
}

bool jail_receive(int socket, int timeout_ms, JailMessage *ret, Err *err)
{
    static char bytes[JAIL_BYTES];
    Ancillary a = {0};
    struct iovec v = {bytes, sizeof bytes};
    struct msghdr msg = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = &a, .msg_controllen = sizeof a.room};
    int fds[JAIL_FDS] = {-1, -1, -1, -1, -1};
    pid_t sender = 0;
    if (!await(socket, timeout_ms, err))
        return false;
    ssize_t n;
    do
        n = recvmsg(socket, &msg, MSG_CMSG_CLOEXEC);
    while (n < 0 && errno == EINTR);
    if (n <= 0)
        return err_set(err, ERR_LOST, 0, "the other side is gone");
    take_ancillary(&msg, fds, &sender);
    bool whole = !(msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC));
    JailMessage m;
    bool ok =
        whole ? jail_parse(bytes, (size_t)n, &m, err) : err_set(err, ERR_PROTOCOL, 0, "a message is cut off");
    if (!ok) {
        for (size_t i = 0; i < JAIL_FDS; i++)
            if (fds[i] >= 0)
                close(fds[i]);
        return false;
    }
    memcpy(m.fds, fds, sizeof fds);
    m.sender = sender;
    *ret = m;
    return true;
}
