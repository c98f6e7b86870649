/* SPDX-License-Identifier: Apache-2.0 */
#include "log.h"

#include <jansson.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "str.h"
#include "text.h"

static struct {
    const char *program;
    LogFormat format;
    LogLevel least;
    bool journald;
} state = {"siding", LOG_FORMAT_TEXT, LOG_LEVEL_INFO, false};

static const struct {
    LogLevel level;
    const char *name;
} levels[] = {{LOG_LEVEL_ERROR, "error"},
              {LOG_LEVEL_WARN, "warn"},
              {LOG_LEVEL_INFO, "info"},
              {LOG_LEVEL_DEBUG, "debug"}};

bool log_format_from_name(const char *name, LogFormat *ret)
{
    if (str_eq(name, "text"))
        *ret = LOG_FORMAT_TEXT;
    else if (str_eq(name, "json"))
        *ret = LOG_FORMAT_JSON;
    else
        return false;
    return true;
}

bool log_level_from_name(const char *name, LogLevel *ret)
{
    for (size_t i = 0; i < COUNT(levels); i++)
        if (str_eq(name, levels[i].name)) {
            *ret = levels[i].level;
            return true;
        }
    return false;
}

static const char *level_name(LogLevel level)
{
    for (size_t i = 0; i < COUNT(levels); i++)
        if (levels[i].level == level)
            return levels[i].name;
    return "info";
}

static void format_json(Str *out, LogLevel level, const char *time, const char *text)
{
    json_t *o = json_pack("{s:s, s:s, s:s, s:i}", "time", time, "level", level_name(level), "program",
                          state.program, "pid", (int)getpid());
    json_object_set_new(o, "message", json_string(text));
    char *line = json_dumps(o, JSON_COMPACT);
    str_adds(out, line);
    free(line);
    json_decref(o);
}

static void write_line(LogLevel level, const char *said)
{
    AUTO(str_done) Str clean = STR_INIT;
    text_clean(&clean, said);
    const char *text = str_z(&clean);
    char time[CLOCK_TEXT];
    clock_format(clock_wall_ms(), time);
    AUTO(str_done) Str line = STR_INIT;
    if (state.format == LOG_FORMAT_JSON)
        format_json(&line, level, time, text);
    else if (state.journald)
        str_addf(&line, "<%d>%s", (int)level, text);
    else
        str_addf(&line, "%s %-5s %s[%d]: %s", time, level_name(level), state.program, (int)getpid(), text);
    str_addc(&line, '\n');
    /* One write a line, so that lines of threads and children do not mix. */
    ssize_t ignored = write(STDERR_FILENO, line.p, line.len);
    (void)ignored;
}

/* ---- lines that come again -------------------------------------------------------------------------------
 */

/* A line may be written so often within so long; what is more is counted. */
enum { FOLD_MS = 10000, FOLD_AFTER = 3, FOLD_LINES = 8 };

typedef struct LogFold {
    char *text;
    LogLevel level;
    int64_t since_ms, written, counted, used; /* used: by its order among all */
} LogFold;

static struct {
    pthread_mutex_t lock;
    LogFold v[FOLD_LINES];
    int64_t uses;
    const LogFold *last; /* written last of all */
} folds = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* 4512 as "4,512". */
static void add_number(Str *out, int64_t n)
{
    char digits[24];
    int length = snprintf(digits, sizeof digits, "%lld", (long long)n);
    for (int i = 0; i < length; i++)
        str_addf(out, "%s%c", i && (length - i) % 3 == 0 ? "," : "", digits[i]);
}

static void tell_count(LogFold *f)
{
    AUTO(str_done) Str s = STR_INIT;
    if (!f->counted)
        return;
    str_adds(&s, folds.last == f ? "last line repeated " : "repeated ");
    add_number(&s, f->counted);
    str_adds(&s, " times");
    if (folds.last != f)
        str_addf(&s, ": %s", f->text);
    f->counted = 0;
    write_line(f->level, str_z(&s));
}

static void tell_due(int64_t now)
{
    for (size_t i = 0; i < FOLD_LINES; i++)
        if (folds.v[i].text && now - folds.v[i].since_ms >= FOLD_MS)
            tell_count(&folds.v[i]);
}

/* The line's own, else the one that was used longest ago. */
static LogFold *fold_of(LogLevel level, const char *text, int64_t now)
{
    LogFold *oldest = &folds.v[0];
    for (size_t i = 0; i < FOLD_LINES; i++) {
        LogFold *f = &folds.v[i];
        if (f->text && f->level == level && str_eq(f->text, text) && now - f->since_ms < FOLD_MS)
            return f;
        oldest = f->used < oldest->used ? f : oldest;
    }
    tell_count(oldest);
    free(oldest->text);
    *oldest = (LogFold){.text = xstrdup(text), .level = level, .since_ms = now};
    return oldest;
}

static void write_or_count(LogLevel level, const char *text)
{
    int64_t now = clock_mono_ms();
    pthread_mutex_lock(&folds.lock);
    tell_due(now);
    LogFold *f = fold_of(level, text, now);
    f->used = ++folds.uses;
    if (f->written >= FOLD_AFTER) {
        f->counted++;
    } else {
        f->written++;
        folds.last = f;
        write_line(level, text);
    }
    pthread_mutex_unlock(&folds.lock);
}

void log_setup(const char *program, LogFormat format, LogLevel least)
{
    pthread_mutex_lock(&folds.lock);
    tell_due(INT64_MAX);
    pthread_mutex_unlock(&folds.lock);
    state.program = program;
    state.format = format;
    state.least = least;
    state.journald = getenv("JOURNAL_STREAM") != NULL;
}

void log_tick(void)
{
    pthread_mutex_lock(&folds.lock);
    tell_due(clock_mono_ms());
    pthread_mutex_unlock(&folds.lock);
}

void log_line(LogLevel level, const char *fmt, ...)
{
    if (level > state.least)
        return;
    va_list ap;
    va_start(ap, fmt);
    AUTOFREE char *text = xvasprintf(fmt, ap);
    va_end(ap);
    write_or_count(level, text);
}
