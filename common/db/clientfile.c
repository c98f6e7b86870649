/* SPDX-License-Identifier: Apache-2.0 */
#include "clientfile.h"

#include <ctype.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

#include "common/file/fs.h"
#include "optionfile.h"

enum { MAX_BYTES = 1 << 20, MOST_FILES = 64, MOST_DEPTH = 10 };

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

/* The tools take an option by as much of its name as is unambiguous; here its name is written out. */
static bool is_abbreviation(const char *name)
{
    static const char *const others[] = {"port", "protocol", "ssl-mode", "ssl-verify-server-cert",
                                         "compress"};
    for (size_t i = 0; i < COUNT(texts); i++)
        if (str_starts(texts[i].name, name))
            return true;
    for (size_t i = 0; i < COUNT(others); i++)
        if (str_starts(others[i], name))
            return true;
    return false;
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
    /* What other tools alone understand is theirs, but not what protects a connection or leads it elsewhere.
     */
    return take_switch(c, l->name, !is_off(l->value)) ||
           (!str_starts(l->name, "ssl") && !str_starts(l->name, "tls") && !str_eq(l->name, "dns-srv-name") &&
            !is_abbreviation(l->name)) ||
           wrong(l, err);
}

/* ---- text ----------------------------------------------------------------------------------------- */

typedef struct Parsing {
    ClientFile *c;
    const char *file;
    ClientInclude include;
    void *arg;
    Err *err;
} Parsing;

/* As options are written here: "loose_SSL_mode" is "ssl-mode". */
static char *name_of(const char *key)
{
    char *name = xstrdup(key);
    for (char *p = name; *p; p++)
        *p = (char)(*p == '_' ? '-' : tolower((unsigned char)*p));
    if (str_starts(name, "loose-"))
        memmove(name, name + 6, strlen(name + 6) + 1);
    return name;
}

static bool is_ours(const char *group)
{
    static const char *const groups[] = {"client", "client-server", "client-mariadb"};
    for (size_t i = 0; i < COUNT(groups); i++)
        if (str_eq(group, groups[i]))
            return true;
    return false;
}

static bool take_line(void *arg, const OptionLine *line)
{
    const Parsing *p = arg;
    if (*line->key == '[')
        return err_set(p->err, ERR_CONFIG, 0, "%s:%d: the group has no ]", p->file, line->number);
    if (*line->key == '!' && !*line->value)
        return err_set(p->err, ERR_CONFIG, 0, "%s:%d: %s names no file", p->file, line->number, line->key);
    if (*line->key == '!')
        return p->include(p->arg, str_eq(line->key, "!includedir") ? 'd' : 'f', line->value, p->err);
    if (!is_ours(line->group))
        return true;
    AUTOFREE char *name = name_of(line->key);
    return take(p->c, &(Line){p->file, line->number, name, line->value}, p->err);
}

bool clientfile_parse(const char *name, const char *text, ClientFile *c, ClientInclude include, void *arg,
                      Err *err)
{
    return optionfile_each(text, take_line, &(Parsing){c, name, include, arg, err});
}

/* ---- files ---------------------------------------------------------------------------------------- */

typedef struct FileReading {
    ClientFile *c;
    const char *first; /* the file that includes all others */
    int files, depth;
} FileReading;

static bool read_included(void *arg, char kind, const char *path, Err *err);

static bool read_one(FileReading *r, const char *path, Err *err)
{
    AUTO(str_done) Str text = STR_INIT;
    if (r->files++ == MOST_FILES || r->depth == MOST_DEPTH)
        return err_set(err, ERR_CONFIG, 0, "%s includes more than %d files, or files %d deep", r->first,
                       MOST_FILES, MOST_DEPTH);
    r->depth++;
    bool ok = fs_read(path, MAX_BYTES, &text, err) &&
              clientfile_parse(path, str_z(&text), r->c, read_included, r, err);
    r->depth--;
    return ok;
}

static bool read_included(void *arg, char kind, const char *path, Err *err)
{
    AUTO(strlist_done) StrList names = STRLIST_INIT;
    if (kind != 'd')
        return read_one(arg, path, err);
    if (!fs_list(path, &names, err))
        return false;
    for (size_t i = 0; i < names.n; i++) {
        AUTOFREE char *file = xasprintf("%s/%s", path, names.v[i]);
        if (str_ends(file, ".cnf") && !read_one(arg, file, err))
            return false;
    }
    return true;
}

bool clientfile_read(const char *path, ClientFile *ret, Err *err)
{
    ClientFile c = {0};
    FileReading r = {.c = &c, .first = path};
    bool ok = read_one(&r, path, err);
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
