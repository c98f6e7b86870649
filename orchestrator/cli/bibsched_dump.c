/* SPDX-License-Identifier: Apache-2.0 */
#include "bibsched_dump.h"

#include <ctype.h>
#include <inttypes.h>
#include <string.h>
#include <strings.h>

#include "submit_plan.h"
#include "when.h"

enum { MOST_COLUMNS = 32, MOST_WORDS = 1000 };

/* ---- SQL -------------------------------------------------------------------------------------------- */

typedef struct DumpReader {
    const char *begin, *p, *end;
    StrList columns;
    Err *err;
} DumpReader;

static bool is_wrong(const DumpReader *r, const char *what)
{
    return err_set(r->err, ERR_CORRUPT, 0, "at byte %zu: %s", (size_t)(r->p - r->begin), what);
}

static bool starts_with(const DumpReader *r, const char *word)
{
    size_t n = strlen(word);
    return (size_t)(r->end - r->p) >= n && strncasecmp(r->p, word, n) == 0;
}

static bool take(DumpReader *r, const char *word)
{
    if (!starts_with(r, word))
        return false;
    r->p += strlen(word);
    return true;
}

static void skip_spaces(DumpReader *r)
{
    while (r->p < r->end && isspace((unsigned char)*r->p))
        r->p++;
}

static bool take_name(DumpReader *r, Str *ret)
{
    bool quoted = take(r, "`");
    while (r->p < r->end && (quoted ? *r->p != '`' : isalnum((unsigned char)*r->p) || *r->p == '_'))
        str_addc(ret, *r->p++);
    return ret->len && (!quoted || take(r, "`"));
}

static char escaped(char c)
{
    static const char from[] = "0nrtbZ", to[] = "\0\n\r\t\b\x1a";
    const char *at = strchr(from, c);
    return at && c ? to[at - from] : c;
}

static bool take_text(DumpReader *r, Str *ret)
{
    for (r->p++; r->p < r->end; r->p++) {
        if (*r->p == '\\' && r->p + 1 < r->end)
            str_addc(ret, escaped(*++r->p));
        else if (*r->p == '\'' && r->p + 1 < r->end && r->p[1] == '\'')
            str_addc(ret, *r->p++);
        else if (*r->p == '\'')
            return r->p++, true;
        else
            str_addc(ret, *r->p);
    }
    return is_wrong(r, "a text has no end");
}

static int hex_digit(char c)
{
    return isdigit((unsigned char)c) ? c - '0' : isxdigit((unsigned char)c) ? (c | 32) - 'a' + 10 : -1;
}

static bool take_hex(DumpReader *r, Str *ret)
{
    while (r->p + 1 < r->end && hex_digit(r->p[0]) >= 0 && hex_digit(r->p[1]) >= 0) {
        str_addc(ret, (char)(hex_digit(r->p[0]) * 16 + hex_digit(r->p[1])));
        r->p += 2;
    }
    return true;
}

static bool take_value(DumpReader *r, Str *ret)
{
    skip_spaces(r);
    if (take(r, "_binary"))
        skip_spaces(r);
    if (take(r, "NULL"))
        return true;
    if (take(r, "0x"))
        return take_hex(r, ret);
    if (r->p < r->end && *r->p == '\'')
        return take_text(r, ret);
    while (r->p < r->end && (isalnum((unsigned char)*r->p) || strchr("+-.", *r->p)))
        str_addc(ret, *r->p++);
    return ret->len || is_wrong(r, "a value is expected");
}

/* "(`id`, `proc`)", or what CREATE TABLE says: a name at the beginning of each line. */
static bool take_columns(DumpReader *r, bool of_table)
{
    strlist_done(&r->columns);
    for (bool more = true; more && r->columns.n < MOST_COLUMNS;) {
        AUTO(str_done) Str name = STR_INIT;
        skip_spaces(r);
        if (of_table && (r->p >= r->end || *r->p != '`'))
            return true;
        if (!take_name(r, &name))
            return is_wrong(r, "a column's name is expected");
        strlist_add(&r->columns, str_z(&name));
        while (of_table && r->p < r->end && *r->p != '\n')
            r->p++;
        skip_spaces(r);
        more = of_table || take(r, ",");
    }
    return take(r, ")") || is_wrong(r, "the list of columns has no end");
}

static void set_column(BibschedRow *row, const char *name, Str *value)
{
    const struct {
        const char *name;
        char **text;
        int64_t *number;
    } columns[] = {{"id", NULL, &row->id},
                   {"proc", &row->proc, NULL},
                   {"host", &row->host, NULL},
                   {"user", &row->user, NULL},
                   {"runtime", &row->runtime, NULL},
                   {"sleeptime", &row->sleeptime, NULL},
                   {"status", &row->status, NULL},
                   {"priority", NULL, &row->priority},
                   {"sequenceid", NULL, &row->sequence_id}};
    if (str_eq(name, "arguments"))
        EXCHANGE(row->arguments, *value);
    for (size_t i = 0; i < COUNT(columns); i++) {
        if (!str_eq(name, columns[i].name))
            continue;
        if (columns[i].text)
            str_put(columns[i].text, str_z(value));
        else
            *columns[i].number = strtoll(str_z(value), NULL, 10);
    }
}

static void row_done(BibschedRow *row)
{
    char *texts[] = {row->proc, row->host, row->user, row->runtime, row->sleeptime, row->status};
    for (size_t i = 0; i < COUNT(texts); i++)
        free(texts[i]);
    str_done(&row->arguments);
}

static bool take_row(DumpReader *r, BibschedTake give, void *arg)
{
    BibschedRow row = {0};
    bool ok = true;
    for (size_t i = 0; ok; i++) {
        AUTO(str_done) Str value = STR_INIT;
        ok = take_value(r, &value);
        if (ok && i < r->columns.n)
            set_column(&row, r->columns.v[i], &value);
        skip_spaces(r);
        if (ok && take(r, ")"))
            break;
        ok = ok && (take(r, ",") || is_wrong(r, "a comma is expected between values"));
    }
    ok = ok && give(arg, &row, r->err);
    row_done(&row);
    return ok;
}

static bool take_insert(DumpReader *r, BibschedTake give, void *arg)
{
    skip_spaces(r);
    if (take(r, "(") && !take_columns(r, false))
        return false;
    skip_spaces(r);
    if (!take(r, "VALUES"))
        return is_wrong(r, "VALUES is expected");
    do {
        skip_spaces(r);
        if (!take(r, "("))
            return is_wrong(r, "a row is expected");
        if (!take_row(r, give, arg))
            return false;
        skip_spaces(r);
    } while (take(r, ","));
    return take(r, ";") || is_wrong(r, "a statement has no end");
}

static bool take_table(DumpReader *r, const char *verb)
{
    const char *back = r->p;
    AUTO(str_done) Str name = STR_INIT;
    if (take(r, verb)) {
        skip_spaces(r);
        if (take_name(r, &name) && strcasecmp(str_z(&name), "schTASK") == 0)
            return true;
    }
    r->p = back;
    return false;
}

static void next_line(DumpReader *r)
{
    while (r->p < r->end && *r->p++ != '\n')
        ;
}

bool bibsched_read(const char *text, size_t n, BibschedTake give, void *arg, Err *err)
{
    static const char *const usual[] = {"id",       "proc",      "host",      "user",
                                        "runtime",  "sleeptime", "arguments", "status",
                                        "progress", "priority",  "sequenceid"};
    DumpReader r = {text, text, text + n, STRLIST_INIT, err};
    bool ok = true;
    for (size_t i = 0; i < COUNT(usual); i++)
        strlist_add(&r.columns, usual[i]);
    while (ok && r.p < r.end) {
        if (take_table(&r, "CREATE TABLE")) {
            skip_spaces(&r);
            if (take(&r, "("))
                ok = take_columns(&r, true);
        } else if (take_table(&r, "INSERT INTO")) {
            ok = take_insert(&r, give, arg);
        }
        next_line(&r);
    }
    strlist_done(&r.columns);
    return ok;
}

/* ---- Python's marshal ------------------------------------------------------------------------------- */

typedef struct MarshalReader {
    const unsigned char *p, *end;
    StrList interned;
} MarshalReader;

static bool take_length(MarshalReader *m, size_t *ret)
{
    if (m->end - m->p < 4)
        return false;
    *ret = (size_t)m->p[0] | (size_t)m->p[1] << 8 | (size_t)m->p[2] << 16 | (size_t)m->p[3] << 24;
    m->p += 4;
    return *ret <= (size_t)INT32_MAX;
}

static bool take_word(MarshalReader *m, StrList *ret)
{
    size_t n;
    char type = m->p < m->end ? (char)*m->p++ : 0;
    if (!take_length(m, &n))
        return false;
    if (type == 'R') {
        if (n < m->interned.n)
            strlist_add(ret, m->interned.v[n]);
        return n < m->interned.n;
    }
    if ((type != 's' && type != 't' && type != 'u') || (size_t)(m->end - m->p) < n || memchr(m->p, 0, n))
        return false;
    AUTOFREE char *word = xstrndup((const char *)m->p, n);
    m->p += n;
    strlist_add(ret, word);
    if (type == 't')
        strlist_add(&m->interned, word);
    return true;
}

bool bibsched_words(const Str *arguments, StrList *ret)
{
    MarshalReader m = {(const unsigned char *)str_z(arguments),
                       (const unsigned char *)str_z(arguments) + arguments->len, STRLIST_INIT};
    size_t n = 0;
    bool ok = m.p < m.end && (*m.p == '[' || *m.p == '(');
    m.p += ok;
    ok = ok && take_length(&m, &n) && n <= MOST_WORDS;
    for (size_t i = 0; ok && i < n; i++)
        ok = take_word(&m, ret);
    ok = ok && m.p == m.end;
    strlist_done(&m.interned);
    return ok;
}

/* ---- from a row to a task --------------------------------------------------------------------------- */

typedef struct CommonOption {
    char letter;
    const char *name, *field; /* field NULL: it stands in a column */
    bool has_value;
} CommonOption;

static const CommonOption common[] = {{'u', "user", NULL, true},
                                      {'t', "runtime", NULL, true},
                                      {'s', "sleeptime", NULL, true},
                                      {0, "sleep", NULL, true},
                                      {'P', "priority", NULL, true},
                                      {'N', "name", NULL, true},
                                      {'I', "sequence-id", NULL, true},
                                      {'L', "limit", "window", true},
                                      {'v', "verbose", "verbose", true},
                                      {0, "profile", "profile", true},
                                      {0, "host", NULL, true},
                                      {0, "fixed-time", "fixed_time", false},
                                      {0, "stop-on-error", "on_error", false},
                                      {0, "continue-on-error", "on_error", false},
                                      {0, "post-process", "plan", true},
                                      {0, "email-logs-to", "plan", true},
                                      {0, "email-logs-on-error", "plan", false}};

/* "-s", "-s1d", "--sleeptime", "--sleeptime=1d"; `ret_value`: what stands in the same word, or NULL. */
static const CommonOption *option_of(const CommonOption *table, size_t rows, const char *word,
                                     const char **ret_value)
{
    for (size_t i = 0; *word == '-' && i < rows; i++) {
        const CommonOption *o = &table[i];
        size_t n = strlen(o->name);
        *ret_value = NULL;
        if (word[1] != '-' && o->letter && word[1] == o->letter) {
            *ret_value = word[2] ? word + 2 : NULL;
            return o;
        }
        if (word[1] == '-' && strncmp(word + 2, o->name, n) == 0 && (!word[2 + n] || word[2 + n] == '=')) {
            *ret_value = word[2 + n] ? word + 3 + n : NULL;
            return o;
        }
    }
    return NULL;
}

static void set_plan(json_t *body, const CommonOption *o, const char *value, StrList *lost)
{
    Err err;
    if (!json_object_get(body, "plan"))
        json_object_set_new(body, "plan", json_object());
    json_t *plan = json_object_get(body, "plan");
    if (str_eq(o->name, "email-logs-on-error"))
        json_set_bool(plan, "email_logs_on_error", true);
    else if (str_eq(o->name, "email-logs-to") && value)
        submit_plan_addresses(value, plan);
    else if (!value || !submit_plan_post_process(value, plan, &err))
        strlist_addf(lost, "--%s %s is left out%s%s", o->name, value ? value : "", value ? ": " : "",
                     value ? err.text : "");
}

static void set_option(json_t *body, const CommonOption *o, const char *value, StrList *lost)
{
    long long level;
    if (!o->field)
        return;
    if (str_eq(o->field, "plan")) {
        set_plan(body, o, value, lost);
    } else if (str_eq(o->field, "fixed_time")) {
        json_set_bool(body, "fixed_time", true);
    } else if (str_eq(o->field, "on_error")) {
        json_set_str(body, "on_error", str_eq(o->name, "stop-on-error") ? "queue" : "continue");
    } else if (str_eq(o->field, "window")) {
        json_set_str(body, "window", value);
    } else {
        if (!json_object_get(body, "options"))
            json_object_set_new(body, "options", json_object());
        if (str_eq(o->field, "profile"))
            json_set_str(json_object_get(body, "options"), "profile", value);
        else if (str_to_i64(value, 0, 9, &level))
            json_set_int(json_object_get(body, "options"), "verbose", level);
    }
}

/* bibtasklet -T bst_foo -a "arg1=bar": the tasklet is the job, its parameters are the arguments. */
static void set_tasklet(json_t *body, const StrList *words, StrList *lost)
{
    static const CommonOption own[] = {{'T', "tasklet", "job", true}, {'a', "argument", "args", true}};
    AUTO(strlist_done) StrList args = STRLIST_INIT;
    for (size_t i = 0; i < words->n; i++) {
        const char *value;
        const CommonOption *o = option_of(own, COUNT(own), words->v[i], &value);
        if (o && !value && i + 1 < words->n)
            value = words->v[++i];
        if (!o || !value)
            strlist_addf(lost, "its argument %s is left out", words->v[i]);
        else if (o->letter == 'T')
            json_set_str(body, "job", value);
        else
            strlist_add(&args, value);
    }
    if (args.n)
        json_set_strs(body, "args", &args);
}

/* Without the program's name; what all tasks take goes into fields, the rest stays the job's. */
static void set_arguments(json_t *body, const Str *arguments, StrList *lost)
{
    AUTO(strlist_done) StrList words = STRLIST_INIT, rest = STRLIST_INIT;
    if (arguments->len && !bibsched_words(arguments, &words)) {
        strlist_add(lost, "its arguments cannot be read (they are no list of texts)");
        return;
    }
    for (size_t i = 1; i < words.n; i++) {
        const char *value;
        const CommonOption *o = option_of(common, COUNT(common), words.v[i], &value);
        if (!o) {
            strlist_add(&rest, words.v[i]);
            continue;
        }
        if (o->has_value && !value && i + 1 < words.n)
            value = words.v[++i];
        set_option(body, o, value, lost);
    }
    if (str_eq(json_str(body, "job"), "bibtasklet"))
        set_tasklet(body, &rest, lost);
    else if (rest.n)
        json_set_strs(body, "args", &rest);
}

static bool is_one_of(const char *status, const char *const *words)
{
    for (size_t i = 0; words[i]; i++)
        if (status && strcasecmp(status, words[i]) == 0)
            return true;
    return false;
}

static void set_times(const BibschedRow *row, int64_t now_ms, json_t *body, StrList *lost)
{
    Err err;
    int64_t ms;
    if (row->runtime && *row->runtime && !when_parse(row->runtime, now_ms, &ms, &err))
        strlist_addf(lost, "its time: %s", err.text);
    else if (row->runtime && *row->runtime && ms > now_ms)
        json_set_time(body, "run_at", ms);
    if (!row->sleeptime || !*row->sleeptime)
        return;
    if (when_parse_span(row->sleeptime, &ms, &err) && ms > 0)
        json_set_int(body, "sleeptime_ms", ms);
    else
        strlist_addf(lost, "its sleep time \"%s\": it runs once", row->sleeptime);
}

json_t *bibsched_task(const BibschedRow *row, int64_t now_ms, StrList *ret_lost)
{
    static const char *const waits[] = {"WAITING", "SCHEDULED", NULL};
    static const char *const runs[] = {"RUNNING",       "CONTINUING", "SLEEPING", "ABOUT TO SLEEP",
                                       "ABOUT TO STOP", "STOPPED",    NULL};
    bool recurs = row->sleeptime && *row->sleeptime;
    if (!row->proc || !*row->proc ||
        !(is_one_of(row->status, waits) || (recurs && is_one_of(row->status, runs))))
        return NULL;
    json_t *body = json_object();
    const char *colon = strchr(row->proc, ':');
    AUTOFREE char *job = xstrndup(row->proc, colon ? (size_t)(colon - row->proc) : strlen(row->proc));
    AUTOFREE char *key = xasprintf("bibsched-%" PRId64, row->id);
    json_set_str(body, "job", job);
    json_set_str(body, "key", key);
    if (colon)
        json_set_str(body, "name", row->proc);
    if (row->user && *row->user)
        json_set_str(body, "user", row->user);
    if (row->priority)
        json_set_int(body, "priority", row->priority);
    if (row->sequence_id > 0)
        json_set_int(body, "sequence_id", row->sequence_id);
    if (row->host && *row->host)
        strlist_addf(ret_lost, "it was bound to host \"%s\": nodes have other names here", row->host);
    if (!is_one_of(row->status, waits))
        strlist_addf(ret_lost, "it was %s there: its next turn is taken", row->status);
    set_times(row, now_ms, body, ret_lost);
    set_arguments(body, &row->arguments, ret_lost);
    if (json_bool(body, "fixed_time") && !json_object_get(body, "sleeptime_ms"))
        json_object_del(body, "fixed_time");
    return body;
}
