/* SPDX-License-Identifier: Apache-2.0 */
#include "bounds.h"

#include <inttypes.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/text.h"

const char *bounds_member(const Bound *row, const char *parent)
{
    size_t n = strlen(parent);
    const char *own = row->name;
    if (n && (strncmp(own, parent, n) != 0 || own[n] != '.'))
        return NULL;
    own += n ? n + 1 : 0;
    return strchr(own, '.') ? NULL : own;
}

/* ---- messages --------------------------------------------------------------------------------------- */

/* The field as whoever came by this door has written it. */
static char *shown(const Bound *row, unsigned door)
{
    if (door == DOOR_FILE)
        return xstrdup("it");
    if (door != DOOR_CLI)
        return xasprintf("field \"%s\"", row->name);
    if (row->option && !*row->option)
        return xasprintf("argument (%s)", row->name);
    if (row->option)
        return xasprintf("option --%s", row->option);
    char *text = xasprintf("option --%s", row->name);
    for (char *p = text; *p; p++)
        if (*p == '_')
            *p = '-';
    return text;
}

static void add_words(Str *out, const char *const *words)
{
    for (size_t i = 0; words[i]; i++)
        str_addf(out, "%s%s", !i ? "" : words[i + 1] ? ", " : " or ", words[i]);
}

char *bounds_text(const Bound *row)
{
    AUTO(str_done) Str s = STR_INIT;
    switch (row->type) {
    case BOUND_NAME:
        str_addf(&s, "a text of one line, %" PRId64 " to %" PRId64 " characters", row->min, row->max);
        break;
    case BOUND_WORD:
        add_words(&s, row->words);
        break;
    case BOUND_INT:
        str_addf(&s, "a whole number from %" PRId64 " to %" PRId64, row->min, row->max);
        if (row->also)
            str_addf(&s, ", or %" PRId64, row->also);
        break;
    case BOUND_BOOL:
        str_adds(&s, "true or false");
        break;
    case BOUND_TIME:
        str_addf(&s, "a time in UTC such as 2026-05-01T22:30:00Z, of the years %d to %d",
                 BOUND_TIME_FIRST_YEAR, BOUND_TIME_LAST_YEAR);
        break;
    case BOUND_TEXTS:
        str_addf(
            &s, "an array of at most %" PRId64 " texts of at most %" PRId64 " bytes each, %" PRId64 " in all",
            row->max, row->each, row->bytes);
        break;
    case BOUND_NAMES:
        str_addf(&s, "an array of %" PRId64 " to %" PRId64 " names of at most %" PRId64 " characters each",
                 row->min, row->max, row->each);
        break;
    case BOUND_WORDS:
        str_adds(&s, "an array of ");
        add_words(&s, row->words);
        break;
    case BOUND_OBJECT:
        str_addf(&s, "an object of at most %" PRId64 " bytes", row->bytes);
        break;
    }
    return str_take(&s);
}

static bool refuse(const Bound *row, unsigned door, const char *is, Err *err)
{
    AUTOFREE char *name = shown(row, door);
    AUTOFREE char *may = bounds_text(row);
    return err_set(err, ERR_USAGE, 0, "%s %s; it must be %s", name, is, may);
}

static bool refuse_word(const Bound *row, unsigned door, const char *word, Err *err)
{
    const char *near = str_nearest(word, row->words);
    AUTO(str_done) Str clean = STR_INIT;
    text_clean(&clean, word);
    AUTOFREE char *is = near ? xasprintf("is \"%.60s\", did you mean \"%s\"?", str_z(&clean), near)
                             : xasprintf("is \"%.60s\"", str_z(&clean));
    return refuse(row, door, is, err);
}

/* ---- one value -------------------------------------------------------------------------------------- */

static bool check_name(const Bound *row, unsigned door, const char *text, size_t n, int64_t most, Err *err)
{
    size_t chars;
    if (!text_is_plain(text, n, &chars))
        return refuse(row, door,
                      text_is_utf8(text, n) ? "holds control characters" : "holds bytes that are no UTF-8",
                      err);
    int64_t least = row->type == BOUND_NAME ? row->min : 1;
    if ((int64_t)chars >= least && (int64_t)chars <= most)
        return true;
    AUTOFREE char *is = chars ? xasprintf("has %zu characters", chars) : xstrdup("is empty");
    return refuse(row, door, is, err);
}

static bool has_word(const Bound *row, const char *word)
{
    size_t i = 0;
    while (row->words[i] && strcmp(row->words[i], word) != 0)
        i++;
    return row->words[i] != NULL;
}

static bool check_text(const Bound *row, unsigned door, const char *text, size_t n, Err *err)
{
    switch (row->type) {
    case BOUND_NAME:
        return check_name(row, door, text, n, row->max, err);
    case BOUND_NAMES:
        return check_name(row, door, text, n, row->each, err);
    case BOUND_WORD:
    case BOUND_WORDS:
        return has_word(row, text) || refuse_word(row, door, text, err);
    case BOUND_TEXTS:
        if (!text_is_utf8(text, n))
            return refuse(row, door, "holds bytes that are no UTF-8", err);
        return (int64_t)n <= row->each || refuse(row, door, "holds a longer text", err);
    default:
        return true;
    }
}

static bool check_texts(const Bound *row, unsigned door, const json_t *v, Err *err)
{
    int64_t n = (int64_t)json_array_size(v), bytes = 0;
    if (!json_is_array(v) || n < row->min || n > row->max) {
        AUTOFREE char *is = json_is_array(v) ? xasprintf("has %" PRId64 " elements", n) : xstrdup("is none");
        return refuse(row, door, is, err);
    }
    for (size_t i = 0; i < json_array_size(v); i++) {
        const json_t *e = json_array_get(v, i);
        if (!json_is_string(e))
            return refuse(row, door, "holds something else than texts", err);
        if (!check_text(row, door, json_string_value(e), json_string_length(e), err))
            return false;
        bytes += (int64_t)json_string_length(e);
    }
    return !row->bytes || bytes <= row->bytes || refuse(row, door, "is longer", err);
}

static bool check_int(const Bound *row, unsigned door, const json_t *v, Err *err)
{
    if (!json_is_integer(v))
        return refuse(row, door, "is none", err);
    int64_t n = json_integer_value(v);
    if ((n >= row->min && n <= row->max) || (row->also && n == row->also))
        return true;
    AUTOFREE char *is = xasprintf("is %" PRId64, n);
    return refuse(row, door, is, err);
}

static bool check_time(const Bound *row, unsigned door, const json_t *v, Err *err)
{
    int64_t ms;
    const char *text = json_string_value(v);
    bool ok = text && clock_parse(text, &ms) && strncmp(text, "20", 2) == 0;
    return ok || refuse(row, door, "is none", err);
}

static bool check_object(const Bound *row, unsigned door, const json_t *v, Err *err)
{
    if (!json_is_object(v))
        return refuse(row, door, "is none", err);
    return (int64_t)json_dumpb(v, NULL, 0, JSON_COMPACT) <= row->bytes || refuse(row, door, "is longer", err);
}

static bool check_value(const Bound *row, unsigned door, const json_t *v, Err *err)
{
    switch (row->type) {
    case BOUND_NAME:
    case BOUND_WORD:
        if (!json_is_string(v))
            return refuse(row, door, "is no text", err);
        return check_text(row, door, json_string_value(v), json_string_length(v), err);
    case BOUND_INT:
        return check_int(row, door, v, err);
    case BOUND_BOOL:
        return json_is_boolean(v) || refuse(row, door, "is neither", err);
    case BOUND_TIME:
        return check_time(row, door, v, err);
    case BOUND_TEXTS:
    case BOUND_NAMES:
    case BOUND_WORDS:
        return check_texts(row, door, v, err);
    case BOUND_OBJECT:
        return check_object(row, door, v, err);
    }
    return false;
}

/* ---- a body ----------------------------------------------------------------------------------------- */

/* NULL: it is not there, or null. */
static const json_t *value_at(const json_t *body, const char *path)
{
    while (body && *path) {
        size_t n = strcspn(path, ".");
        body = json_object_getn(body, path, n);
        path += n + (path[n] == '.');
    }
    return body && !json_is_null(body) ? body : NULL;
}

static bool unknown_key(const Bound *rows, unsigned door, const char *parent, const char *key, Err *err)
{
    AUTO(strlist_done) StrList known = STRLIST_INIT;
    AUTO(str_done) Str clean = STR_INIT;
    for (const Bound *r = rows; r->name; r++)
        if ((r->doors & door) && bounds_member(r, parent))
            strlist_add(&known, bounds_member(r, parent));
    const char *near = known.n ? str_nearest(key, (const char *const *)known.v) : NULL;
    text_clean(&clean, key);
    return err_set(err, ERR_USAGE, 0, "unknown field \"%.60s\"%s%s%s%s%s%s", str_z(&clean),
                   *parent ? " in \"" : "", parent, *parent ? "\"" : "", near ? ", did you mean \"" : "",
                   near ? near : "", near ? "\"?" : "");
}

static bool check_keys(const Bound *rows, unsigned door, const char *parent, const json_t *o, Err *err)
{
    const char *key;
    json_t *v;
    json_object_foreach((json_t *)o, key, v)
    {
        const Bound *r = rows;
        while (r->name && !((r->doors & door) && str_eq(bounds_member(r, parent), key)))
            r++;
        if (!r->name)
            return unknown_key(rows, door, parent, key, err);
    }
    return true;
}

bool bounds_check(const Bound *rows, unsigned door, const json_t *body, Err *err)
{
    if (!json_is_object(body))
        return err_set(err, ERR_USAGE, 0, "a JSON object is expected here");
    if (!check_keys(rows, door, "", body, err))
        return false;
    for (const Bound *r = rows; r->name; r++) {
        const json_t *v = value_at(body, r->name);
        if (!v)
            continue;
        if (!check_value(r, door, v, err))
            return false;
        if (r->type == BOUND_OBJECT && !check_keys(rows, door, r->name, v, err))
            return false;
    }
    return true;
}

const Bound *bounds_of_option(const Bound *rows, const char *option)
{
    for (const Bound *r = rows; r->name; r++)
        if ((r->doors & DOOR_FILE) && str_eq(r->file, option))
            return r;
    return NULL;
}

bool bounds_check_option(const Bound *row, const json_t *value, Err *err)
{
    return !value || json_is_null(value) || check_value(row, DOOR_FILE, value, err);
}

/* ---- the reference page ----------------------------------------------------------------------------- */

static void write_table(const char *title, const Bound *rows, Str *out)
{
    str_addf(out, "\n## %s\n\n", title);
    str_adds(out,
             "| field | it must be | API | SQL | `siding` | job file | |\n|---|---|---|---|---|---|---|\n");
    for (const Bound *r = rows; r->name; r++) {
        AUTOFREE char *may = bounds_text(r);
        AUTOFREE char *option = shown(r, DOOR_CLI);
        str_addf(out, "| `%s` | %s | %s | %s | %s%s%s | %s%s%s | %s |\n", r->name, may,
                 r->doors & DOOR_API ? "✓" : "", r->doors & DOOR_SQL ? "✓" : "",
                 r->doors & DOOR_CLI ? "`" : "",
                 r->doors & DOOR_CLI ? str_starts(option, "option ") ? option + strlen("option ") : "argument"
                                     : "",
                 r->doors & DOOR_CLI ? "`" : "", r->doors & DOOR_FILE ? "`" : "",
                 r->doors & DOOR_FILE ? r->file : "", r->doors & DOOR_FILE ? "`" : "", r->doc);
    }
}

void bounds_write_reference(Str *out)
{
    static const struct {
        const char *title;
        const Bound *rows;
    } tables[] = {{"A task as it is submitted", task_bounds},
                  {"A request to a task", request_bounds},
                  {"What is set of a task", set_bounds},
                  {"A request to a schedule", schedule_bounds},
                  {"A pause by hand", pause_bounds},
                  {"Its end", resume_bounds},
                  {"A replica that is filled", provision_bounds},
                  {"A replica that is counted out", remove_bounds},
                  {"An invitation of a new host", invite_bounds},
                  {"Its withdrawal", revoke_bounds},
                  {"A host that joins", join_bounds},
                  {"A failover, or a switchover", failover_bounds},
                  {"Maintenance", maintenance_bounds},
                  {"A brake of the queue, a lane or a node", brake_bounds},
                  {"The role of a node", role_bounds},
                  {"A hold on the primary's binary logs", purge_hold_bounds}};
    for (size_t i = 0; i < COUNT(tables); i++)
        write_table(tables[i].title, tables[i].rows, out);
}
