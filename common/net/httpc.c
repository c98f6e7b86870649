/* SPDX-License-Identifier: Apache-2.0 */
#include "httpc.h"

#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/queue.h>
#include <unistd.h>

#include "common/base/log.h"
#include "common/base/text.h"
#include "common/file/json.h"
#include "http.h"

/* One call under way, blocking or not. */
typedef struct Transfer {
    TAILQ_ENTRY(Transfer) next;
    CURL *easy;
    struct curl_slist *headers;
    char *url, *shown; /* shown: for people */
    char why[CURL_ERROR_SIZE];
    Str body; /* answer; of a download only an error answer */
    bool too_big, as_text;
    char *log_next; /* header X-Siding-Next; NULL: none */
    /* asynchronous */
    HttpClient *client;
    uint64_t id;
    HttpDone done;
    HttpPartDone part_done; /* instead of done */
    int64_t part_from;
    size_t most_bytes; /* of a part */
    char *got_range;
    void *arg;
    /* download */
    bool is_download;
    int fd; /* -1: none */
    int64_t start;
    const char *path, *etag;
    char *got_etag;
    HttpBytes on_bytes;
    void *bytes_arg;
    bool failed; /* `err` says why a callback ended the transfer */
    Err err;
} Transfer;

static void init_once(void)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
    signal(SIGPIPE, SIG_IGN);
}

static void init(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, init_once);
}

void httpc_encode(Str *out, const char *value)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~";
    for (; *value; value++)
        if (strchr(plain, *value))
            str_addc(out, *value);
        else
            str_addf(out, "%%%02X", (unsigned char)*value);
}

/* ---- setting up ---------------------------------------------------------------------------------- */

static size_t on_body(char *bytes, size_t size, size_t count, void *arg);
static size_t on_header(char *bytes, size_t size, size_t count, void *arg);

static void set_tls(CURL *easy, const Tls *tls, const char *pin)
{
    curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
    if (pin) {
        curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
        curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
        curl_easy_setopt(easy, CURLOPT_PINNEDPUBLICKEY, pin);
    }
    if (!tls_is_set(tls))
        return;
    curl_easy_setopt(easy, CURLOPT_CAINFO, tls->ca_file);
    curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
    curl_easy_setopt(easy, CURLOPT_SSLCERT, tls->certificate_file);
    curl_easy_setopt(easy, CURLOPT_SSLKEY, tls->key_file);
}

/* A token is a secret: it goes where nobody listens on the way. One that cannot be read is not shown, and
 * the other side says which role is missing. */
static void set_token(Transfer *t, const HttpCall *call)
{
    Err err;
    char *token = NULL;
    const char *base = call->base_url, *http = "http://";
    AUTOFREE char *address =
        str_starts(base, http) ? xstrndup(base + strlen(http), strcspn(base + strlen(http), "/")) : NULL;
    if (!call->tls || !call->tls->token_file || (address && !http_address_is_local(address)))
        return;
    if (!token_read(call->tls->token_file, &token, &err)) {
        log_warn("no token is shown to %s: %s", base, err.text);
        return;
    }
    AUTOFREE char *header = xasprintf("Authorization: Bearer %s", token);
    t->headers = curl_slist_append(t->headers, header);
    explicit_bzero(header, strlen(header));
    explicit_bzero(token, strlen(token));
    free(token);
}

static void set_body(Transfer *t, const HttpCall *call)
{
    if (call->owner) {
        AUTOFREE char *header = xasprintf("X-Siding-Owner: %s", call->owner);
        t->headers = curl_slist_append(t->headers, header);
    }
    bool sends = call->body || strcmp(call->method, "POST") == 0 || strcmp(call->method, "PUT") == 0;
    if (sends) {
        AUTOFREE char *text = call->body ? json_text(call->body) : xstrdup("");
        t->headers = curl_slist_append(t->headers, "Content-Type: application/json");
        curl_easy_setopt(t->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)strlen(text));
        curl_easy_setopt(t->easy, CURLOPT_COPYPOSTFIELDS, text);
    }
    curl_easy_setopt(t->easy, CURLOPT_CUSTOMREQUEST, call->method);
}

static void set_url(Transfer *t, const HttpCall *call)
{
    const char *base = call->base_url;
    if (str_starts(base, "unix:")) {
        curl_easy_setopt(t->easy, CURLOPT_UNIX_SOCKET_PATH, base + strlen("unix:"));
        t->url = xasprintf("http://localhost%s", call->path);
    } else {
        size_t n = strlen(base);
        t->url = xasprintf("%.*s%s", (int)(n && base[n - 1] == '/' ? n - 1 : n), base, call->path);
    }
    t->shown = xstrdup(base);
    curl_easy_setopt(t->easy, CURLOPT_URL, t->url);
}

static _Thread_local CURLSH *kept; /* for the life of the thread */

void httpc_keep_connections(void)
{
    init();
    if (kept)
        return;
    kept = curl_share_init();
    if (!kept)
        abort();
    curl_share_setopt(kept, CURLSHOPT_SHARE, CURL_LOCK_DATA_CONNECT);
    curl_share_setopt(kept, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION);
}

static Transfer *transfer_new(const HttpCall *call)
{
    init();
    Transfer *t = NEW(Transfer);
    t->fd = -1;
    t->as_text = call->as_text;
    t->easy = curl_easy_init();
    if (!t->easy)
        abort();
    int64_t timeout = call->timeout_ms > 0 ? call->timeout_ms : HTTPC_DEFAULT_TIMEOUT_MS;
    int64_t connect = timeout < HTTPC_CONNECT_TIMEOUT_MS ? timeout : HTTPC_CONNECT_TIMEOUT_MS;
    set_url(t, call);
    set_tls(t->easy, call->tls, call->pin);
    t->headers = curl_slist_append(NULL, "Expect:");
    set_token(t, call);
    set_body(t, call);
    curl_easy_setopt(t->easy, CURLOPT_HTTPHEADER, t->headers);
    curl_easy_setopt(t->easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(t->easy, CURLOPT_PROXY, "");
    curl_easy_setopt(t->easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(t->easy, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(t->easy, CURLOPT_TIMEOUT_MS, (long)timeout);
    curl_easy_setopt(t->easy, CURLOPT_CONNECTTIMEOUT_MS, (long)connect);
    curl_easy_setopt(t->easy, CURLOPT_ERRORBUFFER, t->why);
    curl_easy_setopt(t->easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(t->easy, CURLOPT_WRITEDATA, t);
    curl_easy_setopt(t->easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(t->easy, CURLOPT_HEADERDATA, t);
    curl_easy_setopt(t->easy, CURLOPT_PRIVATE, t);
    if (kept)
        curl_easy_setopt(t->easy, CURLOPT_SHARE, kept);
    return t;
}

static void transfer_free(Transfer *t)
{
    curl_easy_cleanup(t->easy);
    curl_slist_free_all(t->headers);
    if (t->fd >= 0)
        close(t->fd);
    free(t->url);
    free(t->shown);
    free(t->got_etag);
    free(t->got_range);
    free(t->log_next);
    str_done(&t->body);
    free(t);
}

/* ---- what came of it ------------------------------------------------------------------------------ */

static bool sent_something(CURL *easy)
{
    long bytes = 0;
    curl_easy_getinfo(easy, CURLINFO_REQUEST_SIZE, &bytes);
    return bytes > 0;
}

static ErrKind kind_of(const Transfer *t, CURLcode code)
{
    switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
        return ERR_UNREACHABLE;
    case CURLE_OPERATION_TIMEDOUT:
        return sent_something(t->easy) ? ERR_TIMEOUT : ERR_UNREACHABLE;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
        return ERR_AUTH;
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_GOT_NOTHING:
    case CURLE_PARTIAL_FILE:
        /* With TLS 1.3 the refusal of our certificate arrives after the handshake. */
        return strstr(t->why, "alert") ? ERR_AUTH : ERR_LOST;
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
        return ERR_CONFIG;
    default:
        return ERR_PROTOCOL;
    }
}

static HttpcRefusal refusal_of(ErrKind kind, CURLcode code, const char *why)
{
    return kind != ERR_AUTH ? HTTPC_NO_REFUSAL
           : code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_PINNEDPUBKEYNOTMATCH
               ? HTTPC_THEIR_CERTIFICATE
           : strstr(why, "alert") ? HTTPC_OUR_CERTIFICATE
                                  : HTTPC_NO_REFUSAL;
}

static const char *verb_of(ErrKind kind, HttpcRefusal refusal)
{
    return kind == ERR_UNREACHABLE              ? "cannot reach"
           : kind == ERR_TIMEOUT                ? "no answer in time from"
           : kind == ERR_LOST                   ? "connection lost to"
           : refusal == HTTPC_THEIR_CERTIFICATE ? "not accepted here is the certificate of"
           : refusal == HTTPC_OUR_CERTIFICATE   ? "our certificate is not accepted by"
           : kind == ERR_AUTH                   ? "no TLS with"
                                                : "cannot talk to";
}

static bool curl_error(const Transfer *t, CURLcode code, Err *err)
{
    long os = 0;
    ErrKind kind = kind_of(t, code);
    curl_easy_getinfo(t->easy, CURLINFO_OS_ERRNO, &os);
    const char *why = code == CURLE_COULDNT_CONNECT && os > 0 ? strerror((int)os)
                      : t->why[0]                             ? t->why
                                                              : curl_easy_strerror(code);
    HttpcRefusal refusal = refusal_of(kind, code, t->why);
    bool maybe_refused = kind == ERR_LOST && str_starts(t->url, "https:");
    return err_set(err, kind, code == CURLE_COULDNT_CONNECT ? (int)os : (int)refusal, "%s %s: %s%s",
                   verb_of(kind, refusal), t->shown, why,
                   maybe_refused ? " (so does a server that does not accept our certificate)" : "");
}

static bool status_error(const Transfer *t, long status, Err *err)
{
    Err ignored;
    AUTOJSON json_t *j = NULL;
    if (json_parse(str_z(&t->body), t->body.len, &j, &ignored)) {
        const json_t *e = json_object_get(j, "error");
        if (json_is_object(e))
            return err_set(err, err_kind_from_name(json_str(e, "kind")), (int)json_int(e, "code"), "%s",
                           json_str(e, "text"));
    }
    /* The same request would get the same answer again. */
    bool ours = status == 413 || status == 414 || status == 415 || status == 431;
    return err_set(err, ours ? ERR_USAGE : ERR_PROTOCOL, (int)status, "%s answered with HTTP status %ld%s",
                   t->shown, status, status == 413 ? ": the request is too large" : "");
}

static bool check_outcome(const Transfer *t, CURLcode code, Err *err)
{
    long status = 0;
    curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
    if (t->failed) {
        *err = t->err;
        return false;
    }
    if (t->too_big)
        return err_set(err, ERR_PROTOCOL, 0, "%s answered with more bytes than were asked for", t->shown);
    if (code != CURLE_OK)
        return curl_error(t, code, err);
    return status >= 200 && status < 300 ? true : status_error(t, status, err);
}

static json_t *text_answer(const Transfer *t)
{
    AUTO(str_done) Str clean = STR_INIT;
    text_clean_lines(&clean, str_z(&t->body), t->body.len);
    json_t *o = json_object();
    json_set_str(o, "text", str_z(&clean));
    json_set_int(o, "bytes", (int64_t)t->body.len);
    long long at;
    if (t->log_next && str_to_i64(t->log_next, 0, INT64_MAX, &at))
        json_set_int(o, "next", at);
    return o;
}

static bool finish(const Transfer *t, CURLcode code, json_t **ret, Err *err)
{
    if (!check_outcome(t, code, err))
        return false;
    if (t->as_text) {
        *ret = text_answer(t);
        return true;
    }
    if (t->body.len == 0) {
        *ret = json_null();
        return true;
    }
    if (json_parse(str_z(&t->body), t->body.len, ret, err))
        return true;
    err->kind = ERR_PROTOCOL;
    return err_prefix(err, "answer of %s", t->shown);
}

/* ---- blocking -------------------------------------------------------------------------------------- */

bool httpc_call(const HttpCall *call, json_t **ret, Err *err)
{
    Transfer *t = transfer_new(call);
    bool ok = finish(t, curl_easy_perform(t->easy), ret, err);
    transfer_free(t);
    return ok;
}

/* ---- downloads -------------------------------------------------------------------------------------- */

static bool fail(Transfer *t, ErrKind kind, const char *text)
{
    t->failed = true;
    return err_set(&t->err, kind, 0, "%s", text);
}

static bool write_file(Transfer *t, const char *bytes, size_t n)
{
    while (n) {
        ssize_t w = write(t->fd, bytes, n);
        if (w < 0 && errno == EINTR)
            continue;
        if (w < 0) {
            t->failed = true;
            return err_errno(&t->err, errno, "write %s", t->path);
        }
        bytes += w;
        n -= (size_t)w;
    }
    return true;
}

static size_t on_body(char *bytes, size_t size, size_t count, void *arg)
{
    Transfer *t = arg;
    long status = 0;
    size_t n = size * count;
    curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
    if (!t->is_download || status < 200 || status >= 300) {
        bool is_part = t->part_done && status == 206;
        t->too_big = t->body.len + n > (is_part ? t->most_bytes : HTTPC_MAX_BODY_BYTES);
        if (!t->too_big)
            str_add(&t->body, bytes, n);
        return t->too_big ? 0 : n;
    }
    if (t->fd >= 0 && !write_file(t, bytes, n))
        return 0;
    if (t->on_bytes && !t->on_bytes(t->bytes_arg, bytes, n)) {
        fail(t, ERR_CANCELLED, "cancelled");
        return 0;
    }
    return n;
}

static char *header_value(const char *bytes, size_t n, const char *name)
{
    size_t m = strlen(name);
    if (n <= m || strncasecmp(bytes, name, m) != 0 || bytes[m] != ':')
        return NULL;
    AUTOFREE char *value = xstrndup(bytes + m + 1, n - m - 1);
    char *p = value + strspn(value, " \t\"");
    p[strcspn(p, "\"\r\n")] = 0;
    return xstrdup(p);
}

/* The whole headers are there: is it the version and the part that we asked for? */
static bool begin_download(Transfer *t)
{
    long status = 0;
    curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
    if (status < 200 || status >= 300)
        return true;
    if (t->etag && t->got_etag && strcmp(t->etag, t->got_etag) != 0)
        return fail(t, ERR_CORRUPT, "the server has another version of the file than the one asked for");
    if (t->fd >= 0 && status == 200 && t->start > 0 &&
        (ftruncate(t->fd, 0) < 0 || lseek(t->fd, 0, SEEK_SET) < 0)) {
        t->failed = true;
        return err_errno(&t->err, errno, "empty %s", t->path);
    }
    return true;
}

static size_t on_header(char *bytes, size_t size, size_t count, void *arg)
{
    Transfer *t = arg;
    size_t n = size * count;
    char *log_next = header_value(bytes, n, "X-Siding-Next");
    if (log_next) {
        free(t->log_next);
        t->log_next = log_next;
    }
    char *range = t->part_done ? header_value(bytes, n, "Content-Range") : NULL;
    if (range) {
        free(t->got_range);
        t->got_range = range;
    }
    if (!t->is_download && !t->part_done)
        return n;
    char *etag = header_value(bytes, n, "ETag");
    if (etag) {
        free(t->got_etag);
        t->got_etag = etag;
    }
    bool last = t->is_download && n <= 2 && bytes[0] != ' ';
    return last && !begin_download(t) ? 0 : n;
}

static bool open_download(Transfer *t, Err *err)
{
    t->fd = open(t->path, O_WRONLY | O_CREAT | O_CLOEXEC, 0640);
    if (t->fd < 0)
        return err_errno(err, errno, "create %s", t->path);
    t->start = lseek(t->fd, 0, SEEK_END);
    if (t->start <= 0)
        return true;
    AUTOFREE char *range = xasprintf("%lld-", (long long)t->start);
    curl_easy_setopt(t->easy, CURLOPT_RANGE, range);
    if (t->etag) {
        AUTOFREE char *header = xasprintf("If-Range: \"%s\"", t->etag);
        t->headers = curl_slist_append(t->headers, header);
        curl_easy_setopt(t->easy, CURLOPT_HTTPHEADER, t->headers);
    }
    return true;
}

/* 416 for a part of the same version: nothing is left to fetch. */
static bool is_complete(const Transfer *t, CURLcode code)
{
    long status = 0;
    curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
    return code == CURLE_OK && status == 416 && t->start > 0 && t->etag && t->got_etag &&
           strcmp(t->etag, t->got_etag) == 0;
}

bool httpc_download(const HttpCall *call, const char *path, const char *etag, HttpBytes on_bytes, void *arg,
                    Err *err)
{
    Transfer *t = transfer_new(call);
    t->is_download = true;
    t->path = path;
    t->etag = etag;
    t->on_bytes = on_bytes;
    t->bytes_arg = arg;
    if (call->timeout_ms <= 0)
        curl_easy_setopt(t->easy, CURLOPT_TIMEOUT_MS, 0L);
    curl_easy_setopt(t->easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(t->easy, CURLOPT_LOW_SPEED_TIME, (long)HTTPC_STALL_S);
    bool ok = !path || open_download(t, err);
    if (ok) {
        CURLcode code = curl_easy_perform(t->easy);
        ok = is_complete(t, code) || check_outcome(t, code, err);
    }
    if (ok && t->fd >= 0 && fsync(t->fd) < 0)
        ok = err_errno(err, errno, "sync %s", path);
    long long at;
    if (ok && call->next && t->log_next && str_to_i64(t->log_next, 0, INT64_MAX, &at))
        *call->next = at;
    transfer_free(t);
    return ok;
}

/* ---- on a loop ------------------------------------------------------------------------------------- */

struct HttpClient {
    struct event_base *base;
    CURLM *multi;
    struct event *timer;
    TAILQ_HEAD(, Transfer) transfers;
    uint64_t last_id;
};

/* "bytes 5-9/20", or 416 with the size alone where nothing is left: the part that was asked for? */
static bool read_part(const Transfer *t, HttpPart *ret, Err *err)
{
    long status = 0;
    long long size;
    curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
    const char *range = t->got_range ? t->got_range : "", *slash = strchr(range, '/');
    AUTOFREE char *begin = xasprintf("bytes %lld-", (long long)t->part_from);
    bool is_there = slash && str_to_i64(slash + 1, 0, INT64_MAX, &size);
    bool is_empty = is_there && status == 416 && size == t->part_from;
    if (!is_there || !(is_empty || (status == 206 && str_starts(range, begin))))
        return err_set(err, ERR_PROTOCOL, (int)status,
                       "%s answered with another part of the file (%ld, \"%.60s\")", t->shown, status, range);
    *ret = (HttpPart){size, t->got_etag, str_z(&t->body), is_empty ? 0 : t->body.len};
    return true;
}

static bool finish_part(const Transfer *t, CURLcode code, HttpPart *ret, Err *err)
{
    long status = 0;
    curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
    bool ended = code == CURLE_OK && status == 416 && t->got_range;
    return (ended || check_outcome(t, code, err)) && read_part(t, ret, err);
}

static void end_part(Transfer *t, CURLcode code, bool cancelled)
{
    Err err = {0};
    HttpPart part = {0};
    bool ok = cancelled ? err_set(&err, ERR_CANCELLED, 0, "the call to %s was cancelled", t->shown)
                        : finish_part(t, code, &part, &err);
    t->part_done(t->arg, ok ? &part : NULL, &err);
    transfer_free(t);
}

static void end_transfer(Transfer *t, CURLcode code, bool cancelled)
{
    Err err = {0};
    json_t *body = NULL;
    HttpClient *c = t->client;
    curl_multi_remove_handle(c->multi, t->easy);
    TAILQ_REMOVE(&c->transfers, t, next);
    if (t->part_done) {
        end_part(t, code, cancelled);
        return;
    }
    bool ok = cancelled ? err_set(&err, ERR_CANCELLED, 0, "the call to %s was cancelled", t->shown)
                        : finish(t, code, &body, &err);
    HttpDone done = t->done;
    void *arg = t->arg;
    transfer_free(t);
    done(arg, ok, body, &err);
    json_decref(body);
}

static void collect(HttpClient *c)
{
    CURLMsg *m;
    int left;
    while ((m = curl_multi_info_read(c->multi, &left))) {
        char *t = NULL;
        if (m->msg != CURLMSG_DONE)
            continue;
        CURLcode code = m->data.result;
        curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &t);
        end_transfer((Transfer *)(void *)t, code, false);
    }
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    HttpClient *c = arg;
    int running;
    (void)fd;
    (void)what;
    curl_multi_socket_action(c->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    collect(c);
}

static void on_socket(evutil_socket_t fd, short what, void *arg)
{
    HttpClient *c = arg;
    int running;
    int flags = (what & EV_READ ? CURL_CSELECT_IN : 0) | (what & EV_WRITE ? CURL_CSELECT_OUT : 0);
    curl_multi_socket_action(c->multi, fd, flags, &running);
    collect(c);
}

/* curl says what it wants to know of a socket; its event hangs on the socket's pointer. */
static int watch_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *socket_arg)
{
    HttpClient *c = arg;
    struct event *e = socket_arg;
    (void)easy;
    if (e)
        event_free(e);
    e = NULL;
    short events = (short)((what & CURL_POLL_IN ? EV_READ : 0) | (what & CURL_POLL_OUT ? EV_WRITE : 0));
    if (what != CURL_POLL_REMOVE && events) {
        e = event_new(c->base, fd, (short)(events | EV_PERSIST), on_socket, c);
        event_add(e, NULL);
    }
    if (what != CURL_POLL_REMOVE)
        curl_multi_assign(c->multi, fd, e);
    return 0;
}

static int watch_timer(CURLM *multi, long ms, void *arg)
{
    HttpClient *c = arg;
    struct timeval tv = {ms / 1000, ms % 1000 * 1000};
    (void)multi;
    if (ms < 0)
        event_del(c->timer);
    else
        event_add(c->timer, &tv);
    return 0;
}

HttpClient *httpc_new(struct event_base *base)
{
    init();
    HttpClient *c = NEW(HttpClient);
    c->base = base;
    c->timer = evtimer_new(base, on_timer, c);
    c->multi = curl_multi_init();
    TAILQ_INIT(&c->transfers);
    curl_multi_setopt(c->multi, CURLMOPT_SOCKETFUNCTION, watch_socket);
    curl_multi_setopt(c->multi, CURLMOPT_SOCKETDATA, c);
    curl_multi_setopt(c->multi, CURLMOPT_TIMERFUNCTION, watch_timer);
    curl_multi_setopt(c->multi, CURLMOPT_TIMERDATA, c);
    return c;
}

static uint64_t start(HttpClient *c, Transfer *t, void *arg)
{
    t->client = c;
    t->id = ++c->last_id;
    t->arg = arg;
    TAILQ_INSERT_TAIL(&c->transfers, t, next);
    curl_multi_add_handle(c->multi, t->easy);
    return t->id;
}

uint64_t httpc_start(HttpClient *c, const HttpCall *call, HttpDone done, void *arg)
{
    Transfer *t = transfer_new(call);
    t->done = done;
    return start(c, t, arg);
}

uint64_t httpc_start_part(HttpClient *c, const HttpCall *call, int64_t from, size_t most, HttpPartDone done,
                          void *arg)
{
    Transfer *t = transfer_new(call);
    AUTOFREE char *range = xasprintf("%lld-%lld", (long long)from, (long long)from + (long long)most - 1);
    curl_easy_setopt(t->easy, CURLOPT_RANGE, range);
    t->part_done = done;
    t->part_from = from;
    t->most_bytes = most;
    return start(c, t, arg);
}

void httpc_cancel(HttpClient *c, uint64_t id)
{
    Transfer *t;
    TAILQ_FOREACH(t, &c->transfers, next)
    if (t->id == id)
        break;
    if (t)
        end_transfer(t, CURLE_OK, true);
}

void httpc_free(HttpClient *c)
{
    if (!c)
        return;
    while (!TAILQ_EMPTY(&c->transfers))
        end_transfer(TAILQ_FIRST(&c->transfers), CURLE_OK, true);
    curl_multi_cleanup(c->multi);
    event_free(c->timer);
    free(c);
}
