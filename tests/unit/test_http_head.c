/* SPDX-License-Identifier: Apache-2.0
 * Heads of requests: what is read, and what is not let through.
 */
#include "test.h"

#include <string.h>

#include "common/net/http_head.h"

static void good_heads(void **state)
{
    (void)state;
    static const struct {
        const char *text, *method, *path, *query, *host;
        int64_t bytes;
        bool keeps, expects;
    } rows[] = {
        {"GET / HTTP/1.1\r\n\r\n", "GET", "/", NULL, "", 0, true, false},
        {"GET /a%20b?x=1&y HTTP/1.1\r\nHost: db1:80\r\n\r\n", "GET", "/a%20b", "x=1&y", "db1", 0, true,
         false},
        {"GET /a HTTP/1.0\r\nHost: [::1]:80\r\n\r\n", "GET", "/a", NULL, "[::1]", 0, false, false},
        {"GET /a HTTP/1.0\r\nconnection: Keep-Alive\r\n\r\n", "GET", "/a", NULL, "", 0, true, false},
        {"GET /a HTTP/1.1\r\nConnection: x , close\r\n\r\n", "GET", "/a", NULL, "", 0, false, false},
        {"GET http://h:1/p?q HTTP/1.1\r\nHost: other\r\n\r\n", "GET", "/p", "q", "h", 0, true, false},
        {"GET http://h HTTP/1.1\r\n\r\n", "GET", "/", NULL, "h", 0, true, false},
        {"OPTIONS * HTTP/1.1\r\n\r\n", "OPTIONS", "*", NULL, "", 0, true, false},
        {"POST /a#b HTTP/1.1\r\nContent-Length:  12 \r\nExpect: 100-continue\r\n\r\n", "POST", "/a", NULL, "",
         12, true, true},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        HttpHead h;
        Err err;
        int status;
        assert_ok(http_head_read(rows[i].text, strlen(rows[i].text), &h, &status, &err), err);
        assert_string_equal(h.method, rows[i].method);
        assert_string_equal(h.path, rows[i].path);
        assert_true(rows[i].query ? str_eq(h.query, rows[i].query) : !h.query);
        assert_string_equal(h.host, rows[i].host);
        assert_int_equal(h.body_bytes, rows[i].bytes);
        assert_int_equal(h.keeps_alive, rows[i].keeps);
        assert_int_equal(h.expects_continue, rows[i].expects);
        http_head_done(&h);
    }
}

static void bad_heads(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int status;
    } rows[] = {
        {"\r\n\r\n", 400},
        {"GET\r\n\r\n", 400},
        {"GET /\r\n\r\n", 400},
        {"GET  / HTTP/1.1\r\n\r\n", 400},
        {"GET / HTTP/1.1 \r\n\r\n", 400},
        {"GET / HTTP/2.0\r\n\r\n", 505},
        {"GET / JUNK\r\n\r\n", 400},
        {"GET a HTTP/1.1\r\n\r\n", 400},
        {"G\x01T / HTTP/1.1\r\n\r\n", 400},
        {"GET /\x7f HTTP/1.1\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nA\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\n: b\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nA : b\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n", 400}, /* a folded line */
        {"GET / HTTP/1.1\nA: b\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nA: b\rc\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\nContent-Length: +1\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\nContent-Length: 1,1\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\nContent-Length: \r\n\r\n", 400},
        {"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", 411},
        {"POST / HTTP/1.1\r\nTransfer-Encoding: x\r\nContent-Length: 3\r\n\r\n", 411},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        HttpHead h;
        Err err;
        int status = 0;
        if (http_head_read(rows[i].text, strlen(rows[i].text), &h, &status, &err) || status != rows[i].status)
            fail_msg("row %zu: %d, not %d", i, status, rows[i].status);
    }
    HttpHead h;
    Err err;
    int status = 0;
    assert_false(http_head_read("GET / HTTP/1.1\r\nA: \0\r\n\r\n", 24, &h, &status, &err));
    AUTO(str_done) Str many = STR_INIT;
    str_adds(&many, "GET / HTTP/1.1\r\n");
    for (int i = 0; i <= HTTP_MAX_HEADERS; i++)
        str_adds(&many, "a: b\r\n");
    str_adds(&many, "\r\n");
    assert_false(http_head_read(str_z(&many), many.len, &h, &status, &err));
    assert_int_equal(status, 431);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(good_heads), cmocka_unit_test(bad_heads)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
