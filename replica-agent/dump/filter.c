/* SPDX-License-Identifier: Apache-2.0 */
#include "filter.h"

#include <string.h>

static bool compile(const StrList *texts, const char *option, regex_t **ret, size_t *ret_n, Err *err)
{
    *ret = xcalloc(texts->n + 1, sizeof(regex_t));
    for (size_t i = 0; i < texts->n; i++) {
        int rc = regcomp(&(*ret)[i], texts->v[i], REG_EXTENDED | REG_NOSUB);
        if (rc) {
            char why[120];
            regerror(rc, &(*ret)[i], why, sizeof why);
            return err_set(err, ERR_USAGE, 0, "option --%s: \"%s\" is not a regular expression: %s", option,
                           texts->v[i], why);
        }
        ++*ret_n;
    }
    return true;
}

static void take_database(StrList *databases, const char *table)
{
    const char *dot = strchr(table, '.');
    AUTOFREE char *name = xstrndup(table, (size_t)(dot - table));
    if (!strlist_has(databases, name))
        strlist_add(databases, name);
}

/* Tables name their databases, where none is named otherwise. */
static bool take_tables(Filter *f, const StrList *tables, Err *err)
{
    bool own = f->databases.n == 0;
    for (size_t i = 0; i < tables->n; i++) {
        const char *dot = strchr(tables->v[i], '.');
        if (!dot || dot == tables->v[i] || !dot[1])
            return err_set(err, ERR_USAGE, 0, "option --table: \"%s\" is no DATABASE.TABLE", tables->v[i]);
        strlist_add(&f->tables, tables->v[i]);
        if (own)
            take_database(&f->databases, tables->v[i]);
    }
    return true;
}

bool filter_init(Filter *f, const StrList *databases, const StrList *tables, const StrList *matches,
                 const StrList *excludes, Err *err)
{
    *f = (Filter){0};
    for (size_t i = 0; i < databases->n; i++)
        strlist_add(&f->databases, databases->v[i]);
    return take_tables(f, tables, err) && compile(matches, "match", &f->matches, &f->n_matches, err) &&
           compile(excludes, "exclude", &f->excludes, &f->n_excludes, err);
}

static void free_all(regex_t *r, size_t n)
{
    for (size_t i = 0; i < n; i++)
        regfree(&r[i]);
    free(r);
}

void filter_done(Filter *f)
{
    strlist_done(&f->databases);
    strlist_done(&f->tables);
    free_all(f->matches, f->n_matches);
    free_all(f->excludes, f->n_excludes);
    *f = (Filter){0};
}

static bool any(const regex_t *r, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (regexec(&r[i], name, 0, NULL, 0) == 0)
            return true;
    return false;
}

bool filter_wants(const Filter *f, const char *database, const char *table)
{
    AUTOFREE char *name = xasprintf("%s.%s", database, table);
    return (!f->tables.n || strlist_has(&f->tables, name)) &&
           (!f->n_matches || any(f->matches, f->n_matches, name)) && !any(f->excludes, f->n_excludes, name);
}

bool filter_is_partial(const Filter *f)
{
    return f->tables.n || f->n_matches;
}
