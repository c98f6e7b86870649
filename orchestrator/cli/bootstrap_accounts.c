/* SPDX-License-Identifier: Apache-2.0
 * Accounts on the servers and their option files here. A password that works somewhere is never replaced but
 * by a rotation, in which the old and the new one are valid together until all files are where they belong.
 */
#include <stdio.h>
#include <string.h>

#include "bootstrap_impl.h"
#include "common/base/password.h"
#include "common/db/passhash.h"
#include "common/file/fs.h"

enum { PASSWORD_BYTES = 24, FILE_BYTES = 1 << 16 };

const BootstrapAccount bootstrap_accounts[] = {
    {"siding", "coordinator.cnf"}, {"siding_agent", "agent.cnf"}, {"siding_rescue", "rescue.cnf"},
    {"siding_job", "job.cnf"},     {"siding_load", "load.cnf"},   {NULL, NULL},
};

/* At the addresses of hosts that were invited, and so not among those that a rotation finds. */
static const BootstrapAccount reader = {"siding_provision", "provision.cnf"};

/* ---- what is there ---------------------------------------------------------------------------------- */

/* An account at one host, as the server has it. */
typedef struct Stored {
    bool exists, has_other; /* has_other: a rotation is under way */
    PassMatch match;        /* with the password asked about */
    char *hash;
} Stored;

static void stored_done(Stored *s)
{
    free(s->hash);
    *s = (Stored){0};
}

static bool read_stored(Bootstrap *b, const char *account, const char *host, const char *password,
                        Stored *ret, Err *err)
{
    DbRows *r;
    bool more = false;
    if (!db_query(b->db, &r, err, b->flavor->password_sql, "ss", account, host))
        return false;
    bool ok = db_next(r, &more, err);
    if (ok && more) {
        size_t n = 0;
        const char *hash = db_field(r, 1, &n);
        *ret = (Stored){.exists = true,
                        .has_other = *db_text(r, "other") != 0,
                        .match = passhash_match(db_text(r, "plugin"), hash ? hash : "", n, password),
                        .hash = xstrndup(hash ? hash : "", n)};
    }
    db_rows_free(r);
    return ok;
}

static bool exists_anywhere(Bootstrap *b, const char *account, bool *ret, Err *err)
{
    int64_t n;
    if (!db_value_int(b->db, &n, err, "SELECT COUNT(*) FROM mysql.user WHERE User=?", "s", account))
        return false;
    *ret = n > 0;
    return true;
}

static bool is_used(const Flavor *f, const char *account)
{
    const FlavorGrant *g = f->grants;
    while (g->account && strcmp(g->account, account) != 0)
        g++;
    return g->account != NULL;
}

/* ---- option files ----------------------------------------------------------------------------------- */

/* The value of `password` in an option file written by an earlier bootstrap or by a person. */
static char *password_in(const char *text)
{
    AUTO(strlist_done) StrList lines = STRLIST_INIT;
    strlist_split(&lines, text, '\n');
    for (size_t i = 0; i < lines.n; i++) {
        const char *p = lines.v[i] + strspn(lines.v[i], " \t");
        if (!str_starts(p, "password"))
            continue;
        p += strlen("password");
        p += strspn(p, " \t=");
        size_t n = strcspn(p, "\r\n");
        if (n >= 2 && (*p == '"' || *p == '\'') && p[n - 1] == *p)
            return xstrndup(p + 1, n - 2);
        return xstrndup(p, n);
    }
    return NULL;
}

/* NULL: there is no such file. */
static bool read_password(const char *path, char **ret, Err *err)
{
    AUTO(str_done) Str text = STR_INIT;
    *ret = NULL;
    if (!fs_exists(path))
        return true;
    if (!fs_check_private(path, err) || !fs_read(path, FILE_BYTES, &text, err))
        return false;
    *ret = password_in(str_z(&text));
    return *ret ||
           err_set(err, ERR_CONFIG, 0, "%s holds no password line: remove the file to have one made", path);
}

static bool write_password(Bootstrap *b, const char *path, const char *account, char **ret, Err *err)
{
    AUTO(str_done) Str text = STR_INIT;
    char password[PASSWORD_BYTES + 1];
    random_password(password, PASSWORD_BYTES);
    str_addf(&text, "[client]\nuser=%s\npassword=%s\n", account, password);
    if (!b->plan.dry_run &&
        (!fs_mkdirs(b->cfg->credentials_dir, 0700, err) || !fs_replace(path, text.p, text.len, 0600, err)))
        return false;
    *ret = xstrdup(password);
    return true;
}

static char *path_of(const Bootstrap *b, const BootstrapAccount *a, const char *suffix)
{
    return xasprintf("%s/%s%s", b->cfg->credentials_dir, a->file, suffix);
}

/* ---- statements ------------------------------------------------------------------------------------- */

void bootstrap_quote_account(Str *out, const char *account, const char *host)
{
    db_quote_str(out, account, strlen(account));
    if (!*host) /* a role */
        return;
    str_addc(out, '@');
    db_quote_str(out, host, strlen(host));
}

/* A session of the account that applies kept transactions is steered by its password alone, and what fills a
 * new host is all there is: nobody shall read them on the way. */
static const char *demand_of(const char *account, const char *host)
{
    bool ours = strcmp(account, "siding_rescue") == 0 || strcmp(account, reader.account) == 0;
    return ours && strcmp(host, "localhost") != 0 ? " REQUIRE SSL" : "";
}

static bool create(Bootstrap *b, const char *account, const char *host, const char *password, Err *err)
{
    AUTO(str_done) Str sql = STR_INIT;
    str_adds(&sql, "CREATE USER IF NOT EXISTS ");
    bootstrap_quote_account(&sql, account, host);
    AUTOFREE char *shown = xasprintf("%s IDENTIFIED BY '…'%s", sql.p, demand_of(account, host));
    b->flavor->identified(&sql, password);
    str_adds(&sql, demand_of(account, host));
    return bootstrap_do(b, sql.p, shown, err);
}

static bool alter(Bootstrap *b, const char *account, const char *host,
                  void (*how)(Str *, const char *, const char *), const char *password, const char *hash,
                  Err *err)
{
    AUTO(str_done) Str sql = STR_INIT;
    str_adds(&sql, "ALTER USER ");
    bootstrap_quote_account(&sql, account, host);
    AUTOFREE char *shown = xasprintf("%s …", sql.p);
    how(&sql, password, hash);
    return bootstrap_do(b, sql.p, shown, err);
}

static bool demand_ssl(Bootstrap *b, const char *account, const char *host, Err *err)
{
    AUTO(str_done) Str sql = STR_INIT;
    if (!*demand_of(account, host))
        return true;
    str_adds(&sql, "ALTER USER ");
    bootstrap_quote_account(&sql, account, host);
    str_adds(&sql, demand_of(account, host));
    return bootstrap_do(b, sql.p, NULL, err);
}

/* In GRANT a database is a pattern: _ and % in its name are escaped. */
static void quote_database_pattern(Str *out, const char *name)
{
    AUTO(str_done) Str pattern = STR_INIT;
    for (; *name; name++) {
        if (*name == '_' || *name == '%')
            str_addc(&pattern, '\\');
        str_addc(&pattern, *name);
    }
    db_quote_id(out, str_z(&pattern));
}

static bool grant_on(Bootstrap *b, const FlavorGrant *g, const char *who, const char *database, Err *err)
{
    AUTO(str_done) Str sql = STR_INIT;
    str_addf(&sql, "GRANT %s ON ", g->privileges);
    if (!database)
        str_adds(&sql, g->on);
    else if (strcmp(database, "*") == 0)
        str_adds(&sql, "*.*");
    else {
        quote_database_pattern(&sql, database);
        str_adds(&sql, ".*");
    }
    str_addf(&sql, " TO %s", who);
    return bootstrap_do(b, sql.p, NULL, err);
}

static bool grant(Bootstrap *b, const FlavorGrant *g, const char *who, Err *err)
{
    const StrList *databases = strcmp(g->on, "READ") == 0   ? &b->cfg->grants.read
                               : strcmp(g->on, "LOAD") == 0 ? &b->cfg->grants.load
                                                            : NULL;
    if (!databases)
        return grant_on(b, g, who, NULL, err);
    for (size_t i = 0; i < databases->n; i++)
        if (!grant_on(b, g, who, databases->v[i], err))
            return false;
    return true;
}

/* Every database is the server's own as well, with the passwords in it. */
static void warn_of_everything(Bootstrap *b)
{
    if (!b->plan.dry_run &&
        (strlist_has(&b->cfg->grants.load, "*") || strlist_has(&b->cfg->grants.read, "*")))
        str_adds(b->out,
                 "note: grants of \"*\" reach the server's own databases too; name yours in grants.read and "
                 "grants.load unless this is a sandbox\n");
}

static bool grant_all(Bootstrap *b, const char *account, const char *host, Err *err)
{
    AUTO(str_done) Str who = STR_INIT;
    bootstrap_quote_account(&who, account, host);
    for (const FlavorGrant *g = b->flavor->grants; g->account; g++)
        if (strcmp(g->account, account) == 0 && !grant(b, g, who.p, err))
            return false;
    if (!b->plan.dry_run)
        str_addf(b->out, "account %s\n", who.p);
    return true;
}

/* ---- making ----------------------------------------------------------------------------------------- */

static bool is_another(const BootstrapAccount *a, const char *host, const char *path, bool has_file, Err *err)
{
    return err_set(
        err, ERR_REFUSED, 0,
        "account %s%s%s is there already, and %s %s: copy %s from the host where bootstrap made it, "
        "or %s",
        a->account, host ? "@" : "", host ? host : "", path,
        has_file ? "holds another password than it has" : "is not", a->file,
        a == &reader ? "drop the account on the primary"
                     : "give all hosts new passwords with siding bootstrap --rotate");
}

/* Before anything is changed. */
static bool check_account(Bootstrap *b, const BootstrapAccount *a, Err *err)
{
    AUTOFREE char *path = path_of(b, a, ""), *password = NULL;
    bool there;
    if (!read_password(path, &password, err) || !exists_anywhere(b, a->account, &there, err))
        return false;
    if (!password)
        return !there || is_another(a, NULL, path, false, err);
    for (size_t i = 0; i < b->cfg->grants.hosts.n; i++) {
        AUTO(stored_done) Stored s = {0};
        if (!read_stored(b, a->account, b->cfg->grants.hosts.v[i], password, &s, err))
            return false;
        if (s.exists && s.match == PASS_DIFFERS)
            return is_another(a, b->cfg->grants.hosts.v[i], path, true, err);
    }
    return true;
}

static bool make_at(Bootstrap *b, const BootstrapAccount *a, const char *host, const char *password, Err *err)
{
    AUTO(stored_done) Stored s = {0};
    if (!read_stored(b, a->account, host, password, &s, err))
        return false;
    return (s.exists ? demand_ssl(b, a->account, host, err) : create(b, a->account, host, password, err)) &&
           grant_all(b, a->account, host, err);
}

static bool make_account(Bootstrap *b, const BootstrapAccount *a, Err *err)
{
    AUTOFREE char *path = path_of(b, a, ""), *password = NULL;
    if (!read_password(path, &password, err))
        return false;
    if (!password) {
        if (!write_password(b, path, a->account, &password, err))
            return false;
        if (!b->plan.dry_run)
            str_addf(b->out, "wrote %s\n", path);
    }
    for (size_t i = 0; i < b->cfg->grants.hosts.n; i++)
        if (!make_at(b, a, b->cfg->grants.hosts.v[i], password, err))
            return false;
    return true;
}

static bool each_account(Bootstrap *b, bool (*what)(Bootstrap *, const BootstrapAccount *, Err *), Err *err)
{
    for (const BootstrapAccount *a = bootstrap_accounts; a->account; a++)
        if (is_used(b->flavor, a->account) && !what(b, a, err))
            return false;
    return true;
}

bool bootstrap_make_accounts(Bootstrap *b, Err *err)
{
    warn_of_everything(b);
    return each_account(b, check_account, err) && each_account(b, make_account, err);
}

bool bootstrap_make_reader(Bootstrap *b, Err *err)
{
    SidingConfig there = *b->cfg;
    char *host[] = {(char *)b->plan.reader_host, NULL};
    there.grants.hosts = (StrList){.v = host, .n = 1};
    Bootstrap own = *b;
    own.cfg = &there;
    return check_account(&own, &reader, err) && make_account(&own, &reader, err);
}

/* ---- rotation --------------------------------------------------------------------------------------- */

/* Cut off after this one has been done, the next call finds the new password valid already. */
static bool rotate_at(Bootstrap *b, const BootstrapAccount *a, const char *host, const char *password,
                      Err *err)
{
    AUTO(stored_done) Stored s = {0};
    if (!read_stored(b, a->account, host, password, &s, err))
        return false;
    if (!s.exists)
        return create(b, a->account, host, password, err) && grant_all(b, a->account, host, err);
    if (s.match == PASS_MATCHES)
        return true;
    if (s.has_other)
        return err_set(
            err, ERR_REFUSED, 0,
            "the last rotation of %s@%s is not ended: copy the files of %s to their hosts, then run siding "
            "bootstrap --end-rotation",
            a->account, host, b->cfg->credentials_dir);
    return alter(b, a->account, host, b->flavor->add_password, password, s.hash, err);
}

static bool rotate_account(Bootstrap *b, const BootstrapAccount *a, Err *err)
{
    AUTOFREE char *path = path_of(b, a, ""), *next = path_of(b, a, ".new"), *password = NULL;
    if (!read_password(next, &password, err) ||
        (!password && !write_password(b, next, a->account, &password, err)))
        return false;
    for (size_t i = 0; i < b->cfg->grants.hosts.n; i++)
        if (!rotate_at(b, a, b->cfg->grants.hosts.v[i], password, err))
            return false;
    if (b->plan.dry_run)
        return true;
    if (rename(next, path) < 0 || !fs_sync_dir(b->cfg->credentials_dir, err))
        return err_set(err, ERR_IO, 0, "cannot put %s in place of %s", next, path);
    str_addf(b->out, "new password of %s in %s\n", a->account, path);
    return true;
}

bool bootstrap_rotate(Bootstrap *b, Err *err)
{
    if (!each_account(b, rotate_account, err))
        return false;
    str_addf(b->out,
             "old and new passwords are both valid. Now copy the files of %s to where the configurations of "
             "the hosts "
             "name them (coordinator.cnf: the coordinators; the others: every database host); programs read "
             "them at "
             "their next login. Then: siding bootstrap --end-rotation\n",
             b->cfg->credentials_dir);
    return true;
}

static bool end_at(Bootstrap *b, const BootstrapAccount *a, const char *host, const char *password, Err *err)
{
    AUTO(stored_done) Stored s = {0};
    if (!read_stored(b, a->account, host, password, &s, err))
        return false;
    if (!s.has_other)
        return true;
    if (s.match != PASS_MATCHES)
        return err_set(err, ERR_REFUSED, 0,
                       "the new password of %s@%s is not that of %s/%s: nothing is taken away", a->account,
                       host, b->cfg->credentials_dir, a->file);
    return alter(b, a->account, host, b->flavor->drop_password, password, s.hash, err);
}

static bool end_account(Bootstrap *b, const BootstrapAccount *a, Err *err)
{
    AUTOFREE char *path = path_of(b, a, ""), *password = NULL;
    if (!read_password(path, &password, err))
        return false;
    if (!password)
        return err_set(err, ERR_NOT_FOUND, 0, "%s is not here: end the rotation where it began", path);
    for (size_t i = 0; i < b->cfg->grants.hosts.n; i++)
        if (!end_at(b, a, b->cfg->grants.hosts.v[i], password, err))
            return false;
    return true;
}

bool bootstrap_end_rotation(Bootstrap *b, Err *err)
{
    if (!each_account(b, end_account, err))
        return false;
    if (!b->plan.dry_run)
        str_adds(b->out, "the old passwords are valid no more\n");
    return true;
}
