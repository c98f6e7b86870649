/* SPDX-License-Identifier: Apache-2.0
 * caching_sha2_password is the SHA-256 variant of crypt(3) with a salt of 20 bytes, which the C library's
 * crypt() cuts at 16.
 */
#include "passhash.h"

#include <stdio.h>
#include <string.h>

#include "common/base/password.h"
#include "common/file/sha256.h"

enum {
    DIGEST = 32,
    SALT = 20,
    ENCODED = 43,
    PREFIX = 7,
    ROUNDS_UNIT = 1000,
    NATIVE = 41,
    MOST_PASSWORD = 256
};

char *passhash_native(const char *password)
{
    unsigned char once[SHA1_BYTES], twice[SHA1_BYTES];
    AUTO(str_done) Str out = STR_INIT;
    sha1(password, strlen(password), once);
    sha1(once, sizeof once, twice);
    str_addc(&out, '*');
    for (size_t i = 0; i < sizeof twice; i++)
        str_addf(&out, "%02X", twice[i]);
    return str_take(&out);
}

/* ---- SHA-256 crypt ---------------------------------------------------------------------------------- */

static void add_repeated(Sha256 *s, const unsigned char digest[DIGEST], size_t n)
{
    for (; n > DIGEST; n -= DIGEST)
        sha256_add(s, digest, DIGEST);
    sha256_add(s, digest, n);
}

static void first_digest(const char *p, size_t n, const char *salt, unsigned char ret[DIGEST])
{
    unsigned char b[DIGEST];
    Sha256 *s = sha256_new();
    sha256_add(s, p, n);
    sha256_add(s, salt, SALT);
    sha256_add(s, p, n);
    sha256_finish_raw(s, b);
    s = sha256_new();
    sha256_add(s, p, n);
    sha256_add(s, salt, SALT);
    add_repeated(s, b, n);
    for (size_t bits = n; bits; bits >>= 1)
        sha256_add(s, bits & 1 ? (const void *)b : p, bits & 1 ? DIGEST : n);
    sha256_finish_raw(s, ret);
}

static void digest_of_repeats(const char *bytes, size_t n, size_t times, unsigned char ret[DIGEST])
{
    Sha256 *s = sha256_new();
    for (size_t i = 0; i < times; i++)
        sha256_add(s, bytes, n);
    sha256_finish_raw(s, ret);
}

static void encode(const unsigned char d[DIGEST], char ret[ENCODED + 1])
{
    static const char letters[] = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    size_t n = 0, a = 0, b = 10, c = 20;
    for (int i = 0; i < 10; i++) {
        unsigned v = (unsigned)d[a] << 16 | (unsigned)d[b] << 8 | d[c];
        for (int k = 0; k < 4; k++, v >>= 6)
            ret[n++] = letters[v & 63];
        size_t first = a; /* the three places change about */
        a = c + 1;
        c = b + 1;
        b = first + 1;
    }
    unsigned v = (unsigned)d[31] << 8 | d[30];
    for (int k = 0; k < 3; k++, v >>= 6)
        ret[n++] = letters[v & 63];
    ret[n] = 0;
}

static void sha_crypt(const char *p, const char *salt, size_t rounds, char ret[ENCODED + 1])
{
    unsigned char a[DIGEST], dp[DIGEST], ds[DIGEST];
    size_t n = strlen(p);
    first_digest(p, n, salt, a);
    digest_of_repeats(p, n, n, dp);
    digest_of_repeats(salt, SALT, 16 + (size_t)a[0], ds);
    for (size_t i = 0; i < rounds; i++) {
        Sha256 *s = sha256_new();
        if (i & 1)
            add_repeated(s, dp, n);
        else
            sha256_add(s, a, DIGEST);
        if (i % 3)
            add_repeated(s, ds, SALT);
        if (i % 7)
            add_repeated(s, dp, n);
        if (i & 1)
            sha256_add(s, a, DIGEST);
        else
            add_repeated(s, dp, n);
        sha256_finish_raw(s, a);
    }
    encode(a, ret);
}

char *passhash_sha2(const char *password)
{
    char salt[SALT + 1], digest[ENCODED + 1];
    AUTO(str_done) Str out = STR_INIT;
    random_password(salt, SALT);
    sha_crypt(password, salt, (size_t)10 * ROUNDS_UNIT, digest);
    AUTOFREE char *text = xasprintf("$A$00A$%s%s", salt, digest);
    for (const char *c = text; *c; c++)
        str_addf(&out, "%02x", (unsigned char)*c);
    return str_take(&out);
}

static PassMatch match_sha2(const char *stored, size_t n, const char *password)
{
    unsigned rounds;
    char digest[ENCODED + 1];
    if (n != PREFIX + SALT + ENCODED || sscanf(stored, "$A$%3x$", &rounds) != 1 ||
        strlen(password) > MOST_PASSWORD)
        return PASS_UNKNOWN;
    sha_crypt(password, stored + PREFIX, (size_t)rounds * ROUNDS_UNIT, digest);
    return memcmp(digest, stored + PREFIX + SALT, ENCODED) == 0 ? PASS_MATCHES : PASS_DIFFERS;
}

PassMatch passhash_match(const char *plugin, const char *stored, size_t n, const char *password)
{
    if (str_eq(plugin, "caching_sha2_password"))
        return match_sha2(stored, n, password);
    if (!str_eq(plugin, "mysql_native_password") || n != NATIVE)
        return PASS_UNKNOWN;
    AUTOFREE char *own = passhash_native(password);
    return memcmp(own, stored, n) == 0 ? PASS_MATCHES : PASS_DIFFERS;
}
