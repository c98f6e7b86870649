/* SPDX-License-Identifier: Apache-2.0 */
#include "handlers.h"

#include <stdarg.h>
#include <stdio.h>

void handle_error(HttpRequest *req, ErrKind kind, const char *fmt, ...)
{
    Err err = {.kind = kind};
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(err.text, sizeof err.text, fmt, ap);
    va_end(ap);
    http_reply_error(req, &err);
}
