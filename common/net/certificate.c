/* SPDX-License-Identifier: Apache-2.0 */
#include "certificate.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <sys/socket.h>

#include <arpa/inet.h>

#include "common/base/clock.h"
#include "common/file/sha256.h"
#include "common/wire/finding.h"

enum { DAY_MS = 86400000, LOOK_MS = 600000, CHAIN_MAX = 20 };

void cert_facts_done(CertFacts *f)
{
    free(f->file);
    free(f->name);
    free(f->ending);
    free(f->chain_error);
    strlist_done(&f->hosts);
    strlist_done(&f->uncovered);
    *f = (CertFacts){0};
}

/* ---- reading -------------------------------------------------------------------------------------- */

static void stack_done(STACK_OF(X509) * *s)
{
    sk_X509_pop_free(*s, X509_free);
}

static bool unreadable(const char *file, Err *err)
{
    unsigned long code = ERR_peek_last_error();
    const char *why = code ? ERR_reason_error_string(code) : NULL;
    err_set(err, ERR_CONFIG, 0, "cannot read the certificate %s: %s", file,
            why ? why : "no certificate in it");
    ERR_clear_error();
    return false;
}

/* All certificates of a file, at least one. */
static STACK_OF(X509) * read_file(const char *file, Err *err)
{
    FILE *f = fopen(file, "re");
    if (!f) {
        err_errno(err, errno, "read the certificate %s", file);
        err->kind = ERR_CONFIG;
        return NULL;
    }
    STACK_OF(X509) *all = sk_X509_new_null();
    X509 *x;
    while (sk_X509_num(all) < CHAIN_MAX && (x = PEM_read_X509(f, NULL, NULL, NULL)))
        sk_X509_push(all, x);
    fclose(f);
    if (sk_X509_num(all) == 0) {
        unreadable(file, err);
        stack_done(&all);
        return NULL;
    }
    ERR_clear_error(); /* the end of the file is one */
    return all;
}

static int64_t time_of(const ASN1_TIME *t)
{
    struct tm tm;
    return ASN1_TIME_to_tm(t, &tm) ? (int64_t)timegm(&tm) * 1000 : 0;
}

static char *common_name(const X509 *x)
{
    char name[256] = "";
    X509_NAME_get_text_by_NID(X509_get_subject_name(x), NID_commonName, name, sizeof name);
    return xstrdup(name);
}

static void add_address(const ASN1_OCTET_STRING *a, StrList *ret)
{
    char text[INET6_ADDRSTRLEN];
    int family = ASN1_STRING_length(a) == 4 ? AF_INET : AF_INET6;
    if (inet_ntop(family, ASN1_STRING_get0_data(a), text, sizeof text))
        strlist_add(ret, text);
}

static void read_hosts(const X509 *x, StrList *ret)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *n = sk_GENERAL_NAME_value(names, i);
        if (n->type == GEN_DNS)
            strlist_addf(ret, "%.*s", ASN1_STRING_length(n->d.dNSName),
                         (const char *)ASN1_STRING_get0_data(n->d.dNSName));
        else if (n->type == GEN_IPADD)
            add_address(n->d.iPAddress, ret);
    }
    GENERAL_NAMES_free(names);
}

static bool covers(X509 *x, const char *host)
{
    unsigned char address[16];
    bool numeric = inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1;
    return numeric ? X509_check_ip_asc(x, host, 0) == 1 : X509_check_host(x, host, 0, 0, NULL) == 1;
}

/* The chain up to the CA, and what of it ends first. */
static void follow_chain(STACK_OF(X509) * own, STACK_OF(X509) * trusted, CertFacts *ret)
{
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    for (int i = 0; i < sk_X509_num(trusted); i++)
        X509_STORE_add_cert(store, sk_X509_value(trusted, i));
    if (!X509_STORE_CTX_init(ctx, store, sk_X509_value(own, 0), own))
        abort();
    X509_STORE_CTX_set_flags(ctx, X509_V_FLAG_NO_CHECK_TIME); /* told apart, by the times themselves */
    if (X509_verify_cert(ctx) != 1)
        ret->chain_error = xstrdup(X509_verify_cert_error_string(X509_STORE_CTX_get_error(ctx)));
    const STACK_OF(X509) *chain = X509_STORE_CTX_get0_chain(ctx);
    for (int i = 1; !ret->chain_error && i < sk_X509_num(chain); i++) {
        int64_t ends = time_of(X509_get0_notAfter(sk_X509_value(chain, i)));
        if (ends < ret->ends_at) {
            ret->ends_at = ends;
            free(ret->ending);
            ret->ending = common_name(sk_X509_value(chain, i));
        }
    }
    X509_STORE_CTX_free(ctx);
    X509_STORE_free(store);
    ERR_clear_error();
}

bool cert_read(const Tls *tls, const StrList *hosts, CertFacts *ret, Err *err)
{
    AUTO(stack_done) STACK_OF(X509) *own = read_file(tls->certificate_file, err);
    AUTO(stack_done) STACK_OF(X509) *trusted = own ? read_file(tls->ca_file, err) : NULL;
    if (!trusted)
        return false;
    X509 *x = sk_X509_value(own, 0);
    *ret = (CertFacts){.file = xstrdup(tls->certificate_file),
                       .name = common_name(x),
                       .begins_at = time_of(X509_get0_notBefore(x)),
                       .ends_at = time_of(X509_get0_notAfter(x)),
                       .ending = xstrdup(""),
                       .for_server = X509_check_purpose(x, X509_PURPOSE_SSL_SERVER, 0) == 1,
                       .for_client = X509_check_purpose(x, X509_PURPOSE_SSL_CLIENT, 0) == 1};
    read_hosts(x, &ret->hosts);
    for (size_t i = 0; hosts && i < hosts->n; i++)
        if (!covers(x, hosts->v[i]))
            strlist_add(&ret->uncovered, hosts->v[i]);
    follow_chain(own, trusted, ret);
    return true;
}

bool cert_pin(const char *certificate_file, char ret[CERT_PIN_CHARS + 1], Err *err)
{
    unsigned char *key = NULL, digest[32];
    AUTO(stack_done) STACK_OF(X509) *own = read_file(certificate_file, err);
    if (!own)
        return false;
    int n = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(sk_X509_value(own, 0)), &key);
    if (n <= 0)
        return unreadable(certificate_file, err);
    Sha256 *sha = sha256_new();
    sha256_add(sha, key, (size_t)n);
    sha256_finish_raw(sha, digest);
    OPENSSL_free(key);
    EVP_EncodeBlock((unsigned char *)ret, digest, sizeof digest);
    return true;
}

/* ---- judging -------------------------------------------------------------------------------------- */

static void find(WireList *out, const char *level, char *text, char *mend)
{
    Finding *f = wire_list_add(out, sizeof(Finding));
    *f = (Finding){.name = xstrdup("certificate"), .level = xstrdup(level), .text = text, .mend = mend};
}

/* How a new one comes here. `hosts`: to be named besides, may be NULL. */
static char *renewal(const CertFacts *f, const char *program, const StrList *hosts)
{
    AUTO(str_done) Str s = STR_INIT;
    if (*f->ending) {
        str_addf(
            &s,
            "make a new CA (siding cert init) in another folder, put its ca.pem behind the old one in every "
            "ca_file, then issue every certificate anew");
        return str_take(&s);
    }
    str_addf(&s, "siding cert issue %s --renew", f->name);
    for (size_t i = 0; hosts && i < hosts->n; i++)
        str_addf(&s, " --address %s", hosts->v[i]);
    str_addf(&s, " where the CA's key is; copy certificate and key here, then systemctl reload %s", program);
    return str_take(&s);
}

/* "the certificate FILE", or its CA. */
static char *subject_of(const CertFacts *f)
{
    return *f->ending ? xasprintf("the CA \"%s\", which has signed the certificate %s,", f->ending, f->file)
                      : xasprintf("the certificate %s", f->file);
}

static bool judge_time(const CertFacts *f, const char *program, int64_t now_ms, WireList *out)
{
    char when[CLOCK_TEXT];
    AUTOFREE char *subject = subject_of(f);
    int64_t left = f->ends_at - now_ms;
    if (f->begins_at > now_ms) {
        clock_format(f->begins_at, when);
        find(out, "error",
             xasprintf("the certificate %s is valid only from %s on: others refuse it until then", f->file,
                       when),
             xstrdup("set the clock of this host right, or that of the host that issued it"));
        return false;
    }
    clock_format(f->ends_at, when);
    if (left <= 0)
        find(out, "error", xasprintf("%s has expired (%s): nobody accepts it any more", subject, when),
             renewal(f, program, NULL));
    else if (left < (int64_t)CERT_WARN_DAYS * DAY_MS)
        find(out, "warning",
             xasprintf("%s expires in %lld days (%s)", subject, (long long)(left / DAY_MS), when),
             renewal(f, program, NULL));
    return left >= (int64_t)CERT_WARN_DAYS * DAY_MS;
}

static bool judge_names(const CertFacts *f, const char *program, WireList *out)
{
    if (!f->uncovered.n)
        return true;
    AUTOFREE char *wanted = strlist_join(&f->uncovered, ", ");
    AUTOFREE char *has = strlist_join(&f->hosts, ", ");
    find(out, "error",
         xasprintf("the certificate %s is for %s and does not name %s, where others reach this program: they "
                   "refuse it",
                   f->file, *has ? has : "no host", wanted),
         renewal(f, program, &f->uncovered));
    return false;
}

static bool judge_use(const CertFacts *f, const char *program, WireList *out)
{
    if (f->chain_error) {
        find(
            out, "error",
            xasprintf("the certificate %s is not signed by a CA in ca_file: %s", f->file, f->chain_error),
            xstrdup("copy the ca.pem of the CA that signed it, or have it issued by the cluster's CA: siding "
                    "cert issue"));
        return false;
    }
    if (f->for_server && f->for_client)
        return true;
    find(out, "error",
         xasprintf(
             "the certificate %s may not be used by a %s, and every program of Siding is both server and "
             "client",
             f->file, f->for_server ? "client" : "server"),
         renewal(f, program, NULL));
    return false;
}

void cert_judge(const CertFacts *f, const char *program, int64_t now_ms, WireList *findings)
{
    bool use = judge_use(f, program, findings), names = judge_names(f, program, findings),
         time = judge_time(f, program, now_ms, findings);
    if (!use || !names || !time)
        return;
    AUTOFREE char *hosts = strlist_join(&f->hosts, ", ");
    find(findings, "ok",
         xasprintf("%s of %s, for %s, %lld days left", f->file, f->name, *hosts ? hosts : "no host",
                   (long long)((f->ends_at - now_ms) / DAY_MS)),
         NULL);
}

void cert_check(const Tls *tls, const StrList *hosts, const char *program, WireList *findings)
{
    Err err;
    CertFacts f = {0};
    if (!tls_is_set(tls))
        return;
    if (!tls_check(tls, &err) || !cert_read(tls, hosts, &f, &err))
        find(findings, "error", xstrdup(err.text), xstrdup("mend the files that tls names"));
    else
        cert_judge(&f, program, clock_wall_ms(), findings);
    cert_facts_done(&f);
}

static CertAge age_of(const Tls *tls, char **ret_text)
{
    Err err;
    CertFacts f = {0};
    char when[CLOCK_TEXT];
    *ret_text = NULL;
    if (!tls_is_set(tls))
        return CERT_FINE;
    if (!cert_read(tls, NULL, &f, &err)) {
        *ret_text = xstrdup(err.text);
        return CERT_EXPIRED;
    }
    int64_t left = f.ends_at - clock_wall_ms();
    CertAge age = left <= 0 ? CERT_EXPIRED : left < (int64_t)CERT_WARN_DAYS * DAY_MS ? CERT_SOON : CERT_FINE;
    AUTOFREE char *subject = subject_of(&f);
    clock_format(f.ends_at, when);
    if (age == CERT_EXPIRED)
        *ret_text =
            xasprintf("%s has expired (%s): nobody accepts it any more; siding check says how to renew it",
                      subject, when);
    else if (age == CERT_SOON)
        *ret_text = xasprintf("%s expires in %lld days (%s); siding check says how to renew it", subject,
                              (long long)(left / DAY_MS), when);
    cert_facts_done(&f);
    return age;
}

bool cert_watch(CertWatch *w, const Tls *tls)
{
    if (clock_mono_ms() < w->due_ms)
        return false;
    CertAge before = w->age;
    free(w->warning);
    w->age = age_of(tls, &w->warning);
    w->due_ms = clock_mono_ms() + LOOK_MS;
    return w->age > before;
}

char *cert_host_of(const char *address)
{
    if (str_starts(address, "unix:") || str_starts(address, "http://"))
        return NULL;
    const char *p = str_starts(address, "https://") ? address + strlen("https://")
                    : str_starts(address, "tls:")   ? address + strlen("tls:")
                                                    : address;
    size_t n = *p == '[' ? strcspn(p, "]") : strcspn(p, ":/");
    AUTOFREE char *host = *p == '[' ? xstrndup(p + 1, n ? n - 1 : 0) : xstrndup(p, n);
    bool any = !*host || str_eq(host, "*") || str_eq(host, "0.0.0.0") || str_eq(host, "::");
    return any ? NULL : STEAL(host);
}
