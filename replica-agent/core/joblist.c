/* SPDX-License-Identifier: Apache-2.0 */
#include "joblist.h"

#include <regex.h>
#include <string.h>

#include "common/db/optionfile.h"

static bool compile(const char *pattern, regex_t *ret, Err *err)
{
    AUTOFREE char *whole = xasprintf("^(%s)$", pattern);
    int rc = regcomp(ret, whole, REG_EXTENDED | REG_NOSUB);
    if (rc == 0)
        return true;
    char why[200];
    regerror(rc, ret, why, sizeof why);
    return err_set(err, ERR_CONFIG, 0, "the pattern \"%s\" is not a regular expression: %s", pattern, why);
}

bool joblist_check_pattern(const char *pattern, Err *err)
{
    regex_t re;
    if (!compile(pattern, &re, err))
        return false;
    regfree(&re);
    return true;
}

static bool matches_one(const char *arg, const StrList *allow)
{
    for (size_t i = 0; i < allow->n; i++) {
        regex_t re;
        Err ignored;
        if (!compile(allow->v[i], &re, &ignored))
            continue;
        /* A newline would let REG_EXTENDED's $ match early on some libcs. */
        bool ok = !strchr(arg, '\n') && regexec(&re, arg, 0, NULL, 0) == 0;
        regfree(&re);
        if (ok)
            return true;
    }
    return false;
}

static void describe(const StrList *allow, Str *out)
{
    if (!allow->n) {
        str_adds(out, "it takes none (its allow_args is empty)");
        return;
    }
    str_adds(out, "allowed are");
    for (size_t i = 0; i < allow->n; i++)
        str_addf(out, "%s %s", i ? "," : "", allow->v[i]);
}

bool joblist_check_args(const char *job, const StrList *args, const StrList *allow, Err *err)
{
    for (size_t i = 0; i < args->n; i++)
        if (!matches_one(args->v[i], allow)) {
            AUTO(str_done) Str what = STR_INIT;
            describe(allow, &what);
            return err_set(err, ERR_REFUSED, 0, "job \"%s\" may not be given the argument \"%.100s\": %s",
                           job, args->v[i], str_z(&what));
        }
    return true;
}

static const char *value_in(const StrList *env, const char *name, size_t n)
{
    for (size_t i = 0; n && i < env->n; i++)
        if (strncmp(env->v[i], name, n) == 0 && env->v[i][n] == '=')
            return env->v[i] + n + 1;
    return NULL;
}

char *joblist_expand(const char *arg, const StrList *env)
{
    AUTO(str_done) Str out = STR_INIT;
    while (*arg) {
        const char *end = *arg == '{' ? strchr(arg, '}') : NULL;
        const char *value = end ? value_in(env, arg + 1, (size_t)(end - arg - 1)) : NULL;
        if (value)
            str_adds(&out, value);
        else
            str_addc(&out, *arg);
        arg = value ? end + 1 : arg + 1;
    }
    return xstrdup(str_z(&out));
}

/* ---- option files --------------------------------------------------------------------------------- */

void client_cnf_done(ClientCnf *c)
{
    char *const owned[] = {c->user, c->password, c->host, c->socket, c->port};
    for (size_t i = 0; i < COUNT(owned); i++)
        free(owned[i]);
    *c = (ClientCnf){0};
}

static bool take_setting(void *arg, const OptionLine *line)
{
    ClientCnf *c = arg;
    const struct {
        const char *key;
        char **to;
    } keys[] = {{"user", &c->user},
                {"password", &c->password},
                {"host", &c->host},
                {"socket", &c->socket},
                {"port", &c->port}};
    for (size_t i = 0; str_eq(line->group, "client") && i < COUNT(keys); i++)
        if (line->value && str_eq(line->key, keys[i].key)) {
            free(*keys[i].to);
            *keys[i].to = xstrdup(line->value);
        }
    return true;
}

void client_cnf_parse(const char *text, ClientCnf *ret)
{
    optionfile_each(text, take_setting, ret);
}

static void add_value(Str *out, const char *key, const char *value)
{
    if (!value || !*value)
        return;
    str_addf(out, "%s=\"", key);
    static const char special[] = "\\\"\b\t\n\r", codes[] = "\\\"btnr";
    for (; *value; value++) {
        const char *at = strchr(special, *value);
        if (at)
            str_addf(out, "\\%c", codes[at - special]);
        else
            str_addc(out, *value);
    }
    str_adds(out, "\"\n");
}

void client_cnf_write(Str *out, const ClientCnf *c)
{
    str_adds(out, "[client]\n");
    add_value(out, "user", c->user);
    add_value(out, "password", c->password);
    add_value(out, "socket", c->socket);
    add_value(out, "host", c->host);
    add_value(out, "port", c->port);
}
