/* SPDX-License-Identifier: Apache-2.0
 * What a session of Siding's holds, whatever the server's globals or init_connect say: every variable that
 * can change a result, a limit or a lifetime has the value of one table. db_connect pins them; nobody else
 * need know. Memory and disk budgets of the server stay as they are: past them a statement fails, and says
 * so.
 */
#pragma once

#include "db.h"

typedef enum SessionHow {
    SESSION_SET,  /* every account may */
    SESSION_TRY,  /* takes a privilege on some server; without it the server's own value stays */
    SESSION_NEED, /* takes a privilege or cannot be set: below `value` a job or load is refused */
} SessionHow;

typedef struct SessionVariable {
    const char *name[FLAVORS]; /* of MariaDB, of MySQL; NULL: it has none */
    const char *value;         /* as SET takes it */
    SessionHow how;
    const char *why;
    const char *source; /* documentation: page of the server's manual */
} SessionVariable;

const SessionVariable *session_variables(size_t *ret_n);
/* "SET SESSION a=1, b=2": what every account may set. Pure. */
void session_sql(DbFlavor flavor, Str *out);
/* `demand`: without SESSION_NEED it is ERR_REFUSED, with the statement that mends it. Not for an agent, which
 * must be able to resume a replica whatever the server's settings: servercheck tells those before a pause. */
MUST_CHECK bool session_pin(Db *db, bool demand, Err *err);
