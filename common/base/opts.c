/* SPDX-License-Identifier: Apache-2.0
 * Option tables over getopt_long: the same rows parse the words and print --help.
 */
#include "opts.h"

#include <ctype.h>
#include <getopt.h>
#include <string.h>

#include "clock.h"

enum { CODE_HELP = 1000, CODE_VERSION, CODE_FIRST, HELP_WIDTH = 100, HELP_INDENT = 30 };

static void *field(const Opt *o, void *s)
{
    return (char *)s + o->offset;
}

static size_t rows(const Opt *table)
{
    size_t n = 0;
    while (table[n].name)
        n++;
    return n;
}

bool opts_parse_size(const char *text, int64_t *ret_bytes)
{
    static const char units[] = "KMGTP";
    size_t digits = strspn(text, "0123456789");
    AUTOFREE char *number = xstrndup(text, digits);
    const char *unit = text + digits;
    int shift = 0;
    if (*unit) {
        const char *u = strchr(units, toupper((unsigned char)*unit));
        if (!u)
            return false;
        shift = (int)(u - units + 1) * 10;
        unit++;
        if (str_eq(unit, "iB") || str_eq(unit, "B"))
            unit = "";
    }
    long long n;
    if (*unit || !str_to_i64(number, 0, INT64_MAX >> shift, &n))
        return false;
    *ret_bytes = (int64_t)n << shift;
    return true;
}

static bool in_limits(const Opt *o, int64_t n, const char *text, Err *err)
{
    if ((o->min || o->max) && (n < o->min || n > o->max))
        return err_set(err, ERR_USAGE, 0, "option --%s: %s is outside %lld to %lld", o->name, text,
                       (long long)o->min, (long long)o->max);
    return true;
}

static bool set_number(const Opt *o, const char *text, void *s, Err *err)
{
    static const char *const words[] = {
        [OPT_INT] = "a whole number",
        [OPT_DURATION] = "a duration such as 90s, 15m or 6h",
        [OPT_SIZE] = "a size such as 4096, 64M or 1G",
    };
    int64_t n = 0;
    long long whole = 0;
    bool ok = o->type == OPT_INT        ? str_to_i64(text, INT64_MIN, INT64_MAX, &whole)
              : o->type == OPT_DURATION ? clock_parse_duration(text, &n)
                                        : opts_parse_size(text, &n);
    if (!ok)
        return err_set(err, ERR_USAGE, 0, "option --%s: \"%s\" is not %s", o->name, text, words[o->type]);
    n = o->type == OPT_INT ? whole : n;
    if (!in_limits(o, n, text, err))
        return false;
    *(int64_t *)field(o, s) = n;
    return true;
}

static bool set(const Opt *o, const char *text, void *s, Err *err)
{
    switch (o->type) {
    case OPT_FLAG:
        *(bool *)field(o, s) = true;
        return true;
    case OPT_STR:
        free(*(char **)field(o, s));
        *(char **)field(o, s) = xstrdup(text);
        return true;
    case OPT_STRS:
        strlist_add(field(o, s), text);
        return true;
    default:
        return set_number(o, text, s, err);
    }
}

static bool set_fallbacks(const Opt *table, void *s, Err *err)
{
    for (const Opt *o = table; o->name; o++) {
        if (!o->fallback)
            continue;
        if (o->type == OPT_STRS)
            strlist_split(field(o, s), o->fallback, ',');
        else if (!set(o, o->fallback, s, err))
            return false;
    }
    return true;
}

static bool unknown(const Opt *table, const char *word, Err *err)
{
    AUTOFREE char *name = xstrndup(word + 2, strcspn(word + 2, "="));
    StrList known = STRLIST_INIT;
    for (const Opt *o = table; o->name; o++)
        strlist_add(&known, o->name);
    strlist_add(&known, "help");
    strlist_add(&known, "version");
    const char *near = str_nearest(name, (const char *const *)known.v);
    if (near)
        err_set(err, ERR_USAGE, 0, "unknown option --%s; did you mean --%s?", name, near);
    else
        err_set(err, ERR_USAGE, 0, "unknown option --%s; --help lists them", name);
    strlist_done(&known);
    return false;
}

static bool refuse(const Opt *table, int code, char **argv, int at, Err *err)
{
    const char *word = argv[at];
    bool is_long = str_starts(word, "--");
    if (code == ':')
        return is_long ? err_set(err, ERR_USAGE, 0, "option %s needs a value", word)
                       : err_set(err, ERR_USAGE, 0, "option -%c needs a value", optopt);
    if (!is_long)
        return err_set(err, ERR_USAGE, 0, "unknown option -%c; --help lists them", optopt);
    if (optopt) /* getopt_long tells a known flag that was given a value by its code */
        return err_set(err, ERR_USAGE, 0, "option %.*s takes no value", (int)strcspn(word, "="), word);
    return unknown(table, word, err);
}

static struct option *getopt_rows(const Opt *table, bool posix, Str *letters)
{
    size_t n = rows(table);
    struct option *longs = xcalloc(n + 3, sizeof *longs);
    str_adds(letters, posix ? "+:" : "-:");
    for (size_t i = 0; i < n; i++) {
        const Opt *o = &table[i];
        bool value = o->type != OPT_FLAG;
        longs[i] =
            (struct option){o->name, value ? required_argument : no_argument, NULL, CODE_FIRST + (int)i};
        if (o->letter)
            str_addf(letters, "%c%s", o->letter, value ? ":" : "");
    }
    longs[n] = (struct option){"help", no_argument, NULL, CODE_HELP};
    longs[n + 1] = (struct option){"version", no_argument, NULL, CODE_VERSION};
    return longs;
}

static const Opt *row_of(const Opt *table, int code)
{
    if (code >= CODE_FIRST)
        return &table[code - CODE_FIRST];
    for (const Opt *o = table; o->name; o++)
        if (o->letter == code)
            return o;
    return NULL;
}

static bool parse_words(const Opt *table, int argc, char **argv, bool posix, void *s, StrList *words,
                        StrList *rest, OptSpecial *special, Err *err)
{
    AUTO(str_done) Str letters = STR_INIT;
    AUTOFREE struct option *longs = getopt_rows(table, posix, &letters);
    bool dashes = false;
    opterr = 0;
    optind = 0; /* glibc: forget an earlier parse */
    for (;;) {
        int at = optind ? optind : 1;
        int code = getopt_long(argc, argv, str_z(&letters), longs, NULL);
        if (code == -1) {
            dashes = at < argc && optind == at + 1 && str_eq(argv[at], "--");
            break;
        }
        if (code == 1) {
            strlist_add(words, optarg);
        } else if (code == CODE_HELP || code == CODE_VERSION) {
            *special = code == CODE_HELP ? OPT_HELP : OPT_VERSION;
            return true;
        } else {
            const Opt *o = code == '?' || code == ':' ? NULL : row_of(table, code);
            if (!o)
                return refuse(table, code, argv, at, err);
            if (!set(o, optarg, s, err))
                return false;
        }
    }
    for (int i = optind; i < argc; i++)
        strlist_add(dashes && rest ? rest : words, argv[i]);
    return true;
}

bool opts_parse(const Opt *table, int argc, char **argv, bool posix, void *s, StrList *words, StrList *rest,
                OptSpecial *ret, Err *err)
{
    OptSpecial special = OPT_RUN;
    if (!set_fallbacks(table, s, err) ||
        !parse_words(table, argc, argv, posix, s, words, rest, &special, err)) {
        opts_free(table, s);
        return false;
    }
    *ret = special;
    return true;
}

void opts_free(const Opt *table, void *s)
{
    for (const Opt *o = table; o->name; o++) {
        if (o->type == OPT_STR) {
            free(*(char **)field(o, s));
            *(char **)field(o, s) = NULL;
        } else if (o->type == OPT_STRS) {
            strlist_done(field(o, s));
        }
    }
}

static void wrap(Str *out, const char *text, size_t column, size_t indent)
{
    while (*text) {
        size_t n = strcspn(text, " \n");
        if (column > indent && column + 1 + n > HELP_WIDTH) {
            str_addf(out, "\n%*s", (int)indent, "");
            column = indent;
        } else if (column > indent) {
            str_addc(out, ' ');
            column++;
        }
        str_add(out, text, n);
        column += n;
        text += n;
        text += strspn(text, " \n");
    }
    str_addc(out, '\n');
}

static void help_row(Str *out, char letter, const char *name, const char *arg, const char *doc)
{
    Str head = STR_INIT;
    if (letter)
        str_addf(&head, "  -%c, --%s", letter, name);
    else
        str_addf(&head, "      --%s", name);
    if (arg)
        str_addf(&head, " %s", arg);
    str_adds(out, str_z(&head));
    size_t column = head.len;
    str_done(&head);
    if (column + 2 > HELP_INDENT)
        str_addf(out, "\n%*s", HELP_INDENT, "");
    else
        str_addf(out, "%*s", (int)(HELP_INDENT - column), "");
    wrap(out, doc, HELP_INDENT, HELP_INDENT);
}

void opts_write_help(const Opt *table, const char *usage, const char *intro, Str *out)
{
    str_addf(out, "Usage: %s\n\n", usage);
    if (intro && *intro)
        wrap(out, intro, 0, 0);
    for (const Opt *o = table; o->name; o++) {
        if (o->section || o == table)
            str_addf(out, "\n%s:\n", o->section ? o->section : "Options");
        AUTOFREE char *doc =
            o->fallback ? xasprintf("%s (default: %s)", o->doc, o->fallback) : xstrdup(o->doc);
        const char *arg = o->type == OPT_FLAG ? NULL : o->arg ? o->arg : "VALUE";
        help_row(out, o->letter, o->name, arg, doc);
    }
    str_addc(out, '\n');
    help_row(out, 0, "help", NULL, "Print this text and exit.");
    help_row(out, 0, "version", NULL, "Print the version and exit.");
}
