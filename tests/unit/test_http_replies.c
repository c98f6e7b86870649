/* SPDX-License-Identifier: Apache-2.0
 * The HTTP server's answers that are files, streams or come late, and clients that leave before them.
 */
#include "http_fixture.h"

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

static void expect_stream(const char *line, const char *headers, const char *start, size_t from, size_t n)
{
    Ask a = {0};
    str_addf(&a.request, "%s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n%s\r\n", line, headers);
    with_loop(f.base, ask_aside, &a);
    const char *body = strstr(str_z(&a.answer), "\r\n\r\n");
    assert_true(str_starts(str_z(&a.answer), start));
    assert_non_null(body);
    body += 4;
    assert_int_equal((size_t)(a.answer.p + a.answer.len - body), n);
    for (size_t i = 0; i < n; i++)
        if (body[i] != (char)((from + i) % 251))
            fail_msg("byte %zu of %s is another", from + i, headers);
    assert_null(f.kept);
    assert_false(f.is_closed);
    str_done(&a.request);
    str_done(&a.answer);
}

static void streams_and_ranges(void **state)
{
    (void)state;
    str_clear(&f.audited);
    expect_stream("GET /v1/stream", "", "HTTP/1.1 200", 0, STREAM_BYTES);
    assert_non_null(strstr(str_z(&f.audited), "asked to read a stream: done"));
    expect_stream("GET /v1/stream", "Range: bytes=2999990-\r\n", "HTTP/1.1 206", 2999990, 10);
    expect_stream("GET /v1/stream", "Range: bytes=5-300004\r\nIf-Range: \"abc\"\r\n", "HTTP/1.1 206", 5,
                  300000);
    expect_stream("GET /v1/stream", "Range: bytes=5-9\r\nIf-Range: \"abd\"\r\n", "HTTP/1.1 200", 0,
                  STREAM_BYTES);
    expect_stream("HEAD /v1/stream", "", "HTTP/1.1 200", 0, 0);
    expect_stream("GET /v1/stream?size=0", "", "HTTP/1.1 200", 0, 0);
    expect_stream("GET /v1/stream", "Range: bytes=3000000-\r\n", "HTTP/1.1 416", 0, 0);
}

/* What is missing is seen by the length that was promised. */
static void a_stream_that_breaks_ends_the_connection(void **state)
{
    (void)state;
    expect_stream("GET /v1/stream?breaks=1", "", "HTTP/1.1 200", 0, STREAM_BYTES / 2);
}

static void read_slowly(void *arg)
{
    char byte;
    Ask a = {0};
    int fd = dial(&a);
    const char *request = "GET /v1/stream?size=67108864 HTTP/1.1\r\nHost: localhost\r\n\r\n";
    if (send(fd, request, strlen(request), MSG_NOSIGNAL) > 0 && recv(fd, &byte, 1, 0) == 1)
        usleep(500000);
    *(int64_t *)arg = f.given;
    close(fd);
}

/* What the kernel buffers for a connection is some MB; no part is asked for beyond. */
static void a_stream_waits_for_its_client(void **state)
{
    (void)state;
    int64_t given = 0;
    with_loop(f.base, read_slowly, &given);
    assert_in_range(given, 1, LONG_BYTES / 2);
    loop_until(f.base, &f.is_closed);
    assert_null(f.kept);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_and_ranges),
        cmocka_unit_test(range_table),
        cmocka_unit_test(a_file_that_shrinks_ends_the_connection),
        cmocka_unit_test(streams_and_ranges),
        cmocka_unit_test(a_stream_that_breaks_ends_the_connection),
        cmocka_unit_test(a_stream_waits_for_its_client),
        cmocka_unit_test(long_poll),
        cmocka_unit_test(client_gone),
        cmocka_unit_test(pipelined_behind_a_long_poll),
        cmocka_unit_test(client_gone_without_a_callback),
        cmocka_unit_test(shutdown_answers_kept_requests),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
