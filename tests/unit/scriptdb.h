/* SPDX-License-Identifier: Apache-2.0
 * A scripted client in place of common/db's db.c and db_rows.c: linked before the library, it answers as the
 * test has written, and no server is there. A statement that the script does not expect next, or one that it
 * expects and nobody sends, fails the test; so does a connection left open.
 *
 * As on a real connection: after ERR_LOST, ERR_TIMEOUT or ERR_CANCELLED it answers nothing any more, and says
 * ERR_LOST without asking the script. Used in the test's own thread alone.
 */
#pragma once

#include "test.h"

#include "common/db/db.h"

typedef struct Script {
    const char *sql; /* the statement's text; "…" in it stands for anything. "CONNECT user" is a connection
                        being made, "KILL n" one of its own. */
    /* The answer: a result, */
    const char *columns; /* "a|b"; NULL: none, the statement returns no rows */
    const char *rows;    /* "1|x\n2|\\N": a row a line, \N is NULL */
    /* or an error, */
    ErrKind fail;
    int code; /* the server's error number */
    /* after a while: real milliseconds, that should be few. */
    int64_t delay_ms;
    atomic_bool *cancel; /* somebody sets it while this is waited for */

    const char *on; /* user of the connection it must come by; NULL: the youngest that is open */
    int64_t ms;     /* CONNECT: the timeout that must be asked for; 0: any */
} Script;

/* From here on `flavor` answers, and nothing is expected yet. The server's process is `pid` (0: over TCP). */
void script_begin(DbFlavor flavor, pid_t pid);
void script_add(Script s); /* expected next */
#define EXPECT(...) script_add((Script){__VA_ARGS__})
/* Fails the test if something is left, or more than `open` connections are open. */
void script_end(int open);

/* In place of a script: `answer` is asked for each statement, and fills ret (sql is not looked at; strings
 * are borrowed until the next one). */
typedef void (*ScriptServer)(void *arg, const char *user, const char *sql, Script *ret);
void script_serve(ScriptServer answer, void *arg);
/* The statement number `n` (1 is the first, connections count) fails so; `reached`: the server has it, the
 * answer was lost. */
void script_break(int n, ErrKind kind, bool reached);
/* While it is waited for, somebody sets *cancel. */
void script_break_by_cancel(int n, atomic_bool *cancel, bool reached);
const char *script_keep(char *owned); /* a text made for the script: freed with it */
int script_sent(void);                /* so many statements until now */
/* Every statement sent, one a line, for a look at their order; begun anew by the first after script_end. */
const char *script_log(void);
