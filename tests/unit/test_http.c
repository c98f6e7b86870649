/* SPDX-License-Identifier: Apache-2.0
 * The HTTP server over real sockets: what a client sends, who may, and what it gets, byte by byte; where it
 * listens.
 */
#include "http_fixture.h"

static void routes_and_params(void **state)
{
    (void)state;
    expect("GET /v1/items/12.1?text=a%20b+c&n=7", "", NULL, "HTTP/1.1 200 OK",
           "{\"id\":\"12.1\",\"absent\":null,\"text\":\"a b c\",\"peer\":\"nobody known\",\"n\":7}\n");
    expect("GET /v1/items/a%20b", "", NULL, "HTTP/1.1 200", "\"id\":\"a b\"");
    expect("GET /v1/items/x/log", "", NULL, "HTTP/1.1 422", "no table key on (null)");
    expect("GET /v1/items/x?n=11", "", NULL, "HTTP/1.1 400",
           "parameter \\\"n\\\" is \\\"11\\\", it must be a whole number from 1 to 10");
    expect("GET /v1/items/x?n=3&n=4", "", NULL, "HTTP/1.1 400", "parameter \\\"n\\\" is given twice");
    expect("GET /v1/refused/orders", "", NULL, "HTTP/1.1 422 Unprocessable Content",
           "{\"error\":{\"kind\":\"refused\",\"text\":\"no table key on orders\",\"code\":7}}");
    expect("GET /v1/nothing", "", NULL, "HTTP/1.1 404", "\"kind\":\"not_found\"");
    expect("GET /v1/items/", "", NULL, "HTTP/1.1 404", "\"kind\":\"not_found\"");
    expect("GET /", "", NULL, "HTTP/1.1 404", "\"kind\":\"not_found\"");
    expect("DELETE /v1/items/3/log", "", NULL, "HTTP/1.1 405", "Allow: GET\r\n");
    expect("OPTIONS /v1/items/3/log", "", NULL, "HTTP/1.1 405", "it takes GET");
}

static void names_in_paths_are_plain(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "GET /v1/items/..",         "GET /v1/items/%2e%2e",     "GET /v1/items/a%2Fb",
        "GET /v1/items/a%00b",      "GET /v1/items/a%0Ab",      "GET /v1/items/a%zz",
        "GET /v1/files/../data",    "GET /v1/files/a/%2E%2E/b", "GET /v1/files/%2Fetc%2Fpasswd",
        "GET /v1/files//etc/passwd"};
    for (size_t i = 0; i < COUNT(bad); i++)
        expect(bad[i], "", NULL, "HTTP/1.1 404", "");
}

static void bodies(void **state)
{
    (void)state;
    const char *json = "Content-Type: application/json; charset=utf-8\r\n";
    expect("POST /v1/items", json, "{\"a\":1,\"b\":2}", "HTTP/1.1 201", "{\"fields\":2}");
    expect("POST /v1/items", json, "", "HTTP/1.1 201", "{\"fields\":0}");
    expect("POST /v1/items", json, "[1]", "HTTP/1.1 400", "must be a JSON object");
    expect("POST /v1/items", json, "{\"a\":", "HTTP/1.1 400", "request body: not valid JSON: line 1");
    expect("POST /v1/items", "Content-Type: text/plain\r\n", "{}", "HTTP/1.1 415",
           "POST needs Content-Type: application/json, not \\\"text/plain\\\"");
    expect("POST /v1/items", "", "{}", "HTTP/1.1 415", "application/json");
    expect("POST /v1/items", "Content-Type: application/jsonp\r\n", "{}", "HTTP/1.1 415", "application/json");
}

static void expect_audit(const char *want)
{
    if (!str_eq(str_z(&f.audited), want))
        fail_msg("wanted \"%s\", got \"%s\"", want, str_z(&f.audited));
    str_clear(&f.audited);
}

static void roles_are_asked_for(void **state)
{
    (void)state;
    const char *json = "Content-Type: application/json\r\n";
    const char *token = "Content-Type: application/json\r\nAuthorization: Bearer 0123456789abcdef\r\n";
    const char *wrong = "Content-Type: application/json\r\nAuthorization: Bearer 0123456789abcdeF\r\n";
    expect("GET /v1/items/3", "", NULL, "HTTP/1.1 200", "nobody known");
    expect_audit("");
    expect("POST /v1/items/3/change", json, "{}", "HTTP/1.1 403",
           "needs the role coordinator or operator, and nobody known has health");
    expect_audit("warn/nobody known (loopback TCP) asked to change item 3 in colour: refused (403): POST "
                 "/v1/items/{id}/change needs the role coordinator or operator, and nobody known has health: "
                 "\"roles\" in the configuration of this program names who has it/0\n");
    expect("POST /v1/items/3/change", wrong, "{}", "HTTP/1.1 403", "needs the role");
    expect("POST /v1/items/3/change", token, "{\"action\":\"paint\",\"by\":\"alice\"}", "HTTP/1.1 200",
           "{\"by\":\"alice (by token op)\"}");
    /* what a stranger may not is told once in a while */
    expect_audit("info/token op (loopback TCP, says to be alice) asked to paint item 3 in colour: done/12\n");
    expect("POST /v1/items/3/change", token, "{\"action\":1}", "HTTP/1.1 400", "field");
    expect("DELETE /v1/items/3", token, NULL, "HTTP/1.1 403", "needs the role admin, and token op has");
    assert_true(str_starts(str_z(&f.audited),
                           "info/token op (loopback TCP) asked to change item 3 in colour: refused (400)"));
    str_clear(&f.audited);
}

static void a_line_of_the_audit_is_one_line(void **state)
{
    (void)state;
    AUTO(str_done) Str body = STR_INIT;
    str_adds(&body, "{\"action\":\"a\\nb\\u001b[2J");
    for (int i = 0; i < 500; i++)
        str_addc(&body, 'x');
    str_adds(&body, "\"}");
    expect("POST /v1/items/3/change",
           "Content-Type: application/json\r\nAuthorization: Bearer 0123456789abcdef\r\n", str_z(&body),
           "HTTP/1.1 200", "");
    assert_true(str_starts(str_z(&f.audited), "info/token op (loopback TCP) asked to a b\\x1b[2Jxx"));
    assert_non_null(strstr(str_z(&f.audited), "xx… item 3"));
    assert_true(f.audited.len < 250);
    str_clear(&f.audited);
}

static void browsers_change_nothing(void **state)
{
    (void)state;
    const char *const marks[] = {"Origin: http://localhost:80\r\n", "Origin: null\r\n",
                                 "Sec-Fetch-Site: same-origin\r\n", "Sec-Fetch-Site: none\r\n"};
    for (size_t i = 0; i < COUNT(marks); i++) {
        AUTOFREE char *headers = xasprintf(
            "Content-Type: application/json\r\nAuthorization: Bearer 0123456789abcdef\r\n%s", marks[i]);
        expect("POST /v1/items/3/change", headers, "{}", "HTTP/1.1 403", "requests of browsers");
        expect("DELETE /v1/items/3", headers, NULL, "HTTP/1.1 403", "requests of browsers");
        expect("GET /v1/items/3", headers, NULL, "HTTP/1.1 200", "");
    }
    str_clear(&f.audited);
}

static void big_bodies_are_refused(void **state)
{
    (void)state;
    AUTOFREE char *big = xcalloc(1, HTTP_MAX_BODY_BYTES + 2);
    memset(big, ' ', HTTP_MAX_BODY_BYTES + 1);
    expect("POST /v1/items", "Content-Type: application/json\r\n", big, "HTTP/1.1 413", "");
}

static void foreign_host_names_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "evil.example",           "evil.example:13320", "127.0.0.1.evil.example",
        "localhost.evil.example", "10.0.0.1",           ""};
    static const char *const good[] = {"localhost", "127.0.0.1:13320", "[::1]:13320", "127.3.2.1"};
    for (size_t i = 0; i < COUNT(bad) + COUNT(good); i++) {
        Ask a = {0};
        str_addf(&a.request, "GET /v1/items/1 HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n",
                 i < COUNT(bad) ? bad[i] : good[i - COUNT(bad)]);
        AUTOFREE char *answer = ask_bytes(&a);
        assert_true(str_starts(answer, i < COUNT(bad) ? "HTTP/1.1 422" : "HTTP/1.1 200"));
    }
}

static void unix_socket(void **state)
{
    (void)state;
    Ask a = {.over_unix = true};
    struct stat st;
    str_adds(&a.request, "GET /v1/items/1 HTTP/1.1\r\nHost: anything\r\nConnection: close\r\n\r\n");
    AUTOFREE char *answer = ask_bytes(&a);
    assert_null(strstr(answer, "nobody known"));
    assert_int_equal(stat(f.socket, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0660);
}

static void several_requests_on_a_connection(void **state)
{
    (void)state;
    Ask a = {0};
    str_adds(&a.request, "GET /v1/items/1 HTTP/1.1\r\nHost: localhost\r\n\r\n"
                         "POST /v1/items HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                         "Content-Length: 2\r\n\r\n{}"
                         "GET /v1/files/data HTTP/1.1\r\nHost: localhost\r\nRange: bytes=0-3\r\n\r\n"
                         "GET /v1/items/last HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    AUTOFREE char *answer = ask_bytes(&a);
    assert_non_null(strstr(answer, "\"id\":\"1\""));
    assert_non_null(strstr(answer, "{\"fields\":0}"));
    assert_non_null(strstr(answer, "bytes 0-3/1000000"));
    assert_non_null(strstr(answer, "\"id\":\"last\""));
}

static void listen_rules(void **state)
{
    (void)state;
    static const struct {
        const char *listen;
        ErrKind kind;
        const char *holds;
    } rows[] = {
        {"0.0.0.0:14301", ERR_REFUSED, "it needs tls with certificate_file"},
        {"*:14301", ERR_REFUSED, "needs tls"},
        {"[::]:14301", ERR_REFUSED, "needs tls"},
        {"tls:127.0.0.1:14301", ERR_REFUSED, "needs tls"},
        {"127.0.0.1", ERR_CONFIG, "is not an address"},
        {"127.0.0.1:70000", ERR_CONFIG, "is not an address"},
        {"::1:80", ERR_CONFIG, "is not an address"},
        {"unix:relative", ERR_CONFIG, "is not an address"},
        {"unix:/tmp/12345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
         "0123456789012345",
         ERR_CONFIG, "at most 107"},
        {"unix:/etc/hostname", ERR_CONFLICT, "is not a socket"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        Err err;
        HttpServer *s = NULL;
        AUTO(strlist_done) StrList l = STRLIST_INIT;
        strlist_add(&l, rows[i].listen);
        assert_false(http_serve(f.base, &(HttpService){.listen = &l, .routes = routes}, &s, &err));
        assert_null(s);
        if (err.kind != rows[i].kind || !strstr(err.text, rows[i].holds))
            fail_msg("%s: %s", rows[i].listen, err.text);
    }
    assert_true(http_address_is_local("unix:/x"));
    assert_true(http_address_is_local("127.0.0.1:1"));
    assert_true(http_address_is_local("[::1]:1"));
    assert_true(http_address_is_local("localhost:1"));
    assert_false(http_address_is_local("db1.example:1"));
    assert_false(http_address_is_local("0.0.0.0:1"));
}

static void sockets_taken_and_stale(void **state)
{
    (void)state;
    Err err;
    HttpServer *s = NULL;
    AUTO(strlist_done) StrList l = STRLIST_INIT;
    strlist_addf(&l, "unix:%s", f.socket);
    assert_false(http_serve(f.base, &(HttpService){.listen = &l, .routes = routes}, &s, &err));
    assert_non_null(strstr(err.text, "another process serves this socket"));
    AUTO(strlist_done) StrList t = STRLIST_INIT;
    strlist_addf(&t, "127.0.0.1:%d", f.port);
    assert_false(http_serve(f.base, &(HttpService){.listen = &t, .routes = routes}, &s, &err));
    assert_non_null(strstr(err.text, "another process uses this port"));
    /* A socket whose server died is replaced. */
    AUTOFREE char *stale = xasprintf("%s/stale", f.dir);
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    snprintf(a.sun_path, sizeof a.sun_path, "%s", stale);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
    close(fd);
    AUTO(strlist_done) StrList again = STRLIST_INIT;
    strlist_addf(&again, "unix:%s", stale);
    assert_ok(http_serve(f.base, &(HttpService){.listen = &again, .routes = routes}, &s, &err), err);
    http_server_free(s);
    assert_false(fs_exists(stale));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(routes_and_params),
        cmocka_unit_test(names_in_paths_are_plain),
        cmocka_unit_test(bodies),
        cmocka_unit_test(roles_are_asked_for),
        cmocka_unit_test(a_line_of_the_audit_is_one_line),
        cmocka_unit_test(browsers_change_nothing),
        cmocka_unit_test(big_bodies_are_refused),
        cmocka_unit_test(foreign_host_names_are_refused),
        cmocka_unit_test(unix_socket),
        cmocka_unit_test(several_requests_on_a_connection),
        cmocka_unit_test(listen_rules),
        cmocka_unit_test(sockets_taken_and_stale),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
