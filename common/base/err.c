/* SPDX-License-Identifier: Apache-2.0 */
#include "err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
    ErrKind kind;
    const char *name;
    bool transient;
} kinds[] = {
    {ERR_NONE, "none", false},
    {ERR_USAGE, "usage", false},
    {ERR_CONFIG, "config", false},
    {ERR_NOT_FOUND, "not_found", false},
    {ERR_CONFLICT, "conflict", false},
    {ERR_REFUSED, "refused", false},
    {ERR_STALE_TERM, "stale_term", false},
    {ERR_AUTH, "auth", false},
    {ERR_UNREACHABLE, "unreachable", true},
    {ERR_TIMEOUT, "timeout", true},
    {ERR_LOST, "lost", true},
    {ERR_IO, "io", false},
    {ERR_NO_SPACE, "no_space", false},
    {ERR_DB, "db", false},
    {ERR_CORRUPT, "corrupt", false},
    {ERR_PROTOCOL, "protocol", false},
    {ERR_CANCELLED, "cancelled", false},
};

bool err_set(Err *err, ErrKind kind, int code, const char *fmt, ...)
{
    /* Formatted aside first: an argument may be err->text itself. */
    char text[sizeof err->text];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    err->kind = kind;
    err->code = code;
    memcpy(err->text, text, sizeof text);
    return false;
}

bool err_errno(Err *err, int errnum, const char *fmt, ...)
{
    char what[sizeof err->text];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(what, sizeof what, fmt, ap);
    va_end(ap);
    ErrKind kind = errnum == ENOSPC || errnum == EDQUOT ? ERR_NO_SPACE : ERR_IO;
    return err_set(err, kind, errnum, "cannot %.800s: %s", what, strerror(errnum));
}

bool err_prefix(Err *err, const char *fmt, ...)
{
    char prefix[400];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(prefix, sizeof prefix, fmt, ap);
    va_end(ap);
    return err_set(err, err->kind, err->code, "%s: %.590s", prefix, err->text);
}

const char *err_kind_name(ErrKind kind)
{
    for (unsigned i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (kinds[i].kind == kind)
            return kinds[i].name;
    return "unknown";
}

ErrKind err_kind_from_name(const char *name)
{
    for (unsigned i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (name && strcmp(kinds[i].name, name) == 0)
            return kinds[i].kind;
    return ERR_PROTOCOL;
}

bool err_is_transient(const Err *err)
{
    for (unsigned i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (kinds[i].kind == err->kind)
            return kinds[i].transient;
    return false;
}

int err_exit_status(const Err *err)
{
    return err->kind == ERR_USAGE ? 2 : 1;
}
