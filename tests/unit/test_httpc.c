/* SPDX-License-Identifier: Apache-2.0
 * The HTTP client against our own server, a server that answers nothing, and no server at all.
 */
#include "common/net/httpc.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>

#include "common/base/clock.h"
#include "common/file/fs.h"
#include "common/file/json.h"
#include "common/net/http.h"
#include "loop.h"

typedef struct Fixture {
    struct event_base *base;
    HttpServer *server;
    HttpClient *client;
    char dir[40], url[60], unix_url[80], silent_url[60], closed_url[60];
    int silent_fd;
    int64_t served_from; /* where the last file answer began, by its Range */
} Fixture;

static Fixture f;

static void on_echo(HttpRequest *req, void *context)
{
    /* A client that asks first waits for "100 Continue". */
    if (http_header(req, "Expect")) {
        Err asked;
        err_set(&asked, ERR_USAGE, 0, "the client asked before it sent");
        http_reply_error(req, &asked);
        return;
    }
    Err err;
    json_t *body;
    (void)context;
    if (http_body(req, &body, &err))
        http_reply_json(req, 200, json_incref(body));
    else
        http_reply_error(req, &err);
}

static void on_get(HttpRequest *req, void *context)
{
    (void)context;
    json_t *j = json_object();
    json_set_str(j, "peer", http_who(req));
    json_set_str(j, "name", http_param(req, "name"));
    http_reply_json(req, 200, j);
}

static void on_refuse(HttpRequest *req, void *context)
{
    Err err;
    (void)context;
    err_set(&err, ERR_REFUSED, 12, "not on the primary");
    http_reply_error(req, &err);
}

static void on_text(HttpRequest *req, void *context)
{
    (void)context;
    http_reply_text(req, 500, "text/plain", "oops", 4);
}

static void on_empty(HttpRequest *req, void *context)
{
    (void)context;
    http_reply_text(req, 200, "application/json", "", 0);
}

static void on_garbage(HttpRequest *req, void *context)
{
    (void)context;
    http_reply_text(req, 200, "application/json", "{\"a\":", 5);
}

static void on_never(HttpRequest *req, void *context)
{
    (void)req;
    (void)context;
}

static void on_gone(HttpRequest *req, void *arg)
{
    (void)req;
    (void)arg;
}

static void on_keep(HttpRequest *req, void *context)
{
    (void)context;
    http_on_close(req, on_gone, NULL);
}

static void on_file(HttpRequest *req, void *context)
{
    (void)context;
    AUTOFREE char *path = xasprintf("%s/source", f.dir);
    const char *range = http_header(req, "Range");
    f.served_from = range ? atoll(range + strlen("bytes=")) : 0;
    http_reply_file(req, open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC),
                    "application/octet-stream", "v1");
}

static const HttpRoute routes[] = {
    {"POST", "/echo", ROLE_HEALTH, on_echo},
    {"GET", "/get/{name}", ROLE_HEALTH, on_get},
    {"GET", "/refuse", ROLE_HEALTH, on_refuse},
    {"GET", "/text", ROLE_HEALTH, on_text},
    {"GET", "/empty", ROLE_HEALTH, on_empty},
    {"GET", "/garbage", ROLE_HEALTH, on_garbage},
    {"GET", "/never", ROLE_HEALTH, on_never},
    {"GET", "/keep", ROLE_HEALTH, on_keep},
    {"GET", "/file", ROLE_HEALTH, on_file},
    {"DELETE", "/echo", ROLE_HEALTH, on_echo},
    {0},
};

/* ---- blocking */

typedef struct Sync {
    HttpCall call;
    bool download, ok;
    const char *path, *etag;
    HttpBytes on_bytes;
    void *arg;
    json_t *body;
    Err err;
} Sync;

static void call_aside(void *arg)
{
    Sync *s = arg;
    s->ok = s->download ? httpc_download(&s->call, s->path, s->etag, s->on_bytes, s->arg, &s->err)
                        : httpc_call(&s->call, &s->body, &s->err);
}

static Sync call(const char *url, const char *method, const char *path, json_t *body, int64_t timeout_ms)
{
    Sync s = {
        .call = {.base_url = url, .method = method, .path = path, .body = body, .timeout_ms = timeout_ms}};
    with_loop(f.base, call_aside, &s);
    json_decref(body);
    return s;
}

static void calls(void **state)
{
    (void)state;
    Sync s = call(f.url, "POST", "/echo", json_pack("{s:s}", "a", "é"), 0);
    assert_ok(s.ok, s.err);
    assert_string_equal(json_str(s.body, "a"), "é");
    json_decref(s.body);
    AUTO(str_done) Str path = STR_INIT;
    str_adds(&path, "/get/");
    httpc_encode(&path, "a b?%");
    assert_string_equal(path.p, "/get/a%20b%3F%25");
    s = call(f.unix_url, "GET", path.p, NULL, 0);
    assert_ok(s.ok, s.err);
    assert_string_not_equal(json_str(s.body, "peer"), "nobody known");
    assert_string_equal(json_str(s.body, "name"), "a b?%");
    json_decref(s.body);
    s = call(f.url, "GET", "/empty", NULL, 0);
    assert_ok(s.ok, s.err);
    assert_true(json_is_null(s.body));
    s = call(f.url, "POST", "/echo", NULL, 0);
    assert_ok(s.ok, s.err);
    assert_int_equal(json_object_size(s.body), 0);
    json_decref(s.body);
    s = call(f.url, "DELETE", "/echo", NULL, 0);
    assert_ok(s.ok, s.err);
    json_decref(s.body);
}

static void big_bodies_travel_without_asking_first(void **state)
{
    (void)state;
    AUTOFREE char *big = xcalloc(1, (4 << 20) + 1);
    memset(big, 'x', 4 << 20);
    Sync s = call(f.url, "POST", "/echo", json_pack("{s:s}", "a", big), 0);
    assert_ok(s.ok, s.err);
    assert_int_equal(strlen(json_str(s.body, "a")), 4 << 20);
    json_decref(s.body);
}

/* The same again would get the same answer: whoever tries again what may pass does not try this. */
static void a_body_that_is_too_large_is_final(void **state)
{
    (void)state;
    AUTOFREE char *big = xcalloc(1, (9 << 20) + 1);
    memset(big, 'x', 9 << 20);
    Sync s = call(f.url, "POST", "/echo", json_pack("{s:s}", "a", big), 0);
    assert_false(s.ok);
    assert_false(err_is_transient(&s.err));
    assert_int_equal(s.err.kind, ERR_USAGE);
}

static void expect_error(const char *url, const char *path, int64_t timeout_ms, ErrKind kind,
                         const char *holds)
{
    Sync s = call(url, "GET", path, NULL, timeout_ms);
    assert_false(s.ok);
    assert_null(s.body);
    if (s.err.kind != kind || !strstr(s.err.text, holds))
        fail_msg("%s%s: %s: %s", url, path, err_kind_name(s.err.kind), s.err.text);
}

static void errors(void **state)
{
    (void)state;
    expect_error(f.url, "/refuse", 0, ERR_REFUSED, "not on the primary");
    expect_error(f.url, "/absent", 0, ERR_NOT_FOUND, "no such path: /absent");
    expect_error(f.url, "/text", 0, ERR_PROTOCOL, "answered with HTTP status 500");
    expect_error(f.url, "/garbage", 0, ERR_PROTOCOL, "answer of http://127.0.0.1:");
    expect_error(f.url, "/keep", 200, ERR_TIMEOUT, "no answer in time from http://127.0.0.1:");
    expect_error(f.silent_url, "/", 200, ERR_TIMEOUT, "no answer in time from");
    expect_error(f.closed_url, "/", 500, ERR_UNREACHABLE, "Connection refused");
    expect_error("unix:/nonexistent/sock", "/", 500, ERR_UNREACHABLE, "cannot reach unix:/nonexistent/sock");
    expect_error("http://name.invalid:1", "/", 5000, ERR_UNREACHABLE, "cannot reach http://name.invalid:1");
    expect_error("ftp://127.0.0.1", "/", 500, ERR_CONFIG, "ftp");
}

/* ---- on the loop */

typedef struct Async {
    bool called, ok;
    char name[40];
    Err err;
} Async;

static void on_done(void *arg, bool ok, json_t *body, const Err *err)
{
    Async *a = arg;
    assert_false(a->called);
    a->called = true;
    a->ok = ok;
    a->err = *err;
    if (ok)
        snprintf(a->name, sizeof a->name, "%s", json_str(body, "name"));
}

static void many_at_once(void **state)
{
    (void)state;
    Async a[50] = {{0}};
    char path[40];
    for (size_t i = 0; i < COUNT(a); i++) {
        snprintf(path, sizeof path, "/get/n%zu", i);
        HttpCall c = {
            .base_url = i % 2 ? f.url : f.unix_url, .method = "GET", .path = path, .timeout_ms = 5000};
        assert_true(httpc_start(f.client, &c, on_done, &a[i]) > 0);
        assert_false(a[i].called);
    }
    for (size_t i = 0; i < COUNT(a); i++) {
        loop_until(f.base, &a[i].called);
        snprintf(path, sizeof path, "n%zu", i);
        assert_ok(a[i].ok, a[i].err);
        assert_string_equal(a[i].name, path);
    }
}

static Async start_and_wait(const char *url, const char *path, int64_t timeout_ms)
{
    Async a = {0};
    HttpCall c = {.base_url = url, .method = "GET", .path = path, .timeout_ms = timeout_ms};
    httpc_start(f.client, &c, on_done, &a);
    loop_until(f.base, &a.called);
    return a;
}

static void errors_on_the_loop(void **state)
{
    (void)state;
    Async a = start_and_wait(f.url, "/refuse", 5000);
    assert_int_equal(a.err.kind, ERR_REFUSED);
    assert_int_equal(a.err.code, 12);
    a = start_and_wait(f.url, "/keep", 200);
    assert_int_equal(a.err.kind, ERR_TIMEOUT);
    a = start_and_wait(f.closed_url, "/", 5000);
    assert_int_equal(a.err.kind, ERR_UNREACHABLE);
}

static void cancelling(void **state)
{
    (void)state;
    Async a = {0}, b = {0};
    HttpCall c = {.base_url = f.url, .method = "GET", .path = "/keep", .timeout_ms = 5000};
    uint64_t id = httpc_start(f.client, &c, on_done, &a);
    httpc_start(f.client, &c, on_done, &b);
    struct timeval tv = {0, 50000};
    event_base_loopexit(f.base, &tv);
    event_base_loop(f.base, 0);
    httpc_cancel(f.client, id);
    assert_true(a.called);
    assert_int_equal(a.err.kind, ERR_CANCELLED);
    assert_false(b.called);
    httpc_cancel(f.client, id);
    httpc_free(f.client);
    assert_int_equal(b.err.kind, ERR_CANCELLED);
    f.client = httpc_new(f.base);
}

/* ---- parts */

typedef struct Part {
    bool called, ok;
    int64_t size;
    char etag[20];
    Str bytes;
    Err err;
} Part;

static void on_part(void *arg, const HttpPart *part, const Err *err)
{
    Part *p = arg;
    assert_false(p->called);
    p->called = true;
    p->ok = part != NULL;
    p->err = *err;
    if (!part)
        return;
    p->size = part->size;
    snprintf(p->etag, sizeof p->etag, "%s", part->etag);
    str_add(&p->bytes, part->bytes, part->n);
}

static Part part_of(const char *path, int64_t from, size_t most)
{
    Part p = {0};
    HttpCall c = {.base_url = f.url, .method = "GET", .path = path, .timeout_ms = 5000};
    httpc_start_part(f.client, &c, from, most, on_part, &p);
    loop_until(f.base, &p.called);
    return p;
}

static void expect_part_of_source(int64_t from, size_t most, size_t n)
{
    Err err;
    AUTO(str_done) Str all = STR_INIT;
    AUTOFREE char *source = xasprintf("%s/source", f.dir);
    assert_ok(fs_read(source, 10000000, &all, &err), err);
    Part p = part_of("/file", from, most);
    assert_ok(p.ok, p.err);
    assert_int_equal(p.size, all.len);
    assert_string_equal(p.etag, "v1");
    assert_int_equal(p.bytes.len, n);
    if (n)
        assert_memory_equal(p.bytes.p, all.p + from, n);
    str_done(&p.bytes);
}

static void parts(void **state)
{
    (void)state;
    expect_part_of_source(0, 1, 1);
    expect_part_of_source(1000, 500000, 500000);
    expect_part_of_source(2999990, 500000, 10);
    expect_part_of_source(3000000, 1, 0);
    Part p = part_of("/refuse", 0, 1);
    assert_int_equal(p.err.kind, ERR_REFUSED);
    p = part_of("/get/all", 0, 1); /* takes no ranges */
    assert_int_equal(p.err.kind, ERR_PROTOCOL);
    p = part_of("/file", 3000001, 10); /* beyond the end */
    assert_int_equal(p.err.kind, ERR_PROTOCOL);
}

/* ---- downloads */

enum { FILE_BYTES = 3000000 };

static Sync download(const char *path, const char *etag, HttpBytes on_bytes, void *arg)
{
    Sync s = {.call = {.base_url = f.url, .method = "GET", .path = "/file"},
              .download = true,
              .path = path,
              .etag = etag,
              .on_bytes = on_bytes,
              .arg = arg};
    f.served_from = -1;
    with_loop(f.base, call_aside, &s);
    return s;
}

static void expect_same_file(const char *path)
{
    Err err;
    AUTO(str_done) Str a = STR_INIT;
    AUTO(str_done) Str b = STR_INIT;
    AUTOFREE char *source = xasprintf("%s/source", f.dir);
    assert_ok(fs_read(source, 10000000, &a, &err), err);
    assert_ok(fs_read(path, 10000000, &b, &err), err);
    assert_int_equal(a.len, b.len);
    assert_memory_equal(a.p, b.p, a.len);
}

static bool stop_halfway(void *arg, const char *bytes, size_t n)
{
    int64_t *got = arg;
    (void)bytes;
    *got += (int64_t)n;
    return *got < FILE_BYTES / 2;
}

static void downloads_resume(void **state)
{
    (void)state;
    int64_t got = 0;
    AUTOFREE char *path = xasprintf("%s/copy", f.dir);
    Sync s = download(path, "v1", stop_halfway, &got);
    assert_false(s.ok);
    assert_int_equal(s.err.kind, ERR_CANCELLED);
    int64_t have = fs_size(path);
    assert_in_range(have, FILE_BYTES / 2, FILE_BYTES - 1);
    s = download(path, "v1", NULL, NULL);
    assert_ok(s.ok, s.err);
    assert_int_equal(f.served_from, have);
    expect_same_file(path);
    s = download(path, "v1", NULL, NULL);
    assert_ok(s.ok, s.err);
    expect_same_file(path);
}

static void another_version_is_not_mixed_in(void **state)
{
    (void)state;
    Err err;
    AUTOFREE char *path = xasprintf("%s/old", f.dir);
    assert_ok(fs_replace(path, "old", 3, 0600, &err), err);
    Sync s = download(path, "v0", NULL, NULL);
    assert_false(s.ok);
    assert_int_equal(s.err.kind, ERR_CORRUPT);
    assert_int_equal(fs_size(path), 3);
    s = download("/nonexistent/file", "v1", NULL, NULL);
    assert_false(s.ok);
    assert_int_equal(s.err.kind, ERR_IO);
}

static void download_errors_stay_out_of_the_file(void **state)
{
    (void)state;
    AUTOFREE char *path = xasprintf("%s/refused", f.dir);
    Sync s = {
        .call = {.base_url = f.url, .method = "GET", .path = "/refuse"}, .download = true, .path = path};
    with_loop(f.base, call_aside, &s);
    assert_false(s.ok);
    assert_int_equal(s.err.kind, ERR_REFUSED);
    assert_int_equal(fs_size(path), 0);
    if (access("/dev/full", W_OK) == 0) {
        s = download("/dev/full", NULL, NULL, NULL);
        assert_int_equal(s.err.kind, ERR_NO_SPACE);
    }
}

static int listen_silently(int *ret_port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, n), 0);
    assert_int_equal(listen(fd, 5), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &n), 0);
    *ret_port = ntohs(a.sin_port);
    return fd;
}

static int set_up(void **state)
{
    Err err;
    int port;
    AUTO(strlist_done) StrList l = STRLIST_INIT;
    (void)state;
    strcpy(f.dir, "/tmp/siding-httpc-XXXXXX");
    assert_non_null(mkdtemp(f.dir));
    setenv("http_proxy", "http://127.0.0.1:1", 1); /* must not be used */
    AUTOFREE char *source = xasprintf("%s/source", f.dir);
    AUTOFREE char *bytes = xcalloc(1, FILE_BYTES);
    for (size_t i = 0; i < FILE_BYTES; i++)
        bytes[i] = (char)(i * 7 + i / 251);
    assert_ok(fs_replace(source, bytes, FILE_BYTES, 0600, &err), err);
    f.base = event_base_new();
    strlist_add(&l, "127.0.0.1:0");
    strlist_addf(&l, "unix:%s/s", f.dir);
    assert_ok(http_serve(f.base, &(HttpService){.listen = &l, .routes = routes}, &f.server, &err), err);
    f.client = httpc_new(f.base);
    snprintf(f.url, sizeof f.url, "http://127.0.0.1:%d", http_server_port(f.server, 0));
    snprintf(f.unix_url, sizeof f.unix_url, "unix:%s/s", f.dir);
    close(listen_silently(&port));
    snprintf(f.closed_url, sizeof f.closed_url, "http://127.0.0.1:%d", port);
    f.silent_fd = listen_silently(&port);
    snprintf(f.silent_url, sizeof f.silent_url, "http://127.0.0.1:%d", port);
    return 0;
}

static int tear_down(void **state)
{
    Err err;
    (void)state;
    httpc_free(f.client);
    http_server_free(f.server);
    event_base_free(f.base);
    close(f.silent_fd);
    assert_ok(fs_remove_tree(f.dir, &err), err);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls),
        cmocka_unit_test(big_bodies_travel_without_asking_first),
        cmocka_unit_test(a_body_that_is_too_large_is_final),
        cmocka_unit_test(errors),
        cmocka_unit_test(many_at_once),
        cmocka_unit_test(errors_on_the_loop),
        cmocka_unit_test(cancelling),
        cmocka_unit_test(parts),
        cmocka_unit_test(downloads_resume),
        cmocka_unit_test(another_version_is_not_mixed_in),
        cmocka_unit_test(download_errors_stay_out_of_the_file),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
