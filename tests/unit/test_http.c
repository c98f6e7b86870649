/* SPDX-License-Identifier: Apache-2.0
 * The HTTP server over real sockets: what a client sends and what it gets, byte by byte.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/stat.h>

#include "common/file/fs.h"
#include "common/file/json.h"
#include "common/net/http.h"
#include "loop.h"

typedef struct Fixture {
    struct event_base *base;
    HttpServer *server;
    char dir[40], socket[80], file[80];
    int port;
    HttpRequest *kept;
    bool is_kept, is_closed, late;
    RoleMap *roles;
    Str audited;
} Fixture;

static Fixture f;

/* ---- handlers */

static void on_item(HttpRequest *req, void *context)
{
    int64_t n;
    Err err;
    (void)context;
    if (!http_query_int(req, "n", 1, 10, 5, &n, &err)) {
        http_reply_error(req, &err);
        return;
    }
    json_t *j = json_object();
    json_set_str(j, "id", http_param(req, "id"));
    json_set_str(j, "absent", http_param(req, "i"));
    json_set_str(j, "text", http_query(req, "text"));
    json_set_str(j, "peer", http_who(req));
    json_set_int(j, "n", n);
    http_reply_json(req, 200, j);
}

static void on_post(HttpRequest *req, void *context)
{
    json_t *body;
    Err err;
    (void)context;
    if (!http_body(req, &body, &err))
        http_reply_error(req, &err);
    else
        http_reply_json(req, 201, json_pack("{s:I}", "fields", (json_int_t)json_object_size(body)));
}

static void on_refused(HttpRequest *req, void *context)
{
    Err err;
    (void)context;
    err_set(&err, ERR_REFUSED, 7, "no table key on %s", http_param(req, "rest"));
    http_reply_error(req, &err);
}

static void on_file(HttpRequest *req, void *context)
{
    (void)context;
    AUTOFREE char *path = xasprintf("%s/%s", f.dir, http_param(req, "path"));
    http_reply_file(req, open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC),
                    "application/octet-stream", "abc");
}

static void on_closed(HttpRequest *req, void *arg)
{
    assert_ptr_equal(req, f.kept);
    assert_ptr_equal(arg, &f);
    f.kept = NULL;
    f.is_closed = true;
}

static void on_late(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    http_reply_json(arg, 200, json_pack("{s:b}", "late", 1));
    f.kept = NULL;
}

static void on_poll(HttpRequest *req, void *context)
{
    struct timeval tv = {0, 50000};
    (void)context;
    f.kept = req;
    f.is_kept = true;
    if (f.late)
        event_base_once(f.base, -1, EV_TIMEOUT, on_late, req, &tv);
    else if (!http_query(req, "shell"))
        http_on_close(req, on_closed, &f);
}

static void on_change(HttpRequest *req, void *context)
{
    json_t *body;
    Err err;
    const char *action;
    (void)context;
    if (!http_body(req, &body, &err) || !json_req_str(body, "action", &action, &err)) {
        http_reply_error(req, &err);
        return;
    }
    AUTOFREE char *by = http_by(req, json_str(body, "by"));
    http_about(req, 12);
    http_reply_json(req, 200, json_pack("{s:s}", "by", by));
}

static void on_audit(void *context, const HttpAudit *a)
{
    AUTOFREE char *text = http_audit_text(a);
    (void)context;
    str_addf(&f.audited, "%s/%s/%lld\n", http_audit_level(a), text, (long long)a->about);
}

static const HttpRoute routes[] = {
    {"GET", "/v1/items/{id}", ROLE_HEALTH, on_item, .query = "text,n"},
    {"GET", "/v1/items/{id}/log", ROLE_HEALTH, on_refused},
    {"POST", "/v1/items", ROLE_HEALTH, on_post},
    {"GET", "/v1/files/{path...}", ROLE_HEALTH, on_file},
    {"GET", "/v1/refused/{rest}", ROLE_HEALTH, on_refused},
    {"GET", "/v1/poll", ROLE_HEALTH, on_poll, .query = "shell"},
    {"POST", "/v1/items/{id}/change", ROLE_OPERATOR | ROLE_COORDINATOR, on_change,
     .does = "{action} item {id} in {no} colour"},
    {"DELETE", "/v1/items/{id}", ROLE_ADMIN, on_change, .does = "delete item {id}"},
    {0},
};

/* ---- a client that speaks bytes */

typedef struct Ask {
    bool over_unix, then_leave;
    int rcvbuf;
    Str request, answer;
} Ask;

static int dial(const Ask *a)
{
    struct sockaddr_un u = {.sun_family = AF_UNIX};
    struct sockaddr_in i = {.sin_family = AF_INET, .sin_port = htons((uint16_t)f.port)};
    struct timeval tv = {5, 0};
    inet_pton(AF_INET, "127.0.0.1", &i.sin_addr);
    snprintf(u.sun_path, sizeof u.sun_path, "%s", f.socket);
    int fd = socket(a->over_unix ? AF_UNIX : AF_INET, SOCK_STREAM, 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv);
    int bad = a->over_unix ? connect(fd, (struct sockaddr *)&u, sizeof u)
                           : connect(fd, (struct sockaddr *)&i, sizeof i);
    return bad ? -1 : fd;
}

static void ask_aside(void *arg)
{
    Ask *a = arg;
    char block[65536];
    ssize_t n;
    int fd = dial(a);
    for (size_t at = 0; at < a->request.len; at += (size_t)n)
        if ((n = send(fd, a->request.p + at, a->request.len - at, MSG_NOSIGNAL)) <= 0)
            break;
    if (a->then_leave) {
        usleep(100000);
    } else {
        while ((n = recv(fd, block, sizeof block, 0)) > 0)
            str_add(&a->answer, block, (size_t)n);
    }
    close(fd);
}

static char *ask_bytes(Ask *a)
{
    with_loop(f.base, ask_aside, a);
    str_done(&a->request);
    return str_take(&a->answer);
}

static char *ask(const char *line, const char *headers, const char *body)
{
    Ask a = {0};
    str_addf(&a.request, "%s HTTP/1.1\r\nHost: localhost:80\r\nConnection: close\r\n%s", line, headers);
    if (body)
        str_addf(&a.request, "Content-Length: %zu\r\n", strlen(body));
    str_addf(&a.request, "\r\n%s", body ? body : "");
    return ask_bytes(&a);
}

static void expect(const char *line, const char *headers, const char *body, const char *start,
                   const char *holds)
{
    AUTOFREE char *answer = ask(line, headers, body);
    if (!str_starts(answer, start) || !strstr(answer, holds))
        fail_msg("%s: wanted \"%s\" with \"%s\", got \"%.600s\"", line, start, holds, answer);
}

/* ---- tests */

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

/* The body must be the file's bytes [from, from + n). */
static void expect_part(const char *headers, const char *start, size_t from, size_t n)
{
    Ask a = {0};
    str_addf(&a.request, "GET /v1/files/data HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n%s\r\n",
             headers);
    with_loop(f.base, ask_aside, &a);
    const char *body = strstr(str_z(&a.answer), "\r\n\r\n");
    assert_true(str_starts(str_z(&a.answer), start));
    assert_non_null(body);
    body += 4;
    assert_int_equal(a.answer.len - (size_t)(body - a.answer.p), n);
    for (size_t i = 0; i < n; i++)
        if (body[i] != (char)('a' + (from + i) % 23))
            fail_msg("byte %zu differs", i);
    str_done(&a.request);
    str_done(&a.answer);
}

static void files_and_ranges(void **state)
{
    (void)state;
    expect_part("", "HTTP/1.1 200", 0, 1000000);
    expect_part("Range: bytes=999990-\r\n", "HTTP/1.1 206", 999990, 10);
    expect_part("Range: bytes=5-300004\r\n", "HTTP/1.1 206", 5, 300000);
    expect_part("Range: bytes=-7\r\n", "HTTP/1.1 206", 999993, 7);
    expect_part("Range: bytes=5-9\r\nIf-Range: \"abc\"\r\n", "HTTP/1.1 206", 5, 5);
    expect_part("Range: bytes=5-9\r\nIf-Range: \"abd\"\r\n", "HTTP/1.1 200", 0, 1000000);
    expect_part("Range: bytes=5-9,11-12\r\n", "HTTP/1.1 200", 0, 1000000);
    expect("GET /v1/files/data", "Range: bytes=1000000-\r\n", NULL, "HTTP/1.1 416",
           "Content-Range: bytes */1000000");
    expect("GET /v1/files/data", "Range: bytes=1-1\r\n", NULL, "HTTP/1.1 206",
           "Content-Range: bytes 1-1/1000000");
    expect("GET /v1/files/data", "Range: bytes=1-1\r\n", NULL, "HTTP/1.1 206", "ETag: \"abc\"");
    expect("HEAD /v1/files/data", "", NULL, "HTTP/1.1 200", "Content-Length: 1000000\r\n");
    expect("GET /v1/files/empty", "", NULL, "HTTP/1.1 200", "Content-Length: 0");
    expect("GET /v1/files/absent", "", NULL, "HTTP/1.1 404", "no such file");
    expect("GET /v1/files/link", "", NULL, "HTTP/1.1 404", "no such file");
    expect("GET /v1/files/folder", "", NULL, "HTTP/1.1 404", "no such file");
}

static void range_table(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        HttpRange want;
        int64_t from, bytes;
    } rows[] = {
        {NULL, HTTP_RANGE_NONE, 0, 0},
        {"bytes=0-", HTTP_RANGE_PART, 0, 100},
        {"bytes=10-19", HTTP_RANGE_PART, 10, 10},
        {"bytes=90-1000", HTTP_RANGE_PART, 90, 10},
        {"bytes=-200", HTTP_RANGE_PART, 0, 100},
        {"bytes=-0", HTTP_RANGE_UNSATISFIABLE, 0, 0},
        {"bytes=100-", HTTP_RANGE_UNSATISFIABLE, 0, 0},
        {"bytes=9-8", HTTP_RANGE_NONE, 0, 0},
        {"bytes=", HTTP_RANGE_NONE, 0, 0},
        {"bytes=-", HTTP_RANGE_NONE, 0, 0},
        {"bytes=1-2x", HTTP_RANGE_NONE, 0, 0},
        {"lines=1-2", HTTP_RANGE_NONE, 0, 0},
        {"bytes=99999999999999999999-", HTTP_RANGE_NONE, 0, 0},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        int64_t from = 0, bytes = 0;
        assert_int_equal(http_parse_range(rows[i].header, 100, &from, &bytes), rows[i].want);
        assert_int_equal(from, rows[i].from);
        assert_int_equal(bytes, rows[i].bytes);
    }
}

typedef struct Truncation {
    char *path;
    size_t got;
} Truncation;

static void read_while_truncated(void *arg)
{
    Truncation *t = arg;
    Ask a = {0};
    char block[4096];
    ssize_t n;
    int fd = dial(&a);
    const char *request = "GET /v1/files/shrinks HTTP/1.1\r\nHost: localhost\r\n\r\n";
    if (send(fd, request, strlen(request), MSG_NOSIGNAL) > 0 && recv(fd, block, 100, 0) > 0 &&
        truncate(t->path, 10) == 0)
        while ((n = recv(fd, block, sizeof block, 0)) > 0)
            t->got += (size_t)n;
    close(fd);
}

static void a_file_that_shrinks_ends_the_connection(void **state)
{
    (void)state;
    AUTOFREE char *path = xasprintf("%s/shrinks", f.dir);
    Truncation t = {path, 0};
    int fd = open(path, O_CREAT | O_WRONLY, 0600);
    assert_int_equal(ftruncate(fd, 64 << 20), 0);
    close(fd);
    with_loop(f.base, read_while_truncated, &t);
    assert_true(t.got < 64 << 20);
    expect("GET /v1/items/1", "", NULL, "HTTP/1.1 200", "");
}

static void long_poll(void **state)
{
    (void)state;
    f.late = true;
    expect("GET /v1/poll", "", NULL, "HTTP/1.1 200", "{\"late\":true}");
    f.late = false;
}

static void client_gone(void **state)
{
    (void)state;
    Ask a = {.then_leave = true};
    str_adds(&a.request, "GET /v1/poll HTTP/1.1\r\nHost: localhost\r\n\r\n");
    free(ask_bytes(&a));
    loop_until(f.base, &f.is_closed);
    assert_null(f.kept);
}

/* A second request behind a kept one must neither be read as garbage nor kill the server. */
static void pipelined_behind_a_long_poll(void **state)
{
    (void)state;
    Ask a = {0};
    f.late = true;
    str_adds(&a.request, "GET /v1/poll HTTP/1.1\r\nHost: localhost\r\n\r\n"
                         "GET /v1/items/second HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    AUTOFREE char *answer = ask_bytes(&a);
    assert_non_null(strstr(answer, "{\"late\":true}"));
    assert_non_null(strstr(answer, "\"id\":\"second\""));
    f.late = false;
}

static void client_gone_without_a_callback(void **state)
{
    (void)state;
    Ask a = {.then_leave = true};
    str_adds(&a.request, "GET /v1/poll?shell=1 HTTP/1.1\r\nHost: localhost\r\n\r\n");
    free(ask_bytes(&a));
    struct timeval tv = {0, 100000};
    event_base_loopexit(f.base, &tv);
    event_base_loop(f.base, 0);
    assert_non_null(f.kept);
    assert_string_equal(http_query(f.kept, "shell"), "1");
    http_reply_json(f.kept, 200, json_object());
}

static void leave_open(void *arg)
{
    int *fd = arg;
    Ask a = {0};
    const char *request = "GET /v1/poll HTTP/1.1\r\nHost: localhost\r\n\r\n";
    *fd = dial(&a);
    if (send(*fd, request, strlen(request), MSG_NOSIGNAL) < 0)
        return;
    usleep(100000);
}

static void shutdown_answers_kept_requests(void **state)
{
    (void)state;
    int fd = -1;
    char block[1000] = "";
    f.is_closed = false;
    with_loop(f.base, leave_open, &fd);
    assert_non_null(f.kept);
    http_server_free(f.server);
    f.server = NULL;
    assert_true(f.is_closed);
    assert_true(recv(fd, block, sizeof block - 1, 0) > 0);
    close(fd);
    assert_true(str_starts(block, "HTTP/1.1 503"));
    assert_non_null(strstr(block, "the server is shutting down"));
    assert_false(fs_exists(f.socket));
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

static void write_data(const char *name, size_t n)
{
    AUTOFREE char *path = xasprintf("%s/%s", f.dir, name);
    AUTOFREE char *bytes = xcalloc(1, n + 1);
    Err err;
    for (size_t i = 0; i < n; i++)
        bytes[i] = (char)('a' + i % 23);
    assert_ok(fs_replace(path, bytes, n, 0600, &err), err);
}

static int set_up(void **state)
{
    Err err;
    AUTO(strlist_done) StrList l = STRLIST_INIT;
    (void)state;
    strcpy(f.dir, "/tmp/siding-http-XXXXXX");
    assert_non_null(mkdtemp(f.dir));
    snprintf(f.socket, sizeof f.socket, "%s/s", f.dir);
    write_data("data", 1000000);
    write_data("empty", 0);
    AUTOFREE char *link = xasprintf("%s/link", f.dir);
    AUTOFREE char *folder = xasprintf("%s/folder", f.dir);
    assert_int_equal(symlink("/etc/passwd", link), 0);
    assert_int_equal(mkdir(folder, 0700), 0);
    f.base = event_base_new();
    AUTOFREE char *token = xasprintf("%s/op.token", f.dir);
    assert_ok(fs_replace(token, "0123456789abcdef", 16, 0600, &err), err);
    RoleConfig roles = {0};
    strlist_addf(&roles.operators, "token:%s", token);
    assert_ok(roles_load("x.conf", &roles, &f.roles, &err), err);
    conf_free(role_agent_options, &roles);
    strlist_add(&l, "127.0.0.1:0");
    strlist_addf(&l, "unix:%s", f.socket);
    assert_ok(http_serve(f.base,
                         &(HttpService){.listen = &l, .routes = routes, .roles = f.roles, .audit = on_audit},
                         &f.server, &err),
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
    str_done(&f.audited);
    event_base_free(f.base);
    assert_ok(fs_remove_tree(f.dir, &err), err);
    return 0;
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
        cmocka_unit_test(files_and_ranges),
        cmocka_unit_test(range_table),
        cmocka_unit_test(a_file_that_shrinks_ends_the_connection),
        cmocka_unit_test(long_poll),
        cmocka_unit_test(client_gone),
        cmocka_unit_test(pipelined_behind_a_long_poll),
        cmocka_unit_test(client_gone_without_a_callback),
        cmocka_unit_test(listen_rules),
        cmocka_unit_test(sockets_taken_and_stale),
        cmocka_unit_test(shutdown_answers_kept_requests),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
