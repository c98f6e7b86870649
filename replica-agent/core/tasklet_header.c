/* SPDX-License-Identifier: Apache-2.0 */
#include "tasklet_header.h"

#include <string.h>

#include "common/base/clock.h"
#include "common/base/text.h"
#include "common/wire/bounds.h"

enum { TEXT_BYTES = 2000 };

void tasklet_header_done(TaskletHeader *h)
{
    free(h->name);
    tasklet_done(&h->t);
    *h = (TaskletHeader){0};
}

/* ---- lines ------------------------------------------------------------------------------------------ */

/* What a comment line says, without its mark; NULL: it is none. Owned. */
static char *comment(const char *line, size_t n)
{
    static const char *const marks[] = {"#", "//", "--"};
    for (size_t i = 0; i < COUNT(marks); i++) {
        size_t mark = strlen(marks[i]);
        if (n >= mark && strncmp(line, marks[i], mark) == 0)
            return xstrtrim(line + mark, n - mark);
    }
    return NULL;
}

/* "KEY: value": the value, trimmed already at its end; NULL: another key. */
static const char *value_for(const char *line, const char *key)
{
    size_t n = strlen(key);
    if (strncmp(line, key, n) != 0 || line[n] != ':')
        return NULL;
    return line + n + 1 + strspn(line + n + 1, " \t");
}

/* ---- keys ------------------------------------------------------------------------------------------- */

static bool take_name(TaskletHeader *h, const char *value, Err *err)
{
    if (h->name)
        return err_set(err, ERR_CONFIG, 0, "the name is given twice");
    h->name = xstrdup(value);
    return *value || err_set(err, ERR_CONFIG, 0, "the name is missing");
}

/* Several lines are one text. */
static bool take_text(TaskletHeader *h, const char *value, Err *err)
{
    char *text = h->t.text ? xasprintf("%s %s", h->t.text, value) : xstrdup(value);
    free(h->t.text);
    h->t.text = text;
    return strlen(text) <= TEXT_BYTES ||
           err_set(err, ERR_CONFIG, 0, "the text is longer than %d bytes", TEXT_BYTES);
}

static bool take_on(TaskletHeader *h, const char *value, Err *err)
{
    h->on = wire_enum_find(&node_role_names, value);
    return h->on == ROLE_PRIMARY || h->on == ROLE_REPLICA ||
           err_set(err, ERR_CONFIG, 0, "on is \"%.40s\"; it must be primary or replica", value);
}

static bool take_time_limit(TaskletHeader *h, const char *value, Err *err)
{
    return (clock_parse_duration(value, &h->time_limit_ms) && h->time_limit_ms > 0 &&
            h->time_limit_ms <= BOUND_LONGEST_SLEEP) ||
           err_set(err, ERR_CONFIG, 0, "time-limit is \"%.40s\"; write 90s, 10m or 2h, at most %lldd", value,
                   (long long)(BOUND_LONGEST_SLEEP / BOUND_DAY_MS));
}

/* The next word; its end. */
static const char *word(const char **p)
{
    const char *begin = *p + strspn(*p, " \t");
    *p = begin + strcspn(begin, " \t");
    return begin;
}

static bool is_there(const Tasklet *t, const char *name)
{
    const TaskletParam *p = t->params.v;
    for (size_t i = 0; i + 1 < t->params.n; i++)
        if (str_eq(p[i].name, name))
            return true;
    return false;
}

/* "= default -- text", both may be left out. */
static bool read_rest(TaskletParam *p, const char *rest, Err *err)
{
    rest += strspn(rest, " \t");
    const char *dashes = str_starts(rest, "-- ") ? rest : strstr(rest, " -- ");
    size_t n = dashes ? (size_t)(dashes - rest) : strlen(rest);
    if (dashes)
        p->text = xstrdup(dashes + strspn(dashes, " -"));
    if (*rest == '=') {
        p->fallback = xstrtrim(rest + 1, n - 1);
        return true;
    }
    return n == 0 ||
           err_set(err, ERR_CONFIG, 0, "behind the type of %s stands \"%.40s\"; write = DEFAULT, or -- TEXT",
                   p->name, rest);
}

static bool take_param(TaskletHeader *h, const char *value, Err *err)
{
    if (h->t.params.n == TASKLET_MOST_PARAMS)
        return err_set(err, ERR_CONFIG, 0, "more than %d parameters", TASKLET_MOST_PARAMS);
    TaskletParam *p = wire_list_add(&h->t.params, sizeof *p);
    const char *rest = value, *begin = word(&rest);
    p->name = xstrndup(begin, (size_t)(rest - begin));
    begin = word(&rest);
    p->type = xstrndup(begin, (size_t)(rest - begin));
    if (!tasklet_is_key(p->name, strlen(p->name)))
        return err_set(err, ERR_CONFIG, 0, "\"%.40s\" is no name for a parameter", p->name);
    if (is_there(&h->t, p->name))
        return err_set(err, ERR_CONFIG, 0, "the parameter %s is there twice", p->name);
    if (!tasklet_is_type(p->type))
        return err_set(err, ERR_CONFIG, 0,
                       "the type of %s is \"%.40s\"; it must be text, int, number, bool, or words such as "
                       "fast|slow",
                       p->name, p->type);
    if (!read_rest(p, rest, err))
        return false;
    Err why;
    return !p->fallback || tasklet_check_value(p, p->fallback, &why) ||
           err_set(err, ERR_CONFIG, 0, "the default of %s", why.text);
}

static bool take_line(TaskletHeader *h, const char *line, Err *err)
{
    static const struct {
        const char *key;
        bool (*take)(TaskletHeader *, const char *, Err *);
    } keys[] = {{"tasklet", take_name},
                {"text", take_text},
                {"on", take_on},
                {"time-limit", take_time_limit},
                {"param", take_param}};
    AUTO(strlist_done) StrList known = STRLIST_INIT;
    for (size_t i = 0; i < COUNT(keys); i++) {
        const char *value = value_for(line, keys[i].key);
        if (value)
            return keys[i].take(h, value, err);
        strlist_add(&known, keys[i].key);
    }
    AUTOFREE char *key = xstrndup(line, strcspn(line, ":"));
    const char *near = str_nearest(key, (const char *const *)known.v);
    return err_set(err, ERR_CONFIG, 0,
                   "\"%.60s\" is none of tasklet:, text:, on:, time-limit:, param:%s%s%s; an empty line ends "
                   "the header",
                   line, near ? " (did you mean " : "", near ? near : "", near ? ":?)" : "");
}

/* ---- the whole -------------------------------------------------------------------------------------- */

/* True: the header is over, or has not begun so far. */
static bool step(TaskletHeader *h, const char *line, size_t n, bool *ret_over, Err *err)
{
    AUTOFREE char *said = comment(line, n);
    bool begun = h->name != NULL;
    *ret_over = begun && (!said || !*said);
    if (*ret_over || !said || (!begun && !value_for(said, "tasklet")))
        return true;
    size_t chars;
    if (!text_is_plain(said, strlen(said), &chars))
        return err_set(err, ERR_CONFIG, 0, "holds control characters, or bytes that are no UTF-8");
    return take_line(h, said, err);
}

static bool read_lines(const char *text, TaskletHeader *h, Err *err)
{
    bool over = false;
    for (int no = 1; *text && !over; no++) {
        size_t n = strcspn(text, "\n");
        if (!h->name && no > TASKLET_HEADER_WITHIN)
            break;
        if (!step(h, text, n, &over, err))
            return err_prefix(err, "line %d", no);
        text += n + (text[n] == '\n');
    }
    return h->name || err_set(err, ERR_NOT_FOUND, 0,
                              "has no header: a comment line \"tasklet: NAME\" among its first %d lines",
                              TASKLET_HEADER_WITHIN);
}

bool tasklet_header_read(const char *text, TaskletHeader *ret, Err *err)
{
    TaskletHeader h = {.on = ROLE_PRIMARY};
    if (!read_lines(text, &h, err)) {
        tasklet_header_done(&h);
        return false;
    }
    *ret = h;
    return true;
}
