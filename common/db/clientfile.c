/* SPDX-License-Identifier: Apache-2.0 */
#include "clientfile.h"

#include <ctype.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

#include "common/file/fs.h"

enum { MAX_BYTES = 1 << 20, MOST_FILES = 64 };

typedef struct Line {
    const char *file;
    int number;
    const char *name, *value; /* value NULL: none is given */
} Line;

static bool wrong(const Line *l, Err *err)
{
    return err_set(err, ERR_CONFIG, 0, "%s:%d: %s%s%s is not known here", l->file, l->number, l->name,
                   l->value ? "=" : "", l->value ? l->value : "");
}

/* ---- options -------------------------------------------------------------------------------------- */

#define TEXT(name, field)                                                                                    \
    {                                                                                                        \
        name, offsetof(ClientFile, field)                                                                    \
    }
static const struct {
    const char *name;
    size_t at;
} texts[] = {
    TEXT("user", user),
    TEXT("password", password),
    TEXT("host", host),
    TEXT("socket", socket),
    TEXT("database", database),
    TEXT("bind-address", bind_address),
    TEXT("default-auth", default_auth),
    TEXT("plugin-dir", plugin_dir),
    TEXT("init-command", init_command),
    TEXT("server-public-key-path", server_public_key),
    TEXT("ssl-ca", tls_ca),
    TEXT("ssl-capath", tls_capath),
    TEXT("ssl-cert", tls_cert),
    TEXT("ssl-key", tls_key),
    TEXT("ssl-cipher", tls_cipher),
    TEXT("ssl-crl", tls_crl),
    TEXT("ssl-crlpath", tls_crlpath),
    TEXT("tls-version", tls_version),
    TEXT("tls-ciphersuites", tls_suites),
    TEXT("ssl-fp", tls_fingerprint),
    TEXT("ssl-fplist", tls_fingerprints),
    TEXT("ssl-fp-list", tls_fingerprints),
};

static bool is_off(const char *value)
{
    static const char *const off[] = {"0", "OFF", "FALSE", "NO"};
    for (size_t i = 0; value && i < COUNT(off); i++)
        if (strcasecmp(value, off[i]) == 0)
            return true;
    return false;
}

static bool take_mode(ClientFile *c, const Line *l, Err *err)
{
    static const struct {
        const char *name;
        ClientTls tls;
    } modes[] = {{"DISABLED", CLIENT_TLS_OFF},
                 {"PREFERRED", CLIENT_TLS_PREFERRED},
                 {"REQUIRED", CLIENT_TLS_REQUIRED},
                 {"VERIFY_CA", CLIENT_TLS_CA},
                 {"VERIFY_IDENTITY", CLIENT_TLS_IDENTITY}};
    for (size_t i = 0; l->value && i < COUNT(modes); i++)
        if (strcasecmp(l->value, modes[i].name) == 0) {
            c->tls = modes[i].tls;
            c->has_mode = true;
            return true;
        }
    return wrong(l, err);
}

static bool take_protocol(ClientFile *c, const Line *l, Err *err)
{
    bool tcp = l->value && strcasecmp(l->value, "tcp") == 0;
    if (!tcp && !(l->value && strcasecmp(l->value, "socket") == 0))
        return wrong(l, err);
    c->protocol = tcp ? CLIENT_PROTOCOL_TCP : CLIENT_PROTOCOL_SOCKET;
    return true;
}

static bool take_port(ClientFile *c, const Line *l, Err *err)
{
    long long port;
    if (!l->value || !str_to_i64(l->value, 0, 65535, &port))
        return wrong(l, err);
    c->port = port;
    return true;
}

/* "ssl", "skip-ssl", "ssl=0". */
static bool take_switch(ClientFile *c, const char *name, bool on)
{
    if (str_eq(name, "compress"))
        c->compress = on;
    else if (str_eq(name, "ssl") && !c->has_mode)
        c->tls = on ? CLIENT_TLS_REQUIRED : CLIENT_TLS_OFF;
    else if (str_eq(name, "ssl-verify-server-cert"))
        c->is_verified = on;
    else
        return str_eq(name, "ssl");
    return true;
}

static bool take(ClientFile *c, const Line *l, Err *err)
{
    for (size_t i = 0; i < COUNT(texts); i++)
        if (str_eq(l->name, texts[i].name)) {
            char **at = (char **)((char *)c + texts[i].at);
            free(*at);
            *at = xstrdup(l->value ? l->value : "");
            return true;
        }
    if (str_eq(l->name, "port"))
        return take_port(c, l, err);
    if (str_eq(l->name, "protocol"))
        return take_protocol(c, l, err);
    if (str_eq(l->name, "ssl-mode"))
        return take_mode(c, l, err);
    static const char *const against[] = {"skip-", "disable-"};
    for (size_t i = 0; i < COUNT(against); i++)
        if (str_starts(l->name, against[i]))
            return take_switch(c, l->name + strlen(against[i]), false) || true;
    /* What other tools alone understand is theirs, but not what protects a connection. */
    return take_switch(c, l->name, !is_off(l->value)) ||
           (!str_starts(l->name, "ssl") && !str_starts(l->name, "tls")) || wrong(l, err);
}

/* ---- text ----------------------------------------------------------------------------------------- */

/* Up to a # outside of quotes. */
static size_t without_comment(const char *line, size_t n)
{
    char quote = 0;
    bool escaped = false;
    for (size_t i = 0; i < n; i++) {
        char c = line[i];
        if ((c == '\'' || c == '"') && !escaped)
            quote = !quote ? c : quote == c ? 0 : quote;
        if (c == '#' && !quote)
            return i;
        escaped = quote && c == '\\' && !escaped;
    }
    return n;
}

static void unescape(char *text)
{
    static const char from[] = "ntrbs", to[] = "\n\t\r\b ";
    char *out = text;
    for (const char *p = text; *p; p++) {
        const char *known = *p == '\\' && p[1] ? strchr(from, p[1]) : NULL;
        bool plain = *p == '\\' && p[1] && strchr("\\'\"", p[1]);
        *out++ = known ? to[known - from] : plain ? p[1] : *p;
        p += known || plain;
    }
    *out = 0;
}

/* A value's own text; NULL where there is none. */
static char *value_of(const char *line)
{
    const char *equals = strchr(line, '=');
    if (!equals)
        return NULL;
    char *value = xstrtrim(equals + 1, strlen(equals + 1));
    size_t n = strlen(value);
    if (n > 1 && (*value == '\'' || *value == '"') && value[n - 1] == *value) {
        memmove(value, value + 1, n - 2);
        value[n - 2] = 0;
    }
    unescape(value);
    return value;
}

static char *name_of(const char *line)
{
    char *name = xstrtrim(line, strcspn(line, "="));
    for (char *p = name; *p; p++)
        *p = *p == '_' ? '-' : *p;
    if (str_starts(name, "loose-"))
        memmove(name, name + 6, strlen(name + 6) + 1);
    return name;
}

static bool is_ours(const char *line)
{
    static const char *const groups[] = {"[client]", "[client-server]", "[client-mariadb]"};
    for (size_t i = 0; i < COUNT(groups); i++)
        if (str_starts(line, groups[i]))
            return true;
    return false;
}

static bool take_include(const char *line, StrList *includes)
{
    static const struct {
        const char *word;
        char kind;
    } words[] = {{"!includedir", 'd'}, {"!include", 'f'}};
    for (size_t i = 0; i < COUNT(words); i++) {
        size_t n = strlen(words[i].word);
        if (!str_starts(line, words[i].word) || !isspace((unsigned char)line[n]))
            continue;
        AUTOFREE char *path = xstrtrim(line + n, strlen(line + n));
        strlist_addf(includes, "%c:%s", words[i].kind, path);
        return true;
    }
    return false;
}

bool clientfile_parse(const char *name, const char *text, ClientFile *c, StrList *includes, Err *err)
{
    Line l = {.file = name};
    for (bool ours = false; *text;) {
        size_t n = strcspn(text, "\n");
        AUTOFREE char *line = xstrtrim(text, *text == ';' ? 0 : without_comment(text, n));
        text += n + (text[n] == '\n');
        l.number++;
        if (*line == '[')
            ours = is_ours(line);
        if (!*line || *line == '[' || *line == ';' || take_include(line, includes) || !ours)
            continue;
        AUTOFREE char *option = name_of(line);
        AUTOFREE char *value = value_of(line);
        l.name = option;
        l.value = value;
        if (!take(c, &l, err))
            return false;
    }
    return true;
}

/* ---- files ---------------------------------------------------------------------------------------- */

static bool add_folder(const char *dir, StrList *todo, Err *err)
{
    AUTO(strlist_done) StrList names = STRLIST_INIT;
    if (!fs_list(dir, &names, err))
        return false;
    for (size_t i = 0; i < names.n; i++)
        if (str_ends(names.v[i], ".cnf"))
            strlist_addf(todo, "f:%s/%s", dir, names.v[i]);
    return true;
}

/* Included files after the one that names them. */
bool clientfile_read(const char *path, ClientFile *ret, Err *err)
{
    AUTO(strlist_done) StrList todo = STRLIST_INIT;
    ClientFile c = {0};
    bool ok = true;
    strlist_addf(&todo, "f:%s", path);
    for (size_t i = 0; ok && i < todo.n; i++) {
        AUTO(str_done) Str text = STR_INIT;
        const char *file = todo.v[i] + 2;
        if (i == MOST_FILES)
            ok = err_set(err, ERR_CONFIG, 0, "%s includes more than %d files", path, MOST_FILES);
        else if (*todo.v[i] == 'd')
            ok = add_folder(file, &todo, err);
        else
            ok = fs_read(file, MAX_BYTES, &text, err) && clientfile_parse(file, str_z(&text), &c, &todo, err);
    }
    if (ok && c.tls == CLIENT_TLS_UNSAID &&
        (c.tls_ca || c.tls_capath || c.tls_cert || c.tls_key || c.tls_cipher || c.tls_fingerprint))
        c.tls = CLIENT_TLS_REQUIRED; /* else they would protect nothing */
    if (ok && c.is_verified && (!c.has_mode || c.tls == CLIENT_TLS_REQUIRED))
        c.tls = CLIENT_TLS_IDENTITY;
    if (ok)
        *ret = c;
    else
        clientfile_done(&c);
    return ok;
}

void clientfile_done(ClientFile *c)
{
    for (size_t i = 0; i < COUNT(texts); i++) {
        char **at = (char **)((char *)c + texts[i].at);
        free(*at);
        *at = NULL;
    }
}
