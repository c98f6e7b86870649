/* SPDX-License-Identifier: Apache-2.0 */
#include "jointoken.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <string.h>

#include "common/file/sha256.h"

#define PREFIX "siding-join-1"

enum { KEY_BYTES = 32, NONCE_BYTES = 12, TAG_BYTES = 16, PARTS = 5 };

void jointoken_done(JoinToken *t)
{
    free(t->node);
    strlist_done(&t->addresses);
    explicit_bzero(t, sizeof *t);
}

void jointoken_draw(JoinToken *t)
{
    if (RAND_bytes(t->secret, sizeof t->secret) != 1)
        abort();
}

static void add_hex(Str *out, const unsigned char *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        str_addf(out, "%02x", bytes[i]);
}

/* ---- as a word -------------------------------------------------------------------------------------- */

/* Between the parts stands what no name, address or key has in it. */
char *jointoken_text(const JoinToken *t)
{
    Str s = STR_INIT;
    AUTOFREE char *addresses = strlist_join(&t->addresses, ",");
    str_addf(&s, PREFIX "~%s~%s~%s~", t->node, addresses, t->pin);
    add_hex(&s, t->secret, sizeof t->secret);
    return str_take(&s);
}

bool jointoken_is(const char *text)
{
    return str_starts(text, PREFIX "~");
}

static bool take_secret(const char *hex, JoinToken *ret)
{
    size_t n = 0;
    return OPENSSL_hexstr2buf_ex(ret->secret, sizeof ret->secret, &n, hex, '\0') == 1 &&
           n == sizeof ret->secret;
}

bool jointoken_read(const char *text, JoinToken *ret, Err *err)
{
    AUTO(strlist_done) StrList parts = STRLIST_INIT;
    AUTO(jointoken_done) JoinToken t = {0};
    AUTOFREE char *word = xstrtrim(text, strlen(text));
    strlist_split(&parts, word, '~');
    bool ok = strlen(word) <= JOIN_TOKEN_BYTES && parts.n == PARTS && str_eq(parts.v[0], PREFIX) &&
              strlen(parts.v[3]) == CERT_PIN_CHARS && take_secret(parts.v[4], &t);
    if (ok) {
        t.node = xstrdup(parts.v[1]);
        strlist_split(&t.addresses, parts.v[2], ',');
        memcpy(t.pin, parts.v[3], CERT_PIN_CHARS);
        ok = t.addresses.n > 0;
    }
    explicit_bzero(word, strlen(word));
    for (size_t i = 0; i < parts.n; i++)
        explicit_bzero(parts.v[i], strlen(parts.v[i]));
    if (!ok)
        return err_set(err, ERR_USAGE, 0,
                       "this is no token, or not all of it: siding replica invite prints one, a line that "
                       "begins with " PREFIX "~");
    EXCHANGE(*ret, t);
    return true;
}

/* ---- what comes of the secret ----------------------------------------------------------------------- */

static void derive(const JoinToken *t, const char *what, unsigned char ret[KEY_BYTES])
{
    unsigned n = KEY_BYTES;
    if (!HMAC(EVP_sha256(), t->secret, sizeof t->secret, (const unsigned char *)what, strlen(what), ret, &n))
        abort();
}

void jointoken_proof(const JoinToken *t, char ret[JOIN_PROOF_CHARS + 1])
{
    unsigned char raw[KEY_BYTES];
    AUTO(str_done) Str s = STR_INIT;
    derive(t, "siding join: proof", raw);
    add_hex(&s, raw, sizeof raw);
    memcpy(ret, s.p, JOIN_PROOF_CHARS + 1);
}

void jointoken_proof_hash(const char *proof, char ret[65])
{
    Sha256 *sha = sha256_new();
    sha256_add(sha, proof, strlen(proof));
    sha256_finish(sha, ret);
}

static void context_done(EVP_CIPHER_CTX **c)
{
    EVP_CIPHER_CTX_free(*c);
}

void jointoken_seal(const JoinToken *t, const char *bytes, size_t n, Str *ret)
{
    unsigned char key[KEY_BYTES], nonce[NONCE_BYTES], tag[TAG_BYTES];
    AUTOFREE unsigned char *out = xcalloc(1, n + 1);
    AUTO(context_done) EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    int done = 0, rest = 0;
    derive(t, "siding join: files", key);
    if (!c || RAND_bytes(nonce, sizeof nonce) != 1 ||
        EVP_EncryptInit_ex(c, EVP_aes_256_gcm(), NULL, key, nonce) != 1 ||
        EVP_EncryptUpdate(c, out, &done, (const unsigned char *)bytes, (int)n) != 1 ||
        EVP_EncryptFinal_ex(c, out + done, &rest) != 1 ||
        EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_GET_TAG, TAG_BYTES, tag) != 1)
        abort();
    explicit_bzero(key, sizeof key);
    add_hex(ret, nonce, sizeof nonce);
    add_hex(ret, out, n);
    add_hex(ret, tag, sizeof tag);
}

static bool decrypt(const JoinToken *t, unsigned char *raw, size_t n, unsigned char *out)
{
    unsigned char key[KEY_BYTES];
    AUTO(context_done) EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    int done = 0, rest = 0;
    size_t bytes = n - NONCE_BYTES - TAG_BYTES;
    derive(t, "siding join: files", key);
    bool ok = c && EVP_DecryptInit_ex(c, EVP_aes_256_gcm(), NULL, key, raw) == 1 &&
              EVP_DecryptUpdate(c, out, &done, raw + NONCE_BYTES, (int)bytes) == 1 &&
              EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_SET_TAG, TAG_BYTES, raw + NONCE_BYTES + bytes) == 1 &&
              EVP_DecryptFinal_ex(c, out + done, &rest) == 1;
    explicit_bzero(key, sizeof key);
    return ok;
}

bool jointoken_open(const JoinToken *t, const char *sealed, Str *ret, Err *err)
{
    size_t n = strlen(sealed) / 2, got = 0;
    AUTOFREE unsigned char *raw = xcalloc(1, n + 1), *out = xcalloc(1, n + 1);
    bool ok = n > NONCE_BYTES + TAG_BYTES && strlen(sealed) <= JOIN_SEALED_CHARS &&
              OPENSSL_hexstr2buf_ex(raw, n, &got, sealed, '\0') == 1 && got == n && decrypt(t, raw, n, out);
    if (ok)
        str_add(ret, (const char *)out, n - NONCE_BYTES - TAG_BYTES);
    explicit_bzero(out, n);
    return ok || err_set(err, ERR_CORRUPT, 0,
                         "the files were not sealed with this token, or have been changed on the way");
}
