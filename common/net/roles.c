/* SPDX-License-Identifier: Apache-2.0 */
#include "roles.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/base/password.h"
#include "common/file/fs.h"

#define FIELD(name) offsetof(RoleConfig, name)
#define ENTRIES                                                                                              \
    "Each is \"cert:NAME\" (a certificate's name), \"user:NAME\" or \"group:NAME\" (by the unix socket), "   \
    "or "                                                                                                    \
    "\"token:/file\"."

#define PEOPLE                                                                                               \
    {"viewer", CONF_STRS, FIELD(viewer), .doc = "Who may read states, logs and events. " ENTRIES},           \
        {"operator", CONF_STRS, FIELD(operators),                                                            \
         .doc = "Who may also submit and end tasks, pause and resume replicas, and read results."},          \
    {                                                                                                        \
        "admin", CONF_STRS, FIELD(admin),                                                                    \
            .doc = "Who may do everything that people may. The account that the program runs as and root "   \
                   "are admin by its unix socket without being named."                                       \
    }

const ConfOption role_agent_options[] = {
    {"coordinator", CONF_STRS, FIELD(coordinator),
     .doc = "Who steers this agent: sidingd's certificate, account or token. " ENTRIES},
    {"peer", CONF_STRS, FIELD(peer),
     .doc = "Who may fetch results from here and take its share of a split job: the other agents. A "
            "certificate whose name is a peer's name, or the host of its URL, need not be named."},
    PEOPLE,
    {0},
};

const ConfOption role_coordinator_options[] = {PEOPLE, {0}};

static const struct {
    Role role;
    const char *name;
    size_t offset;
} named[] = {
    {ROLE_HEALTH, "health", 0},
    {ROLE_COORDINATOR, "coordinator", FIELD(coordinator)},
    {ROLE_PEER, "peer", FIELD(peer)},
    {ROLE_VIEWER, "viewer", FIELD(viewer)},
    {ROLE_OPERATOR, "operator", FIELD(operators)},
    {ROLE_ADMIN, "admin", FIELD(admin)},
};

/* What one who is named so may do besides. */
static RoleSet with_lesser(Role role)
{
    RoleSet all = role | ROLE_HEALTH;
    if (role == ROLE_ADMIN)
        all |= ROLE_OPERATOR | ROLE_VIEWER;
    if (role == ROLE_OPERATOR)
        all |= ROLE_VIEWER;
    return all;
}

void roles_write(RoleSet roles, Str *out)
{
    bool first = true;
    for (size_t i = 0; i < COUNT(named); i++)
        if (roles & named[i].role) {
            str_addf(out, "%s%s", first ? "" : " or ", named[i].name);
            first = false;
        }
}

/* ---- entries --------------------------------------------------------------------------------------------
 */

typedef enum RoleProof { BY_CERTIFICATE, BY_USER, BY_GROUP, BY_TOKEN } RoleProof;

static const struct {
    RoleProof kind;
    const char *prefix;
} kinds[] = {{BY_CERTIFICATE, "cert:"}, {BY_USER, "user:"}, {BY_GROUP, "group:"}, {BY_TOKEN, "token:"}};

typedef struct RoleEntry {
    RoleProof kind;
    RoleSet roles;
    char *name;   /* of the certificate or account; of a token its file's, without folder and ending */
    char *secret; /* token */
    uid_t uid;
    gid_t gid;
} RoleEntry;

struct RoleMap {
    RoleEntry *v;
    size_t n;
    uid_t owner;
};

static const StrList *list_of(const RoleConfig *c, size_t i)
{
    return (const StrList *)(const void *)((const char *)c + named[i].offset);
}

static bool split_entry(const char *text, RoleProof *ret_kind, const char **ret_name)
{
    for (size_t i = 0; i < COUNT(kinds); i++) {
        size_t n = strlen(kinds[i].prefix);
        if (strncmp(text, kinds[i].prefix, n) != 0 || !text[n])
            continue;
        *ret_kind = kinds[i].kind;
        *ret_name = text + n;
        return kinds[i].kind != BY_TOKEN || text[n] == '/';
    }
    return false;
}

bool roles_check(const char *path, const RoleConfig *c, Err *err)
{
    RoleProof kind;
    const char *name;
    for (size_t i = 1; i < COUNT(named); i++) {
        const StrList *l = list_of(c, i);
        AUTOFREE char *option = xasprintf("roles.%s", named[i].name);
        for (size_t k = 0; k < l->n; k++)
            if (!split_entry(l->v[k], &kind, &name))
                return conf_error(
                    err, path, option,
                    "\"%s\" names nobody: write \"cert:NAME\", \"user:NAME\", \"group:NAME\" or "
                    "\"token:/path\"",
                    l->v[k]);
    }
    return true;
}

bool token_read(const char *path, char **ret, Err *err)
{
    AUTO(str_done) Str text = STR_INIT;
    if (!fs_check_private(path, err) || !fs_read(path, 4096, &text, err))
        return false;
    size_t n = strcspn(str_z(&text), "\r\n");
    if (n < 16 ||
        strspn(str_z(&text), "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/=") < n)
        return err_set(
            err, ERR_CONFIG, 0,
            "%s holds no token: its first line must be 16 letters, digits, '-', '.', '_', '~', '+', "
            "'/' or '=' at least; openssl rand -hex 32 makes one",
            path);
    *ret = xstrndup(str_z(&text), n);
    return true;
}

static char *stem_of(const char *path)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    const char *dot = strrchr(name, '.');
    return dot && dot > name ? xstrndup(name, (size_t)(dot - name)) : xstrdup(name);
}

static bool fill_account(RoleEntry *e, const char *name, Err *err)
{
    errno = 0;
    if (e->kind == BY_USER) {
        const struct passwd *p = getpwnam(name);
        e->uid = p ? p->pw_uid : 0;
        return p || err_set(err, ERR_CONFIG, 0, "there is no user \"%s\" on this host", name);
    }
    const struct group *g = getgrnam(name);
    e->gid = g ? g->gr_gid : 0;
    return g || err_set(err, ERR_CONFIG, 0, "there is no group \"%s\" on this host", name);
}

static bool fill(RoleEntry *e, const char *text, Err *err)
{
    const char *name = NULL;
    if (!split_entry(text, &e->kind, &name))
        return err_set(err, ERR_CONFIG, 0, "\"%s\" names nobody", text);
    e->name = e->kind == BY_TOKEN ? stem_of(name) : xstrdup(name);
    if (e->kind == BY_TOKEN)
        return token_read(name, &e->secret, err);
    return e->kind == BY_CERTIFICATE || fill_account(e, name, err);
}

static RoleEntry *add_entry(RoleMap *m, RoleSet roles)
{
    m->v = xrealloc(m->v, (m->n + 1) * sizeof *m->v);
    m->v[m->n] = (RoleEntry){.roles = roles};
    return &m->v[m->n++];
}

RoleMap *roles_nobody(void)
{
    RoleMap *m = NEW(RoleMap);
    m->owner = geteuid();
    return m;
}

bool roles_load(const char *path, const RoleConfig *c, RoleMap **ret, Err *err)
{
    Err why;
    RoleMap *m = roles_nobody();
    for (size_t i = 1; i < COUNT(named); i++) {
        const StrList *l = list_of(c, i);
        for (size_t k = 0; k < l->n; k++) {
            if (fill(add_entry(m, with_lesser(named[i].role)), l->v[k], &why))
                continue;
            AUTOFREE char *option = xasprintf("roles.%s", named[i].name);
            roles_free(m);
            return conf_error(err, path, option, "%s", why.text);
        }
    }
    *ret = m;
    return true;
}

void roles_add_peer(RoleMap *m, const char *certificate)
{
    RoleEntry *e = add_entry(m, with_lesser(ROLE_PEER));
    e->kind = BY_CERTIFICATE;
    e->name = xstrdup(certificate);
}

void roles_free(RoleMap *m)
{
    if (!m)
        return;
    for (size_t i = 0; i < m->n; i++) {
        if (m->v[i].secret)
            explicit_bzero(m->v[i].secret, strlen(m->v[i].secret));
        free(m->v[i].secret);
        free(m->v[i].name);
    }
    free(m->v);
    free(m);
}

bool roles_name_accounts(const RoleMap *m)
{
    for (size_t i = 0; i < m->n; i++)
        if (m->v[i].kind == BY_USER || m->v[i].kind == BY_GROUP)
            return true;
    return false;
}

/* ---- the decision ---------------------------------------------------------------------------------------
 */

static bool has_group(const RoleCaller *caller, gid_t gid)
{
    for (size_t i = 0; i < caller->n_groups; i++)
        if (caller->groups[i] == gid)
            return true;
    return false;
}

static bool is_meant(const RoleEntry *e, const RoleCaller *caller)
{
    switch (e->kind) {
    case BY_CERTIFICATE:
        return caller->certificate && str_eq(caller->certificate, e->name);
    case BY_USER:
        return caller->is_unix && caller->uid == e->uid;
    case BY_GROUP:
        return caller->is_unix && has_group(caller, e->gid);
    case BY_TOKEN:
        return caller->token && secret_equal(caller->token, e->secret);
    }
    return false;
}

/* The account's name as /etc/passwd has it: a directory service might keep the loop waiting. */
static void name_account(uid_t uid, char who[ROLE_NAME_BYTES])
{
    FILE *f = fopen("/etc/passwd", "re");
    snprintf(who, ROLE_NAME_BYTES, "uid %lu", (unsigned long)uid);
    for (struct passwd *p; f && (p = fgetpwent(f));)
        if (p->pw_uid == uid) {
            snprintf(who, ROLE_NAME_BYTES, "%s", p->pw_name);
            break;
        }
    if (f)
        fclose(f);
}

static void name_caller(const RoleMap *m, const RoleCaller *caller, char who[ROLE_NAME_BYTES])
{
    const RoleEntry *token = NULL, *user = NULL;
    for (size_t i = 0; i < m->n; i++) {
        if (m->v[i].kind == BY_TOKEN && is_meant(&m->v[i], caller))
            token = &m->v[i];
        if (m->v[i].kind == BY_USER && is_meant(&m->v[i], caller))
            user = &m->v[i];
    }
    if (caller->certificate && *caller->certificate)
        snprintf(who, ROLE_NAME_BYTES, "certificate %s", caller->certificate);
    else if (caller->is_unix && user)
        snprintf(who, ROLE_NAME_BYTES, "%s", user->name);
    else if (caller->is_unix)
        name_account(caller->uid, who);
    else if (token)
        snprintf(who, ROLE_NAME_BYTES, "token %s", token->name);
    else
        snprintf(who, ROLE_NAME_BYTES, "nobody known");
}

RoleSet roles_of(const RoleMap *m, const RoleCaller *caller, char who[ROLE_NAME_BYTES])
{
    RoleSet all = ROLE_HEALTH;
    if (caller->is_unix && (caller->uid == 0 || caller->uid == m->owner))
        all |= with_lesser(ROLE_ADMIN);
    for (size_t i = 0; i < m->n; i++)
        if (is_meant(&m->v[i], caller))
            all |= m->v[i].roles;
    name_caller(m, caller, who);
    return all;
}
