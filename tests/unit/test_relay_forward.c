/* SPDX-License-Identifier: Apache-2.0
 * What is passed on between a port of this host and a server: all of it, both ways, and its end.
 */
#include "test.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "replica-agent/helper/relay_forward.h"
#include "replica-agent/helper/relay_link.h"

enum { WAIT_MS = 20000, MANY = 3 << 20 };

static int connect_here(int port)
{
    struct sockaddr_in at = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof at), 0);
    return fd;
}

static int take(int listener)
{
    Err err;
    int fd = -1;
    assert_ok(relay_accept(listener, WAIT_MS, &fd, &err), err);
    assert_true(fd >= 0);
    return fd;
}

static size_t receive(int fd, char *to, size_t n)
{
    size_t at = 0;
    while (at < n) {
        struct pollfd p = {fd, POLLIN, 0};
        assert_int_equal(poll(&p, 1, WAIT_MS), 1);
        ssize_t got = recv(fd, to + at, n - at, 0);
        if (got <= 0)
            break;
        at += (size_t)got;
    }
    return at;
}

static void all_is_passed_on_both_ways(void **state)
{
    (void)state;
    Err err;
    int listener, port;
    RelayForward *f;
    assert_ok(relay_listen(&listener, &port, &err), err);
    assert_ok(relay_forward_open("127.0.0.1", port, &f, &err), err);
    int a = connect_here(relay_forward_port(f)), source_a = take(listener);
    int b = connect_here(relay_forward_port(f)), source_b = take(listener);
    char got[8] = {0};
    assert_int_equal(send(a, "from a", 6, 0), 6);
    assert_int_equal(send(b, "from b", 6, 0), 6);
    assert_int_equal(receive(source_a, got, 6), 6);
    assert_string_equal(got, "from a");
    assert_int_equal(receive(source_b, got, 6), 6);
    assert_string_equal(got, "from b");

    /* more than sockets hold at once */
    AUTOFREE char *many = xcalloc(MANY, 1), *back = xcalloc(MANY, 1);
    for (size_t i = 0; i < MANY; i++)
        many[i] = (char)(i % 251);
    size_t sent = 0, received = 0;
    while (received < MANY) {
        struct pollfd p[] = {{source_a, sent < MANY ? POLLOUT : 0, 0}, {a, POLLIN, 0}};
        assert_true(poll(p, 2, WAIT_MS) > 0);
        ssize_t n = p[0].revents & POLLOUT ? send(source_a, many + sent, MANY - sent, MSG_DONTWAIT) : 0;
        sent += n > 0 ? (size_t)n : 0;
        n = p[1].revents & POLLIN ? recv(a, back + received, MANY - received, MSG_DONTWAIT) : 0;
        received += n > 0 ? (size_t)n : 0;
    }
    assert_memory_equal(many, back, MANY);

    close(source_a); /* one end goes with the other, and the other pair stays */
    assert_int_equal(receive(a, got, 1), 0);
    assert_int_equal(send(source_b, "still", 5, 0), 5);
    assert_int_equal(receive(b, got, 5), 5);
    relay_forward_close(f);
    assert_int_equal(receive(b, got, 1), 0);
    close(a);
    close(b);
    close(source_b);
    close(listener);
}

static void a_server_that_is_gone_is_a_connection_that_ends(void **state)
{
    (void)state;
    Err err;
    int listener, port;
    char got;
    RelayForward *f;
    assert_ok(relay_listen(&listener, &port, &err), err);
    close(listener);
    assert_ok(relay_forward_open("127.0.0.1", port, &f, &err), err);
    int a = connect_here(relay_forward_port(f));
    assert_int_equal(receive(a, &got, 1), 0);
    close(a);
    relay_forward_close(f);
    relay_forward_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(all_is_passed_on_both_ways),
                                       cmocka_unit_test(a_server_that_is_gone_is_a_connection_that_ends)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
