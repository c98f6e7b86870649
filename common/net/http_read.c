/* SPDX-License-Identifier: Apache-2.0
 * What a request says, for handlers and for the audit trail.
 */
#include <netdb.h>
#include <string.h>
#include <sys/socket.h>

#include "common/file/json.h"
#include "http_impl.h"

const char *http_param(const HttpRequest *req, const char *name)
{
    for (size_t i = 0; i < req->params; i++)
        if (strlen(name) == req->name_lengths[i] && strncmp(name, req->names[i], req->name_lengths[i]) == 0)
            return req->values[i];
    return NULL;
}

const char *http_query(const HttpRequest *req, const char *name)
{
    return evhttp_find_header(&req->query, name);
}

bool http_query_int(const HttpRequest *req, const char *name, int64_t min, int64_t max, int64_t fallback,
                    int64_t *ret, Err *err)
{
    long long n = fallback;
    const char *text = http_query(req, name);
    if (text && !str_to_i64(text, min, max, &n))
        return err_set(err, ERR_USAGE, 0,
                       "parameter \"%s\" is \"%s\", it must be a whole number from %lld to %lld", name, text,
                       (long long)min, (long long)max);
    *ret = n;
    return true;
}

const char *http_header(const HttpRequest *req, const char *name)
{
    return http_head_find(&req->head, name);
}

const char *http_who(const HttpRequest *req)
{
    return req->who;
}

void http_peer(const HttpRequest *req, char ret[HTTP_PEER_BYTES])
{
    struct sockaddr_storage a;
    socklen_t n = sizeof a;
    ret[0] = 0;
    int fd = req->conn ? bufferevent_getfd(req->conn->bev) : -1;
    if (fd >= 0 && getpeername(fd, (struct sockaddr *)&a, &n) == 0 && a.ss_family != AF_UNIX &&
        getnameinfo((struct sockaddr *)&a, n, ret, HTTP_PEER_BYTES, NULL, 0, NI_NUMERICHOST) != 0)
        ret[0] = 0;
}

RoleSet http_roles(const HttpRequest *req)
{
    return req->roles;
}

char *http_by(const HttpRequest *req, const char *claimed)
{
    if (!claimed || !*claimed || str_eq(claimed, req->who))
        return xstrdup(req->who);
    return xasprintf("%s (by %s)", claimed, req->who);
}

void http_about(HttpRequest *req, int64_t about)
{
    req->about = about;
}

bool http_body(HttpRequest *req, json_t **ret, Err *err)
{
    if (!req->body && !req->text_bytes)
        req->body = json_object();
    if (!req->body && !json_parse(req->text, req->text_bytes, &req->body, err))
        return err_prefix(err, "request body");
    free(STEAL(req->text));
    if (!json_is_object(req->body))
        return err_set(err, ERR_USAGE, 0, "the request body must be a JSON object");
    *ret = req->body;
    return true;
}

void http_on_close(HttpRequest *req, void (*closed)(HttpRequest *req, void *arg), void *arg)
{
    req->closed = closed;
    req->closed_arg = arg;
}
