/* SPDX-License-Identifier: Apache-2.0
 * A writer holds one block of output; every byte that goes to the file is hashed and
 * counted on its way, so that totals describe the file as it is.
 */
#include "gz.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "codec.h"
#include "sha256.h"

enum { BLOCK = 1 << 17 };

struct GzWriter {
    char *path;
    int fd;
    Codec *codec;   /* NULL: plain */
    bool in_member; /* bytes of the current member have been given */
    size_t filled;
    Sha256 *sha;
    GzTotals totals;
    unsigned char out[BLOCK];
};

struct GzReader {
    char *path;
    int fd;
    Decoder *decoder; /* NULL: plain */
    bool in_member, at_end;
    const unsigned char *next;
    size_t left;
    unsigned char in[BLOCK];
};

bool gz_codec_known(const char *codec)
{
    return codec_known(codec);
}

const char *gz_codec_suffix(const char *codec)
{
    return codec_suffix(codec);
}

bool gz_create(const char *path, const char *codec, GzWriter **ret, Err *err)
{
    if (!codec_known(codec))
        return err_set(err, ERR_USAGE, 0, "unknown codec \"%s\"; known: %s", codec, codec_names());
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
    if (fd < 0)
        return err_errno(err, errno, "create %s", path);
    GzWriter *w = NEW(GzWriter);
    w->path = xstrdup(path);
    w->fd = fd;
    w->codec = codec_new(codec);
    w->sha = sha256_new();
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

/* Feeds the codec; with `end` until the member is complete. */
static bool compress(GzWriter *w, const void *bytes, size_t n, bool end, Err *err)
{
    CodecBytes b = {bytes, n, NULL, 0};
    for (;;) {
        b.out = w->out + w->filled;
        b.out_n = BLOCK - w->filled;
        bool done = codec_run(w->codec, &b, end);
        w->filled = BLOCK - b.out_n;
        if (!b.out_n && !flush_block(w, err))
            return false;
        if (done)
            return true;
    }
}

bool gz_write(GzWriter *w, const void *bytes, size_t n, Err *err)
{
    w->totals.bytes += (int64_t)n;
    if (!w->codec)
        return copy_plain(w, bytes, n, err);
    w->in_member = w->in_member || n;
    return !n || compress(w, bytes, n, false, err);
}

bool gz_new_member(GzWriter *w, Err *err)
{
    if (!w->codec || !w->in_member)
        return true;
    if (!compress(w, "", 0, true, err))
        return false;
    codec_next_member(w->codec);
    w->in_member = false;
    return true;
}

static void writer_free(GzWriter *w)
{
    codec_free(w->codec);
    if (w->fd >= 0)
        close(w->fd);
    sha256_free(w->sha);
    free(w->path);
    free(w);
}

static bool finish(GzWriter *w, bool sync, Err *err)
{
    /* An empty file of a codec is one empty member: a zero-length .gz is no gzip file. */
    if (w->codec && (w->in_member || w->totals.bytes == 0) && !compress(w, "", 0, true, err))
        return false;
    if (!flush_block(w, err))
        return false;
    if (sync && fsync(w->fd) < 0)
        return err_errno(err, errno, "sync %s", w->path);
    if (!sync)
        (void)sync_file_range(w->fd, 0, 0, SYNC_FILE_RANGE_WRITE); /* begins it */
    int fd = w->fd;
    w->fd = -1;
    if (close(fd) < 0)
        return err_errno(err, errno, "close %s", w->path);
    return true;
}

static bool finish_and_free(GzWriter *w, bool sync, GzTotals *ret, Err *err)
{
    bool ok = finish(w, sync, err);
    if (ok) {
        sha256_finish(STEAL(w->sha), w->totals.sha256);
        *ret = w->totals;
    }
    writer_free(w);
    return ok;
}

bool gz_finish(GzWriter *w, GzTotals *ret, Err *err)
{
    return finish_and_free(w, true, ret, err);
}

bool gz_finish_unsynced(GzWriter *w, GzTotals *ret, Err *err)
{
    return finish_and_free(w, false, ret, err);
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
    r->next = r->in;
    r->left = (size_t)n;
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
    if (!refill(r, err)) {
        gz_close(r);
        return false;
    }
    r->decoder = decoder_new(r->next, r->left);
    *ret = r;
    return true;
}

static bool read_plain(GzReader *r, void *buffer, size_t n, size_t *ret_n, Err *err)
{
    if (!r->left && !refill(r, err))
        return false;
    size_t part = n < r->left ? n : r->left;
    memcpy(buffer, r->next, part);
    r->next += part;
    r->left -= part;
    *ret_n = part;
    return true;
}

/* One step; false with *err set when the stream is broken. */
static bool decode_some(GzReader *r, CodecBytes *b, Err *err)
{
    if (!r->left && !refill(r, err))
        return false;
    if (!r->left) {
        if (r->in_member)
            return err_set(err, ERR_CORRUPT, 0, "%s ends in the middle of its compressed data", r->path);
        r->at_end = true;
        return true;
    }
    b->in = r->next;
    b->in_n = r->left;
    DecodeResult rc = decoder_run(r->decoder, b);
    r->next = b->in;
    r->left = b->in_n;
    r->in_member = rc == DECODE_OK;
    return rc != DECODE_BROKEN ||
           err_set(err, ERR_CORRUPT, 0, "%s is damaged: not a whole compressed stream", r->path);
}

bool gz_read(GzReader *r, void *buffer, size_t n, size_t *ret_n, Err *err)
{
    if (!r->decoder)
        return read_plain(r, buffer, n, ret_n, err);
    CodecBytes b = {NULL, 0, buffer, n};
    while (b.out_n == n && n && !r->at_end)
        if (!decode_some(r, &b, err))
            return false;
    *ret_n = n - b.out_n;
    return true;
}

void gz_close(GzReader *r)
{
    if (!r)
        return;
    decoder_free(r->decoder);
    close(r->fd);
    free(r->path);
    free(r);
}
