/* SPDX-License-Identifier: Apache-2.0
 * Option files as the servers' tools read them ("Using Option Files", "Command Options for Encrypted
 * Connections", "Configuring MariaDB Connector/C with Option Files").
 */
#include "test.h"

#include <sys/stat.h>
#include <unistd.h>

#include "common/db/clientfile.h"
#include "common/file/fs.h"

static bool read_text(const char *text, ClientFile *ret, Err *err)
{
    char path[] = "/tmp/siding-cnf-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    bool ok = clientfile_read(path, ret, err);
    unlink(path);
    return ok;
}

static void values_and_groups(void **state)
{
    (void)state;
    Err err;
    ClientFile c = {0};
    assert_ok(
        read_text(
            "user=nobody\n[mysqld]\nport=1\n[client]\n# no\n; no\nuser = me # you\npassword=\"p#w \\\\ "
            "\\\"x\"\n"
            "  port=3307\r\nloose_default_auth=x\nprompt=nothing to us\nssl_ca='/a b.pem'\n[client-server]\n"
            "socket=/s\n[mysql]\nuser=other\n[client-mariadb]\ncompress\nprotocol=TCP",
            &c, &err),
        err);
    assert_string_equal(c.user, "me");
    assert_string_equal(c.password, "p#w \\ \"x");
    assert_int_equal(c.port, 3307);
    assert_string_equal(c.default_auth, "x");
    assert_string_equal(c.tls_ca, "/a b.pem");
    assert_string_equal(c.socket, "/s");
    assert_true(c.compress && c.protocol == CLIENT_PROTOCOL_TCP && !c.host);
    clientfile_done(&c);
}

static void what_protects_a_connection(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        ClientTls tls;
    } cases[] = {
        {"", CLIENT_TLS_UNSAID},
        {"ssl", CLIENT_TLS_REQUIRED},
        {"ssl=1", CLIENT_TLS_REQUIRED},
        {"ssl=0", CLIENT_TLS_OFF},
        {"skip-ssl", CLIENT_TLS_OFF},
        {"disable_ssl", CLIENT_TLS_OFF},
        {"ssl-verify-server-cert", CLIENT_TLS_IDENTITY},
        {"ssl_verify_server_cert=TRUE", CLIENT_TLS_IDENTITY},
        {"ssl\nssl-verify-server-cert=0", CLIENT_TLS_REQUIRED},
        {"ssl\nskip-ssl-verify-server-cert", CLIENT_TLS_REQUIRED},
        {"ssl-mode=REQUIRED", CLIENT_TLS_REQUIRED},
        {"ssl-mode=required\nssl-verify-server-cert", CLIENT_TLS_IDENTITY},
        {"ssl-mode=VERIFY_CA", CLIENT_TLS_CA},
        {"ssl-mode = 'verify_identity'", CLIENT_TLS_IDENTITY},
        {"ssl-mode=PREFERRED", CLIENT_TLS_PREFERRED},
        {"ssl-mode=DISABLED", CLIENT_TLS_OFF},
        {"ssl-ca=/ca.pem", CLIENT_TLS_REQUIRED},
        {"ssl-key=/k\nssl-cert=/c", CLIENT_TLS_REQUIRED},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        Err err;
        ClientFile c = {0};
        AUTOFREE char *text = xasprintf("[client]\n%s\n", cases[i].text);
        assert_ok(read_text(text, &c, &err), err);
        if (c.tls != cases[i].tls)
            fail_msg("%s: %d", cases[i].text, (int)c.tls);
        clientfile_done(&c);
    }
}

static void what_is_not_known_is_refused(void **state)
{
    (void)state;
    static const char *const cases[] = {"ssl-mode=SOMETIMES",
                                        "ssl-mode",
                                        "ssl-nonsense=1",
                                        "tls-something",
                                        "protocol=pipe",
                                        "protocol=",
                                        "port=many",
                                        "port=70000",
                                        "hos=db1",
                                        "us=me",
                                        "prot=tcp",
                                        "comp",
                                        "dns-srv-name=_mysql._tcp.x",
                                        "[client",
                                        "[mysqld",
                                        "!include",
                                        "!includedir ",
                                        "Ssl-Mode=SOMETIMES"};
    for (size_t i = 0; i < COUNT(cases); i++) {
        Err err;
        ClientFile c = {0};
        AUTOFREE char *text = xasprintf("[client]\n\n%s\n", cases[i]);
        assert_false(read_text(text, &c, &err));
        assert_int_equal(err.kind, ERR_CONFIG);
        if (!strstr(err.text, ":3: "))
            fail_msg("%s", err.text);
    }
}

static void put(const char *dir, const char *name, const char *text)
{
    Err err;
    AUTOFREE char *path = xasprintf("%s/%s", dir, name), *whole = xasprintf(text, dir, dir);
    assert_ok(fs_replace(path, whole, strlen(whole), 0600, &err), err);
}

/* An included file stands where its line does: what comes after it wins, and the group goes on. */
static void included_files(void **state)
{
    (void)state;
    Err err;
    ClientFile c = {0};
    char dir[] = "/tmp/siding-cnf-XXXXXX";
    assert_non_null(mkdtemp(dir));
    AUTOFREE char *first = xasprintf("%s/first.cnf", dir), *more = xasprintf("%s/more.d", dir);
    assert_int_equal(mkdir(more, 0700), 0);
    put(dir, "first.cnf",
        "[client ]\nhost=before\nport=1\n!include %s/a.cnf\nHost=after\n!includedir %s/more.d\n");
    put(dir, "a.cnf", "[client]\nhost=a\nuser=a\nport=2\n[mysqld]\n");
    put(dir, "more.d/b.cnf", "[client]\nuser=b\n");
    put(dir, "more.d/c.txt", "[client]\nuser=c\n");
    assert_ok(clientfile_read(first, &c, &err), err);
    assert_string_equal(c.host, "after");
    assert_string_equal(c.user, "b");
    assert_int_equal(c.port, 2);
    clientfile_done(&c);
    put(dir, "a.cnf", "[client]\nuser=a\n");
    put(dir, "first.cnf", "!include %s/a.cnf # a comment is none here\n");
    assert_false(clientfile_read(first, &c, &err));
    assert_non_null(strstr(err.text, "a.cnf # a comment is none here"));
    put(dir, "first.cnf", "!include %s/a.cnf\n");
    put(dir, "a.cnf", "!include %s/a.cnf\n");
    assert_false(clientfile_read(first, &c, &err));
    assert_int_equal(err.kind, ERR_CONFIG);
    assert_true(fs_remove_tree(dir, &err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_and_groups),
        cmocka_unit_test(what_protects_a_connection),
        cmocka_unit_test(what_is_not_known_is_refused),
        cmocka_unit_test(included_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
