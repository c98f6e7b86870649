/* SPDX-License-Identifier: Apache-2.0
 * Files by pread blocks: a file truncated while it is served ends the connection instead of killing the
 * server by SIGBUS (mmap), and TLS needs the bytes in memory anyway.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "http_impl.h"

enum { BLOCK_BYTES = 256 << 10 };

static bool parse_offset(const char **p, int64_t *ret)
{
    int64_t n = 0;
    if (**p < '0' || **p > '9')
        return false;
    for (; **p >= '0' && **p <= '9'; (*p)++) {
        if (n > INT64_MAX / 10 - 1)
            return false;
        n = n * 10 + (**p - '0');
    }
    *ret = n;
    return true;
}

HttpRange http_parse_range(const char *header, int64_t size, int64_t *ret_from, int64_t *ret_bytes)
{
    int64_t from, last = INT64_MAX;
    if (!header || !str_starts(header, "bytes="))
        return HTTP_RANGE_NONE;
    const char *p = header + strlen("bytes=");
    if (*p == '-') {
        p++;
        if (!parse_offset(&p, &last) || *p)
            return HTTP_RANGE_NONE;
        if (last == 0 || size == 0)
            return HTTP_RANGE_UNSATISFIABLE;
        *ret_from = last < size ? size - last : 0;
        *ret_bytes = size - *ret_from;
        return HTTP_RANGE_PART;
    }
    if (!parse_offset(&p, &from) || *p++ != '-')
        return HTTP_RANGE_NONE;
    if (*p && (!parse_offset(&p, &last) || *p || last < from))
        return HTTP_RANGE_NONE;
    if (from >= size)
        return HTTP_RANGE_UNSATISFIABLE;
    *ret_from = from;
    *ret_bytes = (last < size ? last + 1 : size) - from;
    return HTTP_RANGE_PART;
}

static bool read_block(HttpRequest *req, struct evbuffer *out)
{
    struct evbuffer_iovec v;
    size_t want = req->file_left < BLOCK_BYTES ? (size_t)req->file_left : BLOCK_BYTES;
    if (evbuffer_reserve_space(out, (ev_ssize_t)want, &v, 1) < 1)
        return false;
    ssize_t n;
    do
        n = pread(req->fd, v.iov_base, want, req->file_at);
    while (n < 0 && errno == EINTR);
    if (n <= 0)
        return false;
    v.iov_len = (size_t)n;
    evbuffer_commit_space(out, &v, 1);
    req->file_at += n;
    req->file_left -= n;
    return true;
}

static void end_file(HttpRequest *req)
{
    struct evhttp_request *ev = req->ev;
    evhttp_connection_set_closecb(evhttp_request_get_connection(ev), NULL, NULL);
    http_set_timeouts(req, HTTP_IDLE_S, HTTP_IDLE_S);
    req->ev = NULL;
    http_request_free(req);
    evhttp_send_reply_end(ev);
}

static void send_block(struct evhttp_connection *connection, void *arg)
{
    HttpRequest *req = arg;
    if (req->file_left == 0) {
        end_file(req);
        return;
    }
    struct evbuffer *block = evbuffer_new();
    if (read_block(req, block))
        evhttp_send_reply_chunk_with_cb(req->ev, block, send_block, req);
    else
        evhttp_connection_free(connection); /* shorter than promised: the client must notice */
    evbuffer_free(block);
}

static void start_file(HttpRequest *req, int status, int64_t from, int64_t bytes)
{
    char length[32];
    snprintf(length, sizeof length, "%lld", (long long)bytes);
    http_reply_header(req, "Content-Length", length);
    if (evhttp_request_get_command(req->ev) == EVHTTP_REQ_HEAD) {
        http_send(req, status, NULL);
        return;
    }
    req->file_at = from;
    req->file_left = bytes;
    if (req->server && req->server->current == req)
        req->server->current = NULL;
    http_set_timeouts(req, 0, HTTP_IDLE_S);
    evhttp_send_reply_start(req->ev, status, NULL);
    send_block(evhttp_request_get_connection(req->ev), req);
}

static void reply_range(HttpRequest *req, int64_t size, const char *etag)
{
    AUTOFREE char *quoted = etag ? xasprintf("\"%s\"", etag) : NULL;
    const char *if_range = http_header(req, "If-Range");
    bool whole = if_range && (!quoted || strcmp(if_range, quoted) != 0);
    int64_t from = 0, bytes = size;
    HttpRange r = whole ? HTTP_RANGE_NONE : http_parse_range(http_header(req, "Range"), size, &from, &bytes);
    http_reply_header(req, "Accept-Ranges", "bytes");
    if (quoted)
        http_reply_header(req, "ETag", quoted);
    char range[100];
    if (r == HTTP_RANGE_PART)
        snprintf(range, sizeof range, "bytes %lld-%lld/%lld", (long long)from, (long long)(from + bytes - 1),
                 (long long)size);
    else
        snprintf(range, sizeof range, "bytes */%lld", (long long)size);
    if (r != HTTP_RANGE_NONE)
        http_reply_header(req, "Content-Range", range);
    if (r == HTTP_RANGE_UNSATISFIABLE)
        http_send(req, 416, NULL);
    else
        start_file(req, r == HTTP_RANGE_PART ? 206 : 200, from, bytes);
}

void http_reply_file(HttpRequest *req, const char *path, const char *content_type, const char *etag)
{
    Err err;
    struct stat st;
    if (!req->ev) {
        http_send(req, 200, NULL);
        return;
    }
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
        const char *name = strrchr(path, '/');
        if (fd < 0 && errno != ENOENT && errno != ELOOP && errno != ENOTDIR)
            err_errno(&err, errno, "open %s", path);
        else
            err_set(&err, ERR_NOT_FOUND, 0, "no such file: %s", name ? name + 1 : path);
        if (fd >= 0)
            close(fd);
        http_reply_error(req, &err);
        return;
    }
    req->fd = fd;
    http_reply_header(req, "Content-Type", content_type);
    reply_range(req, st.st_size, etag);
}
