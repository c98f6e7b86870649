/* SPDX-License-Identifier: Apache-2.0
 * Certificates: what is issued is what others accept, and each thing that can be wrong with one is told with
 * its mend.
 */
#include "common/net/certificate.h"

#include <string.h>
#include <sys/stat.h>

#include "common/base/clock.h"
#include "common/db/servercheck.h"
#include "common/file/fs.h"
#include "test.h"

#define DAY INT64_C(86400000)

static char dir[40];

static char *path(const char *name)
{
    return xasprintf("%s/%s", dir, name);
}

static Tls tls_of(const char *ca, const char *name)
{
    return (Tls){xasprintf("%s/%s.pem", dir, name), xasprintf("%s/%s.key", dir, name),
                 xasprintf("%s/%s.pem", dir, ca)};
}

static void tls_done(Tls *t)
{
    free(t->certificate_file);
    free(t->key_file);
    free(t->ca_file);
}

static void make_ca(const char *name, int64_t days)
{
    Err err;
    AUTOFREE char *pem = xasprintf("%s/%s.pem", dir, name), *key = xasprintf("%s/%s.key", dir, name);
    CertOrder o = {.name = name, .days = days};
    assert_ok(cert_make_ca(&o, pem, key, &err), err);
}

/* For "db1,10.77.0.2", by the CA of that name. */
static void issue(const char *ca, const char *name, const char *hosts, int64_t days)
{
    Err err;
    AUTO(strlist_done) StrList l = STRLIST_INIT;
    AUTOFREE char *pem = xasprintf("%s/%s.pem", dir, name), *key = xasprintf("%s/%s.key", dir, name);
    AUTOFREE char *ca_pem = xasprintf("%s/%s.pem", dir, ca), *ca_key = xasprintf("%s/%s.key", dir, ca);
    const Tls by = {.ca_file = ca_pem, .key_file = ca_key};
    strlist_split(&l, hosts, ',');
    CertOrder o = {.name = name, .hosts = &l, .days = days};
    assert_ok(cert_issue(&o, &by, pem, key, &err), err);
}

static int setup(void **state)
{
    (void)state;
    strcpy(dir, "/tmp/siding-cert-XXXXXX");
    assert_non_null(mkdtemp(dir));
    make_ca("ca", 3650);
    make_ca("other", 3650);
    make_ca("short", 10);
    issue("ca", "db1", "db1,db1.example.org,10.77.0.2,fd00::2", 825);
    issue("short", "db2", "db2", 825);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    Err err;
    assert_ok(fs_remove_tree(dir, &err), err);
    return 0;
}

static void what_is_issued_is_accepted(void **state)
{
    (void)state;
    Err err;
    struct stat st;
    CertFacts f = {0};
    AUTO(strlist_done) StrList hosts = STRLIST_INIT;
    AUTO(tls_done) Tls t = tls_of("ca", "db1");
    strlist_split(&hosts, "db1.example.org,10.77.0.2,fd00::2", ',');
    assert_ok(tls_check(&t, &err), err); /* the key belongs to it and is private */
    assert_ok(cert_read(&t, &hosts, &f, &err), err);
    assert_string_equal(f.name, "db1");
    assert_int_equal(f.hosts.n, 4);
    assert_int_equal(f.uncovered.n, 0);
    assert_null(f.chain_error);
    assert_true(f.for_server && f.for_client);
    assert_true(f.begins_at < clock_wall_ms() && f.ends_at > clock_wall_ms() + 824 * DAY);
    assert_int_equal(stat(t.key_file, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    cert_facts_done(&f);
}

/* What is said of the certificate `name` under `hosts`, `days` from now. */
static void expect(const char *ca, const char *name, const char *hosts, int64_t days, const char *level,
                   const char *text, const char *mend)
{
    Err err;
    CertFacts f = {0};
    WireList l = {0};
    AUTO(strlist_done) StrList wanted = STRLIST_INIT;
    AUTO(tls_done) Tls t = tls_of(ca, name);
    strlist_split(&wanted, hosts, ',');
    assert_ok(cert_read(&t, &wanted, &f, &err), err);
    cert_judge(&f, "siding-agent", clock_wall_ms() + days * DAY, &l);
    assert_int_equal(l.n, 1);
    const Finding *x = l.v;
    assert_string_equal(x->name, "certificate");
    assert_string_equal(x->level, level);
    if (!strstr(x->text, text) || !strstr(x->mend ? x->mend : "", mend))
        fail_msg("\"%s\" mended by \"%s\"", x->text, x->mend);
    servercheck_free(&l);
    cert_facts_done(&f);
}

static void what_is_wrong_is_told(void **state)
{
    (void)state;
    expect("ca", "db1", "db1,10.77.0.2", 0, "ok", "824 days left", "");
    expect("ca", "db1", "", 800, "warning", "expires in 24 days",
           "siding cert issue db1 --renew where the CA's key is");
    expect("ca", "db1", "", 826, "error", "has expired", "systemctl reload siding-agent");
    expect("ca", "db1", "", -1, "error", "is valid only from", "set the clock");
    expect("ca", "db1", "10.77.0.3,db1", 0, "error", "does not name 10.77.0.3,", "--address 10.77.0.3");
    expect("other", "db1", "", 0, "error", "is not signed by a CA in ca_file", "copy the ca.pem");
    /* its CA ends before it does */
    expect("short", "db2", "", 0, "warning", "the CA \"short\", which has signed", "make a new CA");
    expect("short", "db2", "", 11, "error", "the CA \"short\"", "make a new CA");
}

static void who_is_no_client_is_refused(void **state)
{
    (void)state;
    Err err;
    CertFacts f = {0};
    WireList l = {0};
    AUTO(tls_done) Tls t = tls_of("ca", "db1");
    assert_ok(cert_read(&t, NULL, &f, &err), err);
    f.for_client = false;
    cert_judge(&f, "sidingd", clock_wall_ms(), &l);
    assert_non_null(strstr(((Finding *)l.v)->text, "may not be used by a client"));
    servercheck_free(&l);
    cert_facts_done(&f);
}

static void what_cannot_be_read_is_told(void **state)
{
    (void)state;
    Err err;
    CertFacts f = {0};
    AUTOFREE char *empty = path("empty.pem"), *ca = path("ca.pem"), *nothing = path("nothing.pem");
    assert_ok(fs_replace(empty, "x\n", 2, 0600, &err), err);
    assert_false(cert_read(&(Tls){.certificate_file = empty, .ca_file = ca}, NULL, &f, &err));
    assert_non_null(strstr(err.text, "empty.pem"));
    assert_false(cert_read(&(Tls){.certificate_file = nothing, .ca_file = ca}, NULL, &f, &err));
    assert_non_null(strstr(err.text, "No such file"));
}

static void a_ca_is_never_replaced(void **state)
{
    (void)state;
    Err err;
    AUTOFREE char *pem = path("ca.pem"), *key = path("ca.key"), *fresh = path("fresh.pem");
    CertOrder o = {.name = "ca", .days = 1}, odd = {.name = "a/b", .days = 1};
    assert_false(cert_make_ca(&o, pem, key, &err));
    assert_int_equal(err.kind, ERR_CONFLICT);
    assert_false(cert_make_ca(&o, fresh, key, &err));
    assert_false(cert_make_ca(&odd, fresh, fresh, &err));
    assert_int_equal(err.kind, ERR_USAGE);
}

static void names_are_hosts_and_nothing_else(void **state)
{
    (void)state;
    static const char *const bad[] = {"db1;DNS:evil", "a b", "fd00::zz", "*", "db1/x"};
    Err err;
    AUTOFREE char *pem = path("x.pem"), *key = path("x.key"), *ca = path("ca.pem"), *ca_key = path("ca.key");
    for (size_t i = 0; i < COUNT(bad); i++) {
        AUTO(strlist_done) StrList l = STRLIST_INIT;
        strlist_add(&l, bad[i]);
        CertOrder o = {.name = "x", .hosts = &l, .days = 1};
        assert_false(cert_issue(&o, &(Tls){.ca_file = ca, .key_file = ca_key}, pem, key, &err));
        assert_int_equal(err.kind, ERR_USAGE);
        assert_false(fs_exists(pem));
    }
}

static void hosts_of_addresses(void **state)
{
    (void)state;
    static const struct {
        const char *address, *host;
    } rows[] = {{"https://db1.example.org:3310", "db1.example.org"},
                {"https://[fd00::2]:3310", "fd00::2"},
                {"10.77.0.2:3310", "10.77.0.2"},
                {"tls:127.0.0.1:3310", "127.0.0.1"},
                {"*:3310", NULL},
                {"0.0.0.0:1", NULL},
                {"[::]:1", NULL},
                {"http://127.0.0.1:1", NULL},
                {"unix:/run/x", NULL}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        AUTOFREE char *host = cert_host_of(rows[i].address);
        assert_true(str_eq(host, rows[i].host));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_issued_is_accepted),  cmocka_unit_test(what_is_wrong_is_told),
        cmocka_unit_test(who_is_no_client_is_refused), cmocka_unit_test(what_cannot_be_read_is_told),
        cmocka_unit_test(a_ca_is_never_replaced),      cmocka_unit_test(names_are_hosts_and_nothing_else),
        cmocka_unit_test(hosts_of_addresses),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
