/* SPDX-License-Identifier: Apache-2.0 */
#include "http_head.h"

#include <event2/http.h>
#include <string.h>

#include "common/base/str.h"

static bool refuse(int *ret_status, int status, Err *err, const char *why)
{
    *ret_status = status;
    return err_set(err, ERR_USAGE, 0, "%s", why);
}

/* Ends the line and gives the next; NULL: a bare CR, LF or NUL inside it. */
static char *cut_line(char *line)
{
    char *end = strstr(line, "\r\n");
    if (!end || strcspn(line, "\r\n") != (size_t)(end - line))
        return NULL;
    *end = 0;
    return end + 2;
}

static bool is_token(const char *s)
{
    static const char chars[] =
        "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    return *s && strspn(s, chars) == strlen(s);
}

static bool is_plain(const char *s)
{
    for (; *s; s++)
        if ((unsigned char)*s < 32 ? *s != '\t' : *s == 127)
            return false;
    return true;
}

/* ---- the request's line ---------------------------------------------------------------------------------
 */

/* "http://host:port/path" is cut to its path too; what it names as its host counts. */
static bool take_target(char *target, HttpHead *h)
{
    if (strncasecmp(target, "http://", 7) == 0) {
        char *host = target + 7, *slash = host + strcspn(host, "/?");
        h->host = xstrndup(host, (size_t)(slash - host));
        target = *slash ? slash : strcpy(target, "/");
    }
    if (*target != '/')
        return strcmp(target, "*") == 0 && (h->path = target);
    target[strcspn(target, "#")] = 0;
    char *query = strchr(target, '?');
    if (query) {
        *query = 0;
        h->query = query + 1;
    }
    h->path = target;
    return true;
}

static bool take_first_line(char *line, HttpHead *h, int *ret_status, Err *err)
{
    char *target = strchr(line, ' ');
    char *version = target ? strchr(target + 1, ' ') : NULL;
    if (!version || strchr(version + 1, ' '))
        return refuse(ret_status, 400, err, "the request does not begin with a method, a path and HTTP/1.1");
    *target++ = 0;
    *version++ = 0;
    if (strcmp(version, "HTTP/1.1") != 0 && strcmp(version, "HTTP/1.0") != 0)
        return refuse(ret_status, strncmp(version, "HTTP/", 5) == 0 ? 505 : 400, err,
                      "HTTP/1.1 is spoken here");
    h->keeps_alive = version[7] == '1';
    h->method = line;
    h->is_head = strcmp(line, "HEAD") == 0;
    return (is_token(line) && is_plain(target) && take_target(target, h)) ||
           refuse(ret_status, 400, err, "the request's line cannot be read");
}

/* ---- headers --------------------------------------------------------------------------------------------
 */

static bool take_header(char *line, HttpHead *h, int *ret_status, Err *err)
{
    char *colon = strchr(line, ':');
    if (h->n == HTTP_MAX_HEADERS)
        return refuse(ret_status, 431, err, "too many headers");
    if (!colon)
        return refuse(ret_status, 400, err, "a header has no colon");
    *colon = 0;
    char *value = colon + 1 + strspn(colon + 1, " \t");
    for (size_t n = strlen(value); n && strchr(" \t", value[n - 1]); n--)
        value[n - 1] = 0;
    if (!is_token(line) || !is_plain(value))
        return refuse(ret_status, 400, err, "a header cannot be read");
    h->headers[h->n].name = line;
    h->headers[h->n++].value = value;
    return true;
}

const char *http_head_find(const HttpHead *h, const char *name)
{
    for (size_t i = 0; i < h->n; i++)
        if (strcasecmp(h->headers[i].name, name) == 0)
            return h->headers[i].value;
    return NULL;
}

static size_t count_of(const HttpHead *h, const char *name)
{
    size_t n = 0;
    for (size_t i = 0; i < h->n; i++)
        n += strcasecmp(h->headers[i].name, name) == 0;
    return n;
}

static bool names(const char *list, const char *word)
{
    AUTO(strlist_done) StrList words = STRLIST_INIT;
    strlist_split(&words, list ? list : "", ',');
    for (size_t i = 0; i < words.n; i++) {
        const char *w = words.v[i] + strspn(words.v[i], " \t");
        size_t n = strcspn(w, " \t");
        if (n == strlen(word) && strncasecmp(w, word, n) == 0)
            return true;
    }
    return false;
}

static bool take_length(HttpHead *h, int *ret_status, Err *err)
{
    long long n = 0;
    const char *text = http_head_find(h, "Content-Length");
    if (http_head_find(h, "Transfer-Encoding"))
        return refuse(ret_status, 411, err, "send the body with Content-Length, not in chunks");
    if (count_of(h, "Content-Length") > 1 ||
        (text && (strspn(text, "0123456789") != strlen(text) || !str_to_i64(text, 0, INT64_MAX, &n))))
        return refuse(ret_status, 400, err, "Content-Length cannot be read");
    h->body_bytes = n;
    return true;
}

static char *without_port(const char *host)
{
    size_t n = *host == '[' ? strcspn(host, "]") : strcspn(host, ":");
    return xstrndup(host, n + (host[n] == ']'));
}

static bool take_meaning(HttpHead *h, int *ret_status, Err *err)
{
    if (count_of(h, "Host") > 1)
        return refuse(ret_status, 400, err, "more than one Host header");
    const char *host = http_head_find(h, "Host"), *connection = http_head_find(h, "Connection");
    AUTOFREE char *named = h->host ? STEAL(h->host) : xstrdup(host ? host : "");
    h->host = without_port(named);
    h->keeps_alive = !names(connection, "close") && (h->keeps_alive || names(connection, "keep-alive"));
    h->expects_continue = names(http_head_find(h, "Expect"), "100-continue");
    return take_length(h, ret_status, err);
}

bool http_head_read(const char *text, size_t n, HttpHead *ret, int *ret_status, Err *err)
{
    HttpHead h = {.text = xstrndup(text, n)};
    char *line = h.text, *next = strlen(h.text) == n ? cut_line(line) : NULL;
    bool ok = next ? take_first_line(line, &h, ret_status, err)
                   : refuse(ret_status, 400, err, "the request's head has bytes that do not belong there");
    while (ok) {
        line = next;
        next = cut_line(line);
        if (next && !*line)
            break;
        ok = next ? take_header(line, &h, ret_status, err)
                  : refuse(ret_status, 400, err, "the request's head has bytes that do not belong there");
    }
    if (!ok || !take_meaning(&h, ret_status, err)) {
        http_head_done(&h);
        return false;
    }
    *ret = h;
    return true;
}

void http_head_done(HttpHead *h)
{
    free(h->text);
    free(h->host);
    *h = (HttpHead){0};
}
