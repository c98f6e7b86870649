/* SPDX-License-Identifier: Apache-2.0
 * Long answers by blocks. Of files by pread: a file truncated while it is served ends the connection instead
 * of killing the server by SIGBUS (mmap), and TLS needs the bytes in memory anyway. Of streams as the handler
 * gives them, one after the other has left.
 */
#include <errno.h>
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
    size_t want = req->body_left < BLOCK_BYTES ? (size_t)req->body_left : BLOCK_BYTES;
    if (evbuffer_reserve_space(out, (ev_ssize_t)want, &v, 1) < 1)
        return false;
    ssize_t n;
    do
        n = pread(req->fd, v.iov_base, want, req->body_at);
    while (n < 0 && errno == EINTR);
    if (n <= 0)
        return false;
    v.iov_len = (size_t)n;
    evbuffer_commit_space(out, &v, 1);
    req->body_at += n;
    req->body_left -= n;
    return true;
}

static void ask_for_more(HttpRequest *req)
{
    if (req->is_asked)
        return;
    req->is_asked = true;
    http_conn_pace(req->conn, 0);
    req->more(req, req->more_arg, req->body_at, req->body_left);
}

bool http_file_more(HttpRequest *req)
{
    HttpConn *c = req->conn;
    if (req->body_left && req->more) {
        ask_for_more(req);
        return true;
    }
    if (req->body_left) {
        struct evbuffer *block = evbuffer_new();
        bool ok = read_block(req, block); /* shorter than promised: the client must notice */
        if (ok)
            bufferevent_write_buffer(c->bev, block);
        evbuffer_free(block);
        return ok;
    }
    c->req = NULL;
    http_request_free(req);
    http_conn_answered(c);
    return true;
}

/* The blocks follow as each has left. */
static void start_blocks(HttpRequest *req, int status, int64_t from, int64_t bytes)
{
    req->body_at = from;
    req->body_left = req->head.is_head ? 0 : bytes;
    http_audit(req, status);
    http_send_head(req, status, bytes);
}

/* False: the answer has no bytes that still are to come. */
static bool reply_range(HttpRequest *req, int64_t size, const char *etag)
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
    if (r == HTTP_RANGE_UNSATISFIABLE) {
        http_send(req, 416, NULL, 0);
        return false;
    }
    start_blocks(req, r == HTTP_RANGE_PART ? 206 : 200, from, bytes);
    return req->body_left > 0;
}

void http_reply_file(HttpRequest *req, int fd, const char *content_type, const char *etag)
{
    Err err;
    struct stat st;
    if (req->conn && fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
        req->fd = fd;
        http_reply_header(req, "Content-Type", content_type);
        (void)reply_range(req, st.st_size, etag);
        return;
    }
    if (fd >= 0)
        close(fd);
    if (!req->conn) {
        http_send(req, 200, NULL, 0);
        return;
    }
    err_set(&err, ERR_NOT_FOUND, 0, "no such file");
    http_reply_error(req, &err);
}

bool http_reply_stream(HttpRequest *req, const HttpStream *stream)
{
    if (!req->conn || req->dying) {
        http_send(req, 200, NULL, 0);
        return false;
    }
    req->more = stream->more;
    req->more_arg = stream->arg;
    http_reply_header(req, "Content-Type", stream->content_type);
    return reply_range(req, stream->size, stream->etag);
}

bool http_stream_add(HttpRequest *req, const char *bytes, size_t n)
{
    HttpConn *c = req->conn;
    if ((int64_t)n > req->body_left)
        n = (size_t)req->body_left;
    req->is_asked = false;
    req->body_at += (int64_t)n;
    req->body_left -= (int64_t)n;
    bool more = req->body_left > 0;
    if (!more)
        req->closed = NULL; /* what is left is the server's own */
    http_conn_pace(c, n);
    bufferevent_write(c->bev, bytes, n);
    return more;
}

void http_stream_break(HttpRequest *req)
{
    HttpConn *c = req->conn;
    c->req = NULL;
    http_request_free(req);
    http_conn_free(c);
}
