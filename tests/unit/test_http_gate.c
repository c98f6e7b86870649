/* SPDX-License-Identifier: Apache-2.0
 * The server's door: one who takes every connection that he can get, says little or says it slowly, keeps
 * nobody out who says at once what he wants.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/resource.h>

#include "common/base/clock.h"
#include "common/file/fs.h"
#include "common/net/http.h"
#include "loop.h"

enum { CROWD = 1100 };

static struct {
    struct event_base *base;
    HttpServer *server;
    RoleMap *roles;
    char dir[40];
    int port;
} f;

static void on_health(HttpRequest *req, void *context)
{
    (void)context;
    http_reply_json(req, 200, json_pack("{s:b}", "ok", 1));
}

static const HttpRoute routes[] = {
    {"GET", "/healthz", ROLE_HEALTH, on_health, NULL},
    {"POST", "/v1/change", ROLE_OPERATOR, on_health, NULL},
    {"GET", "/v1/look", ROLE_VIEWER, on_health, NULL},
    {0},
};

/* ---- a client beside the loop */

static int dial_from(const char *address)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)f.port)},
                       own = {.sin_family = AF_INET};
    struct timeval tv = {5, 0};
    inet_pton(AF_INET, "127.0.0.1", &a.sin_addr);
    inet_pton(AF_INET, address, &own.sin_addr);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv);
    if (bind(fd, (struct sockaddr *)&own, sizeof own) == 0 &&
        connect(fd, (struct sockaddr *)&a, sizeof a) == 0)
        return fd;
    close(fd);
    return -1;
}

static int dial(void)
{
    return dial_from("127.0.0.1");
}

static bool say(int fd, const char *text)
{
    size_t n = strlen(text);
    return send(fd, text, n, MSG_NOSIGNAL) == (ssize_t)n;
}

/* The status of the next answer, whose body is small; 0: none. */
static int hear(int fd)
{
    char text[2000] = "";
    size_t n = 0;
    for (ssize_t got; n < sizeof text - 1 && (got = recv(fd, text + n, sizeof text - 1 - n, 0)) > 0;) {
        n += (size_t)got;
        text[n] = 0;
        if (strstr(text, "\r\n\r\n") && strstr(text, "}\n"))
            break;
    }
    return str_starts(text, "HTTP/1.1 ") ? atoi(text + 9) : 0;
}

#define HEALTH "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
#define ORDER                                                                                                \
    "POST /v1/change HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer 0123456789abcdef\r\n"              \
    "Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"

/* ms until the answer; -1: another status. */
static int64_t asked(const char *request, int status)
{
    int64_t begin = clock_mono_ms();
    int fd = dial();
    bool ok = fd >= 0 && say(fd, request) && hear(fd) == status;
    close(fd);
    return ok ? clock_mono_ms() - begin : -1;
}

/* Whatever it has said before. */
static bool is_closed(int fd, int within_ms)
{
    char block[4096];
    struct pollfd p = {fd, POLLIN, 0};
    while (poll(&p, 1, within_ms) == 1) {
        ssize_t n = recv(fd, block, sizeof block, MSG_DONTWAIT);
        if (n <= 0)
            return n == 0 || errno != EAGAIN;
    }
    return false;
}

/* ---- a crowd that says nothing */

typedef struct Crowd {
    int fds[CROWD], n;
    const char *says; /* NULL: nothing */
    int commander;    /* there before it */
    int64_t health_ms[20], order_ms[20];
    int commander_status, dropped;
} Crowd;

static void gather(Crowd *c)
{
    for (int i = 0; i < CROWD; i++) {
        c->fds[i] = dial();
        if (c->fds[i] >= 0 && c->says)
            say(c->fds[i], c->says);
        c->n += c->fds[i] >= 0;
    }
}

static void stand_before_the_door(void *arg)
{
    Crowd *c = arg;
    c->commander = dial();
    if (!say(c->commander, ORDER) || hear(c->commander) != 200)
        return;
    gather(c);
    for (int i = 0; i < 20; i++) {
        c->health_ms[i] = asked(HEALTH, 200);
        c->order_ms[i] = asked(ORDER, 200);
    }
    c->commander_status = say(c->commander, ORDER) ? hear(c->commander) : 0;
    for (int i = 0; i < CROWD; i++)
        c->dropped += c->fds[i] >= 0 && is_closed(c->fds[i], 0);
    for (int i = 0; i < CROWD; i++)
        close(c->fds[i]);
    close(c->commander);
}

static void expect_a_way_past(const char *says)
{
    static Crowd c;
    memset(&c, 0, sizeof c);
    c.says = says;
    with_loop(f.base, stand_before_the_door, &c);
    assert_int_equal(c.n, CROWD);
    assert_int_equal(c.commander_status, 200);
    for (size_t i = 0; i < COUNT(c.health_ms); i++)
        if (c.health_ms[i] < 0 || c.health_ms[i] > 2000 || c.order_ms[i] < 0 || c.order_ms[i] > 2000)
            fail_msg("try %zu: health after %lld ms, order after %lld", i, (long long)c.health_ms[i],
                     (long long)c.order_ms[i]);
    /* 256 may stay, 64 that asked for their health */
    assert_true(c.dropped >= CROWD - 256 - 64 - 10);
}

static void connections_that_say_nothing(void **state)
{
    (void)state;
    expect_a_way_past(NULL);
}

static void connections_that_begin_a_request(void **state)
{
    (void)state;
    expect_a_way_past("GET /healthz HTTP/1.1\r\nHost: loc");
}

static void connections_that_ask_for_health(void **state)
{
    (void)state;
    expect_a_way_past(HEALTH);
}

static void connections_that_are_refused(void **state)
{
    (void)state;
    expect_a_way_past("GET /v1/look HTTP/1.1\r\nHost: localhost\r\n\r\n");
}

static void connections_with_a_body_that_never_comes(void **state)
{
    (void)state;
    expect_a_way_past("POST /v1/change HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                      "Content-Length: 8000000\r\n\r\n{");
}

/* ---- at another address than the crowd's */

typedef struct Patient {
    int status, beside; /* of one elsewhere, and of one at the address of the crowd */
    bool is_crowd;
} Patient;

/* Both were there first, and speak when more have come in than the share holds. */
static void speak_late(void *arg)
{
    enum { COMES = 300, PUSHED_OUT = 30 };
    Patient *p = arg;
    int fds[COMES], fd = dial_from("127.0.0.2"), beside = dial();
    for (int i = 0; i < COMES; i++)
        fds[i] = dial();
    p->is_crowd = is_closed(fds[PUSHED_OUT], 5000);
    p->status = say(fd, HEALTH) ? hear(fd) : 0;
    p->beside = say(beside, HEALTH) ? hear(beside) : 0;
    for (int i = 0; i < COMES; i++)
        close(fds[i]);
    close(fd);
    close(beside);
}

static void a_crowd_pushes_out_its_own(void **state)
{
    (void)state;
    Patient p = {0};
    with_loop(f.base, speak_late, &p);
    assert_true(p.is_crowd);
    assert_int_equal(p.status, 200);
    assert_int_equal(p.beside, 0);
}

/* ---- deadlines */

typedef struct Slow {
    const char *first;
    int status;        /* of the answer that comes first; 0: none is expected */
    int64_t closed_ms; /* after the last byte */
} Slow;

static void be_slow(void *arg)
{
    Slow *s = arg;
    int fd = dial();
    say(fd, s->first);
    if (s->status && hear(fd) != s->status)
        s->status = -1;
    int64_t begin = clock_mono_ms();
    s->closed_ms = is_closed(fd, 8000) ? clock_mono_ms() - begin : -1;
    close(fd);
}

static void expect_closed(const char *first, int status, int64_t least_ms, int64_t most_ms)
{
    Slow s = {first, status, 0};
    with_loop(f.base, be_slow, &s);
    assert_int_equal(s.status, status);
    if (s.closed_ms < least_ms || s.closed_ms > most_ms)
        fail_msg("closed after %lld ms, not after %lld to %lld", (long long)s.closed_ms, (long long)least_ms,
                 (long long)most_ms);
}

static void phases_have_deadlines(void **state)
{
    (void)state;
    expect_closed("", 0, 1500, 4500);
    expect_closed("GET /healthz HT", 0, 1500, 4500);
    expect_closed(HEALTH, 200, 4000, 7900);
}

/* ---- memory */

static void promise_bodies(void *arg)
{
    int *statuses = arg, fds[10];
    for (int i = 0; i < 10; i++) {
        struct pollfd p = {.fd = fds[i] = dial(), .events = POLLIN};
        say(fds[i],
            "POST /v1/change HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer 0123456789abcdef\r\n"
            "Content-Type: application/json\r\nContent-Length: 8000000\r\n\r\n");
        statuses[i] = poll(&p, 1, i < 8 ? 100 : 3000) == 1 ? hear(fds[i]) : 0;
    }
    for (int i = 0; i < 10; i++)
        close(fds[i]);
}

static void unfinished_bodies_are_bounded_in_all(void **state)
{
    (void)state;
    int statuses[11] = {0};
    with_loop(f.base, promise_bodies, statuses);
    for (int i = 0; i < 8; i++)
        assert_int_equal(statuses[i], 0); /* waits for the body */
    assert_int_equal(statuses[8], 503);
    assert_int_equal(statuses[9], 503);
}

static int set_up(void **state)
{
    Err err;
    RoleConfig roles = {0};
    AUTO(strlist_done) StrList l = STRLIST_INIT;
    struct rlimit r;
    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &r), 0);
    r.rlim_cur = r.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &r), 0);
    assert_true(r.rlim_cur >= 2 * CROWD + 500);
    strcpy(f.dir, "/tmp/siding-gate-XXXXXX");
    assert_non_null(mkdtemp(f.dir));
    AUTOFREE char *token = xasprintf("%s/op.token", f.dir);
    assert_ok(fs_replace(token, "0123456789abcdef", 16, 0600, &err), err);
    strlist_addf(&roles.operators, "token:%s", token);
    assert_ok(roles_load("x.conf", &roles, &f.roles, &err), err);
    conf_free(role_agent_options, &roles);
    f.base = event_base_new();
    assert_int_equal(event_base_priority_init(f.base, 3), 0);
    strlist_add(&l, "127.0.0.1:0");
    assert_ok(
        http_serve(f.base, &(HttpService){.listen = &l, .routes = routes, .roles = f.roles}, &f.server, &err),
        err);
    f.port = http_server_port(f.server, 0);
    return 0;
}

static int tear_down(void **state)
{
    Err err;
    (void)state;
    http_server_free(f.server);
    roles_free(f.roles);
    event_base_free(f.base);
    assert_ok(fs_remove_tree(f.dir, &err), err);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(connections_that_say_nothing),
        cmocka_unit_test(connections_that_begin_a_request),
        cmocka_unit_test(connections_that_ask_for_health),
        cmocka_unit_test(connections_that_are_refused),
        cmocka_unit_test(connections_with_a_body_that_never_comes),
        cmocka_unit_test(a_crowd_pushes_out_its_own),
        cmocka_unit_test(phases_have_deadlines),
        cmocka_unit_test(unfinished_bodies_are_bounded_in_all),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
