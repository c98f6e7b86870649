/* SPDX-License-Identifier: Apache-2.0 */
#include "run_log.h"

#include <string.h>

#include "common/net/httpc.h"

enum { TIMEOUT_MS = 30000 };

RunLogSource run_log_source(const char *url, const char *run, const Tls *tls)
{
    return (RunLogSource){xstrdup(url), xstrdup(run),
                          (Tls){xstrdup(tls->certificate_file), xstrdup(tls->key_file), xstrdup(tls->ca_file),
                                xstrdup(tls->token_file)}};
}

void run_log_source_done(RunLogSource *s)
{
    char *const owned[] = {s->url,          s->run,         s->tls.certificate_file,
                           s->tls.key_file, s->tls.ca_file, s->tls.token_file};
    for (size_t i = 0; i < COUNT(owned); i++)
        free(owned[i]);
    *s = (RunLogSource){0};
}

static bool take_bytes(void *arg, const char *bytes, size_t n)
{
    str_add(arg, bytes, n);
    return true;
}

/* Without the rest of a line that is cut. */
static void drop_broken_line(Str *s)
{
    const char *end = memchr(s->p, '\n', s->len);
    if (!end)
        return;
    size_t n = (size_t)(end + 1 - s->p);
    s->len -= n;
    memmove(s->p, s->p + n, s->len + 1);
}

void run_log_tail(const RunLogSource *s, const char *stream, size_t most, LogText *ret)
{
    AUTOFREE char *path = xasprintf("/v1/runs/%s/log?stream=%s&tail=%zu", s->run, stream, most);
    bool ok = httpc_download(
        &(HttpCall){
            .base_url = s->url, .method = "GET", .path = path, .timeout_ms = TIMEOUT_MS, .tls = &s->tls},
        NULL, NULL, take_bytes, &ret->text, &ret->err);
    if (ok)
        ret->err = (Err){0};
    ret->cut = ok && ret->text.len >= most;
    if (ret->cut)
        drop_broken_line(&ret->text);
}
