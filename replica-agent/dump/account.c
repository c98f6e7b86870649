/* SPDX-License-Identifier: Apache-2.0 */
#include "account.h"

#include <string.h>

#include "common/db/db.h"

void account_done(Account *a)
{
    free(a->user);
    free(a->host);
    *a = (Account){0};
}

void account_quote(Str *out, const Account *a)
{
    db_quote_str(out, a->user, strlen(a->user));
    if (!a->host)
        return;
    str_addc(out, '@');
    db_quote_str(out, a->host, strlen(a->host));
}

bool account_same(const Account *a, const Account *b)
{
    return str_eq(a->user, b->user) && str_eq(a->host, b->host);
}

/* ---- quotes --------------------------------------------------------------------------------------- */

/* Behind what is quoted at p; NULL: it does not end. */
static const char *quoted_end(const char *p)
{
    char quote = *p++;
    for (; *p; p++) {
        if (*p == '\\' && quote != '`' && p[1])
            p++;
        else if (*p == quote && p[1] == quote)
            p++;
        else if (*p == quote)
            return p + 1;
    }
    return NULL;
}

static bool is_quote(char c)
{
    return c == '\'' || c == '"' || c == '`';
}

/* The first place of `words` outside of quotes. */
static const char *find_bare(const char *sql, const char *words)
{
    size_t n = strlen(words);
    for (const char *p = sql; p && *p; p = is_quote(*p) ? quoted_end(p) : p + 1)
        if (strncmp(p, words, n) == 0)
            return p;
    return NULL;
}

static void add_unescaped(Str *out, char quote, const char *p)
{
    if (quote == '`' || *p != '\\') {
        str_addc(out, *p);
        return;
    }
    static const char from[] = "0nrtZ", to[] = "\0\n\r\t\032";
    const char *at = p[1] ? strchr(from, p[1]) : NULL;
    str_addc(out, at ? to[at - from] : p[1]);
}

/* A name in quotes, or a word. */
static char *read_name(const char *p, const char **ret_end)
{
    AUTO(str_done) Str name = STR_INIT;
    str_adds(&name, "");
    if (!is_quote(*p)) {
        size_t n = strcspn(p, " @,;()`'\"\t\r\n");
        *ret_end = p + n;
        return n ? xstrndup(p, n) : NULL;
    }
    char quote = *p;
    const char *end = quoted_end(p);
    if (!end)
        return NULL;
    for (p++; p < end - 1; p++) {
        add_unescaped(&name, quote, p);
        if (*p == quote || (*p == '\\' && quote != '`'))
            p++;
    }
    *ret_end = end;
    return xstrdup(str_z(&name));
}

bool account_read(const char *text, Account *ret, const char **ret_end)
{
    const char *end;
    Account a = {.user = read_name(text, &end)};
    if (!a.user)
        return false;
    if (*end == '@' && !(a.host = read_name(end + 1, &end))) {
        account_done(&a);
        return false;
    }
    *ret = a;
    if (ret_end)
        *ret_end = end;
    return true;
}

/* ---- statements ----------------------------------------------------------------------------------- */

static const char *behind(const char *sql, const char *words)
{
    return str_starts(sql, words) ? sql + strlen(words) : NULL;
}

bool account_made_by(const char *sql, Account *ret)
{
    const char *at = behind(sql, "CREATE USER ");
    if (!at)
        at = behind(sql, "CREATE ROLE ");
    if (at && behind(at, "IF NOT EXISTS "))
        at = behind(at, "IF NOT EXISTS ");
    return at && account_read(at, ret, NULL);
}

/* The first place of the word that an account follows: some servers do not quote columns. */
static bool read_behind(const char *sql, const char *word, Account *ret)
{
    const char *end;
    for (const char *at = find_bare(sql, word); at; at = find_bare(at + 1, word)) {
        if (!account_read(at + strlen(word), ret, &end))
            continue;
        if (!*end || *end == ' ')
            return true;
        account_done(ret);
    }
    return false;
}

bool account_changed_by(const char *sql, Account *ret)
{
    const char *alter = behind(sql, "ALTER USER ");
    if (alter)
        return account_read(alter, ret, NULL);
    if (str_starts(sql, "GRANT "))
        return read_behind(sql, " TO ", ret);
    if (str_starts(sql, "REVOKE "))
        return read_behind(sql, " FROM ", ret);
    return str_starts(sql, "SET DEFAULT ROLE ") && read_behind(sql, " FOR ", ret);
}

char *account_create(const char *sql, char **ret_roles)
{
    static const char roles_word[] = " DEFAULT ROLE ";
    const char *name = behind(sql, "CREATE USER "), *roles = find_bare(sql, roles_word);
    AUTO(str_done) Str out = STR_INIT;
    *ret_roles = NULL;
    if (name && !behind(name, "IF NOT EXISTS "))
        str_adds(&out, "CREATE USER IF NOT EXISTS ");
    else
        name = sql;
    if (!roles) {
        str_adds(&out, name);
        return str_take(&out);
    }
    const char *list = roles + sizeof roles_word - 1, *end = find_bare(list, " ");
    if (!end)
        end = list + strlen(list);
    *ret_roles = xstrndup(list, (size_t)(end - list));
    str_add(&out, name, (size_t)(roles - name));
    str_adds(&out, end);
    return str_take(&out);
}

char *account_grant(const char *sql)
{
    const char *from = find_bare(sql, " IDENTIFIED "), *end = NULL;
    static const char *const next[] = {" REQUIRE ", " WITH "};
    if (!from)
        return xstrdup(sql);
    for (size_t i = 0; i < COUNT(next) && !end; i++)
        end = find_bare(from, next[i]);
    return xasprintf("%.*s%s", (int)(from - sql), sql, end ? end : "");
}
