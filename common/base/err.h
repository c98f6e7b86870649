/* SPDX-License-Identifier: Apache-2.0
 * Errors: libraries return them, programs log them. A function that can fail is
 * `bool f(in…, T *ret, Err *err)`: true on success; on false `*err` is set and `*ret` untouched.
 * The kind decides what a caller may do (retry, refuse, probe); the text is a sentence for a person.
 */
#pragma once

#include <stdbool.h>

#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))

typedef enum ErrKind {
    ERR_NONE,
    ERR_USAGE,       /* the caller's words are wrong: exit status 2, HTTP 400 */
    ERR_CONFIG,      /* a configuration file is wrong: text names file:line and option */
    ERR_NOT_FOUND,   /* HTTP 404 */
    ERR_CONFLICT,    /* the thing exists or is in another state already: HTTP 409 */
    ERR_REFUSED,     /* a rule forbids it, the text says which and the mend: HTTP 422 */
    ERR_STALE_TERM,  /* the request carries a term that has moved on: HTTP 412 */
    ERR_AUTH,        /* wrong password, missing grant, bad certificate */
    ERR_UNREACHABLE, /* nothing was sent: safe to retry */
    ERR_TIMEOUT,     /* a deadline passed: the outcome is unknown */
    ERR_LOST,        /* the connection died under a request: the outcome is unknown, probe first */
    ERR_IO,          /* a file operation; code is errno */
    ERR_NO_SPACE,    /* ENOSPC or EDQUOT, or a limit of ours on disk; code is errno */
    ERR_DB,          /* the server answered with an error; code is its error number */
    ERR_CORRUPT,     /* a checksum, count or format does not hold */
    ERR_PROTOCOL,    /* the peer answered with something that is not our protocol */
    ERR_CANCELLED,   /* asked to stop */
} ErrKind;

typedef struct Err {
    ErrKind kind;
    int code; /* errno, server error number or HTTP status; 0 where there is none */
    char text[1000];
} Err;

/* Sets `err` and returns false, so that `return err_set(err, …);` ends a failing function. */
bool err_set(Err *err, ErrKind kind, int code, const char *fmt, ...) PRINTF_LIKE(4, 5);

/* From errno: "cannot <what>: <strerror>"; ENOSPC and EDQUOT become ERR_NO_SPACE. */
bool err_errno(Err *err, int errnum, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* Puts "<prefix>: " before the text; kind and code stay. Returns false. */
bool err_prefix(Err *err, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* A stable lower-case name ("refused", "no_space"), for JSON and logs. */
const char *err_kind_name(ErrKind kind);
ErrKind err_kind_from_name(const char *name); /* ERR_PROTOCOL when unknown */

/* True where trying the same thing again may help without a person. */
bool err_is_transient(const Err *err);

/* Contract exit status: 2 for ERR_USAGE, 1 otherwise. */
int err_exit_status(const Err *err);
