/* SPDX-License-Identifier: Apache-2.0
 * Certificates of a cluster's own CA: EC keys (P-256), SHA-256, X.509 v3.
 */
#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "certificate.h"
#include "common/file/fs.h"

enum { SERIAL_BITS = 127, SLACK_S = 3600 };

static void key_done(EVP_PKEY **k)
{
    EVP_PKEY_free(*k);
}

static void x509_done(X509 **x)
{
    X509_free(*x);
}

static bool failed(const char *what, Err *err)
{
    char why[200] = "unknown error";
    unsigned long code = ERR_peek_last_error();
    if (code)
        ERR_error_string_n(code, why, sizeof why);
    ERR_clear_error();
    return err_set(err, ERR_IO, 0, "cannot %s: %s", what, why);
}

static bool set_extension(X509 *x, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    bool ok = e && X509_add_ext(x, e, -1);
    X509_EXTENSION_free(e);
    return ok;
}

static char *alt_names(const StrList *hosts)
{
    Str s = STR_INIT;
    unsigned char address[16];
    for (size_t i = 0; i < hosts->n; i++) {
        bool numeric =
            inet_pton(AF_INET, hosts->v[i], address) == 1 || inet_pton(AF_INET6, hosts->v[i], address) == 1;
        str_addf(&s, "%s%s:%s", i ? "," : "", numeric ? "IP" : "DNS", hosts->v[i]);
    }
    return str_take(&s);
}

/* What goes into the extension's syntax must be a host's name and nothing else. */
static bool check_words(const CertOrder *o, Err *err)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
    if (!*o->name || strlen(o->name) > 64 || o->name[strspn(o->name, allowed)])
        return err_set(
            err, ERR_USAGE, 0,
            "\"%s\" cannot be the name of a certificate: 1 to 64 letters, digits, '-', '_' and '.'", o->name);
    for (size_t i = 0; o->hosts && i < o->hosts->n; i++) {
        const char *h = o->hosts->v[i];
        bool v6 = strchr(h, ':') != NULL;
        unsigned char address[16];
        if (!*h || strlen(h) > 253 ||
            (v6 ? inet_pton(AF_INET6, h, address) != 1 : h[strspn(h, allowed)] != 0))
            return err_set(err, ERR_USAGE, 0, "\"%s\" is neither a host's name nor an address", h);
    }
    return true;
}

static bool fill(X509 *x, const CertOrder *o, EVP_PKEY *key)
{
    BIGNUM *serial = BN_new();
    X509_NAME *name = X509_get_subject_name(x);
    bool ok = X509_set_version(x, X509_VERSION_3) &&
              BN_rand(serial, SERIAL_BITS, BN_RAND_TOP_ANY, BN_RAND_BOTTOM_ANY) &&
              BN_to_ASN1_INTEGER(serial, X509_get_serialNumber(x)) &&
              /* the clocks of other hosts may be a little behind */
              X509_gmtime_adj(X509_getm_notBefore(x), -SLACK_S) &&
              X509_time_adj_ex(X509_getm_notAfter(x), (int)o->days, 0, NULL) &&
              X509_NAME_add_entry_by_NID(name, NID_commonName, MBSTRING_UTF8, (const unsigned char *)o->name,
                                         -1, -1, 0) &&
              X509_set_pubkey(x, key);
    BN_free(serial);
    return ok;
}

static bool extend(X509 *x, X509 *ca, const CertOrder *o)
{
    bool is_ca = x == ca;
    AUTOFREE char *names = is_ca ? NULL : alt_names(o->hosts);
    return set_extension(x, ca, NID_basic_constraints, is_ca ? "critical,CA:TRUE" : "critical,CA:FALSE") &&
           set_extension(x, ca, NID_key_usage,
                         is_ca ? "critical,keyCertSign,cRLSign" : "critical,digitalSignature") &&
           set_extension(x, ca, NID_subject_key_identifier, "hash") &&
           (is_ca || (set_extension(x, ca, NID_authority_key_identifier, "keyid") &&
                      set_extension(x, ca, NID_ext_key_usage, "serverAuth,clientAuth") &&
                      set_extension(x, ca, NID_subject_alt_name, names)));
}

static bool write_bio(BIO *bio, const char *file, mode_t mode, Err *err)
{
    char *text;
    long n = BIO_get_mem_data(bio, &text);
    return fs_replace(file, text, (size_t)n, mode, err);
}

/* The key first: a certificate without one is of no use. */
static bool write_both(const X509 *x, EVP_PKEY *key, const char *certificate, const char *key_file, Err *err)
{
    BIO *k = BIO_new(BIO_s_mem()), *c = BIO_new(BIO_s_mem());
    bool ok = PEM_write_bio_PKCS8PrivateKey(k, key, NULL, NULL, 0, NULL, NULL) && PEM_write_bio_X509(c, x);
    if (!ok)
        failed("write a key", err);
    ok = ok && write_bio(k, key_file, 0600, err) && write_bio(c, certificate, 0644, err);
    BIO_free(k);
    BIO_free(c);
    return ok;
}

bool cert_make_ca(const CertOrder *o, const char *certificate, const char *key_file, Err *err)
{
    if (!check_words(o, err))
        return false;
    const char *there = fs_exists(key_file) ? key_file : fs_exists(certificate) ? certificate : NULL;
    if (there)
        return err_set(
            err, ERR_CONFLICT, 0,
            "%s exists: all that this CA has signed would be worthless with another; take another folder for "
            "another CA",
            there);
    AUTO(key_done) EVP_PKEY *key = EVP_EC_gen("P-256");
    AUTO(x509_done) X509 *x = X509_new();
    if (!key || !x || !fill(x, o, key) || !X509_set_issuer_name(x, X509_get_subject_name(x)) ||
        !extend(x, x, o) || !X509_sign(x, key, EVP_sha256()))
        return failed("make a CA", err);
    return write_both(x, key, certificate, key_file, err);
}

static bool read_ca(const Tls *ca, X509 **ret, EVP_PKEY **ret_key, Err *err)
{
    FILE *c = fopen(ca->ca_file, "re"), *k = fopen(ca->key_file, "re");
    bool ok = c && k;
    if (!ok)
        err_set(err, ERR_NOT_FOUND, errno,
                "cannot read %s: %s; siding cert init makes a CA, and its key stays where it was made",
                c ? ca->key_file : ca->ca_file, strerror(errno));
    *ret = ok ? PEM_read_X509(c, NULL, NULL, NULL) : NULL;
    *ret_key = ok ? PEM_read_PrivateKey(k, NULL, NULL, NULL) : NULL;
    if (ok && (!*ret || !*ret_key || X509_check_private_key(*ret, *ret_key) != 1))
        ok = failed("use this CA: its key does not belong to its certificate, or is none", err);
    if (c)
        fclose(c);
    if (k)
        fclose(k);
    return ok;
}

bool cert_issue(const CertOrder *o, const Tls *ca, const char *certificate, const char *key_file, Err *err)
{
    AUTO(x509_done) X509 *issuer = NULL;
    AUTO(key_done) EVP_PKEY *ca_key = NULL;
    if (!check_words(o, err) || !fs_check_private(ca->key_file, err) || !read_ca(ca, &issuer, &ca_key, err))
        return false;
    AUTO(key_done) EVP_PKEY *key = EVP_EC_gen("P-256");
    AUTO(x509_done) X509 *x = X509_new();
    if (!key || !x || !fill(x, o, key) || !X509_set_issuer_name(x, X509_get_subject_name(issuer)) ||
        !extend(x, issuer, o) || !X509_sign(x, ca_key, EVP_sha256()))
        return failed("issue a certificate", err);
    return write_both(x, key, certificate, key_file, err);
}

bool cert_issue_host(const char *ca_dir, const char *dir, const char *name, const char *host, int64_t days,
                     Err *err)
{
    AUTO(strlist_done) StrList hosts = STRLIST_INIT;
    AUTOFREE char *ca_file = xasprintf("%s/ca.pem", ca_dir), *ca_key = xasprintf("%s/ca.key", ca_dir),
                  *pem = xasprintf("%s/%s.pem", dir, name), *key = xasprintf("%s/%s.key", dir, name);
    const Tls ca = {.ca_file = ca_file, .key_file = ca_key};
    strlist_add(&hosts, name);
    if (!str_eq(name, host))
        strlist_add(&hosts, host);
    const CertOrder order = {.name = name, .hosts = &hosts, .days = days};
    return cert_issue(&order, &ca, pem, key, err);
}
