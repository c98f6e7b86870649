/* SPDX-License-Identifier: Apache-2.0 */
#include "http_fixture.h"

Fixture f;

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

static void give_part(evutil_socket_t fd, short what, void *arg)
{
    char part[STREAM_PART];
    HttpRequest *req = arg;
    (void)fd;
    (void)what;
    if (f.is_closed)
        return;
    if (http_query(req, "breaks") && f.given >= STREAM_BYTES / 2) {
        http_stream_break(req);
        f.kept = NULL;
        return;
    }
    for (size_t i = 0; i < sizeof part; i++)
        part[i] = (char)((f.given + (int64_t)i) % 251);
    f.given += STREAM_PART;
    if (!http_stream_add(req, part, sizeof part))
        f.kept = NULL;
}

static void on_more(HttpRequest *req, void *arg, int64_t at, int64_t left)
{
    struct timeval tv = {0, 0};
    assert_ptr_equal(arg, &f);
    assert_true(left > 0);
    f.given = at;
    event_base_once(f.base, -1, EV_TIMEOUT, give_part, req, &tv);
}

static void on_closed(HttpRequest *req, void *arg);

static void on_stream(HttpRequest *req, void *context)
{
    int64_t size = STREAM_BYTES;
    Err err;
    (void)context;
    assert_ok(http_query_int(req, "size", 0, LONG_BYTES, STREAM_BYTES, &size, &err), err);
    f.kept = req;
    f.is_closed = false;
    f.given = 0;
    http_on_close(req, on_closed, &f);
    if (!http_reply_stream(req, &(HttpStream){size, "text/plain", "abc", on_more, &f}))
        f.kept = NULL;
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

const HttpRoute routes[] = {
    {"GET", "/v1/items/{id}", ROLE_HEALTH, on_item, .query = "text,n"},
    {"GET", "/v1/items/{id}/log", ROLE_HEALTH, on_refused},
    {"POST", "/v1/items", ROLE_HEALTH, on_post},
    {"GET", "/v1/files/{path...}", ROLE_HEALTH, on_file},
    {"GET", "/v1/stream", ROLE_HEALTH, on_stream, .query = "size,breaks", .does = "read a stream"},
    {"GET", "/v1/refused/{rest}", ROLE_HEALTH, on_refused},
    {"GET", "/v1/poll", ROLE_HEALTH, on_poll, .query = "shell"},
    {"POST", "/v1/items/{id}/change", ROLE_OPERATOR | ROLE_COORDINATOR, on_change,
     .does = "{action} item {id} in {no} colour"},
    {"DELETE", "/v1/items/{id}", ROLE_ADMIN, on_change, .does = "delete item {id}"},
    {0},
};

int dial(const Ask *a)
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

void ask_aside(void *arg)
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

char *ask_bytes(Ask *a)
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

void expect(const char *line, const char *headers, const char *body, const char *start, const char *holds)
{
    AUTOFREE char *answer = ask(line, headers, body);
    if (!str_starts(answer, start) || !strstr(answer, holds))
        fail_msg("%s: wanted \"%s\" with \"%s\", got \"%.600s\"", line, start, holds, answer);
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

int set_up(void **state)
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

int tear_down(void **state)
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
