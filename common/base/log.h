/* SPDX-License-Identifier: Apache-2.0
 * Log lines on stderr: "<N>text" with journald priorities under systemd, "time LEVEL text" on a
 * terminal, one JSON object a line with log_format = "json". Safe to call from any thread. A line that comes
 * again and again is counted instead of written: "last line repeated 4,512 times".
 */
#pragma once

#include "err.h"

typedef enum LogLevel {
    LOG_LEVEL_ERROR = 3,
    LOG_LEVEL_WARN = 4,
    LOG_LEVEL_INFO = 6,
    LOG_LEVEL_DEBUG = 7
} LogLevel;
typedef enum LogFormat { LOG_FORMAT_TEXT, LOG_FORMAT_JSON } LogFormat;

/* Again: what is counted so far is written in the old way first. */
void log_setup(const char *program, LogFormat format, LogLevel least);
bool log_format_from_name(const char *name, LogFormat *ret); /* "text", "json" */
bool log_level_from_name(const char *name, LogLevel *ret);   /* "error", "warn", "info", "debug" */

void log_line(LogLevel level, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Writes what is counted and due; also done by the next line. For a program that may fall silent. */
void log_tick(void);
#define log_error(...) log_line(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...) log_line(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...) log_line(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_line(LOG_LEVEL_DEBUG, __VA_ARGS__)
