/* SPDX-License-Identifier: Apache-2.0 */
#include "tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "common/file/fs.h"

bool tls_is_set(const Tls *tls)
{
    return tls && (tls->certificate_file || tls->key_file || tls->ca_file);
}

static bool tls_error(Err *err, const char *what, const char *file)
{
    char why[200] = "unknown error";
    unsigned long code = ERR_peek_last_error();
    if (code)
        ERR_error_string_n(code, why, sizeof why);
    ERR_clear_error();
    return err_set(err, ERR_CONFIG, 0, "cannot load the %s %s: %s", what, file, why);
}

static bool files_are_named(const Tls *tls, Err *err)
{
    const char *missing = !tls->certificate_file ? "certificate_file"
                          : !tls->key_file       ? "key_file"
                          : !tls->ca_file        ? "ca_file"
                                                 : NULL;
    if (!missing)
        return true;
    return err_set(err, ERR_CONFIG, 0,
                   "tls.%s is missing: TLS needs certificate_file, key_file and ca_file together", missing);
}

static bool load_files(SSL_CTX *ctx, const Tls *tls, Err *err)
{
    if (!files_are_named(tls, err))
        return false;
    if (SSL_CTX_use_certificate_chain_file(ctx, tls->certificate_file) != 1)
        return tls_error(err, "certificate", tls->certificate_file);
    if (!fs_check_private(tls->key_file, err))
        return false;
    if (SSL_CTX_use_PrivateKey_file(ctx, tls->key_file, SSL_FILETYPE_PEM) != 1)
        return tls_error(err, "key", tls->key_file);
    if (SSL_CTX_check_private_key(ctx) != 1)
        return tls_error(err, "key", tls->key_file);
    STACK_OF(X509_NAME) *names = SSL_load_client_CA_file(tls->ca_file);
    if (!names || SSL_CTX_load_verify_file(ctx, tls->ca_file) != 1) {
        sk_X509_NAME_pop_free(names, X509_NAME_free);
        return tls_error(err, "CA certificates", tls->ca_file);
    }
    SSL_CTX_set_client_CA_list(ctx, names);
    return true;
}

bool tls_server_context(const Tls *tls, bool anonymous, struct ssl_ctx_st **ret, Err *err)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    if (!ctx)
        return tls_error(err, "library", "OpenSSL");
    SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
    SSL_CTX_set_verify(ctx, anonymous ? SSL_VERIFY_NONE : SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
                       NULL);
    /* No resumption: every connection shows its certificate. */
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_num_tickets(ctx, 0);
    if (!load_files(ctx, tls, err)) {
        SSL_CTX_free(ctx);
        return false;
    }
    *ret = ctx;
    return true;
}

bool tls_check(const Tls *tls, Err *err)
{
    struct ssl_ctx_st *ctx = NULL;
    if (!tls_is_set(tls))
        return true;
    if (!tls_server_context(tls, false, &ctx, err))
        return false;
    tls_context_free(ctx);
    return true;
}

void tls_context_free(struct ssl_ctx_st *ctx)
{
    SSL_CTX_free(ctx);
}

struct ssl_st *tls_session_new(struct ssl_ctx_st *ctx)
{
    return SSL_new(ctx);
}

/* All of it or nothing: a name that was cut short, or ends at a NUL, might be another's. */
static void take_name(const ASN1_STRING *name, char *ret, size_t size)
{
    unsigned char *text = NULL;
    int n = ASN1_STRING_to_UTF8(&text, name);
    bool plain = n > 0 && (size_t)n < size && strlen((char *)text) == (size_t)n;
    for (int i = 0; plain && i < n; i++)
        plain = text[i] >= 32 && text[i] != 127;
    if (plain)
        memcpy(ret, text, (size_t)n + 1);
    OPENSSL_free(text);
}

static void take_dns_name(X509 *peer, char *ret, size_t size)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(peer, NID_subject_alt_name, NULL, NULL);
    for (int i = 0; names && i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        if (name->type != GEN_DNS)
            continue;
        take_name(name->d.dNSName, ret, size);
        break;
    }
    GENERAL_NAMES_free(names);
}

void tls_peer_name(struct ssl_st *session, char *ret, size_t size)
{
    ret[0] = 0;
    X509 *peer = session ? SSL_get1_peer_certificate(session) : NULL;
    if (!peer)
        return;
    X509_NAME *subject = X509_get_subject_name(peer);
    int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
    if (at >= 0)
        take_name(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)), ret, size);
    else
        take_dns_name(peer, ret, size);
    X509_free(peer);
}
