/* SPDX-License-Identifier: Apache-2.0
 * TLS both ways with certificates made here by the openssl command: only a client of the same CA gets in,
 * and only a server of the client's CA is talked to.
 */
#include "common/net/tls.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "common/file/fs.h"
#include "common/file/json.h"
#include "common/net/certificate.h"
#include "common/net/http.h"
#include "common/net/httpc.h"
#include "common/net/peermend.h"
#include "loop.h"

extern char **environ;

typedef struct Fixture {
    struct event_base *base;
    HttpServer *server;
    char dir[40], url[60];
    Tls ours, foreign;
} Fixture;

static Fixture f;

static void openssl(const char *line)
{
    int status;
    pid_t pid;
    AUTO(strlist_done) StrList words = STRLIST_INIT;
    posix_spawn_file_actions_t quiet;
    posix_spawn_file_actions_init(&quiet);
    posix_spawn_file_actions_addopen(&quiet, 2, "/dev/null", 1, 0);
    strlist_add(&words, "openssl");
    strlist_split(&words, line, ' ');
    assert_int_equal(posix_spawnp(&pid, "openssl", &quiet, NULL, words.v, environ), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    posix_spawn_file_actions_destroy(&quiet);
    if (status)
        fail_msg("openssl %s: status %d", line, status);
}

static void openssl_in_dir(const char *fmt, const char *ca, const char *name)
{
    AUTO(str_done) Str line = STR_INIT;
    for (const char *p = fmt; *p; p++)
        if (*p == '@')
            str_addf(&line, "%s/", f.dir);
        else if (*p == '#')
            str_adds(&line, ca);
        else if (*p == '$')
            str_adds(&line, name);
        else
            str_addc(&line, *p);
    openssl(str_z(&line));
}

static Tls make_certificate(const char *ca, const char *name)
{
    openssl_in_dir("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=# "
                   "-keyout @#.key -out @#.pem",
                   ca, name);
    openssl_in_dir("req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=$ -keyout @$.key "
                   "-out @$.csr",
                   ca, name);
    AUTOFREE char *ext = xasprintf("%s/ext", f.dir);
    Err err;
    const char *san = "subjectAltName=IP:127.0.0.1\n";
    assert_ok(fs_replace(ext, san, strlen(san), 0600, &err), err);
    openssl_in_dir("x509 -req -in @$.csr -CA @#.pem -CAkey @#.key -CAcreateserial -days 2 -extfile @ext -out "
                   "@$.pem",
                   ca, name);
    Tls t = {xasprintf("%s/%s.pem", f.dir, name), xasprintf("%s/%s.key", f.dir, name),
             xasprintf("%s/%s.pem", f.dir, ca)};
    assert_int_equal(chmod(t.key_file, 0600), 0);
    return t;
}

static void free_files(Tls *t)
{
    free(t->certificate_file);
    free(t->key_file);
    free(t->ca_file);
}

static void on_get(HttpRequest *req, void *context)
{
    (void)context;
    http_reply_json(req, 200, json_pack("{s:s}", "peer", http_who(req)));
}

static void on_file(HttpRequest *req, void *context)
{
    (void)context;
    AUTOFREE char *path = xasprintf("%s/data", f.dir);
    http_reply_file(req, open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC),
                    "application/octet-stream", "v1");
}

static const HttpRoute routes[] = {
    {"GET", "/get", ROLE_HEALTH, on_get}, {"GET", "/file", ROLE_HEALTH, on_file}, {0}};

typedef struct Sync {
    HttpCall call;
    bool ok;
    const char *path;
    json_t *body;
    Err err;
} Sync;

static void call_aside(void *arg)
{
    Sync *s = arg;
    s->ok = s->path ? httpc_download(&s->call, s->path, "v1", NULL, NULL, &s->err)
                    : httpc_call(&s->call, &s->body, &s->err);
}

static Sync get(const char *url, const Tls *tls)
{
    Sync s = {.call = {.base_url = url, .method = "GET", .path = "/get", .timeout_ms = 5000, .tls = tls}};
    with_loop(f.base, call_aside, &s);
    return s;
}

static void both_sides_are_known(void **state)
{
    (void)state;
    Sync s = get(f.url, &f.ours);
    assert_ok(s.ok, s.err);
    assert_string_equal(json_str(s.body, "peer"), "certificate db1");
    json_decref(s.body);
}

static void expect_refused(const char *url, const Tls *tls)
{
    Sync s = get(url, tls);
    assert_false(s.ok);
    /* The server's refusal may overtake itself: it closes right after its alert. */
    if (s.err.kind != ERR_AUTH && s.err.kind != ERR_LOST)
        fail_msg("%s: %s", err_kind_name(s.err.kind), s.err.text);
}

static void strangers_are_refused(void **state)
{
    (void)state;
    Tls right_ca_wrong_client = {f.foreign.certificate_file, f.foreign.key_file, f.ours.ca_file};
    Tls right_client_wrong_ca = {f.ours.certificate_file, f.ours.key_file, f.foreign.ca_file};
    Tls no_client = {NULL, NULL, f.ours.ca_file};
    expect_refused(f.url, &right_ca_wrong_client);
    expect_refused(f.url, &right_client_wrong_ca);
    expect_refused(f.url, &no_client);
    expect_refused(f.url, &f.foreign);
    expect_refused(f.url, NULL);
    AUTOFREE char *other_name = xstrdup(f.url);
    memcpy(strstr(other_name, "127.0.0.1"), "127.0.0.2", 9);
    Sync s = get(other_name, &f.ours);
    assert_false(s.ok); /* nobody listens there */
}

static void expect_mend(const char *url, const Tls *tls, const char *text, const char *mend)
{
    Sync s = get(url, tls);
    assert_false(s.ok);
    AUTOFREE char *is = peer_mend(&s.err, "db1", url);
    if (!strstr(s.err.text, text) || !is || !strstr(is, mend))
        fail_msg("\"%s\", mended by \"%s\"", s.err.text, is ? is : "nothing");
}

static void what_mends_it_follows_the_cause(void **state)
{
    (void)state;
    Err err;
    AUTO(strlist_done) StrList hosts = STRLIST_INIT;
    AUTOFREE char *ca_key = xasprintf("%.*s.key", (int)(strlen(f.ours.ca_file) - 4), f.ours.ca_file);
    AUTOFREE char *pem = xasprintf("%s/old.pem", f.dir), *key = xasprintf("%s/old.key", f.dir);
    AUTOFREE char *by_name = xasprintf("https://localhost%s", strrchr(f.url, ':'));
    Tls right_client_wrong_ca = {f.ours.certificate_file, f.ours.key_file, f.foreign.ca_file};
    Tls ca = {.ca_file = f.ours.ca_file, .key_file = ca_key}, expired = {pem, key, f.ours.ca_file};
    expect_mend(f.url, &right_client_wrong_ca, "not accepted here is the certificate of",
                "belong to different CAs");
    expect_mend(by_name, &f.ours, "not accepted here is the certificate of", "--renew --address localhost");
    expect_mend("https://127.0.0.1:1", &f.ours, "Connection refused", "start siding-agent on db1");
    expect_mend("https://nowhere.invalid:1", &f.ours, "cannot reach", "mend its url");
    strlist_add(&hosts, "127.0.0.1");
    CertOrder o = {.name = "db1", .hosts = &hosts, .days = -1};
    assert_int_equal(chmod(ca_key, 0600), 0);
    assert_ok(cert_issue(&o, &ca, pem, key, &err), err);
    expect_mend(f.url, &expired, "", "");
    assert_ok(http_server_renew_tls(f.server, &expired, &err), err);
    expect_mend(f.url, &f.ours, "expired", "siding cert issue db1 --renew where");
    assert_ok(http_server_renew_tls(f.server, &f.ours, &err), err);
    Sync s = get(f.url, &f.ours);
    assert_ok(s.ok, s.err);
    json_decref(s.body);
}

static void plain_words_at_a_tls_port(void **state)
{
    (void)state;
    AUTOFREE char *plain = xasprintf("http://%s", f.url + strlen("https://"));
    Sync s = get(plain, NULL);
    assert_false(s.ok);
    s = get(f.url, &f.ours);
    assert_ok(s.ok, s.err);
    json_decref(s.body);
}

static void files_over_tls(void **state)
{
    (void)state;
    Err err;
    AUTO(str_done) Str a = STR_INIT;
    AUTO(str_done) Str b = STR_INIT;
    AUTOFREE char *source = xasprintf("%s/data", f.dir);
    AUTOFREE char *copy = xasprintf("%s/copy", f.dir);
    for (int i = 0; i < 2000000; i++)
        str_addc(&a, (char)(i * 31 + i / 997));
    assert_ok(fs_replace(source, a.p, a.len, 0600, &err), err);
    assert_ok(fs_replace(copy, a.p, 700000, 0600, &err), err);
    Sync s = {.call = {.base_url = f.url, .method = "GET", .path = "/file", .tls = &f.ours}, .path = copy};
    with_loop(f.base, call_aside, &s);
    assert_ok(s.ok, s.err);
    assert_ok(fs_read(copy, 10000000, &b, &err), err);
    assert_int_equal(b.len, a.len);
    assert_memory_equal(a.p, b.p, a.len);
}

static void bad_files_are_named(void **state)
{
    (void)state;
    Err err;
    Tls half = {f.ours.certificate_file, NULL, f.ours.ca_file};
    assert_false(tls_check(&half, &err));
    assert_int_equal(err.kind, ERR_CONFIG);
    assert_non_null(strstr(err.text, "tls.key_file is missing"));
    Tls absent = {(char *)"/nonexistent.pem", f.ours.key_file, f.ours.ca_file};
    assert_false(tls_check(&absent, &err));
    assert_non_null(strstr(err.text, "certificate /nonexistent.pem"));
    Tls mixed = {f.ours.certificate_file, f.foreign.key_file, f.ours.ca_file};
    assert_false(tls_check(&mixed, &err));
    assert_non_null(strstr(err.text, f.foreign.key_file));
    assert_int_equal(chmod(f.foreign.key_file, 0644), 0);
    assert_false(tls_check(&f.foreign, &err));
    assert_int_equal(err.kind, ERR_REFUSED);
    assert_int_equal(chmod(f.foreign.key_file, 0600), 0);
    Tls no_ca = {f.ours.certificate_file, f.ours.key_file, (char *)"/etc/hostname"};
    assert_false(tls_check(&no_ca, &err));
    assert_non_null(strstr(err.text, "CA certificates /etc/hostname"));
    assert_true(tls_check(&f.ours, &err));
    assert_true(tls_check(NULL, &err));
}

static int set_up(void **state)
{
    Err err;
    AUTO(strlist_done) StrList l = STRLIST_INIT;
    (void)state;
    strcpy(f.dir, "/tmp/siding-tls-XXXXXX");
    assert_non_null(mkdtemp(f.dir));
    f.ours = make_certificate("ca", "db1");
    f.foreign = make_certificate("otherca", "stranger");
    f.base = event_base_new();
    strlist_add(&l, "tls:127.0.0.1:0");
    assert_ok(
        http_serve(f.base, &(HttpService){.listen = &l, .tls = &f.ours, .routes = routes}, &f.server, &err),
        err);
    snprintf(f.url, sizeof f.url, "https://127.0.0.1:%d", http_server_port(f.server, 0));
    return 0;
}

static int tear_down(void **state)
{
    Err err;
    (void)state;
    http_server_free(f.server);
    event_base_free(f.base);
    free_files(&f.ours);
    free_files(&f.foreign);
    assert_ok(fs_remove_tree(f.dir, &err), err);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_sides_are_known),
        cmocka_unit_test(strangers_are_refused),
        cmocka_unit_test(what_mends_it_follows_the_cause),
        cmocka_unit_test(plain_words_at_a_tls_port),
        cmocka_unit_test(files_over_tls),
        cmocka_unit_test(bad_files_are_named),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
