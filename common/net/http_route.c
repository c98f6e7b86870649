/* SPDX-License-Identifier: Apache-2.0
 * From a path to a handler: which route it is, and whether whoever asks may.
 */
#include <string.h>

#include "http_impl.h"

/* ---- paths ------------------------------------------------------------------------------------- */

static size_t segment_length(const char *p)
{
    return strcspn(p, "/");
}

/* Decodes one segment of a path; NULL where it is not one plain name: "..", an encoded "/", control bytes. */
static char *decode_segment(const char *p, size_t n)
{
    AUTOFREE char *raw = xstrndup(p, n);
    for (const char *c = raw; (c = strchr(c, '%')); c++)
        if (strspn(c + 1, "0123456789abcdefABCDEF") < 2)
            return NULL;
    size_t length;
    char *decoded = evhttp_uridecode(raw, 0, &length);
    bool bad = !decoded || strlen(decoded) != length || length == 0 || strchr(decoded, '/') ||
               strcmp(decoded, ".") == 0 || strcmp(decoded, "..") == 0;
    for (size_t i = 0; !bad && i < length; i++)
        bad = (unsigned char)decoded[i] < 32 || decoded[i] == 127;
    if (!bad)
        return decoded;
    free(decoded);
    return NULL;
}

static char *decode_rest(const char *p)
{
    AUTO(str_done) Str all = STR_INIT;
    for (;;) {
        size_t n = segment_length(p);
        AUTOFREE char *one = decode_segment(p, n);
        if (!one)
            return NULL;
        str_adds(&all, one);
        if (!p[n])
            return str_take(&all);
        str_addc(&all, '/');
        p += n + 1;
    }
}

static bool take_param(HttpRequest *req, const char *name, size_t n, char *value)
{
    if (!value || req->params == HTTP_MAX_PARAMS) {
        free(value);
        return false;
    }
    req->names[req->params] = name;
    req->name_lengths[req->params] = n;
    req->values[req->params++] = value;
    return true;
}

static void drop_params(HttpRequest *req)
{
    while (req->params)
        free(req->values[--req->params]);
}

/* Both begin behind a slash. */
static bool match(HttpRequest *req, const char *pattern, const char *path)
{
    drop_params(req);
    for (;;) {
        size_t m = segment_length(pattern), n = segment_length(path);
        bool named = m > 2 && pattern[0] == '{';
        if (named && m > 5 && strncmp(pattern + m - 4, "...}", 4) == 0)
            return take_param(req, pattern + 1, m - 5, decode_rest(path));
        if (named ? !take_param(req, pattern + 1, m - 2, decode_segment(path, n))
                  : m != n || strncmp(pattern, path, n) != 0)
            return false;
        if (!pattern[m] || !path[n])
            return pattern[m] == path[n];
        pattern += m + 1;
        path += n + 1;
    }
}

static const HttpRoute *find_route(HttpRequest *req, const char *path, const char *method, Str *ret_allowed)
{
    for (const HttpRoute *r = req->server->service.routes; path[0] == '/' && r->path; r++) {
        if (!match(req, r->path + 1, path + 1))
            continue;
        if (strcmp(r->method, method) == 0)
            return r;
        str_addf(ret_allowed, "%s%s", ret_allowed->len ? ", " : "", r->method);
    }
    return NULL;
}

/* A page in a browser may make it send requests here under a name its owner points at 127.0.0.1. */
static bool check_host(HttpRequest *req, Err *err)
{
    const HttpListener *l = req->conn->listener;
    const char *host = req->head.host;
    if (l->is_unix || l->is_tls)
        return true;
    if (http_host_is_loopback(host))
        return true;
    return err_set(err, ERR_REFUSED, 0,
                   "the Host header \"%s\" does not name a loopback address: use localhost, 127.0.0.1 or "
                   "[::1] in the URL",
                   host);
}

static bool check_content_type(HttpRequest *req, const char *method, Err *err)
{
    if (strcmp(method, "POST") != 0 && strcmp(method, "PUT") != 0)
        return true;
    const char *type = http_header(req, "Content-Type");
    size_t n = strlen("application/json");
    if (type && strncasecmp(type, "application/json", n) == 0 && strchr("; \t", type[n]))
        return true;
    return err_set(err, ERR_USAGE, 0, "%s needs Content-Type: application/json, not \"%s\"", method,
                   type ? type : "");
}

/* A page in a browser, of whatever site: it may hold a certificate of an operator. */
static bool check_browser(HttpRequest *req, const char *method, Err *err)
{
    if (strcmp(method, "GET") == 0 || (!http_header(req, "Origin") && !http_header(req, "Sec-Fetch-Site")))
        return true;
    return err_set(err, ERR_AUTH, 0, "requests of browsers that change something are refused: use siding");
}

static bool check_query(const HttpRequest *req, const HttpRoute *r, Err *err)
{
    AUTO(strlist_done) StrList known = STRLIST_INIT;
    const struct evkeyval *q, *other;
    strlist_split(&known, r->query ? r->query : "", ',');
    TAILQ_FOREACH(q, &req->query, next)
    {
        for (other = TAILQ_NEXT(q, next); other; other = TAILQ_NEXT(other, next))
            if (str_eq(q->key, other->key))
                return err_set(err, ERR_USAGE, 0, "parameter \"%.60s\" is given twice", q->key);
        if (strlist_has(&known, q->key))
            continue;
        const char *near = known.n ? str_nearest(q->key, (const char *const *)known.v) : NULL;
        return err_set(err, ERR_USAGE, 0, "unknown parameter \"%.60s\"%s%s%s", q->key,
                       near ? ", did you mean \"" : "", near ? near : "", near ? "\"?" : "");
    }
    return true;
}

static bool check_role(const HttpRequest *req, const HttpRoute *r, Err *err)
{
    if (req->roles & r->roles)
        return true;
    AUTO(str_done) Str needs = STR_INIT;
    AUTO(str_done) Str has = STR_INIT;
    roles_write(r->roles, &needs);
    roles_write(req->roles, &has);
    return err_set(
        err, ERR_AUTH, 0,
        "%s %s needs the role %s, and %s has %s: \"roles\" in the configuration of this program names "
        "who has it",
        r->method, r->path, str_z(&needs), req->who, str_z(&has));
}

static bool may_call(HttpRequest *req, const HttpRoute *r, const char *method)
{
    Err err;
    req->route = r;
    if (!check_browser(req, method, &err) || !check_role(req, r, &err) || !check_query(req, r, &err))
        http_reply_error(req, &err);
    else if (!check_content_type(req, method, &err))
        http_reply_status_error(req, 415, &err);
    else
        return true;
    return false;
}

bool http_route(HttpRequest *req)
{
    Err err;
    AUTO(str_done) Str allowed = STR_INIT;
    const char *method = req->head.is_head ? "GET" : req->head.method, *path = req->head.path;
    if (!check_host(req, &err)) {
        http_reply_error(req, &err);
        return false;
    }
    const HttpRoute *r = find_route(req, path, method, &allowed);
    if (r)
        return may_call(req, r, method);
    if (allowed.len) {
        http_reply_header(req, "Allow", str_z(&allowed));
        err_set(&err, ERR_USAGE, 0, "%.300s does not take this method, it takes %s", path, str_z(&allowed));
        http_reply_status_error(req, 405, &err);
    } else {
        err_set(&err, ERR_NOT_FOUND, 0, "no such path: %.300s", path);
        http_reply_error(req, &err);
    }
    return false;
}
