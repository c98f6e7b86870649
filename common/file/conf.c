/* SPDX-License-Identifier: Apache-2.0
 * Option tables over libconfig. One walker fills structs, applies fallbacks and checks ranges, so that a
 * value from the file and a fallback go through the same rules.
 */
#include "conf.h"

#include <errno.h>
#include <libconfig.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "common/base/clock.h"
#include "common/base/text.h"
#include "fs.h"

enum { CONF_FILE_BYTES = 1 << 20 };

typedef struct Walk {
    const char *path; /* of the file given, for options that stand nowhere */
    Err *err;
} Walk;

static void *field(const ConfOption *o, void *s)
{
    return (char *)s + o->offset;
}

static const char *type_words(ConfType t)
{
    switch (t) {
    case CONF_STR:
        return "text in double quotes";
    case CONF_PATH:
        return "an absolute path in double quotes";
    case CONF_INT:
        return "a whole number";
    case CONF_BOOL:
        return "true or false";
    case CONF_DURATION:
        return "a duration such as \"90s\", \"15m\", \"6h\", or a whole number of seconds";
    case CONF_STRS:
        return "an array of texts: [ \"a\", \"b\" ]";
    case CONF_GROUP:
        return "a group: { … }";
    case CONF_LIST:
        return "a list of groups: ( { … }, { … } )";
    }
    return "";
}

static void place(const Walk *w, const config_setting_t *at, Str *out)
{
    const char *file = at ? config_setting_source_file(at) : NULL;
    unsigned line = at ? config_setting_source_line(at) : 0;
    str_adds(out, file ? file : w->path);
    if (line)
        str_addf(out, ":%u", line);
}

/* "file:line: option "x": text" */
static bool complain(const Walk *w, const config_setting_t *at, const char *option, const char *fmt, ...)
    PRINTF_LIKE(4, 5);
static bool complain(const Walk *w, const config_setting_t *at, const char *option, const char *fmt, ...)
{
    AUTO(str_done) Str where = STR_INIT;
    place(w, at, &where);
    char text[700];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return err_set(w->err, ERR_CONFIG, 0, "%s: option \"%s\": %s", str_z(&where), option, text);
}

static bool wrong_type(const Walk *w, const config_setting_t *at, const ConfOption *o)
{
    return complain(w, at, o->name, "expected %s", type_words(o->type));
}

static bool chosen(const char *choices, const char *value)
{
    StrList l = STRLIST_INIT;
    strlist_split(&l, choices, '|');
    bool ok = strlist_has(&l, value);
    strlist_done(&l);
    return ok;
}

/* What stands in a file reaches messages, option files and other hosts: a text there is one line of UTF-8. */
static bool text_fits(const Walk *w, const config_setting_t *at, const ConfOption *o, const char *value)
{
    int64_t most = o->max ? o->max : CONF_TEXT_BYTES;
    size_t len = strlen(value);
    if ((int64_t)len < o->min || (int64_t)len > most)
        return complain(w, at, o->name, "a text of %zu bytes; it wants %lld to %lld", len, (long long)o->min,
                        (long long)most);
    AUTOFREE char *line = xstrdup(value);
    for (char *p = line; o->lines && *p; p++)
        if (*p == '\n' || *p == '\r' || *p == '\t')
            *p = ' ';
    const char *wrong = text_wrong(line);
    return !wrong || complain(w, at, o->name, "%s", wrong);
}

static bool set_text(const Walk *w, const config_setting_t *at, const ConfOption *o, const char *value,
                     void *s)
{
    if (!text_fits(w, at, o, value))
        return false;
    if (o->type == CONF_PATH && value[0] != '/')
        return complain(w, at, o->name, "\"%s\" is not an absolute path", value);
    if (o->choices && !chosen(o->choices, value)) {
        AUTO(str_done) Str words = STR_INIT;
        for (const char *p = o->choices; *p; p++)
            str_adds(&words, *p == '|' ? "\", \"" : (char[2]){*p, 0});
        return complain(w, at, o->name, "\"%s\" is not one of \"%s\"", value, str_z(&words));
    }
    *(char **)field(o, s) = xstrdup(value);
    return true;
}

static int64_t most_of(const ConfOption *o)
{
    int64_t fallback = o->type == CONF_DURATION ? CONF_DURATION_MS : o->min ? INT64_MAX : 0;
    return o->max ? o->max : fallback;
}

static bool set_number(const Walk *w, const config_setting_t *at, const ConfOption *o, int64_t value, void *s)
{
    int64_t most = most_of(o);
    bool limited = o->min || o->max || o->type == CONF_DURATION;
    if (limited && (value < o->min || value > most)) {
        if (o->type == CONF_DURATION) {
            char is[CLOCK_TEXT], min[CLOCK_TEXT], max[CLOCK_TEXT];
            clock_format_duration(value, is);
            clock_format_duration(o->min, min);
            clock_format_duration(most, max);
            return complain(w, at, o->name, "%s is outside %s to %s", is, min, max);
        }
        return complain(w, at, o->name, "%lld is outside %lld to %lld", (long long)value, (long long)o->min,
                        (long long)most);
    }
    *(int64_t *)field(o, s) = value;
    return true;
}

static bool set_duration_text(const Walk *w, const config_setting_t *at, const ConfOption *o,
                              const char *text, void *s)
{
    int64_t ms;
    if (!clock_parse_duration(text, &ms))
        return complain(w, at, o->name, "\"%s\" is not a duration such as \"90s\", \"15m\", \"6h\"", text);
    return set_number(w, at, o, ms, s);
}

static bool is_whole(const config_setting_t *at)
{
    int t = config_setting_type(at);
    return t == CONFIG_TYPE_INT || t == CONFIG_TYPE_INT64;
}

static bool elements_fit(const Walk *w, const config_setting_t *at, const ConfOption *o)
{
    int n = config_setting_length(at);
    return n <= CONF_LIST_ELEMENTS ||
           complain(w, at, o->name, "%d elements; at most %d are taken", n, CONF_LIST_ELEMENTS);
}

static bool set_strs(const Walk *w, const config_setting_t *at, const ConfOption *o, void *s)
{
    if (!config_setting_is_array(at) && !config_setting_is_list(at))
        return wrong_type(w, at, o);
    if (!elements_fit(w, at, o))
        return false;
    StrList *l = field(o, s);
    for (int i = 0; i < config_setting_length(at); i++) {
        const char *text = config_setting_get_string_elem(at, i);
        if (!text)
            return wrong_type(w, at, o);
        if (!text_fits(w, at, o, text))
            return false;
        strlist_add(l, text);
    }
    return true;
}

static bool fill(const Walk *w, const config_setting_t *group, const ConfOption *options, void *s);

static bool set_list(const Walk *w, const config_setting_t *at, const ConfOption *o, void *s)
{
    if (!config_setting_is_list(at))
        return wrong_type(w, at, o);
    if (!elements_fit(w, at, o))
        return false;
    ConfList *l = field(o, s);
    int n = config_setting_length(at);
    l->v = xcalloc((size_t)n, o->size);
    for (int i = 0; i < n; i++) {
        const config_setting_t *e = config_setting_get_elem(at, (unsigned)i);
        if (!config_setting_is_group(e))
            return wrong_type(w, e, o);
        l->n++;
        if (!fill(w, e, o->group, (char *)l->v + (size_t)i * o->size))
            return false;
    }
    return true;
}

static bool set_from_file(const Walk *w, const config_setting_t *at, const ConfOption *o, void *s)
{
    const char *text = config_setting_get_string(at);
    int64_t ms;
    switch (o->type) {
    case CONF_STR:
    case CONF_PATH:
        return text ? set_text(w, at, o, text, s) : wrong_type(w, at, o);
    case CONF_INT:
        return is_whole(at) ? set_number(w, at, o, config_setting_get_int64(at), s) : wrong_type(w, at, o);
    case CONF_DURATION:
        if (text)
            return set_duration_text(w, at, o, text, s);
        if (!is_whole(at))
            return wrong_type(w, at, o);
        if (__builtin_mul_overflow(config_setting_get_int64(at), 1000, &ms))
            return wrong_type(w, at, o);
        return set_number(w, at, o, ms, s);
    case CONF_BOOL:
        if (config_setting_type(at) != CONFIG_TYPE_BOOL)
            return wrong_type(w, at, o);
        *(bool *)field(o, s) = config_setting_get_bool(at);
        return true;
    case CONF_STRS:
        return set_strs(w, at, o, s);
    case CONF_GROUP:
        return config_setting_is_group(at) ? fill(w, at, o->group, field(o, s)) : wrong_type(w, at, o);
    case CONF_LIST:
        return set_list(w, at, o, s);
    }
    return false;
}

/* A group that is left out gets its fallbacks; what is required inside it is then not demanded. */
static bool set_fallback(const Walk *w, const ConfOption *o, void *s)
{
    if (o->type == CONF_GROUP) {
        for (const ConfOption *sub = o->group; sub->name; sub++)
            if (!set_fallback(w, sub, field(o, s)))
                return false;
        return true;
    }
    if (!o->fallback)
        return true;
    long long n;
    switch (o->type) {
    case CONF_STR:
    case CONF_PATH:
        return set_text(w, NULL, o, o->fallback, s);
    case CONF_INT:
        if (!str_to_i64(o->fallback, INT64_MIN, INT64_MAX, &n))
            return wrong_type(w, NULL, o);
        return set_number(w, NULL, o, n, s);
    case CONF_DURATION:
        return set_duration_text(w, NULL, o, o->fallback, s);
    case CONF_BOOL:
        *(bool *)field(o, s) = str_eq(o->fallback, "true");
        return true;
    case CONF_STRS:
        strlist_split(field(o, s), o->fallback, ',');
        return true;
    default:
        return true;
    }
}

static bool only_known(const Walk *w, const config_setting_t *group, const ConfOption *options)
{
    for (int i = 0; i < config_setting_length(group); i++) {
        const config_setting_t *at = config_setting_get_elem(group, (unsigned)i);
        const char *name = config_setting_name(at);
        StrList known = STRLIST_INIT;
        for (const ConfOption *o = options; o->name; o++)
            strlist_add(&known, o->name);
        bool ok = strlist_has(&known, name);
        if (!ok) {
            static const char *const none[] = {NULL};
            const char *near = str_nearest(name, known.v ? (const char *const *)known.v : none);
            if (near)
                complain(w, at, name, "not known; did you mean \"%s\"?", near);
            else
                complain(w, at, name, "not known here");
        }
        strlist_done(&known);
        if (!ok)
            return false;
    }
    return true;
}

static bool fill(const Walk *w, const config_setting_t *group, const ConfOption *options, void *s)
{
    if (!only_known(w, group, options))
        return false;
    for (const ConfOption *o = options; o->name; o++) {
        const config_setting_t *at = config_setting_get_member(group, o->name);
        if (!at && o->required)
            return complain(w, config_setting_is_root(group) ? NULL : group, o->name,
                            "missing; it is required: %s", o->doc ? o->doc : type_words(o->type));
        if (!(at ? set_from_file(w, at, o, s) : set_fallback(w, o, s)))
            return false;
    }
    return true;
}

/* libconfig answers one question a file for a missing file and a folder: ask the system for the reason. */
static bool parse(const char *path, config_t *cfg, Err *err)
{
    FILE *f = fopen(path, "re");
    if (!f)
        return err_set(err, ERR_CONFIG, errno, "cannot read configuration file %s: %s", path,
                       strerror(errno));
    struct stat st;
    bool fits = fstat(fileno(f), &st) == 0 && st.st_size <= CONF_FILE_BYTES;
    fclose(f);
    if (!fits)
        return err_set(err, ERR_CONFIG, EFBIG, "configuration file %s has %lld bytes; at most %d are read",
                       path, (long long)st.st_size, CONF_FILE_BYTES);
    AUTOFREE char *dir = fs_dirname(path);
    config_set_include_dir(cfg, dir);
    if (config_read_file(cfg, path))
        return true;
    if (config_error_type(cfg) == CONFIG_ERR_FILE_IO)
        return err_set(err, ERR_CONFIG, EIO, "cannot read configuration file %s", path);
    const char *file = config_error_file(cfg);
    return err_set(err, ERR_CONFIG, 0, "%s:%d: %s", file ? file : path, config_error_line(cfg),
                   config_error_text(cfg));
}

bool conf_load(const char *path, const ConfOption *options, void *ret, Err *err)
{
    config_t cfg;
    config_init(&cfg);
    Walk w = {path, err};
    bool ok = parse(path, &cfg, err) && fill(&w, config_root_setting(&cfg), options, ret);
    config_destroy(&cfg);
    if (!ok)
        conf_free(options, ret);
    return ok;
}

bool conf_has(const char *path, const char *option)
{
    Err ignored;
    config_t cfg;
    config_init(&cfg);
    bool has = parse(path, &cfg, &ignored) && config_lookup(&cfg, option);
    config_destroy(&cfg);
    return has;
}

void conf_free(const ConfOption *options, void *s)
{
    for (const ConfOption *o = options; o->name; o++) {
        void *f = field(o, s);
        ConfList *l = f;
        switch (o->type) {
        case CONF_STR:
        case CONF_PATH:
            free(*(char **)f);
            *(char **)f = NULL;
            break;
        case CONF_INT:
        case CONF_DURATION:
            *(int64_t *)f = 0;
            break;
        case CONF_BOOL:
            *(bool *)f = false;
            break;
        case CONF_STRS:
            strlist_done(f);
            break;
        case CONF_GROUP:
            conf_free(o->group, f);
            break;
        case CONF_LIST:
            for (size_t i = 0; i < l->n; i++)
                conf_free(o->group, (char *)l->v + i * o->size);
            free(l->v);
            *l = (ConfList){NULL, 0};
            break;
        }
    }
}

/* ---- changes -------------------------------------------------------------------------------------- */

static void value_text(const ConfOption *o, const char *name, const void *value, Str *out)
{
    const char *text = o->type == CONF_STR || o->type == CONF_PATH ? *(char *const *)value : NULL;
    const StrList *strs = value;
    switch (o->type) {
    case CONF_STR:
    case CONF_PATH:
        if (text)
            str_addf(out, "%s=%zu:%s\n", name, strlen(text), text);
        break;
    case CONF_INT:
    case CONF_DURATION:
        str_addf(out, "%s=%lld\n", name, (long long)*(const int64_t *)value);
        break;
    case CONF_BOOL:
        str_addf(out, "%s=%d\n", name, *(const bool *)value);
        break;
    case CONF_STRS:
        for (size_t i = 0; i < strs->n; i++)
            str_addf(out, "%s[%zu]=%zu:%s\n", name, i, strlen(strs->v[i]), strs->v[i]);
        break;
    default:
        break;
    }
}

static void text_of(const ConfOption *options, const char *prefix, const void *s, Str *out)
{
    for (const ConfOption *o = options; o->name; o++) {
        const char *value = (const char *)s + o->offset;
        AUTOFREE char *name = xasprintf("%s%s", prefix, o->name);
        AUTOFREE char *inner = xasprintf("%s.", name);
        const ConfList *list = o->type == CONF_LIST ? (const void *)value : NULL;
        if (o->type == CONF_GROUP)
            text_of(o->group, inner, value, out);
        else if (!list)
            value_text(o, name, value, out);
        for (size_t i = 0; list && i < list->n; i++) {
            AUTOFREE char *element = xasprintf("%s[%zu].", name, i);
            text_of(o->group, element, (const char *)list->v + i * o->size, out);
        }
    }
}

void conf_text(const ConfOption *options, const void *s, Str *out)
{
    text_of(options, "", s, out);
}

static bool same_value(const ConfOption *o, const void *a, const void *b)
{
    const ConfOption one[] = {*o, {0}};
    AUTO(str_done) Str x = STR_INIT, y = STR_INIT;
    conf_text(one, a, &x);
    conf_text(one, b, &y);
    return strcmp(str_z(&x), str_z(&y)) == 0;
}

static void compare(const ConfOption *options, const char *prefix, bool restart, const void *a, const void *b,
                    StrList *ret_taken, StrList *ret_restart)
{
    for (const ConfOption *o = options; o->name; o++) {
        AUTOFREE char *inner = xasprintf("%s%s.", prefix, o->name);
        if (o->type == CONF_GROUP)
            compare(o->group, inner, restart || o->restart, (const char *)a + o->offset,
                    (const char *)b + o->offset, ret_taken, ret_restart);
        else if (!same_value(o, a, b))
            strlist_addf(restart || o->restart ? ret_restart : ret_taken, "%s%s", prefix, o->name);
    }
}

void conf_compare(const ConfOption *options, const void *a, const void *b, StrList *ret_taken,
                  StrList *ret_restart)
{
    compare(options, "", false, a, b, ret_taken, ret_restart);
}

static size_t bytes_of(const ConfOption *o)
{
    return o->type == CONF_BOOL                              ? sizeof(bool)
           : o->type == CONF_STRS                            ? sizeof(StrList)
           : o->type == CONF_LIST                            ? sizeof(ConfList)
           : o->type == CONF_INT || o->type == CONF_DURATION ? sizeof(int64_t)
                                                             : sizeof(char *);
}

static void exchange(char *a, char *b, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        char c = a[i];
        a[i] = b[i];
        b[i] = c;
    }
}

static void keep(const ConfOption *options, bool all, char *a, char *b)
{
    for (const ConfOption *o = options; o->name; o++)
        if (o->type == CONF_GROUP)
            keep(o->group, all || o->restart, a + o->offset, b + o->offset);
        else if (all || o->restart)
            exchange(a + o->offset, b + o->offset, bytes_of(o));
}

void conf_keep(const ConfOption *options, void *a, void *b)
{
    keep(options, false, a, b);
}

bool conf_error(Err *err, const char *path, const char *option, const char *fmt, ...)
{
    char text[700];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    config_t cfg;
    config_init(&cfg);
    Err ignored;
    Walk w = {path, err};
    bool parsed = parse(path, &cfg, &ignored);
    complain(&w, parsed ? config_lookup(&cfg, option) : NULL, option, "%s", text);
    config_destroy(&cfg);
    return false;
}

static const char *type_name(const ConfOption *o)
{
    static const char *const names[] = {
        [CONF_STR] = "text",           [CONF_PATH] = "absolute path",  [CONF_INT] = "whole number",
        [CONF_BOOL] = "true or false", [CONF_DURATION] = "duration",   [CONF_STRS] = "array of texts",
        [CONF_GROUP] = "group",        [CONF_LIST] = "list of groups",
    };
    return names[o->type];
}

static void reference_rows(const ConfOption *options, const char *prefix, bool restart, Str *out)
{
    for (const ConfOption *o = options; o->name; o++) {
        str_addf(out, "| `%s%s` | %s", prefix, o->name, type_name(o));
        if (o->choices) {
            str_adds(out, ": ");
            for (const char *p = o->choices; *p; p++)
                str_adds(out, *p == '|' ? ", " : (char[2]){*p, 0});
        }
        if (o->type == CONF_INT && (o->min || o->max))
            str_addf(out, ", %lld to %lld", (long long)o->min, (long long)most_of(o));
        else if (o->type == CONF_DURATION && (o->min || o->max)) {
            char min[CLOCK_TEXT], max[CLOCK_TEXT];
            clock_format_duration(o->min, min);
            clock_format_duration(most_of(o), max);
            str_addf(out, ", %s to %s", min, max);
        } else if ((o->type == CONF_STR || o->type == CONF_STRS) && o->max)
            str_addf(out, ", %lld to %lld bytes%s", (long long)o->min, (long long)o->max,
                     o->type == CONF_STRS ? " each" : "");
        str_adds(out, " | ");
        if (o->fallback)
            str_addf(out, "`%s`", o->fallback);
        else
            str_adds(out, o->required ? "required" : "");
        bool needs = restart || o->restart;
        str_addf(out, " | %s%s |\n", o->doc ? o->doc : "", needs && !o->group ? " Needs a restart." : "");
        if (o->group) {
            AUTOFREE char *inner = xasprintf("%s%s%s.", prefix, o->name, o->type == CONF_LIST ? "[]" : "");
            reference_rows(o->group, inner, needs, out);
        }
    }
}

void conf_write_reference(const ConfOption *options, Str *out)
{
    str_addf(out,
             "An option that is not here is refused with the nearest that is. Where the type says no more, a "
             "text has at "
             "most %d bytes in one line, an array or list at most %d elements, and a duration is 0 to %d "
             "days.\n\n",
             CONF_TEXT_BYTES, CONF_LIST_ELEMENTS, (int)(CONF_DURATION_MS / 86400000));
    str_adds(out, "| option | type | default | meaning |\n|---|---|---|---|\n");
    reference_rows(options, "", false, out);
}

static void sample_value(const ConfOption *o, Str *out)
{
    const char *v = o->fallback ? o->fallback : "";
    switch (o->type) {
    case CONF_STR:
    case CONF_PATH:
    case CONF_DURATION:
        str_addf(out, "\"%s\"", v);
        break;
    case CONF_INT:
        str_adds(out, *v ? v : "0");
        break;
    case CONF_BOOL:
        str_adds(out, *v ? v : "false");
        break;
    default:
        break;
    }
    if (o->type != CONF_STRS)
        return;
    StrList l = STRLIST_INIT;
    strlist_split(&l, v, ',');
    str_adds(out, "[ ");
    for (size_t i = 0; i < l.n; i++)
        str_addf(out, "%s\"%s\"", i ? ", " : "", l.v[i]);
    str_adds(out, l.n ? " ]" : "]");
    strlist_done(&l);
}

/* Optional rows are commented out: the sample loads once its required rows are filled in. */
static void sample_rows(const ConfOption *options, int depth, bool live, Str *out)
{
    for (const ConfOption *o = options; o->name; o++) {
        bool on = live && o->required;
        const char *mark = on ? "" : "# ";
        if (o->doc)
            str_addf(out, "%*s# %s\n", depth * 4, "", o->doc);
        str_addf(out, "%*s%s%s = ", depth * 4, "", mark, o->name);
        if (!o->group) {
            sample_value(o, out);
            str_adds(out, ";\n");
            continue;
        }
        str_adds(out, o->type == CONF_LIST ? "( {\n" : "{\n");
        sample_rows(o->group, depth + 1, on, out);
        str_addf(out, "%*s%s%s\n", depth * 4, "", mark, o->type == CONF_LIST ? "} );" : "};");
    }
}

void conf_write_sample(const ConfOption *options, Str *out)
{
    sample_rows(options, 0, true, out);
}
