/* SPDX-License-Identifier: Apache-2.0 */
#include "sha256.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <unistd.h>

struct Sha256 {
    EVP_MD_CTX *ctx;
};

Sha256 *sha256_new(void)
{
    Sha256 *s = NEW(Sha256);
    s->ctx = EVP_MD_CTX_new();
    if (!s->ctx || !EVP_DigestInit_ex(s->ctx, EVP_sha256(), NULL))
        abort(); /* as out of memory: OpenSSL fails here for nothing else */
    return s;
}

void sha256_add(Sha256 *s, const void *bytes, size_t n)
{
    EVP_DigestUpdate(s->ctx, bytes, n);
}

void sha256_finish_raw(Sha256 *s, unsigned char ret[32])
{
    EVP_DigestFinal_ex(s->ctx, ret, NULL);
    sha256_free(s);
}

void sha256_finish(Sha256 *s, char ret[65])
{
    static const char hex[] = "0123456789abcdef";
    unsigned char digest[32];
    sha256_finish_raw(s, digest);
    for (size_t i = 0; i < sizeof digest; i++) {
        ret[2 * i] = hex[digest[i] >> 4];
        ret[2 * i + 1] = hex[digest[i] & 15];
    }
    ret[64] = 0;
}

void sha256_free(Sha256 *s)
{
    if (!s)
        return;
    EVP_MD_CTX_free(s->ctx);
    free(s);
}

bool sha256_file(const char *path, char ret[65], Err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_errno(err, errno, "open %s", path);
    enum { BLOCK = 1 << 18 };
    AUTOFREE char *buffer = xcalloc(BLOCK, 1);
    Sha256 *s = sha256_new();
    ssize_t n;
    while ((n = read(fd, buffer, BLOCK)) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            break;
        sha256_add(s, buffer, (size_t)n);
    }
    int failed = n < 0 ? errno : 0;
    close(fd);
    if (failed) {
        sha256_free(s);
        return err_errno(err, failed, "read %s", path);
    }
    sha256_finish(s, ret);
    return true;
}

void sha1(const void *bytes, size_t n, unsigned char ret[SHA1_BYTES])
{
    if (!EVP_Digest(bytes, n, ret, NULL, EVP_sha1(), NULL))
        abort();
}
