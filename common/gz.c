/* SPDX-License-Identifier: Apache-2.0
 * The only user of zlib. A writer holds one block of output; every byte that goes to the file is hashed and
 * counted on its way, so that totals describe the file as it is.
 */
#include "gz.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "sha256.h"

enum { BLOCK = 1 << 17, GZIP_WINDOW = 15 + 16, LEVEL_NONE = -1, LEVEL_UNKNOWN = -2 };

struct GzWriter {
    char *path;
    int fd;
    int level;
    z_stream z;
    bool in_member; /* bytes of the current member have been given */
    size_t filled;
    Sha256 *sha;
    GzTotals totals;
    unsigned char out[BLOCK];
};

struct GzReader {
    char *path;
    int fd;
    bool plain, in_member, at_end;
    z_stream z;
    unsigned char in[BLOCK];
};

static int level_of(const char *codec)
{
    if (str_eq(codec, "none"))
        return LEVEL_NONE;
    if (str_eq(codec, "gzip"))
        return 1;
    long long n;
    if (str_starts(codec, "zlib:") && str_to_i64(codec + 5, 1, 9, &n))
        return (int)n;
    return LEVEL_UNKNOWN;
}

bool gz_codec_known(const char *codec)
{
    return level_of(codec) != LEVEL_UNKNOWN;
}

const char *gz_codec_suffix(const char *codec)
{
    return level_of(codec) == LEVEL_NONE ? "" : ".gz";
}

uint32_t gz_crc32(uint32_t crc, const void *bytes, size_t n)
{
    return (uint32_t)crc32_z(crc, bytes, n);
}

bool gz_create(const char *path, const char *codec, GzWriter **ret, Err *err)
{
    int level = level_of(codec);
    if (level == LEVEL_UNKNOWN)
        return err_set(err, ERR_USAGE, 0, "unknown codec \"%s\"; known: gzip, zlib:1 to zlib:9, none", codec);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
    if (fd < 0)
        return err_errno(err, errno, "create %s", path);
    GzWriter *w = NEW(GzWriter);
    w->path = xstrdup(path);
    w->fd = fd;
    w->level = level;
    w->sha = sha256_new();
    if (level != LEVEL_NONE &&
        deflateInit2(&w->z, level, Z_DEFLATED, GZIP_WINDOW, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        abort(); /* zlib fails here for lack of memory only */
    *ret = w;
    return true;
}

static bool flush_block(GzWriter *w, Err *err)
{
    sha256_add(w->sha, w->out, w->filled);
    w->totals.compressed_bytes += (int64_t)w->filled;
    for (size_t done = 0; done < w->filled;) {
        ssize_t n = write(w->fd, w->out + done, w->filled - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_errno(err, errno, "write %s", w->path);
        done += (size_t)n;
    }
    w->filled = 0;
    return true;
}

static bool copy_plain(GzWriter *w, const char *p, size_t n, Err *err)
{
    while (n) {
        size_t part = n < BLOCK - w->filled ? n : BLOCK - w->filled;
        memcpy(w->out + w->filled, p, part);
        w->filled += part;
        p += part;
        n -= part;
        if (w->filled == BLOCK && !flush_block(w, err))
            return false;
    }
    return true;
}

/* Feeds zlib until it wants no more; with Z_FINISH until the member is complete. */
static bool run_deflate(GzWriter *w, int flush, Err *err)
{
    for (;;) {
        w->z.next_out = w->out + w->filled;
        w->z.avail_out = (unsigned)(BLOCK - w->filled);
        int rc = deflate(&w->z, flush);
        w->filled = BLOCK - w->z.avail_out;
        bool full = w->z.avail_out == 0;
        if (full && !flush_block(w, err))
            return false;
        if (flush == Z_FINISH ? rc == Z_STREAM_END : !full)
            return true;
    }
}

bool gz_write(GzWriter *w, const void *bytes, size_t n, Err *err)
{
    const char *p = bytes;
    w->totals.bytes += (int64_t)n;
    if (w->level == LEVEL_NONE)
        return copy_plain(w, p, n, err);
    while (n) {
        size_t part = n < (1U << 30) ? n : (1U << 30);
        w->in_member = true;
        w->z.next_in = (unsigned char *)(uintptr_t)p;
        w->z.avail_in = (unsigned)part;
        if (!run_deflate(w, Z_NO_FLUSH, err))
            return false;
        p += part;
        n -= part;
    }
    return true;
}

bool gz_new_member(GzWriter *w, Err *err)
{
    if (w->level == LEVEL_NONE || !w->in_member)
        return true;
    if (!run_deflate(w, Z_FINISH, err))
        return false;
    deflateReset(&w->z);
    w->in_member = false;
    return true;
}

static void writer_free(GzWriter *w)
{
    if (w->level != LEVEL_NONE)
        deflateEnd(&w->z);
    if (w->fd >= 0)
        close(w->fd);
    sha256_free(w->sha);
    free(w->path);
    free(w);
}

static bool finish(GzWriter *w, Err *err)
{
    /* An empty file of a gzip codec is one empty member: a zero-length .gz is no gzip file. */
    if (w->level != LEVEL_NONE && (w->in_member || w->totals.bytes == 0) && !run_deflate(w, Z_FINISH, err))
        return false;
    if (!flush_block(w, err))
        return false;
    if (fsync(w->fd) < 0)
        return err_errno(err, errno, "sync %s", w->path);
    int fd = w->fd;
    w->fd = -1;
    if (close(fd) < 0)
        return err_errno(err, errno, "close %s", w->path);
    return true;
}

bool gz_finish(GzWriter *w, GzTotals *ret, Err *err)
{
    bool ok = finish(w, err);
    if (ok) {
        sha256_finish(STEAL(w->sha), w->totals.sha256);
        *ret = w->totals;
    }
    writer_free(w);
    return ok;
}

void gz_abandon(GzWriter *w)
{
    if (!w)
        return;
    unlink(w->path);
    writer_free(w);
}

static bool refill(GzReader *r, Err *err)
{
    ssize_t n;
    do
        n = read(r->fd, r->in, BLOCK);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return err_errno(err, errno, "read %s", r->path);
    r->z.next_in = r->in;
    r->z.avail_in = (unsigned)n;
    return true;
}

bool gz_open(const char *path, GzReader **ret, Err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_errno(err, errno, "open %s", path);
    GzReader *r = NEW(GzReader);
    r->path = xstrdup(path);
    r->fd = fd;
    if (inflateInit2(&r->z, GZIP_WINDOW) != Z_OK)
        abort();
    if (!refill(r, err)) {
        gz_close(r);
        return false;
    }
    r->plain = r->z.avail_in < 2 || r->in[0] != 0x1f || r->in[1] != 0x8b;
    *ret = r;
    return true;
}

static bool read_plain(GzReader *r, void *buffer, size_t n, size_t *ret_n, Err *err)
{
    if (!r->z.avail_in && !refill(r, err))
        return false;
    size_t part = n < r->z.avail_in ? n : r->z.avail_in;
    memcpy(buffer, r->z.next_in, part);
    r->z.next_in += part;
    r->z.avail_in -= (unsigned)part;
    *ret_n = part;
    return true;
}

/* One step of inflate; false with *err set when the stream is broken. */
static bool inflate_some(GzReader *r, Err *err)
{
    if (!r->z.avail_in && !refill(r, err))
        return false;
    if (!r->z.avail_in) {
        if (r->in_member)
            return err_set(err, ERR_CORRUPT, 0, "%s ends in the middle of its compressed data", r->path);
        r->at_end = true;
        return true;
    }
    r->in_member = true;
    int rc = inflate(&r->z, Z_NO_FLUSH);
    if (rc == Z_STREAM_END) {
        inflateReset(&r->z);
        r->in_member = false;
    } else if (rc != Z_OK && rc != Z_BUF_ERROR) {
        return err_set(err, ERR_CORRUPT, 0, "%s is damaged: %s", r->path,
                       r->z.msg ? r->z.msg : "not a gzip stream");
    }
    return true;
}

bool gz_read(GzReader *r, void *buffer, size_t n, size_t *ret_n, Err *err)
{
    if (r->plain)
        return read_plain(r, buffer, n, ret_n, err);
    unsigned want = (unsigned)(n < (1U << 30) ? n : (1U << 30));
    r->z.next_out = buffer;
    r->z.avail_out = want;
    while (r->z.avail_out == want && want && !r->at_end)
        if (!inflate_some(r, err))
            return false;
    *ret_n = want - r->z.avail_out;
    return true;
}

void gz_close(GzReader *r)
{
    if (!r)
        return;
    inflateEnd(&r->z);
    close(r->fd);
    free(r->path);
    free(r);
}
