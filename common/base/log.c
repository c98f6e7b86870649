/* SPDX-License-Identifier: Apache-2.0 */
#include "log.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "str.h"

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

void log_setup(const char *program, LogFormat format, LogLevel least)
{
    state.program = program;
    state.format = format;
    state.least = least;
    state.journald = getenv("JOURNAL_STREAM") != NULL;
}

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
    json_t *message = json_string(text);
    json_object_set_new(o, "message", message ? message : json_string("(not UTF-8)"));
    char *line = json_dumps(o, JSON_COMPACT);
    str_adds(out, line);
    free(line);
    json_decref(o);
}

void log_line(LogLevel level, const char *fmt, ...)
{
    if (level > state.least)
        return;
    va_list ap;
    va_start(ap, fmt);
    AUTOFREE char *text = xvasprintf(fmt, ap);
    va_end(ap);
    for (char *c = text; *c; c++)
        if (*c == '\n')
            *c = ' ';

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
