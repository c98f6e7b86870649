/* SPDX-License-Identifier: Apache-2.0
 * Both flavours are held as sorted sources (domain, or uuid with tag), each with sorted intervals. A
 * MariaDB domain is one interval 1..seq with the server id that wrote the last.
 */
#include "gtid.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

typedef struct Interval {
    int64_t first, last;
} Interval;

typedef struct Source {
    char *id;                  /* "0" or "uuid" or "uuid:tag", lower case */
    int64_t domain, server_id; /* MariaDB */
    Interval *v;
    size_t n;
} Source;

struct Gtid {
    DbFlavor flavor;
    Source *v;
    size_t n;
};

static Gtid *gtid_new(DbFlavor flavor)
{
    Gtid *g = NEW(Gtid);
    g->flavor = flavor;
    return g;
}

void gtid_free(Gtid *g)
{
    if (!g)
        return;
    for (size_t i = 0; i < g->n; i++) {
        free(g->v[i].id);
        free(g->v[i].v);
    }
    free(g->v);
    free(g);
}

static Source *find(const Gtid *g, const char *id)
{
    for (size_t i = 0; i < g->n; i++)
        if (strcmp(g->v[i].id, id) == 0)
            return &g->v[i];
    return NULL;
}

static int by_source(const void *a, const void *b)
{
    const Source *x = a, *y = b;
    if (x->domain != y->domain)
        return x->domain < y->domain ? -1 : 1;
    return strcmp(x->id, y->id);
}

static Source *add_source(Gtid *g, const char *id)
{
    Source *s = find(g, id);
    if (s)
        return s;
    g->v = xrealloc(g->v, (g->n + 1) * sizeof *g->v);
    s = &g->v[g->n++];
    *s = (Source){.id = xstrdup(id)};
    return s;
}

static int by_first(const void *a, const void *b)
{
    const Interval *x = a, *y = b;
    return x->first < y->first ? -1 : x->first > y->first;
}

static void add_interval(Source *s, int64_t first, int64_t last)
{
    s->v = xrealloc(s->v, (s->n + 1) * sizeof *s->v);
    s->v[s->n++] = (Interval){first, last};
    qsort(s->v, s->n, sizeof *s->v, by_first);
    size_t n = 0;
    for (size_t i = 1; i < s->n; i++) {
        if (s->v[i].first - 1 <= s->v[n].last)
            s->v[n].last = s->v[i].last > s->v[n].last ? s->v[i].last : s->v[n].last;
        else
            s->v[++n] = s->v[i];
    }
    s->n = n + 1;
}

static bool bad(const char *part, Err *err)
{
    return err_set(err, ERR_USAGE, 0, "\"%.100s\" is not a GTID", part);
}

static bool parse_mariadb(Gtid *g, const char *part, Err *err)
{
    AUTO(strlist_done) StrList numbers = STRLIST_INIT;
    long long domain, server, seq;
    strlist_split(&numbers, part, '-');
    if (numbers.n != 3 || !str_to_i64(numbers.v[0], 0, UINT32_MAX, &domain) ||
        !str_to_i64(numbers.v[1], 0, UINT32_MAX, &server) || !str_to_i64(numbers.v[2], 0, INT64_MAX, &seq))
        return bad(part, err);
    AUTOFREE char *id = xasprintf("%lld", domain);
    Source *s = add_source(g, id);
    s->domain = domain;
    if (s->n == 0 || seq > s->v[0].last)
        s->server_id = server;
    add_interval(s, 1, seq);
    return true;
}

static bool is_uuid(const char *s)
{
    if (strlen(s) != 36)
        return false;
    for (int i = 0; i < 36; i++)
        if (i == 8 || i == 13 || i == 18 || i == 23 ? s[i] != '-' : !isxdigit((unsigned char)s[i]))
            return false;
    return true;
}

static bool is_tag(const char *s)
{
    if (!isalpha((unsigned char)*s) && *s != '_')
        return false;
    for (; *s; s++)
        if (!isalnum((unsigned char)*s) && *s != '_')
            return false;
    return true;
}

static void lower(char *s)
{
    for (; *s; s++)
        *s = (char)tolower((unsigned char)*s);
}

static bool parse_interval(Source *s, const char *text)
{
    AUTO(strlist_done) StrList ends = STRLIST_INIT;
    long long first, last;
    strlist_split(&ends, text, '-');
    if (ends.n < 1 || ends.n > 2 || !str_to_i64(ends.v[0], 1, INT64_MAX, &first) ||
        !str_to_i64(ends.v[ends.n - 1], first, INT64_MAX, &last))
        return false;
    add_interval(s, first, last);
    return true;
}

static bool parse_mysql(Gtid *g, const char *part, Err *err)
{
    AUTO(strlist_done) StrList words = STRLIST_INIT;
    strlist_split(&words, part, ':');
    if (words.n < 2 || !is_uuid(words.v[0]))
        return bad(part, err);
    lower(words.v[0]);
    AUTOFREE char *id = xstrdup(words.v[0]);
    for (size_t i = 1; i < words.n; i++) {
        if (is_tag(words.v[i])) {
            lower(words.v[i]);
            free(id);
            id = xasprintf("%s:%s", words.v[0], words.v[i]);
        } else if (!parse_interval(add_source(g, id), words.v[i])) {
            return bad(part, err);
        }
    }
    return true;
}

bool gtid_parse(DbFlavor flavor, const char *text, Gtid **ret, Err *err)
{
    AUTOFREE char *clean = xstrdup(text ? text : "");
    size_t n = 0;
    for (const char *p = clean; *p; p++)
        if (!isspace((unsigned char)*p))
            clean[n++] = *p;
    clean[n] = 0;
    AUTO(strlist_done) StrList parts = STRLIST_INIT;
    strlist_split(&parts, clean, ',');
    Gtid *g = gtid_new(flavor);
    bool ok = true;
    for (size_t i = 0; ok && i < parts.n; i++)
        ok = flavor == DB_MARIADB ? parse_mariadb(g, parts.v[i], err) : parse_mysql(g, parts.v[i], err);
    if (!ok) {
        gtid_free(g);
        return false;
    }
    if (g->n)
        qsort(g->v, g->n, sizeof *g->v, by_source);
    *ret = g;
    return true;
}

static void write_intervals(Str *out, const Source *s)
{
    for (size_t i = 0; i < s->n; i++) {
        str_addf(out, ":%" PRId64, s->v[i].first);
        if (s->v[i].last > s->v[i].first)
            str_addf(out, "-%" PRId64, s->v[i].last);
    }
}

char *gtid_text(const Gtid *g)
{
    Str out = STR_INIT;
    for (size_t i = 0; i < g->n; i++) {
        const Source *s = &g->v[i];
        if (i)
            str_addc(&out, ',');
        if (g->flavor == DB_MARIADB) {
            str_addf(&out, "%" PRId64 "-%" PRId64 "-%" PRId64, s->domain, s->server_id, s->v[0].last);
        } else {
            str_adds(&out, s->id);
            write_intervals(&out, s);
        }
    }
    return str_take(&out);
}

static bool covers(const Source *whole, const Interval *part)
{
    for (size_t i = 0; whole && i < whole->n; i++)
        if (whole->v[i].first <= part->first && whole->v[i].last >= part->last)
            return true;
    return false;
}

bool gtid_contains(const Gtid *whole, const Gtid *part)
{
    for (size_t i = 0; i < part->n; i++)
        for (size_t k = 0; k < part->v[i].n; k++)
            if (!covers(find(whole, part->v[i].id), &part->v[i].v[k]))
                return false;
    return true;
}

/* MariaDB: the same number written by two servers is two histories. */
static bool forked(const Gtid *a, const Gtid *b)
{
    if (a->flavor != DB_MARIADB)
        return false;
    for (size_t i = 0; i < a->n; i++) {
        const Source *s = &a->v[i], *t = find(b, s->id);
        if (t && s->v[0].last == t->v[0].last && s->server_id != t->server_id)
            return true;
    }
    return false;
}

GtidOrder gtid_compare(const Gtid *a, const Gtid *b)
{
    bool a_has_b = gtid_contains(a, b), b_has_a = gtid_contains(b, a);
    if (forked(a, b) || (!a_has_b && !b_has_a))
        return GTID_DIVERGED;
    if (a_has_b && b_has_a)
        return GTID_EQUAL;
    return a_has_b ? GTID_AFTER : GTID_BEFORE;
}

static int64_t overlap(const Source *s, const Interval *with)
{
    int64_t n = 0;
    for (size_t i = 0; s && i < s->n; i++) {
        int64_t first = s->v[i].first > with->first ? s->v[i].first : with->first;
        int64_t last = s->v[i].last < with->last ? s->v[i].last : with->last;
        if (last >= first)
            n += last - first + 1;
    }
    return n;
}

int64_t gtid_behind(const Gtid *a, const Gtid *b)
{
    int64_t n = 0;
    for (size_t i = 0; i < b->n; i++)
        for (size_t k = 0; k < b->v[i].n; k++) {
            const Interval *part = &b->v[i].v[k];
            n = i64_sum(n, part->last - part->first + 1 - overlap(find(a, b->v[i].id), part));
        }
    return n;
}

static void merge(Gtid *to, const Gtid *from)
{
    for (size_t i = 0; i < from->n; i++) {
        const Source *f = &from->v[i];
        Source *s = add_source(to, f->id);
        s->domain = f->domain;
        if (s->n == 0 || (f->n && f->v[0].last > s->v[0].last))
            s->server_id = f->server_id;
        for (size_t k = 0; k < f->n; k++)
            add_interval(s, f->v[k].first, f->v[k].last);
    }
}

Gtid *gtid_max(const Gtid *a, const Gtid *b)
{
    Gtid *g = gtid_new(a->flavor);
    merge(g, a);
    merge(g, b);
    if (g->n)
        qsort(g->v, g->n, sizeof *g->v, by_source);
    return g;
}

size_t gtid_domains(const Gtid *g)
{
    return g->flavor == DB_MYSQL && g->n > 1 ? 1 : g->n;
}

static bool parse_two(DbFlavor flavor, const char *a, const char *b, Gtid **ret_a, Gtid **ret_b)
{
    Err err;
    if (!gtid_parse(flavor, a, ret_a, &err))
        return false;
    if (gtid_parse(flavor, b, ret_b, &err))
        return true;
    gtid_free(*ret_a);
    return false;
}

GtidOrder gtid_compare_text(DbFlavor flavor, const char *a, const char *b)
{
    Gtid *x, *y;
    if (!parse_two(flavor, a, b, &x, &y))
        return GTID_DIVERGED;
    GtidOrder order = gtid_compare(x, y);
    gtid_free(x);
    gtid_free(y);
    return order;
}

int64_t gtid_behind_text(DbFlavor flavor, const char *a, const char *b)
{
    Gtid *x, *y;
    if (!parse_two(flavor, a, b, &x, &y))
        return -1;
    int64_t n = gtid_behind(x, y);
    gtid_free(x);
    gtid_free(y);
    return n;
}

char *gtid_max_text(DbFlavor flavor, const char *a, const char *b)
{
    Gtid *x, *y;
    if (!parse_two(flavor, a, b, &x, &y))
        return NULL;
    Gtid *m = gtid_max(x, y);
    char *text = gtid_text(m);
    gtid_free(x);
    gtid_free(y);
    gtid_free(m);
    return text;
}

bool gtid_entry_parse(const char *text, GtidEntry *ret)
{
    char end;
    return sscanf(text, "%" SCNu32 "-%" SCNu32 "-%" SCNu64 "%c", &ret->domain, &ret->server_id, &ret->seq,
                  &end) == 3;
}

char *gtid_entry_text(const GtidEntry *e)
{
    return xasprintf("%" PRIu32 "-%" PRIu32 "-%" PRIu64, e->domain, e->server_id, e->seq);
}

/* ---- what one server has and another lacks ----------------------------------------------------------- */

/* MariaDB's lists are of entries: the same domain comes once for each server. */
static bool parse_entries(const char *text, GtidEntry **ret, size_t *ret_n)
{
    AUTO(strlist_done) StrList parts = STRLIST_INIT;
    strlist_split(&parts, text ? text : "", ',');
    *ret = xcalloc(parts.n + 1, sizeof **ret);
    *ret_n = 0;
    for (size_t i = 0; i < parts.n; i++)
        if (!gtid_entry_parse(parts.v[i], &(*ret)[(*ret_n)++])) {
            free(STEAL(*ret));
            return false;
        }
    return true;
}

static uint64_t last_of(const GtidEntry *e, bool same_server, const GtidEntry *in, size_t n)
{
    uint64_t last = 0;
    for (size_t i = 0; i < n; i++)
        if (in[i].domain == e->domain && (!same_server || in[i].server_id == e->server_id) &&
            in[i].seq > last)
            last = in[i].seq;
    return last;
}

static void add_entry(Str *out, const GtidEntry *e)
{
    AUTOFREE char *text = gtid_entry_text(e);
    str_addf(out, "%s%s", out->len ? "," : "", text);
}

static char *entries_lacking(const char *these, const char *has, const char *replicated)
{
    size_t n, n_has, n_passed;
    Str out = STR_INIT;
    AUTOFREE GtidEntry *v = NULL;
    AUTOFREE GtidEntry *h = NULL;
    AUTOFREE GtidEntry *passed = NULL;
    if (!parse_entries(these, &v, &n) || !parse_entries(has, &h, &n_has) ||
        !parse_entries(replicated, &passed, &n_passed))
        return NULL;
    for (size_t i = 0; i < n; i++) {
        uint64_t last = last_of(&v[i], true, h, n_has);
        if (v[i].seq > (last ? last : last_of(&v[i], false, passed, n_passed)))
            add_entry(&out, &v[i]);
    }
    return str_take(&out);
}

/* What is left of `from` once the intervals of `gone` are out of it. */
static void subtract(Source *to, const Interval *from, const Source *gone)
{
    int64_t first = from->first;
    for (size_t i = 0; gone && i < gone->n && first <= from->last; i++) {
        if (gone->v[i].last < first || gone->v[i].first > from->last)
            continue;
        if (gone->v[i].first > first)
            add_interval(to, first, gone->v[i].first - 1);
        first = gone->v[i].last + 1;
    }
    if (first <= from->last)
        add_interval(to, first, from->last);
}

static char *set_lacking(DbFlavor flavor, const char *these, const char *has)
{
    Gtid *a, *b;
    if (!parse_two(flavor, these, has, &a, &b))
        return NULL;
    Gtid *rest = gtid_new(flavor);
    for (size_t i = 0; i < a->n; i++) {
        Source left = {0};
        for (size_t k = 0; k < a->v[i].n; k++)
            subtract(&left, &a->v[i].v[k], find(b, a->v[i].id));
        for (size_t k = 0; k < left.n; k++)
            add_interval(add_source(rest, a->v[i].id), left.v[k].first, left.v[k].last);
        free(left.v);
    }
    char *text = gtid_text(rest);
    gtid_free(a);
    gtid_free(b);
    gtid_free(rest);
    return text;
}

char *gtid_lacking_text(DbFlavor flavor, const char *these, const char *has, const char *replicated)
{
    return flavor == DB_MARIADB ? entries_lacking(these, has, replicated) : set_lacking(flavor, these, has);
}

char *gtid_own_text(DbFlavor flavor, const char *these, int64_t server_id)
{
    size_t n;
    Str out = STR_INIT;
    AUTOFREE GtidEntry *v = NULL;
    if (flavor != DB_MARIADB)
        return xstrdup(these ? these : "");
    if (!parse_entries(these, &v, &n))
        return NULL;
    for (size_t i = 0; i < n; i++)
        if (v[i].server_id == (uint32_t)server_id)
            add_entry(&out, &v[i]);
    return str_take(&out);
}
