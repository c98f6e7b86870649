/* SPDX-License-Identifier: Apache-2.0
 * The audit trail: of each request that leaves one, what it was about in the words of its route.
 */
#include <string.h>

#include "common/base/clock.h"
#include "common/base/text.h"
#include "common/file/json.h"
#include "http_impl.h"

enum { MAX_WORD = 100, REFUSED_EVERY_MS = 60000 };

/* From the path, the query, the body: the first that has it. */
static const char *value_of(const HttpRequest *req, const char *name)
{
    const char *value = http_param(req, name);
    if (!value)
        value = http_query(req, name);
    return value ? value : json_string_value(json_object_get(req->body, name));
}

/* One line, bounded: it comes from outside. */
static void add_word(Str *out, const char *word)
{
    AUTO(str_done) Str clean = STR_INIT;
    AUTOFREE char *begin = xstrndup(word, strnlen(word, MAX_WORD * 4)); /* no more of it is looked at */
    text_clean(&clean, begin);
    text_cut(out, str_z(&clean), MAX_WORD);
}

/* A {name} that nobody gave goes with the blank before it; at the beginning it was the verb. */
static void fill(const HttpRequest *req, const char *text, Str *out)
{
    while (*text) {
        const char *open = strchr(text, '{'), *close = open ? strchr(open, '}') : NULL;
        if (!close) {
            str_adds(out, text);
            return;
        }
        AUTOFREE char *name = xstrndup(open + 1, (size_t)(close - open - 1));
        const char *value = value_of(req, name);
        size_t before = (size_t)(open - text);
        str_add(out, text, before && !value && open[-1] == ' ' ? before - 1 : before);
        if (value || !out->len)
            add_word(out, value ? value : "change");
        text = close + 1;
    }
}

static const char *claimed_by(const HttpRequest *req)
{
    const char *claimed = json_string_value(json_object_get(req->body, "by"));
    if (!claimed)
        claimed = json_string_value(json_object_get(req->body, "user"));
    return claimed && *claimed && !str_eq(claimed, req->who) ? claimed : NULL;
}

/* A stranger must not fill the events: what he may not is told once in a while, with a count. */
static bool is_told(HttpServer *s, int status)
{
    int64_t now = clock_mono_ms();
    if (status != 403)
        return true;
    if (s->refused_ms && now - s->refused_ms < REFUSED_EVERY_MS) {
        s->refused++;
        return false;
    }
    s->refused_ms = now;
    return true;
}

void http_untold(HttpRequest *req)
{
    req->audited = true;
}

void http_audit(HttpRequest *req, int status)
{
    HttpServer *s = req->server;
    if (req->audited || !s || !s->service.audit || !req->route || !req->route->does)
        return;
    req->audited = true;
    if (!is_told(s, status))
        return;
    int64_t more = status == 403 ? s->refused : 0;
    s->refused -= more;
    AUTO(str_done) Str what = STR_INIT;
    AUTO(str_done) Str claimed = STR_INIT;
    fill(req, req->route->does, &what);
    if (claimed_by(req))
        add_word(&claimed, claimed_by(req));
    s->service.audit(s->service.context, &(HttpAudit){.who = req->who,
                                                      .door = req->door,
                                                      .claimed = claimed.len ? str_z(&claimed) : NULL,
                                                      .roles = req->roles,
                                                      .what = str_z(&what),
                                                      .about = req->about,
                                                      .status = status,
                                                      .more = more,
                                                      .why = req->why});
}

const char *http_audit_level(const HttpAudit *a)
{
    return a->status == 403 ? "warn" : "info";
}

char *http_audit_text(const HttpAudit *a)
{
    AUTO(str_done) Str s = STR_INIT;
    str_addf(&s, "%s (%s%s%s) asked to %s: ", a->who, a->door, a->claimed ? ", says to be " : "",
             a->claimed ? a->claimed : "", a->what);
    if (!a->status)
        str_adds(&s, "left before the answer");
    else if (a->status < 300)
        str_adds(&s, "done");
    else
        str_addf(&s, "refused (%d): %s", a->status, a->why ? a->why : "");
    if (a->more)
        str_addf(&s, "; %lld more such requests were refused before", (long long)a->more);
    return str_take(&s);
}
